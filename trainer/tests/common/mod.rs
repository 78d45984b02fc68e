//! WAV files and the synthetic songs that several tests use.
#![allow(dead_code, clippy::unwrap_used)]

use std::f64::consts::TAU;
use std::fs;
use std::path::Path;

use cratedigger_zoo::GTZAN_GENRES;

/// Sample rate of [`song`] in Hz.
pub const RATE: u32 = 11_025;
/// Clips per genre of [`data_set`].
pub const CLIPS: usize = 10;

/// A WAV file: format tag (1 for integers, 3 for floats), interleaved little-endian samples.
pub fn wav_of(tag: u16, bits: u16, channels: u16, rate: u32, data: &[u8]) -> Vec<u8> {
    let align = channels * bits / 8;
    let mut out = b"RIFF".to_vec();
    out.extend((36 + data.len() as u32).to_le_bytes());
    out.extend(b"WAVEfmt ");
    out.extend(16_u32.to_le_bytes());
    out.extend(tag.to_le_bytes());
    out.extend(channels.to_le_bytes());
    out.extend(rate.to_le_bytes());
    out.extend((rate * u32::from(align)).to_le_bytes());
    out.extend(align.to_le_bytes());
    out.extend(bits.to_le_bytes());
    out.extend(b"data");
    out.extend((data.len() as u32).to_le_bytes());
    out.extend(data);
    out
}

/// A WAV file with one channel of 16-bit samples.
pub fn wav(rate: u32, samples: &[i16]) -> Vec<u8> {
    wav_of(1, 16, 1, rate, &samples.iter().flat_map(|s| s.to_le_bytes()).collect::<Vec<_>>())
}

/// A synthetic song. A genre is a level of noise under a steady or pulsed chord. A network with global
/// pooling can tell such textures apart. No two clips are the same.
pub fn song(genre: usize, clip: usize, seconds: f64) -> Vec<i16> {
    let mut noise = (genre * 1000 + clip) as u32;
    let hiss_level = 0.002 * 5.0_f64.powi((genre / 2) as i32);
    (0..(seconds * f64::from(RATE)) as usize)
        .map(|n| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let hiss = f64::from(noise >> 16) / 32_768.0 - 1.0;
            let t = n as f64 / f64::from(RATE);
            let pitch = 300.0 * (1.0 + 0.02 * clip as f64);
            let chord: f64 = (1..6).map(|k| (TAU * pitch * f64::from(k) * t).sin()).sum();
            let pulse = if genre.is_multiple_of(2) || (t * 3.0).fract() < 0.5 { 1.0 } else { 0.0 };
            (pulse * (0.2 * chord + hiss_level * hiss) * 8000.0) as i16
        })
        .collect()
}

/// A data set in Kaggle's layout, with one corrupt and one empty file.
pub fn data_set(folder: &Path) {
    for (genre, name) in GTZAN_GENRES.iter().enumerate() {
        let folder = folder.join("genres_original").join(name);
        fs::create_dir_all(&folder).unwrap();
        for clip in 0..CLIPS {
            let bytes = match (*name, clip) {
                ("jazz", 4) => b"this is no audio".to_vec(),
                ("rock", 5) => Vec::new(),
                _ => wav(RATE, &song(genre, clip, 3.5)),
            };
            fs::write(folder.join(format!("{name}.{clip:05}.wav")), bytes).unwrap();
        }
    }
}
