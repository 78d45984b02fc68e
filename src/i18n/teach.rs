//! The sheet in which the visitor teaches classes of their own.

use crate::collection::lesson::Lacking;
use crate::text::fill;

super::texts! {
    /// Classes of one's own.
    Teach {
        title { en: "Teach it here", de: "Eigene Klassen" }
        lead {
            en: "Make classes of your own, such as warm-up and peak time, and give each at least 3 songs. Ten or \
                 more are better. The page then names your class beside the genre. Songs and classes stay on this \
                 computer.",
            de: "Leg eigene Klassen an, etwa Warm-up und Peak-Time, und gib jeder mindestens 3 Stücke. Zehn oder \
                 mehr sind besser. Die Seite nennt dann neben dem Genre deine Klasse. Stücke und Klassen bleiben \
                 auf diesem Computer.",
        }
        class_n { en: "Class {0}", de: "Klasse {0}" }
        name { en: "Name of the class", de: "Name der Klasse" }
        add_class { en: "Add a class", de: "Klasse hinzufügen" }
        remove_class { en: "Remove the class {0}", de: "Klasse {0} entfernen" }
        choose_songs { en: "Choose songs", de: "Stücke wählen" }
        drop_here { en: "or drop them here", de: "oder hierher ziehen" }
        take_out { en: "Take {0} out of the class", de: "{0} aus der Klasse nehmen" }
        song_unknown { en: "waiting", de: "wartet" }
        song_working { en: "computing", de: "wird berechnet" }
        song_failed { en: "cannot be used", de: "nicht verwendbar" }
        crate_title { en: "Songs of the crate", de: "Stücke der Kiste" }
        crate_hint {
            en: "Choose a class for songs that are in the crate already.",
            de: "Wähl für Stücke, die schon in der Kiste sind, eine Klasse.",
        }
        class_of { en: "Class of {0}", de: "Klasse von {0}" }
        no_class { en: "no class", de: "keine Klasse" }
        your_class { en: "Your class", de: "Deine Klasse" }
        teach { en: "Teach", de: "Lernen" }
        cancel { en: "Cancel", de: "Abbrechen" }
        starting { en: "Starting…", de: "Beginnt …" }
        fitting {
            en: "Fitting and testing: {0} of {1}",
            de: "Wird angepasst und geprüft: {0} von {1}",
        }
        not_ready {
            en: "The songs are being analysed: {0} are ready, {1} are still to come.",
            de: "Die Stücke werden analysiert: {0} sind fertig, {1} kommen noch.",
        }
        lacks_classes { en: "Make 2 to 20 classes.", de: "Leg 2 bis 20 Klassen an." }
        lacks_name { en: "Give each class a name.", de: "Gib jeder Klasse einen Namen." }
        lacks_other_name {
            en: "Two classes have the name {0}. Change one of them.",
            de: "Zwei Klassen heißen {0}. Ändere einen der Namen.",
        }
        lacks_songs {
            en: "{0} has {1} songs that can be used. Add songs until there are 3.",
            de: "{0} hat {1} verwendbare Stücke. Füg Stücke hinzu, bis es 3 sind.",
        }
        result_title { en: "What was learned", de: "Was gelernt wurde" }
        accuracy {
            en: "{0} of {1} songs were recognised by a network that was taught without them: {2} (95 % interval {3} \
                 to {4}).",
            de: "{0} von {1} Stücken wurden von einem Netz erkannt, das ohne sie gelernt hatte: {2} \
                 (95-%-Intervall {3} bis {4}).",
        }
        together {
            en: "Up to {0} songs were left out at a time.",
            de: "Bis zu {0} Stücke wurden gleichzeitig ausgelassen.",
        }
        classes_are { en: "Classes: {0}", de: "Klassen: {0}" }
        confused_title { en: "Songs that it confuses", de: "Stücke, die es verwechselt" }
        confused { en: "{0} ({1}): taken for {2}, {3}", de: "{0} ({1}): für {2} gehalten, {3}" }
        confusion_title { en: "Confusion matrix", de: "Verwechslungen" }
        confusion_caption {
            en: "A row for each class, a column for each answer. Each song was left out once.",
            de: "Eine Zeile je Klasse, eine Spalte je Antwort. Jedes Stück wurde einmal ausgelassen.",
        }
        unusable {
            en: "These classes were taught with another version of this page. Teach them again.",
            de: "Diese Klassen wurden mit einer anderen Version dieser Seite gelernt. Lass sie noch einmal lernen.",
        }
        keep_title { en: "Keep and share", de: "Behalten und weitergeben" }
        keep_hint {
            en: "What was taught is saved in this browser. The file works with the program too: unpack it and use \
                 its folder with cratedigger classify --model.",
            de: "Das Gelernte ist in diesem Browser gespeichert. Die Datei passt auch zum Programm: Entpack sie und \
                 gib ihren Ordner bei cratedigger classify --model an.",
        }
        export { en: "Save as a file", de: "Als Datei sichern" }
        import { en: "Open such a file", de: "So eine Datei öffnen" }
        forget {
            en: "Forget classes and features",
            de: "Klassen und Merkmale vergessen",
        }
        unfit {
            en: "This file holds no classes for this page. Choose a zip file that was saved here, or teach again.",
            de: "Diese Datei enthält keine Klassen für diese Seite. Nimm eine Zip-Datei, die hier gesichert wurde, \
                 oder lass noch einmal lernen.",
        }
    }
}

impl Teach {
    /// What a lesson lacks.
    pub fn lacking(&self, lacking: &Lacking) -> String {
        match lacking {
            Lacking::Classes => self.lacks_classes.into(),
            Lacking::Name => self.lacks_name.into(),
            Lacking::OtherName(name) => fill(self.lacks_other_name, &[name]),
            Lacking::Songs(name, n) => fill(self.lacks_songs, &[name, &n.to_string()]),
        }
    }
}
