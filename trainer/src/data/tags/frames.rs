//! The names of the frames in an ID3v2 tag, as they lie in the file: a check that does not depend on the parser,
//! which leaves out frames that it cannot read.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

/// Largest tag that is read, in bytes.
const LARGEST: u64 = 64 << 20;

/// Names that stand for each other in ID3v2.3 and ID3v2.4: parts of the date, the original date, and people.
const SAME: [(&str, &[&str]); 3] =
    [("TDRC", &["TYER", "TDAT", "TIME", "TRDA"]), ("TDOR", &["TORY"]), ("TIPL", &["IPLS", "TMCL"])];

/// Names of the frames of the first ID3v2.3 or ID3v2.4 tag of an MP3, WAV or AIFF file, in the form that both
/// versions share, sorted. Empty without such a tag, and for a tag whose bytes are unsynchronised as a whole.
pub(super) fn frames(path: &Path) -> std::io::Result<Vec<String>> {
    let mut file = File::open(path)?;
    let mut head = Vec::new();
    (&mut file).take(12).read_to_end(&mut head)?;
    let start = match head.get(..4) {
        Some(b"RIFF" | b"RIFX" | b"RF64") => chunk(&mut file, u32::from_le_bytes)?,
        Some(b"FORM") => chunk(&mut file, u32::from_be_bytes)?,
        _ => Some(0),
    };
    let Some(start) = start else { return Ok(Vec::new()) };
    file.seek(SeekFrom::Start(start))?;
    let mut tag = Vec::new();
    (&mut file).take(LARGEST).read_to_end(&mut tag)?;
    let mut names = names(&tag).unwrap_or_default();
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

/// Where the content of the ID3 chunk begins, in a file of chunks.
fn chunk(file: &mut File, size_of: fn([u8; 4]) -> u32) -> std::io::Result<Option<u64>> {
    let mut at = 12;
    loop {
        file.seek(SeekFrom::Start(at))?;
        let mut head = Vec::new();
        (&mut *file).take(8).read_to_end(&mut head)?;
        let Some((name, size)) = head.split_first_chunk::<4>() else { return Ok(None) };
        let Some(size) = size.first_chunk::<4>() else { return Ok(None) };
        if name.eq_ignore_ascii_case(b"ID3 ") {
            return Ok(Some(at + 8));
        }
        let size = u64::from(size_of(*size));
        at += 8 + size + size % 2;
    }
}

fn names(tag: &[u8]) -> Option<Vec<String>> {
    let (head, body) = tag.split_first_chunk::<10>()?;
    let [b'I', b'D', b'3', version @ 3..=4, _, flags, size @ ..] = *head else { return None };
    let seven = |bytes: [u8; 4]| bytes.iter().fold(0, |sum, byte| sum << 7 | (*byte & 127) as usize);
    let eight = |bytes: [u8; 4]| u32::from_be_bytes(bytes) as usize;
    let frame_size = |bytes| if version == 4 { seven(bytes) } else { eight(bytes) };
    // ID3v2.4 marks unsynchronised frames each, and their sizes stay right.
    if flags & 0x80 != 0 && version == 3 {
        return None;
    }
    let mut rest = body.get(..seven(size)).unwrap_or(body);
    if flags & 0x40 != 0 {
        let length = *rest.first_chunk::<4>()?;
        let skip = if version == 4 { seven(length) } else { 4 + eight(length) };
        rest = rest.get(skip..)?;
    }
    let mut names = Vec::new();
    while let Some((head, after)) = rest.split_first_chunk::<10>() {
        let [a, b, c, d, size @ .., _, _] = *head;
        let name = [a, b, c, d];
        if !name.iter().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit()) {
            break;
        }
        let name = String::from_utf8_lossy(&name).into_owned();
        let shared = SAME.iter().find(|(_, others)| others.contains(&name.as_str()));
        names.push(shared.map_or(name, |(shared, _)| (*shared).to_owned()));
        let Some(next) = after.get(frame_size(size)..) else { break };
        rest = next;
    }
    Some(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_both_versions() {
        let frame = |name: &str, size: [u8; 4], length: usize| {
            [name.as_bytes(), &size, &[0, 0], &vec![1; length]].concat()
        };
        let of = |version: u8, body: &[u8]| {
            let size = [0, 0, (body.len() >> 7) as u8, (body.len() & 127) as u8];
            names(&[b"ID3", [version, 0, 0].as_slice(), &size, body, b"XXXXXXXXXXXXXX"].concat())
        };
        let old = [frame("TYER", [0, 0, 0, 5], 5), frame("APIC", [0, 0, 1, 0], 256), vec![0; 30]].concat();
        assert_eq!(of(3, &old), Some(vec!["TDRC".into(), "APIC".into()]));
        let new = [frame("APIC", [0, 0, 2, 0], 256), frame("TDRC", [0, 0, 0, 5], 5)].concat();
        assert_eq!(of(4, &new), Some(vec!["APIC".into(), "TDRC".into()]));
        assert_eq!(names(b"no tag at all"), None);
    }
}
