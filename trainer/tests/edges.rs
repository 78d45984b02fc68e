//! The program among others: pipes, closed pipes, full disks, odd names.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use common::{RATE, song, wav, wav_of};

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cratedigger"));
    command.args(arguments);
    command
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Two classes of three short songs each, in which an inspection finds no fault.
fn library(folder: &Path) -> String {
    for (class, genre) in [("dub", 2), ("swing", 0)] {
        fs::create_dir_all(folder.join(class)).unwrap();
        for clip in 0..3 {
            let path = folder.join(class).join(format!("{clip}.wav"));
            fs::write(path, wav(RATE, &song(genre, clip, 3.5))).unwrap();
        }
    }
    folder.join("dub/0.wav").to_str().unwrap().to_owned()
}

/// Runs a command with a FIFO in place of its last argument, into which `bytes` are written.
fn through_fifo(arguments: &[&str], bytes: &[u8], folder: &Path) -> Output {
    let fifo = folder.join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let mut arguments = arguments.to_vec();
    arguments.push(fifo.to_str().unwrap());
    let child = program(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Opening waits for the reader.
    File::options().write(true).open(&fifo).unwrap().write_all(bytes).unwrap();
    let output = child.wait_with_output().unwrap();
    fs::remove_file(&fifo).unwrap();
    output
}

fn through_stdin(arguments: &[&str], bytes: &[u8]) -> Output {
    let mut child = program(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn pipes_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = library(folder.path());
    let bytes = fs::read(&file).unwrap();
    let probabilities = |output: &Output| {
        assert!(output.status.success(), "{}", told(output));
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()["probabilities"].clone()
    };
    let wanted = probabilities(&program(&["classify", "--json", &file]).output().unwrap());
    assert_eq!(probabilities(&through_stdin(&["classify", "--json", "-"], &bytes)), wanted);
    assert_eq!(probabilities(&through_fifo(&["classify", "--json"], &bytes, folder.path())), wanted);
    let shell = format!("{} classify --json <(cat {file})", env!("CARGO_BIN_EXE_cratedigger"));
    let output = Command::new("bash").args(["-c", &shell]).output().unwrap();
    assert_eq!(probabilities(&output), wanted);

    let table = folder.path().join("table.csv");
    let out = table.to_str().unwrap();
    let row = |output: Output| {
        assert!(output.status.success(), "{}", told(&output));
        let text = fs::read_to_string(&table).unwrap();
        let cells: Vec<String> = text.lines().nth(1).unwrap().split(',').map(str::to_owned).collect();
        fs::remove_file(&table).unwrap();
        cells[1..59].to_vec()
    };
    let wanted = row(program(&["features", "--out", out, &file]).output().unwrap());
    assert_eq!(row(through_stdin(&["features", "--out", out, "-"], &bytes)), wanted);
    assert_eq!(row(through_fifo(&["features", "--out", out], &bytes, folder.path())), wanted);

    let seconds = |output: Output| {
        assert!(output.status.success(), "{}", told(&output));
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()["seconds"][0].clone()
    };
    let wanted = seconds(program(&["inspect", "--json", &file]).output().unwrap());
    assert_eq!(seconds(through_stdin(&["inspect", "--json", "-"], &bytes)), wanted);
    assert_eq!(seconds(through_fifo(&["inspect", "--json"], &bytes, folder.path())), wanted);

    let output = through_stdin(&["classify", "-"], b"no sound");
    assert_eq!(output.status.code(), Some(1));
    assert!(told(&output).contains("is not a sound file"), "{}", told(&output));
}

/// Every command that prints: its reader goes after the first byte, or before.
#[test]
fn a_closed_pipe_ends_quietly() {
    let folder = tempfile::tempdir().unwrap();
    let file = library(folder.path());
    let data = folder.path().to_str().unwrap();
    for arguments in [
        &["classify", data][..],
        &["classify", "--json", data],
        &["classify", "--format", "csv", data],
        &["classify", "--format", "table", &file],
        &["inspect", data],
        &["inspect", "--json", data],
        &["runs", data],
        &["classify", "--help"],
        &["--version"],
    ] {
        for read in [0, 1] {
            let mut child = program(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            let mut pipe = child.stdout.take().unwrap();
            let mut first = vec![0; read];
            pipe.read_exact(&mut first).unwrap();
            drop(pipe);
            let output = child.wait_with_output().unwrap();
            let code = output.status.code();
            assert!(matches!(code, Some(0 | 141)), "{arguments:?} ends with {code:?}: {}", told(&output));
            assert!(output.stderr.is_empty(), "{arguments:?}: {}", told(&output));
        }
    }
    // Nobody reads the messages, either.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let status =
        program(&["classify", "no/such.wav", "--json"]).stdout(Stdio::null()).stderr(writer).status();
    assert_eq!(status.unwrap().code(), Some(1));
}

#[test]
fn a_full_disk_is_one_message() {
    let folder = tempfile::tempdir().unwrap();
    let file = library(folder.path());
    let data = folder.path().to_str().unwrap();
    let full = || File::options().write(true).open("/dev/full").unwrap();
    for arguments in [
        &["classify", data][..],
        &["classify", "--json", data],
        &["classify", "--format", "csv", data],
        &["classify", "--format", "table", &file],
        &["inspect", data],
        &["runs", data],
    ] {
        let output = program(arguments).stdout(full()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let text = told(&output);
        assert_eq!(text.matches("No space left").count(), 1, "{arguments:?}: {text}");
        assert_eq!(text.lines().count(), 1, "{arguments:?}: {text}");
        // Messages that cannot be written change nothing.
        let output = program(arguments).stderr(full()).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
    }
    let output = program(&["split", data, "--out", "/dev/full"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(told(&output).matches("No space left").count(), 1, "{}", told(&output));
    assert_eq!(told(&output).lines().count(), 1, "{}", told(&output));
}

#[test]
fn a_cause_is_told_once() {
    for arguments in [
        &["classify", "no/such.wav"][..],
        &["features", "no/such.wav", "--out", "x.csv"],
        &["compare", "no/such.json"],
        &["evaluate", "no/such", "--data", "no/data"],
        &["export", "no/such"],
        &["inspect", "no/such.wav"],
    ] {
        let output = program(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let text = told(&output) + &String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("no/such"), "{text}");
        for line in text.lines() {
            assert!(line.matches("No such file").count() <= 1, "{line}");
        }
    }
}

/// A spreadsheet runs cells that begin with a sign.
#[test]
fn no_cell_is_a_formula() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("@home")).unwrap();
    for name in ["=1+1.wav", "-song.wav", "@home/+a.wav", "plain.wav", "=bad.wav"] {
        let bytes = if name == "=bad.wav" { b"no sound".to_vec() } else { wav(RATE, &song(0, 0, 1.0)) };
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    let names = ["=1+1.wav", "-song.wav", "@home/+a.wav", "plain.wav", "=bad.wav"];
    let output =
        program(&["classify", "--format", "csv", "--"]).args(names).current_dir(folder.path()).output();
    let text = String::from_utf8(output.unwrap().stdout).unwrap();
    let first: Vec<&str> = text.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(first, ["'=1+1.wav", "'-song.wav", "'@home/+a.wav", "plain.wav", "'=bad.wav"]);

    let output =
        program(&["features", "--out", "t.csv", "--"]).args(&names[..4]).current_dir(folder.path()).output();
    assert!(output.unwrap().status.success());
    let text = fs::read_to_string(folder.path().join("t.csv")).unwrap();
    for line in text.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        for cell in [cells[0], cells[59]] {
            assert!(!cell.starts_with(['=', '+', '-', '@']), "{cell}");
        }
    }
    assert!(text.contains("'+a.wav") && text.contains(",'@home\n"), "{text}");
}

/// What the decoder mended is said wherever the file is shown.
#[test]
fn notes_are_shown() {
    let folder = tempfile::tempdir().unwrap();
    library(folder.path());
    let samples = song(0, 9, 4.0);
    let data: Vec<u8> = samples.iter().flat_map(|s| s.to_le_bytes()).collect();
    let mut bytes = wav_of(1, 16, 1, RATE, &data);
    bytes[40..44].copy_from_slice(&(data.len() as u32 / 4).to_le_bytes());
    let path = folder.path().join("dub/odd.wav");
    fs::write(&path, bytes).unwrap();
    let (file, says) = (path.to_str().unwrap(), "claims 1.0 s, but the file holds 4.0 s");
    for arguments in [
        &["classify", file][..],
        &["classify", "--json", file],
        &["classify", "--format", "csv", file],
        &["classify", "--format", "table", file],
        &["inspect", folder.path().to_str().unwrap()],
        &["inspect", "--json", folder.path().to_str().unwrap()],
    ] {
        let output = program(arguments).output().unwrap();
        let text = String::from_utf8(output.stdout.clone()).unwrap();
        assert_eq!(text.matches(says).count(), 1, "{arguments:?}: {text} {}", told(&output));
    }
    let table = folder.path().join("t.csv");
    let output = program(&["features", file, "--out", table.to_str().unwrap()]).output().unwrap();
    assert!(told(&output).contains(says), "{}", told(&output));
    let text = fs::read_to_string(&table).unwrap();
    let length: usize = text.lines().nth(1).unwrap().split(',').nth(1).unwrap().parse().unwrap();
    assert_eq!(length, 4 * 22_050);
}
