//! Every feature compared with librosa's, on signals from the same formulas; see
//! `tests/golden/README.md`. The same tests run natively and in a browser.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod signals;

use cratedigger_dsp::{
    Aggregate, CHROMA, ChromaBank, FeatureExtractor, FeatureParams, Frames, Hpss, LogFrequencyBank, MelBank,
    MelNorm, MelScale, TABLE_COLUMNS, delta,
};
use serde::Deserialize;
use signals::feature_signal;
use wasm_bindgen_test::wasm_bindgen_test;

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);

type Matrix = Vec<Vec<f64>>;

#[derive(Deserialize)]
struct Golden {
    signal: String,
    samples: usize,
    sum_of_squares: f64,
    tuning: f64,
    rms: Matrix,
    zero_crossing_rate: Matrix,
    spectral_centroid: Matrix,
    spectral_bandwidth: Matrix,
    spectral_rolloff: Matrix,
    spectral_flatness: Matrix,
    spectral_contrast: Matrix,
    chroma: Matrix,
    tonnetz: Matrix,
    mfcc: Matrix,
    mfcc_delta: Matrix,
    mfcc_delta2: Matrix,
    onset_mean: Matrix,
    onset_median: Matrix,
    tempogram: Matrix,
    harmonic: Matrix,
    percussive: Matrix,
    log_frequency: Matrix,
    table_row: Matrix,
    stacked: Option<Matrix>,
}

/// The reference of a relative difference.
#[derive(Clone, Copy)]
enum Relative {
    /// The value itself.
    Value,
    /// The value itself, or a hundredth of a decibel.
    Decibels,
    /// The largest magnitude of all values, for values of both signs.
    Largest,
}

struct Check {
    signal: String,
}

impl Check {
    fn matrix(&self, what: &str, expected: &Matrix, found: &Matrix, relative: Relative, tolerance: f64) {
        let signal = &self.signal;
        assert_eq!(found.len(), expected.len(), "{signal}, {what}: rows");
        let largest = expected.iter().flatten().fold(0.0_f64, |max, v| max.max(v.abs()));
        let mut worst = 0.0_f64;
        for (row, (expected, found)) in expected.iter().zip(found).enumerate() {
            assert_eq!(found.len(), expected.len(), "{signal}, {what}, row {row}: columns");
            for (column, (e, f)) in expected.iter().zip(found).enumerate() {
                let scale = match relative {
                    Relative::Value => e.abs(),
                    Relative::Decibels => e.abs().max(0.01),
                    Relative::Largest => largest,
                };
                let difference = (f - e).abs();
                assert!(
                    difference <= tolerance * scale + 1e-12,
                    "{signal}, {what}, row {row}, column {column}: {f} where librosa has {e}"
                );
                if scale > 0.0 {
                    worst = worst.max(difference / scale);
                }
            }
        }
        println!("{signal:8} {what:20} {worst:.1e} of {tolerance:.0e}");
    }
}

fn row(values: &[f32]) -> Matrix {
    vec![values.iter().map(|v| f64::from(*v)).collect()]
}

fn rows(frames: Frames<'_>) -> Matrix {
    let s = frames.to_spectrogram();
    s.data.chunks_exact(s.frames).flat_map(row).collect()
}

/// Every `n`th row and column.
fn thin(matrix: &Matrix, every_row: usize, every_column: usize) -> Matrix {
    let thin_row = |row: &Vec<f64>| row.iter().copied().step_by(every_column).collect();
    matrix.iter().step_by(every_row).map(thin_row).collect()
}

fn check(json: &str) {
    let golden: Golden = serde_json::from_str(json).unwrap();
    let samples = feature_signal(&golden.signal, golden.samples);
    let squares: f64 = samples.iter().map(|s| f64::from(*s).powi(2)).sum();
    assert!((squares - golden.sum_of_squares).abs() <= 1e-7 * squares, "{} is another signal", golden.signal);

    use Relative::{Decibels, Largest, Value};
    let check = Check { signal: golden.signal.clone() };
    let mut extractor = FeatureExtractor::new(&FeatureParams::default()).unwrap();
    // An earlier window must not affect this one.
    extractor.window(&feature_signal("noise", 5000)).unwrap().table_row().unwrap();
    let mut window = extractor.window(&samples).unwrap();

    let t = 1e-3;
    check.matrix("rms", &golden.rms, &row(window.rms()), Value, t);
    check.matrix("zcr", &golden.zero_crossing_rate, &row(window.zero_crossing_rate()), Value, t);
    check.matrix("centroid", &golden.spectral_centroid, &row(window.spectral_centroid()), Value, t);
    check.matrix("bandwidth", &golden.spectral_bandwidth, &row(window.spectral_bandwidth()), Value, t);
    check.matrix("rolloff", &golden.spectral_rolloff, &row(window.spectral_rolloff()), Value, t);
    check.matrix("flatness", &golden.spectral_flatness, &row(window.spectral_flatness()), Value, t);
    check.matrix(
        "contrast",
        &golden.spectral_contrast,
        &rows(window.spectral_contrast().unwrap()),
        Decibels,
        t,
    );
    assert!((window.tuning() - golden.tuning).abs() < 1e-9, "{}: tuning {}", golden.signal, window.tuning());
    check.matrix("chroma", &golden.chroma, &rows(window.chroma()), Value, t);
    check.matrix("tonnetz", &golden.tonnetz, &rows(window.tonnetz()), Largest, t);
    let mfcc = window.mfcc().unwrap().to_spectrogram();
    check.matrix("mfcc", &golden.mfcc, &rows(window.mfcc().unwrap()), Largest, t);
    for (order, golden) in [(1, &golden.mfcc_delta), (2, &golden.mfcc_delta2)] {
        let found = delta(&mfcc, 9, order).unwrap();
        let found: Matrix = found.data.chunks_exact(found.frames).flat_map(row).collect();
        check.matrix("mfcc delta", golden, &thin(&found, 4, 1), Largest, t);
    }
    check.matrix(
        "onsets, mean",
        &golden.onset_mean,
        &row(window.onset_strength(Aggregate::Mean)),
        Largest,
        t,
    );
    check.matrix(
        "onsets, median",
        &golden.onset_median,
        &row(window.onset_strength(Aggregate::Median)),
        Largest,
        t,
    );
    let tempogram = window.tempogram().unwrap();
    let tempogram: Matrix = tempogram.data.chunks_exact(tempogram.frames).flat_map(row).collect();
    check.matrix("tempogram", &golden.tempogram, &thin(&tempogram, 16, 10), Largest, t);

    let bank = LogFrequencyBank::new(22050.0, 2048, 55.0, 12, 84).unwrap();
    let mut spectrogram = vec![Vec::new(); bank.bands()];
    for frame in (0..window.frames()).step_by(6) {
        let mut column = vec![0.0; bank.bands()];
        bank.apply(window.power(frame), &mut column).unwrap();
        spectrogram.iter_mut().zip(column).for_each(|(row, value)| row.push(f64::from(value)));
    }
    check.matrix("log frequency", &golden.log_frequency, &spectrogram, Largest, t);

    let (harmonic, percussive) = window.harmonic_percussive().unwrap();
    let (harmonic, percussive) = (row(harmonic), row(percussive));
    check.matrix("harmonic", &golden.harmonic, &thin(&harmonic, 1, 61), Largest, 1e-2);
    check.matrix("percussive", &golden.percussive, &thin(&percussive, 1, 61), Largest, 1e-2);
    let mut alone = Hpss::new(2048, 512).unwrap();
    assert_eq!(row(alone.separate(&samples).unwrap().0), harmonic);

    // The means of the two signals are noise around zero, so they are relative to the deviations.
    let found = window.table_row().unwrap();
    for (at, (name, (expected, found))) in
        TABLE_COLUMNS.iter().zip(golden.table_row[0].iter().zip(found)).enumerate()
    {
        let (scale, tolerance) = match *name {
            "harmony_mean" | "perceptr_mean" => (golden.table_row[0][at + 1].sqrt(), 1e-2),
            "harmony_var" | "perceptr_var" => (*expected, 1e-2),
            // Without a beat the tempo is arbitrary: if two lags are equally good, the last digit decides.
            "tempo" if golden.signal != "band" => (*expected, 0.06),
            // A mean near zero is relative to the deviation as well.
            name if name.starts_with("mfcc") && name.ends_with("_mean") => {
                (expected.abs().max(golden.table_row[0][at + 1].sqrt()).max(0.01), t)
            }
            _ => (expected.abs().max(1e-3), t),
        };
        assert!(
            (found - expected).abs() <= tolerance * scale + 1e-9,
            "{}: {name} is {found} where librosa has {expected}",
            golden.signal
        );
    }

    if let Some(expected) = &golden.stacked {
        let mut extractor = FeatureExtractor::new(&FeatureParams::stacked()).unwrap();
        let stacked = extractor.window(&samples).unwrap().stacked(130).unwrap();
        assert_eq!((stacked.bands, stacked.frames), (187, 130));
        let stacked: Matrix = stacked.data.chunks_exact(130).flat_map(row).collect();
        check.matrix("stacked", expected, &thin(&stacked, 1, 5), Largest, t);
    }
}

macro_rules! golden {
    ($($name:ident)*) => {
        $(#[wasm_bindgen_test(unsupported = test)]
        fn $name() {
            check(include_str!(concat!("../../../tests/golden/features_", stringify!($name), ".json")));
        })*
    };
}

golden!(sweep noise clicks silence chord band);

#[derive(Deserialize)]
struct Beats {
    cases: Vec<BeatCase>,
}

#[derive(Deserialize)]
struct BeatCase {
    signal: String,
    samples: usize,
    tempo: f64,
    beats: Vec<usize>,
}

#[wasm_bindgen_test(unsupported = test)]
fn beats_are_exact() {
    let golden: Beats = serde_json::from_str(include_str!("../../../tests/golden/beats.json")).unwrap();
    assert!(!golden.cases.is_empty());
    for case in golden.cases {
        let samples = feature_signal(&case.signal, case.samples);
        let mut extractor = FeatureExtractor::new(&FeatureParams::default()).unwrap();
        let (tempo, beats) = extractor.window(&samples).unwrap().beats().unwrap();
        assert!((tempo - case.tempo).abs() < 1e-6, "{tempo} where librosa has {}", case.tempo);
        assert_eq!(beats, case.beats);
    }
}

#[derive(Deserialize)]
struct Banks {
    n_fft: usize,
    mel_htk: Vec<MelRows>,
    chroma: Vec<ChromaRows>,
}

#[derive(Deserialize)]
struct MelRows {
    norm: Option<String>,
    rows: Matrix,
}

#[derive(Deserialize)]
struct ChromaRows {
    tuning: f64,
    rows: Matrix,
}

#[wasm_bindgen_test(unsupported = test)]
fn filter_banks() {
    let golden: Banks =
        serde_json::from_str(include_str!("../../../tests/golden/feature_banks.json")).unwrap();
    let check = Check { signal: "banks".into() };
    let bins = golden.n_fft / 2 + 1;
    for case in &golden.mel_htk {
        let norm = if case.norm.is_some() { MelNorm::Slaney } else { MelNorm::Peak };
        let bank = MelBank::new(22050.0, golden.n_fft, 20, 0.0, 11025.0, MelScale::Htk, norm).unwrap();
        let dense = |band| {
            let (first, weights) = bank.weights(band);
            let mut row = vec![0.0; bins];
            weights.iter().zip(&mut row[first..]).for_each(|(w, cell)| *cell = f64::from(*w));
            row
        };
        let found: Matrix = (0..bank.bands()).map(dense).collect();
        check.matrix("mel, htk", &case.rows, &found, Relative::Largest, 1e-6);
    }
    for case in &golden.chroma {
        let bank = ChromaBank::new(22050.0, golden.n_fft, case.tuning).unwrap();
        let found: Matrix = (0..CHROMA)
            .map(|class| (0..bins).map(|bin| f64::from(bank.weight(class, bin))).collect())
            .collect();
        check.matrix("chroma bank", &case.rows, &found, Relative::Largest, 1e-6);
    }
}
