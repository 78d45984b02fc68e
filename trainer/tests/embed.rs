//! `cratedigger embed`: its tables hold what the library computes.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::{RATE, song, wav};
use cratedigger_trainer::data::signals;
use cratedigger_trainer::eval::classify::built_in;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::{ListAccessor as _, RowAccessor as _};

/// A row of a table: path, level, start, duration, embedding.
type Row = (String, String, f64, f64, Vec<f32>);

fn embed(paths: &[&Path], out: &Path) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cratedigger"));
    command.env("XDG_CACHE_HOME", out.with_file_name("cache"));
    let output = command.arg("embed").args(paths).arg("--out").arg(out).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

/// Rows by the library: of the song, then of its segments that are not silent.
fn expected(path: &Path) -> Vec<Row> {
    let mut analyser = built_in().unwrap().analyser().unwrap();
    let (signals, seconds) = signals(path, analyser.sample_rates()).unwrap();
    let rate = f64::from(analyser.sample_rate());
    let segments = analyser.segments(signals.at(analyser.sample_rate()).len());
    let values = pollster::block_on(analyser.embedding(&signals, &segments)).unwrap();
    let name = path.to_str().unwrap().to_owned();
    let rows: Vec<Row> = segments
        .iter()
        .zip(values)
        .filter_map(|(segment, values)| {
            let (start, end) = (segment.start as f64 / rate, segment.end as f64 / rate);
            Some((name.clone(), "segment".into(), start, end - start, values?))
        })
        .collect();
    // The song is the mean of its music, or of everything if nothing is music.
    let predictions = pollster::block_on(analyser.predict(&signals, &segments)).unwrap();
    let is_music = predictions.iter().flatten().map(|p| !analyser.non_music(&p.non_music).unwrap().rejected);
    let is_music: Vec<bool> = is_music.collect();
    let music: Vec<&Row> = rows
        .iter()
        .zip(&is_music)
        .filter(|(_, m)| **m || !is_music.contains(&true))
        .map(|(row, _)| row)
        .collect();
    let mean =
        (0..rows[0].4.len()).map(|i| music.iter().map(|row| row.4[i]).sum::<f32>() / music.len() as f32);
    [vec![(name.clone(), "song".into(), 0.0, seconds, mean.collect())], rows].concat()
}

fn assert_equal(found: &[Row], expected: &[Row]) {
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().zip(expected) {
        assert_eq!((&a.0, &a.1), (&b.0, &b.1));
        assert!((a.2 - b.2).abs() < 1e-9 && (a.3 - b.3).abs() < 1e-9, "{} {}", a.2, a.3);
        assert_eq!(a.4.len(), 200);
        assert!(a.4.iter().zip(&b.4).all(|(x, y)| (x - y).abs() < 1e-4), "{} {}", a.0, a.1);
    }
}

#[test]
fn tables_hold_the_embeddings_of_songs_and_segments() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("a.wav"), wav(RATE, &song(3, 1, 7.0))).unwrap();
    // Segments in the middle are silent.
    let paused = [song(6, 2, 3.0), vec![0; 9 * RATE as usize], song(6, 2, 3.0)].concat();
    fs::write(at("b.wav"), wav(RATE, &paused)).unwrap();
    fs::write(at("c.wav"), "no audio").unwrap();
    let rows = [expected(&at("a.wav")), expected(&at("b.wav"))].concat();
    // The song, and fewer than its five segments.
    assert!((3..6).contains(&rows.iter().filter(|row| row.0.ends_with("b.wav")).count()));

    let (code, err) = embed(&[&at("a.wav"), &at("b.wav")], &at("all.parquet"));
    assert_eq!(code, 0, "{err}");
    let reader = SerializedFileReader::new(fs::File::open(at("all.parquet")).unwrap()).unwrap();
    let found: Vec<Row> = reader
        .get_row_iter(None)
        .unwrap()
        .map(|row| {
            let row = row.unwrap();
            let list = row.get_list(4).unwrap();
            let values = (0..list.len()).map(|i| list.get_float(i).unwrap()).collect();
            let text = |i| row.get_string(i).unwrap().clone();
            (text(0), text(1), row.get_double(2).unwrap(), row.get_double(3).unwrap(), values)
        })
        .collect();
    assert_equal(&found, &rows);

    // A file that cannot be read costs only its own rows.
    let (code, err) = embed(&[folder.path()], &at("all.npy"));
    assert_eq!(code, 1);
    assert!(err.contains("c.wav") && err.contains(&format!("{} rows of 2 files", rows.len())), "{err}");
    let array = npyz::NpyFile::new(fs::File::open(at("all.npy")).unwrap()).unwrap();
    assert_eq!(array.shape(), [rows.len() as u64, 200]);
    let values: Vec<f32> = array.into_vec().unwrap();
    let mut labels = csv::Reader::from_path(at("all.csv")).unwrap();
    let found: Vec<Row> = labels
        .records()
        .zip(values.chunks_exact(200))
        .map(|(label, values)| {
            let label = label.unwrap();
            let [start, duration] = [2, 3].map(|i| label[i].parse().unwrap());
            (label[0].into(), label[1].into(), start, duration, values.to_vec())
        })
        .collect();
    assert_equal(&found, &rows);

    let (code, err) = embed(&[&at("a.wav")], &at("all.txt"));
    assert!(code == 1 && err.contains(".parquet or .npy"), "{err}");
}
