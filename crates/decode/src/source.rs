//! A buffered view of the bytes of a file.

use std::io::{ErrorKind, Read, Seek, SeekFrom};

/// Bytes that can be read from any position: a file, a cursor over memory, a browser's `File`.
pub trait ReadSeek: Read + Seek {}

impl<T: Read + Seek> ReadSeek for T {}

/// Number of bytes read at a time.
const STEP: usize = 1 << 16;

/// A buffered reader with lookahead of any length.
pub(crate) struct Source {
    inner: Box<dyn ReadSeek>,
    /// Bytes from `base` on; the first `used` of them are consumed.
    buffer: Vec<u8>,
    used: usize,
    /// File position of `buffer[0]`.
    base: u64,
    length: u64,
    ended: bool,
}

impl Source {
    pub(crate) fn new(mut inner: Box<dyn ReadSeek>) -> std::io::Result<Self> {
        let length = inner.seek(SeekFrom::End(0))?;
        inner.seek(SeekFrom::Start(0))?;
        Ok(Self { inner, buffer: Vec::new(), used: 0, base: 0, length, ended: false })
    }

    /// Length of the file in bytes.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    pub(crate) fn position(&self) -> u64 {
        self.base + self.used as u64
    }

    /// Number of bytes after the position.
    pub(crate) fn left(&self) -> u64 {
        self.length.saturating_sub(self.position())
    }

    pub(crate) fn seek(&mut self, position: u64) -> std::io::Result<()> {
        let end = self.base + self.buffer.len() as u64;
        if (self.base..=end).contains(&position) {
            self.used = (position - self.base) as usize;
            return Ok(());
        }
        self.inner.seek(SeekFrom::Start(position))?;
        self.buffer.clear();
        (self.used, self.base, self.ended) = (0, position, false);
        Ok(())
    }

    /// Moves the position forward by `count` bytes, at most to the end.
    pub(crate) fn skip(&mut self, count: u64) -> std::io::Result<()> {
        let to = self.position().saturating_add(count).min(self.length.max(self.position()));
        self.seek(to)
    }

    /// The next `count` bytes without consuming them; fewer only at the end. Memory grows with the bytes
    /// read, not with `count`.
    pub(crate) fn peek(&mut self, count: usize) -> std::io::Result<&[u8]> {
        if self.buffer.len() - self.used < count && self.used > 0 {
            self.buffer.drain(..self.used);
            self.base += self.used as u64;
            self.used = 0;
        }
        while self.buffer.len() - self.used < count && !self.ended {
            let start = self.buffer.len();
            self.buffer.resize(start + STEP, 0);
            match self.inner.read(&mut self.buffer[start..]) {
                Ok(read) => {
                    self.buffer.truncate(start + read.min(STEP));
                    self.ended = read == 0;
                }
                Err(error) => {
                    self.buffer.truncate(start);
                    if error.kind() != ErrorKind::Interrupted {
                        return Err(error);
                    }
                }
            }
        }
        let end = self.buffer.len().min(self.used.saturating_add(count));
        Ok(&self.buffer[self.used..end])
    }

    /// The next `count` bytes, consumed; fewer only at the end.
    pub(crate) fn take(&mut self, count: usize) -> std::io::Result<Vec<u8>> {
        let taken = self.peek(count)?.to_vec();
        self.used += taken.len();
        Ok(taken)
    }

    /// Consumes bytes that [`Source::peek`] has returned.
    pub(crate) fn consume(&mut self, count: usize) {
        self.used = self.used.saturating_add(count).min(self.buffer.len());
    }

    /// Position of the first of `needles` within the next `limit` bytes, and its index in `needles`. The
    /// position of the source does not change.
    pub(crate) fn find(&mut self, needles: &[&[u8]], limit: u64) -> std::io::Result<Option<(u64, usize)>> {
        let start = self.position();
        let longest = needles.iter().map(|needle| needle.len()).max().unwrap_or(1);
        let mut found = None;
        while found.is_none() && self.position() - start < limit {
            let here = self.position();
            let window = self.peek(STEP)?;
            found = (0..window.len()).find_map(|at| {
                let rest = window.get(at..)?;
                let which = needles.iter().position(|needle| rest.starts_with(needle))?;
                Some((here + at as u64, which))
            });
            if window.len() < STEP {
                break;
            }
            // The windows overlap, so that a needle across a boundary is found.
            self.consume(STEP - longest + 1);
        }
        self.seek(start)?;
        Ok(found)
    }
}
