//! A zip file that is written part by part, so that two songs at most are in memory.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::{Error, ErrorKind, Read, Seek, SeekFrom, Write};
use std::rc::Rc;

use zip::result::ZipResult;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// A zip file under way.
pub(crate) struct Pack {
    zip: ZipWriter<Sink>,
    sink: Sink,
    names: BTreeSet<String>,
}

impl Pack {
    /// An empty zip file.
    pub(crate) fn new() -> Self {
        let sink = Sink::default();
        let mut zip = ZipWriter::new(sink.clone());
        zip.set_flush_on_finish_file(true);
        Self { zip, sink, names: BTreeSet::new() }
    }

    /// Adds a file without compression. Returns the next part of the zip file: all before this file.
    pub(crate) fn add(&mut self, name: &str, content: &[u8]) -> ZipResult<Vec<u8>> {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .large_file(content.len() as u64 > u64::from(u32::MAX));
        let name = self.free(name);
        self.zip.start_file(name, options)?;
        self.zip.write_all(content)?;
        Ok(self.sink.certain())
    }

    /// The rest of the zip file.
    pub(crate) fn end(self) -> ZipResult<Vec<u8>> {
        let mut sink = self.zip.finish()?;
        sink.flush()?;
        Ok(sink.certain())
    }

    /// A name that no file has yet, and that leads to no other folder.
    fn free(&mut self, name: &str) -> String {
        let plain = name.replace(['/', '\\'], "_");
        let (stem, extension) =
            plain.rsplit_once('.').map_or((plain.as_str(), String::new()), |(s, e)| (s, format!(".{e}")));
        let other = |n: u32| if n == 1 { plain.clone() } else { format!("{stem} ({n}){extension}") };
        // File systems without upper and lower case would put one file over the other.
        let free = (1..).map(other).find(|name| self.names.insert(name.to_lowercase()));
        free.unwrap_or(plain)
    }
}

/// What was written and not taken yet. Copies are handles to the same bytes.
#[derive(Clone, Default)]
struct Sink(Rc<RefCell<Written>>);

#[derive(Default)]
struct Written {
    /// Number of bytes that were taken.
    taken: u64,
    /// The bytes after them.
    rest: Vec<u8>,
    /// Position of the writer in `rest`.
    at: usize,
    /// Bytes of `rest` that will not change any more: those before the last flush, which is at the end of a file. The
    /// head of a file is written again at its end.
    certain: usize,
}

impl Sink {
    /// The bytes that will not change any more.
    fn certain(&self) -> Vec<u8> {
        let mut written = self.0.borrow_mut();
        let certain = written.certain;
        let rest = written.rest.split_off(certain);
        let part = std::mem::replace(&mut written.rest, rest);
        written.taken += part.len() as u64;
        written.at = written.at.saturating_sub(part.len());
        written.certain = 0;
        part
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut written = self.0.borrow_mut();
        let end = written.at + bytes.len();
        if written.rest.len() < end {
            written.rest.resize(end, 0);
        }
        let at = written.at;
        if let Some(place) = written.rest.get_mut(at..end) {
            place.copy_from_slice(bytes);
        }
        written.at = end;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let mut written = self.0.borrow_mut();
        written.certain = written.rest.len();
        Ok(())
    }
}

/// The writer asks for this only where it continues a zip file.
impl Read for Sink {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        Err(Error::from(ErrorKind::Unsupported))
    }
}

impl Seek for Sink {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        let mut written = self.0.borrow_mut();
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::End(by) => (written.taken + written.rest.len() as u64).checked_add_signed(by),
            SeekFrom::Current(by) => (written.taken + written.at as u64).checked_add_signed(by),
        };
        let inside = place.and_then(|place| place.checked_sub(written.taken));
        let inside = inside.and_then(|inside| usize::try_from(inside).ok());
        written.at = inside.ok_or_else(|| Error::other("this part of the zip file was given away"))?;
        Ok(written.taken + written.at as u64)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Cursor;

    use super::*;

    #[test]
    fn the_parts_are_a_zip_file() {
        let files = [("a/b.mp3", vec![1; 70_000]), ("x.wav", vec![2; 5]), ("X.wav", vec![3; 9])];
        let mut pack = Pack::new();
        let mut parts: Vec<Vec<u8>> =
            files.iter().map(|(name, content)| pack.add(name, content).unwrap()).collect();
        // A file is given away before the one after the next comes.
        assert_eq!(parts.iter().map(|part| part.len() > 70_000).collect::<Vec<_>>(), [false, true, false]);
        parts.push(pack.end().unwrap());
        let mut zip = zip::ZipArchive::new(Cursor::new(parts.concat())).unwrap();
        for (name, content) in [("a_b.mp3", &files[0].1), ("x.wav", &files[1].1), ("X (2).wav", &files[2].1)]
        {
            let mut found = Vec::new();
            zip.by_name(name).unwrap().read_to_end(&mut found).unwrap();
            assert_eq!(found, *content, "{name}");
        }
    }
}
