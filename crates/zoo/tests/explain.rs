//! Explanations: tiles that carry a class, tiles that carry nothing, and one tile computed by hand.
#![allow(clippy::unwrap_used)]

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Tensor, TensorData};
use cratedigger_dsp::{Complex32, Istft, Stft, hz_to_mel, mel_to_hz};
use cratedigger_zoo::{Analyser, ExplainError, Explanation, Signals, argmax, explain};

mod common;

const ROWS: usize = Explanation::ROWS;
const COLUMNS: usize = Explanation::COLUMNS;
const RATE: usize = 22_050;
const SAMPLES: usize = 3 * RATE;

const TINY_CNN: &str = r#"{"kind": "branched", "branches": [{"body": "conv", "pooling": "flatten",
    "blocks": [{"channels": 4, "stride": [4, 4]}, {"channels": 4, "stride": [4, 2]}]}]}"#;

/// A tone between two times in seconds, faded in and out, added to a signal.
fn add_tone(signal: &mut [f32], hz: f64, amplitude: f64, [from, to]: [f64; 2]) {
    for (n, value) in signal.iter_mut().enumerate() {
        let t = n as f64 / RATE as f64;
        let fade = (40.0 * (t - from)).min(40.0 * (to - t)).clamp(0.0, 1.0);
        *value += (amplitude * fade * (std::f64::consts::TAU * hz * t).sin()) as f32;
    }
}

fn explained(analyser: &mut Analyser, signal: &[f32], class: usize, batch: usize) -> Explanation {
    pollster::block_on(explain(analyser, signal, class, batch, async |_| true)).unwrap().unwrap()
}

/// A linear network that predicts class 0 from energy in any band above 2 kHz, and depends on nothing else.
struct HighBands;

impl ModuleMapper for HighBands {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let shape: [usize; D] = param.val().dims();
        let Some(&classes) = shape.last() else { return param };
        let first_band = (128.0 * hz_to_mel(2000.0) / hz_to_mel(RATE as f64 / 2.0)) as usize;
        let hears =
            |index: usize| D == 2 && index.is_multiple_of(classes) && index / classes / 39 >= first_band;
        let count = shape.iter().product();
        let values: Vec<f32> = (0..count).map(|index| if hears(index) { 0.002 } else { 0.0 }).collect();
        param.map(|tensor| Tensor::from_data(TensorData::new(values, shape), &tensor.device()))
    }
}

#[test]
fn the_tiles_that_carry_a_class_speak_for_it() {
    let linear = r#"{"kind": "branched", "branches": [{"body": "dense", "layers": []}]}"#;
    let mut analyser = common::analyser(linear, 2, |network| network.map(&mut HighBands));
    let mut signal = vec![0.0; SAMPLES];
    add_tone(&mut signal, 200.0, 0.5, [0.0, 3.0]);
    // Row 4 is from 1.98 to 3.05 kHz, columns 4 and 5 from 1 s to 1.5 s.
    add_tone(&mut signal, 2600.0, 0.3, [1.0, 1.5]);
    let Explanation { drops } = explained(&mut analyser, &signal, 0, 5);
    assert_eq!(drops.len(), ROWS * COLUMNS);
    let best = argmax(&drops);
    assert_eq!(best / COLUMNS, 4, "{drops:?}");
    assert!([4, 5].contains(&(best % COLUMNS)), "{drops:?}");
    // The same tiles speak against the other class, and the same frequencies at another time for none.
    let other = explained(&mut analyser, &signal, 1, 96);
    assert!(drops[best] > 0.01 && other.drops[best] < -1e-5, "{} {}", drops[best], other.drops[best]);
    assert!(drops[4 * COLUMNS + 9].abs() < 1e-3, "{drops:?}");
}

#[test]
fn a_silent_tile_changes_nothing_and_batches_do_not_matter() {
    let mut analyser = common::analyser(TINY_CNN, 3, |network| network);
    let mut signal = vec![0.0; SAMPLES];
    add_tone(&mut signal, 600.0, 0.5, [0.1, 1.0]);
    let Explanation { drops } = explained(&mut analyser, &signal, 1, 8);
    let largest = drops.iter().fold(0.0_f32, |max, drop| max.max(drop.abs()));
    assert!(largest > 1e-2, "{drops:?}");
    for (tile, drop) in drops.iter().enumerate().filter(|(tile, _)| tile % COLUMNS >= 6) {
        assert!(drop.abs() < 1e-3, "tile {tile}: {drop}");
    }
    let one_by_one = explained(&mut analyser, &signal, 1, 1);
    for (a, b) in drops.iter().zip(&one_by_one.drops) {
        assert!((a - b).abs() < 1e-4, "{a} {b}");
    }
    // Also if the variant of a tile ends with sound, which must not reach the next variant.
    let loud = cratedigger_zoo::golden_signal(RATE as u32, 3.0);
    let (one, many) = (explained(&mut analyser, &loud, 1, 1), explained(&mut analyser, &loud, 1, 8));
    for (a, b) in one.drops.iter().zip(&many.drops) {
        assert!((a - b).abs() < 1e-4, "{a} {b}");
    }
}

/// A tile's value is the difference of two predictions, here with a transform of the test's own.
#[test]
fn a_tile_equals_the_difference_computed_by_hand() {
    let (n_fft, hop, class) = (1024, 256, 2);
    let (row, column) = (3, 7);
    let mut analyser = common::analyser(TINY_CNN, 3, |network| network);
    let signal = cratedigger_zoo::golden_signal(RATE as u32, 3.0);

    let frames = signal.len() / hop + 1;
    let mut stft = Stft::new(n_fft).unwrap();
    let mut istft = Istft::new(n_fft, hop).unwrap();
    let mut without = Vec::new();
    istft.begin(signal.len(), &mut without);
    let nyquist = RATE as f64 / 2.0;
    let edge = |row: usize| {
        let hz = mel_to_hz(hz_to_mel(nyquist) * row as f64 / ROWS as f64);
        (hz * n_fft as f64 / RATE as f64).round() as usize
    };
    for frame in 0..frames {
        let mut spectrum = vec![Complex32::default(); n_fft / 2 + 1];
        stft.spectrum(&signal, frame * hop, &mut spectrum).unwrap();
        if frame >= column * frames / COLUMNS && frame < (column + 1) * frames / COLUMNS {
            spectrum[edge(row)..edge(row + 1)].iter_mut().for_each(|bin| *bin *= 0.025);
        }
        istft.add(frame, &mut spectrum, &mut without).unwrap();
    }
    istft.finish(&mut without).unwrap();
    let mut predict = |signal: &[f32]| {
        let segment = 0..signal.len();
        let signals = Signals::single(RATE as u32, signal.to_vec());
        pollster::block_on(analyser.predict(&signals, &[segment])).unwrap().remove(0).unwrap().ensemble[class]
    };
    let expected = predict(&signal) - predict(&without);
    let Explanation { drops } = explained(&mut analyser, &signal, class, 4);
    let found = drops[row * COLUMNS + column];
    assert!(expected.abs() > 1e-4, "{expected}");
    assert!((found - expected).abs() < 1e-5, "{found} {expected}");
}

#[test]
fn explaining_can_be_stopped_and_refuses_silence_and_unknown_classes() {
    let mut analyser = common::analyser(TINY_CNN, 3, |network| network);
    let signal = cratedigger_zoo::golden_signal(RATE as u32, 3.0);
    let mut finished = Vec::new();
    let stopped = pollster::block_on(explain(&mut analyser, &signal, 0, 5, async |tiles| {
        finished.push(tiles);
        tiles < 15
    }));
    assert_eq!(stopped.unwrap(), None);
    assert_eq!(finished, [5, 10, 15]);
    let mut error = |signal: &[f32], class| {
        pollster::block_on(explain(&mut analyser, signal, class, 5, async |_| true)).unwrap_err()
    };
    assert!(matches!(error(&vec![0.0; SAMPLES], 0), ExplainError::Silent));
    assert!(matches!(error(&signal, 3), ExplainError::NoClass(3)));
}
