//! Properties of the features of every signal, not only of the golden ones.

#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::f64::consts::TAU;

use cratedigger_dsp::{
    Aggregate, DspError, FeatureExtractor, FeatureParams, Hpss, Istft, Stft, Window, WindowStream, delta,
    downmix, resample, tonnetz,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

const RATE: u32 = 22050;

fn extractor() -> FeatureExtractor {
    FeatureExtractor::new(&FeatureParams::default()).unwrap()
}

fn sine(hz: f64, rate: u32, samples: usize) -> Vec<f32> {
    (0..samples).map(|i| (0.5 * (TAU * hz * i as f64 / f64::from(rate)).sin()) as f32).collect()
}

/// All features of a window, each with its valid range.
fn check_ranges(window: &mut Window<'_>, signal: &[f32]) {
    let samples = signal.len();
    let frames = 1 + samples / 512;
    assert_eq!(window.frames(), frames);
    let within = |name: &str, values: &[f32], low: f32, high: f32, expected: usize| {
        assert_eq!(values.len(), expected, "{name} of {samples} samples");
        for value in values {
            assert!((low..=high).contains(value), "{name} is {value}, {samples} samples");
        }
    };
    let nyquist = RATE as f32 / 2.0 + 0.01;
    within("rms", window.rms(), 0.0, 1e13, frames);
    within("zero crossing rate", window.zero_crossing_rate(), 0.0, 1.0, frames);
    within("centroid", window.spectral_centroid(), 0.0, nyquist, frames);
    within("bandwidth", window.spectral_bandwidth(), 0.0, nyquist, frames);
    within("rolloff", window.spectral_rolloff(), 0.0, nyquist, frames);
    within("flatness", window.spectral_flatness(), 0.0, 1.0 + 1e-5, frames);
    within("contrast", window.spectral_contrast().unwrap().data, -1e-3, 300.0, 7 * frames);
    assert!((-0.5..0.5).contains(&window.tuning()));
    within("chroma", window.chroma().data, 0.0, 1.0, 12 * frames);
    within("tonnetz", window.tonnetz().data, -1.0001, 1.0001, 6 * frames);
    within("mel", window.mel().data, 0.0, f32::MAX, 128 * frames);
    within("mel in dB", window.mel_db().data, -200.0, 400.0, 128 * frames);
    within("mfcc", window.mfcc().unwrap().data, -1e4, 1e4, 20 * frames);
    within("onsets", window.onset_strength(Aggregate::Mean), 0.0, 80.01, frames);
    within("onsets", window.onset_strength(Aggregate::Median), 0.0, 80.01, frames);
    let tempogram = window.tempogram().unwrap();
    within("tempogram", &tempogram.data, -1.0001, 1.0001, tempogram.bands * frames);
    let (tempo, beats) = window.beats().unwrap();
    assert!((0.0..320.0).contains(&tempo), "tempo {tempo}");
    assert!(beats.is_sorted_by(|a, b| a < b) && beats.iter().all(|beat| *beat < frames), "{beats:?}");
    let (harmonic, percussive) = window.harmonic_percussive().unwrap();
    within("harmonic", harmonic, -1e13, 1e13, samples);
    within("percussive", percussive, -1e13, 1e13, samples);
    let row = window.table_row().unwrap();
    assert!(row.iter().all(|v| v.is_finite()), "{row:?}");
    let mut extractor = FeatureExtractor::new(&FeatureParams::stacked()).unwrap();
    let stacked = extractor.window(signal).unwrap().stacked(130).unwrap();
    assert!(stacked.data.len() == 187 * 130 && stacked.data.iter().all(|v| v.is_finite()));
}

#[test]
fn odd_signals() {
    let mut extractor = extractor();
    let clipped: Vec<f32> = sine(220.0, RATE, 30_000).iter().map(|s| (40.0 * s).clamp(-1.0, 1.0)).collect();
    let mut spike = vec![0.0; 3000];
    spike[1234] = 1e12;
    for signal in [vec![0.0; 20_000], vec![0.7; 20_000], vec![-0.7; 5000], clipped, spike, vec![1e-30; 4000]]
    {
        check_ranges(&mut extractor.window(&signal).unwrap(), &signal);
    }
    // From one sample to a little more than a frame.
    for samples in [1, 2, 3, 15, 511, 512, 513, 1023, 1024, 2047, 2048, 2049, 5000] {
        let signal = sine(1000.0, RATE, samples);
        check_ranges(&mut extractor.window(&signal).unwrap(), &signal);
    }
    assert!(matches!(extractor.window(&[]), Err(DspError::Length { .. })));
}

#[test]
fn silence_has_zero_features_except_decibels() {
    let mut extractor = extractor();
    let silence = vec![0.0; 3 * RATE as usize];
    let mut window = extractor.window(&silence).unwrap();
    let row = window.table_row().unwrap();
    // Decibels have a floor, so the first MFCC has one too; all other features are 0.
    assert!(row[17] < -1000.0, "{row:?}");
    assert!(row.iter().enumerate().all(|(i, v)| i == 17 || v.abs() < 1e-4), "{row:?}");
    assert_eq!(window.beats().unwrap(), (0.0, Vec::new()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_signal_has_finite_features(
        signal in vec(prop_oneof![-1.0_f32..1.0, -1e12_f32..1e12, Just(0.0)], 1..6000)
    ) {
        check_ranges(&mut extractor().window(&signal).unwrap(), &signal);
    }

    /// A bad sample is an error with its index, and the plan stays usable.
    #[test]
    fn samples_that_are_not_finite_are_refused(
        place in 0..5000_usize,
        bad in select(vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e13]),
    ) {
        let good = sine(300.0, RATE, 5000);
        let mut signal = good.clone();
        signal[place] = bad;
        let mut extractor = extractor();
        let refused = |result: Result<(), DspError>| {
            matches!(result, Err(DspError::NonFinite { index, .. }) if index == place)
        };
        prop_assert!(refused(extractor.window(&signal).map(drop)));
        prop_assert!(refused(Hpss::new(2048, 512).unwrap().separate(&signal).map(drop)));
        let fresh = FeatureExtractor::new(&FeatureParams::default()).unwrap().window(&good).unwrap().table_row().unwrap();
        prop_assert_eq!(extractor.window(&good).unwrap().table_row().unwrap(), fresh);
    }

    /// A tone has the same pitch and timbre at every sample rate and number of channels.
    #[test]
    fn rate_and_channels_do_not_matter(
        rate in select(vec![8000_u32, 11025, 16000, 22050, 32000, 44100, 48000, 88200, 96000, 176_400, 192_000]),
        channels in 1..=8_usize,
    ) {
        let tone = sine(1000.0, rate, 2 * rate as usize);
        let mixed = downmix(&vec![tone.as_slice(); channels]).unwrap();
        let signal = resample(&mixed, rate, RATE).unwrap();
        let mut extractor = extractor();
        let mut window = extractor.window(&signal).unwrap();
        let middle = window.frames() / 2;
        prop_assert!((window.spectral_centroid()[middle] - 1000.0).abs() < 15.0);
        prop_assert!((window.rms()[middle] - 0.5 / 2.0_f32.sqrt()).abs() < 1e-3);
        // 1 kHz is 0.21 semitones above B5 (987.77 Hz).
        let chroma = window.chroma();
        let loudest = chroma.iter().nth(middle).unwrap().iter().position(|v| *v == 1.0);
        prop_assert_eq!(loudest, Some(11));
        prop_assert!((window.tuning() - 0.21).abs() < 0.03, "{}", window.tuning());
    }

    /// A gain changes the level and nothing else.
    #[test]
    fn gain(gain in 0.05_f32..2.0, hz in 100.0..4000.0_f64) {
        let noise = sine(hz, RATE, 30_000).into_iter().zip(sine(hz * 1.37 + 11.0, RATE, 30_000)).map(|(a, b)| a * b);
        let signal: Vec<f32> = noise.collect();
        let louder: Vec<f32> = signal.iter().map(|s| s * gain).collect();
        let (mut one, mut other) = (extractor(), extractor());
        let (mut one, mut other) = (one.window(&signal).unwrap(), other.window(&louder).unwrap());
        for (a, b) in one.rms().iter().zip(other.rms()) {
            prop_assert!((a * gain - b).abs() <= 1e-5 * b);
        }
        for (a, b) in one.spectral_centroid().iter().zip(other.spectral_centroid()) {
            prop_assert!((a - b).abs() <= 1e-3 * b + 0.01);
        }
        prop_assert_eq!(one.zero_crossing_rate(), other.zero_crossing_rate());
    }

    /// The two parts sum to the signal, and a tone is harmonic.
    #[test]
    fn the_parts_add_up(signal in vec(-1.0_f32..1.0, 1..20_000)) {
        let mut hpss = Hpss::new(2048, 512).unwrap();
        let (harmonic, percussive) = hpss.separate(&signal).unwrap();
        for ((h, p), s) in harmonic.iter().zip(percussive).zip(&signal) {
            prop_assert!((h + p - s).abs() <= 1e-6);
        }
    }

    /// Both implementations of the power spectrum agree in every bin, for frames of every even length.
    #[test]
    fn power_is_the_squared_spectrum(signal in vec(-1.0_f32..1.0, 200), half in 1..=70_usize, centre in 0..200_usize) {
        let mut stft = Stft::new(2 * half).unwrap();
        let (mut spectrum, mut power) = (vec![Default::default(); stft.bins()], vec![0.0; stft.bins()]);
        stft.spectrum(&signal, centre, &mut spectrum).unwrap();
        stft.power(&signal, centre, &mut power).unwrap();
        let total: f32 = power.iter().sum();
        for (value, power) in spectrum.iter().zip(&power) {
            prop_assert!((value.norm_sqr() - power).abs() <= 1e-5 * (power + total / 100.0), "n_fft {}", 2 * half);
        }
    }

    /// The inverse transform restores the signal.
    #[test]
    fn inverse(signal in vec(-1.0_f32..1.0, 1..9000), n_fft in select(vec![64_usize, 512, 2048]), part in 2..8_usize) {
        let hop = n_fft / part;
        let mut stft = Stft::new(n_fft).unwrap();
        let mut istft = Istft::new(n_fft, hop).unwrap();
        let mut spectrum = vec![Default::default(); stft.bins()];
        let mut out = Vec::new();
        istft.begin(signal.len(), &mut out);
        for frame in 0..=signal.len() / hop {
            stft.spectrum(&signal, frame * hop, &mut spectrum).unwrap();
            istft.add(frame, &mut spectrum, &mut out).unwrap();
        }
        istft.finish(&mut out).unwrap();
        // Near the end of the last window, both numerator and denominator are small.
        let whole = (signal.len() / hop * hop + n_fft / 4).min(signal.len());
        for (a, b) in signal[..whole].iter().zip(&out) {
            prop_assert!((a - b).abs() <= 1e-4, "{} and {}", a, b);
        }
    }

    /// Windows do not depend on how the track is divided into pushes.
    #[test]
    fn streaming(
        samples in 0..3000_usize,
        window in 1..400_usize,
        hop in 1..600_usize,
        pushes in vec(0..700_usize, 0..10),
    ) {
        let signal: Vec<f32> = (0..samples).map(|i| i as f32).collect();
        let expected: Vec<&[f32]> = (0..)
            .map(|i| i * hop)
            .take_while(|start| start + window <= samples)
            .map(|start| &signal[start..start + window])
            .collect();
        let mut stream = WindowStream::new(window, hop).unwrap();
        let mut found: Vec<Vec<f32>> = Vec::new();
        let mut rest = signal.as_slice();
        for size in pushes.into_iter().chain([samples]) {
            let (now, later) = rest.split_at(size.min(rest.len()));
            rest = later;
            stream
                .push(now, |index, samples| {
                    assert_eq!(index, found.len());
                    found.push(samples.to_vec());
                    Ok::<(), DspError>(())
                })
                .unwrap();
        }
        prop_assert_eq!(found, expected);
    }
}

#[test]
fn a_tone_is_harmonic_and_a_click_percussive() {
    let mut hpss = Hpss::new(2048, 512).unwrap();
    let energy = |signal: &[f32]| signal.iter().map(|s| s * s).sum::<f32>();
    let (harmonic, percussive) = hpss.separate(&sine(440.0, RATE, 60_000)).unwrap();
    assert!(energy(percussive) < 0.02 * energy(harmonic));
    let mut click = vec![0.0; 60_000];
    click[30_000] = 1.0;
    let (harmonic, percussive) = hpss.separate(&click).unwrap();
    assert!(energy(harmonic) < 0.02 * energy(percussive));
}

/// A drum has its tempo, at any usual tempo, and its beats are at the drum's positions.
#[test]
fn a_drum_keeps_its_tempo() {
    for bpm in [80.0, 100.0, 120.0, 140.0, 160.0] {
        let period = 60.0 / bpm * f64::from(RATE);
        let mut state = 1_u32;
        let signal: Vec<f32> = (0..20 * RATE as usize)
            .map(|i| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let since = (i as f64 % period) / f64::from(RATE);
                (-60.0 * since).exp() as f32 * ((state >> 8) as f32 / 8_388_608.0 - 1.0)
            })
            .collect();
        let mut extractor = extractor();
        let (tempo, beats) = extractor.window(&signal).unwrap().beats().unwrap();
        // A lag is a whole number of frames of 23 ms.
        assert!((tempo / bpm - 1.0).abs() < 0.05, "{tempo} for {bpm}");
        assert!(beats.len() as f64 > 20.0 / 60.0 * bpm - 5.0);
        let off = |beat: &&usize| {
            let place = (**beat as f64 * 512.0 / period).fract();
            place.min(1.0 - place) * period / 512.0 > 3.0
        };
        // Rounding of the tempo may move a few beats at both ends.
        assert!(beats.iter().filter(off).count() * 10 <= beats.len(), "{beats:?} at {bpm}");
    }
}

#[test]
fn a_line_has_its_slope_and_a_parabola_its_curvature() {
    let of = |f: fn(f32) -> f32| cratedigger_dsp::Spectrogram {
        bands: 1,
        frames: 30,
        data: (0..30).map(|t| f(t as f32)).collect(),
    };
    let line = of(|t| 3.0 - 0.5 * t);
    assert!(delta(&line, 9, 1).unwrap().data.iter().all(|v| (v + 0.5).abs() < 1e-5));
    let parabola = of(|t| 0.25 * t * t - t);
    assert!(delta(&parabola, 9, 2).unwrap().data.iter().all(|v| (v - 0.5).abs() < 1e-4));
    for (width, order) in [(8, 1), (1, 1), (31, 1), (9, 0), (9, 3)] {
        assert!(matches!(delta(&line, width, order), Err(DspError::Parameter { .. })), "{width} {order}");
    }
}

#[test]
fn a_fifth_is_near_on_the_circle_of_fifths() {
    let of = |class: usize| {
        let mut chroma = [0.0; 12];
        chroma[class] = 1.0;
        tonnetz(&chroma)
    };
    let distance = |a: [f32; 6], b: [f32; 6]| (a[0] - b[0]).hypot(a[1] - b[1]);
    assert!(distance(of(0), of(7)) < distance(of(0), of(2)));
    assert!(distance(of(0), of(2)) < distance(of(0), of(6)));
    assert!(tonnetz(&[0.0; 12]).iter().all(|v| *v == 0.0));
}

#[test]
fn invalid_parameters_are_refused() {
    let good = FeatureParams::default();
    for bad in [
        FeatureParams { sample_rate: 0, ..good.clone() },
        FeatureParams { n_fft: 0, ..good.clone() },
        FeatureParams { n_fft: 7, ..good.clone() },
        FeatureParams { n_fft: 1 << 40, ..good.clone() },
        FeatureParams { n_mels: usize::MAX, ..good.clone() },
        FeatureParams { hop_length: 0, ..good.clone() },
        FeatureParams { hop_length: 1 << 40, ..good.clone() },
        FeatureParams { n_mels: 0, ..good.clone() },
        FeatureParams { n_mfcc: 0, ..good.clone() },
        FeatureParams { n_mfcc: 129, ..good.clone() },
    ] {
        assert!(FeatureExtractor::new(&bad).is_err(), "{bad:?}");
    }
    // Only spectral contrast needs octaves up to 12.8 kHz, so only it is rejected.
    let low = FeatureParams { sample_rate: 8000, ..good };
    let mut extractor = FeatureExtractor::new(&low).unwrap();
    let signal = sine(440.0, 8000, 8000);
    let mut window = extractor.window(&signal).unwrap();
    assert!(matches!(window.spectral_contrast(), Err(DspError::Parameter { .. })));
    assert!(window.table_row().is_ok());
}
