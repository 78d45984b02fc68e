//! Features compared with librosa's, on signals from the same formulas; see
//! `tests/golden/README.md`.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod signals;

use cratedigger_dsp::{MelBank, MelParams, MelSpectrogram, power_to_db};
use serde::Deserialize;
use signals::signal;
use wasm_bindgen_test::wasm_bindgen_test;

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);

#[derive(Deserialize)]
struct Mel {
    signal: String,
    sample_rate: u32,
    samples: usize,
    sum_of_squares: f64,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    n_fft: usize,
    hop_length: usize,
    n_mels: usize,
    fmin: f64,
    fmax: f64,
    frames: usize,
    /// Row after row, lowest band first.
    power: Vec<Vec<f64>>,
    db: Vec<Vec<f64>>,
}

#[derive(Deserialize)]
struct Banks {
    banks: Vec<Bank>,
}

#[derive(Deserialize)]
struct Bank {
    sample_rate: f64,
    n_fft: usize,
    n_mels: usize,
    fmin: f64,
    fmax: f64,
    /// First bin, then weights.
    filters: Vec<Vec<f64>>,
}

fn check(json: &str) {
    let golden: Mel = serde_json::from_str(json).unwrap();
    let name = &golden.signal;
    let samples = signal(name, golden.samples);
    let squares: f64 = samples.iter().map(|s| f64::from(*s).powi(2)).sum();
    assert!((squares - golden.sum_of_squares).abs() <= 1e-9 * squares, "{name} is another signal here");

    for case in &golden.cases {
        let params = MelParams {
            sample_rate: golden.sample_rate,
            n_fft: case.n_fft,
            hop_length: case.hop_length,
            n_mels: case.n_mels,
            fmin: case.fmin,
            fmax: case.fmax,
        };
        let mut mel = MelSpectrogram::new(&params).unwrap().spectrogram(&samples).unwrap();
        assert_eq!((mel.bands, mel.frames), (case.n_mels, case.frames), "{name}: shape");
        assert_eq!(case.power.len(), mel.bands);

        // A single-precision FFT has an amplitude error of about 1e-7 of the spectrum's root mean square
        // in every bin. For a bin of power P, this is an error of 2·√P times as much, so a tolerance
        // relative to P alone fails for quiet bins. With the mean power well below the maximum (a tone's
        // energy is in 3 of 1025 bins: √(3/1025) ≈ 0.05) and P = 1e-6 of the maximum, the error is
        // √(1e-6) · 2 · 1e-7 · 0.05 = 1e-11, below the floor of 1e-10. (The largest observed difference
        // is 8 % of the limit, and 0.0006 dB.)
        let floor = 1e-10 * case.power.iter().flatten().copied().fold(0.0, f64::max);
        let expected = case.power.iter().flatten();
        for (at, (found, expected)) in mel.data.iter().zip(expected).enumerate() {
            let (found, expected) = (f64::from(*found), *expected);
            let allowed = 1e-4 * expected + floor;
            assert!(
                (found - expected).abs() <= allowed,
                "{name}, n_fft {}, band {}, frame {}: {found} where librosa has {expected}",
                case.n_fft,
                at / mel.frames,
                at % mel.frames,
            );
        }

        power_to_db(&mut mel.data, 80.0);
        for (at, (found, expected)) in mel.data.iter().zip(case.db.iter().flatten()).enumerate() {
            let difference = (f64::from(*found) - expected).abs();
            assert!(
                difference <= 0.01,
                "{name}, n_fft {}, band {}, frame {}: {found} dB where librosa has {expected}",
                case.n_fft,
                at / mel.frames,
                at % mel.frames,
            );
        }
    }
}

macro_rules! golden {
    ($($name:ident)*) => {
        $(#[wasm_bindgen_test(unsupported = test)]
        fn $name() {
            check(include_str!(concat!("../../../tests/golden/mel_", stringify!($name), ".json")));
        })*
    };
}

golden!(sweep noise clicks silence chord);

#[wasm_bindgen_test(unsupported = test)]
fn filter_banks() {
    let golden: Banks = serde_json::from_str(include_str!("../../../tests/golden/mel_banks.json")).unwrap();
    assert_eq!(golden.banks.len(), 2);
    for case in golden.banks {
        let bank = MelBank::slaney(case.sample_rate, case.n_fft, case.n_mels, case.fmin, case.fmax).unwrap();
        assert_eq!(bank.bands(), case.filters.len());
        for (band, expected) in case.filters.iter().enumerate() {
            let (first, weights) = bank.weights(band);
            let bins = case.n_fft / 2 + 1;
            // Compared over all bins, so that a filter with other edges is found. At its very edge, a
            // weight may be a rounding error in one implementation and absent in the other.
            let dense = |first: usize, weights: &mut dyn Iterator<Item = f64>| {
                let mut row = vec![0.0; bins];
                for (bin, weight) in weights.enumerate() {
                    row[first + bin] = weight;
                }
                row
            };
            let found = dense(first, &mut weights.iter().map(|w| f64::from(*w)));
            let expected = dense(expected[0] as usize, &mut expected[1..].iter().copied());
            for bin in 0..bins {
                let difference = (found[bin] - expected[bin]).abs();
                // librosa rounds to single precision twice: before and after the normalisation.
                assert!(
                    difference <= 2e-7 * expected[bin] + 1e-9,
                    "band {band}, bin {bin}: {} where librosa has {}",
                    found[bin],
                    expected[bin],
                );
            }
        }
    }
}
