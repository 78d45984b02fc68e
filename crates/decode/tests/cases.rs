//! Files with wrong headers: the data counts, not the header.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::*;
use cratedigger_decode::{Mixer, MonoReader, Note};
use std::io::Cursor;

fn mono(bytes: &[u8], extension: &str, rate: u32) -> (Vec<f32>, Vec<Note>) {
    let decoder = cratedigger_decode::Decoder::open(Cursor::new(bytes.to_vec()), Some(extension)).unwrap();
    let mut reader = MonoReader::new(decoder, &[rate]).unwrap();
    let mut out = vec![Vec::new()];
    while reader.read(&mut out).unwrap() {}
    (out.remove(0), reader.notes().to_vec())
}

/// Two seconds of sound at 44.1 kHz: format chunk, samples as bytes, and channels.
fn song() -> (Vec<u8>, Vec<u8>, Vec<Vec<f32>>) {
    let channels = stereo(2.0, 44_100);
    (fmt(1, 2, 44_100, 16, 4, &[]), pcm16(&channels), channels)
}

fn data_claiming(size: u32, samples: &[u8]) -> Vec<u8> {
    let mut out = b"data".to_vec();
    out.extend(size.to_le_bytes());
    out.extend(samples);
    out
}

fn is_whole(sound: &Sound, wanted: &[Vec<f32>], tolerance: f32) {
    let (_, channels) = sound.only();
    assert_eq!(channels.len(), wanted.len());
    assert_eq!(channels[0].len(), wanted[0].len(), "{}", sound.notes_text());
    for (a, b) in channels.iter().flatten().zip(wanted.iter().flatten()) {
        assert!((a - b).abs() <= tolerance, "{a} for {b}");
    }
}

#[test]
fn sizes_of_wav_that_are_wrong() {
    let (format, samples, channels) = song();
    let length = samples.len() as u32;
    for (claim, told) in [
        (0, "does not say"),
        (u32::MAX, "does not say"),
        (length / 3, "claims 0.7 s"),
        (length * 2, "ends in"),
    ] {
        let mut file = riff(&[format.clone(), data_claiming(claim, &samples)]);
        for total in [0, 36, u32::MAX] {
            file[4..8].copy_from_slice(&total.to_le_bytes());
            let sound = decode(&file, "wav");
            is_whole(&sound, &channels, 1e-4);
            assert!(sound.notes_text().contains(told), "{claim}: {}", sound.notes_text());
        }
    }
    // A correct length with a chunk after the sound: the chunk is not sound.
    let file =
        riff(&[format.clone(), chunk(b"data", &samples), chunk(b"LIST", b"INFOISFT\x05\0\0\0Lavf\0\0")]);
    let sound = decode(&file, "wav");
    is_whole(&sound, &channels, 1e-4);
    assert!(sound.notes.is_empty(), "{}", sound.notes_text());
    // Cut in the middle.
    let cut = &file[..44 + samples.len() / 2];
    let sound = decode(cut, "wav");
    assert!((sound.seconds() - 1.0).abs() < 1e-3);
    assert!(matches!(sound.notes[..], [Note::Truncated { .. }]));
}

#[test]
fn headers_of_wav_that_are_odd() {
    let (format, samples, channels) = song();
    let data = chunk(b"data", &samples);
    let mut inner = b"INFOINAM".to_vec();
    inner.extend(500_u32.to_le_bytes());
    inner.extend(b"Own song\0\0");
    let mut outer = b"LIST".to_vec();
    outer.extend(500_u32.to_le_bytes());
    outer.extend(&inner);
    // An odd chunk without its padding byte.
    let unpadded = b"note\x03\0\0\0abc".to_vec();
    let mut eight = (channels[0].len() as u32).to_le_bytes().to_vec();
    eight.extend([0; 4]);
    for (name, chunks) in [
        ("a LIST that is shorter inside", vec![format.clone(), chunk(b"LIST", &inner), data.clone()]),
        ("a LIST that is too long", vec![format.clone(), outer, data.clone()]),
        ("a fmt of 18 bytes", vec![fmt(1, 2, 44_100, 16, 4, &[0; 2]), data.clone()]),
        ("a fmt of 20 bytes", vec![fmt(1, 2, 44_100, 16, 4, &[0; 4]), data.clone()]),
        ("a fmt of 40 bytes", vec![fmt(1, 2, 44_100, 16, 4, &[0; 24]), data.clone()]),
        ("a fact of 8 bytes", vec![format.clone(), chunk(b"fact", &eight), data.clone()]),
        ("an empty fact", vec![format.clone(), chunk(b"fact", &[]), data.clone()]),
        ("a chunk before fmt", vec![chunk(b"JUNK", &[0; 28]), format.clone(), data.clone()]),
        ("no padding", vec![format.clone(), unpadded, data.clone()]),
    ] {
        let sound = decode(&riff(&chunks), "wav");
        assert!(sound.notes.len() <= 1, "{name}: {}", sound.notes_text());
        is_whole(&sound, &channels, 1e-4);
    }
    // A format chunk with a wrong length: the sound is still found.
    for (size, found) in [(0_u32, true), (5, true), (17, true), (1000, true), (u32::MAX, true)] {
        let mut wrong = format.clone();
        wrong[4..8].copy_from_slice(&size.to_le_bytes());
        let sound = try_decode(&riff(&[wrong, data.clone()]), "wav");
        assert_eq!(sound.is_ok_and(|sound| sound.seconds() == 2.0), found, "{size}");
    }
    // Two concatenated files.
    let one = riff(&[format, data]);
    let sound = decode(&[one.clone(), one].concat(), "wav");
    assert!((sound.seconds() - 4.0).abs() < 1e-3);
    assert!(sound.notes.contains(&Note::Joined { parts: 2 }));
}

#[test]
fn au_that_claims_nothing_or_a_part() {
    let sound = signal(1.0, 8000, 0);
    let data: Vec<u8> = sound.iter().flat_map(|s| ((s * 32767.0).round() as i16).to_be_bytes()).collect();
    for (claim, notes) in [(0, 1), (data.len() as u32 / 3, 1), (u32::MAX, 0), (data.len() as u32, 0)] {
        let mut file = b".snd".to_vec();
        for word in [24, claim, 3, 8000, 1] {
            file.extend(word.to_be_bytes());
        }
        file.extend(&data);
        let decoded = decode(&file, "au");
        is_whole(&decoded, std::slice::from_ref(&sound), 1e-4);
        assert_eq!(decoded.notes.len(), notes, "{claim}: {}", decoded.notes_text());
    }
}

/// Position of the number of frames in the Xing or Info frame.
fn xing(mp3: &[u8]) -> usize {
    (0..mp3.len()).find(|at| mp3[*at..].starts_with(b"Xing") || mp3[*at..].starts_with(b"Info")).unwrap() + 8
}

#[test]
fn mp3_that_claims_another_length() {
    let right = fixture("mp3 stereo");
    let at = xing(&right);
    let frames = u32::from_be_bytes(right[at..at + 4].try_into().unwrap());
    let whole = decode(&right, "mp3");
    for claim in [0, 1, frames / 3, frames * 10, u32::MAX] {
        let mut file = right.clone();
        file[at..at + 4].copy_from_slice(&claim.to_be_bytes());
        let sound = decode(&file, "mp3");
        let more = sound.seconds() - whole.seconds();
        // The padding at the end remains, because the header is not credible.
        assert!((0.0..0.05).contains(&more), "{claim}: {}", sound.seconds());
        assert!(!sound.notes.is_empty(), "{claim}");
        let length = whole.only().1[0].len();
        assert_eq!(sound.only().1[0][..length - 600], whole.only().1[0][..length - 600], "{claim}");
    }
}

#[test]
fn joined_mp3() {
    let one = fixture("mp3 stereo");
    let whole = decode(&one, "mp3");
    // Two of them, with and without tags between.
    let mut tag = b"TAG".to_vec();
    tag.resize(128, b' ');
    let id3 = b"ID3\x04\0\0\0\0\0\x0aTIT2abcdef".to_vec();
    for between in [vec![], tag.clone(), id3.clone(), [tag, id3].concat()] {
        let joined = [one.clone(), between, one.clone(), one.clone()].concat();
        let sound = decode(&joined, "mp3");
        assert!((sound.seconds() - 3.0 * whole.seconds()).abs() < 1e-6, "{} s", sound.seconds());
        assert!(sound.notes.contains(&Note::Joined { parts: 3 }), "{}", sound.notes_text());
        assert_eq!(sound.notes.len(), 1, "{}", sound.notes_text());
        let (_, channels) = sound.only();
        let length = whole.only().1[0].len();
        assert_eq!(channels[0][2 * length..], whole.only().1[0], "the last part");
    }
    // If the second part has no tag, the count of the first part is too small.
    let plain = fixture("mp3 without tag");
    let sound = decode(&[fixture("mp3"), plain].concat(), "mp3");
    assert!((2.0..2.2).contains(&sound.seconds()), "{} s", sound.seconds());
}

#[test]
fn mp3_that_changes_rate_and_channels() {
    let (mono, stereo) = (fixture("mp3 without tag"), fixture("mp3 stereo"));
    for parts in [[&mono, &stereo], [&stereo, &mono]] {
        let joined = [parts[0].as_slice(), parts[1].as_slice()].concat();
        let sound = decode(&joined, "mp3");
        assert_eq!(sound.parts.len(), 2, "{}", sound.notes_text());
        assert!((2.0..2.2).contains(&sound.seconds()), "{} s", sound.seconds());
        assert!(sound.notes.iter().any(|note| matches!(note, Note::FormatChange { .. })));
        let (mixed, _) = self::mono(&joined, "mp3", 22_050);
        assert!((mixed.len() as f64 / 22_050.0 - sound.seconds()).abs() < 1e-3);
        let (close, _) = correlation(&mixed[2000..20_000], &signal(1.0, 22_050, 0)[2000..20_000], 3000);
        assert!(close > 0.9, "{close}");
    }
}

#[test]
fn mp3_after_junk_and_tags() {
    let plain = fixture("mp3 without tag");
    let whole = decode(&plain, "mp3").seconds();
    let mut claims_too_much = b"ID3\x03\0\0\x7f\x7f\x7f\x7f".to_vec();
    claims_too_much.extend(b"TIT2 and so on");
    let mut ape = b"APETAGEX\xd0\x07\0\0".to_vec();
    ape.extend(32_u32.to_le_bytes());
    ape.extend([0; 16]);
    for (name, before, after) in [
        ("zeros", vec![0; 5000], vec![]),
        ("text", b"some words of a server".repeat(20), vec![]),
        ("a tag of a wrong length", claims_too_much, vec![]),
        ("an APE tag", vec![], ape),
        ("half a frame", plain[200..260].to_vec(), plain[..40].to_vec()),
    ] {
        let file = [before, plain.clone(), after].concat();
        let sound = decode(&file, "mp3");
        assert!((sound.seconds() - whole).abs() < 0.03, "{name}: {} s", sound.seconds());
    }
}

#[test]
fn mp3_in_wav() {
    let plain = fixture("mp3 without tag");
    let whole = decode(&plain, "mp3").seconds();
    let file = riff(&[
        fmt(0x55, 1, 22_050, 0, 1, &[12, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        chunk(b"data", &plain),
    ]);
    assert!((decode(&file, "wav").seconds() - whole).abs() < 0.03);
}

#[test]
fn chained_ogg() {
    let (vorbis, opus, flac) = (fixture("vorbis"), fixture("opus"), fixture("flac ogg"));
    let sound = decode(&[vorbis.clone(), opus, flac, vorbis].concat(), "ogg");
    assert!((sound.seconds() - 4.0).abs() < 0.02, "{} s", sound.seconds());
    let rates: Vec<u32> = sound.parts.iter().map(|(rate, _)| *rate).collect();
    assert_eq!(rates, [22_050, 48_000, 4000, 22_050]);
    assert!(sound.notes.contains(&Note::Joined { parts: 4 }));
}

#[test]
fn ogg_that_lost_pages() {
    let vorbis = fixture("vorbis");
    let sound = decode(&vorbis[..vorbis.len() - 100], "ogg");
    assert!(sound.notes_text().contains("ends in the middle"), "{}", sound.notes_text());
}

#[test]
fn flac_with_a_wrong_header() {
    let right = fixture("flac");
    let whole = decode(&right, "flac");
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut file = right.clone();
        change(&mut file);
        decode(&file, "flac")
    };
    let zero_block = with(&|file| file[8..10].fill(0));
    assert_eq!(zero_block.only().1, whole.only().1);
    assert!(zero_block.notes.is_empty());
    // Maximum block and frame sizes, the total and the checksum.
    let bounds = with(&|file| file[8..18].fill(0));
    assert_eq!(bounds.only().1, whole.only().1);
    for total in [0_u32, 1, u32::MAX] {
        let sound = with(&|file| file[22..26].copy_from_slice(&total.to_be_bytes()));
        assert_eq!(sound.only().1, whole.only().1, "{total}");
    }
    let md5 = with(&|file| file[26..42].fill(7));
    assert_eq!(md5.only().1, whole.only().1);
    // A tag before and after, and a picture block that is longer than the file.
    let tagged = [b"ID3\x04\0\0\0\0\0\x05hello".as_slice(), &right, b"TAG", &[0; 125]].concat();
    assert_eq!(decode(&tagged, "flac").only().1, whole.only().1);
    let mut long = right[..42].to_vec();
    long[4] &= 0x7f;
    long.extend(b"\x86\xff\xff\xff");
    long.extend(&right[42..]);
    assert_eq!(decode(&long, "flac").only().1, whole.only().1);
    // Two concatenated files.
    let joined = decode(&[right.clone(), right.clone()].concat(), "flac");
    assert!((joined.seconds() - 2.0 * whole.seconds()).abs() < 1e-6);
    assert!(joined.notes.contains(&Note::Joined { parts: 2 }), "{}", joined.notes_text());
}

#[test]
fn mp4_without_its_end_or_with_a_wrong_size() {
    let mut fragmented = fixture("aac fragmented");
    fragmented.truncate(fragmented.len() * 3 / 5);
    let sound = decode(&fragmented, "mp4");
    assert!((0.4..0.8).contains(&sound.seconds()), "{} s", sound.seconds());
    // An unfinished recording: the size of mdat is 0 or larger than the file.
    let file = fixture("aac m4a");
    let whole = decode(&file, "m4a").seconds();
    let at = file.windows(4).position(|word| word == b"mdat").unwrap() - 4;
    for size in [u32::MAX, 4] {
        let mut file = file.clone();
        file[at..at + 4].copy_from_slice(&size.to_be_bytes());
        assert!((decode(&file, "m4a").seconds() - whole).abs() < 1e-6, "{size}");
    }
    let index = file.windows(4).position(|word| word == b"moov").unwrap() - 4;
    let error = try_decode(&file[..index], "m4a").unwrap_err().to_string();
    assert!(error.contains("index"), "{error}");
}

/// Steps that triple from sample to sample overflow in Symphonia's decoder.
#[test]
fn adpcm_that_overflows_loses_one_block() {
    let right = fixture("adpcm ms");
    let align = usize::from(u16::from_le_bytes([right[32], right[33]]));
    let data = right.windows(4).position(|id| id == b"data").unwrap() + 8;
    let whole = decode(&right, "wav");
    let mut file = right.clone();
    // The second block: the largest step, then the samples that enlarge it most.
    file[data + align + 1..data + align + 3].copy_from_slice(&i16::MAX.to_le_bytes());
    file[data + align + 7..data + 2 * align].fill(0x88);
    let damaged = decode(&file, "wav");
    let (found, wanted) = (&damaged.only().1[0], &whole.only().1[0]);
    let block = 2 + 2 * (align - 7);
    assert_eq!(found[..block], wanted[..block]);
    assert_eq!(found[block..], wanted[2 * block..]);
    let first = block as f64 / f64::from(whole.only().0);
    assert_eq!(damaged.notes, [Note::Damaged { packets: 1, first }]);
}

#[test]
fn channels_that_cancel() {
    let one = signal(2.0, 44_100, 0);
    let minus: Vec<f32> = one.iter().map(|s| -s).collect();
    let file = wav16(&[one.clone(), minus.clone()], 44_100);
    let (mixed, notes) = mono(&file, "wav", 44_100);
    assert_eq!(mixed.len(), one.len());
    assert!(mixed.iter().zip(&one).all(|(a, b)| (a - b).abs() < 1e-4));
    assert!(
        matches!(notes[..], [Note::ChannelsCancel { first, seconds }] if first == 0.0 && (seconds - 2.0).abs() < 1e-3),
        "{notes:?}"
    );
    // One channel is quieter, as from a cable with swapped wires: the louder channel is used.
    let quiet: Vec<f32> = one.iter().map(|s| -0.9 * s).collect();
    let (mixed, _) = mono(&wav16(&[quiet, one.clone()], 44_100), "wav", 44_100);
    assert!(mixed.iter().zip(&one).all(|(a, b)| (a - b).abs() < 1e-4));
    // The second half is in phase: the mix returns to the mean there.
    let half = one.len() / 2;
    let turned = [&minus[..half], &one[half..]].concat();
    let (mixed, notes) = mono(&wav16(&[one.clone(), turned], 44_100), "wav", 44_100);
    assert!(mixed.iter().zip(&one).all(|(a, b)| (a - b).abs() < 1e-4));
    assert!(
        matches!(notes[..], [Note::ChannelsCancel { seconds, .. }] if (0.9..1.5).contains(&seconds)),
        "{notes:?}"
    );
}

/// Without cancellation, the mix equals the mean, independent of the division into pushes.
#[test]
fn mix_is_the_mean() {
    let channels = stereo(1.0, 44_100);
    let refs: Vec<&[f32]> = channels.iter().map(Vec::as_slice).collect();
    let wanted = cratedigger_dsp::downmix(&refs).unwrap();
    for size in [1_usize, 100, 4096, 50_000] {
        let (mut mixer, mut out) = (Mixer::new(), Vec::new());
        let mut at = 0;
        while at < wanted.len() {
            let end = (at + size).min(wanted.len());
            let part: Vec<Vec<f32>> = channels.iter().map(|channel| channel[at..end].to_vec()).collect();
            mixer.push(&part, &mut out);
            at = end;
        }
        mixer.finish(&mut out);
        assert_eq!(out, wanted, "pushes of {size}");
        assert_eq!(mixer.cancelled(), None);
    }
}

/// Several rates at once, each with the correct length.
#[test]
fn several_rates_at_once() {
    let file = wav16(&stereo(1.0, 44_100), 44_100);
    let decoder = cratedigger_decode::Decoder::open(Cursor::new(file), None).unwrap();
    let mut reader = decoder.into_mono(&[44_100, 22_050, 16_000]).unwrap();
    let mut out = vec![Vec::new(); 3];
    while reader.read(&mut out).unwrap() {}
    assert_eq!(out.iter().map(Vec::len).collect::<Vec<_>>(), [44_100, 22_050, 16_000]);
}
