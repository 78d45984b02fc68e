//! A browser's `File` as bytes that can be read from any position.

use std::cell::Cell;
use std::io::{Error, Read, Seek, SeekFrom};
use std::rc::Rc;

use js_sys::Uint8Array;
use web_sys::{Blob, FileReaderSync};

/// Bytes that are fetched at a time. Each call crosses to the browser's process.
const PIECE: u64 = 1 << 18;

/// Where in a file its reader is; shared with the reader, which the decoder owns.
#[derive(Clone, Default)]
pub(crate) struct Position(Rc<Cell<u64>>);

impl Position {
    /// Bytes before the position.
    pub(crate) fn get(&self) -> u64 {
        self.0.get()
    }
}

/// A file that is read piece by piece.
pub(crate) struct FileBytes {
    file: Blob,
    reader: FileReaderSync,
    length: u64,
    position: Position,
    piece: Vec<u8>,
    /// File position of the first byte of `piece`.
    start: u64,
}

impl FileBytes {
    /// Reads `file` from its first byte on.
    pub(crate) fn new(file: Blob) -> Result<Self, wasm_bindgen::JsValue> {
        // Sizes are integers below 2^53.
        let length = file.size() as u64;
        let reader = FileReaderSync::new()?;
        Ok(Self { file, reader, length, position: Position::default(), piece: Vec::new(), start: 0 })
    }

    /// A handle to the position.
    pub(crate) fn position(&self) -> Position {
        self.position.clone()
    }

    /// Bytes in all.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Fetches the piece at the position.
    fn fetch(&mut self) -> Result<(), Error> {
        let start = self.position.get();
        let end = start.saturating_add(PIECE).min(self.length);
        let failed = |_| Error::other("the browser could not read the file");
        let slice = self.file.slice_with_f64_and_f64(start as f64, end as f64).map_err(failed)?;
        let bytes = Uint8Array::new(&self.reader.read_as_array_buffer(&slice).map_err(failed)?.into());
        self.piece.resize(bytes.length() as usize, 0);
        bytes.copy_to(&mut self.piece);
        self.start = start;
        Ok(())
    }

    /// The part of the fetched piece from the position on.
    fn rest(&self) -> &[u8] {
        let at = self.position.get().checked_sub(self.start).and_then(|at| usize::try_from(at).ok());
        at.and_then(|at| self.piece.get(at..)).unwrap_or_default()
    }
}

impl Read for FileBytes {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.position.get() >= self.length || buffer.is_empty() {
            return Ok(0);
        }
        if self.rest().is_empty() {
            self.fetch()?;
        }
        let count = self.rest().len().min(buffer.len());
        for (to, from) in buffer.iter_mut().zip(self.rest()) {
            *to = *from;
        }
        self.position.0.set(self.position.get() + count as u64);
        Ok(count)
    }
}

impl Seek for FileBytes {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::End(by) => self.length.checked_add_signed(by),
            SeekFrom::Current(by) => self.position.get().checked_add_signed(by),
        };
        let place = place.ok_or_else(|| Error::other("a position before the start of the file"))?;
        self.position.0.set(place);
        Ok(place)
    }
}
