//! The sheet about the model.

super::texts! {
    /// The sheet about the model.
    About {
        title { en: "About the model", de: "Über das Modell" }
        lead {
            en: "A few small neural networks classify the spectrogram of a song in segments of three seconds. \
                 Each segment gets its own prediction. The genre of the song is the combined prediction of \
                 all segments.",
            de: "Ein paar kleine neuronale Netze klassifizieren das Spektrogramm eines Stücks in Abschnitten \
                 von drei Sekunden. Jeder Abschnitt bekommt eine eigene Vorhersage. Das Genre des Stücks \
                 ergibt sich aus den Vorhersagen aller Abschnitte.",
        }
        accuracy { en: "Accuracy", de: "Genauigkeit" }
        headline_one {
            en: "Of {0} test clips by artists that were not in the training data, {1} were classified \
                 correctly.",
            de: "Von {0} Testclips von Künstlern, die nicht in den Trainingsdaten waren, wurden {1} richtig \
                 klassifiziert.",
        }
        headline_many {
            en: "Of {0} test clips by artists that were not in the training data, each network alone \
                 classified {1} to {2} correctly.",
            de: "Von {0} Testclips von Künstlern, die nicht in den Trainingsdaten waren, hat jedes Netz \
                 allein {1} bis {2} richtig klassifiziert.",
        }
        headline_all {
            en: "Of {0} test clips by artists that were not in the training data, the networks together \
                 classified {1} correctly.",
            de: "Von {0} Testclips von Künstlern, die nicht in den Trainingsdaten waren, haben die Netze \
                 zusammen {1} richtig klassifiziert.",
        }
        all_together { en: "all together", de: "alle zusammen" }
        trained_again { en: "trained again for this split", de: "für diese Aufteilung neu trainiert" }
        other_splits {
            en: "Easier splits give higher figures. In many projects, the same artists or even parts of the \
                 same songs are in both training and test data. On such splits, networks like these, some of \
                 them larger, reach:",
            de: "Leichtere Aufteilungen ergeben höhere Werte. In vielen Projekten sind dieselben Künstler oder \
                 sogar Teile derselben Stücke in Trainings- und Testdaten. Mit solchen Aufteilungen erreichen \
                 Netze wie diese, manche davon größer:",
        }
        tested_on { en: "Tested on", de: "Getestet auf" }
        correct { en: "Correct", de: "Richtig" }
        interval { en: "95% interval", de: "95-%-Intervall" }
        n_clips { en: "{0} clips", de: "{0} Clips" }
        n_segments { en: "{0} segments", de: "{0} Abschnitten" }
        fault_filtered {
            en: "by artists not in the training data (fault-filtered)",
            de: "von Künstlern, die nicht in den Trainingsdaten sind (fault-filtered)",
        }
        track_stratified {
            en: "not in the training data, though their artists may be (track-stratified)",
            de: "die nicht in den Trainingsdaten sind, deren Künstler aber vorkommen können (track-stratified)",
        }
        segment_random {
            en: "of songs with other segments in the training data: too optimistic (segment-random)",
            de: "aus Stücken mit anderen Abschnitten in den Trainingsdaten: zu optimistisch (segment-random)",
        }
        conditions { en: "Under other conditions", de: "Unter anderen Bedingungen" }
        conditions_words {
            en: "The test clips were altered before the test.",
            de: "Die Testclips wurden vor dem Test verändert.",
        }
        condition { en: "Condition", de: "Bedingung" }
        condition_mp3 { en: "MP3 at 48 kbit/s", de: "MP3 mit 48 kbit/s" }
        condition_telephone { en: "telephone quality", de: "Telefonqualität" }
        condition_clipped { en: "clipped", de: "übersteuert" }
        condition_room { en: "room reverberation", de: "Raumhall" }
        condition_faster { en: "faster", de: "schneller" }
        condition_quieter { en: "quieter", de: "leiser" }
        non_music { en: "Sounds that are not music", de: "Geräusche, die keine Musik sind" }
        non_music_rejected {
            en: "Of {0} recordings without music, {1} were classified as “No music” ({2}).",
            de: "Von {0} Aufnahmen ohne Musik wurden {1} als „Keine Musik“ eingestuft ({2}).",
        }
        music_accepted {
            en: "Of {0} recordings of music, {1} were accepted as music ({2}).",
            de: "Von {0} Aufnahmen mit Musik wurden {1} als Musik erkannt ({2}).",
        }
        kinds_left_out {
            en: "each kind of sound left out of the training in turn",
            de: "jede Art von Geräusch einmal vom Training ausgeschlossen",
        }
        protocol { en: "protocol: {0}", de: "Verfahren: {0}" }
        confusion_title { en: "Confusion matrix", de: "Konfusionsmatrix" }
        confusion_caption {
            en: "{0} clips: rows are the true genres, columns the predicted ones.",
            de: "{0} Clips: Zeilen sind die wahren Genres, Spalten die vorhergesagten.",
        }
        limitations { en: "Known limitations", de: "Bekannte Grenzen" }
        limit_genres {
            en: "The model knows ten genres. For other music it predicts the most similar of them, unless the \
                 confidence is too low.",
            de: "Das Modell kennt zehn Genres. Anderer Musik ordnet es das ähnlichste davon zu, außer wenn die \
                 Konfidenz zu niedrig ist.",
        }
        limit_data {
            en: "The training data are about sixty clips per genre, collected around the year 2000. Newer \
                 styles are unknown to the model.",
            de: "Die Trainingsdaten umfassen rund sechzig Clips pro Genre, gesammelt um das Jahr 2000. Neuere \
                 Stile kennt das Modell nicht.",
        }
        limit_opinion {
            en: "Genre labels are subjective: listeners disagree about many of these clips.",
            de: "Genres sind subjektiv: Auch Menschen ordnen viele dieser Clips unterschiedlich ein.",
        }
        limit_similar {
            en: "Genres with the same instruments, such as rock, blues and country, are often confused.",
            de: "Genres mit denselben Instrumenten, etwa Rock, Blues und Country, werden oft verwechselt.",
        }
        limit_speech {
            en: "The model may predict a genre for speech. It recognises most noise and silence.",
            de: "Bei Sprache sagt das Modell manchmal ein Genre vorher. Rauschen und Stille erkennt es meist.",
        }
        limit_non_music {
            en: "Some speech and other sounds are still taken for music.",
            de: "Sprache und andere Geräusche werden manchmal noch für Musik gehalten.",
        }
        data { en: "Training data", de: "Trainingsdaten" }
        data_words {
            en: "GTZAN: 1000 clips of 30 seconds in ten genres, collected by George Tzanetakis in 2000 and \
                 2001. Repeated, mislabelled and distorted clips are left out (the “fault-filtered” \
                 partition). No artist is in both training and test data.",
            de: "GTZAN: 1000 Clips von 30 Sekunden in zehn Genres, gesammelt von George Tzanetakis in den \
                 Jahren 2000 und 2001. Doppelte, falsch zugeordnete und verzerrte Clips sind ausgeschlossen (die \
                 Aufteilung „fault-filtered“). Kein Künstler ist zugleich in Trainings- und Testdaten.",
        }
        networks { en: "The networks", de: "Die Netze" }
        parameters { en: "{0} trained parameters, {1} kB", de: "{0} trainierte Parameter, {1} kB" }
        licence_words {
            en: "Its weights were published by others and are included under their licence.",
            de: "Seine Gewichte wurden von anderen veröffentlicht und sind unter deren Lizenz enthalten.",
        }
        licence { en: "Licence notice", de: "Lizenztext" }
        tags { en: "Also heard: the tags", de: "Auch gehört: die Tags" }
        tags_words {
            en: "The tags are the 50 most common ones of Last.fm: eras, moods, instruments and styles. The \
                 pretrained network musicnn predicts them. Its published ROC-AUC of 0.88 on the Million Song \
                 Dataset was not measured here. The strengths are not calibrated probabilities.",
            de: "Die Tags sind die 50 häufigsten von Last.fm: Jahrzehnte, Stimmungen, Instrumente und Stile. \
                 Das vortrainierte Netz musicnn sagt sie vorher. Seine veröffentlichte ROC-AUC von 0,88 auf \
                 dem Million Song Dataset wurde hier nicht nachgemessen. Die Stärken sind keine kalibrierten \
                 Wahrscheinlichkeiten.",
        }
        privacy { en: "Privacy", de: "Datenschutz" }
        privacy_words {
            en: "This page decodes your songs and its workers analyse them, in this browser. Nothing is sent: \
                 the page’s security policy blocks it. Results are kept in this browser if you allow it; \
                 sound is never kept.",
            de: "Diese Seite decodiert deine Stücke, und ihre Worker analysieren sie, alles in diesem Browser. \
                 Nichts wird gesendet: Die Sicherheitsregeln der Seite verhindern es. Wenn du es erlaubst, \
                 bleiben Ergebnisse in diesem Browser gespeichert; Ton wird nie gespeichert.",
        }
    }
}

impl About {
    /// The known limitations, one sentence or two each. `non_music` says whether the networks were
    /// trained to recognise sounds that are not music.
    pub fn limits(&self, non_music: bool) -> [&'static str; 5] {
        let sounds = if non_music { self.limit_non_music } else { self.limit_speech };
        [self.limit_genres, self.limit_data, self.limit_opinion, self.limit_similar, sounds]
    }

    /// Name of a condition of a measurement. An unknown id is returned unchanged.
    pub fn condition_name<'a>(&self, id: &'a str) -> &'a str {
        match id {
            "mp3-48k" => self.condition_mp3,
            "telephone" => self.condition_telephone,
            "clipped" => self.condition_clipped,
            "room" => self.condition_room,
            "faster" => self.condition_faster,
            "quieter" => self.condition_quieter,
            other => other,
        }
    }
}
