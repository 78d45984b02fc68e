//! `cratedigger classify --sections`: sections cover the file, and each format has the same ones.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::process::{Command, Output};

use common::{RATE, song, wav};

fn classify(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cratedigger")).arg("classify").args(arguments).output().unwrap()
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn sections_cover_the_file_and_silence_is_one_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mix.wav");
    // Twelve seconds of sound, fifteen of silence, nine of sound.
    let mut samples = song(1, 0, 12.0);
    samples.extend(vec![0; 15 * RATE as usize]);
    samples.extend(song(6, 0, 9.0));
    fs::write(&file, wav(RATE, &samples)).unwrap();
    let file = file.to_str().unwrap();

    let json: serde_json::Value = serde_json::from_str(&text(&classify(&["--json", file]))).unwrap();
    let sections = json["sections"].as_array().unwrap();
    let time = |section: &serde_json::Value, key: &str| section[key].as_f64().unwrap();
    assert_eq!(time(&sections[0], "start"), 0.0);
    assert!(sections.windows(2).all(|pair| time(&pair[0], "end") == time(&pair[1], "start")));
    assert!((time(sections.last().unwrap(), "end") - 36.0).abs() < 0.01);
    let silence: Vec<_> = sections.iter().filter(|section| section["label"] == "silence").collect();
    assert_eq!(silence.len(), 1);
    assert!((time(silence[0], "start") - 12.0).abs() <= 3.0 && (time(silence[0], "end") - 27.0).abs() <= 3.0);

    let csv = text(&classify(&["--sections", "csv", file]));
    let rows: Vec<Vec<&str>> = csv.lines().skip(1).map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), sections.len());
    for (row, section) in rows.iter().zip(sections) {
        assert!((row[0].parse::<f64>().unwrap() - time(section, "start")).abs() < 1e-3);
        assert_eq!(row[2], section["label"]);
    }
    assert_eq!(text(&classify(&["--sections", "audacity", file])).lines().count(), rows.len());

    // Several files need a folder. Songs with one name get different files.
    let second = folder.path().join("other");
    fs::create_dir(&second).unwrap();
    let second = second.join("mix.wav");
    fs::copy(file, &second).unwrap();
    let both = ["--sections", "cue", file, second.to_str().unwrap()];
    let refused = classify(&both);
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--out DIR"));
    let out = folder.path().join("cues");
    text(&classify(&[&both[..], &["--out", out.to_str().unwrap()]].concat()));
    let cue = fs::read_to_string(out.join("mix.cue")).unwrap();
    assert!(cue.starts_with("FILE \"mix.wav\" WAVE\n  TRACK 01 AUDIO\n"), "{cue}");
    assert_eq!(cue, fs::read_to_string(out.join("mix (2).cue")).unwrap());
}
