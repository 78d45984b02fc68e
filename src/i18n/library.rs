//! The crate of genres and the table of songs.

use crate::text::fill;

super::texts! {
    /// The crate of genres and the table of songs.
    Library {
        all_genres { en: "All genres", de: "Alle Genres" }
        crate_empty {
            en: "The more probable a genre is, the further its record is pulled out.",
            de: "Je wahrscheinlicher ein Genre ist, desto weiter ist seine Platte herausgezogen.",
        }
        crate_song { en: "The whole song", de: "Das ganze Stück" }
        crate_so_far { en: "So far", de: "Bis jetzt" }
        crate_at { en: "At {0}", de: "Bei {0}" }
        crate_no_music {
            en: "No music, so the genres do not count",
            de: "Keine Musik, deshalb zählen die Genres nicht",
        }
        crate_now { en: "Right now", de: "Jetzt gerade" }

        your_crate { en: "Your crate", de: "Deine Kiste" }
        one_song { en: "1 song", de: "1 Stück" }
        n_songs { en: "{0} songs", de: "{0} Stücke" }
        still_open {
            en: "{0} of {1} songs are not done yet",
            de: "{0} von {1} Stücken sind noch nicht fertig",
        }
        of_them_failed { en: ", {0} without a result", de: ", {0} ohne Ergebnis" }
        cancel_all { en: "Cancel all", de: "Alle abbrechen" }
        teach { en: "Teach it here", de: "Eigene Klassen" }
        alike { en: "Similar songs", de: "Ähnliche Stücke" }
        tags { en: "Write tags", de: "Tags schreiben" }
        alike_one { en: "Sounds like", de: "Klingt wie" }
        own_class { en: "Own class: {0} ({1})", de: "Eigene Klasse: {0} ({1})" }
        own_none { en: "Own class: none of these", de: "Eigene Klasse: keine davon" }
        song { en: "Song", de: "Stück" }
        genre { en: "Genre", de: "Genre" }
        confidence { en: "Confidence", de: "Konfidenz" }
        length { en: "Length", de: "Länge" }
        actions { en: "Actions", de: "Aktionen" }
        action_on { en: "{0}: {1}", de: "{0}: {1}" }
        raise { en: "Move up", de: "Nach oben" }
        remove { en: "Remove", de: "Entfernen" }
        status_waiting { en: "waiting", de: "wartet" }
        status_working { en: "analysing…", de: "wird analysiert …" }
        status_failed { en: "no result", de: "kein Ergebnis" }
        status_cancelled { en: "cancelled", de: "abgebrochen" }
    }
}

impl Library {
    /// Number of songs as text, such as *2 songs*.
    pub fn songs(&self, n: usize) -> String {
        if n == 1 { self.one_song.into() } else { fill(self.n_songs, &[&n.to_string()]) }
    }
}
