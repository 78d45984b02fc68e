//! Ordinary files: samples are exact, invalid files give a helpful error, and nothing panics.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod common;

use std::f64::consts::TAU;

use common::{Sound, chunk, fmt, riff, try_decode};
use cratedigger_decode::DecodeError;
use proptest::prelude::*;
use proptest::sample::select;

/// A decoded file that is the same from start to end.
#[derive(Debug, PartialEq)]
struct Audio {
    sample_rate: u32,
    channels: Vec<Vec<f32>>,
}

fn decode(bytes: Vec<u8>, extension: &str) -> Result<Audio, DecodeError> {
    let sound: Sound = try_decode(&bytes, extension)?;
    let (sample_rate, channels) = sound.only();
    Ok(Audio { sample_rate, channels: channels.to_vec() })
}

// Files, written by hand

/// A WAV file of interleaved little-endian samples.
fn wav_of(tag: u16, bits: u16, channels: u16, rate: u32, data: &[u8]) -> Vec<u8> {
    riff(&[fmt(tag, channels, rate, bits, channels.wrapping_mul(bits / 8), &[]), chunk(b"data", data)])
}

/// A WAV file with one channel of 16-bit samples at 8 kHz.
fn wav16(samples: &[i16]) -> Vec<u8> {
    wav_of(1, 16, 1, 8000, &samples.iter().flat_map(|s| s.to_le_bytes()).collect::<Vec<_>>())
}

/// An .au file with an eight-byte comment.
fn au(encoding: u32, channels: u32, rate: u32, size: Option<u32>, data: &[u8]) -> Vec<u8> {
    let mut out = b".snd".to_vec();
    for word in [32, size.unwrap_or(data.len() as u32), encoding, rate, channels] {
        out.extend(word.to_be_bytes());
    }
    out.extend(b"comment\0");
    out.extend(data);
    out
}

fn au16(samples: &[i16]) -> Vec<u8> {
    au(3, 1, 22050, None, &samples.iter().flat_map(|s| s.to_be_bytes()).collect::<Vec<_>>())
}

/// Samples over the whole range.
fn ramp(n: usize) -> Vec<i16> {
    (0..n).map(|i| (i as u16).wrapping_mul(40_503) as i16).collect()
}

fn as_floats(samples: &[i16]) -> Vec<f32> {
    samples.iter().map(|s| f32::from(*s) / 32768.0).collect()
}

/// The files of `tests/golden/codecs.json`: a second of 440 Hz at 0.4 with some noise on the left
/// and of 880 Hz at 0.2 on the right.
fn coded(format: &str) -> Vec<u8> {
    let golden: serde_json::Value =
        serde_json::from_str(include_str!("../../../tests/golden/codecs.json")).unwrap();
    let text = golden["base64"][format].as_str().unwrap();
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut out, mut bits, mut held) = (Vec::new(), 0_u32, 0);
    for byte in text.bytes().filter(|byte| *byte != b'=') {
        bits = (bits << 6) | alphabet.iter().position(|a| *a == byte).unwrap() as u32;
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held) as u8);
        }
    }
    out
}

const CODED: [&str; 3] = ["flac", "ogg", "mp3"];
const CODED_RATE: u32 = 22050;
const CODED_SAMPLES: usize = 22050;

/// Amplitude and delay in samples of a tone in a signal.
fn tone(signal: &[f32], hz: f64) -> (f64, f64) {
    let step = TAU * hz / f64::from(CODED_RATE);
    let (mut re, mut im) = (0.0, 0.0);
    for (i, s) in signal.iter().enumerate() {
        let phase = step * i as f64;
        re += f64::from(*s) * phase.sin();
        im -= f64::from(*s) * phase.cos();
    }
    let n = signal.len() as f64 / 2.0;
    ((re / n).hypot(im / n), im.atan2(re) / step)
}

// What is sound

#[test]
fn wav_of_every_width() {
    let one = |bytes: Vec<u8>| {
        let audio = decode(bytes, "wav").unwrap();
        assert_eq!((audio.sample_rate, audio.channels.len()), (8000, 1));
        audio.channels[0].clone()
    };
    assert_eq!(one(wav_of(1, 8, 1, 8000, &[0, 128, 192])), [-1.0, 0.0, 0.5]);
    assert_eq!(one(wav16(&[i16::MIN, 0, 1, i16::MAX])), as_floats(&[i16::MIN, 0, 1, i16::MAX]));
    assert_eq!(one(wav_of(1, 24, 1, 8000, &[0, 0, 0x80, 0, 0, 0x40])), [-1.0, 0.5]);
    assert_eq!(one(wav_of(1, 32, 1, 8000, &[0, 0, 0, 0x80, 0, 0, 0, 0x20])), [-1.0, 0.25]);
    let floats: Vec<u8> = [0.1_f32, -2.5].iter().flat_map(|s| s.to_le_bytes()).collect();
    assert_eq!(one(wav_of(3, 32, 1, 8000, &floats)), [0.1, -2.5]);
    let doubles: Vec<u8> = [0.1_f64, -0.5].iter().flat_map(|s| s.to_le_bytes()).collect();
    assert_eq!(one(wav_of(3, 64, 1, 8000, &doubles)), [0.1, -0.5]);
}

#[test]
fn channels_come_apart() {
    let data: Vec<u8> = [1_i16, 2, 3, 4, 5, 6].iter().flat_map(|s| (s * 256).to_le_bytes()).collect();
    let audio = decode(wav_of(1, 16, 2, 44100, &data), "wav").unwrap();
    let expected = [as_floats(&[256, 768, 1280]), as_floats(&[512, 1024, 1536])];
    assert_eq!(audio, Audio { sample_rate: 44100, channels: expected.to_vec() });

    let data: Vec<u8> = [1_i16, 2, 3, 4, 5, 6].iter().flat_map(|s| (s * 256).to_be_bytes()).collect();
    let audio = decode(au(3, 3, 11025, None, &data), "au").unwrap();
    let expected = [as_floats(&[256, 1024]), as_floats(&[512, 1280]), as_floats(&[768, 1536])];
    assert_eq!(audio, Audio { sample_rate: 11025, channels: expected.to_vec() });
}

#[test]
fn au_of_every_encoding() {
    let one =
        |encoding, data: &[u8]| decode(au(encoding, 1, 8000, None, data), "au").unwrap().channels[0].clone();
    assert_eq!(one(1, &[0xff, 0x80, 0x00]), as_floats(&[0, 32124, -32124]));
    assert_eq!(one(27, &[0xd5, 0xaa, 0x2a]), as_floats(&[8, 32256, -32256]));
    assert_eq!(one(2, &[0x80, 0, 0x40]), [-1.0, 0.0, 0.5]);
    assert_eq!(one(3, &[0x80, 0, 0, 1]), as_floats(&[i16::MIN, 1]));
    assert_eq!(one(4, &[0x80, 0, 0, 0x40, 0, 0]), [-1.0, 0.5]);
    assert_eq!(one(5, &[0x80, 0, 0, 0, 0x20, 0, 0, 0]), [-1.0, 0.25]);
    assert_eq!(one(6, &0.1_f32.to_be_bytes()), [0.1]);
    assert_eq!(one(7, &(-0.1_f64).to_be_bytes()), [-0.1]);
}

#[test]
fn one_sample_is_a_recording() {
    assert_eq!(decode(wav16(&[16384]), "wav").unwrap().channels, [[0.5]]);
    assert_eq!(decode(au16(&[16384]), "au").unwrap().channels, [[0.5]]);
}

#[test]
fn coded_files_come_back_in_place() {
    for format in CODED {
        let audio = decode(coded(format), format).unwrap();
        assert_eq!(audio.sample_rate, CODED_RATE, "{format}");
        // Neither the encoder's delay nor its padding is left.
        let lengths: Vec<_> = audio.channels.iter().map(Vec::len).collect();
        assert_eq!(lengths, [CODED_SAMPLES; 2], "{format}");
        for (channel, hz, expected) in [(0, 440.0, 0.4), (1, 880.0, 0.2)] {
            let (amplitude, lag) = tone(&audio.channels[channel], hz);
            assert!((amplitude / expected - 1.0).abs() < 0.02, "{format}: {hz} Hz at {amplitude}");
            assert!(lag.abs() < 0.5, "{format}: {hz} Hz is {lag} samples late");
        }
    }
}

#[test]
fn flac_is_lossless() {
    let audio = decode(coded("flac"), "flac").unwrap();
    for (i, found) in audio.channels[1].iter().enumerate() {
        let expected = 0.2 * (TAU * 880.0 * i as f64 / f64::from(CODED_RATE)).sin();
        // 16 bits, and libsndfile scales by 32767.
        assert!((f64::from(*found) - expected).abs() < 1.0 / 32768.0, "{i}: {found} for {expected}");
    }
}

#[test]
fn content_counts_and_not_the_name() {
    for (extension, bytes) in [
        ("mp3", wav16(&ramp(100))),
        ("wav", au16(&ramp(100))),
        ("au", coded("flac")),
        ("", coded("mp3")),
        ("txt", coded("ogg")),
    ] {
        assert!(decode(bytes, extension).is_ok(), "{extension}");
    }
}

#[test]
fn junk_before_an_mp3() {
    let mut bytes = vec![0x20; 3000];
    bytes.extend(coded("mp3"));
    // Only the extension says that looking for sound in text is worth while.
    assert_eq!(decode(bytes.clone(), "mp3").unwrap().channels.len(), 2);
    assert!(matches!(decode(bytes, "bin"), Err(DecodeError::NotAudio(_))));
}

// What is not

#[test]
fn messages_name_the_format() {
    let mut wrong = Vec::new();
    for (name, bytes, says) in [
        ("empty.wav", b"".as_slice(), "is empty (0 bytes)"),
        ("page.mp3", b"<!DOCTYPE html><html>", "error page"),
        ("pointer.flac", b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        ("song.wav", b"\0\0\0\x20ftypM4A \0\0\0\0", "MP4"),
        ("cover.ogg", b"\x89PNG\r\n\x1a\n", "PNG picture"),
        ("songs.wav", b"PK\x03\x04....", "unpack it first"),
        ("song.aiff", b"FORM\0\0\0\0AIFF", "AIFF"),
        ("film.wav", b"RIFF\0\0\0\0AVI LIST", "AVI"),
        ("notes.wav", b"just some words\n", "plain text"),
        ("zeros.wav", &[0; 5000], "nothing but zeros"),
        ("noise.wav", b"\x01\x02\x03\x04\x80\x81", "01 02 03 04"),
        ("short.wav", b"RIFF\0\0", "holds no sound"),
        ("short.flac", b"fLaC\0\0", "holds no sound"),
        ("short.au", b".snd\0\0", "holds no sound"),
        ("short.ogg", b"OggS\0\0", "holds no sound"),
        ("short.mp3", b"ID3\x03\0", "holds no sound"),
        ("none.wav", &wav16(&[]), "holds no sound"),
        ("none.au", &au16(&[]), "holds no sound"),
        ("silent.mp3", &[b'.'; 5000], "plain text"),
    ] {
        let extension = name.rsplit('.').next().unwrap();
        let message = decode(bytes.to_vec(), extension).unwrap_err().to_string();
        if !message.contains(says) {
            wrong.push(format!("{name}: {message:?} does not say {says:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn invalid_headers_are_errors() {
    for (what, bytes) in [
        ("rate 0", au(3, 1, 0, None, &[0; 100])),
        ("no channels", au(3, 0, 8000, None, &[0; 100])),
        ("channels", au(3, u32::MAX, 8000, None, &[0; 100])),
        ("encoding", au(23, 1, 8000, None, &[0; 100])),
        ("WAV rate 0", wav_of(1, 16, 1, 0, &[0; 100])),
        ("WAV channels 0", wav_of(1, 16, 0, 8000, &[0; 100])),
        ("WAV tag", wav_of(0x55aa, 16, 1, 8000, &[0; 100])),
    ] {
        assert!(decode(bytes, "wav").is_err(), "{what}");
    }
    // The offset of the samples before, and after, everything: the samples follow the header.
    for offset in [4_u32, 1 << 30] {
        let mut bytes = au16(&[1, 2, 3]);
        bytes[4..8].copy_from_slice(&offset.to_be_bytes());
        let audio = decode(bytes, "au").unwrap();
        assert!(audio.channels[0].ends_with(&as_floats(&[1, 2, 3])), "{offset}");
    }
}

// What broke off

#[test]
fn a_wav_that_ends_early_gives_what_is_there() {
    let samples = ramp(5000);
    let whole = wav16(&samples);
    for end in [46, 47, 1000, 3333, whole.len() - 1] {
        let audio = decode(whole[..end].to_vec(), "wav").unwrap();
        assert_eq!(audio.channels[0], as_floats(&samples[..(end - 44) / 2]), "cut at {end}");
    }
}

#[test]
fn a_wav_whose_writer_never_came_back_to_the_header() {
    let samples = ramp(3000);
    for unknown in [0, u32::MAX] {
        let mut bytes = wav16(&samples);
        bytes[4..8].copy_from_slice(&unknown.to_le_bytes());
        bytes[40..44].copy_from_slice(&unknown.to_le_bytes());
        assert_eq!(decode(bytes, "wav").unwrap().channels[0], as_floats(&samples), "{unknown:#x}");
    }
}

#[test]
fn chunks_around_the_samples_are_no_sound() {
    let samples = ramp(3000);
    let mut bytes = wav16(&samples);
    bytes.extend(b"LIST\x04\0\0\0abcd"); // after the samples
    let odd = b"note\x03\0\0\0abc\0"; // before them, padded to an even length
    bytes.splice(36..36, odd.iter().copied());
    assert_eq!(decode(bytes, "wav").unwrap().channels[0], as_floats(&samples));
}

#[test]
fn an_au_that_ends_early_or_does_not_know_its_size() {
    let samples = ramp(100);
    let whole = au16(&samples);
    let audio = decode(whole[..32 + 51].to_vec(), "au").unwrap();
    assert_eq!(audio.channels[0], as_floats(&samples[..25]));

    let data = &whole[32..];
    let audio = decode(au(3, 1, 22050, Some(u32::MAX), data), "au").unwrap();
    assert_eq!(audio.channels[0], as_floats(&samples));
    // A size that is too small cuts nothing.
    let audio = decode(au(3, 1, 22050, Some(20), data), "au").unwrap();
    assert_eq!(audio.channels[0], as_floats(&samples));
}

#[test]
fn a_coded_file_that_ends_early_gives_what_is_there() {
    for format in CODED {
        let whole = coded(format);
        let full = decode(whole.clone(), format).unwrap();
        // Ogg keeps half a second in a page and gives out whole pages.
        let audio = decode(whole[..whole.len() * 9 / 10].to_vec(), format).unwrap();
        let length = audio.channels[0].len();
        assert!(length > 0 && length < CODED_SAMPLES, "{format}: {length} samples");
        for (part, whole) in audio.channels.iter().zip(&full.channels) {
            assert_eq!(part.len(), length, "{format}");
            assert!(part.iter().zip(whole).all(|(a, b)| a == b), "{format}: other samples than in the whole");
        }
        assert!(decode(whole[..60].to_vec(), format).is_err(), "{format}");
    }
}

#[test]
fn a_few_bad_bytes_in_the_middle_cost_a_few_packets() {
    for format in CODED {
        let mut bytes = coded(format);
        let at = bytes.len() * 9 / 10;
        bytes[at..at + 16].iter_mut().for_each(|byte| *byte ^= 0x5a);
        let audio = decode(bytes, format).unwrap();
        let length = audio.channels[0].len();
        assert!(length > CODED_SAMPLES / 2 && length <= CODED_SAMPLES, "{format}: {length} samples");
    }
}

// Whatever it is, no panic

/// Checks that a result is consistent, whatever it is.
fn sound(result: Result<Sound, DecodeError>) {
    match result {
        Ok(sound) => {
            assert!(!sound.parts.is_empty());
            for sample in sound.parts.iter().flat_map(|(_, channels)| channels).flatten() {
                assert!(sample.is_finite());
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn random_bytes_after_a_magic(
        magic in select(vec![
            &b".snd"[..], b"RIFF\xff\0\0\0WAVE", b"RIFF\xff\0\0\0WAVEfmt \x10\0\0\0", b"fLaC",
            b"fLaC\0\0\0\x22", b"OggS\0\x02", b"ID3\x04\0\0\0\0\0\x10", b"APETAGEX", b"\xff\xfb\x90\x64", b"",
        ]),
        extension in select(vec!["mp3", "wav"]),
        rest in proptest::collection::vec(any::<u8>(), 0..3000),
    ) {
        sound(try_decode(&[magic, &rest].concat(), extension));
    }

    #[test]
    fn au_headers_of_random_numbers(
        (offset, encoding, channels) in (0..40_u32, 0..30_u32, 0..70_u32),
        (size, rate) in any::<(u32, u32)>(),
        data in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut bytes = b".snd".to_vec();
        for word in [offset, size, encoding, rate, channels] {
            bytes.extend(word.to_be_bytes());
        }
        bytes.extend(&data);
        sound(try_decode(&bytes, "au"));
    }

    #[test]
    fn wav_headers_of_random_numbers(
        tag in select(vec![1_u16, 2, 3, 6, 7, 0x11, 0xfffe]),
        subtype in 0..8_u8,
        bits in prop_oneof![select(vec![4_u16, 8, 16, 24, 32, 64]), any::<u16>()],
        channels in prop_oneof![0..10_u16, any::<u16>()],
        (align, rate, valid, mask) in any::<(u16, u32, u16, u32)>(),
        extra in select(vec![0_usize, 2, 4, 24, 34]),
        extra_size in select(vec![0_u16, 2, 22, 32]),
        data in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut format = Vec::new();
        for short in [tag, channels] {
            format.extend(short.to_le_bytes());
        }
        for word in [rate, 0] {
            format.extend(word.to_le_bytes());
        }
        for short in [align, bits, extra_size, valid.min(bits)] {
            format.extend(short.to_le_bytes());
        }
        format.extend(mask.to_le_bytes());
        // The GUID of an extensible format, with its own tag in front.
        format.extend([subtype, 0, 0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71]);
        format.resize(16 + extra, 0);
        let mut bytes = b"RIFF\0\0\0\0WAVEfmt ".to_vec();
        bytes.extend((format.len() as u32).to_le_bytes());
        bytes.extend(format);
        bytes.extend(b"data");
        bytes.extend((data.len() as u32).to_le_bytes());
        bytes.extend(data);
        sound(try_decode(&bytes, "wav"));
    }

    #[test]
    fn sound_files_with_wrong_bytes(
        format in select(CODED.to_vec()),
        wrong in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>(), any::<bool>()), 1..20),
        keep in 0.1..1.0_f64,
    ) {
        let mut bytes = coded(format);
        for (at, byte, in_header) in wrong {
            // Half of them in the header, where they do the most harm.
            let at = at.index(if in_header { 200 } else { bytes.len() });
            bytes[at] = byte;
        }
        bytes.truncate((bytes.len() as f64 * keep) as usize);
        sound(try_decode(&bytes, format));
    }
}
