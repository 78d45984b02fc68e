//! Augmentation: compared with librosa (see `tests/golden/README.md`), and properties for every signal
//! and seed.

#![allow(clippy::unwrap_used, clippy::expect_used)]
#![cfg_attr(
    target_arch = "wasm32",
    allow(dead_code, unused_imports, reason = "only the property tests use it")
)]

use std::f64::consts::TAU;

use cratedigger_dsp::augment::{
    Fill, MAX_MASKS, Masks, SpecAugment, Vacancy, add_noise, gain, generator, mix, mixup, pitch_shift,
    time_shift, time_stretch,
};
use cratedigger_dsp::{DspError, Spectrogram, Stft};
#[cfg(not(target_arch = "wasm32"))]
use proptest::{collection::vec, prelude::*, sample::select};
use serde::Deserialize;
use wasm_bindgen_test::wasm_bindgen_test;

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);

const RATE: f64 = 22050.0;

#[derive(Deserialize)]
struct Golden {
    samples: usize,
    sum_of_squares: f64,
    stretched: Vec<Case>,
    shifted: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    rate: Option<f64>,
    semitones: Option<f64>,
    samples: usize,
    peak: f64,
    sum_of_squares: f64,
    every_16th: Vec<f64>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../../../tests/golden/augment.json")).unwrap()
}

fn energy(signal: &[f32]) -> f64 {
    signal.iter().map(|s| f64::from(*s).powi(2)).sum()
}

/// The formulas of `tests/golden/make_augment.py`.
fn chord_with_noise(golden: &Golden) -> Vec<f32> {
    let mut state = 5_u32;
    let signal: Vec<f32> = (0..golden.samples)
        .map(|i| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = (f64::from(state >> 8) - 8_388_608.0) / 16_777_216.0;
            let tone = |f: f64| 0.2 * (TAU * f * i as f64 / RATE).sin();
            let tones: f64 = [220.0, 277.5, 330.0, 1760.0].into_iter().map(tone).sum();
            (0.05 + (-3.0 * i as f64 / RATE).exp() * tones + 0.001 * noise) as f32
        })
        .collect();
    assert!((energy(&signal) - golden.sum_of_squares).abs() <= 1e-9 * golden.sum_of_squares);
    signal
}

/// The largest difference to librosa's samples, relative to librosa's peak.
fn compare(found: &[f32], case: &Case) -> f64 {
    assert_eq!(found.len(), case.samples);
    let energy_ratio = energy(found) / case.sum_of_squares;
    assert!((energy_ratio - 1.0).abs() < 1e-3, "{energy_ratio} times the energy");
    let found = found.iter().step_by(16);
    assert_eq!(found.len(), case.every_16th.len());
    let worst = found.zip(&case.every_16th).map(|(f, e)| (f64::from(*f) - e).abs()).fold(0.0, f64::max);
    worst / case.peak
}

#[wasm_bindgen_test(unsupported = test)]
fn stretching_equals_librosas() {
    let golden = golden();
    let signal = chord_with_noise(&golden);
    for case in &golden.stretched {
        let rate = case.rate.unwrap();
        let worst = compare(&time_stretch(&signal, rate).unwrap(), case);
        // Single precision limits the phases of the quietest bins; 4e-6 was observed.
        assert!(worst <= 5e-5, "rate {rate}: {worst} of the peak");
    }
    assert_eq!(golden.stretched.len(), 5);
}

#[wasm_bindgen_test(unsupported = test)]
fn pitch_shifting_equals_librosas() {
    let golden = golden();
    let signal = chord_with_noise(&golden);
    for case in &golden.shifted {
        let semitones = case.semitones.unwrap();
        let worst = compare(&pitch_shift(&signal, semitones).unwrap(), case);
        // The filters of the two resamplers differ near the Nyquist frequency and ring differently at the
        // start of the signal; 1.3e-3 was observed.
        assert!(worst <= 3e-3, "{semitones} semitones: {worst} of the peak");
    }
    assert_eq!(golden.shifted.len(), 4);
}

fn sine(hz: f64, samples: usize) -> Vec<f32> {
    (0..samples).map(|i| 0.5 * (TAU * hz * i as f64 / RATE).sin() as f32).collect()
}

/// The frequency of the strongest tone around the middle, in Hz: a parabola through the logarithms
/// of the three strongest bins.
fn pitch(signal: &[f32]) -> f64 {
    let n_fft = 8192;
    let mut stft = Stft::new(n_fft).unwrap();
    let mut power = vec![0.0; stft.bins()];
    stft.power(signal, signal.len() / 2, &mut power).unwrap();
    let peak = (1..power.len() - 1).max_by(|a, b| power[*a].total_cmp(&power[*b])).unwrap();
    let [left, middle, right] = [peak - 1, peak, peak + 1].map(|b| f64::from(power[b]).ln());
    let beside = 0.5 * (left - right) / (left - 2.0 * middle + right);
    (peak as f64 + beside) * RATE / n_fft as f64
}

#[wasm_bindgen_test(unsupported = test)]
fn an_octave_up_doubles_the_frequency() {
    let shifted = pitch_shift(&sine(440.0, 22050), 12.0).unwrap();
    assert_eq!(shifted.len(), 22050);
    assert!((pitch(&shifted) - 880.0).abs() < 0.5, "{} Hz", pitch(&shifted));
}

#[cfg(not(target_arch = "wasm32"))]
proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Duration changes, pitch does not.
    #[test]
    fn a_stretched_sine_keeps_its_frequency(hz in 200.0..4000.0_f64, rate in 0.4..2.0_f64) {
        let signal = sine(hz, 30_000);
        let stretched = time_stretch(&signal, rate).unwrap();
        prop_assert_eq!(stretched.len(), (30_000.0 / rate).round_ties_even() as usize);
        prop_assert!((pitch(&stretched) - hz).abs() < 1.0, "{} Hz for {}", pitch(&stretched), hz);
    }

    /// Pitch changes, duration does not.
    #[test]
    fn a_shifted_sine_has_the_other_frequency(hz in 300.0..1500.0_f64, semitones in -12.0..12.0_f64) {
        let shifted = pitch_shift(&sine(hz, 30_000), semitones).unwrap();
        prop_assert_eq!(shifted.len(), 30_000);
        let expected = hz * (semitones / 12.0).exp2();
        // Half a cent from the resampling ratio, and a tenth of a bin from the estimate of the peak.
        let allowed = expected * (1.0 / 2400.0 * std::f64::consts::LN_2) + 0.3;
        prop_assert!((pitch(&shifted) - expected).abs() < allowed, "{} Hz for {}", pitch(&shifted), expected);
    }

    /// A neutral change returns the input.
    #[test]
    fn a_rate_of_one_changes_nothing(signal in vec(-1.0_f32..1.0, 1..6000)) {
        for same in [time_stretch(&signal, 1.0).unwrap(), pitch_shift(&signal, 0.0).unwrap()] {
            prop_assert_eq!(same.len(), signal.len());
            for (a, b) in signal.iter().zip(&same) {
                prop_assert!((a - b).abs() < 1e-5, "{} became {}", a, b);
            }
        }
    }

    /// Short signals and extreme rates give the right length and finite values.
    #[test]
    fn any_signal_can_be_stretched_and_shifted(
        signal in vec(-1.0_f32..1.0, 1..3000),
        rate in select(vec![0.125, 0.3, 1.7, 8.0]),
        semitones in select(vec![-36.0, -7.3, 1e-9, 36.0]),
    ) {
        let stretched = time_stretch(&signal, rate).unwrap();
        prop_assert_eq!(stretched.len(), (signal.len() as f64 / rate).round_ties_even() as usize);
        prop_assert!(stretched.iter().all(|s| s.is_finite()));
        let shifted = pitch_shift(&signal, semitones).unwrap();
        prop_assert_eq!(shifted.len(), signal.len());
        prop_assert!(shifted.iter().all(|s| s.is_finite()));
    }

    /// The noise has the requested level for every seed and signal.
    #[test]
    fn noise_has_its_ratio(seed in any::<u64>(), snr_db in -20.0_f32..60.0, amplitude in 0.01_f32..1.0) {
        let clean: Vec<f32> = sine(440.0, 100_000).iter().map(|s| s * amplitude).collect();
        let mut noisy = clean.clone();
        add_noise(&mut noisy, snr_db, &mut generator(seed)).unwrap();
        let noise: Vec<f32> = noisy.iter().zip(&clean).map(|(n, c)| n - c).collect();
        let found = 10.0 * (energy(&clean) / energy(&noise)).log10();
        // The energy of 100000 random values varies by 0.02 dB; the limit is nine times as large.
        prop_assert!((found - f64::from(snr_db)).abs() < 0.2, "{} dB for {}", found, snr_db);

        let mut again = clean.clone();
        add_noise(&mut again, snr_db, &mut generator(seed)).unwrap();
        prop_assert_eq!(&again, &noisy);
        let mut other = clean;
        add_noise(&mut other, snr_db, &mut generator(seed.wrapping_add(1))).unwrap();
        prop_assert_ne!(&other, &noisy);
    }
}

#[cfg(not(target_arch = "wasm32"))]
proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_gain_and_its_inverse_cancel(signal in vec(-1.0_f32..1.0, 0..200), db in -60.0_f32..60.0) {
        let mut changed = signal.clone();
        gain(&mut changed, db).unwrap();
        let expected = energy(&signal) * 10_f64.powf(f64::from(db) / 10.0);
        prop_assert!((energy(&changed) - expected).abs() <= 1e-5 * expected);
        gain(&mut changed, -db).unwrap();
        for (a, b) in signal.iter().zip(&changed) {
            prop_assert!((a - b).abs() <= 1e-5 * a.abs());
        }
    }

    /// Each sample arrives at its position, and the gap has the chosen content.
    #[test]
    fn shifts_move_samples(
        signal in vec(-1.0_f32..1.0, 1..100),
        samples in prop_oneof![-250..250_isize, Just(isize::MIN), Just(isize::MAX)],
    ) {
        let n = signal.len() as i128;
        let (mut wrapped, mut zeroed) = (signal.clone(), signal.clone());
        time_shift(&mut wrapped, samples, Vacancy::Wrap).unwrap();
        time_shift(&mut zeroed, samples, Vacancy::Zeros).unwrap();
        for i in 0..n {
            let from = i - samples as i128;
            prop_assert_eq!(wrapped[i as usize], signal[from.rem_euclid(n) as usize]);
            let expected = if (0..n).contains(&from) { signal[from as usize] } else { 0.0 };
            prop_assert_eq!(zeroed[i as usize], expected);
        }
    }

    /// Masks cover the reported positions, not more than their limits, and nothing else changes.
    #[test]
    fn masks_stay_within_their_limits(
        (bands, frames) in (1..50_usize, 1..80_usize),
        band_masks in 0..4_usize,
        max_bands in 0..60_usize,
        frame_masks in 0..4_usize,
        max_frames in 0..90_usize,
        seed in any::<u64>(),
        mean in any::<bool>(),
    ) {
        let data: Vec<f32> = (0..bands * frames).map(|i| -1.0 - i as f32).collect();
        let before = Spectrogram { bands, frames, data };
        let fill = if mean { Fill::Mean } else { Fill::Value(0.0) };
        let masking = SpecAugment { band_masks, max_bands, frame_masks, max_frames, fill };
        let mut after = before.clone();
        let masks = masking.apply(&mut after, &mut generator(seed)).unwrap();

        prop_assert_eq!((masks.bands.len(), masks.frames.len()), (band_masks, frame_masks));
        prop_assert!(masks.bands.iter().all(|m| m.len() <= max_bands && m.end <= bands));
        prop_assert!(masks.frames.iter().all(|m| m.len() <= max_frames && m.end <= frames));
        let count = (bands * frames) as f64;
        let filled = if mean { (-(1.0 + count) / 2.0) as f32 } else { 0.0 };
        for (at, (old, new)) in before.data.iter().zip(&after.data).enumerate() {
            let band = masks.bands.iter().any(|m| m.contains(&(at / frames)));
            let frame = masks.frames.iter().any(|m| m.contains(&(at % frames)));
            prop_assert_eq!(*new, if band || frame { filled } else { *old });
        }

        let mut again = before.clone();
        prop_assert_eq!(masking.apply(&mut again, &mut generator(seed)).unwrap(), masks);
        prop_assert_eq!(again, after);
    }

    /// A mixture is between its inputs, and its labels are still probabilities.
    #[test]
    fn mixtures_are_convex(
        pairs in vec((-1.0_f32..1.0, -1.0_f32..1.0), 0..100),
        alpha in prop_oneof![Just(0.01_f32), Just(100.0), 0.01_f32..2.0],
        seed in any::<u64>(),
    ) {
        let (first, second): (Vec<f32>, Vec<f32>) = pairs.into_iter().unzip();
        let (mixture, lambda) = mixup(&first, &second, alpha, &mut generator(seed)).unwrap();
        prop_assert!((0.0..=1.0).contains(&lambda));
        prop_assert_eq!(mixture.len(), first.len());
        for ((m, a), b) in mixture.iter().zip(&first).zip(&second) {
            prop_assert!((a.min(*b) - 1e-6..=a.max(*b) + 1e-6).contains(m), "{} of {} and {}", m, a, b);
        }
        let labels = mix(&[1.0, 0.0, 0.0], &[0.0, 0.0, 1.0], lambda).unwrap();
        prop_assert_eq!(labels, vec![lambda, 0.0, 1.0 - lambda]);
        prop_assert_eq!(mixup(&first, &second, alpha, &mut generator(seed)).unwrap(), (mixture, lambda));
    }
}

/// Beta(α, α) has the mean ½ and the variance 1 / (4 · (2α + 1)).
#[wasm_bindgen_test(unsupported = test)]
fn lambdas_have_the_moments_of_the_beta_distribution() {
    let mut rng = generator(3);
    for alpha in [0.2_f32, 1.0, 8.0] {
        let n = 20_000;
        let lambdas: Vec<f64> =
            (0..n).map(|_| f64::from(mixup(&[], &[], alpha, &mut rng).unwrap().1)).collect();
        let mean = lambdas.iter().sum::<f64>() / f64::from(n);
        let variance = lambdas.iter().map(|l| (l - mean).powi(2)).sum::<f64>() / f64::from(n);
        let expected = 1.0 / (4.0 * (2.0 * f64::from(alpha) + 1.0));
        assert!((mean - 0.5).abs() < 0.015, "{mean}");
        assert!((variance / expected - 1.0).abs() < 0.05, "{variance} for {expected}");
    }
}

/// A seed gives the same numbers on every machine and in every version.
#[wasm_bindgen_test(unsupported = test)]
fn a_seed_gives_recorded_numbers() {
    let mut signal = [1.0_f32; 4];
    add_noise(&mut signal, 0.0, &mut generator(42)).unwrap();
    for (found, expected) in signal.iter().zip([1.4779812, 2.3340707, 0.7891333, 1.476347]) {
        assert!((found - expected).abs() < 1e-6, "{found} for {expected}");
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn silence_stays_silent() {
    let mut silence = vec![0.0; 5000];
    add_noise(&mut silence, 10.0, &mut generator(0)).unwrap();
    assert!(silence.iter().all(|s| *s == 0.0));
    assert!(time_stretch(&silence, 0.7).unwrap().iter().all(|s| *s == 0.0));
    assert!(pitch_shift(&silence, 3.0).unwrap().iter().all(|s| *s == 0.0));
}

#[wasm_bindgen_test(unsupported = test)]
fn invalid_input_is_refused() {
    let mut signal = vec![0.5; 100];
    let rng = &mut generator(0);
    for bad in [f32::NAN, f32::INFINITY, -121.0, 121.0] {
        assert!(gain(&mut signal, bad).is_err());
        assert!(add_noise(&mut signal, bad, rng).is_err());
    }
    for bad in [f64::NAN, 0.0, -1.0, 0.12, 8.1, f64::INFINITY] {
        assert!(matches!(time_stretch(&signal, bad), Err(DspError::Parameter { name: "rate", .. })));
    }
    for bad in [f64::NAN, 36.1, -36.1, f64::INFINITY] {
        assert!(matches!(pitch_shift(&signal, bad), Err(DspError::Parameter { name: "semitones", .. })));
    }
    assert!(time_stretch(&[], 1.0).is_err());
    assert!(pitch_shift(&[], 1.0).is_err());
    assert_eq!(signal, vec![0.5; 100]);

    let mut holed = signal.clone();
    holed[7] = f32::NAN;
    let hole = |result: Result<(), DspError>| {
        assert!(matches!(result, Err(DspError::NonFinite { index: 7, .. })));
    };
    hole(gain(&mut holed, 1.0));
    hole(add_noise(&mut holed, 1.0, rng));
    hole(time_shift(&mut holed, 1, Vacancy::Wrap));
    hole(time_stretch(&holed, 1.0).map(|_| ()));
    hole(pitch_shift(&holed, 1.0).map(|_| ()));
    hole(mix(&holed, &signal, 0.5).map(|_| ()));
    hole(mix(&signal, &holed, 0.5).map(|_| ()));
    hole(mixup(&signal, &holed, 0.5, rng).map(|_| ()));

    let masking = SpecAugment::default();
    let mut spectrogram = Spectrogram { bands: 10, frames: 10, data: holed };
    hole(masking.apply(&mut spectrogram, rng).map(|_| ()));
    spectrogram.data = signal.clone();
    assert!(masking.apply(&mut spectrogram, rng).is_ok());
    for (bands, frames) in [(0, 0), (10, 11), (usize::MAX, usize::MAX)] {
        spectrogram = Spectrogram { bands, frames, data: signal.clone() };
        assert!(masking.apply(&mut spectrogram, rng).is_err());
    }
    spectrogram = Spectrogram { bands: 0, frames: 0, data: vec![] };
    assert!(masking.apply(&mut spectrogram, rng).is_err());
    spectrogram = Spectrogram { bands: 10, frames: 10, data: signal.clone() };
    assert!(
        SpecAugment { fill: Fill::Value(f32::NAN), ..masking.clone() }.apply(&mut spectrogram, rng).is_err()
    );
    assert!(SpecAugment { band_masks: MAX_MASKS + 1, ..masking }.apply(&mut spectrogram, rng).is_err());
    let none = SpecAugment { band_masks: 0, frame_masks: 0, ..SpecAugment::default() };
    assert_eq!(none.apply(&mut spectrogram, rng).unwrap(), Masks::default());

    assert!(mix(&signal, &signal[1..], 0.5).is_err());
    for bad in [-0.1, 1.1, f32::NAN] {
        assert!(mix(&signal, &signal, bad).is_err());
    }
    for bad in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        assert!(mixup(&signal, &signal, bad, rng).is_err());
    }

    let mut nothing: [f32; 0] = [];
    assert!(gain(&mut nothing, 1.0).is_ok());
    assert!(add_noise(&mut nothing, 1.0, rng).is_ok());
    assert!(time_shift(&mut nothing, 5, Vacancy::Zeros).is_ok());
}
