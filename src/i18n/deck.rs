//! Timeline of a song.

super::texts! {
    /// Timeline of a song.
    Deck {
        timeline { en: "Timeline of the song", de: "Zeitachse des Stücks" }
        play { en: "Play", de: "Abspielen" }
        pause { en: "Pause", de: "Pause" }
        position { en: "Position in the song", de: "Position im Stück" }
        hint {
            en: "Click anywhere to play from there.",
            de: "Klick auf eine Stelle, um von dort abzuspielen.",
        }
        no_sound_kept {
            en: "From an earlier visit: results are kept, sound is not.",
            de: "Von einem früheren Besuch: Ergebnisse werden gespeichert, Ton nicht.",
        }
        silent { en: "silent", de: "still" }
        silent_here {
            en: "This segment is silent, so it has no result.",
            de: "Dieser Abschnitt ist still und hat deshalb kein Ergebnis.",
        }
        not_yet {
            en: "This segment is not analysed yet.",
            de: "Dieser Abschnitt ist noch nicht analysiert.",
        }
        from_to { en: "{0} to {1}", de: "{0} bis {1}" }
        segments_keys {
            en: "Segments; the arrow keys move between them",
            de: "Abschnitte; die Pfeiltasten wechseln zwischen ihnen",
        }
        zoom { en: "Zoom", de: "Zoom" }
        zoom_in { en: "Zoom in", de: "Vergrößern" }
        zoom_out { en: "Zoom out", de: "Verkleinern" }
        zoom_whole { en: "Show the whole song", de: "Das ganze Stück zeigen" }
        overview { en: "Visible part of the song", de: "Sichtbarer Teil des Stücks" }
        part_of { en: "{0} to {1} of {2}", de: "{0} bis {1} von {2}" }
        spectrogram_of {
            en: "Spectrogram of {0}: time from left to right, {1} to {2}; low frequencies at the bottom; \
                 brighter is louder; range 80 decibels.",
            de: "Spektrogramm von {0}: Zeit von links nach rechts, {1} bis {2}; tiefe Frequenzen unten; \
                 heller ist lauter; Umfang 80 Dezibel.",
        }
        high_tones { en: "high frequencies", de: "hohe Frequenzen" }
        low_tones { en: "low frequencies", de: "tiefe Frequenzen" }
        as_table { en: "The timeline as a table", de: "Die Zeitachse als Tabelle" }
        time { en: "Time", de: "Zeit" }
        first { en: "First", de: "Erstes" }
        second { en: "Second", de: "Zweites" }
        sections { en: "Sections: {0}", de: "Teile: {0}" }
        sections_words {
            en: "A hidden Markov model joins neighbouring segments to sections, so that single segments do not \
                 flicker.",
            de: "Ein Hidden-Markov-Modell fasst benachbarte Abschnitte zu Teilen zusammen, damit einzelne \
                 Abschnitte nicht flackern.",
        }
        sections_table { en: "Sections of the song", de: "Teile des Stücks" }
        sections_export { en: "Save the sections", de: "Teile speichern" }
        length { en: "Length", de: "Länge" }
        content { en: "Content", de: "Inhalt" }
        audacity { en: "Audacity labels", de: "Audacity-Textmarken" }
        cue { en: "CUE sheet", de: "CUE-Sheet" }
        chapters { en: "Chapters (JSON)", de: "Kapitel (JSON)" }
        third { en: "Third", de: "Drittes" }
    }
}
