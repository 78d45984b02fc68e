//! The names of the frames in an ID3v2 tag, as they lie in the file: a check that does not depend on the parser,
//! which leaves out frames that it cannot read.

/// Names that stand for each other in ID3v2.3 and ID3v2.4: parts of the date, the original date, and people.
const SAME: [(&str, &[&str]); 3] =
    [("TDRC", &["TYER", "TDAT", "TIME", "TRDA"]), ("TDOR", &["TORY"]), ("TIPL", &["IPLS", "TMCL"])];

/// Names of the frames of the first ID3v2.3 or ID3v2.4 tag of an MP3, WAV or AIFF file, in the form that both
/// versions share, sorted. Empty without such a tag, and for a tag whose bytes are unsynchronised as a whole.
pub(crate) fn frames(file: &[u8]) -> Vec<String> {
    let tag = match file.get(..4) {
        Some(b"RIFF" | b"RIFX" | b"RF64") => chunk(file, u32::from_le_bytes),
        Some(b"FORM") => chunk(file, u32::from_be_bytes),
        _ => Some(file),
    };
    let mut names = tag.and_then(names).unwrap_or_default();
    names.sort_unstable();
    names.dedup();
    names
}

/// The bytes from the content of the ID3 chunk on, in a file of chunks.
fn chunk(file: &[u8], size_of: fn([u8; 4]) -> u32) -> Option<&[u8]> {
    let mut rest = file.get(12..)?;
    loop {
        let (name, after) = rest.split_first_chunk::<4>()?;
        let (size, content) = after.split_first_chunk::<4>()?;
        if name.eq_ignore_ascii_case(b"ID3 ") {
            return Some(content);
        }
        let size = usize::try_from(size_of(*size)).ok()?;
        rest = content.get(size.checked_add(size % 2)?..)?;
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

    #[test]
    fn the_chunk_is_found_behind_one_of_odd_length() {
        let tag = [b"ID3\x03\0\0\0\0\0\x0b".as_slice(), b"TYER\0\0\0\x01\0\0x"].concat();
        let file = [b"RIFF\0\0\0\0WAVEodd \x01\0\0\0x\0id3 \x15\0\0\0".as_slice(), &tag].concat();
        assert_eq!(frames(&file), ["TDRC"]);
        assert_eq!(frames(b"RIFF\0\0\0\0WAVEodd \xff\xff\xff\xff"), [""; 0]);
    }
}
