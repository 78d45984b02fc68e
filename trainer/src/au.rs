//! Sun/NeXT `.au` files, the format in which GTZAN was published first.
//!
//! A header of six big-endian words (magic, offset of the data, its size, encoding, sample rate,
//! channels), a comment, then interleaved big-endian samples. No decoder that this project uses
//! reads it.

use crate::audio::{Audio, Fault};

/// What the first four bytes of the format are.
pub const MAGIC: &[u8; 4] = b".snd";

/// Bytes of the header without the comment.
const HEADER: usize = 24;
/// The size that a program writes which does not know it yet.
const UNKNOWN_SIZE: u32 = u32::MAX;
/// More channels than any real recording; a larger number is a broken header.
const MAX_CHANNELS: usize = 64;

/// How a sample is coded.
#[derive(Clone, Copy)]
enum Encoding {
    MuLaw,
    ALaw,
    Pcm8,
    Pcm16,
    Pcm24,
    Pcm32,
    Float32,
    Float64,
}

impl Encoding {
    fn from_number(number: u32) -> Option<Self> {
        Some(match number {
            1 => Self::MuLaw,
            2 => Self::Pcm8,
            3 => Self::Pcm16,
            4 => Self::Pcm24,
            5 => Self::Pcm32,
            6 => Self::Float32,
            7 => Self::Float64,
            27 => Self::ALaw,
            _ => return None,
        })
    }

    /// Bytes a sample.
    fn width(self) -> usize {
        match self {
            Self::MuLaw | Self::ALaw | Self::Pcm8 => 1,
            Self::Pcm16 => 2,
            Self::Pcm24 => 3,
            Self::Pcm32 | Self::Float32 => 4,
            Self::Float64 => 8,
        }
    }

    /// One sample from its [`Encoding::width`] bytes.
    fn sample(self, bytes: &[u8]) -> f32 {
        // The first four bytes as the high end of a word: integers of every width are then a
        // fraction of 2³¹.
        let mut word = [0; 4];
        for (to, from) in word.iter_mut().zip(bytes) {
            *to = *from;
        }
        match self {
            Self::MuLaw => f32::from(mu_law(word[0])) / 32768.0,
            Self::ALaw => f32::from(a_law(word[0])) / 32768.0,
            Self::Pcm8 | Self::Pcm16 | Self::Pcm24 | Self::Pcm32 => {
                (f64::from(i32::from_be_bytes(word)) / 2_147_483_648.0) as f32
            }
            Self::Float32 => f32::from_be_bytes(word),
            Self::Float64 => {
                let mut double = [0; 8];
                for (to, from) in double.iter_mut().zip(bytes) {
                    *to = *from;
                }
                f64::from_be_bytes(double) as f32
            }
        }
    }
}

/// ITU-T G.711 µ-law to 16-bit linear.
fn mu_law(code: u8) -> i16 {
    let code = !code;
    let magnitude = ((i16::from(code & 0x0f) << 3) + 0x84) << ((code >> 4) & 7);
    if code & 0x80 == 0 { magnitude - 0x84 } else { 0x84 - magnitude }
}

/// ITU-T G.711 A-law to 16-bit linear.
fn a_law(code: u8) -> i16 {
    let code = code ^ 0x55;
    let mantissa = i16::from(code & 0x0f) << 4;
    let magnitude = match (code >> 4) & 7 {
        0 => mantissa + 8,
        segment => (mantissa + 0x108) << (segment - 1),
    };
    if code & 0x80 == 0 { -magnitude } else { magnitude }
}

/// Decodes a whole file that begins with [`MAGIC`].
///
/// A file that ends before the size in its header gives the whole frames that are there. Float
/// samples are passed on as they are, NaN included.
///
/// # Errors
/// A header that is incomplete or makes no sense, an encoding that is not read, or no sample.
pub fn decode(bytes: &[u8]) -> Result<Audio, Fault> {
    let mut words = [0_u32; HEADER / 4];
    let Some(header) = bytes.get(..HEADER) else {
        return Err(Fault::BreaksOff(format!("its header needs {HEADER} bytes, {} are there", bytes.len())));
    };
    for (word, chunk) in words.iter_mut().zip(header.chunks_exact(4)) {
        *word = chunk.iter().fold(0, |sum, byte| (sum << 8) | u32::from(*byte));
    }
    let [magic, offset, size, encoding, sample_rate, channels] = words;
    if magic != u32::from_be_bytes(*MAGIC) {
        return Err(Fault::NotAudio("it does not begin like an .au file".to_owned()));
    }
    let Some(encoding) = Encoding::from_number(encoding) else {
        return Err(Fault::NotAudio(format!("an .au file in encoding {encoding}")));
    };
    if sample_rate == 0 {
        return Err(Fault::Damaged("its header says 0 samples a second".to_owned()));
    }
    let count = channels as usize;
    if count == 0 || count > MAX_CHANNELS {
        return Err(Fault::Damaged(format!("its header says {channels} channels")));
    }
    let offset = offset as usize;
    if offset < HEADER {
        return Err(Fault::Damaged(format!("its header puts the samples at byte {offset}, into itself")));
    }
    let Some(data) = bytes.get(offset..) else {
        let there = bytes.len();
        return Err(Fault::BreaksOff(format!("its samples begin at byte {offset}, it ends at {there}")));
    };
    let size = if size == UNKNOWN_SIZE { data.len() } else { data.len().min(size as usize) };
    let data = &data[..size];

    let width = encoding.width();
    let frames = data.len() / (width * count);
    if frames == 0 {
        return Err(Fault::BreaksOff("it ends before the first sample".to_owned()));
    }
    let mut planes = vec![Vec::with_capacity(frames); count];
    for frame in data.chunks_exact(width * count) {
        for (plane, sample) in planes.iter_mut().zip(frame.chunks_exact(width)) {
            plane.push(encoding.sample(sample));
        }
    }
    Ok(Audio { sample_rate, channels: planes })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Codes and values of G.711, as every implementation has them.
    #[test]
    fn companding() {
        let known = [(0x00, -32124), (0x80, 32124), (0xff, 0), (0x7f, 0), (0x8f, 16764), (0xf0, 120)];
        for (code, value) in known {
            assert_eq!(mu_law(code), value, "µ-law {code:#04x}");
        }
        let known = [(0x55, -8), (0xd5, 8), (0x2a, -32256), (0xaa, 32256), (0x00, -5504), (0x80, 5504)];
        for (code, value) in known {
            assert_eq!(a_law(code), value, "A-law {code:#04x}");
        }
    }
}
