//! Decoder for Sun/NeXT `.au` files, the original format of GTZAN.
//!
//! A file is a header of six big-endian words (magic, offset of the data, size of the data, encoding,
//! sample rate, channels), a comment, and interleaved big-endian samples. symphonia does not read it.

use super::audio::{Audio, Fault};

/// First four bytes of a file.
pub const MAGIC: &[u8; 4] = b".snd";

/// Size of the header without the comment, in bytes.
const HEADER: usize = 24;
/// Size field of a file whose size was unknown when it was written.
const UNKNOWN_SIZE: u32 = u32::MAX;
/// Maximum number of channels. A larger number means a damaged header.
const MAX_CHANNELS: usize = 64;

/// Encoding of a sample.
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

    /// Bytes per sample.
    fn width(self) -> usize {
        match self {
            Self::MuLaw | Self::ALaw | Self::Pcm8 => 1,
            Self::Pcm16 => 2,
            Self::Pcm24 => 3,
            Self::Pcm32 | Self::Float32 => 4,
            Self::Float64 => 8,
        }
    }

    /// Decodes one sample of [`Encoding::width`] bytes.
    fn sample(self, bytes: &[u8]) -> f32 {
        // The first four bytes are the high end of a word, so integers of every width are a fraction
        // of 2³¹.
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
/// A truncated file gives its complete frames. Float samples are not checked and can be NaN.
///
/// # Errors
/// The header is incomplete or invalid, the encoding is not supported, or there is no sample.
pub fn decode(bytes: &[u8]) -> Result<Audio, Fault> {
    let mut words = [0_u32; HEADER / 4];
    let Some(header) = bytes.get(..HEADER) else {
        return Err(Fault::Truncated(format!(
            "its header needs {HEADER} bytes, the file has {}",
            bytes.len()
        )));
    };
    for (word, chunk) in words.iter_mut().zip(header.chunks_exact(4)) {
        *word = chunk.iter().fold(0, |sum, byte| (sum << 8) | u32::from(*byte));
    }
    let [magic, offset, size, encoding, sample_rate, channels] = words;
    if magic != u32::from_be_bytes(*MAGIC) {
        return Err(Fault::NotAudio("it does not begin with the magic bytes of an .au file".to_owned()));
    }
    let Some(encoding) = Encoding::from_number(encoding) else {
        return Err(Fault::NotAudio(format!("an .au file in encoding {encoding}")));
    };
    if sample_rate == 0 {
        return Err(Fault::Damaged("its header has the sample rate 0".to_owned()));
    }
    let count = channels as usize;
    if count == 0 || count > MAX_CHANNELS {
        return Err(Fault::Damaged(format!("its header has {channels} channels")));
    }
    let offset = offset as usize;
    if offset < HEADER {
        return Err(Fault::Damaged(format!(
            "its header puts the samples at byte {offset}, inside the header"
        )));
    }
    let Some(data) = bytes.get(offset..) else {
        let there = bytes.len();
        return Err(Fault::Truncated(format!(
            "its samples begin at byte {offset}, but the file ends at byte {there}"
        )));
    };
    let size = if size == UNKNOWN_SIZE { data.len() } else { data.len().min(size as usize) };
    let data = &data[..size];

    let width = encoding.width();
    let frames = data.len() / (width * count);
    if frames == 0 {
        return Err(Fault::Truncated("it ends before the first sample".to_owned()));
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

    /// Codes and values of G.711.
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
