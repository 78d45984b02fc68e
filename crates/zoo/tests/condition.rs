//! Conditions: detected in modified signals, and not in unmodified ones.
#![allow(clippy::unwrap_used)]

use cratedigger_dsp::degrade::{band_limit, clip};
use cratedigger_dsp::resample;
use cratedigger_protocol::Condition;
use cratedigger_zoo::condition::{BandLevels, ClippingMeter, conditions};
use cratedigger_zoo::golden_signal;

#[path = "../../dsp/tests/signals/mod.rs"]
mod signals;

const CLIPPED: f64 = 0.01;
const RATE: u32 = 22_050;

fn telephone(signal: &[f32]) -> bool {
    BandLevels::measure(signal, RATE).unwrap().is_some_and(|levels| levels.is_telephone())
}

/// Unmodified signals: music, noise, a sweep, tones with a quiet noise floor, clicks.
fn plain() -> Vec<(&'static str, Vec<f32>)> {
    let names = ["band", "noise", "sweep", "chord", "clicks"];
    let mut all: Vec<_> = names.map(|name| (name, signals::feature_signal(name, 3 * RATE as usize))).to_vec();
    all.push(("golden", golden_signal(RATE, 3.0)));
    let tone = |n: usize| (n as f32 * 0.2).sin();
    all.push(("tone", (0..3 * RATE as usize).map(tone).collect()));
    all
}

#[test]
fn a_telephone_band_is_detected_and_unmodified_signals_are_not() {
    for (name, signal) in plain() {
        let levels = BandLevels::measure(&signal, RATE).unwrap();
        assert!(!telephone(&signal), "{name}: {levels:?}");
    }
    for (name, mut signal) in plain().into_iter().filter(|(name, _)| ["band", "noise"].contains(name)) {
        band_limit(&mut signal, RATE, 300.0, 3400.0).unwrap();
        // The telephone line has a sample rate of 8 kHz.
        let line = resample(&signal, RATE, 8000).unwrap();
        let heard = resample(&line, 8000, RATE).unwrap();
        let levels = BandLevels::measure(&heard, RATE).unwrap();
        assert!(telephone(&heard), "{name}: {levels:?}");
        // The level does not matter.
        assert!(telephone(&heard.iter().map(|s| s * 0.01).collect::<Vec<_>>()));
    }
}

#[test]
fn a_limit_at_one_edge_only_is_no_telephone_band() {
    let band = signals::feature_signal("band", 3 * RATE as usize);
    for [low, high] in [[300.0, 11_025.0], [0.0, 3400.0], [60.0, 7000.0]] {
        let mut signal = band.clone();
        band_limit(&mut signal, RATE, low, high).unwrap();
        assert!(!telephone(&signal), "{low} to {high} Hz");
    }
}

#[test]
fn silence_short_signals_and_low_rates_have_no_band() {
    let none = |signal: &[f32], rate| BandLevels::measure(signal, rate).unwrap().is_none();
    assert!(none(&vec![0.0; 30_000], RATE) && none(&[0.5; 100], RATE) && none(&[0.5; 30_000], 8000));
    assert!(BandLevels::measure(&vec![f32::NAN; 30_000], RATE).is_err());
}

fn fraction(signal: &[f32]) -> f64 {
    let mut meter = ClippingMeter::default();
    // In chunks, as a song is decoded.
    signal.chunks(777).for_each(|piece| meter.push([piece]));
    let fraction = meter.fraction();
    let mut whole = ClippingMeter::default();
    whole.push([signal]);
    assert_eq!(whole.fraction(), fraction);
    assert_eq!(whole.is_clipped(), fraction > CLIPPED);
    fraction
}

#[test]
fn clipping_is_detected_and_unmodified_signals_are_not() {
    for (name, mut signal) in plain() {
        assert!(fraction(&signal) < CLIPPED / 2.0, "{name}: {}", fraction(&signal));
        // Rounded to 16 bits, peaks are flatter.
        let rounded: Vec<f32> = signal.iter().map(|s| (s * 32_767.0).round() / 32_768.0).collect();
        assert!(fraction(&rounded) < CLIPPED, "{name}: {}", fraction(&rounded));
        if name == "clicks" {
            continue; // hardly anything to clip
        }
        let peak = signal.iter().fold(0.0_f32, |peak, s| peak.max(s.abs()));
        clip(&mut signal, 12.0 - 20.0 * peak.log10()).unwrap();
        assert!(fraction(&signal) > CLIPPED, "{name}: {}", fraction(&signal));
        // A quieter copy of a clipped recording is still clipped.
        let quieter: Vec<f32> = signal.iter().map(|s| s * 0.37).collect();
        assert!(fraction(&quieter) > CLIPPED, "{name}: {}", fraction(&quieter));
    }
}

#[test]
fn runs_at_the_extreme_value_count() {
    assert_eq!(fraction(&[0.5, 1.0, 1.0, 1.0, 0.0, -1.0, -1.0, 0.5, 1.0, -1.0]), 0.3);
    assert_eq!(fraction(&[1.0, 1.0, 1.0, 1.0, -1.0, -1.0, -1.0, 0.0]), 0.875);
    // Plateaus below the extreme value do not count.
    assert_eq!(fraction(&[0.5, 0.5, 0.5, 0.5, 1.0]), 0.0);
    assert_eq!((fraction(&[]), fraction(&[0.0; 50])), (0.0, 0.0));
    // The channel with the largest fraction counts.
    let mut meter = ClippingMeter::default();
    meter.push([[1.0, 1.0, 1.0, 0.0].as_slice(), [0.1, 0.2, 0.1, 0.0].as_slice()]);
    assert_eq!(meter.fraction(), 0.75);
}

#[test]
fn conditions_name_both() {
    let mut signal = signals::feature_signal("band", 3 * RATE as usize);
    let mut meter = ClippingMeter::default();
    meter.push([signal.as_slice()]);
    assert_eq!(conditions(&signal, RATE, &meter).unwrap(), []);
    clip(&mut signal, 40.0).unwrap();
    let mut meter = ClippingMeter::default();
    meter.push([signal.as_slice()]);
    assert_eq!(conditions(&signal, RATE, &meter).unwrap(), [Condition::Clipped]);
}
