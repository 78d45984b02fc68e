//! Helpers of the tests: the sound of the fixtures, writers of files, and comparison.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::f64::consts::TAU;
use std::io::Cursor;

use base64::Engine;
use cratedigger_decode::{DecodeError, Decoder, Note};

/// A file of `tests/golden/decode.json`.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct Fixture {
    pub extension: String,
    pub rate: u32,
    pub channels: usize,
    bytes: String,
}

impl Fixture {
    pub fn data(&self) -> Vec<u8> {
        base64::engine::general_purpose::STANDARD.decode(&self.bytes).unwrap()
    }
}

pub fn fixtures() -> BTreeMap<String, Fixture> {
    serde_json::from_str(include_str!("../../../../tests/golden/decode.json")).unwrap()
}

pub fn fixture(name: &str) -> Vec<u8> {
    fixtures()[name].data()
}

/// The sound of the fixtures, by the formula of `make_decode.py`.
pub fn signal(seconds: f64, rate: u32, channel: usize) -> Vec<f32> {
    (0..(seconds * f64::from(rate)).round() as usize)
        .map(|n| {
            let t = n as f64 / f64::from(rate);
            let phase = TAU * (300.0 * t + 200.0 * t * t);
            let octave = if channel == 0 { 0.1 } else { 0.2 };
            (0.4 * phase.sin() + octave * (2.0 * phase).sin()) as f32
        })
        .collect()
}

/// A decoded file, divided into parts with one sample rate and one number of channels.
#[derive(Clone, Debug, Default)]
pub struct Sound {
    pub parts: Vec<(u32, Vec<Vec<f32>>)>,
    pub notes: Vec<Note>,
}

impl Sound {
    pub fn seconds(&self) -> f64 {
        self.parts.iter().map(|(rate, channels)| channels[0].len() as f64 / f64::from(*rate)).sum()
    }

    /// The only part; panics if there are several.
    pub fn only(&self) -> (u32, &[Vec<f32>]) {
        assert_eq!(self.parts.len(), 1, "changes within the stream: {:?}", self.notes);
        (self.parts[0].0, &self.parts[0].1)
    }

    pub fn notes_text(&self) -> String {
        self.notes.iter().map(|note| format!("{note}\n")).collect()
    }
}

pub fn try_decode(bytes: &[u8], extension: &str) -> Result<Sound, DecodeError> {
    let mut decoder = Decoder::open(Cursor::new(bytes.to_vec()), Some(extension))?;
    let mut sound = Sound::default();
    while let Some(block) = decoder.next_block()? {
        assert!(block.frames() > 0 && block.sample_rate > 0);
        assert!(block.channels.iter().all(|channel| channel.len() == block.frames()));
        match sound.parts.last_mut() {
            Some((rate, channels))
                if *rate == block.sample_rate && channels.len() == block.channels.len() =>
            {
                for (all, new) in channels.iter_mut().zip(&block.channels) {
                    all.extend_from_slice(new);
                }
            }
            _ => sound.parts.push((block.sample_rate, block.channels)),
        }
    }
    sound.notes = decoder.notes().to_vec();
    Ok(sound)
}

pub fn decode(bytes: &[u8], extension: &str) -> Sound {
    try_decode(bytes, extension).unwrap_or_else(|error| panic!("{extension}: {error}"))
}

/// The largest correlation of two signals over shifts of up to `reach` samples, and that shift.
pub fn correlation(a: &[f32], b: &[f32], reach: usize) -> (f64, i64) {
    let at_shift = |shift: i64| {
        let (a, b) = if shift >= 0 {
            (a.get(shift as usize..).unwrap_or_default(), b)
        } else {
            (a, b.get(shift.unsigned_abs() as usize..).unwrap_or_default())
        };
        let (mut ab, mut aa, mut bb) = (0.0, 1e-12, 1e-12);
        for (x, y) in a.iter().zip(b) {
            let (x, y) = (f64::from(*x), f64::from(*y));
            ab += x * y;
            aa += x * x;
            bb += y * y;
        }
        ab / (aa * bb).sqrt()
    };
    let reach = reach as i64;
    (-reach..=reach).map(|shift| (at_shift(shift), shift)).max_by(|a, b| a.0.total_cmp(&b.0)).unwrap()
}

/// A RIFF chunk with its padding byte.
pub fn chunk(id: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut out = id.to_vec();
    out.extend((body.len() as u32).to_le_bytes());
    out.extend(body);
    out.extend(vec![0; body.len() % 2]);
    out
}

pub fn fmt(tag: u16, channels: u16, rate: u32, bits: u16, align: u16, more: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend(tag.to_le_bytes());
    body.extend(channels.to_le_bytes());
    body.extend(rate.to_le_bytes());
    body.extend((rate * u32::from(align)).to_le_bytes());
    body.extend(align.to_le_bytes());
    body.extend(bits.to_le_bytes());
    body.extend(more);
    chunk(b"fmt ", &body)
}

pub fn riff(chunks: &[Vec<u8>]) -> Vec<u8> {
    let body = chunks.concat();
    let mut out = b"RIFF".to_vec();
    out.extend((body.len() as u32 + 4).to_le_bytes());
    out.extend(b"WAVE");
    out.extend(body);
    out
}

/// Interleaved 16-bit samples.
pub fn pcm16(channels: &[Vec<f32>]) -> Vec<u8> {
    let frames = channels[0].len();
    (0..frames)
        .flat_map(|n| channels.iter().map(move |channel| channel[n]))
        .flat_map(|sample| ((sample * 32767.0).round() as i16).to_le_bytes())
        .collect()
}

pub fn stereo(seconds: f64, rate: u32) -> Vec<Vec<f32>> {
    vec![signal(seconds, rate, 0), signal(seconds, rate, 1)]
}

pub fn wav16(channels: &[Vec<f32>], rate: u32) -> Vec<u8> {
    let count = channels.len() as u16;
    riff(&[fmt(1, count, rate, 16, 2 * count, &[]), chunk(b"data", &pcm16(channels))])
}
