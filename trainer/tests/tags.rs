//! `cratedigger tag`: only the planned fields change, and everything can be undone.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use common::{RATE, song, wav};
use cratedigger_trainer::data::tags::{self, Field, Tags};
use cratedigger_trainer::eval::tagging::{Change, Planned};
use cratedigger_trainer::files::sha256_of;
use lofty::config::WriteOptions;
use lofty::prelude::*;
use lofty::tag::{Tag, TagType};
use mp3lame_encoder::{Bitrate, Builder, FlushNoGap, MonoPcm, max_required_buffer_size};

fn cratedigger(folder: &Path, line: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cratedigger")).args(line).current_dir(folder).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn mp3(samples: &[i16]) -> Vec<u8> {
    let mut encoder = Builder::new()
        .unwrap()
        .with_num_channels(1)
        .unwrap()
        .with_sample_rate(RATE)
        .unwrap()
        .with_output_sample_rate(NonZeroU32::new(RATE))
        .unwrap()
        .with_brate(Bitrate::Kbps64)
        .unwrap()
        .build()
        .unwrap();
    let mut bytes = Vec::with_capacity(max_required_buffer_size(samples.len()) + 8000);
    encoder.encode_to_vec(MonoPcm(samples), &mut bytes).unwrap();
    encoder.flush_to_vec::<FlushNoGap>(&mut bytes).unwrap();
    bytes
}

/// A tag of ID3v2.3 with text frames in Latin-1.
fn id3v23(frames: &[(&str, &str)]) -> Vec<u8> {
    let mut body = Vec::new();
    for (id, value) in frames {
        let value: Vec<u8> = value.chars().map(|c| c as u8).collect();
        body.extend(id.bytes());
        body.extend((value.len() as u32 + 1).to_be_bytes());
        body.extend([0, 0, 0]);
        body.extend(value);
    }
    let size = body.len() as u32;
    let size = [size >> 21, size >> 14 & 127, size >> 7 & 127, size & 127].map(|part| part as u8);
    [b"ID3\x03\0\0".as_slice(), &size, &body].concat()
}

/// MP3 files with ID3v2.3 and ID3v2.4, WAV files with and without a tag.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for number in 0..12 {
        let samples = song(number, number, 1.0);
        let (name, bytes) = match number % 2 {
            0 => (format!("{number}.mp3"), mp3(&samples)),
            _ => (format!("{number}.wav"), wav(RATE, &samples)),
        };
        let path = folder.join(name);
        fs::write(&path, bytes).unwrap();
        if number == 0 {
            // What `WriteOptions` cannot write: a frame of ID3v2.4 in a tag of ID3v2.3, as other programs do.
            let tagged = [id3v23(&[("TPE1", "K\u{fc}nstler"), ("TSOP", "Sorted")]), fs::read(&path).unwrap()];
            fs::write(&path, tagged.concat()).unwrap();
        } else if number % 4 != 3 {
            let mut tag = Tag::new(TagType::Id3v2);
            tag.set_artist(format!("Künstler {number}"));
            tag.set_title("Title".into());
            tag.insert_text(ItemKey::RecordingDate, "1999-12-31".into());
            let mut options = WriteOptions::new();
            options.use_id3v23(number % 4 == 0);
            tag.save_to_path(&path, options).unwrap();
        }
        files.push(path);
    }
    files
}

/// A plan that gives each file a genre and a tempo.
fn plan(files: &[PathBuf], genres: &[&str]) -> String {
    let change = |field, new: &[&str]| Change {
        field,
        old: Vec::new(),
        new: new.iter().map(|value| (*value).to_owned()).collect(),
    };
    let line = |file: &PathBuf| {
        let planned = Planned {
            file: file.clone(),
            sha256: sha256_of(file).unwrap(),
            genre: "rock".into(),
            confidence: 0.9,
            changes: vec![change(Field::Genre, genres), change(Field::Bpm, &["128"])],
            kept: Vec::new(),
            tempo: None,
            seconds: 1.0,
            tags: Tags::default(),
        };
        serde_json::to_string(&planned).unwrap() + "\n"
    };
    files.iter().map(line).collect()
}

fn hashes(files: &[PathBuf]) -> Vec<String> {
    files.iter().map(|file| sha256_of(file).unwrap()).collect()
}

#[test]
fn only_the_named_fields_change_and_an_undo_restores_every_byte() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let files = files(folder);
    let before = hashes(&files);
    let old: Vec<Tags> = files.iter().map(|file| tags::read(file).unwrap()).collect();
    fs::write(folder.join("plan.json"), plan(&files, &["Rock/Classic", "Ceilidh"])).unwrap();
    // Without --write, nothing is written.
    let shown = cratedigger(folder, &["tag", "--plan", "plan.json"]);
    assert!(
        shown.status.success() && text(&shown.stdout).contains("Rock/Classic; Ceilidh"),
        "{}",
        text(&shown.stdout)
    );
    assert_eq!(hashes(&files), before);

    let written = cratedigger(folder, &["tag", "--plan", "plan.json", "--write", "--journal", "j"]);
    assert!(written.status.success(), "{}", text(&written.stderr));
    for (file, old) in files.iter().zip(old) {
        let new = tags::read(file).unwrap();
        assert_eq!(new.genres, ["Rock/Classic", "Ceilidh"], "{}", file.display());
        assert_eq!(new, Tags { genres: new.genres.clone(), bpm: Some("128".into()), ..old });
    }
    // ID3v2.3 has no frame for the artist's sort order.
    let told = text(&written.stderr);
    assert!(told.contains("/0.mp3: its tag is ID3v2.4 now, because ID3v2.3 cannot hold TSOP"), "{told}");
    assert_eq!(told.matches("ID3v2.4").count(), 1, "{told}");
    let again = cratedigger(folder, &["tag", "--plan", "plan.json", "--write", "--journal", "j"]);
    assert!(text(&again.stderr).contains("choose another file with --journal"), "{}", text(&again.stderr));

    fs::write(&files[3], "something else").unwrap();
    let undone = cratedigger(folder, &["tag", "--undo", "j"]);
    assert!(
        !undone.status.success() && text(&undone.stderr).contains("11 files restored"),
        "{}",
        text(&undone.stderr)
    );
    let after = hashes(&files);
    assert!((0..12).all(|file| (after[file] == before[file]) == (file != 3)));
    assert!(text(&cratedigger(folder, &["tag", "--undo", "plan.json"]).stderr).contains("is not a journal"));
}

#[cfg(unix)]
#[test]
fn a_file_that_cannot_be_written_is_told_and_the_others_go_on() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut files = files(folder);
    let long = folder.join("long.wav");
    fs::write(&long, wav(RATE, &song(1, 1, 30.0))).unwrap();
    files.push(long);
    fs::write(folder.join("plan.json"), plan(&files, &["Rock"])).unwrap();
    let before = hashes(&files);
    fs::set_permissions(&files[0], fs::Permissions::from_mode(0o444)).unwrap();
    fs::write(&files[1], wav(RATE, &song(5, 5, 1.0))).unwrap();
    fs::remove_file(&files[2]).unwrap();
    let changed = sha256_of(&files[1]).unwrap();
    // A limit on the size of files stands for a full disk: the long file does not fit.
    let line = "trap '' XFSZ; ulimit -f 400; exec \"$0\" tag --plan plan.json --write --journal j";
    let program = env!("CARGO_BIN_EXE_cratedigger");
    let written = Command::new("bash").args(["-c", line, program]).current_dir(folder).output().unwrap();
    let told = text(&written.stderr);
    assert!(!written.status.success() && told.contains("9 files written"), "{told}");
    for (name, why) in
        [("0.mp3", "read-only"), ("1.wav", "changed"), ("2.mp3", "opened"), ("long.wav", "copy")]
    {
        let line = told.lines().find(|line| line.contains(&format!("/{name}: ")));
        assert!(line.is_some_and(|line| line.contains(why)), "{name} {told}");
    }
    assert_eq!(sha256_of(&files[0]).unwrap(), before[0]);
    assert_eq!(sha256_of(&files[1]).unwrap(), changed);
    assert_eq!(sha256_of(&files[12]).unwrap(), before[12]);
    let left = fs::read_dir(folder)
        .unwrap()
        .filter(|file| file.as_ref().unwrap().file_name().to_string_lossy().starts_with(".cratedigger-"));
    assert_eq!(left.count(), 0);
}

#[test]
fn a_killed_program_leaves_every_file_old_or_new() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let files = files(folder);
    fs::write(folder.join("plan.json"), plan(&files, &["Rock"])).unwrap();
    let old = hashes(&files);
    let start = Instant::now();
    assert!(
        cratedigger(folder, &["tag", "--plan", "plan.json", "--write", "--journal", "whole"])
            .status
            .success()
    );
    let whole = start.elapsed();
    let new = hashes(&files);
    assert!(cratedigger(folder, &["tag", "--undo", "whole"]).status.success());
    let mut mixed = 0;
    for turn in 0..20_u32 {
        let journal = format!("j{turn}");
        let mut child = Command::new(env!("CARGO_BIN_EXE_cratedigger"))
            .args(["tag", "--plan", "plan.json", "--write", "--journal", &journal])
            .current_dir(folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let moment =
            Instant::now() + whole * turn / 20 + Duration::from_micros(u64::from(turn * 7919 % 1000));
        while Instant::now() < moment && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        let _ = child.kill();
        child.wait().unwrap();
        let found = hashes(&files);
        let is_new: Vec<bool> = found.iter().zip(&new).map(|(found, new)| found == new).collect();
        assert!((0..files.len()).all(|i| is_new[i] || found[i] == old[i]), "turn {turn}");
        mixed += u32::from(is_new.contains(&true) && is_new.contains(&false));
        if folder.join(&journal).metadata().is_ok_and(|data| data.len() > 0) {
            let undone = cratedigger(folder, &["tag", "--undo", &journal]);
            assert!(undone.status.success(), "{}", text(&undone.stderr));
        }
        assert_eq!(hashes(&files), old, "turn {turn}");
    }
    assert!(mixed > 0, "no turn ended in the middle");
}

/// Prints the tags of files as JSON, by mutagen: file to field to value.
const DUMP: &str = "
import json, sys, mutagen
out = {}
for name in sys.argv[1:]:
    tags = mutagen.File(name).tags or {}
    out[name] = {key: repr(tags[key]) for key in tags.keys()}
print(json.dumps(out))";

/// Adds tags of many kinds to files, by mutagen.
const DECORATE: &str = "
import sys, mutagen
from mutagen import id3, flac, mp4
for number, name in enumerate(sys.argv[1:]):
    f = mutagen.File(name)
    if f.tags is None: f.add_tags()
    if isinstance(f.tags, id3.ID3):
        f.tags.add(id3.TPE1(3, ['Ä %d' % number])); f.tags.add(id3.TXXX(3, 'Mood', ['calm', 'dark']))
        f.tags.add(id3.COMM(3, 'eng', 'note', 'kept')); f.tags.add(id3.APIC(3, 'image/png', 3, 'c', b'\\x89PNG' + bytes(9000)))
        f.tags.add(id3.PRIV('owner', b'\\x00\\xff')); f.tags.add(id3.TDRC(3, '2001-02-03')); f.tags.add(id3.TRCK(3, '3/9'))
        f.tags.add(id3.POPM(email='a@b', rating=196, count=7)); f.tags.add(id3.UFID('http://x', b'12'))
        version = 3 if number // 8 % 2 and name.endswith('mp3') else 4
        if version == 3: f.tags.update_to_v23()
        f.save(v2_version=version) if name.endswith('mp3') else f.save()
        continue
    if isinstance(f.tags, mp4.MP4Tags):
        f.tags['\\xa9ART'] = ['Ä', 'B']; f.tags['trkn'] = [(3, 9)]; f.tags['----:com.apple.iTunes:Mood'] = [b'calm', b'dark']
        f.tags['covr'] = [mp4.MP4Cover(b'\\x89PNG\\r\\n\\x1a\\n' + bytes(9000), 14)]; f.tags['cpil'] = True
        f.tags['\\xa9day'] = ['2001']; f.tags['tmpo'] = [90]
    else:
        f.tags['artist'] = ['Ä', 'B']; f.tags['mood'] = ['calm', 'dark']; f.tags['date'] = ['2001-02-03']
        f.tags['comment'] = ['kept']
        if isinstance(f, flac.FLAC):
            p = flac.Picture(); p.data = b'\\x89PNG' + bytes(9000); p.mime = 'image/png'; p.type = 3; f.add_picture(p)
    f.save()";

#[test]
#[ignore = "needs ffmpeg, and python3 with mutagen (CRATEDIGGER_PYTHON names another python)"]
fn two_hundred_files_of_all_formats_as_mutagen_reads_them() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let run = |program: &str, line: &[&str]| -> String {
        let done = Command::new(program).args(line).current_dir(folder).output().unwrap();
        assert!(done.status.success(), "{program} {line:?} {}", text(&done.stderr));
        text(&done.stdout)
    };
    let python = std::env::var("CRATEDIGGER_PYTHON").unwrap_or_else(|_| "python3".into());
    let formats = ["mp3", "flac", "ogg", "opus", "m4a", "aiff", "wav", "mp3"];
    let mut names = Vec::new();
    for number in 0..200 {
        let name = format!("{number:03}.{}", formats[number % formats.len()]);
        let sound = format!("sine=frequency={}:duration=1", 200 + number);
        run("ffmpeg", &["-v", "error", "-f", "lavfi", "-i", &sound, "-metadata", "title=A title", &name]);
        names.push(name);
    }
    // A quarter of the files keep what ffmpeg wrote.
    let decorated: Vec<&str> =
        names.iter().enumerate().filter(|(i, _)| i / 8 % 4 != 0).map(|(_, n)| n.as_str()).collect();
    run(&python, &[&["-c", DECORATE], decorated.as_slice()].concat());
    type Dump = BTreeMap<String, BTreeMap<String, String>>;
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    let dump = || -> Dump {
        serde_json::from_str(&run(&python, &[&["-c", DUMP], all.as_slice()].concat())).unwrap()
    };
    let payload = |name: &str| {
        run("ffmpeg", &["-v", "error", "-i", name, "-map", "0:a", "-c", "copy", "-f", "md5", "-"])
    };
    let payloads = || names.iter().map(|name| payload(name)).collect::<Vec<_>>();

    let files: Vec<PathBuf> = names.iter().map(|name| folder.join(name)).collect();
    let (before, sounds, bytes) = (dump(), payloads(), hashes(&files));
    fs::write(folder.join("plan.json"), plan(&files, &["Rock/Classic", "Ceilidh"])).unwrap();
    let written = cratedigger(folder, &["tag", "--plan", "plan.json", "--write", "--journal", "j"]);
    assert!(written.status.success(), "{}", text(&written.stderr));
    assert_eq!(payloads(), sounds);
    let named = ["TCON", "TBPM", "genre", "bpm", "GENRE", "BPM", "\u{a9}gen", "tmpo"];
    for (name, after) in dump() {
        for key in named {
            assert!(!before[&name].contains_key(key) || after.contains_key(key), "{name} {key}");
        }
        let genre = named
            .iter()
            .filter(|key| !key.to_lowercase().contains("bpm") && **key != "tmpo")
            .find_map(|key| after.get(*key));
        assert!(
            genre.is_some_and(|genre| genre.contains("Rock/Classic") && genre.contains("Ceilidh")),
            "{name} {genre:?}"
        );
        let others = |tags: &BTreeMap<String, String>| -> BTreeMap<String, String> {
            tags.iter()
                .filter(|(key, _)| !named.contains(&key.as_str()))
                .map(|(k, v)| (k.clone(), v.clone()))
                .collect()
        };
        assert_eq!(others(&before[&name]), others(&after), "{name}");
    }
    let undone = cratedigger(folder, &["tag", "--undo", "j"]);
    assert!(undone.status.success(), "{}", text(&undone.stderr));
    assert_eq!(hashes(&files), bytes);
}
