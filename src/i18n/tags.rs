//! The sheet of tags in the files.

use cratedigger_protocol::tags::{Field, Kept, TagProblem};

use super::Words;
use crate::state::{Sound, TagProgress, TagReport, TagWork, Unwritten};
use crate::text::{fill, percent};

super::texts! {
    /// Tags in the files.
    Tags {
        title { en: "Write genres into the files", de: "Genres in die Dateien schreiben" }
        lead {
            en: "First you see what would be written. Nothing is written before you press the button. The sound and all \
                 other fields stay as they are, and everything can be undone.",
            de: "Zuerst siehst du, was geschrieben würde. Vor dem Knopfdruck wird nichts geschrieben. Klang und alle \
                 übrigen Felder bleiben, wie sie sind, und alles lässt sich rückgängig machen.",
        }
        choices { en: "What to write", de: "Was geschrieben wird" }
        sure { en: "Genres with at least", de: "Genres ab" }
        more { en: "Further genres", de: "Weitere Genres" }
        more_none { en: "none", de: "keine" }
        more_from { en: "from {0}", de: "ab {0}" }
        replace { en: "Replace what is there", de: "Vorhandenes ersetzen" }
        tempo { en: "Tempo (BPM)", de: "Tempo (BPM)" }
        heard { en: "Moods and instruments, as the comment", de: "Stimmungen und Instrumente, als Kommentar" }
        own { en: "Your own classes in place of the genres", de: "Deine Klassen statt der Genres" }
        names { en: "Your own names of the genres", de: "Eigene Namen der Genres" }
        names_hint {
            en: "An empty field stands for the name that is shown in it. Separate several names by ;",
            de: "Ein leeres Feld steht für den Namen, der darin zu sehen ist. Trenn mehrere Namen durch ;",
        }
        no_songs {
            en: "No song of this visit is analysed yet. Of earlier visits, the page has results but no files.",
            de: "Noch ist kein Stück dieses Besuchs analysiert. Von früheren Besuchen hat die Seite Ergebnisse, aber \
                 keine Dateien.",
        }
        write_it { en: "Write {0}", de: "{0} schreiben" }
        now { en: "In the file", de: "In der Datei" }
        new { en: "New", de: "Neu" }
        empty { en: "no genre", de: "kein Genre" }
        nothing_new { en: "nothing new", de: "nichts Neues" }
        unread { en: "not read yet", de: "noch nicht gelesen" }
        was { en: "{0} (was: {1})", de: "{0} (vorher: {1})" }
        field_tempo { en: "Tempo: {0}", de: "Tempo: {0}" }
        field_comment { en: "Comment: {0}", de: "Kommentar: {0}" }
        field_grouping { en: "Grouping: {0}", de: "Gruppierung: {0}" }
        genre_there { en: "has a genre", de: "hat ein Genre" }
        there { en: "is there: {0}", de: "ist da: {0}" }
        unsure { en: "not sure: {0}, {1}", de: "unsicher: {0}, {1}" }
        written { en: "written", de: "geschrieben" }
        copied { en: "copied", de: "kopiert" }
        restored { en: "restored", de: "wiederhergestellt" }
        newer {
            en: "Its tag is ID3v2.4 now, because ID3v2.3 cannot hold {0}.",
            de: "Das Tag ist jetzt ID3v2.4, weil ID3v2.3 {0} nicht fassen kann.",
        }

        plan_state { en: "{0} of {1} songs have something to write.", de: "Bei {0} von {1} Stücken gibt es etwas zu schreiben." }
        not_found_state {
            en: "{0} of them are not found on disk: choose their folder.",
            de: "{0} davon sind auf der Platte nicht gefunden: Wähl ihren Ordner.",
        }
        reading { en: "Reading: {0} of {1}", de: "Wird gelesen: {0} von {1}" }
        finding { en: "Looking for files: {0} of {1}", de: "Dateien werden gesucht: {0} von {1}" }
        writing { en: "Writing: {0} of {1}", de: "Wird geschrieben: {0} von {1}" }
        copying { en: "Copying: {0} of {1}", de: "Wird kopiert: {0} von {1}" }
        undoing { en: "Restoring: {0} of {1}", de: "Wird wiederhergestellt: {0} von {1}" }
        wrote_n { en: "Files written: {0}.", de: "Geschriebene Dateien: {0}." }
        copied_n { en: "Files in the zip file: {0}.", de: "Dateien in der Zip-Datei: {0}." }
        restored_n { en: "Files restored: {0}.", de: "Wiederhergestellte Dateien: {0}." }
        failed_n { en: "Left as they were: {0}.", de: "Unverändert geblieben: {0}." }

        write { en: "Write into the files", de: "In die Dateien schreiben" }
        copies { en: "Save tagged copies (zip)", de: "Kopien mit Tags sichern (Zip)" }
        folder { en: "Choose the folder of the songs", de: "Ordner der Stücke wählen" }
        cancel { en: "Cancel", de: "Abbrechen" }
        write_hint {
            en: "The browser asks before the page may write. A file is replaced at once and only if nobody has changed \
                 it since it was read.",
            de: "Der Browser fragt, bevor die Seite schreiben darf. Eine Datei wird in einem Zug ersetzt und nur, wenn \
                 sie seit dem Lesen niemand geändert hat.",
        }
        copies_hint {
            en: "In this browser a page cannot write into files. The zip file has a copy of each ticked song with its \
                 new tags.",
            de: "In diesem Browser kann eine Seite nicht in Dateien schreiben. Die Zip-Datei enthält eine Kopie jedes \
                 angekreuzten Stücks mit den neuen Tags.",
        }
        undo_title { en: "Undo", de: "Rückgängig" }
        undo_hint {
            en: "The old bytes of {0} files are kept in this browser.",
            de: "Die alten Bytes von {0} Dateien sind in diesem Browser gespeichert.",
        }
        undo_fleeting {
            en: "Some of them only until this page is closed.",
            de: "Einige davon nur, bis diese Seite geschlossen wird.",
        }
        undo { en: "Restore all files", de: "Alle Dateien wiederherstellen" }
        forget { en: "Forget the old bytes", de: "Die alten Bytes vergessen" }

        lists_title { en: "Lists for other programs", de: "Listen für andere Programme" }
        lists_hint {
            en: "All songs with tempo and genre. A page does not learn where files lie: programs find them if you enter \
                 the path of their folder. The key is not measured, so it is left out.",
            de: "Alle Stücke mit Tempo und Genre. Eine Seite erfährt nicht, wo Dateien liegen: Programme finden sie, \
                 wenn du den Pfad ihres Ordners angibst. Die Tonart wird nicht gemessen und fehlt deshalb.",
        }
        path { en: "Path of the folder", de: "Pfad des Ordners" }

        not_found { en: "not found on disk", de: "auf der Platte nicht gefunden" }
        not_allowed { en: "may not be written", de: "darf nicht geschrieben werden" }
        disk { en: "could not be written: {0}", de: "konnte nicht geschrieben werden: {0}" }
        unreadable { en: "cannot be read", de: "nicht lesbar" }
        too_large { en: "too large for the browser; the program can do it", de: "zu groß für den Browser; das Programm kann es" }
        format {
            en: "tags of this format cannot be written",
            de: "Tags dieses Formats lassen sich nicht schreiben",
        }
        unparsable { en: "its tags cannot be read", de: "die Tags sind nicht lesbar" }
        changed { en: "changed by another program since it was read", de: "seit dem Lesen von einem anderen Programm geändert" }
        lost { en: "fields would be lost: {0}", de: "Felder gingen verloren: {0}" }
        sound { en: "the sound would change", de: "der Klang würde sich ändern" }
        undecodable { en: "its sound cannot be compared", de: "der Klang lässt sich nicht vergleichen" }
        worker { en: "failed; try again", de: "fehlgeschlagen; versuch es noch einmal" }
    }
}

impl Tags {
    /// A field with its values, as one line. A genre needs no name.
    pub fn field(&self, field: Field, values: &str) -> String {
        match field {
            Field::Genre => values.to_owned(),
            Field::Bpm => fill(self.field_tempo, &[values]),
            Field::Comment => fill(self.field_comment, &[values]),
            Field::Grouping => fill(self.field_grouping, &[values]),
        }
    }

    /// Why a field is left as it is, with the words for genres and for answers without one.
    pub fn kept(&self, kept: &Kept, words: &Words) -> String {
        match kept {
            // The genres of the file stand beside it.
            Kept::There { field: Field::Genre, .. } => self.genre_there.into(),
            Kept::There { field, old } => self.field(*field, &fill(self.there, &[&old.join("; ")])),
            Kept::NoneOfThese => words.hero.none_of_these.into(),
            Kept::NonMusic { kind } => words.hero.no_music(Sound::of(kind)),
            Kept::Unsure { class, probability } => {
                fill(self.unsure, &[&words.genre(class), &percent(f64::from(*probability))])
            }
        }
    }

    /// Why a file was not written.
    pub fn unwritten(&self, why: &Unwritten) -> String {
        let words = match why {
            Unwritten::NotFound => self.not_found,
            Unwritten::NotAllowed => self.not_allowed,
            Unwritten::Disk(detail) => return fill(self.disk, &[detail]),
            Unwritten::Problem(TagProblem::Lost, fields) => return fill(self.lost, &[fields]),
            Unwritten::Problem(problem, _) => match problem {
                TagProblem::Unreadable => self.unreadable,
                TagProblem::TooLarge => self.too_large,
                TagProblem::Format => self.format,
                TagProblem::Tags => self.unparsable,
                TagProblem::Changed => self.changed,
                TagProblem::Sound => self.sound,
                TagProblem::Undecodable => self.undecodable,
                TagProblem::Lost | TagProblem::Worker => self.worker,
            },
        };
        words.into()
    }

    /// What is done.
    pub fn work(&self, progress: &TagProgress) -> String {
        let words = match progress.work {
            TagWork::Idle => return String::new(),
            TagWork::Reading => self.reading,
            TagWork::Finding => self.finding,
            TagWork::Writing => self.writing,
            TagWork::Copying => self.copying,
            TagWork::Undoing => self.undoing,
        };
        fill(words, &[&progress.done.to_string(), &progress.of.to_string()])
    }

    /// How work ended.
    pub fn report(&self, report: &TagReport) -> String {
        let words = match report.work {
            TagWork::Copying => self.copied_n,
            TagWork::Undoing => self.restored_n,
            _ => self.wrote_n,
        };
        let done = fill(words, &[&report.done.to_string()]);
        if report.failed.is_empty() {
            return done;
        }
        format!("{done} {}", fill(self.failed_n, &[&report.failed.join(", ")]))
    }
}
