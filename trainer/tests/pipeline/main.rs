//! From data to a trained network to a classification, on synthetic audio.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../common/mod.rs"]
mod common;
mod configuration;
mod layouts;
mod splits;
mod training;
mod untidy;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use burn::store::{BurnpackStore, ModuleStore as _};
use common::{RATE, data_set, song, wav};
use cratedigger_trainer::config::{Config, Overrides, presets};
use cratedigger_trainer::data::Dataset;
use cratedigger_trainer::data::examples::{Loader, Origin, Version};
use cratedigger_trainer::data::partition::Part;
use cratedigger_trainer::data::split::{Group, IndexFile, Protocol, Split, SplitPlan, clips_of};
use cratedigger_trainer::device::Devices;
use cratedigger_trainer::eval::{Measure, ModelBundle, evaluate, plan_of};
use cratedigger_trainer::train::{Options, train};
use cratedigger_zoo::{GTZAN_GENRES, InputSpec};
use serde_json::Value;

const CONFIG: &str = r#"
name = "tiny"
seed = 3
[data]
split = "track"
test_fraction = 0.1
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
        allow_small: false,
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

/// One test for the whole path, because each step needs the step before.
#[test]
fn trains_resumes_evaluates_exports_and_classifies() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let text = |path: PathBuf| path.to_str().unwrap().to_owned();
    data_set(folder.path());
    fs::write(at("tiny.toml"), CONFIG).unwrap();
    let config = Config::read(&at("tiny.toml"), &Overrides::default()).unwrap();
    let open = || Dataset::open(folder.path()).unwrap();
    // The file has random ids of tensors, so weights are compared by their logits.
    let logits = |name: &str| ModelBundle::open(&at(name)).unwrap().manifest.models.remove(0).golden.logits;

    // Bad files are reported, and no other file is skipped.
    let mut data = open();
    let whole = train(&options(at("whole"), &config), &mut data).unwrap();
    let mut skipped: Vec<&str> = data.skipped.iter().map(|(clip, _)| clip.as_str()).collect();
    skipped.sort_unstable();
    // Test clips are not opened, so a bad test clip is not reported.
    assert!(skipped.iter().all(|clip| ["jazz.00004", "rock.00005"].contains(clip)), "{skipped:?}");

    // The same seed gives the same weights, also if the run was stopped and resumed.
    let mut first_half = options(at("halves"), &config);
    first_half.pause_after = Some(5);
    let paused = train(&first_half, &mut open()).unwrap();
    assert_eq!((paused.epochs_done, paused.finished), (5, false));
    let again = train(&first_half, &mut open()).unwrap_err().to_string();
    assert!(again.contains("--resume"), "{again}");
    let resumed = train(&Options { resume: true, ..options(at("halves"), &config) }, &mut open()).unwrap();
    assert_eq!(resumed, whole);
    assert_eq!(logits("whole"), logits("halves"), "bit for bit");
    // Another seed is another run, which cannot be resumed here.
    let another = Config { seed: 4, ..config.clone() };
    let other = Options { resume: true, ..options(at("halves"), &another) };
    assert!(train(&other, &mut open()).unwrap_err().to_string().contains("another seed"));

    // The network must learn these easy textures.
    let run_folder = text(at("whole"));
    let data_folder = text(folder.path().to_path_buf());
    // A run without evaluation is not exported.
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
    // Single precision can be evaluated, but the half-precision result is stored.
    let kept = fs::read(at("whole/evaluation-track.json")).unwrap();
    let single = ["evaluate", &run_folder, "--data", &data_folder, "--json", "--single-precision"];
    let (code, out, err) = run(&single);
    assert!(code == 0 && err.contains("single precision"), "{err}");
    let single: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(single["track"]["confusion"], report["track"]["confusion"]);
    assert_ne!(single["track"]["calibration_error"], report["track"]["calibration_error"]);
    assert_eq!(fs::read(at("whole/evaluation-track.json")).unwrap(), kept);
    // An evaluation on training clips warns, and is not exported.
    let (code, _, err) = run(&["export", &run_folder, "--to", &models]);
    assert_eq!(code, 0, "{err}");
    let (_, out, err) = run(&["evaluate", &run_folder, "--data", &data_folder, "--seed", "9", "--json"]);
    let other: Value = serde_json::from_str(&out).unwrap();
    assert!(other["seen_in_training"].as_u64().unwrap() > 0 && err.contains("warning"), "{out} {err}");
    let (code, _, _) = run(&["export", &run_folder, "--to", &models]);
    assert_eq!(code, 1, "no evaluation without training clips");

    // Under conditions: the input is relative to the loudest tone, so a quieter clip has the same answer.
    let (code, out, err) = run(&["evaluate", &models, "--data", &data_folder, "--conditions", "--json"]);
    assert_eq!(code, 0, "{err}");
    let under: Value = serde_json::from_str(&out).unwrap();
    let names: Vec<&str> =
        under["conditions"].as_array().unwrap().iter().filter_map(|c| c["condition"].as_str()).collect();
    assert_eq!(names, ["mp3-48k", "telephone", "clipped", "room", "faster", "quieter"]);
    assert_eq!(under["conditions"][5]["track"]["confusion"], under["track"]["confusion"]);
    assert_ne!(under["conditions"][1]["segment"]["log_loss"], under["segment"]["log_loss"]);

    // The exported files.
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
        let loaded = ModelBundle::open(Path::new(&model)).unwrap();
        let plan = plan_of(&loaded, None, None).unwrap();
        let measure = Measure { plan: &plan, origin: Origin::Auto, condition: None, progress: &|_, _| () };
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

    // Wrong arguments give exit code 2.
    assert_eq!(run(&["classify"]).0, 2);
    assert_eq!(run(&["evaluate", &models, "--data", &data_folder, "--split", "none"]).0, 2);
    // A good file gives exit code 0, also with the built-in networks.
    assert_eq!(run(&["classify", &good]).0, 0);
}

#[test]
fn a_network_can_train_on_validation_clips_while_its_twin_fits_the_rule() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let text = |path: PathBuf| path.to_str().unwrap().to_owned();
    data_set(folder.path());
    fs::write(at("tiny.toml"), CONFIG).unwrap();
    let data_folder = text(folder.path().to_path_buf());
    // In separate processes, because all threads share one random number generator.
    let train = |name: &str, changes: &[&str]| {
        let (recipe, cache, to) = (text(at("tiny.toml")), text(at("cache")), text(at(name)));
        let mut arguments = vec!["train", &recipe, "--data", &data_folder, "--cache", &cache, "--out", &to];
        for change in ["training.epochs=5", "training.non_music=0.25", "published=half"].iter().chain(changes)
        {
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
    assert_eq!(state["best_epoch"], 5, "no validation clips to select an epoch");
    let [learned, chosen_by] = clips("twin");
    assert_eq!(clips("all"), [learned + chosen_by, 0]);

    let (models, run_folder) = (text(at("models")), text(at("all")));
    let predictions = text(at("predictions.csv"));
    let (code, out, err) =
        run(&["evaluate", &run_folder, "--data", &data_folder, "--json", "--predictions", &predictions]);
    assert_eq!(code, 0, "{err}");
    let measured: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(measured["seen_in_training"], 0);
    // The accuracy of the CSV lines is the same.
    for level in ["track", "segment"] {
        let mut lines = csv::Reader::from_path(at("predictions.csv")).unwrap();
        let correct: Vec<bool> = lines
            .records()
            .map(Result::unwrap)
            .filter(|line| &line[0] == "test" && &line[1] == level)
            .map(|line| line[3] == line[4])
            .collect();
        let accuracy = correct.iter().filter(|correct| **correct).count() as f64 / correct.len() as f64;
        assert_eq!(measured[level]["n"], correct.len());
        assert!((measured[level]["accuracy"].as_f64().unwrap() - accuracy).abs() < 1e-9, "{level}");
    }
    assert_eq!(run(&["export", &run_folder, "--to", &models]).0, 0);
    let (code, _, err) = run(&["combine", &models, "--data", &data_folder]);
    assert!(code == 1 && err.contains("--twin"), "fitted to training clips: {err}");
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

    // The rule fitted under conditions, too.
    let twin = text(at("twin"));
    let (code, _, err) = run(&["combine", &models, "--data", &data_folder, "--twin", &twin, "--conditions"]);
    assert_eq!(code, 0, "{err}");
    assert_eq!(json("manifest-rule.json")["clips"], chosen_by);
    assert_eq!(json("manifest-rule.json")["conditions"].as_array().unwrap().len(), 6);
    let metrics = json("manifest.json")["metrics"].clone();
    let under = metrics.as_array().unwrap().iter().filter(|metric| !metric["condition"].is_null()).count();
    assert_eq!(under, 6, "{metrics}");
    let other = ["--other", &data_folder, "--left-out", &twin];
    let (code, _, err) =
        run(&[&["combine", &models, "--data", &data_folder, "--twin", &twin][..], &other].concat());
    assert!(code == 1 && err.contains("was trained on all kinds of sounds"), "{err}");

    // An ensemble of two equal networks has the metrics of one.
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
    assert!(page.contains("tiny + same"), "metrics without networks are in the report");
    assert!(code == 0 && out.lines().any(|line| line.starts_with("| tiny + same ")), "{out} {err}");
    let row =
        out.lines().find(|line| line.starts_with("| tiny ") && line.contains(" half ")).unwrap_or_default();
    let [right, n] = ["accuracy", "n"].map(|name| alone["track"][name].as_f64().unwrap());
    assert!(row.contains(&format!("{:.1} % of {n} (", 100.0 * right)), "{out}");

    // A full manifest in the same folder; an export to one of them would change the other's weights.
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
