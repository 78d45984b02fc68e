//! The large area at the top: invitation, progress, result.

use crate::text::fill;

super::texts! {
    /// The large area at the top: invitation, progress, result.
    Hero {
        drop_a_song { en: "Drop a song.", de: "Zieh ein Stück hierher." }
        let_go { en: "Release to analyse.", de: "Loslassen zum Analysieren." }
        see_its_genre { en: "See its genre, and why.", de: "Sieh sein Genre und den Grund." }
        lead {
            en: "Cratedigger analyses music on your own computer and shows the genre of every few seconds. \
                 No song leaves this page.",
            de: "Cratedigger analysiert Musik auf deinem eigenen Rechner und zeigt alle paar Sekunden das \
                 Genre. Kein Stück verlässt diese Seite.",
        }
        formats {
            en: "WAV, MP3, FLAC, OGG or M4A, anywhere on this page.",
            de: "WAV, MP3, FLAC, OGG oder M4A, an jeder Stelle dieser Seite.",
        }
        choose_files { en: "Choose songs", de: "Stücke wählen" }
        choose_folder { en: "Choose a folder", de: "Ordner wählen" }
        microphone { en: "Microphone", de: "Mikrofon" }
        tab_sound { en: "Sound of a tab", de: "Ton eines Tabs" }
        example { en: "Try an example", de: "Beispiel testen" }
        example_name { en: "Example in three styles.wav", de: "Beispiel in drei Stilen.wav" }

        waiting_first { en: "Next in the queue.", de: "Als Nächstes an der Reihe." }
        waiting_one { en: "One song is ahead in the queue.", de: "Ein Stück ist vorher an der Reihe." }
        waiting_many { en: "{0} songs are ahead in the queue.", de: "{0} Stücke sind vorher an der Reihe." }
        decoding { en: "Decoding…", de: "Wird decodiert …" }
        starting { en: "Analysing…", de: "Wird analysiert …" }
        listening_large { en: "Listening…", de: "Hört zu …" }
        loading_networks { en: "Loading the networks…", de: "Die Netze werden geladen …" }
        segments_of { en: "{0} of {1} segments analysed", de: "{0} von {1} Abschnitten analysiert" }
        progress { en: "Progress", de: "Fortschritt" }
        cancel { en: "Cancel", de: "Abbrechen" }
        retry { en: "Try again", de: "Erneut versuchen" }
        no_answer { en: "No result", de: "Kein Ergebnis" }

        very_sure {
            en: "Very confident: {0}. Next: {2}, {3}.",
            de: "Sehr sicher: {0}. Danach: {2}, {3}.",
        }
        quite_sure {
            en: "Fairly confident: {0}. Next: {2}, {3}.",
            de: "Ziemlich sicher: {0}. Danach: {2}, {3}.",
        }
        leaning {
            en: "Probably {1}: {0}. It could also be {2}: {3}.",
            de: "Wahrscheinlich {1}: {0}. Es könnte auch {2} sein: {3}.",
        }
        close_call { en: "Almost equal: {0} {1}, {3} {2}.", de: "Fast gleich: {0} {1}, {3} {2}." }
        guess { en: "Low confidence: {0} {1}, {3} {2}.", de: "Unsicher: {0} {1}, {3} {2}." }
        none_of_these { en: "None of these", de: "Keins davon" }
        none_words {
            en: "The confidence is too low to name one of the ten genres. The nearest is {0}, {1}.",
            de: "Zu unsicher, um eins der zehn Genres zu nennen. Am nächsten ist {0}, {1}.",
        }
        judged_fast { en: "Analysed by the fast network only.", de: "Nur vom schnellen Netz analysiert." }
        ask_all { en: "Use all {0} networks", de: "Alle {0} Netze verwenden" }
        by_cpu { en: "Computed on the CPU", de: "Berechnet auf der CPU" }
        by_gpu { en: "Computed with WebGPU", de: "Berechnet mit WebGPU" }
        timing { en: "in {0}, first segment after {1}", de: "in {0}, erster Abschnitt nach {1}" }
        save_picture { en: "Save image", de: "Bild speichern" }
        copy_picture { en: "Copy image", de: "Bild kopieren" }
        picture_line {
            en: "analysed on my own computer, nothing uploaded",
            de: "auf dem eigenen Rechner analysiert, nichts hochgeladen",
        }
    }
}

impl Hero {
    /// Place in the queue of a song with `before` songs ahead of it.
    pub fn waiting(&self, before: usize) -> String {
        match before {
            0 => self.waiting_first.into(),
            1 => self.waiting_one.into(),
            n => fill(self.waiting_many, &[&n.to_string()]),
        }
    }
}
