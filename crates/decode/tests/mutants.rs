//! Robustness to damage: seeded mutants of files of every format.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod common;

use std::time::{Duration, Instant};

use common::*;

/// A reproducible random number generator (xorshift).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % below.max(1) as u64) as usize
    }
}

/// Damages bytes from `from` onwards.
fn mutate(file: &mut Vec<u8>, from: usize, dice: &mut Dice) {
    let length = file.len();
    let at = from + dice.roll(length - from);
    let longest = [4, 64, 2048][dice.roll(3)];
    let size = 1 + dice.roll(longest);
    let end = (at + size).min(length);
    match dice.roll(8) {
        0 => file.truncate(at),
        1 => file[at..end].fill(0),
        2 => file[at..end].fill(0xff),
        3 => drop(file.drain(at..end)),
        4 => {
            let source = from + dice.roll(length - from);
            let copy = file[source..(source + size).min(length)].to_vec();
            file.splice(at..at, copy);
        }
        5 => {
            for _ in 0..1 + dice.roll(20) {
                let bit = dice.roll(8);
                let at = from + dice.roll(length - from);
                file[at] ^= 1 << bit;
            }
        }
        6 => {
            // Probably a size field: four bytes with an extreme value.
            let value = [0_u32, 1, 0x7fff_ffff, u32::MAX][dice.roll(4)];
            let end = (at + 4).min(length);
            file[at..end].copy_from_slice(&value.to_le_bytes()[..end - at]);
        }
        _ => {
            for byte in &mut file[at..end] {
                *byte = dice.roll(256) as u8;
            }
        }
    }
}

/// The undamaged files: the fixtures, and some written by the tests.
fn originals() -> Vec<(String, String, Vec<u8>)> {
    let mut all: Vec<(String, String, Vec<u8>)> = fixtures()
        .into_iter()
        .map(|(name, fixture)| (name, fixture.extension.clone(), fixture.data()))
        .collect();
    let channels = stereo(0.25, 8000);
    all.push(("pcm wav".into(), "wav".into(), wav16(&channels, 8000)));
    let float: Vec<u8> = channels[0].iter().flat_map(|s| s.to_le_bytes()).collect();
    all.push((
        "float wav".into(),
        "wav".into(),
        riff(&[fmt(3, 1, 8000, 32, 4, &[]), chunk(b"data", &float)]),
    ));
    let mut au = b".snd".to_vec();
    for word in [24_u32, 4000, 3, 8000, 1] {
        au.extend(word.to_be_bytes());
    }
    au.extend(vec![17; 4000]);
    all.push(("au".into(), "au".into(), au));
    let joined = [fixture("mp3 stereo"), fixture("mp3 stereo")].concat();
    all.push(("joined mp3".into(), "mp3".into(), joined));
    all.push(("chained ogg".into(), "ogg".into(), [fixture("vorbis"), fixture("opus")].concat()));
    all
}

/// Formats with an index at the end that the whole sound needs: damage in the second half can affect the
/// first half.
const INDEX_AT_END: [&str; 7] =
    ["aac m4a", "aac with video", "alac", "alac caf", "flac mp4", "opus mp4", "ima4 mov"];

fn run(mutants: usize, seed: u64) {
    let originals = originals();
    // The first channel of the first half of each file.
    let halves: Vec<Vec<f32>> = originals
        .iter()
        .map(|(_, extension, data)| {
            try_decode(&data[..data.len() / 2], extension).map(|s| first_channel(&s)).unwrap_or_default()
        })
        .collect();
    let mut dice = Dice(seed);
    let (mut lost, mut slowest) = (Vec::new(), Duration::ZERO);
    for number in 0..mutants {
        let which = number % originals.len();
        let (name, extension, data) = &originals[which];
        let mut file = data.clone();
        // Every second mutant keeps its first half.
        let kept = number / originals.len() % 2 == 1;
        let from = if kept { data.len() / 2 } else { 0 };
        for _ in 0..1 + dice.roll(3) {
            if file.len() > from {
                mutate(&mut file, from, &mut dice);
            }
        }
        let begin = Instant::now();
        let decoded = try_decode(&file, extension);
        let took = begin.elapsed();
        slowest = slowest.max(took);
        assert!(took < Duration::from_secs(10), "mutant {number} of {name} takes {took:?}");
        let samples = decoded.as_ref().map_or(0, |s| s.parts.iter().map(|(_, c)| c.len() * c[0].len()).sum());
        assert!(samples < 40_000_000, "mutant {number} of {name} became {samples} samples");
        if kept && !INDEX_AT_END.contains(&name.as_str()) {
            let half = &halves[which];
            // 90 % of the half, minus a packet that crosses its end.
            let wanted = (half.len() * 9 / 10).saturating_sub(1200);
            let same = decoded.as_ref().map_or(0, |sound| {
                first_channel(sound).iter().zip(half).take_while(|(a, b)| (*a - *b).abs() < 1e-3).count()
            });
            if same < wanted {
                lost.push(format!("{number} of {name}: {same} of {wanted}; {:?}", decoded.err()));
            }
        }
    }
    println!("{mutants} mutants, the slowest took {slowest:?}");
    assert!(lost.is_empty(), "{} lost their first half:\n{}", lost.len(), lost.join("\n"));
}

fn first_channel(sound: &Sound) -> Vec<f32> {
    sound.parts.iter().flat_map(|(_, channels)| channels[0].iter().copied()).collect()
}

#[test]
fn mutants() {
    run(2000, 0x5eed);
}

#[test]
#[ignore = "takes minutes"]
fn many_mutants() {
    run(10_000, 0xdead_beef);
}
