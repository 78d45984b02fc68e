//! Passing over sound gives what decoding it gives.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::Cursor;

use common::*;
use cratedigger_decode::{Decoder, MonoReader};

/// The mono mix at the file's own rate, from about `from` seconds on, and where it begins.
fn mono(file: &[u8], extension: &str, from: f64) -> (u32, Vec<f32>, f64) {
    let mut decoder = Decoder::open(Cursor::new(file.to_vec()), Some(extension)).unwrap();
    let start = if from > 0.0 { decoder.skip_to(from).unwrap() } else { 0.0 };
    let mut reader = MonoReader::at_own_rate(decoder);
    let mut out = vec![Vec::new()];
    while reader.read(&mut out).unwrap() {}
    (reader.rates()[0], out.remove(0), start)
}

#[test]
fn the_rest_is_the_same_as_in_a_whole_decode() {
    let again = |name: &str| fixture(name).repeat(6);
    let files = [
        ("wav", wav16(&stereo(6.0, 44_100), 44_100)),
        ("mp3", again("mp3 without tag")),
        ("mp3", again("mp3 stereo")),
        ("flac", again("flac")),
        ("ogg", again("opus")),
        ("ogg", again("vorbis")),
        ("ogg", again("flac ogg")),
        ("aac", again("aac adts")),
    ];
    for (extension, file) in files {
        let (rate, whole, _) = mono(&file, extension, 0.0);
        assert!(whole.len() > 5 * rate as usize, "{extension}");
        for from in [0.5, 2.3, 4.1] {
            let (same_rate, rest, start) = mono(&file, extension, from);
            assert_eq!(same_rate, rate);
            // The longest block of these files is half a second.
            assert!(start <= from && from - start < 0.6, "{extension}: begins at {start} s, not at {from} s");
            let at = (start * f64::from(rate)).round() as usize;
            assert_eq!(rest.len(), whole.len() - at, "{extension} from {from} s");
            let worst = rest.iter().zip(&whole[at..]).map(|(a, b)| (a - b).abs()).fold(0.0_f32, f32::max);
            // AAC's noise substitution draws from a random generator that skipping does not advance.
            let tolerance = if extension == "aac" { 0.01 } else { 1e-4 };
            assert!(worst < tolerance, "{extension} from {from} s: {worst}");
        }
        // Past the end there is nothing.
        let mut decoder = Decoder::open(Cursor::new(file), Some(extension)).unwrap();
        decoder.skip_to(100.0).unwrap();
        assert!(decoder.next_block().unwrap().is_none(), "{extension}");
    }
}
