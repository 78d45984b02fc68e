//! `cratedigger teach` and `cratedigger alike`, from files to results.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use common::{RATE, song, wav};
use serde_json::Value;

fn cratedigger(folder: &Path, line: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cratedigger"))
        .args(line)
        .current_dir(folder)
        .env("XDG_CACHE_HOME", folder.join("cache"))
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Two classes of four songs, and a song of each that is not among them.
fn music(folder: &Path) {
    for (class, genre) in [("pulsed", 9), ("steady", 0)] {
        fs::create_dir_all(folder.join("music").join(class)).unwrap();
        for clip in 0..5 {
            let place = if clip < 4 { format!("music/{class}/{clip}.wav") } else { format!("{class}.wav") };
            fs::write(folder.join(place), wav(RATE, &song(genre, clip, 6.5))).unwrap();
        }
    }
}

#[test]
fn taught_classes_are_recognised_by_classify() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    music(folder);
    let taught = cratedigger(folder, &["teach", "music", "--out", "mine", "--json"]);
    assert!(taught.status.success(), "{}", text(&taught.stderr));
    let report: Value = serde_json::from_slice(&taught.stdout).unwrap();
    assert_eq!((&report["songs"], &report["accuracy"]), (&8.into(), &1.0.into()), "{report}");
    assert_eq!(report["classes"][1], serde_json::json!({"name": "steady", "songs": 4, "correct": 4}));

    let line = ["classify", "--model", "mine", "--json", "pulsed.wav", "steady.wav"];
    let found = cratedigger(folder, &line);
    assert!(found.status.success(), "{}", text(&found.stderr));
    let genres: Vec<String> = text(&found.stdout)
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["genre"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(genres, ["pulsed", "steady"]);

    // The same songs from the cache give the same weights.
    let weights = fs::read_to_string(folder.join("mine/manifest.json")).unwrap();
    let again = cratedigger(folder, &["teach", "music", "--out", "mine"]);
    assert!(
        again.status.success() && text(&again.stdout).contains("100.0 % of 8 songs"),
        "{}",
        text(&again.stdout)
    );
    let of =
        |json: &str| -> Value { serde_json::from_str::<Value>(json).unwrap()["models"][0]["golden"].clone() };
    assert_eq!(of(&weights), of(&fs::read_to_string(folder.join("mine/manifest.json")).unwrap()));

    fs::remove_file(folder.join("music/steady/0.wav")).unwrap();
    fs::remove_file(folder.join("music/steady/1.wav")).unwrap();
    let few = cratedigger(folder, &["teach", "music", "--out", "few"]);
    assert!(
        !few.status.success() && text(&few.stderr).contains("steady has 2 songs"),
        "{}",
        text(&few.stderr)
    );
    assert!(!folder.join("few").exists());
}

#[test]
fn similar_songs_come_first() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    music(folder);
    for table in ["e.parquet", "e.npy"] {
        let embedded = cratedigger(folder, &["embed", "music", "--out", table]);
        assert!(embedded.status.success(), "{}", text(&embedded.stderr));
        // A song outside of the table, and one that is in it, under another path.
        for (song, count) in [("pulsed.wav", 4), ("./music/pulsed/1.wav", 3)] {
            let found = cratedigger(folder, &["alike", song, "--among", table, "--json"]);
            let lines: Vec<Value> =
                text(&found.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            assert_eq!(lines.len(), 4 + count, "{}", text(&found.stderr));
            for (place, line) in lines.iter().enumerate() {
                let file = line["file"].as_str().unwrap();
                assert_eq!(file.contains("pulsed"), place < count, "{song} {lines:?}");
            }
        }
    }
    let line = ["alike", "pulsed.wav", "--among", "e.parquet", "--count", "3", "--playlist", "list.m3u8"];
    assert!(cratedigger(folder, &line).status.success());
    let list = fs::read_to_string(folder.join("list.m3u8")).unwrap();
    let paths: Vec<&str> = list.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(
        paths.len() == 4 && paths[0].ends_with("/pulsed.wav") && Path::new(paths[1]).is_absolute(),
        "{list}"
    );
    let wrong = cratedigger(folder, &["alike", "pulsed.wav", "--among", "music/pulsed/1.wav"]);
    assert!(text(&wrong.stderr).contains(".parquet or .npy"), "{}", text(&wrong.stderr));
}
