//! The shipped networks give their golden logits in this build.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;

use burn::tensor::Device;
use cratedigger_zoo::{
    Analyser, EnsembleRule, LoadError, Manifest, Model, SILENCE, Signals, golden_signal, place_at,
};

fn shipped() -> (Manifest, Vec<Vec<u8>>) {
    // Read at run time, so that a cached build of another checkout does not read that one's files.
    let root = std::env::var_os("CARGO_MANIFEST_DIR").expect("set by cargo");
    let folder = Path::new(&root).join("../../models");
    let manifest = Manifest::parse(&std::fs::read(folder.join("manifest.json")).unwrap()).unwrap();
    let weights = manifest.models.iter().map(|m| std::fs::read(folder.join(&m.weights)).unwrap()).collect();
    (manifest, weights)
}

/// The manifest's logits come from another build (the trainer, multi-threaded, optimised). Sums in another
/// order differ by about 1e-5; other features or weights differ by far more than 1e-3.
#[test]
fn native_flex_gives_the_golden_logits() {
    let (manifest, weights) = shipped();
    let mut analyser = Analyser::load(&manifest, weights, &Device::flex()).unwrap();
    let logits = pollster::block_on(analyser.golden_logits()).unwrap();
    let expected = analyser.expected_golden_logits();
    assert_eq!(logits.len(), manifest.models.iter().map(|model| manifest.outputs_of(model)).sum::<usize>());
    for (logit, golden) in logits.iter().zip(&expected) {
        assert!((logit - golden).abs() < 1e-3, "{logits:?}\n{expected:?}");
    }
    // Golden logits that hardly differ from each other would pass for any broken network.
    let spread =
        expected.iter().copied().fold(f32::MIN, f32::max) - expected.iter().copied().fold(f32::MAX, f32::min);
    assert!(spread > 1.0, "{expected:?}");
}

#[test]
fn another_input_spec_is_rejected_and_both_hashes_are_named() {
    let (manifest, mut weights) = shipped();
    let mut entry = manifest.models[0].clone();
    let trained_for = entry.spec_hash.clone();
    entry.input_spec.segment_seconds += 1.0;
    let error = Model::load(&entry, 10, weights.remove(0), &Device::flex()).err().expect("refused");
    let LoadError::SpecHash { expected, found, .. } = &error else { panic!("{error}") };
    assert_eq!(*expected, trained_for);
    assert_ne!(expected, found);
    let words = error.to_string();
    assert!(words.contains(expected) && words.contains(found), "{words}");
}

#[test]
fn damaged_or_foreign_weights_are_refused() {
    let (manifest, weights) = shipped();
    let entry = &manifest.models[0];
    let mut flipped = weights[0].clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    let error = Model::load(entry, 10, flipped, &Device::flex()).err().expect("refused");
    assert!(matches!(error, LoadError::WeightsHash { .. }), "{error}");

    // With a correct hash, bytes that are not a burnpack file, or half of one, must not panic.
    for bytes in [Vec::new(), b"no weights at all".to_vec(), weights[0][..middle].to_vec()] {
        let mut entry = entry.clone();
        entry.sha256 = cratedigger_zoo::sha256_hex(&bytes);
        let error = Model::load(&entry, 10, bytes, &Device::flex()).err().expect("refused");
        assert!(matches!(error, LoadError::Weights { .. }), "{error}");
    }

    let error = Analyser::load(&manifest, Vec::new(), &Device::flex()).err().expect("refused");
    assert!(matches!(error, LoadError::Count { networks: 1, weights: 0 }), "{error}");
}

#[test]
fn predictions_do_not_depend_on_batches_and_silence_is_left_out() {
    let (manifest, weights) = shipped();
    let mut analyser = Analyser::load(&manifest, weights, &Device::flex()).unwrap();
    let (rate, rates) = (analyser.sample_rate(), analyser.sample_rates().to_vec());
    let signals = |end: usize| {
        let mut signals = Signals::empty(&rates);
        for &other in &rates {
            let mut song = golden_signal(other, 3.0);
            song.extend(std::iter::repeat_n(SILENCE / 2.0, song.len()));
            song.extend(golden_signal(other, 3.0).iter().rev());
            song.truncate(place_at(end, rate, other));
            *signals.at_mut(other).unwrap() = song;
        }
        signals
    };
    let length = 9 * rate as usize;
    let segments = analyser.segments(length);
    assert_eq!(segments.len(), 3);
    let together = pollster::block_on(analyser.predict(&signals(length), &segments)).unwrap();
    assert!(together[1].is_none() && together[0].is_some() && together[2].is_some());
    for (segment, expected) in segments.iter().zip(&together) {
        // One by one, and without samples after the segment, as in live input.
        let alone =
            pollster::block_on(analyser.predict(&signals(segment.end), std::slice::from_ref(segment)))
                .unwrap();
        match (&alone[0], expected) {
            (None, None) => {}
            (Some(a), Some(b)) => {
                for (x, y) in a.ensemble.iter().zip(&b.ensemble) {
                    assert!((x - y).abs() < 1e-4, "{x} {y}");
                }
            }
            _ => panic!("one is silent"),
        }
    }
    let song_prediction = analyser.song_prediction(together.iter().flatten()).unwrap();
    assert!((song_prediction.ensemble.iter().sum::<f32>() - 1.0).abs() < 1e-5);
    assert!(analyser.song_prediction([]).is_none());
}

/// The ensemble rule of a manifest is checked when it is parsed, and used for songs.
#[test]
fn the_rule_of_a_manifest_is_checked_and_used() {
    let (mut manifest, weights) = shipped();
    let members = manifest.models.len();
    manifest.ensemble = EnsembleRule { temperatures: vec![2.0; members + 1], ..Default::default() };
    let error = Manifest::parse(&serde_json::to_vec(&manifest).unwrap()).unwrap_err();
    assert!(error.to_string().contains("temperatures"), "{error}");

    manifest.ensemble = EnsembleRule { temperature: 50.0, none_below: Some(0.9), ..Default::default() };
    let manifest = Manifest::parse(&serde_json::to_vec(&manifest).unwrap()).unwrap();
    let mut analyser = Analyser::load(&manifest, weights, &Device::flex()).unwrap();
    let song = golden_signal(analyser.sample_rate(), manifest.models[0].input_spec.segment_seconds);
    let segments = analyser.segments(song.len());
    let song = Signals::resampled(&song, analyser.sample_rate(), analyser.sample_rates()).unwrap();
    let judged = pollster::block_on(analyser.predict(&song, &segments)).unwrap();
    let song_prediction = analyser.song_prediction(judged.iter().flatten()).unwrap();
    // At temperature 50, all probabilities are nearly equal.
    assert!(
        song_prediction.decision.none && song_prediction.decision.confidence < 0.5,
        "{:?}",
        song_prediction.decision
    );
    assert_eq!(song_prediction.ensemble[song_prediction.decision.class], song_prediction.decision.confidence);
}
