//! Explanation and character of a song.

use cratedigger_protocol::Descriptor;

super::texts! {
    /// Explanation and character of a song.
    Why {
        title { en: "Why", de: "Warum" }
        here { en: "Why {0} here?", de: "Warum hier {0}?" }
        choose { en: "Genre to explain", de: "Genre, das erklärt werden soll" }
        ask { en: "Explain", de: "Erklären" }
        asking { en: "Computing the explanation…", de: "Die Erklärung wird berechnet …" }
        stop { en: "Hide", de: "Ausblenden" }
        legend {
            en: "Bright: the parts that speak for {0} between {1} and {2}. Each part was removed from the \
                 sound in turn, to measure how much the probability of {0} falls without it.",
            de: "Hell: die Teile, die zwischen {1} und {2} für {0} sprechen. Jeder Teil wurde einzeln aus dem \
                 Klang entfernt, um zu messen, wie weit die Wahrscheinlichkeit für {0} ohne ihn sinkt.",
        }
        most { en: "Strongest: {0}.", de: "Am stärksten: {0}." }
        part { en: "{0} at {1}", de: "{0} bei {1}" }
        none { en: "No single part stands out.", de: "Kein einzelner Teil sticht hervor." }
        tones_lowest { en: "the lowest frequencies", de: "die tiefsten Frequenzen" }
        tones_low { en: "low frequencies", de: "tiefe Frequenzen" }
        tones_middle { en: "middle frequencies", de: "mittlere Frequenzen" }
        tones_high { en: "high frequencies", de: "hohe Frequenzen" }
        tones_highest { en: "the highest frequencies", de: "die höchsten Frequenzen" }

        character_title { en: "Character of the song", de: "Charakter des Stücks" }
        character_caption {
            en: "The song compared with the middle 80% of the {1} training clips ({0} clips in all genres).",
            de: "Das Stück im Vergleich zu den mittleren 80 % der Trainingsclips von {1} ({0} Clips in allen \
                 Genres).",
        }
        character_picture {
            en: "Radar chart of six descriptors; the table beside it has the same values.",
            de: "Netzdiagramm von sechs Merkmalen; die Tabelle daneben hat dieselben Werte.",
        }
        below { en: "lower than in most {0}", de: "niedriger als meist bei {0}" }
        within { en: "typical of {0}", de: "typisch für {0}" }
        above { en: "higher than in most {0}", de: "höher als meist bei {0}" }

        tempo { en: "Tempo", de: "Tempo" }
        tempo_unit { en: "{0} beats per minute", de: "{0} Schläge pro Minute" }
        brightness { en: "Brightness", de: "Helligkeit" }
        brightness_unit { en: "spectral centroid at {0} kHz", de: "spektraler Schwerpunkt bei {0} kHz" }
        noisiness { en: "Noisiness", de: "Rauschen" }
        noisiness_unit { en: "{0} zero crossings per sample", de: "{0} Nulldurchgänge pro Abtastwert" }
        harmony { en: "Harmony", de: "Harmonie" }
        harmony_unit { en: "{0} harmonic, the rest percussive", de: "{0} harmonisch, der Rest perkussiv" }
        loudness { en: "Loudness", de: "Lautstärke" }
        loudness_unit { en: "{0} of full scale", de: "{0} der Vollaussteuerung" }
        dynamics { en: "Dynamics", de: "Dynamik" }
        dynamics_unit { en: "varies by {0}", de: "schwankt um {0}" }
    }
}

impl Why {
    /// Name of a descriptor.
    pub fn descriptor(&self, descriptor: Descriptor) -> &'static str {
        match descriptor {
            Descriptor::Tempo => self.tempo,
            Descriptor::Brightness => self.brightness,
            Descriptor::Noisiness => self.noisiness,
            Descriptor::Harmony => self.harmony,
            Descriptor::Loudness => self.loudness,
            Descriptor::Dynamics => self.dynamics,
        }
    }

    /// Value of a descriptor with its unit; `{0}` is the value.
    pub fn unit(&self, descriptor: Descriptor) -> &'static str {
        match descriptor {
            Descriptor::Tempo => self.tempo_unit,
            Descriptor::Brightness => self.brightness_unit,
            Descriptor::Noisiness => self.noisiness_unit,
            Descriptor::Harmony => self.harmony_unit,
            Descriptor::Loudness => self.loudness_unit,
            Descriptor::Dynamics => self.dynamics_unit,
        }
    }

    /// Names of the bands, from the lowest to the highest frequencies.
    pub fn bands(&self) -> [&'static str; 5] {
        [self.tones_lowest, self.tones_low, self.tones_middle, self.tones_high, self.tones_highest]
    }
}
