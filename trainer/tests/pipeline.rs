//! Data to trained network to answer, on audio that the test makes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use burn::store::{BurnpackStore, ModuleStore as _};
use cratedigger_trainer::config::Config;
use cratedigger_trainer::data::Dataset;
use cratedigger_trainer::device::Devices;
use cratedigger_trainer::evaluate::{Loaded, Measure, evaluate, plan_of};
use cratedigger_trainer::material::{Loader, Origin, Version};
use cratedigger_trainer::partition::Part;
use cratedigger_trainer::split::{Group, IndexFile, Protocol, Split, SplitPlan, clips_of};
use cratedigger_trainer::train::{Options, train};
use cratedigger_zoo::{GTZAN_GENRES, InputSpec};
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
seed = 3
[data]
split = "track"
test_share = 0.1
[[inputs]]
kind = "log-mel"
[network]
kind = "cnn"
dropout = 0.1
blocks = [{ channels = 8, stride = [2, 2], pool = [2, 2] }, { channels = 16, pool = [2, 2] }]
[training]
epochs = 12
patience = 12
crops_per_clip = 4
learning_rate = 2e-2
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
        command: "cratedigger train tiny.toml --data DATA".into(),
        resume: false,
        pause_after: None,
        devices: Devices::default(),
        cache: None,
        tui: false,
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
    let config = Config::read(&at("tiny.toml"), &[]).unwrap();
    let open = || Dataset::open(folder.path()).unwrap();
    // The file also holds random names of its tensors, so the weights are compared by what they say.
    let logits = |name: &str| Loaded::open(&at(name)).unwrap().manifest.models.remove(0).golden.logits;

    // Bad files are named and counted, and nothing else is lost.
    let mut data = open();
    let whole = train(&options(at("whole"), &config), &mut data).unwrap();
    let mut skipped: Vec<&str> = data.skipped.iter().map(|(clip, _)| clip.as_str()).collect();
    skipped.sort_unstable();
    // ... of those that it has looked at: test clips are not even opened.
    assert!(skipped.iter().all(|clip| ["jazz.00004", "rock.00005"].contains(clip)), "{skipped:?}");

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
    let another = Config { seed: 4, ..config.clone() };
    let other = Options { resume: true, ..options(at("halves"), &another) };
    assert!(train(&other, &mut open()).unwrap_err().to_string().contains("another seed"));

    // It has learned: these textures are no hard task.
    let run_folder = text(at("whole"));
    let data_folder = text(folder.path().to_path_buf());
    // Not shipped before it was measured.
    let models = text(at("models"));
    let (code, _, err) = run(&["export", &run_folder, "--to", &models]);
    assert!(code == 1 && err.contains("evaluate") && !at("models").exists(), "{err}");
    let report_file = text(at("report.html"));
    let (code, out, err) =
        run(&["evaluate", &run_folder, "--data", &data_folder, "--json", "--report", &report_file]);
    assert_eq!(code, 0, "{err}");
    let html = fs::read_to_string(&report_file).unwrap();
    assert!(html.contains("<svg") && html.contains("tiny"), "a report with pictures");
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
    // What half precision costs can be seen; kept is what ships.
    let kept = fs::read(at("whole/evaluation-track.json")).unwrap();
    let single = ["evaluate", &run_folder, "--data", &data_folder, "--json", "--single-precision"];
    let (code, out, err) = run(&single);
    assert!(code == 0 && err.contains("single precision"), "{err}");
    let single: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(single["track"]["confusion"], report["track"]["confusion"]);
    assert_ne!(single["track"]["calibration_error"], report["track"]["calibration_error"]);
    assert_eq!(fs::read(at("whole/evaluation-track.json")).unwrap(), kept);
    // Measured on what it has seen, it says so; what is shipped is the honest figure.
    let (code, _, err) = run(&["export", &run_folder, "--to", &models]);
    assert_eq!(code, 0, "{err}");
    let (_, out, err) = run(&["evaluate", &run_folder, "--data", &data_folder, "--seed", "9", "--json"]);
    let other: Value = serde_json::from_str(&out).unwrap();
    assert!(other["seen_in_training"].as_u64().unwrap() > 0 && err.contains("warning"), "{out} {err}");
    let (code, _, _) = run(&["export", &run_folder, "--to", &models]);
    assert_eq!(code, 1, "nothing honest was measured");

    // What stands in the folder.
    let tensors = fs::read(at("models/tiny.safetensors")).unwrap();
    let header = u64::from_le_bytes(tensors[..8].try_into().unwrap()) as usize;
    let header: Value = serde_json::from_slice(&tensors[8..8 + header]).unwrap();
    assert_eq!(header["__metadata__"]["classes"], GTZAN_GENRES.join(","));
    assert!(header.as_object().unwrap().len() > 6, "{header}");
    let (code, out, err) = run(&["runs", &data_folder]);
    assert!(code == 0 && out.contains("tiny") && out.contains("2 runs"), "{out} {err}");
    let (code, out, err) = run(&["compare", &run_folder]);
    assert!(code == 0 && out.contains("tiny"), "{out} {err}");

    let manifest: Value =
        serde_json::from_slice(&fs::read(at("models").join("manifest.json")).unwrap()).unwrap();
    let entry = &manifest["models"][0];
    assert_eq!(entry["training"]["seed"], 3);
    assert_eq!(entry["metrics"][0]["n"], 10);
    assert_eq!(entry["golden"]["logits"].as_array().unwrap().len(), 10);
    let (code, _, err) = run(&["evaluate", &models, "--data", &data_folder, "--single-precision"]);
    assert!(code == 1 && err.contains("the run that it was exported from"), "{err}");
    for model in [models.clone(), text(at("models").join("tiny.bpk"))] {
        let loaded = Loaded::open(Path::new(&model)).unwrap();
        let plan = plan_of(&loaded, None, None).unwrap();
        let measure = Measure { plan: &plan, origin: Origin::Auto, progress: &|_, _| () };
        let evaluation = evaluate(&loaded, &mut open(), &measure).unwrap();
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
fn a_chosen_recipe_learns_from_all_but_the_test_clips_and_its_rule_from_its_twin() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let text = |path: PathBuf| path.to_str().unwrap().to_owned();
    data_set(folder.path());
    fs::write(at("tiny.toml"), CONFIG).unwrap();
    let data_folder = text(folder.path().to_path_buf());
    // In processes of their own: random numbers come from one generator for all threads.
    let train = |name: &str, changes: &[&str]| {
        let (recipe, cache, to) = (text(at("tiny.toml")), text(at("cache")), text(at(name)));
        let mut arguments = vec!["train", &recipe, "--data", &data_folder, "--cache", &cache, "--out", &to];
        for change in ["training.epochs=5", "training.other=0.25", "published=half"].iter().chain(changes) {
            arguments.extend(["--set", change]);
        }
        let (code, _, err) = run(&arguments);
        assert_eq!(code, 0, "{err}");
    };
    let clips = |run: &str| {
        let record: Value = serde_json::from_slice(&fs::read(at(run).join("run.json")).unwrap()).unwrap();
        ["train_clips", "valid_clips"].map(|name| record["data"][name].as_u64().unwrap())
    };
    train("twin", &[]);
    train("all", &["data.learn_from_validation=true"]);
    let state: Value = serde_json::from_slice(&fs::read(at("all").join("state.json")).unwrap()).unwrap();
    assert_eq!(state["best_epoch"], 5, "nothing is left to choose an epoch by");
    let [learned, chosen_by] = clips("twin");
    assert_eq!(clips("all"), [learned + chosen_by, 0]);

    let (models, run_folder) = (text(at("models")), text(at("all")));
    let predictions = text(at("predictions.csv"));
    let (code, out, err) =
        run(&["evaluate", &run_folder, "--data", &data_folder, "--json", "--predictions", &predictions]);
    assert_eq!(code, 0, "{err}");
    let measured: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(measured["seen_in_training"], 0);
    // Counted from its lines, the figure is the same.
    for level in ["track", "segment"] {
        let mut lines = csv::Reader::from_path(at("predictions.csv")).unwrap();
        let right: Vec<bool> = lines
            .records()
            .map(Result::unwrap)
            .filter(|line| &line[0] == "test" && &line[1] == level)
            .map(|line| line[3] == line[4])
            .collect();
        let share = right.iter().filter(|right| **right).count() as f64 / right.len() as f64;
        assert_eq!(measured[level]["n"], right.len());
        assert!((measured[level]["accuracy"].as_f64().unwrap() - share).abs() < 1e-9, "{level}");
    }
    assert_eq!(run(&["export", &run_folder, "--to", &models]).0, 0);
    let (code, _, err) = run(&["combine", &models, "--data", &data_folder]);
    assert!(code == 1 && err.contains("--twin"), "fitted to clips that it learned from: {err}");
    let (code, _, err) = run(&["combine", &models, "--data", &data_folder, "--twin", &text(at("twin"))]);
    assert_eq!(code, 0, "{err}");
    let json = |name: &str| -> Value {
        serde_json::from_slice(&fs::read(at("models").join(name)).unwrap()).unwrap()
    };
    let record = json("manifest-rule.json");
    assert_eq!(record["clips"], chosen_by);
    let chosen = &record["threshold"]["chosen"];
    assert!(chosen["music_refused"].as_f64().unwrap() <= 0.05, "{chosen}");
    assert_eq!(json("manifest.json")["ensemble"]["none_below"], chosen["threshold"]);
    assert!(fs::read_to_string(at("models/manifest-none-of-these.svg")).unwrap().contains("<svg"));

    // Two networks that say the same are worth as much as one of them.
    fs::create_dir(at("same")).unwrap();
    for file in fs::read_dir(at("twin")).unwrap().map(Result::unwrap) {
        fs::copy(file.path(), at("same").join(file.file_name())).unwrap();
    }
    let renamed = fs::read_to_string(at("same/config.toml")).unwrap().replacen("\"tiny\"", "\"same\"", 1);
    fs::write(at("same/config.toml"), renamed).unwrap();
    let of = |runs: &[PathBuf]| -> Value {
        let runs: Vec<String> = runs.iter().cloned().map(text).collect();
        let mut arguments = vec!["evaluate"];
        arguments.extend(runs.iter().map(String::as_str));
        arguments.extend(["--data", &data_folder, "--json"]);
        let (code, out, err) = run(&arguments);
        if code == 0 { serde_json::from_str(&out).unwrap() } else { err.into() }
    };
    let (alone, together) = (of(&[at("twin")]), of(&[at("twin"), at("same")]));
    for level in ["track", "segment"] {
        assert_eq!(together[level]["confusion"], alone[level]["confusion"], "{level}");
    }
    assert_eq!(together["parameters"].as_u64(), alone["parameters"].as_u64().map(|one| 2 * one));
    assert_eq!(together["models"], serde_json::json!(["tiny", "same"]));
    let err = of(&[at("twin"), at("twin")]);
    assert!(err.as_str().is_some_and(|err| err.contains("--set name=")), "{err}");
    let err = of(&[at("twin"), at("all")]);
    assert!(err.as_str().is_some_and(|err| err.contains("learn_from_validation")), "{err}");
    fs::write(at("together.json"), together.to_string()).unwrap();
    let report = text(at("compared.html"));
    let (code, out, err) =
        run(&["compare", &text(at("twin")), &text(at("together.json")), "--markdown", "--report", &report]);
    let page = fs::read_to_string(report).unwrap();
    assert!(page.contains("tiny + same"), "figures without their networks have a place in the report, too");
    assert!(code == 0 && out.lines().any(|line| line.starts_with("| tiny + same ")), "{out} {err}");
    let row =
        out.lines().find(|line| line.starts_with("| tiny ") && line.contains(" half ")).unwrap_or_default();
    let [right, n] = ["accuracy", "n"].map(|name| alone["track"][name].as_f64().unwrap());
    assert!(row.contains(&format!("{:.1} % of {n} (", 100.0 * right)), "{out}");

    // A fuller manifest beside it, and weights that one of them would lose.
    fs::copy(at("models/manifest.json"), at("models/full.json")).unwrap();
    let full = text(at("models/full.json"));
    let (code, _, err) =
        run(&["combine", &full, "--data", &data_folder, "--twin", &text(at("twin")), "--full-of", &models]);
    assert_eq!(code, 0, "{err}");
    assert_eq!(json("manifest.json")["full"], "full.json");
    let (code, _, err) = run(&["export", &run_folder, "--to", &full]);
    assert!(code == 1 && err.contains("manifest.json"), "{err}");
    let good = text(at("genres_original/metal/metal.00001.wav"));
    let (code, out, err) = run(&["classify", "--model", &full, "--json", &good]);
    let answer: Value = serde_json::from_str(&out).unwrap();
    assert!(code == 0 && answer["none"].is_boolean(), "{out} {err}");
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

    let mut data = Dataset::open(folder.path()).unwrap();
    let found: Vec<(&str, usize, Option<Part>)> =
        data.clips.iter().map(|c| (c.id.as_str(), c.class, c.part)).collect();
    assert_eq!(data.classes, ["blues", "jazz", "metal", "rock"]);
    assert_eq!(
        found,
        [
            ("blues.00000", 0, Some(Part::Train)),
            ("jazz.00054", 1, Some(Part::Valid)),
            ("metal.00009", 2, None),
            ("rock.00001", 3, Some(Part::Test))
        ]
    );
    let recipe = InputSpec::log_mel_3s();
    let cache = tempfile::tempdir().unwrap();
    let loader = Loader {
        input_spec: &recipe,
        origin: Origin::Auto,
        cache: Some(cache.path().to_path_buf()),
        cancelled: Arc::new(AtomicBool::new(false)),
    };
    let materials = loader.load(&mut data, &[0, 1, 2, 3], |_| ()).unwrap();
    assert_eq!(data.skipped.len(), 1, "metal.00009 has neither array nor audio");
    let Version::Columns(rock) = &materials[&3].versions[0] else { panic!("an array") };
    assert_eq!((materials[&3].origin, rock.bands, rock.columns), ("arrays", bands, columns));
    // 0 is −80 dB and 255 is 0 dB; the second row of the array begins where the first ends.
    let value = ((bands * columns) % 251) as f32;
    assert!((rock.db[0] - (value / 255.0 * 80.0 - 80.0)).abs() < 1e-4);
    let Version::Columns(jazz) = &materials[&1].versions[0] else { panic!("loaded audio") };
    assert_eq!((materials[&1].origin, jazz.columns), ("audio", 46)); // 1 + 77175/512 = 151 frames, one column every 3.34
    // What was kept is what was computed, and what was kept badly is computed again.
    let again = || {
        let mut data = Dataset::open(folder.path()).unwrap();
        let Version::Columns(again) = loader.load(&mut data, &[1], |_| ()).unwrap()[&1].versions[0].clone()
        else {
            panic!("audio")
        };
        again.db.clone()
    };
    assert_eq!(again(), jazz.db);
    let kept: Vec<PathBuf> = walkdir::WalkDir::new(cache.path())
        .into_iter()
        .map(|entry| entry.unwrap().into_path())
        .filter(|path| path.is_file())
        .collect();
    assert_eq!(kept.len(), 1);
    let bytes = fs::read(&kept[0]).unwrap();
    fs::write(&kept[0], &bytes[..bytes.len() / 2]).unwrap();
    assert_eq!(again(), jazz.db);
    // An array that is cut short is an error in words.
    fs::write(at("mel128.npz"), &fs::read(at("mel128.npz")).unwrap()[..400]).unwrap();
    assert!(Dataset::open(folder.path()).unwrap_err().to_string().contains("mel128.npz"));
}

#[test]
fn unknown_keys_and_senseless_values_are_refused_by_name() {
    let parse = |text: &str, changes: &[&str]| {
        let changes: Vec<String> = changes.iter().map(|c| (*c).to_owned()).collect();
        Config::parse(text, &changes).map_err(|error| format!("{error:#}"))
    };
    for (from, to, word) in [
        ("epochs = 12", "epochs = 12\nepochz = 7", "\"epochs\""),
        ("epochs = 12", "epochs = 0", "epochs"),
        ("split = \"track\"", "split = \"tracks\"", "\"track\""),
        ("kind = \"log-mel\"", "kind = \"log-mel\"\nn_mells = 64", "\"n_mels\""),
        ("channels = 16, pool = [2, 2]", "channels = 16, pool = [200, 2]", "block 1"),
        ("name = \"tiny\"", "name = \"../tiny\"", "name"),
        ("test_share = 0.1", "test_share = 0.95", "share"),
    ] {
        assert!(CONFIG.contains(from), "{from}");
        // What fits the window only the whole of network and recipe says.
        let error = match parse(&CONFIG.replace(from, to), &[]) {
            Err(error) => error,
            Ok(config) => config.network.validate(&config.recipe().shapes()).unwrap_err(),
        };
        assert!(error.contains(word), "{error}");
    }
    // Every key can be given another value, at any depth, and only keys that there are.
    let changed = parse(
        CONFIG,
        &[
            "training.epochs=7",
            "inputs.0.columns=30",
            "name=other",
            "network.blocks.1.channels=24",
            "data.folds=5",
        ],
    )
    .unwrap();
    assert_eq!((changed.training.epochs, changed.name.as_str(), changed.data.folds), (7, "other", Some(5)));
    assert_eq!(changed.recipe().shapes(), [[1, 128, 30]]);
    for bad in ["training.epocs=7", "inputs.3.columns=3", "name.x=1", "nothing"] {
        assert!(parse(CONFIG, &[bad]).is_err(), "{bad}");
    }
    // A file that a configuration names lies beside it, and is found from anywhere.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tiny.toml");
    fs::write(&file, CONFIG.replace("[data]", "[data]\nindex = \"parts.json\"")).unwrap();
    let config = Config::read(&file, &[]).unwrap();
    assert_eq!(config.data.index, Some(folder.path().join("parts.json")));
    let config = Config::read(&file, &["data.index=here.json".to_owned()]).unwrap();
    assert_eq!(config.data.index, Some(std::env::current_dir().unwrap().join("here.json")));
    // The shipped recipes are what they say, and what is written out reads back the same.
    for entry in
        fs::read_dir(Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("recipes")).unwrap()
    {
        let path = entry.unwrap().path();
        let config = Config::read(&path, &[]).unwrap_or_else(|e| panic!("{e:#}"));
        config.network.validate(&config.recipe().shapes()).unwrap();
        assert_eq!(
            Config::parse(&toml::to_string(&config).unwrap(), &[]).unwrap(),
            config,
            "{}",
            path.display()
        );
    }
}

/// A program that is killed in the middle of an epoch, not asked to stop.
#[test]
fn a_killed_run_goes_on_to_the_same_weights() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let text = |name: &str| at(name).to_str().unwrap().to_owned();
    data_set(folder.path());
    let config =
        CONFIG.replace("epochs = 12", "epochs = 4").replace("crops_per_clip = 4", "crops_per_clip = 2");
    fs::write(at("tiny.toml"), config).unwrap();
    let (config, data, cache) = (text("tiny.toml"), folder.path().to_str().unwrap(), text("cache"));
    let common = ["train", &config, "--data", data, "--cache", &cache, "--out"];
    let killed = text("killed");
    let mut child = Command::new(env!("CARGO_BIN_EXE_cratedigger"))
        .args(common)
        .arg(&killed)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    // Its second epoch is under way when it says that the first is done.
    assert!(lines.any(|line| line.unwrap().contains("epoch   1/4")), "it trains");
    child.kill().unwrap();
    child.wait().unwrap();
    let (code, _, err) = run(&[&common[..], &[&killed, "--resume"]].concat());
    assert_eq!(code, 0, "{err}");
    let whole = text("whole");
    let (code, _, err) = run(&[&common[..], &[&whole]].concat());
    assert_eq!(code, 0, "{err}");
    let logits = |name: &str| Loaded::open(&at(name)).unwrap().manifest.models.remove(0).golden.logits;
    assert_eq!(logits("killed"), logits("whole"), "bit for bit");
    let losses = |name: &str| -> Vec<Value> {
        let text = fs::read_to_string(at(name).join("metrics.jsonl")).unwrap();
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["train_loss"].clone()).collect()
    };
    assert_eq!(losses("killed"), losses("whole"));
}

/// The gradient of a step does not depend on how its windows are divided among batches and devices.
#[test]
fn accumulation_and_several_devices_take_the_same_steps() {
    let folder = tempfile::tempdir().unwrap();
    data_set(folder.path());
    // Without batch normalisation and dropout, whose values depend on the batch, by a network of
    // dense layers.
    let config = r#"
        name = "dense"
        [data]
        split = "track"
        [[inputs]]
        kind = "log-mel"
        columns = 20
        [network]
        preset = "ann"
        dropout = 0.0
        [training]
        epochs = 1
        schedule = "constant"
    "#;
    let cache = tempfile::tempdir().unwrap();
    let train_with = |name: &str, changes: &[&str], devices: &str| {
        let changes: Vec<String> = changes.iter().map(|c| (*c).to_owned()).collect();
        let config = Config::parse(config, &changes).unwrap();
        let options = Options {
            devices: devices.parse().unwrap(),
            cache: Some(cache.path().to_path_buf()),
            ..options(folder.path().join(name), &config)
        };
        train(&options, &mut Dataset::open(folder.path()).unwrap()).unwrap();
        Loaded::open(&folder.path().join(name)).unwrap().manifest.models.remove(0).golden.logits
    };
    let plain = train_with("plain", &["training.batch_size=16"], "flex");
    let parts = train_with("parts", &["training.batch_size=4", "training.accumulate=4"], "flex");
    let devices = train_with("devices", &["training.batch_size=8"], "flex,flex");
    for other in [parts, devices] {
        for (a, b) in plain.iter().zip(&other) {
            assert!((a - b).abs() < 2e-3 * a.abs().max(1.0), "{plain:?}\n{other:?}");
        }
    }
}

/// Fine-tuning begins with the weights of an earlier run, and what is frozen is no part of it, also where
/// the run is resumed.
#[test]
fn fine_tuning_leaves_what_is_frozen() {
    let folder = tempfile::tempdir().unwrap();
    data_set(folder.path());
    let at = |name: &str| folder.path().join(name);
    let train_with = |name: &str, changes: &[String], resume: bool| {
        let config = Config::parse(CONFIG, changes).unwrap();
        let options = Options { resume, pause_after: Some(1), ..options(at(name), &config) };
        train(&options, &mut Dataset::open(folder.path()).unwrap()).unwrap();
    };
    let tensors = |name: &str| -> BTreeMap<String, Vec<u8>> {
        let mut store = BurnpackStore::from_file(at(name).join("best.bpk"));
        let tensors = store.get_all_tensors().unwrap();
        tensors.iter().map(|(name, tensor)| (name.clone(), tensor.to_bytes().unwrap().to_vec())).collect()
    };
    train_with("first", &["training.epochs=1".into()], false);
    let fine = [
        "training.epochs=2".into(),
        "training.freeze=\"all-but-head\"".into(),
        format!("training.weights={:?}", at("first").join("best.bpk")),
    ];
    train_with("fine", &fine, false);
    train_with("fine", &fine, true);
    let (before, after) = (tensors("first"), tensors("fine"));
    assert_eq!(before.len(), after.len());
    for (name, bytes) in &before {
        assert_eq!(after[name] != *bytes, name.contains("head"), "{name}");
    }

    // What the first learned from, the second knows, whatever its own split says.
    let other = [fine[1].clone(), fine[2].clone(), "seed=4".into()];
    train_with("other", &other, false);
    let of = |name: &str| IndexFile::read(&at(name).join("split.json")).unwrap();
    let (first, second) = (of("first"), of("other"));
    let known = second.test.iter().filter(|id| first.train.contains(id) || first.valid.contains(id)).count();
    assert!(known > 0, "{first:?} {second:?}");
    let loaded = Loaded::open(&at("other")).unwrap();
    let plan = plan_of(&loaded, None, None).unwrap();
    let measure = Measure { plan: &plan, origin: Origin::Auto, progress: &|_, _| () };
    let mut data = Dataset::open(folder.path()).unwrap();
    assert_eq!(evaluate(&loaded, &mut data, &measure).unwrap().seen_in_training, known);
    // Where they are gone, the run goes on.
    fs::remove_dir_all(at("first")).unwrap();
    train_with("other", &other, true);
}

/// What is dropped under a max-pooling moves the mean of what is normalised after it. A network that judges
/// by statistics measured without that is surer of what is right, and learns no step otherwise.
#[test]
fn statistics_are_measured_as_the_network_judges() {
    let folder = tempfile::tempdir().unwrap();
    data_set(folder.path());
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let block = r#"{ channels = 16, norm = "pool", pool = [3, 3], pool_stride = [2, 2], dropout = 0.7 }"#;
    let network = format!(
        r#"[network]
kind = "branched"
branches = [{{ body = "conv", blocks = [{block}, {block}] }}]
"#
    );
    let (start, end) = (CONFIG.find("[network]").unwrap(), CONFIG.find("[training]").unwrap());
    fs::write(at("drops.toml"), [&CONFIG[..start], &network, &CONFIG[end..]].concat()).unwrap();
    // In processes of their own: random numbers come from one generator for all threads.
    let epochs = |name: &str| -> Vec<Value> {
        let statistics = format!("training.statistics={name}");
        let (recipe, data, cache, to) = (at("drops.toml"), at(""), at("cache"), at(name));
        let (code, _, err) = run(&[
            "train",
            &recipe,
            "--data",
            &data,
            "--cache",
            &cache,
            "--out",
            &to,
            "--set",
            &statistics,
            "--set",
            "training.epochs=3",
        ]);
        assert_eq!(code, 0, "{err}");
        let metrics = fs::read_to_string(Path::new(&to).join("metrics.jsonl")).unwrap();
        metrics.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let (moving, measured) = (epochs("moving"), epochs("measured"));
    let of = |epochs: &[Value], name: &str| -> Vec<f64> {
        epochs.iter().map(|epoch| epoch[name].as_f64().unwrap()).collect()
    };
    assert_eq!(of(&moving, "train_loss"), of(&measured, "train_loss"));
    let checkpoint = |name: &str| -> BTreeMap<String, Vec<u8>> {
        let mut store = BurnpackStore::from_file(Path::new(&at(name)).join("last-3.bpk"));
        let tensors = store.get_all_tensors().unwrap();
        tensors.iter().map(|(name, tensor)| (name.clone(), tensor.to_bytes().unwrap().to_vec())).collect()
    };
    assert!(checkpoint("moving") == checkpoint("measured"), "its own moving averages are another matter");
    let [moving, measured] = [moving, measured].map(|epochs| of(&epochs, "valid_loss")[2]);
    assert!(measured < 0.9 * moving, "{measured} {moving}");
}

mod layouts {
    use super::*;

    /// Own music: a folder a class, artists below, the same title twice.
    #[test]
    fn any_folder_of_folders() {
        let folder = tempfile::tempdir().unwrap();
        let files = [
            "polka/Anna/one.wav",
            "polka/Bert/one.wav",
            "polka/two.wav",
            "waltz/Anna/one.wav",
            "waltz/.x.wav",
        ];
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, wav(&song(0, 0, 1.0))).unwrap();
        }
        fs::write(folder.path().join("artists.csv"), "clip,artist\npolka/two,Carl\n").unwrap();
        let data = Dataset::open(folder.path()).unwrap();
        assert_eq!(data.classes, ["polka", "waltz"]);
        let found: Vec<(&str, usize, Option<&str>)> =
            data.clips.iter().map(|c| (c.id.as_str(), c.class, c.artist.as_deref())).collect();
        assert_eq!(
            found,
            [
                ("polka/Anna/one", 0, Some("Anna")),
                ("polka/Bert/one", 0, Some("Bert")),
                ("polka/two", 0, Some("Carl")),
                ("waltz/Anna/one", 1, Some("Anna")),
            ]
        );
    }

    /// Kaggle's folder: audio, pictures and both tables, matched by name; gaps are named.
    #[test]
    fn kaggles_folder() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for (class, number) in [("blues", 0), ("blues", 1), ("rock", 0)] {
            fs::create_dir_all(at(&format!("genres_original/{class}"))).unwrap();
            fs::create_dir_all(at(&format!("images_original/{class}"))).unwrap();
            let audio = wav(&song(number, 0, 1.0));
            fs::write(at(&format!("genres_original/{class}/{class}.{number:05}.wav")), audio).unwrap();
            let picture = image::RgbImage::from_pixel(432, 288, image::Rgb([number as u8, 80, 200]));
            picture.save(at(&format!("images_original/{class}/{class}{number:05}.png"))).unwrap();
        }
        let header = format!("filename,length,{},label\n", cratedigger_dsp::TABLE_COLUMNS.join(","));
        let row = |name: &str, value: f32, label: &str| {
            format!("{name},1,{},{label}\n", vec![value.to_string(); 57].join(","))
        };
        let gap = row("blues.00001.wav", 2.0, "blues").replacen("2,", ",", 2);
        let whole =
            [&header, &row("blues.00000.wav", 1.5, "blues"), &gap, &row("rock.00000.wav", 3.0, "rock")];
        fs::write(at("features_30_sec.csv"), whole.map(String::as_str).concat()).unwrap();
        let segments: String =
            (0..10).map(|s| row(&format!("rock.00000.{s}.wav"), s as f32, "rock")).collect();
        fs::write(at("features_3_sec.csv"), header + &segments).unwrap();

        let mut data = Dataset::open(folder.path()).unwrap();
        assert_eq!(data.skipped.len(), 1);
        assert!(
            data.skipped[0].1.contains("length") || data.skipped[0].1.contains("chroma_stft_mean"),
            "{:?}",
            data.skipped
        );
        assert!(data.clips.iter().all(|c| c.audio.is_some() && c.picture.is_some()));
        let load = |data: &mut Dataset, text: &str, origin: Origin| {
            let config = format!("name = \"x\"\n[network]\npreset = \"ann\"\n{text}");
            let recipe = Config::parse(&config, &[]).unwrap().recipe();
            let loader = Loader {
                input_spec: &recipe,
                origin,
                cache: None,
                cancelled: Arc::new(AtomicBool::new(false)),
            };
            let all: Vec<usize> = (0..data.clips.len()).collect();
            let materials = loader.load(data, &all, |_| ()).unwrap();
            materials
                .into_iter()
                .map(|(place, m)| (place, m.origin, m.versions[0].segment(&recipe, 0)))
                .collect::<Vec<_>>()
        };
        // The table's rows as they are; where it has a gap, the features of the audio.
        let rows = load(&mut data, "[data]\nwindow = 30.0\n[[inputs]]\nkind = \"features\"", Origin::Auto);
        assert_eq!(rows.iter().map(|r| r.1).collect::<Vec<_>>(), ["tables", "audio", "tables"]);
        assert_eq!(rows[0].2, vec![1.5; 57]);
        let sequence =
            load(&mut data, "[data]\nwindow = 30.0\n[[inputs]]\nkind = \"sequence\"", Origin::Tables);
        let expected: Vec<f32> = (0..10).flat_map(|s| vec![s as f32; 57]).collect();
        assert_eq!(sequence, [(2, "tables", expected)]);
        let pictures = load(
            &mut data,
            "[data]\nwindow = 30.0\n[[inputs]]\nkind = \"picture\"\nsize = 16",
            Origin::Pictures,
        );
        assert_eq!(pictures.len(), 3);
        assert!(pictures[1].2[..256].iter().all(|v| (v - 1.0 / 255.0).abs() < 1e-6), "one level of red");
    }

    /// Faults that were put there are found, and nothing else; repeats can be left out.
    #[test]
    fn faults_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, samples: &[i16]| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, wav(samples)).unwrap();
        };
        let tune = |seed: usize, seconds: f64| -> Vec<i16> {
            let mut state = seed as u32 * 7919 + 1;
            let mut note = 0.0;
            (0..(seconds * f64::from(RATE)) as usize)
                .map(|n| {
                    if n % 2500 == 0 {
                        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                        note = 150.0 * 2.0_f64.powf(f64::from(state >> 27) / 12.0);
                    }
                    let t = n as f64 / f64::from(RATE);
                    let fade = 1.0 - (n % 2500) as f64 / 2500.0;
                    let tones: f64 = (1..5)
                        .map(|k| (std::f64::consts::TAU * note * f64::from(k) * t).sin() / f64::from(k))
                        .sum();
                    (4000.0 * fade * tones) as i16
                })
                .collect()
        };
        for clip in 0..6 {
            write(&format!("a/{clip}.wav"), &tune(clip, 12.0));
            write(&format!("b/{clip}.wav"), &tune(100 + clip, 12.0));
        }
        write("a/copy.wav", &tune(2, 12.0));
        // The same recording, later, quieter, in another class.
        let shifted: Vec<i16> = tune(3, 14.0)[2 * RATE as usize..].iter().map(|s| s / 2).collect();
        write("b/taken.wav", &shifted);
        write("b/loud.wav", &tune(77, 12.0).iter().map(|s| s.saturating_mul(20)).collect::<Vec<_>>());
        write("a/empty.wav", &vec![0; 12 * RATE as usize]);
        write("a/short.wav", &tune(50, 4.0));
        fs::write(folder.path().join("b/broken.wav"), b"RIFF").unwrap();

        let path = folder.path().to_str().unwrap();
        let (code, out, err) = run(&["inspect", path, "--json"]);
        assert_eq!(code, 1, "{err}");
        let found: Value = serde_json::from_str(&out).unwrap();
        let names = |kind: &str| -> Vec<&str> {
            found[kind].as_array().unwrap().iter().map(|f| f["clip"].as_str().unwrap()).collect()
        };
        assert_eq!(names("unreadable"), ["b/broken"]);
        assert_eq!(names("short"), ["a/short"]);
        assert_eq!(names("silent"), ["a/empty"]);
        assert_eq!(names("clipped"), ["b/loud"]);
        assert_eq!(found["exact"][0]["clips"], serde_json::json!(["a/2", "a/copy"]));
        let near: Vec<&Value> = found["near"].as_array().unwrap().iter().map(|g| &g["clips"]).collect();
        assert_eq!(near, [&serde_json::json!(["a/3", "b/taken"])]);
        assert_eq!(
            (&found["exact"][0]["classes_differ"], &found["near"][0]["classes_differ"]),
            (&false.into(), &true.into())
        );
        assert_eq!(found["sample_rates"], serde_json::json!({ "11025": 17 }));
        assert_eq!(found["classes"], serde_json::json!([["a", 9], ["b", 9]]));

        let mut data = Dataset::open(folder.path()).unwrap();
        let before = data.clips.len();
        cratedigger_trainer::inspect::drop_duplicates(&mut data, None, &Arc::new(AtomicBool::new(false)))
            .unwrap();
        let gone: Vec<&str> = data.skipped.iter().map(|(id, _)| id.as_str()).collect();
        assert_eq!((gone, before - data.clips.len()), (vec!["a/3", "a/copy", "b/taken"], 3));
    }
}

mod splits {
    use super::*;
    use cratedigger_trainer::data::Clip;
    use proptest::prelude::*;

    fn clips(of: &[usize]) -> Vec<Clip> {
        of.iter()
            .enumerate()
            .flat_map(|(class, &n)| {
                (0..n).map(move |i| Clip {
                    id: format!("{}.{i:05}", GTZAN_GENRES[class]),
                    class,
                    artist: (i % 3 > 0).then(|| format!("artist {}", i / 4)),
                    ..Clip::default()
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
                let split = Split::new(&SplitPlan::of(Protocol::Track, seed), clips, &vec![1; clips.len()]).unwrap();
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
                let plan = SplitPlan::of(protocol, seed);
                let split = Split::new(&plan, &clips, &counts).unwrap();
                prop_assert_eq!(&split, &Split::new(&plan, &clips, &counts).unwrap());
                let mut all: Vec<_> =
                    [&split.train, &split.valid, &split.test].into_iter().flatten().copied().collect();
                all.sort_unstable();
                let expected: Vec<_> = (0..clips.len()).flat_map(|c| (0..segments).map(move |s| (c, s))).collect();
                prop_assert_eq!(all, expected);
                prop_assert_eq!(split.check_clips_apart(&clips).is_ok(), protocol == Protocol::Track || segments == 1);
                if protocol == Protocol::Track {
                    for (class, n) in of.iter().enumerate() {
                        let of_class = |part| clips_of(part).iter().filter(|&&c| clips[c].class == class).count();
                        prop_assert_eq!(of_class(&split.test), n.div_ceil(5));
                        prop_assert!(of_class(&split.valid) > 0 && of_class(&split.train) > 0);
                    }
                }
                // Written as an index file and read again, it is the same split.
                let file = tempfile::NamedTempFile::new().unwrap();
                fs::write(file.path(), serde_json::to_vec(&IndexFile::of(&split, &clips)).unwrap()).unwrap();
                let plan = SplitPlan { protocol: Protocol::Index, index: Some(file.path().into()), ..plan };
                prop_assert_eq!(&split, &Split::new(&plan, &clips, &counts).unwrap());
            }
        }

        /// Each clip tests in exactly one fold; artists are apart if asked for; folds are even.
        #[test]
        fn folds_cover_everything_once(of in prop::collection::vec(12_usize..40, 2..6), folds in 2_usize..6, seed: u64) {
            let clips = clips(&of);
            for group in [Group::Track, Group::Artist] {
                let mut tested = vec![0; clips.len()];
                for fold in 0..folds {
                    let plan =
                        SplitPlan { folds: Some((folds, fold)), group, ..SplitPlan::of(Protocol::Track, seed) };
                    let split = Split::new(&plan, &clips, &vec![1; clips.len()]).unwrap();
                    clips_of(&split.test).into_iter().for_each(|c| tested[c] += 1);
                    prop_assert!(!split.valid.is_empty() && !split.train.is_empty());
                    if group == Group::Artist {
                        split.check_artists_apart(&clips).unwrap();
                    } else {
                        let even = of.iter().map(|n| n.div_ceil(folds)).sum::<usize>();
                        prop_assert!(split.test.len() <= even);
                    }
                }
                prop_assert_eq!(tested, vec![1; clips.len()]);
            }
        }
    }

    /// A split that promises whole clips or artists and does not keep it is refused by name.
    #[test]
    fn leaks_are_loud() {
        let clips = clips(&[8, 8]);
        let counts = vec![3; clips.len()];
        let file = tempfile::NamedTempFile::new().unwrap();
        let plan = SplitPlan { index: Some(file.path().into()), ..SplitPlan::of(Protocol::Index, 1) };
        let refused = |index: &IndexFile| {
            fs::write(file.path(), serde_json::to_vec(index).unwrap()).unwrap();
            Split::new(&plan, &clips, &counts).map_err(|error| format!("{error:#}"))
        };
        let names = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
        let mut index = IndexFile {
            train: names(&["blues.00000", "classical.00001#0"]),
            valid: names(&["blues.00003"]),
            test: names(&["classical.00001#2"]),
            segments_apart: false,
        };
        let error = refused(&index).unwrap_err();
        assert!(error.contains("leak") && error.contains("classical.00001"), "{error}");
        index.segments_apart = true;
        assert_eq!(refused(&index).unwrap().train.len(), 4);
        index.valid = names(&["classical.00001#2"]);
        assert!(refused(&index).unwrap_err().contains("leak"), "one segment in two parts");
        index.valid = names(&["nobody.00001"]);
        assert!(refused(&index).unwrap_err().contains("nobody.00001"));
        let split = Split { train: vec![(4, 0)], valid: vec![], test: vec![(5, 0)] };
        let error = split.check_artists_apart(&clips).unwrap_err().to_string();
        assert!(error.contains("artist 1"), "{error}");
    }
}
