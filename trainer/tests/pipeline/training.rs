//! Training: resume, accumulation, fine-tuning, statistics.

use super::*;

/// The program is killed in the middle of an epoch.
#[test]
fn a_killed_run_resumes_to_the_same_weights() {
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
    // The second epoch runs when the first is reported.
    assert!(lines.any(|line| line.unwrap().contains("epoch   1/4")), "it trains");
    child.kill().unwrap();
    child.wait().unwrap();
    let (code, _, err) = run(&[&common[..], &[&killed, "--resume"]].concat());
    assert_eq!(code, 0, "{err}");
    let whole = text("whole");
    let (code, _, err) = run(&[&common[..], &[&whole]].concat());
    assert_eq!(code, 0, "{err}");
    let logits = |name: &str| ModelBundle::open(&at(name)).unwrap().manifest.models.remove(0).golden.logits;
    assert_eq!(logits("killed"), logits("whole"), "bit for bit");
    let losses = |name: &str| -> Vec<Value> {
        let text = fs::read_to_string(at(name).join("metrics.jsonl")).unwrap();
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["train_loss"].clone()).collect()
    };
    assert_eq!(losses("killed"), losses("whole"));
}

/// The gradient of a step does not depend on the division of its windows into batches and devices.
#[test]
fn accumulation_and_several_devices_take_the_same_steps() {
    let folder = tempfile::tempdir().unwrap();
    data_set(folder.path());
    // A network of dense layers without batch normalisation and dropout, which depend on the batch.
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
        let config = Config::parse(config, &Overrides::of(changes).unwrap()).unwrap();
        let options = Options {
            devices: devices.parse().unwrap(),
            cache: Some(cache.path().to_path_buf()),
            ..options(folder.path().join(name), &config)
        };
        train(&options, &mut Dataset::open(folder.path()).unwrap()).unwrap();
        ModelBundle::open(&folder.path().join(name)).unwrap().manifest.models.remove(0).golden.logits
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

/// Fine-tuning starts from the weights of an earlier run and does not change frozen layers, also if the run
/// is resumed.
#[test]
fn fine_tuning_keeps_frozen_layers() {
    let folder = tempfile::tempdir().unwrap();
    data_set(folder.path());
    let at = |name: &str| folder.path().join(name);
    let train_with = |name: &str, changes: &[String], resume: bool| {
        let config = Config::parse(CONFIG, &Overrides::of(changes).unwrap()).unwrap();
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

    // The second run knows the training clips of the first, whatever its own split.
    let other = [fine[1].clone(), fine[2].clone(), "seed=4".into()];
    train_with("other", &other, false);
    let of = |name: &str| IndexFile::read(&at(name).join("split.json")).unwrap();
    let (first, second) = (of("first"), of("other"));
    let known = second.test.iter().filter(|id| first.train.contains(id) || first.valid.contains(id)).count();
    assert!(known > 0, "{first:?} {second:?}");
    let loaded = ModelBundle::open(&at("other")).unwrap();
    let plan = plan_of(&loaded, None, None).unwrap();
    let measure = Measure { plan: &plan, origin: Origin::Auto, condition: None, progress: &|_, _| () };
    let mut data = Dataset::open(folder.path()).unwrap();
    assert_eq!(evaluate(&loaded, &mut data, &measure).unwrap().seen_in_training, known);
    // The run continues if the initial weights are gone.
    fs::remove_dir_all(at("first")).unwrap();
    train_with("other", &other, true);
}

/// Dropout before max-pooling shifts the mean of the normalisation after it. With statistics measured without
/// dropout, the validation loss is lower, and training is the same.
#[test]
fn statistics_are_measured_without_dropout() {
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
    // In separate processes, because all threads share one random number generator.
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
    assert!(
        checkpoint("moving") == checkpoint("measured"),
        "the trained weights do not depend on the statistics"
    );
    let [moving, measured] = [moving, measured].map(|epochs| of(&epochs, "valid_loss")[2]);
    assert!(measured < 0.9 * moving, "{measured} {moving}");
}

/// Noise has no genre. A head that is fitted to the training segments knows each of them by heart, and must know
/// nothing about other segments of the same clips.
#[test]
fn a_fitted_head_does_not_see_segments_of_other_parts() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let mut noise = 1_u32;
    for (genre, clip) in (0..2).flat_map(|genre| (0..5).map(move |clip| (genre, clip))) {
        let samples: Vec<i16> = (0..12 * RATE)
            .map(|_| {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                ((f64::from(noise >> 16) / 32_768.0 - 1.0) * 8000.0) as i16
            })
            .collect();
        let of_genre = at("data").join(["one", "two"][genre]);
        fs::create_dir_all(&of_genre).unwrap();
        fs::write(of_genre.join(format!("{clip}.wav")), wav(RATE, &samples)).unwrap();
    }
    let config = r#"
        name = "head"
        [data]
        split = "segment"
        valid_fraction = 0.3
        [[inputs]]
        kind = "picture"
        size = 32
        [network]
        kind = "mobilenet-v2"
        width = 0.1
        [training]
        method = "logistic"
        inverse_regularisation = 1e4
        freeze = "all-but-head"
    "#;
    let weights = at("body.bpk");
    let setting = format!("training.weights={}", weights.display());
    let config = Config::parse(config, &Overrides::of(&[&setting]).unwrap()).unwrap();
    let device = burn::tensor::Device::flex();
    device.seed(1);
    let body = config.network.init(&config.input_spec().shapes(), 3, &device);
    burn::module::Module::into_record(body).save(&weights).unwrap();
    train(&options(at("run"), &config), &mut Dataset::open(&at("data")).unwrap()).unwrap();
    let metrics = fs::read_to_string(at("run").join("metrics.jsonl")).unwrap();
    let metrics: Value = serde_json::from_str(metrics.lines().next().unwrap()).unwrap();
    assert_eq!(metrics["train_accuracy"], 1.0, "{metrics}");
    assert!(metrics["valid_segment_accuracy"].as_f64().unwrap() < 0.85, "{metrics}");
}
