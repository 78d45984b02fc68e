//! What was left out or mended while a file was decoded, and the names of formats.

use cratedigger_protocol::decode::Note;

use super::Language;
use crate::text::{clock, fill};

super::texts! {
    /// Notes about a file, a sentence each. `{0}` and so on are times and numbers.
    Notes {
        title { en: "About this file", de: "Zu dieser Datei" }
        truncated {
            en: "The file ends in the middle of its sound. Everything before the end was decoded.",
            de: "Die Datei endet mitten im Ton. Alles vor dem Ende wurde decodiert.",
        }
        wrong_claim {
            en: "The header claims {0}, but the file holds {1}. All of it was decoded.",
            de: "Der Kopf der Datei behauptet {0}, aber sie enthält {1}. Alles wurde decodiert.",
        }
        header {
            en: "The header of the file has an error, which was ignored.",
            de: "Der Kopf der Datei enthält einen Fehler, der übergangen wurde.",
        }
        joined {
            en: "The file holds {0} recordings one after the other. All were decoded.",
            de: "Die Datei enthält {0} Aufnahmen hintereinander. Alle wurden decodiert.",
        }
        rate_change {
            en: "At {0} the sample rate changes from {1} to {2} Hz. It was converted.",
            de: "Bei {0} wechselt die Abtastrate von {1} auf {2} Hz. Sie wurde umgerechnet.",
        }
        channel_change {
            en: "At {0} the number of channels changes from {1} to {2}. They were mixed.",
            de: "Bei {0} wechselt die Zahl der Kanäle von {1} auf {2}. Sie wurden gemischt.",
        }
        damaged {
            en: "The file is damaged, first at {0}. Packets left out: {1}.",
            de: "Die Datei ist beschädigt, zuerst bei {0}. Ausgelassene Pakete: {1}.",
        }
        checksum {
            en: "The file is damaged: a checksum is wrong. As much as possible was decoded.",
            de: "Die Datei ist beschädigt: Eine Prüfsumme stimmt nicht. So viel wie möglich wurde decodiert.",
        }
        junk {
            en: "{0} bytes that are no sound were skipped.",
            de: "{0} Byte, die kein Ton sind, wurden übersprungen.",
        }
        not_finite {
            en: "Samples that are no valid numbers: {0}, the first at {1}. They were set to zero.",
            de: "Abtastwerte, die keine gültigen Zahlen sind: {0}, der erste bei {1}. Sie wurden auf null gesetzt.",
        }
        cancel {
            en: "From {0} on, the channels cancel each other for {1} s. The loudest channel was used there.",
            de: "Ab {0} löschen sich die Kanäle {1} s lang gegenseitig aus. Dort wurde der lauteste Kanal benutzt.",
        }
        unreadable {
            en: "The file could not be read after {0}. Choose it again, in case it was moved or changed.",
            de: "Die Datei konnte nach {0} nicht weiter gelesen werden. Wähl sie noch einmal, falls sie verschoben \
                 oder geändert wurde.",
        }
        low_band {
            en: "The sound is HE-AAC. Only the lower half of its spectrum was decoded.",
            de: "Der Ton ist HE-AAC. Nur die untere Hälfte seines Spektrums wurde decodiert.",
        }
        left_out {
            en: "From {0} on, the sound is {1}, which cannot be decoded. This part was left out.",
            de: "Ab {0} ist der Ton {1} und kann nicht decodiert werden. Dieser Teil wurde ausgelassen.",
        }
        tracks {
            en: "The file holds {0} sound tracks. The first was decoded.",
            de: "Die Datei enthält {0} Tonspuren. Die erste wurde decodiert.",
        }
    }
}

impl Notes {
    /// A note as one or two sentences.
    pub fn sentence(&self, note: &Note) -> String {
        match note {
            Note::Truncated => self.truncated.into(),
            Note::WrongClaim { claimed, found } => {
                fill(self.wrong_claim, &[&clock(*claimed), &clock(*found)])
            }
            Note::Header { .. } => self.header.into(),
            Note::Joined { parts } => fill(self.joined, &[&parts.to_string()]),
            Note::FormatChange { at, rates: [from, to], .. } if from != to => {
                fill(self.rate_change, &[&clock(*at), &from.to_string(), &to.to_string()])
            }
            Note::FormatChange { at, channels: [from, to], .. } => {
                fill(self.channel_change, &[&clock(*at), &from.to_string(), &to.to_string()])
            }
            Note::Damaged { packets, first: Some(first) } => {
                fill(self.damaged, &[&clock(*first), &packets.to_string()])
            }
            Note::Damaged { first: None, .. } => self.checksum.into(),
            Note::Junk { bytes } => fill(self.junk, &[&format!("{bytes:.0}")]),
            Note::NotFinite { samples, first } => {
                fill(self.not_finite, &[&format!("{samples:.0}"), &clock(*first)])
            }
            Note::ChannelsCancel { first, seconds } => {
                fill(self.cancel, &[&clock(*first), &format!("{seconds:.0}")])
            }
            Note::Unreadable { at } => fill(self.unreadable, &[&clock(*at)]),
            Note::LowBandOnly => self.low_band.into(),
            Note::StreamLeftOut { at, what } => fill(self.left_out, &[&clock(*at), what]),
            Note::FirstOfTracks { tracks } => fill(self.tracks, &[&tracks.to_string()]),
        }
    }
}

/// German for the decoder's names of formats that are not names alone.
const GERMAN: [(&str, &str); 23] = [
    ("plain text", "einfacher Text"),
    ("nothing but zeros", "nur Nullen"),
    ("a program", "ein Programm"),
    ("a database", "eine Datenbank"),
    ("a PNG picture", "ein PNG-Bild"),
    ("a JPEG picture", "ein JPEG-Bild"),
    ("a GIF picture", "ein GIF-Bild"),
    ("a WebP picture", "ein WebP-Bild"),
    ("an AVIF picture", "ein AVIF-Bild"),
    ("a HEIC picture", "ein HEIC-Bild"),
    ("a PDF file", "eine PDF-Datei"),
    ("a zip archive: unpack it first", "ein ZIP-Archiv: entpacke es zuerst"),
    ("a gzip archive: unpack it first", "ein gzip-Archiv: entpacke es zuerst"),
    ("a 7z archive: unpack it first", "ein 7z-Archiv: entpacke es zuerst"),
    ("a RAR archive: unpack it first", "ein RAR-Archiv: entpacke es zuerst"),
    ("a tar archive: unpack it first", "ein tar-Archiv: entpacke es zuerst"),
    ("a Flash video", "ein Flash-Video"),
    ("a SILK voice message", "eine SILK-Sprachnachricht"),
    ("a playlist: open the files that it names", "eine Wiedergabeliste: öffne die Dateien, die darin stehen"),
    (
        "a MIDI file, which holds notes and no sound: render it to WAV first",
        "eine MIDI-Datei mit Noten ohne Ton: wandle sie zuerst in WAV um",
    ),
    (
        "a tracker module, which holds notes and samples: render it to WAV first",
        "ein Tracker-Modul mit Noten und Klängen: wandle es zuerst in WAV um",
    ),
    (
        "a web page or XML, perhaps an error page in place of the download",
        "eine Webseite oder XML, vielleicht eine Fehlerseite statt der Datei",
    ),
    (
        "JSON, perhaps an error message in place of the download",
        "JSON, vielleicht eine Fehlermeldung statt der Datei",
    ),
];

/// The decoder's name of a format, in a language. A name that is not listed stays as it is, without its
/// article, because it is mostly a proper name.
pub fn format_name(language: Language, what: &str) -> String {
    if language == Language::English {
        return what.to_string();
    }
    match GERMAN.iter().find(|(english, _)| *english == what) {
        Some((_, german)) => (*german).to_string(),
        None => {
            let bare = what.strip_prefix("an ").or_else(|| what.strip_prefix("a ")).unwrap_or(what);
            match bare.split_once(" file") {
                Some((name, more)) => format!("eine Datei des Formats {name}{more}"),
                None => format!("„{bare}“"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_note_is_a_sentence_in_each_language() {
        let notes = [
            Note::Truncated,
            Note::WrongClaim { claimed: 9.96, found: 30.0 },
            Note::Header { what: "has a wrong size".into() },
            Note::Joined { parts: 2 },
            Note::FormatChange { at: 8.0, rates: [48_000, 44_100], channels: [2, 2] },
            Note::FormatChange { at: 4.0, rates: [44_100, 44_100], channels: [1, 2] },
            Note::Damaged { packets: 3, first: Some(751.0) },
            Note::Damaged { packets: 0, first: None },
            Note::Junk { bytes: 20.0 },
            Note::NotFinite { samples: 3.0, first: 1.0 },
            Note::ChannelsCancel { first: 0.0, seconds: 20.0 },
            Note::Unreadable { at: 751.0 },
            Note::LowBandOnly,
            Note::StreamLeftOut { at: 2.0, what: "AC-3".into() },
            Note::FirstOfTracks { tracks: 2 },
        ];
        for language in Language::ALL {
            let words = &language.words().notes;
            for note in &notes {
                let text = words.sentence(note);
                assert!(text.ends_with('.') && !text.contains('{'), "{text}");
            }
            let damaged = words.sentence(&Note::Damaged { packets: 3, first: Some(751.0) });
            assert!(damaged.contains("12:31"), "{damaged}");
        }
    }

    #[test]
    fn formats_keep_their_names() {
        let name = |what| format_name(Language::German, what);
        assert_eq!(name("a Monkey's Audio file (APE)"), "eine Datei des Formats Monkey's Audio (APE)");
        assert_eq!(name("a PNG picture"), "ein PNG-Bild");
        assert_eq!(name("AAC with frames of 960 samples"), "„AAC with frames of 960 samples“");
        assert_eq!(format_name(Language::English, "a program"), "a program");
    }
}
