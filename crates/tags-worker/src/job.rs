//! What the worker does, without a browser.

use std::io::Cursor;
use std::rc::Rc;

use cratedigger_protocol::tags::{Change, Cut, Field, TagAnswer, TagProblem};
use cratedigger_tags::{Changes, Difference, Edited, TagError};
use sha2::{Digest as _, Sha256};

use crate::pack::Pack;

/// A file with its name.
pub(crate) struct Input {
    /// Its name, whose extension helps to find the format.
    pub(crate) name: String,
    /// Its content.
    pub(crate) content: Rc<Vec<u8>>,
}

impl Input {
    fn extension(&self) -> &str {
        self.name.rsplit_once('.').map_or("", |(_, extension)| extension)
    }
}

/// An answer with its payload.
pub(crate) type Answer = (TagAnswer, Vec<Vec<u8>>);

/// A failure, with details for a developer.
#[derive(Debug, PartialEq)]
pub(crate) struct Failure(pub(crate) TagProblem, pub(crate) String);

impl From<Failure> for TagAnswer {
    fn from(Failure(problem, detail): Failure) -> Self {
        Self::Failed { problem, detail }
    }
}

/// A failure with anything as its details.
pub(crate) fn failed(problem: TagProblem, detail: impl ToString) -> Failure {
    Failure(problem, detail.to_string())
}

/// Reads the tags of a file.
pub(crate) fn read(file: &Input) -> Result<Answer, Failure> {
    let tags = cratedigger_tags::read(Cursor::new(file.content.as_slice()), file.extension());
    let tags = tags.map_err(|error| problem(&error))?;
    Ok((TagAnswer::Read { sha256: hash(&file.content), tags }, Vec::new()))
}

/// Changes fields in a copy of a file that has this SHA-256.
pub(crate) fn edit(file: &Input, sha256: &str, changes: &[Change]) -> Result<Answer, Failure> {
    let before = hash(&file.content);
    if before != sha256 {
        return Err(failed(TagProblem::Changed, before));
    }
    let Edited { bytes, newer } = edited(file, changes)?;
    let Difference { prefix, suffix, between } = Difference::of(&file.content, &bytes);
    let difference = Cut { before, after: hash(&bytes), prefix, suffix };
    Ok((TagAnswer::Edited { difference, newer }, vec![bytes, between]))
}

/// Restores the old content of a file.
pub(crate) fn restore(file: &Input, cut: &Cut, between: Vec<u8>) -> Result<Answer, Failure> {
    let found = hash(&file.content);
    if found == cut.before {
        return Ok((TagAnswer::Restored, Vec::new()));
    }
    if found != cut.after {
        return Err(failed(TagProblem::Changed, found));
    }
    let old = Difference { prefix: cut.prefix, suffix: cut.suffix, between }.restore(&file.content);
    match old.filter(|old| hash(old) == cut.before) {
        Some(old) => Ok((TagAnswer::Restored, vec![old])),
        None => Err(failed(TagProblem::Worker, "the record of the old bytes is damaged")),
    }
}

/// Adds a copy of a file with changed fields to a zip file.
pub(crate) fn pack(file: &Input, name: &str, changes: &[Change], pack: &mut Pack) -> Result<Answer, Failure> {
    let (bytes, newer) = match changes {
        [] => (None, None),
        changes => {
            let Edited { bytes, newer } = edited(file, changes)?;
            (Some(bytes), newer)
        }
    };
    let content = bytes.as_deref().unwrap_or(&file.content);
    let part = pack.add(name, content).map_err(|error| failed(TagProblem::Worker, error))?;
    Ok((TagAnswer::Packed { newer }, vec![part]))
}

fn edited(file: &Input, changes: &[Change]) -> Result<Edited, Failure> {
    let changes: Changes = changes.iter().map(|change| (change.field, clean(change))).collect();
    cratedigger_tags::edit(&file.content, file.extension(), &changes).map_err(|error| problem(&error))
}

/// The new values without empty ones. A tempo has digits only.
fn clean(change: &Change) -> Vec<String> {
    let is_wanted =
        |value: &&String| !value.is_empty() && (change.field != Field::Bpm || value.parse::<f64>().is_ok());
    change.new.iter().filter(is_wanted).cloned().collect()
}

fn problem(error: &TagError) -> Failure {
    match error {
        TagError::Io(error) => failed(TagProblem::Unreadable, error),
        TagError::Format => failed(TagProblem::Format, ""),
        TagError::Lofty(what) => failed(TagProblem::Tags, what),
        TagError::Lost(fields) => failed(TagProblem::Lost, fields),
        TagError::Sound => failed(TagProblem::Sound, ""),
        TagError::Decode(what) => failed(TagProblem::Undecodable, what),
    }
}

/// SHA-256, in hexadecimal.
fn hash(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A second of a tone as a WAV file.
    fn wav() -> Vec<u8> {
        let samples: Vec<u8> =
            (0..8000).flat_map(|n: i32| ((n % 40 * 500 - 10_000) as i16).to_le_bytes()).collect();
        let numbers = |all: &[u16]| all.iter().flat_map(|n| n.to_le_bytes()).collect::<Vec<u8>>();
        let head =
            [b"RIFF".as_slice(), &16_036_u32.to_le_bytes(), b"WAVEfmt ", &16_u32.to_le_bytes()].concat();
        let format = numbers(&[1, 1, 8000, 0, 16_000, 0, 2, 16]);
        [head, format, b"data".to_vec(), 16_000_u32.to_le_bytes().to_vec(), samples].concat()
    }

    fn input(content: Vec<u8>) -> Input {
        Input { name: "a song.wav".into(), content: Rc::new(content) }
    }

    fn genres(file: &Input) -> (String, Vec<String>) {
        let Ok((TagAnswer::Read { sha256, tags }, _)) = read(file) else { panic!("not read") };
        (sha256, tags.genres)
    }

    #[test]
    fn a_file_is_changed_packed_and_restored_and_a_changed_one_is_refused() {
        let old = input(wav());
        let (before, none) = genres(&old);
        assert_eq!(none, [""; 0]);
        let change =
            |field, new: &str| Change { field, old: Vec::new(), new: vec![new.into(), String::new()] };
        let changes = [change(Field::Genre, "Rock"), change(Field::Bpm, "no number")];
        let (TagAnswer::Edited { difference, newer: None }, payload) = edit(&old, &before, &changes).unwrap()
        else {
            panic!("not edited");
        };
        let [new, between] = payload.try_into().unwrap();
        let new = input(new);
        assert_eq!(genres(&new), (difference.after.clone(), vec!["Rock".to_owned()]));
        let mut zip = Pack::new();
        assert!(pack(&old, "a.wav", &changes, &mut zip).is_ok());
        assert!(zip.end().unwrap().windows(new.content.len()).any(|part| part == new.content.as_slice()));

        assert_eq!(
            restore(&new, &difference, between.clone()),
            Ok((TagAnswer::Restored, vec![old.content.to_vec()]))
        );
        assert_eq!(restore(&old, &difference, between.clone()), Ok((TagAnswer::Restored, Vec::new())));
        let refused = |answer: Result<Answer, Failure>| answer.unwrap_err().0;
        let other = input(b"another file".to_vec());
        assert_eq!(refused(restore(&other, &difference, between)), TagProblem::Changed);
        assert_eq!(refused(edit(&new, &before, &changes)), TagProblem::Changed);
        assert_eq!(refused(edit(&other, &hash(&other.content), &changes)), TagProblem::Tags);
        assert_eq!(refused(restore(&new, &difference, vec![1])), TagProblem::Worker);
    }
}
