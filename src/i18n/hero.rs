//! The large area at the top: invitation, progress, result.

use cratedigger_protocol::Condition;

use crate::state::Sound;
use crate::text::fill;

super::texts! {
    /// The large area at the top: invitation, progress, result.
    Hero {
        drop_a_song { en: "Drop a song.", de: "Zieh ein Stück hierher." }
        let_go { en: "Release to analyse.", de: "Loslassen zum Analysieren." }
        see_its_genre { en: "See its genre, and why.", de: "Sieh, welches Genre es hat und warum." }
        lead {
            en: "Cratedigger analyses music on your own computer and shows the genre for every few seconds. \
                 No song leaves this page.",
            de: "Cratedigger analysiert Musik auf deinem eigenen Rechner und zeigt für jeden Abschnitt von \
                 wenigen Sekunden das Genre. Kein Stück verlässt diese Seite.",
        }
        formats {
            en: "WAV, MP3, FLAC, OGG, Opus, M4A, AIFF and others, of any length, anywhere on this page.",
            de: "WAV, MP3, FLAC, OGG, Opus, M4A, AIFF und andere, beliebig lang, irgendwo auf dieser Seite.",
        }
        choose_files { en: "Choose songs", de: "Stücke wählen" }
        choose_folder { en: "Choose a folder", de: "Ordner wählen" }
        microphone { en: "Microphone", de: "Mikrofon" }
        tab_sound { en: "Sound of a tab", de: "Ton eines Tabs" }
        example { en: "Try an example", de: "Beispiel ausprobieren" }
        example_name { en: "Example in three styles.wav", de: "Beispiel in drei Stilen.wav" }

        waiting_first { en: "Next in the queue.", de: "Als Nächstes an der Reihe." }
        waiting_one { en: "One song is ahead in the queue.", de: "Ein Stück ist vorher an der Reihe." }
        waiting_many { en: "{0} songs are ahead in the queue.", de: "{0} Stücke sind vorher an der Reihe." }
        decoding { en: "Decoding…", de: "Wird decodiert …" }
        starting { en: "Analysing…", de: "Wird analysiert …" }
        listening_large { en: "Listening…", de: "Hört zu …" }
        loading_networks { en: "Loading the networks…", de: "Die Netze werden geladen …" }
        segments_of { en: "{0} of {1} segments analysed", de: "{0} von {1} Abschnitten analysiert" }
        still_listening { en: "Still listening.", de: "Hört noch zu." }
        settled { en: "Settled.", de: "Steht fest." }
        settled_words {
            en: "The answer is unlikely to change. The rest of the song is still being analysed.",
            de: "Das Ergebnis ändert sich wahrscheinlich nicht mehr. Der Rest des Stücks wird noch \
                 analysiert.",
        }
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
        no_music { en: "No music", de: "Keine Musik" }
        no_music_of { en: "No music: {0}", de: "Keine Musik: {0}" }
        speech { en: "speech", de: "Sprache" }
        other_sounds { en: "other sounds", de: "andere Geräusche" }
        speech_words {
            en: "This sounds like speech, not music. Probability of no music: {0}.",
            de: "Das klingt nach Sprache, nicht nach Musik. Wahrscheinlichkeit, dass es keine Musik ist: {0}.",
        }
        other_sounds_words {
            en: "This sounds like noise or other sounds, not music. Probability of no music: {0}.",
            de: "Das klingt nach anderen Geräuschen, nicht nach Musik. Wahrscheinlichkeit, dass es keine Musik \
                 ist: {0}.",
        }
        no_music_words {
            en: "This does not sound like music. Probability of no music: {0}.",
            de: "Das klingt nicht nach Musik. Wahrscheinlichkeit, dass es keine Musik ist: {0}.",
        }
        tags { en: "Also heard", de: "Auch gehört" }
        tags_order {
            en: "Also heard, the strongest first",
            de: "Auch gehört, die stärksten zuerst",
        }
        tags_about { en: "What are these tags?", de: "Was sind das für Tags?" }
        telephone {
            en: "Telephone quality: only 300 to 3400 Hz.",
            de: "Telefonqualität: nur 300 bis 3400 Hz.",
        }
        clipped {
            en: "Clipped: many samples are at the maximum level.",
            de: "Übersteuert: Viele Abtastwerte liegen am Höchstwert.",
        }
        less_accurate {
            en: "The networks are less accurate on such recordings.",
            de: "Auf solchen Aufnahmen sind die Netze weniger genau.",
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

    /// Name of a non-music sound, as written inside a sentence; `None` for an unknown kind.
    fn sound(&self, sound: Sound) -> Option<&'static str> {
        match sound {
            Sound::Speech => Some(self.speech),
            Sound::Other => Some(self.other_sounds),
            Sound::Unknown => None,
        }
    }

    /// The answer *No music*, with the kind of sound.
    pub fn no_music(&self, sound: Sound) -> String {
        self.sound(sound).map_or_else(|| self.no_music.into(), |kind| fill(self.no_music_of, &[kind]))
    }

    /// The answer *No music* in two lines, for narrow places. The second line is empty for an unknown kind.
    pub fn no_music_lines(&self, sound: Sound) -> [&'static str; 2] {
        [self.no_music, self.sound(sound).unwrap_or_default()]
    }

    /// The kind of sound alone, for labels.
    pub fn sound_label(&self, sound: Sound) -> &'static str {
        self.sound(sound).unwrap_or(self.no_music)
    }

    /// A sentence about a non-music sound; `probability` is that of all kinds of non-music together.
    pub fn no_music_sentence(&self, sound: Sound, probability: &str) -> String {
        let sentence = match sound {
            Sound::Speech => self.speech_words,
            Sound::Other => self.other_sounds_words,
            Sound::Unknown => self.no_music_words,
        };
        fill(sentence, &[probability])
    }

    /// Explanation of a recording's conditions; `None` without a condition.
    pub fn conditions(&self, conditions: &[Condition]) -> Option<String> {
        let of = |condition: &Condition| match condition {
            Condition::Telephone => self.telephone,
            Condition::Clipped => self.clipped,
        };
        let all: Vec<&str> = conditions.iter().map(of).chain([self.less_accurate]).collect();
        (!conditions.is_empty()).then(|| all.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::i18n::Language;

    #[test]
    fn no_music_has_its_kind_if_it_is_known() {
        let w = &Language::English.words().hero;
        assert_eq!(w.no_music(Sound::Speech), "No music: speech");
        assert_eq!(w.no_music(Sound::Other), "No music: other sounds");
        assert_eq!(w.no_music(Sound::Unknown), "No music");
        assert_eq!(w.no_music_lines(Sound::Unknown), ["No music", ""]);
        assert!(w.no_music_sentence(Sound::Speech, "97%").contains("speech, not music"));
    }

    #[test]
    fn conditions_share_one_remark() {
        let w = &Language::English.words().hero;
        assert_eq!(w.conditions(&[]), None);
        let both = w.conditions(&[Condition::Telephone, Condition::Clipped]).unwrap_or_default();
        assert_eq!(both.matches("less accurate").count(), 1);
        assert!(both.starts_with("Telephone quality") && both.contains("Clipped"));
    }
}
