//! Reads numbers from bytes without panics: missing bytes count as zero.

pub(crate) fn at<const N: usize>(bytes: &[u8], offset: usize) -> [u8; N] {
    let mut out = [0; N];
    for (to, from) in out.iter_mut().zip(bytes.get(offset..).unwrap_or_default()) {
        *to = *from;
    }
    out
}

pub(crate) fn u16_le(bytes: &[u8], offset: usize) -> u16 {
    u16::from_le_bytes(at(bytes, offset))
}

pub(crate) fn u32_le(bytes: &[u8], offset: usize) -> u32 {
    u32::from_le_bytes(at(bytes, offset))
}

pub(crate) fn u64_le(bytes: &[u8], offset: usize) -> u64 {
    u64::from_le_bytes(at(bytes, offset))
}

pub(crate) fn u16_be(bytes: &[u8], offset: usize) -> u16 {
    u16::from_be_bytes(at(bytes, offset))
}

pub(crate) fn u24_be(bytes: &[u8], offset: usize) -> u32 {
    let [a, b, c] = at(bytes, offset);
    u32::from_be_bytes([0, a, b, c])
}

pub(crate) fn u32_be(bytes: &[u8], offset: usize) -> u32 {
    u32::from_be_bytes(at(bytes, offset))
}

pub(crate) fn u64_be(bytes: &[u8], offset: usize) -> u64 {
    u64::from_be_bytes(at(bytes, offset))
}

/// First position of `needle` in `bytes`, starting at `from`.
pub(crate) fn find(bytes: &[u8], needle: &[u8], from: usize) -> Option<usize> {
    let rest = bytes.get(from..)?;
    rest.windows(needle.len().max(1)).position(|window| window == needle).map(|at| at + from)
}

/// Reads bits, most significant bit first; zeros past the end.
pub(crate) struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Bits<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(crate) fn left(&self) -> usize {
        (self.bytes.len() * 8).saturating_sub(self.at)
    }

    /// The next `count` bits, at most 32.
    pub(crate) fn read(&mut self, count: u32) -> u32 {
        let mut value = 0;
        for _ in 0..count.min(32) {
            let byte = self.bytes.get(self.at / 8).copied().unwrap_or(0);
            value = (value << 1) | u32::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        value
    }
}
