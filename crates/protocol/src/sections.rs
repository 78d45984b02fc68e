//! Sections of a song, and the formats in which other programs read them.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::csv_cell;

/// A part of a song with one label.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Section {
    /// Start in seconds.
    pub start: f64,
    /// End in seconds, the start of the next section.
    pub end: f64,
    /// The content.
    pub label: SectionLabel,
    /// Mean probability of the label over the section's segments, 0…1; 1 for silence.
    pub probability: f32,
}

/// The content of a [`Section`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum SectionLabel {
    /// Music of a genre.
    Class {
        /// Index of the genre in [`crate::Event::Ready::classes`].
        class: u32,
    },
    /// Sound that is not music.
    NonMusic {
        /// The kind, as the manifest names it: `speech`, `other-sounds`.
        name: String,
    },
    /// Digital silence, or nearly so.
    Silence,
}

/// A file format for sections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SectionFormat {
    /// One row per section: start, end, label, probability.
    Csv,
    /// A label track of Audacity: start, end and label, separated by tabs.
    Audacity,
    /// A CUE sheet, one track per section. Times have a resolution of 1/75 s.
    Cue,
    /// JSON chapters of the podcast namespace, version 1.2.0.
    Chapters,
}

/// The tracks that a CUE sheet can hold.
const CUE_TRACKS: usize = 99;

/// Why sections cannot be written in a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyTracks {
    /// Number of sections.
    pub sections: usize,
}

impl std::fmt::Display for TooManyTracks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { sections } = self;
        write!(
            f,
            "a CUE sheet holds at most {CUE_TRACKS} tracks and this file has {sections} sections; use CSV, \
             Audacity labels or chapters"
        )
    }
}

impl std::error::Error for TooManyTracks {}

impl SectionFormat {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Csv, Self::Audacity, Self::Cue, Self::Chapters];

    /// The id in commands and stored settings.
    pub fn id(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Audacity => "audacity",
            Self::Cue => "cue",
            Self::Chapters => "chapters",
        }
    }

    /// The ending of a file in this format, without the song's name.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Csv => "sections.csv",
            Self::Audacity => "labels.txt",
            Self::Cue => "cue",
            Self::Chapters => "chapters.json",
        }
    }

    /// The MIME type of a file in this format.
    pub fn mime(self) -> &'static str {
        match self {
            Self::Csv => "text/csv",
            Self::Audacity => "text/plain",
            Self::Cue => "application/x-cue",
            Self::Chapters => "application/json+chapters",
        }
    }

    /// The text of a file. `file` is the song's file name; `title` gives the words for a label.
    ///
    /// # Errors
    /// The format cannot hold so many sections.
    pub fn render(
        self,
        file: &str,
        sections: &[Section],
        title: impl Fn(&SectionLabel) -> String,
    ) -> Result<String, TooManyTracks> {
        // Titles come from manifests of other people, so control characters could break any format.
        let titled = sections.iter().map(|section| (section, plain(&title(&section.label))));
        Ok(match self {
            Self::Csv => titled.fold("start,end,label,probability\n".into(), |mut text, (section, title)| {
                let Section { start, end, probability, .. } = section;
                line(&mut text, format_args!("{start:.3},{end:.3},{},{probability:.4}", csv_cell(&title)));
                text
            }),
            Self::Audacity => titled.fold(String::new(), |mut text, (section, title)| {
                line(&mut text, format_args!("{:.6}\t{:.6}\t{title}", section.start, section.end));
                text
            }),
            Self::Cue if sections.len() > CUE_TRACKS => {
                return Err(TooManyTracks { sections: sections.len() });
            }
            Self::Cue => {
                let kind = if file.to_ascii_lowercase().ends_with(".mp3") { "MP3" } else { "WAVE" };
                let head = format!("FILE \"{}\" {kind}\n", cue_text(&plain(file)));
                titled.enumerate().fold(head, |mut text, (index, (section, title))| {
                    line(&mut text, format_args!("  TRACK {:02} AUDIO", index + 1));
                    line(&mut text, format_args!("    TITLE \"{}\"", cue_text(&title)));
                    line(&mut text, format_args!("    INDEX 01 {}", cue_time(section.start)));
                    text
                })
            }
            Self::Chapters => {
                let chapters: Vec<_> = titled
                    .map(|(section, title)| Chapter {
                        start_time: round(section.start),
                        end_time: round(section.end),
                        title,
                    })
                    .collect();
                let file = Chapters { version: "1.2.0", chapters };
                // These plain structs always serialise.
                serde_json::to_string_pretty(&file).unwrap_or_default() + "\n"
            }
        })
    }
}

#[derive(Serialize)]
struct Chapters {
    version: &'static str,
    chapters: Vec<Chapter>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Chapter {
    start_time: f64,
    end_time: f64,
    title: String,
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    let _ = writeln!(text, "{arguments}"); // writing to a String cannot fail
}

/// A text without control characters.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A text between the quotes of a CUE sheet, which have no escape.
fn cue_text(text: &str) -> String {
    text.replace('"', "'")
}

/// Minutes, seconds and frames of 1/75 s.
fn cue_time(seconds: f64) -> String {
    let frames = (seconds * 75.0).round() as u64;
    format!("{:02}:{:02}:{:02}", frames / 4500, frames / 75 % 60, frames % 75)
}

/// Seconds, rounded to milliseconds.
fn round(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Vec<Section> {
        let section = |start, end, label, probability| Section { start, end, label, probability };
        vec![
            section(0.0, 93.5, SectionLabel::Class { class: 9 }, 0.75),
            section(93.5, 96.0, SectionLabel::Silence, 1.0),
            section(96.0, 4000.04, SectionLabel::NonMusic { name: "speech".into() }, 0.9),
        ]
    }

    fn title(label: &SectionLabel) -> String {
        match label {
            SectionLabel::Class { .. } => "=Rock, \"n\" roll".into(),
            SectionLabel::NonMusic { name } => name.clone(),
            SectionLabel::Silence => "silence".into(),
        }
    }

    fn render(format: SectionFormat) -> Option<String> {
        format.render("my \"mix\".mp3", &example(), title).ok()
    }

    #[test]
    fn each_format_has_the_sections_as_other_programs_read_them() {
        assert_eq!(
            render(SectionFormat::Csv).as_deref(),
            Some(
                "start,end,label,probability\n0.000,93.500,\"'=Rock, \"\"n\"\" roll\",0.7500\n\
                 93.500,96.000,silence,1.0000\n96.000,4000.040,speech,0.9000\n"
            )
        );
        assert_eq!(
            render(SectionFormat::Audacity).as_deref(),
            Some(
                "0.000000\t93.500000\t=Rock, \"n\" roll\n93.500000\t96.000000\tsilence\n\
                 96.000000\t4000.040000\tspeech\n"
            )
        );
        assert_eq!(
            render(SectionFormat::Cue).as_deref(),
            Some(
                "FILE \"my 'mix'.mp3\" MP3\n  TRACK 01 AUDIO\n    TITLE \"=Rock, 'n' roll\"\n    INDEX 01 00:00:00\n  \
                 TRACK 02 AUDIO\n    TITLE \"silence\"\n    INDEX 01 01:33:38\n  TRACK 03 AUDIO\n    \
                 TITLE \"speech\"\n    INDEX 01 01:36:00\n"
            )
        );
        let chapters: Option<serde_json::Value> =
            render(SectionFormat::Chapters).and_then(|text| serde_json::from_str(&text).ok());
        assert_eq!(
            chapters,
            Some(serde_json::json!({"version": "1.2.0", "chapters": [
                {"startTime": 0.0, "endTime": 93.5, "title": "=Rock, \"n\" roll"},
                {"startTime": 93.5, "endTime": 96.0, "title": "silence"},
                {"startTime": 96.0, "endTime": 4000.04, "title": "speech"},
            ]}))
        );
    }

    #[test]
    fn a_cue_sheet_refuses_what_it_cannot_hold() {
        let many: Vec<Section> = std::iter::repeat_n(example(), 40).flatten().collect();
        assert_eq!(SectionFormat::Cue.render("a.wav", &many, title), Err(TooManyTracks { sections: 120 }));
        assert!(SectionFormat::Csv.render("a.wav", &many, title).is_ok());
    }
}
