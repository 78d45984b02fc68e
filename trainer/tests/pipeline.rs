//! Data to trained network to answer, on audio that the test makes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use cratedigger_trainer::config::Config;
use cratedigger_trainer::data::{Dataset, Source};
use cratedigger_trainer::evaluate::{Loaded, evaluate};
use cratedigger_trainer::partition::Part;
use cratedigger_trainer::split::{Protocol, Split, clips_of};
use cratedigger_trainer::train::{Options, train};
use cratedigger_zoo::{GTZAN_GENRES, Recipe};
use serde_json::Value;

const RATE: u32 = 11_025;
const CLIPS: usize = 10;

/// A "genre" is a level of noise under a steady or a pulsed chord: textures, which are what a
/// network with global pooling tells apart, and no two clips the same.
fn song(genre: usize, clip: usize, seconds: f64) -> Vec<i16> {
    let mut noise = (genre * 1000 + clip) as u32;
    let hiss_level = 0.002 * 5.0_f64.powi((genre / 2) as i32);
    (0..(seconds * f64::from(RATE)) as usize)
        .map(|n| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let hiss = f64::from(noise >> 16) / 32_768.0 - 1.0;
            let t = n as f64 / f64::from(RATE);
            let pitch = 300.0 * (1.0 + 0.02 * clip as f64);
            let chord: f64 = (1..6).map(|k| (std::f64::consts::TAU * pitch * f64::from(k) * t).sin()).sum();
            let pulse = if genre.is_multiple_of(2) || (t * 3.0).fract() < 0.5 { 1.0 } else { 0.0 };
            (pulse * (0.2 * chord + hiss_level * hiss) * 8000.0) as i16
        })
        .collect()
}

fn wav(samples: &[i16]) -> Vec<u8> {
    let data = samples.len() as u32 * 2;
    let mut bytes = Vec::new();
    for part in [&b"RIFF"[..], &(36 + data).to_le_bytes(), b"WAVEfmt ", &16_u32.to_le_bytes()] {
        bytes.extend_from_slice(part);
    }
    for part in [1_u16, 1] {
        bytes.extend_from_slice(&part.to_le_bytes());
    }
    for part in [RATE, RATE * 2] {
        bytes.extend_from_slice(&part.to_le_bytes());
    }
    for part in [2_u16, 16] {
        bytes.extend_from_slice(&part.to_le_bytes());
    }
    bytes.extend_from_slice(b"data");
    bytes.extend_from_slice(&data.to_le_bytes());
    samples.iter().for_each(|s| bytes.extend_from_slice(&s.to_le_bytes()));
    bytes
}

/// Kaggle's layout, with one corrupt and one empty file among the clips.
fn data_set(folder: &Path) {
    for (genre, name) in GTZAN_GENRES.iter().enumerate() {
        let folder = folder.join("genres_original").join(name);
        fs::create_dir_all(&folder).unwrap();
        for clip in 0..CLIPS {
            let bytes = match (*name, clip) {
                ("jazz", 4) => b"this is no audio".to_vec(),
                ("rock", 5) => Vec::new(),
                _ => wav(&song(genre, clip, 3.5)),
            };
            fs::write(folder.join(format!("{name}.{clip:05}.wav")), bytes).unwrap();
        }
    }
}

const CONFIG: &str = r#"
name = "tiny"
[recipe]
revision = 1
sample_rate = 22050
n_fft = 2048
hop_length = 512
n_mels = 128
fmin = 0.0
fmax = 11025.0
frames_per_column = [1291, 386]
columns = 39
segment_seconds = 3.0
top_db = 70.0
[architecture]
kind = "cnn"
dropout = 0.1
blocks = [{ channels = 8, stride = [2, 2], pool = [2, 2] }, { channels = 16, pool = [2, 2] }]
[training]
epochs = 12
patience = 12
crops_per_clip = 4
learning_rate = 2e-2
label_smoothing = 0.0
mixup = 0.1
[augmentation]
frequency_masks = 1
frequency_mask_bands = 4
tilt_db = 1.0
"#;

fn options(folder: PathBuf, config: &Config) -> Options {
    Options {
        config: config.clone(),
        folder,
        seed: 3,
        protocol: Protocol::Track,
        command: "cratedigger train tiny.toml --seed 3 --split track".into(),
        resume: false,
        pause_after: None,
        cancelled: Arc::new(AtomicBool::new(false)),
    }
}

fn run(arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_cratedigger")).args(arguments).output().unwrap();
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

/// One test for the whole path, because each step needs the one before.
#[test]
fn trains_resumes_evaluates_exports_and_classifies() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let text = |path: PathBuf| path.to_str().unwrap().to_owned();
    data_set(folder.path());
    fs::write(at("tiny.toml"), CONFIG).unwrap();
    let config = Config::read(&at("tiny.toml")).unwrap();
    let open = || Dataset::open(folder.path(), false).unwrap();
    // The file also holds random names of its tensors, so the weights are compared by what they say.
    let logits = |name: &str| Loaded::open(&at(name)).unwrap().manifest.models.remove(0).golden.logits;

    // Bad files are named and counted, and nothing else is lost.
    let mut data = open();
    let whole = train(&options(at("whole"), &config), &mut data).unwrap();
    let mut skipped: Vec<&str> = data.skipped.iter().map(|(clip, _)| clip.as_str()).collect();
    skipped.sort_unstable();
    assert_eq!(skipped, ["jazz.00004", "rock.00005"]);
    assert_eq!(data.clips.len(), 98);

    // The same seed gives the same weights, whether or not the run was stopped in between.
    let mut first_half = options(at("halves"), &config);
    first_half.pause_after = Some(5);
    let paused = train(&first_half, &mut open()).unwrap();
    assert_eq!((paused.epochs_done, paused.finished), (5, false));
    let again = train(&first_half, &mut open()).unwrap_err().to_string();
    assert!(again.contains("--resume"), "{again}");
    let resumed = train(&Options { resume: true, ..options(at("halves"), &config) }, &mut open()).unwrap();
    assert_eq!(resumed, whole);
    assert_eq!(logits("whole"), logits("halves"), "bit for bit");
    // ... and with another seed it is another run, which must not be mixed with this one.
    let other = Options { seed: 4, resume: true, ..options(at("halves"), &config) };
    assert!(train(&other, &mut open()).unwrap_err().to_string().contains("another seed"));

    // It has learned: these textures are no hard task.
    let run_folder = text(at("whole"));
    let data_folder = text(folder.path().to_path_buf());
    let (code, out, err) =
        run(&["evaluate", &run_folder, "--data", &data_folder, "--split", "track", "--json"]);
    assert_eq!(code, 0, "{err}");
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["protocol"], "track");
    assert_eq!(report["track"]["n"], 10);
    assert!(report["track"]["accuracy"].as_f64().unwrap() >= 0.6, "{out}");
    assert_eq!(report["segment"]["n"], 10);
    assert_eq!(report["seen_in_training"], 0);
    let rows: Vec<u64> = report["track"]["confusion"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row.as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).sum())
        .collect();
    assert_eq!(rows, [1; 10]);
    assert_eq!(report["models"][0], "tiny");
    // Measured on what it has seen, it says so.
    let (_, out, err) =
        run(&["evaluate", &run_folder, "--data", &data_folder, "--split", "track", "--seed", "9", "--json"]);
    let report: Value = serde_json::from_str(&out).unwrap();
    assert!(report["seen_in_training"].as_u64().unwrap() > 0 && err.contains("warning"), "{out} {err}");

    // Export, and use what was exported.
    let models = text(at("models"));
    let (code, _, err) = run(&["export", &run_folder, "--data", &data_folder, "--to", &models]);
    assert_eq!(code, 0, "{err}");
    let manifest: Value =
        serde_json::from_slice(&fs::read(at("models").join("manifest.json")).unwrap()).unwrap();
    let entry = &manifest["models"][0];
    assert_eq!(entry["training"]["seed"], 3);
    assert_eq!(entry["metrics"][0]["n"], 10);
    assert_eq!(entry["golden"]["logits"].as_array().unwrap().len(), 10);
    for model in [models.clone(), text(at("models").join("tiny.bpk"))] {
        let evaluation = evaluate(
            &Loaded::open(Path::new(&model)).unwrap(),
            &mut open(),
            Protocol::Track,
            None,
            &|_, _| (),
        )
        .unwrap();
        assert_eq!(evaluation.track.accuracy, entry["metrics"][0]["accuracy"].as_f64().unwrap());
    }

    let good = text(at("genres_original/metal/metal.00001.wav"));
    let bad = text(at("genres_original/jazz/jazz.00004.wav"));
    let missing = text(at("nowhere.wav"));
    let (code, out, err) = run(&["classify", "--model", &models, "--json", &bad, &good, &missing]);
    assert_eq!(code, 1);
    assert!(err.contains("2 of 3 files failed"), "{err}");
    let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3);
    for (line, file) in [(&lines[0], &bad), (&lines[2], &missing)] {
        assert_eq!(line["file"], **file);
        assert!(line["error"].as_str().is_some_and(|e| !e.is_empty()));
    }
    assert_eq!(lines[1]["file"], *good);
    assert!((lines[1]["seconds"].as_f64().unwrap() - 3.5).abs() < 1e-3);
    let probabilities = lines[1]["probabilities"].as_object().unwrap();
    assert_eq!(probabilities.len(), 10);
    let total: f64 = probabilities.values().map(|p| p.as_f64().unwrap()).sum();
    assert!((total - 1.0).abs() < 1e-5);
    let likeliest =
        probabilities.iter().max_by(|a, b| a.1.as_f64().unwrap().total_cmp(&b.1.as_f64().unwrap()));
    assert_eq!(lines[1]["genre"], *likeliest.unwrap().0);
    let segments = lines[1]["segments"].as_array().unwrap();
    assert_eq!(segments.len(), 1);
    assert_eq!((&segments[0]["start"], &segments[0]["end"]), (&0.0.into(), &3.0.into()));
    assert_eq!(lines[1]["models"][0], "tiny");

    // Wrong arguments are 2.
    assert_eq!(run(&["classify"]).0, 2);
    assert_eq!(run(&["evaluate", &models, "--data", &data_folder, "--split", "none"]).0, 2);
    // A good file alone is 0, with the networks that are built in, too.
    assert_eq!(run(&["classify", &good]).0, 0);
}

#[test]
fn the_array_layout_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(
        at("clips.csv"),
        "clip,genre,fault_filtered_split,audio,seconds,note\n\
         rock.00001,rock,test,,30,\nblues.00000,blues,train,,30,\njazz.00054,jazz,valid,yes,3.5,\nmetal.00009,metal,,,30,\n",
    )
    .unwrap();
    fs::write(at("mel128.csv"), "row,clip,genre\n0,blues.00000,blues\n1,rock.00001,rock\n").unwrap();
    let (bands, columns) = (128_usize, 60_usize);
    let mut npy = b"\x93NUMPY\x01\x00".to_vec();
    let mut header =
        format!("{{'descr': '|u1', 'fortran_order': False, 'shape': (2, {bands}, {columns}), }}");
    header += &" ".repeat(63 - (10 + header.len()) % 64);
    header.push('\n');
    npy.extend_from_slice(&(header.len() as u16).to_le_bytes());
    npy.extend_from_slice(header.as_bytes());
    npy.extend((0..2 * bands * columns).map(|i| (i % 251) as u8));
    let mut archive = zip::ZipWriter::new(fs::File::create(at("mel128.npz")).unwrap());
    archive.start_file("mel.npy", zip::write::SimpleFileOptions::default()).unwrap();
    archive.write_all(&npy).unwrap();
    archive.finish().unwrap();
    fs::create_dir_all(at("audio/jazz")).unwrap();
    fs::write(at("audio/jazz/jazz.00054.wav"), wav(&song(5, 0, 3.5))).unwrap();

    let mut data = Dataset::open(folder.path(), false).unwrap();
    let found: Vec<(&str, usize, Option<Part>)> =
        data.clips.iter().map(|c| (c.id.as_str(), c.genre, c.part)).collect();
    assert_eq!(
        found,
        [
            ("blues.00000", 0, Some(Part::Train)),
            ("jazz.00054", 5, Some(Part::Valid)),
            ("rock.00001", 9, Some(Part::Test))
        ]
    );
    assert_eq!(data.skipped.len(), 1, "metal.00009 has neither array nor audio");
    data.load_columns(&Recipe::log_mel_3s(), |_| ()).unwrap();
    let Source::Columns(rock) = &data.clips[2].source else { panic!("an array") };
    assert_eq!((rock.bands, rock.columns), (bands, columns));
    // 0 is −80 dB and 255 is 0 dB; the second row of the array begins where the first ends.
    let value = ((bands * columns) % 251) as f32;
    assert!((rock.db[0] - (value / 255.0 * 80.0 - 80.0)).abs() < 1e-4);
    let Source::Columns(jazz) = &data.clips[1].source else { panic!("loaded audio") };
    assert_eq!(jazz.columns, 46); // 1 + 77175/512 = 151 frames, one column every 3.34
    // An array that is cut short is an error in words.
    fs::write(at("mel128.npz"), &fs::read(at("mel128.npz")).unwrap()[..400]).unwrap();
    assert!(Dataset::open(folder.path(), false).unwrap_err().to_string().contains("mel128.npz"));
}

#[test]
fn unknown_keys_and_senseless_values_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    for (from, to, word) in [
        ("epochs = 12", "epochs = 12\nepochz = 7", "epochz"),
        ("epochs = 12", "epochs = 0", "epochs"),
        ("revision = 1", "revision = 99", "99"),
        ("channels = 16, pool = [2, 2]", "channels = 16, pool = [200, 2]", "block 1"),
        ("name = \"tiny\"", "name = \"../tiny\"", "name"),
    ] {
        fs::write(&path, CONFIG.replace(from, to)).unwrap();
        let error = format!("{:#}", Config::read(&path).unwrap_err());
        assert!(error.contains(word), "{error}");
    }
}

mod splits {
    use super::*;
    use cratedigger_trainer::data::Clip;
    use proptest::prelude::*;

    fn clips(of: &[usize]) -> Vec<Clip> {
        of.iter()
            .enumerate()
            .flat_map(|(genre, &n)| {
                (0..n).map(move |i| Clip {
                    id: format!("{}.{i:05}", GTZAN_GENRES[genre]),
                    genre,
                    part: None,
                    source: Source::Audio(PathBuf::new()),
                })
            })
            .collect()
    }

    proptest! {
        /// A clip that could not be read must not reshuffle the others: that would be a leak
        /// between a training run and its evaluation.
        #[test]
        fn hardly_change_when_a_clip_goes(n in 20_usize..40, gone in 0_usize..20, seed: u64) {
            let all = clips(&[n]);
            let mut fewer = all.clone();
            fewer.remove(gone);
            let test = |clips: &[Clip]| -> std::collections::BTreeSet<String> {
                let split = Split::new(Protocol::Track, seed, clips, &vec![1; clips.len()]).unwrap();
                clips_of(&split.test).into_iter().map(|c| clips[c].id.clone()).collect()
            };
            prop_assert!(test(&all).symmetric_difference(&test(&fewer)).count() <= 2);
        }

        /// Disjoint, complete, stratified, the same under the same seed, and whole clips apart
        /// where that is promised.
        #[test]
        fn hold(of in prop::collection::vec(10_usize..40, 2..10), segments in 1_usize..11, seed: u64) {
            let clips = clips(&of);
            let counts = vec![segments; clips.len()];
            for protocol in [Protocol::Track, Protocol::Segment] {
                let split = Split::new(protocol, seed, &clips, &counts).unwrap();
                prop_assert_eq!(&split, &Split::new(protocol, seed, &clips, &counts).unwrap());
                let mut all: Vec<_> =
                    [&split.train, &split.valid, &split.test].into_iter().flatten().copied().collect();
                all.sort_unstable();
                let expected: Vec<_> = (0..clips.len()).flat_map(|c| (0..segments).map(move |s| (c, s))).collect();
                prop_assert_eq!(all, expected);
                prop_assert_eq!(split.check_clips_apart(&clips).is_ok(), protocol == Protocol::Track || segments == 1);
                if protocol == Protocol::Track {
                    for (genre, n) in of.iter().enumerate() {
                        let tested = clips_of(&split.test).iter().filter(|&&c| clips[c].genre == genre).count();
                        prop_assert_eq!(tested, n.div_ceil(10));
                    }
                }
            }
        }
    }
}
