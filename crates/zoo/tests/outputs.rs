//! Outputs of an ensemble besides the classes: kinds of non-music, tags, the embedding.
#![allow(clippy::unwrap_used, clippy::panic)]

use burn::tensor::Device;
use cratedigger_zoo::{
    Analyser, EnsembleRule, Input, InputSpec, LogPowerMel, Manifest, Signals, golden_signal, log_softmax,
    probabilities,
};

mod common;

const CLASSES: usize = 3;
const TINY_CNN: &str = r#"{"kind": "branched", "branches": [{"body": "conv", "pooling": "flatten",
    "blocks": [{"channels": 4, "stride": [4, 4]}, {"channels": 4, "stride": [4, 2]}]}]}"#;
const TINY_EAR: &str = r#"{"kind": "musicnn", "timbral": [2, 1], "temporal": [1, 1, 1],
    "middle": [2, 3, 3], "embedding": 5, "head": "embedding",
    "tags": ["a", "b", "c", "d", "e", "f", "g", "h"]}"#;

fn ear_spec() -> InputSpec {
    let input = Input::LogPowerMel(LogPowerMel::default());
    InputSpec { sample_rate: 16_000, ..InputSpec::new(3.0, vec![input]) }
}

/// A network that predicts classes only, and one with two kinds of non-music, tags and an embedding.
fn ensemble() -> (Manifest, Vec<Vec<u8>>) {
    let (cnn, cnn_weights) =
        common::network("cnn", InputSpec::log_mel_3s(), TINY_CNN, CLASSES, |network| network);
    let (mut ear, ear_weights) = common::network("ear", ear_spec(), TINY_EAR, CLASSES + 2, |network| network);
    ear.non_music = true;
    let mut manifest = common::manifest(CLASSES, vec![cnn, ear]);
    manifest.non_music = vec!["speech".into(), "other-sounds".into()];
    manifest.tags_above = Some(0.0);
    (manifest, vec![cnn_weights, ear_weights])
}

fn load(manifest: &Manifest, weights: Vec<Vec<u8>>) -> Analyser {
    let manifest = Manifest::parse(&serde_json::to_vec(manifest).unwrap()).unwrap();
    Analyser::load(&manifest, weights, &Device::flex()).unwrap()
}

/// Two segments of sound with a silent one between them.
fn song(analyser: &Analyser) -> Signals {
    let mut signals = Signals::empty(analyser.sample_rates());
    for rate in analyser.sample_rates() {
        let sound = golden_signal(*rate, 3.0);
        let track = signals.at_mut(*rate).unwrap();
        track.extend(&sound);
        track.extend(vec![0.0; sound.len()]);
        track.extend(sound.iter().rev().map(|s| 0.3 * s));
    }
    signals
}

fn assert_close(found: &[f32], expected: &[f32]) {
    let close = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-5;
    assert!(found.len() == expected.len() && found.iter().zip(expected).all(close), "{found:?} {expected:?}");
}

#[test]
fn members_with_and_without_kinds_of_non_music_decide_together() {
    let (mut manifest, weights) = ensemble();
    manifest.ensemble = EnsembleRule { non_music_above: Some(0.0), ..Default::default() };
    let mut analyser = load(&manifest, weights);
    let signals = song(&analyser);
    let segments = analyser.segments(signals.at(analyser.sample_rate()).len());
    let predictions = pollster::block_on(analyser.predict(&signals, &segments)).unwrap();
    assert!(predictions.len() == 3 && predictions[1].is_none());
    let mut logarithms = vec![0.0; CLASSES + 2];
    for prediction in predictions.iter().flatten() {
        let [cnn, ear] = prediction.members.as_slice() else { panic!("two networks") };
        assert_eq!((cnn.len(), ear.len()), (CLASSES, CLASSES + 2));
        let p = probabilities(ear);
        assert_close(&prediction.non_music, &p[CLASSES..]);
        let classes: f32 = p[..CLASSES].iter().sum();
        let of_classes: Vec<f32> = p[..CLASSES].iter().map(|p| p / classes).collect();
        assert_close(&prediction.class_probabilities()[1], &of_classes);
        assert_eq!(prediction.class_probabilities()[0], probabilities(cnn));
        let products: Vec<f32> =
            cnn.iter().zip(&of_classes).map(|(cnn, ear)| 0.5 * (cnn + ear.ln())).collect();
        assert_close(&prediction.ensemble, &log_softmax(&products));
        logarithms.iter_mut().zip(ear).for_each(|(sum, p)| *sum += p / 2.0);
    }
    let song = analyser.song_prediction(predictions.iter().flatten()).unwrap();
    assert_close(&song.non_music, &probabilities(&log_softmax(&logarithms))[CLASSES..]);
    assert!(song.members.iter().all(|member| member.len() == CLASSES));
    assert!(song.decision.none && song.decision.non_music.is_some());
    let said = analyser.non_music(&song.non_music).unwrap();
    let kind = song.decision.non_music.unwrap();
    assert_eq!((said.kind.as_str(), said.rejected), (["speech", "other-sounds"][kind], true));
    assert!((said.probability - song.non_music.iter().sum::<f32>()).abs() < 1e-6);
    assert_eq!(analyser.non_music(&[]), None);
    // The golden logits of a network are all of its outputs.
    assert_eq!(pollster::block_on(analyser.golden_logits()).unwrap().len(), 2 * CLASSES + 2);
}

#[test]
fn tags_and_embedding_are_those_of_the_network() {
    let (manifest, weights) = ensemble();
    let mut analyser = load(&manifest, weights);
    let signals = song(&analyser);
    let segments = analyser.segments(signals.at(analyser.sample_rate()).len());
    let predictions = pollster::block_on(analyser.predict(&signals, &segments)).unwrap();
    let embeddings = pollster::block_on(analyser.embedding(&signals, &segments)).unwrap();
    assert_eq!((embeddings.len(), analyser.embedding_width()), (3, Some(5)));
    assert!(embeddings[1].is_none());
    let mut extractor = cratedigger_zoo::Extractor::new(&ear_spec(), &Default::default()).unwrap();
    let mut strengths = vec![0.0; 8];
    for (index, (prediction, embedding)) in predictions.iter().zip(&embeddings).enumerate() {
        let (Some(prediction), Some(embedding)) = (prediction, embedding) else { continue };
        let mut window = Vec::new();
        let end = (index + 1) * 48_000;
        extractor.window(&signals.at(16_000)[..end], index * 48_000, &mut window).unwrap();
        let model = analyser.models().nth(1).unwrap();
        let (logits, tags) = pollster::block_on(model.logits_and_tags(window.clone())).unwrap();
        assert_close(&logits, &pollster::block_on(model.logits(window.clone())).unwrap());
        assert_close(&prediction.members[1], &log_softmax(&logits));
        let tags: Vec<f32> = tags.iter().map(|tag| 1.0 / (1.0 + (-tag).exp())).collect();
        assert_close(&prediction.tags, &tags);
        assert_close(embedding, &pollster::block_on(model.embedding(window)).unwrap());
        strengths.iter_mut().zip(&tags).for_each(|(sum, tag)| *sum += tag / 2.0);
    }
    let song = analyser.song_prediction(predictions.iter().flatten()).unwrap();
    assert_close(&song.tags, &strengths);
    let tags = analyser.tags(&song.tags);
    assert_eq!(tags.len(), 6);
    assert!(tags.windows(2).all(|pair| pair[0].strength >= pair[1].strength), "{tags:?}");
    assert_eq!(tags[0].strength, song.tags.iter().copied().fold(f32::MIN, f32::max));
}

#[test]
fn only_tags_above_the_threshold_are_named() {
    let (mut manifest, weights) = ensemble();
    manifest.tags_above = None;
    let analyser = load(&manifest, weights.clone());
    let names = |analyser: &Analyser, strengths: &[f32]| -> Vec<String> {
        analyser.tags(strengths).into_iter().map(|tag| tag.name).collect()
    };
    let strengths = [0.05, 0.1, 0.7, 0.0, 0.099, 0.2, 0.0, 0.0];
    assert_eq!(names(&analyser, &strengths), ["c", "f", "b"]);
    assert!(names(&analyser, &[]).is_empty());
    manifest.tags_above = Some(0.5);
    assert_eq!(names(&load(&manifest, weights), &strengths), ["c"]);
}

#[test]
fn an_ensemble_without_embedding_gives_an_error() {
    let mut analyser = common::analyser(TINY_CNN, CLASSES, |network| network);
    assert_eq!(analyser.embedding_width(), None);
    let signals = song(&analyser);
    let error =
        pollster::block_on(analyser.embedding(&signals, std::slice::from_ref(&(0..66_150)))).unwrap_err();
    assert!(error.to_string().contains("embedding"), "{error}");
}

#[test]
fn inconsistent_manifests_are_rejected() {
    let refused = |change: &dyn Fn(&mut Manifest)| {
        let (mut manifest, _) = ensemble();
        change(&mut manifest);
        Manifest::parse(&serde_json::to_vec(&manifest).unwrap()).unwrap_err().to_string()
    };
    assert!(refused(&|m| m.non_music.clear()).contains("golden"));
    assert!(refused(&|m| m.models[0].non_music = true).contains("golden"));
    assert!(refused(&|m| m.non_music[1] = "class 1".into()).contains("different names"));
    assert!(refused(&|m| m.tags_above = Some(2.0)).contains("tags_above"));
    let threshold = refused(&|m| {
        m.models.truncate(1);
        m.ensemble.non_music_above = Some(0.5);
    });
    assert!(threshold.contains("non_music_above"), "{threshold}");
    let unlisted = refused(&|m| {
        m.models.truncate(1);
        m.non_music.clear();
        m.models[0].non_music = true;
    });
    assert!(unlisted.contains("not listed"), "{unlisted}");
}
