//! Uncompressed samples and G.711.

use crate::bytes;

/// How a sample is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PcmKind {
    /// Two's complement, aligned to the most significant bit.
    Signed,
    /// Offset binary, aligned to the most significant bit.
    Unsigned,
    /// Two's complement with this number of bits, aligned to the least significant bit.
    Low(u8),
    /// IEEE 754; the width is 4 or 8.
    Float,
    /// G.711 A-law.
    ALaw,
    /// G.711 µ-law.
    MuLaw,
}

/// The layout of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PcmFormat {
    pub kind: PcmKind,
    /// Bytes per sample, 1 to 8.
    pub width: u8,
    pub big_endian: bool,
}

impl PcmFormat {
    pub(crate) fn new(kind: PcmKind, width: u8, big_endian: bool) -> Self {
        Self { kind, width: width.clamp(1, 8), big_endian }
    }

    /// Bytes per frame.
    pub(crate) fn frame(self, channels: usize) -> usize {
        usize::from(self.width) * channels.max(1)
    }

    /// One sample from its bytes, nominally in −1…1.
    fn sample(self, raw: &[u8]) -> f32 {
        // The bytes go to the high end of a word, so integers of every width are fractions of 2⁶³.
        let mut word = [0_u8; 8];
        if self.big_endian {
            for (to, from) in word.iter_mut().zip(raw) {
                *to = *from;
            }
        } else {
            for (to, from) in word.iter_mut().zip(raw.iter().rev()) {
                *to = *from;
            }
        }
        let value = u64::from_be_bytes(word);
        match self.kind {
            PcmKind::Signed => scaled(value as i64),
            PcmKind::Unsigned => scaled((value ^ (1 << 63)) as i64),
            PcmKind::Low(bits) => {
                let unused = u32::from(self.width) * 8 - u32::from(bits).min(u32::from(self.width) * 8);
                scaled((value << unused.min(63)) as i64)
            }
            PcmKind::Float if self.width == 8 => f64::from_bits(value) as f32,
            PcmKind::Float => f32::from_bits((value >> 32) as u32),
            PcmKind::ALaw => f32::from(a_law(word[0])) / 32768.0,
            PcmKind::MuLaw => f32::from(mu_law(word[0])) / 32768.0,
        }
    }

    /// Decodes whole interleaved frames and ignores an incomplete last frame. Returns the number of frames.
    pub(crate) fn decode(self, data: &[u8], channels: &mut [Vec<f32>]) -> usize {
        // Separate, faster loops for the most common layouts.
        match (self.kind, self.width, self.big_endian) {
            (PcmKind::Signed, 2, false) => {
                self.fill(data, channels, |b| f32::from(i16::from_le_bytes(bytes::at(b, 0))) / 32768.0);
            }
            (PcmKind::Signed, 2, true) => {
                self.fill(data, channels, |b| f32::from(i16::from_be_bytes(bytes::at(b, 0))) / 32768.0);
            }
            (PcmKind::Float, 4, false) => {
                self.fill(data, channels, |b| f32::from_le_bytes(bytes::at(b, 0)));
            }
            _ => self.fill(data, channels, |b| self.sample(b)),
        }
        data.len() / self.frame(channels.len())
    }

    fn fill(self, data: &[u8], channels: &mut [Vec<f32>], sample: impl Fn(&[u8]) -> f32) {
        let width = usize::from(self.width);
        let frame = self.frame(channels.len());
        for (index, channel) in channels.iter_mut().enumerate() {
            channel.extend(
                data.chunks_exact(frame)
                    .filter_map(|all| all.get(index * width..(index + 1) * width))
                    .map(&sample),
            );
        }
    }
}

fn scaled(value: i64) -> f32 {
    // In two parts, because f64 cannot represent all 64 bits.
    ((value >> 32) as f64 / 2_147_483_648.0 + (value & 0xffff_ffff) as f64 / 9.223_372_036_854_776e18) as f32
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Known codes and values of G.711.
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

    #[test]
    fn every_width_and_byte_order_gives_the_same_fraction() {
        for width in 1..=8_u8 {
            for big_endian in [false, true] {
                // Minus three quarters: the top byte is 0xa0, the others are 0.
                let mut bytes = vec![0_u8; usize::from(width)];
                let top = if big_endian { 0 } else { bytes.len() - 1 };
                bytes[top] = 0xa0;
                assert_eq!(PcmFormat::new(PcmKind::Signed, width, big_endian).sample(&bytes), -0.75);
                bytes[top] = 0x20;
                assert_eq!(PcmFormat::new(PcmKind::Unsigned, width, big_endian).sample(&bytes), -0.75);
            }
        }
        let low = PcmFormat::new(PcmKind::Low(24), 4, false);
        assert_eq!(low.sample(&(-4_194_304_i32).to_le_bytes()), -0.5);
        let double = PcmFormat::new(PcmKind::Float, 8, true);
        assert_eq!(double.sample(&0.25_f64.to_be_bytes()), 0.25);
    }
}
