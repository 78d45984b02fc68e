//! musicnn against the published network, as NumPy computes it (`tests/golden/make_musicnn.py`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};

use burn::module::Module as _;
use burn::tensor::{Device, Tensor};
use cratedigger_zoo::nets::{Freeze, Musicnn, MusicnnConfig, MusicnnHead, parameter_count};
use cratedigger_zoo::{
    Analyser, Architecture, Extractor, Input, InputSpec, LogPowerMel, Manifest, Network, Preparation,
    Signals, batch,
};
use serde::Deserialize;

mod common;
#[path = "../../dsp/tests/signals/mod.rs"]
mod signals;

#[derive(Deserialize)]
struct Golden {
    frames: usize,
    channels: Channels,
    signals: Vec<Signal>,
}

#[derive(Deserialize)]
struct Channels {
    front: Vec<usize>,
    kept: Vec<usize>,
}

#[derive(Deserialize)]
struct Signal {
    signal: String,
    samples: usize,
    sum_of_squares: f64,
    /// Every 16th frame, every 8th band.
    input: Vec<Vec<f32>>,
    published: Outputs,
    half: Outputs,
}

#[derive(Deserialize)]
struct Outputs {
    embedding: Vec<f32>,
    logits: Vec<f32>,
}

fn file(path: &str) -> PathBuf {
    // Read at run time, so that a cached build of another checkout does not read that one's files.
    let root = std::env::var_os("CARGO_MANIFEST_DIR").expect("set by cargo");
    Path::new(&root).join("../..").join(path)
}

fn golden() -> Golden {
    serde_json::from_slice(&std::fs::read(file("tests/golden/musicnn.json")).unwrap()).unwrap()
}

/// The signals of `make_musicnn.py`.
fn samples(of: &Signal) -> Vec<f32> {
    let samples = match of.signal.as_str() {
        "noise" => signals::noise(of.samples, 1).into_iter().map(|v| (0.1 * v) as f32).collect(),
        name => signals::feature_signal(name, of.samples),
    };
    let sum: f64 = samples.iter().map(|s| f64::from(*s).powi(2)).sum();
    assert!((sum - of.sum_of_squares).abs() < 1e-6 * sum, "{}: not the signal of make_musicnn.py", of.signal);
    samples
}

fn imported() -> (Manifest, Vec<Vec<u8>>) {
    let folder = file("trainer/weights/musicnn");
    let manifest = Manifest::parse(&std::fs::read(folder.join("manifest.json")).unwrap()).unwrap();
    let weights = manifest.models.iter().map(|m| std::fs::read(folder.join(&m.weights)).unwrap()).collect();
    (manifest, weights)
}

fn spec() -> InputSpec {
    let input = Input::LogPowerMel(LogPowerMel::default());
    InputSpec { sample_rate: 16_000, ..InputSpec::new(3.0, vec![input]) }
}

fn window(signal: &[f32]) -> Vec<f32> {
    let mut window = Vec::new();
    Extractor::new(&spec(), &Preparation::default()).unwrap().window(signal, 0, &mut window).unwrap();
    window
}

fn values(tensor: Tensor<2>) -> Vec<f32> {
    tensor.try_into_vec_as().unwrap()
}

fn worst(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn musicnn(network: &Network) -> &Musicnn {
    let Network::Musicnn(network) = network else { panic!("another network") };
    network
}

#[test]
fn the_input_is_librosas() {
    let golden = golden();
    for of in &golden.signals {
        let window = window(&samples(of));
        assert_eq!(window.len(), 96 * golden.frames);
        for (row, expected) in of.input.iter().enumerate() {
            for (column, expected) in expected.iter().enumerate() {
                let found = window[8 * column * golden.frames + 16 * row];
                assert!((found - expected).abs() < 1e-4, "{} {row} {column}: {found} {expected}", of.signal);
            }
        }
    }
}

/// The weights were rounded to half precision. Against NumPy with the same rounding, only the order of
/// sums in single precision differs; against the published weights, rounding moves logits by up to 0.005.
#[test]
fn logits_and_embedding_are_those_of_the_published_network() {
    let golden = golden();
    let (manifest, weights) = imported();
    assert_eq!(manifest.classes.len(), 50);
    let device = Device::flex();
    let model = cratedigger_zoo::Model::load(&manifest.models[0], 50, weights[0].clone(), &device).unwrap();
    for of in &golden.signals {
        let window = window(&samples(of));
        let output = musicnn(model.network()).outputs(&batch(window, &spec().shapes(), &device));
        let (logits, embedding) = (values(output.logits), values(output.embedding));
        let name = &of.signal;
        let logit = worst(&logits, &of.half.logits);
        let value = worst(&embedding, &of.half.embedding);
        assert!(logit < 1e-3 && value < 1e-3, "{name}: logits {logit}, embedding {value}");
        let published = worst(&logits, &of.published.logits);
        assert!(published < 0.01, "{name}: {published} from the published logits");
        assert!(worst(&embedding, &of.published.embedding) < 0.01, "{name}");
        // Equal outputs for every input would fail here.
        let spread = |v: &[f32]| {
            v.iter().copied().fold(f32::MIN, f32::max) - v.iter().copied().fold(f32::MAX, f32::min)
        };
        assert!(spread(&logits) > 1.0, "{name}");
    }
    let Architecture::Musicnn(config) = &manifest.models[0].architecture else { panic!("another network") };
    assert_eq!([config.timbral.as_slice(), &config.temporal].concat(), golden.channels.front);
    let kept = [&[config.front_channels()], config.middle.as_slice()].concat();
    assert_eq!(kept, golden.channels.kept);
    assert_eq!(
        MusicnnConfig { tags: config.tags.clone(), head: MusicnnHead::Tags, ..Default::default() },
        *config
    );
}

#[test]
fn the_published_size_and_cost() {
    let tags: Vec<String> = (0..50).map(|n| n.to_string()).collect();
    let config = MusicnnConfig::published(tags);
    let part = [1, 96, 187];
    config.validate(&[part]).unwrap();
    // The published number, plus 7 · 64 weights of the constant input of each of three layers.
    let constants = 3 * 7 * 64;
    let front = 204 * (7 * 38 + 1 + 2) + 204 * (7 * 67 + 1 + 2) + 51 * (128 + 64 + 32 + 3 + 6) + 2;
    let middle = 64 * (7 * (561 + 64 + 64) + 3 + 6);
    let back = 2 * 1506 + 1506 * 200 + 200 + 2 * 200 + 200 * 50 + 50;
    let network = config.init(&[part], 50, &Device::flex());
    assert_eq!(parameter_count(&network), front + middle + back + constants);
    assert_eq!(config.multiplications(part), 1_398_553_584 + (constants * 187) as u64);
}

#[test]
fn designs_that_do_not_fit_are_refused() {
    let refused = |config: MusicnnConfig, part| config.validate(&[part]).unwrap_err();
    let part = [1, 96, 187];
    let base = MusicnnConfig::default;
    base().validate(&[part]).unwrap();
    assert!(base().validate(&[part, part]).is_err());
    assert!(refused(base(), [3, 96, 187]).contains("channel"));
    assert!(refused(base(), [1, 9, 187]).contains("bands"));
    assert!(refused(MusicnnConfig { temporal: [0, 1, 1], ..base() }, part).contains("temporal"));
    assert!(refused(MusicnnConfig { middle: [3, 2, 4], ..base() }, part).contains("fewer"));
    assert!(refused(MusicnnConfig { head: MusicnnHead::Tags, ..base() }, part).contains("no tags"));
    assert!(refused(MusicnnConfig { dropout: 1.0, ..base() }, part).contains("dropout"));
    let huge = MusicnnConfig { embedding: usize::MAX, ..base() };
    assert!(refused(huge, part).contains("dense"));
}

fn small(head: MusicnnHead) -> MusicnnConfig {
    MusicnnConfig {
        timbral: [3, 2],
        temporal: [1, 2, 2],
        middle: [4, 5, 5],
        embedding: 6,
        tags: vec!["one".into(), "two".into(), "three".into()],
        head,
        dropout: 0.2,
    }
}

/// For each kind of head: which tensors are trained when blocks are frozen, and that one pass gives the
/// same outputs as separate passes.
#[test]
fn heads_learn_while_the_body_is_frozen() {
    let part = [1, 20, 40];
    let device = Device::flex().autodiff();
    let parts = [common::noise([4, 1, 20, 40], 3, &device)];
    use MusicnnHead::{Embedding, Pooled, PooledAndEmbedding, Tags};
    for head in [Embedding, Pooled, PooledAndEmbedding, Tags] {
        let config = small(head);
        config.validate(&[part]).unwrap();
        let classes = if head == Tags { 3 } else { 7 };
        let network = config.init(&[part], classes, &device);
        assert_eq!(network.pooled(&parts).dims(), [4, config.pooled_values()]);
        let learning = |what| {
            let network = network.clone().frozen(what).unwrap();
            let gradients = network.forward(&parts).square().sum().backward();
            burn::optim::GradientsParams::from_grads(gradients, &network).len()
        };
        let (all, frozen) = (learning(Freeze::None), learning(Freeze::AllButHead));
        // Scale and shift of the head's normalisation, weights and biases; tags have no normalisation.
        assert_eq!(frozen, if head == Tags { 2 } else { 4 });
        // The input's scale and shift; five banks, each with a convolution and a scale and shift.
        assert_eq!(all - learning(Freeze::Blocks(1)), 2 + 5 * 4);
        assert!(learning(Freeze::Blocks(4)) < learning(Freeze::Blocks(1)));
        assert!(network.clone().frozen(Freeze::Blocks(6)).is_err());

        let network = network.valid();
        let parts = [common::noise([4, 1, 20, 40], 3, &Device::flex())];
        let output = network.outputs(&parts);
        let logits = values(network.forward(&parts));
        assert_eq!(logits.len(), 4 * classes);
        assert_eq!(logits, values(output.logits));
        let embedding = values(output.embedding);
        assert_eq!(values(network.embedding(&parts)), embedding);
        if head == PooledAndEmbedding {
            let pooled = values(network.pooled(&parts));
            let width = embedding.len() / 4;
            let rows = pooled.chunks(pooled.len() / 4).zip(embedding.chunks(width));
            let both: Vec<f32> = rows.flat_map(|(pooled, embedding)| [pooled, embedding].concat()).collect();
            assert_eq!(values(network.head_input(&parts).unwrap()), both);
        }
        assert_eq!(values(network.tags(&parts).unwrap()), values(output.tags.unwrap()));
        let from_front = network.pooled_of_front(network.front(&parts));
        assert_eq!(values(network.pooled(&parts)), values(from_front));
    }
}

/// Two networks with different sample rates in one ensemble.
#[test]
fn members_with_different_sample_rates_predict_the_same_song() {
    let (manifest, _) = imported();
    let root = file("models");
    let mut both = Manifest::parse(&std::fs::read(root.join("full.json")).unwrap()).unwrap();
    both.models.retain(|model| model.name == "texture-16");
    both.non_music.clear();
    let theirs = std::fs::read(root.join(&both.models[0].weights)).unwrap();
    both.ensemble = Default::default();
    let device = Device::flex();
    // musicnn gets a head with as many classes as the other network, with random weights.
    let mut ear = manifest.models[0].clone();
    let Architecture::Musicnn(config) = &mut ear.architecture else { panic!("another network") };
    config.head = MusicnnHead::Embedding;
    let network = ear.architecture.init(&ear.input_spec.shapes(), both.classes.len(), &device);
    let bytes = network.into_record().into_bytes().unwrap().to_vec();
    ear.sha256 = cratedigger_zoo::sha256_hex(&bytes);
    ear.spec_hash =
        cratedigger_zoo::ModelEntry::hash_of(&ear.input_spec, &ear.architecture, &ear.preparation);
    ear.golden.logits.truncate(both.classes.len());
    both.models.push(ear);
    let both = Manifest::parse(&serde_json::to_vec(&both).unwrap()).unwrap();
    let mut analyser = Analyser::load(&both, vec![theirs, bytes], &device).unwrap();
    assert_eq!((analyser.sample_rate(), analyser.sample_rates()), (22_050, [16_000, 22_050].as_slice()));

    let song = cratedigger_zoo::golden_signal(44_100, 7.0);
    let signals = Signals::resampled(&song, 44_100, analyser.sample_rates()).unwrap();
    let segments = analyser.segments(signals.at(22_050).len());
    assert_eq!(segments.len(), 2);
    let judged = pollster::block_on(analyser.predict(&signals, &segments)).unwrap();
    for (segment, prediction) in segments.iter().zip(&judged) {
        let prediction = prediction.as_ref().unwrap();
        for (member, model) in prediction.members.iter().zip(analyser.models()) {
            let spec = &model.entry().input_spec;
            let mut extractor = Extractor::new(spec, &Preparation::default()).unwrap();
            let place = |at: usize| (at as f64 / 22_050.0 * f64::from(spec.sample_rate)).round() as usize;
            let mut window = Vec::new();
            let signal = &signals.at(spec.sample_rate)[..place(segment.end)];
            extractor.window(signal, place(segment.start), &mut window).unwrap();
            let logits = pollster::block_on(model.logits(window)).unwrap();
            assert!(worst(member, &cratedigger_zoo::log_softmax(&logits)) < 1e-4);
        }
    }
    let one = Signals::single(22_050, signals.at(22_050).to_vec());
    let error = pollster::block_on(analyser.predict(&one, &segments)).unwrap_err();
    assert!(error.to_string().contains("16000 Hz"), "{error}");
}
