//! From a file to mono: which files are opened, what errors say, and channels that cancel.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::fs;
use std::path::Path;

use common::{RATE, song, wav, wav_of};
use cratedigger_trainer::data::audio::{AudioError, open, read};
use cratedigger_trainer::data::{mono, walk};
use cratedigger_trainer::eval::classify::{built_in, classify};

#[test]
fn errors_name_the_file_once() {
    let error = open(Path::new("no/such/file.wav")).err().unwrap();
    assert!(matches!(error, AudioError::Open { .. }));
    let text = format!("{:#}", anyhow::Error::from(error));
    assert!(text.starts_with("no/such/file.wav cannot be opened: "), "{text}");
    assert_eq!(text.matches("No such file").count(), 1, "{text}");

    let folder = tempfile::tempdir().unwrap();
    for (name, bytes, says) in [
        ("empty.wav", b"".as_slice(), "is empty (0 bytes)"),
        ("page.mp3", b"<!DOCTYPE html><html>", "error page"),
        ("old.wma", b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "Windows Media"),
    ] {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        let text = open(&path).err().unwrap().to_string();
        assert!(text.contains(name) && text.contains(says), "{text}");
    }
    assert!(open(folder.path()).is_err());
}

/// Mono of an ordinary file is the mean of its channels at its own rate, bit by bit.
#[test]
fn mono_is_the_mean() {
    let (left, right) = (song(0, 0, 1.0), song(5, 1, 1.0));
    let data: Vec<u8> =
        left.iter().zip(&right).flat_map(|(l, r)| [l.to_le_bytes(), r.to_le_bytes()]).flatten().collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("two.wav");
    fs::write(&path, wav_of(1, 16, 2, RATE, &data)).unwrap();
    let floats = |channel: &[i16]| channel.iter().map(|s| f32::from(*s) / 32768.0).collect::<Vec<_>>();
    let (left, right) = (floats(&left), floats(&right));
    let wanted = cratedigger_dsp::downmix(&[&left, &right]).unwrap();
    let (mixed, seconds) = mono(&path, RATE).unwrap();
    assert_eq!((&mixed, seconds), (&wanted, 1.0));
    let wanted = cratedigger_dsp::resample(&wanted, RATE, 16_000).unwrap();
    assert_eq!(mono(&path, 16_000).unwrap().0, wanted);
    let both = read(open(&path).unwrap(), &path, &[RATE, 16_000]).unwrap();
    assert_eq!((both.signals.at(RATE), both.signals.at(16_000)), (&mixed[..], &wanted[..]));
    assert!(both.notes.is_empty());
}

/// A karaoke track: the channels are each other's negative. It is judged as the sound of one channel.
#[test]
fn channels_that_cancel_are_heard() {
    let samples = song(2, 0, 7.0);
    let data: Vec<u8> =
        samples.iter().flat_map(|s| [s.to_le_bytes(), (-s).to_le_bytes()]).flatten().collect();
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("one.wav"), folder.path().join("two.wav"));
    fs::write(&one, wav(RATE, &samples)).unwrap();
    fs::write(&two, wav_of(1, 16, 2, RATE, &data)).unwrap();
    assert_eq!(mono(&one, RATE).unwrap(), mono(&two, RATE).unwrap());

    let mut analyser = built_in().unwrap().analyser().unwrap();
    let [one, two] = [one, two].map(|path| classify(&mut analyser, &path).unwrap());
    assert_eq!(one.probabilities.0, two.probabilities.0);
    assert!(one.notes.is_empty());
    assert!(two.notes.iter().any(|note| note.contains("cancel")), "{:?}", two.notes);
}

/// A long file is classified while it is read; the result is that of the whole file at once, bit by bit.
#[test]
fn a_long_file_is_classified_in_parts() {
    // 23 segments and most of one more, which overlaps the one before.
    let samples: Vec<i16> = (0..8).flat_map(|genre| song(genre, 0, 8.9)).collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("long.wav");
    fs::write(&path, wav(RATE, &samples)).unwrap();
    let mut analyser = built_in().unwrap().analyser().unwrap();
    let found = classify(&mut analyser, &path).unwrap();

    let mono = read(open(&path).unwrap(), &path, analyser.sample_rates()).unwrap();
    let rate = analyser.sample_rate();
    let segments = analyser.segments(mono.signals.at(rate).len());
    let mut wanted = Vec::new();
    for batch in segments.chunks(16) {
        wanted.extend(pollster::block_on(analyser.predict(&mono.signals, batch)).unwrap());
    }
    assert_eq!(segments.len(), 24);
    assert_eq!(found.segments.len(), wanted.iter().flatten().count());
    for (found, (segment, wanted)) in found.segments.iter().zip(segments.iter().zip(wanted.iter().flatten()))
    {
        assert_eq!(found.start, segment.start as f64 / f64::from(rate));
        let probabilities: Vec<f32> = found.probabilities.0.iter().map(|(_, p)| *p).collect();
        assert_eq!(probabilities, cratedigger_zoo::probabilities(&wanted.ensemble), "at {} s", found.start);
    }
    let song = analyser.song_prediction(wanted.iter().flatten()).unwrap();
    assert_eq!(found.probabilities.0.iter().map(|(_, p)| *p).collect::<Vec<_>>(), song.ensemble);
}

/// Folders hold more than songs.
#[test]
fn only_songs_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let files = [
        "a.wav",
        "b/c.Opus",
        "b/d.m4a",
        "b/.hidden.wav",
        ".Trash-1000/files/e.wav",
        "$RECYCLE.BIN/f.wav",
        "b/@eaDir/g.wav",
        "__MACOSX/h.wav",
        "b/._d.m4a",
        "b/cover.jpg",
        "b/i.wma",
        "j.WMA",
        "k.mid",
    ];
    for file in files {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, b"RIFF").unwrap();
    }
    let found = walk::audio_below(folder.path()).unwrap();
    let names: Vec<String> = found
        .files
        .iter()
        .map(|path| path.strip_prefix(folder.path()).unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["a.wav", "b/c.Opus", "b/d.m4a"]);
    let counted: Vec<(&str, usize)> = found.unread.0.iter().map(|(f, n)| (f.as_str(), *n)).collect();
    assert_eq!(counted, [("MIDI", 1), ("Windows Media", 2)]);
    assert!(found.unread.to_string().contains("3 files"), "{}", found.unread);
    // A folder that was named is searched, whatever its name.
    let hidden = folder.path().join(".Trash-1000");
    assert_eq!(walk::audio_below(&hidden).unwrap().files.len(), 1);
}
