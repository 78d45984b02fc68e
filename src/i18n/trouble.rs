//! Errors and notices.

use crate::text::fill;
use crate::trouble::{Notice, Reason, Trouble};

super::texts! {
    /// Errors and notices. An error says what happened and what the visitor can do.
    Messages {
        empty {
            en: "This file is empty (0 bytes). Try another copy of it.",
            de: "Diese Datei ist leer (0 Byte). Nimm eine andere Kopie.",
        }
        unreadable {
            en: "Your browser could not read this file. Was it moved or changed? Choose it again.",
            de: "Dein Browser konnte diese Datei nicht lesen. Wurde sie verschoben oder geändert? Wähl sie \
                 noch einmal.",
        }
        not_audio {
            en: "Your browser refuses this file, and the page's own decoder could not be loaded. Check your \
                 connection, reload the page and try again.",
            de: "Dein Browser lehnt diese Datei ab, und der eigene Decoder der Seite konnte nicht geladen \
                 werden. Prüfe die Verbindung, lade die Seite neu und versuch es noch einmal.",
        }
        too_long {
            en: "This file is too long for the browser, and the page's own decoder could not be loaded. Check \
                 your connection, reload the page and try again.",
            de: "Diese Datei ist zu lang für den Browser, und der eigene Decoder der Seite konnte nicht \
                 geladen werden. Prüfe die Verbindung, lade die Seite neu und versuch es noch einmal.",
        }
        other_file {
            en: "This is no sound file: it is {0}. Try a sound or video file.",
            de: "Das ist keine Tondatei, sondern {0}. Nimm eine Ton- oder Videodatei.",
        }
        unsupported {
            en: "This file cannot be decoded: it is {0}. Convert it to FLAC, WAV, MP3 or M4A.",
            de: "Diese Datei kann nicht decodiert werden: Sie ist {0}. Wandle sie in FLAC, WAV, MP3 oder M4A um.",
        }
        protected {
            en: "This file is copy-protected and can be played only by the shop's own player. Try a copy \
                 without protection.",
            de: "Diese Datei ist kopiergeschützt; nur das Programm des Anbieters kann sie abspielen. Nimm eine \
                 Kopie ohne Schutz.",
        }
        no_sound {
            en: "There is no sound in this file. Copy or download it again.",
            de: "In dieser Datei ist kein Ton. Kopiere sie oder lade sie noch einmal herunter.",
        }
        damaged {
            en: "This file is damaged from its beginning. Copy or download it again, or try another copy.",
            de: "Diese Datei ist von Anfang an beschädigt. Kopiere sie oder lade sie noch einmal \
                 herunter, oder nimm eine andere Kopie.",
        }
        decoder {
            en: "The decoder stopped in this file. Close other tabs to free memory, then try again.",
            de: "Der Decoder ist in dieser Datei abgebrochen. Schließ andere Tabs, um Speicher frei zu machen, \
                 und versuch es noch einmal.",
        }
        too_short {
            en: "This song is too short to analyse. Try one of at least a few seconds.",
            de: "Dieses Stück ist zu kurz für eine Analyse. Nimm eins, das mindestens ein paar Sekunden \
                 lang ist.",
        }
        silent {
            en: "This file is silent from start to end. Try one with music in it.",
            de: "Diese Datei enthält nur Stille. Nimm eine mit Musik.",
        }
        bad_samples {
            en: "The audio in this file is damaged. Try another copy, or convert it to WAV.",
            de: "Der Ton in dieser Datei ist beschädigt. Nimm eine andere Kopie, oder wandle sie in WAV um.",
        }
        models {
            en: "The networks could not be loaded. Check your connection and reload the page.",
            de: "Die Netze konnten nicht geladen werden. Prüfe die Verbindung und lade die Seite neu.",
        }
        device {
            en: "The computation failed twice. Close other tabs to free memory, then try again.",
            de: "Die Berechnung ist zweimal fehlgeschlagen. Schließ andere Tabs, um Speicher frei zu machen, \
                 und versuch es noch einmal.",
        }
        mismatch {
            en: "Parts of this page have different versions. Reload the page, then drop the song again.",
            de: "Teile dieser Seite haben verschiedene Versionen. Lade die Seite neu und zieh das Stück noch \
                 einmal hierher.",
        }

        cpu_restarted {
            en: "The CPU worker stopped and was restarted.",
            de: "Der CPU-Worker ist abgebrochen und wurde neu gestartet.",
        }
        gpu_stopped {
            en: "The GPU stopped, so the CPU analyses this song again.",
            de: "Die GPU ist ausgefallen; die CPU analysiert dieses Stück noch einmal.",
        }
        gpu_not_ready {
            en: "WebGPU is not ready yet, so the CPU analyses this song.",
            de: "WebGPU ist noch nicht bereit; die CPU analysiert dieses Stück.",
        }
        gpu_unusable {
            en: "WebGPU does not work here, so the CPU analyses this song.",
            de: "WebGPU funktioniert hier nicht; die CPU analysiert dieses Stück.",
        }
        no_file {
            en: "This page got no file, only text or a link. Choose the song with “Choose songs”.",
            de: "Diese Seite hat keine Datei bekommen, nur Text oder einen Link. Nimm „Stücke wählen“.",
        }
        only_address {
            en: "Your browser gave only the address of the file, not the file itself. Use the button to choose it.",
            de: "Dein Browser hat nur die Adresse der Datei übergeben, nicht die Datei selbst. Wähl sie mit dem \
                 Knopf aus.",
        }
        not_played {
            en: "Your browser cannot play this file. The analysis does not need it.",
            de: "Dein Browser kann diese Datei nicht abspielen. Die Analyse braucht das nicht.",
        }
        no_songs {
            en: "This folder contains no songs. Try a folder with WAV, MP3, FLAC, OGG, Opus or M4A files.",
            de: "Dieser Ordner enthält keine Stücke. Nimm einen mit WAV, MP3, FLAC, OGG, Opus oder M4A.",
        }
        left_out {
            en: "{0} other files in this folder are not songs and were skipped.",
            de: "{0} andere Dateien in diesem Ordner sind keine Stücke und wurden übersprungen.",
        }
        no_microphone {
            en: "The microphone could not be used. Allow it for this page in your browser, then try again.",
            de: "Das Mikrofon konnte nicht benutzt werden. Erlaub es dieser Seite im Browser und versuch es \
                 noch einmal.",
        }
        no_output {
            en: "Your browser does not process sound, perhaps because there is no audio output. Connect \
                 headphones or a loudspeaker, then try again.",
            de: "Dein Browser verarbeitet keinen Ton, vielleicht, weil es keine Audioausgabe gibt. Schließ \
                 Kopfhörer oder einen Lautsprecher an und versuch es noch einmal.",
        }
        no_tab_sound {
            en: "No sound was shared. Choose a tab and turn on sharing of its sound.",
            de: "Es wurde kein Ton geteilt. Wähl einen Tab und schalte ein, dass sein Ton geteilt wird.",
        }
        not_kept {
            en: "Your browser did not allow that. Allow this page to use downloads and the clipboard, then try \
                 again.",
            de: "Dein Browser hat das nicht erlaubt. Erlaub dieser Seite Downloads und die Zwischenablage und \
                 versuch es noch einmal.",
        }
        copied { en: "Copied.", de: "Kopiert." }
        no_history {
            en: "The history cannot be stored in this browser. Export the results to keep them.",
            de: "Der Verlauf kann in diesem Browser nicht gespeichert werden. Exportiere die Ergebnisse, um \
                 sie zu behalten.",
        }
        too_many_tracks {
            en: "A CUE sheet holds at most 99 sections. Save CSV, Audacity labels or chapters instead.",
            de: "Ein CUE-Sheet fasst höchstens 99 Teile. Speichere stattdessen CSV, Audacity-Textmarken oder \
                 Kapitel.",
        }
        not_explained {
            en: "The explanation could not be computed. Try again in a moment.",
            de: "Die Erklärung konnte nicht berechnet werden. Versuch es gleich noch einmal.",
        }

        reason_no_api { en: "this browser does not support it", de: "dieser Browser unterstützt es nicht" }
        reason_no_adapter {
            en: "no suitable graphics card found",
            de: "keine passende Grafikkarte gefunden",
        }
        reason_lacking {
            en: "your GPU lacks something that the networks need",
            de: "deiner GPU fehlt etwas, das die Netze brauchen",
        }
        reason_mismatch {
            en: "its results differ from the reference, so it is not used",
            de: "ihre Ergebnisse weichen von der Referenz ab, deshalb wird sie nicht benutzt",
        }
        reason_models { en: "the networks could not be loaded", de: "die Netze konnten nicht geladen werden" }
        reason_protocol {
            en: "the page and its worker have different versions: reload the page",
            de: "die Seite und ihr Worker haben verschiedene Versionen: lade die Seite neu",
        }
        reason_stopped {
            en: "it stopped during the computation",
            de: "sie ist bei der Berechnung ausgefallen",
        }
    }
}

impl Messages {
    /// Why a song has no result, and what the visitor can do. `what` names the file's format, as the decoder
    /// does, for those that need it.
    pub fn trouble(&self, trouble: Trouble, what: &str) -> String {
        let text = match trouble {
            Trouble::OtherFile => self.other_file,
            Trouble::Unsupported => self.unsupported,
            Trouble::Empty => self.empty,
            Trouble::Unreadable => self.unreadable,
            Trouble::NotAudio => self.not_audio,
            Trouble::TooLong => self.too_long,
            Trouble::Protected => self.protected,
            Trouble::NoSound => self.no_sound,
            Trouble::Damaged => self.damaged,
            Trouble::Decoder => self.decoder,
            Trouble::TooShort => self.too_short,
            Trouble::Silent => self.silent,
            Trouble::BadSamples => self.bad_samples,
            Trouble::Models => self.models,
            Trouble::Device => self.device,
            Trouble::Mismatch => self.mismatch,
        };
        fill(text, &[what])
    }

    /// Something that the visitor should know.
    pub fn notice(&self, notice: Notice) -> String {
        let text = match notice {
            Notice::LeftOut(n) => return fill(self.left_out, &[&n.to_string()]),
            Notice::CpuRestarted => self.cpu_restarted,
            Notice::GpuStopped => self.gpu_stopped,
            Notice::GpuNotReady => self.gpu_not_ready,
            Notice::GpuUnusable => self.gpu_unusable,
            Notice::NoFile => self.no_file,
            Notice::OnlyAddress => self.only_address,
            Notice::NotPlayed => self.not_played,
            Notice::NoSongs => self.no_songs,
            Notice::NoMicrophone => self.no_microphone,
            Notice::NoOutput => self.no_output,
            Notice::NoTabSound => self.no_tab_sound,
            Notice::NotKept => self.not_kept,
            Notice::Copied => self.copied,
            Notice::NoHistory => self.no_history,
            Notice::TooManyTracks => self.too_many_tracks,
            Notice::NotExplained => self.not_explained,
        };
        text.into()
    }

    /// Why a device is not used.
    pub fn reason(&self, reason: Reason) -> &'static str {
        match reason {
            Reason::NoApi => self.reason_no_api,
            Reason::NoAdapter => self.reason_no_adapter,
            Reason::Lacking => self.reason_lacking,
            Reason::Mismatch => self.reason_mismatch,
            Reason::Models => self.reason_models,
            Reason::Protocol => self.reason_protocol,
            Reason::Stopped => self.reason_stopped,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Language;
    use super::*;

    #[test]
    fn fills_in_numbers() {
        for language in Language::ALL {
            let messages = &language.words().trouble;
            assert!(messages.trouble(Trouble::Unsupported, "a WavPack file").contains("WavPack"));
            assert!(messages.notice(Notice::LeftOut(7)).contains('7'));
        }
    }

    #[test]
    fn every_error_says_what_to_do() {
        let all = [
            Trouble::Empty,
            Trouble::Unreadable,
            Trouble::NotAudio,
            Trouble::TooLong,
            Trouble::OtherFile,
            Trouble::Unsupported,
            Trouble::Protected,
            Trouble::NoSound,
            Trouble::Damaged,
            Trouble::Decoder,
            Trouble::TooShort,
            Trouble::Silent,
            Trouble::BadSamples,
            Trouble::Models,
            Trouble::Device,
            Trouble::Mismatch,
        ];
        for language in Language::ALL {
            for trouble in all {
                let message = language.words().trouble.trouble(trouble, "a PNG picture");
                let sentences = message.matches(['.', '?']).count();
                assert!(message.ends_with('.') && sentences >= 2, "{message}");
                assert!(!message.contains('{'), "{message}");
            }
        }
    }
}
