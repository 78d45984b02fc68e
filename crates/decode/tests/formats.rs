//! Every format, with files from encoders and files written by the tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod common;

use common::*;
use cratedigger_decode::{DecodeError, Note};

/// Every fixture of `tests/golden/decode.json`: length, rate, channels and sound.
#[test]
fn fixtures_from_encoders() {
    let mut wrong = Vec::new();
    for (name, fixture) in fixtures() {
        let sound = match try_decode(&fixture.data(), &fixture.extension) {
            Ok(sound) => sound,
            Err(error) => {
                wrong.push(format!("{name}: {error}"));
                continue;
            }
        };
        let (rate, channels) = sound.only();
        let wanted = signal(1.0, rate, 0);
        let tagless =
            ["mp3 without tag", "mp2", "aac adts", "aac fragmented", "aac matroska"].contains(&name.as_str());
        // Without a tag, the encoder delay remains.
        let reach = if tagless { 1200 } else { 16 };
        let (close, shift) = correlation(&channels[0], &wanted, reach);
        let seconds = sound.seconds();
        println!("{name:18} {rate:6} Hz {} {seconds:.4} s correlation {close:.5} at {shift}", channels.len());
        let slack = if tagless { 0.13 } else { 0.05 };
        if rate != fixture.rate
            || channels.len() != fixture.channels
            || (seconds - 1.0).abs() > slack
            || close < 0.99
        {
            wrong.push(format!("{name}: {rate} Hz, {} channels, {seconds} s, {close}", channels.len()));
        }
        if !sound.notes.is_empty() {
            wrong.push(format!("{name}: {}", sound.notes_text()));
        }
        if channels.len() == 2 {
            let (right, _) = correlation(&channels[1], &signal(1.0, rate, 1), reach);
            assert!(right > 0.99, "{name}: the right channel correlates by {right}");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Fixtures decode without delay: every sample is at its position.
#[test]
fn encoder_delay_and_padding_are_cut() {
    for name in ["mp3", "mp3 stereo", "aac m4a", "vorbis", "opus", "opus mp4"] {
        let fixture = &fixtures()[name];
        let sound = decode(&fixture.data(), &fixture.extension);
        let (rate, channels) = sound.only();
        let (_, shift) = correlation(&channels[0], &signal(1.0, rate, 0), 16);
        // Opus itself shifts the signal by a few samples at 48 kHz.
        let reach = if name.starts_with("opus") { 4 } else { 1 };
        assert!(shift.abs() <= reach, "{name}: late by {shift} samples");
        let off = channels[0].len() as i64 - i64::from(rate);
        assert!(off.abs() <= i64::from(rate) / 1000, "{name}: longer by {off} samples");
    }
}

/// WAV files with every layout of PCM.
#[test]
fn every_pcm_of_wav() {
    let rate = 8000;
    let channels = stereo(0.5, rate);
    let interleaved: Vec<f64> =
        (0..channels[0].len()).flat_map(|n| channels.iter().map(move |c| f64::from(c[n]))).collect();
    let int = |bits: u32, bytes: usize, shift: u32| -> Vec<u8> {
        let top = (1_i64 << (bits - 1)) as f64 - 1.0;
        interleaved
            .iter()
            .flat_map(|s| (((s * top).round() as i64) << shift).to_le_bytes()[..bytes].to_vec())
            .collect()
    };
    let unsigned8: Vec<u8> = interleaved.iter().map(|s| ((s * 127.0).round() as i64 + 128) as u8).collect();
    let float32: Vec<u8> = interleaved.iter().flat_map(|s| (*s as f32).to_le_bytes()).collect();
    let float64: Vec<u8> = interleaved.iter().flat_map(|s| s.to_le_bytes()).collect();
    let extensible = |tag: u16, valid: u16| {
        let mut more = vec![22, 0];
        more.extend(valid.to_le_bytes());
        more.extend([3, 0, 0, 0]);
        more.extend(tag.to_le_bytes());
        more.extend(b"\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71");
        more
    };
    let cases: Vec<(&str, Vec<u8>, Vec<u8>, f32)> = vec![
        ("8 bits", fmt(1, 2, rate, 8, 2, &[]), unsigned8, 0.01),
        ("12 bits in 2 bytes", fmt(1, 2, rate, 12, 4, &[]), int(12, 2, 4), 1e-3),
        ("16 bits", fmt(1, 2, rate, 16, 4, &[]), int(16, 2, 0), 1e-4),
        ("24 bits", fmt(1, 2, rate, 24, 6, &[]), int(24, 3, 0), 1e-6),
        ("24 bits in 32, high", fmt(1, 2, rate, 24, 8, &[]), int(24, 4, 8), 1e-6),
        ("24 bits in 32, low", fmt(1, 2, rate, 24, 8, &[]), int(24, 4, 0), 1e-6),
        ("32 bits", fmt(1, 2, rate, 32, 8, &[]), int(32, 4, 0), 1e-6),
        ("float 32", fmt(3, 2, rate, 32, 8, &[]), float32.clone(), 1e-7),
        ("float 64", fmt(3, 2, rate, 64, 16, &[0, 0]), float64, 1e-7),
        ("extensible 24 in 32", fmt(0xfffe, 2, rate, 32, 8, &extensible(1, 24)), int(24, 4, 8), 1e-6),
        ("extensible float", fmt(0xfffe, 2, rate, 32, 8, &extensible(3, 32)), float32, 1e-7),
        ("a block alignment of 0", fmt(1, 2, rate, 16, 0, &[]), int(16, 2, 0), 1e-4),
    ];
    for (name, format, data, tolerance) in cases {
        let sound = decode(&riff(&[format, chunk(b"data", &data)]), "wav");
        let (found, decoded) = sound.only();
        assert_eq!((found, decoded.len(), decoded[0].len()), (rate, 2, channels[0].len()), "{name}");
        for (a, b) in decoded.iter().flatten().zip(channels.iter().flatten()) {
            assert!((a - b).abs() <= tolerance, "{name}: {a} for {b}");
        }
    }
}

/// G.711 codes of a ramp, compared with the definition of the tables.
#[test]
fn companded_wav_and_au() {
    for (tag, encoding) in [(6_u16, 27_u32), (7, 1)] {
        let codes: Vec<u8> = (0..=255).collect();
        let wav = decode(&riff(&[fmt(tag, 1, 8000, 8, 1, &[]), chunk(b"data", &codes)]), "wav");
        let au = decode(&au(encoding, 256, &codes, 1), "au");
        assert_eq!(wav.only().1, au.only().1);
        let loudest = wav.only().1[0].iter().fold(0.0_f32, |most, s| most.max(s.abs()));
        assert!((0.97..0.99).contains(&loudest));
    }
}

fn au(encoding: u32, size: u32, data: &[u8], channels: u32) -> Vec<u8> {
    let mut out = b".snd".to_vec();
    for word in [24, size, encoding, 8000, channels] {
        out.extend(word.to_be_bytes());
    }
    out.extend(data);
    out
}

#[test]
fn au_of_every_width() {
    let sound = signal(0.5, 8000, 0);
    let int = |bits: u32| -> Vec<u8> {
        let top = (1_i64 << (bits - 1)) as f64 - 1.0;
        let bytes = bits as usize / 8;
        sound
            .iter()
            .flat_map(|s| ((f64::from(*s) * top).round() as i64).to_be_bytes()[8 - bytes..].to_vec())
            .collect()
    };
    let float: Vec<u8> = sound.iter().flat_map(|s| s.to_be_bytes()).collect();
    let double: Vec<u8> = sound.iter().flat_map(|s| f64::from(*s).to_be_bytes()).collect();
    for (encoding, data) in [(2, int(8)), (3, int(16)), (4, int(24)), (5, int(32)), (6, float), (7, double)] {
        let decoded = decode(&au(encoding, data.len() as u32, &data, 1), "au");
        let channel = &decoded.only().1[0];
        assert_eq!(channel.len(), sound.len());
        assert!(channel.iter().zip(&sound).all(|(a, b)| (a - b).abs() < 0.01), "encoding {encoding}");
        assert!(decoded.notes.is_empty());
    }
}

fn aiff(kind: Option<&[u8; 4]>, bits: u16, frames: u32, data: &[u8]) -> Vec<u8> {
    let big = |id: &[u8; 4], body: &[u8]| {
        let mut out = id.to_vec();
        out.extend((body.len() as u32).to_be_bytes());
        out.extend(body);
        out.extend(vec![0; body.len() % 2]);
        out
    };
    let mut common = 1_u16.to_be_bytes().to_vec();
    common.extend(frames.to_be_bytes());
    common.extend(bits.to_be_bytes());
    // 8000 as an 80-bit float: 1.953125 · 2¹².
    common.extend([0x40, 0x0b, 0xfa, 0, 0, 0, 0, 0, 0, 0]);
    if let Some(kind) = kind {
        common.extend(kind);
        common.extend([0, 0]);
    }
    let sound = [[0; 8].as_slice(), data].concat();
    let body = [
        if kind.is_some() { b"AIFC" } else { b"AIFF" }.to_vec(),
        big(b"COMM", &common),
        big(b"SSND", &sound),
    ]
    .concat();
    big(b"FORM", &body)
}

#[test]
fn aiff_and_aifc() {
    let sound = signal(0.5, 8000, 0);
    let big: Vec<u8> = sound.iter().flat_map(|s| ((s * 32767.0).round() as i16).to_be_bytes()).collect();
    let little: Vec<u8> = sound.iter().flat_map(|s| ((s * 32767.0).round() as i16).to_le_bytes()).collect();
    let float: Vec<u8> = sound.iter().flat_map(|s| s.to_be_bytes()).collect();
    let frames = sound.len() as u32;
    for (name, file) in [
        ("AIFF", aiff(None, 16, frames, &big)),
        ("NONE", aiff(Some(b"NONE"), 16, frames, &big)),
        ("sowt", aiff(Some(b"sowt"), 16, frames, &little)),
        ("fl32", aiff(Some(b"fl32"), 32, frames, &float)),
        ("claims 0 frames", aiff(None, 16, 0, &big)),
    ] {
        let decoded = decode(&file, "aiff");
        let (rate, channels) = decoded.only();
        assert_eq!((rate, channels[0].len()), (8000, sound.len()), "{name}");
        assert!(channels[0].iter().zip(&sound).all(|(a, b)| (a - b).abs() < 1e-4), "{name}");
    }
    let cut = aiff(None, 16, frames, &big);
    let decoded = decode(&cut[..cut.len() / 2], "aiff");
    assert!((decoded.seconds() - 0.25).abs() < 0.01);
    assert!(matches!(decoded.notes[..], [Note::Truncated { .. }]));
}

#[test]
fn caf_of_pcm() {
    let sound = signal(0.5, 8000, 0);
    let mut file = b"caff\x00\x01\x00\x00desc".to_vec();
    file.extend(32_u64.to_be_bytes());
    file.extend(8000_f64.to_be_bytes());
    file.extend(b"lpcm");
    // Little-endian integers.
    for word in [2_u32, 2, 1, 1, 16] {
        file.extend(word.to_be_bytes());
    }
    file.extend(b"data");
    file.extend(u64::MAX.to_be_bytes());
    file.extend([0; 4]);
    file.extend(pcm16(std::slice::from_ref(&sound)));
    let decoded = decode(&file, "caf");
    assert_eq!(decoded.only().1[0].len(), sound.len());
    assert!(decoded.only().1[0].iter().zip(&sound).all(|(a, b)| (a - b).abs() < 1e-4));
}

#[test]
fn rf64_and_rifx() {
    let channels = stereo(0.5, 8000);
    let mut data = chunk(b"data", &pcm16(&channels));
    data[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
    let mut sizes = vec![0; 28];
    sizes[8..16].copy_from_slice(&((data.len() - 8) as u64).to_le_bytes());
    let mut file =
        riff(&[chunk(b"ds64", &sizes), fmt(1, 2, 8000, 16, 4, &[]), data, chunk(b"LIST", b"INFOISFTtest")]);
    file[..4].copy_from_slice(b"RF64");
    file[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
    let decoded = decode(&file, "wav");
    assert_eq!(decoded.only().1[0].len(), channels[0].len());
    assert!(decoded.notes.is_empty(), "{}", decoded.notes_text());

    let mut file = b"RIFX\0\0\0\0WAVEfmt ".to_vec();
    file.extend([0, 0, 0, 16, 0, 1, 0, 1]);
    file.extend(8000_u32.to_be_bytes());
    file.extend([0, 0, 0x3e, 0x80, 0, 2, 0, 16]);
    file.extend(b"data\0\0\x1f\x40");
    file.extend(channels[0].iter().flat_map(|s| ((s * 32767.0).round() as i16).to_be_bytes()));
    let decoded = decode(&file, "wav");
    assert!(decoded.only().1[0].iter().zip(&channels[0]).all(|(a, b)| (a - b).abs() < 1e-4));
}

/// Errors for other content name the content and say what to do.
#[test]
fn not_sound_is_named() {
    let error = |bytes: &[u8], extension: &str| try_decode(bytes, extension).unwrap_err();
    assert!(matches!(error(b"", "mp3"), DecodeError::Empty));
    let cases: [(&[u8], &str, &str); 12] = [
        (b"Dear diary, nothing to hear today.\n", "mp3", "plain text"),
        ("Ein Lied, das man nicht h\u{f6}rt".as_bytes(), "txt", "plain text"),
        (b"<!DOCTYPE html><html>", "mp3", "error page"),
        (b"\x89PNG\r\n\x1a\n0000", "wav", "PNG"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "jpg", "JPEG"),
        (b"MThd\0\0\0\x06", "mid", "MIDI"),
        (b"PK\x03\x04aaaa", "zip", "unpack"),
        (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "wma", "Windows Media"),
        (b"MAC \x96\x0f", "ape", "Monkey"),
        (b"wvpk\0\0\0\0", "wv", "WavPack"),
        (&[0; 4000], "wav", "zeros"),
        (b"ID3\x04\0\0\0\0\0\x02ab", "mp3", "without a single frame"),
    ];
    for (bytes, extension, word) in cases {
        let text = error(bytes, extension).to_string();
        assert!(text.contains(word), "{extension}: {text}");
    }
    let mut protected = fixture("aac m4a");
    let at = protected.windows(4).position(|word| word == b"mp4a").unwrap();
    protected[at..at + 4].copy_from_slice(b"drms");
    assert!(matches!(error(&protected, "m4p"), DecodeError::Protected(_)));
    for (channels, rate) in [(0, 44_100), (2, 0), (300, 44_100)] {
        let file = riff(&[fmt(1, channels, rate, 16, 4, &[]), chunk(b"data", &[1; 400])]);
        assert!(matches!(error(&file, "wav"), DecodeError::Damaged(_)));
    }
    let header = riff(&[fmt(1, 1, 44_100, 16, 2, &[]), chunk(b"data", &[])]);
    assert!(matches!(error(&header, "wav"), DecodeError::NoSound(_)));
    // Every truncated header gives an error, not a panic.
    for length in 0..60 {
        for fixture in fixtures().values() {
            let data = fixture.data();
            let _ = try_decode(&data[..length.min(data.len())], &fixture.extension);
        }
    }
}

/// More than eight channels, and floats that are NaN or infinite.
#[test]
fn many_channels_and_bad_floats() {
    let channels = vec![signal(0.1, 8000, 0); 12];
    let decoded = decode(&wav16(&channels, 8000), "wav");
    assert_eq!(decoded.only().1.len(), 12);

    let mut samples = signal(0.1, 8000, 0);
    samples[10] = f32::NAN;
    samples[20] = f32::INFINITY;
    samples[30] = 1e30;
    let data: Vec<u8> = samples.iter().flat_map(|s| s.to_le_bytes()).collect();
    let decoded = decode(&riff(&[fmt(3, 1, 8000, 32, 4, &[]), chunk(b"data", &data)]), "wav");
    assert!(decoded.only().1[0].iter().all(|s| s.abs() <= 1.0));
    assert!(matches!(decoded.notes[..], [Note::NotFinite { samples: 3, .. }]));
}
