//! Properties of every signal, not only of the golden ones.

#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::f64::consts::TAU;

use cratedigger_dsp::{
    DspError, LOUDEST, MelParams, MelSpectrogram, Resampler, Spectrogram, Stft, downmix, hann, power_to_db,
    resample,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

const RATE: u32 = 22050;

fn mel(signal: &[f32]) -> Result<Spectrogram, DspError> {
    let params =
        MelParams { sample_rate: RATE, n_fft: 1024, hop_length: 256, n_mels: 64, fmin: 0.0, fmax: 11025.0 };
    MelSpectrogram::new(&params)?.spectrogram(signal)
}

fn sine(hz: f64, rate: u32, samples: usize) -> Vec<f32> {
    (0..samples).map(|i| (TAU * hz * i as f64 / f64::from(rate)).sin() as f32).collect()
}

fn peak(signal: &[f32]) -> f32 {
    signal.iter().fold(0.0, |max, s| max.max(s.abs()))
}

/// The middle half of a signal, and its first sample.
fn middle(signal: &[f32]) -> (usize, &[f32]) {
    let quarter = signal.len() / 4;
    (quarter, &signal[quarter..signal.len() - quarter])
}

/// Usual sample rates, and sometimes any other.
fn rates() -> impl Strategy<Value = u32> {
    let usual =
        vec![8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 88200, 96000, 176_400, 192_000];
    prop_oneof![9 => select(usual), 1 => 8000..=192_000_u32]
}

fn few() -> ProptestConfig {
    ProptestConfig::with_cases(64)
}

// Spectra

proptest! {
    #![proptest_config(few())]

    /// Parseval: a frame has the same energy in time and in frequency.
    #[test]
    fn the_power_of_a_frame_equals_its_windowed_energy(
        signal in vec(-1.0_f32..1.0, 1..3000),
        n_fft in select(vec![2_usize, 4, 10, 64, 300, 1024, 2048]),
        place in 0.0..1.2_f64,
    ) {
        let centre = (place * signal.len() as f64) as usize;
        let mut stft = Stft::new(n_fft).unwrap();
        let mut power = vec![0.0; stft.bins()];
        stft.power(&signal, centre, &mut power).unwrap();

        let sides: f64 = power[1..n_fft / 2].iter().map(|p| 2.0 * f64::from(*p)).sum();
        let spectral = sides + f64::from(power[0]) + f64::from(power[n_fft / 2]);
        let energy: f64 = hann(n_fft)
            .iter()
            .enumerate()
            .filter_map(|(k, w)| {
                let at = (centre + k).checked_sub(n_fft / 2)?;
                Some((f64::from(*w) * f64::from(*signal.get(at)?)).powi(2))
            })
            .sum();
        let energy = energy * n_fft as f64;
        prop_assert!((spectral - energy).abs() <= 1e-5 * energy + 1e-9, "{} and {}", spectral, energy);
    }

    #[test]
    fn mel_power_is_finite_and_not_negative(signal in vec(-100.0_f32..100.0, 1..4000)) {
        let mel = mel(&signal).unwrap();
        prop_assert_eq!(mel.frames, 1 + signal.len() / 256);
        prop_assert_eq!(mel.data.len(), mel.bands * mel.frames);
        prop_assert!(mel.data.iter().all(|p| p.is_finite() && *p >= 0.0));
    }

    /// A gain of g multiplies power by g² and does not change decibels below the maximum.
    #[test]
    fn gain(signal in vec(-1.0_f32..1.0, 1024..4000), gain in 0.1_f32..10.0) {
        let mut quiet = mel(&signal).unwrap().data;
        let mut loud = mel(&signal.iter().map(|s| s * gain).collect::<Vec<_>>()).unwrap().data;
        // Bins far below the maximum only contain rounding errors.
        let floor = 1e-9 * peak(&loud);
        for (a, b) in quiet.iter().zip(&loud) {
            let expected = a * gain * gain;
            prop_assert!((b - expected).abs() <= 1e-4 * expected + floor, "{} becomes {}", a, b);
        }
        power_to_db(&mut quiet, 60.0);
        power_to_db(&mut loud, 60.0);
        for (a, b) in quiet.iter().zip(&loud) {
            prop_assert!((a - b).abs() <= 0.01, "{} dB becomes {} dB", a, b);
        }
    }

    #[test]
    fn decibels_lie_between_the_bottom_and_zero(mut power in vec(0.0_f32..1e6, 1..500), top in 1.0_f32..120.0) {
        power_to_db(&mut power, top);
        prop_assert!(power.iter().all(|db| (-top..=0.0).contains(db)));
        prop_assert!(power.contains(&0.0));
    }

    /// A bad sample anywhere is rejected, and the error has its index.
    #[test]
    fn samples_that_are_not_finite_are_refused(
        mut signal in vec(-1.0_f32..1.0, 1..500),
        place in any::<proptest::sample::Index>(),
        bad in select(vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY]),
    ) {
        let at = place.index(signal.len());
        signal[at] = bad;
        let refused = |result: Result<(), DspError>| {
            matches!(result, Err(DspError::NonFinite { index, .. }) if index == at)
        };
        prop_assert!(refused(mel(&signal).map(drop)));
        prop_assert!(refused(downmix(&[&signal]).map(drop)));
        prop_assert!(refused(downmix(&[&vec![0.0; signal.len()], &signal]).map(drop)));
        prop_assert!(refused(resample(&signal, 44100, RATE).map(drop)));
        prop_assert!(refused(resample(&signal, RATE, RATE).map(drop)));
    }

    #[test]
    fn downmix_is_the_mean(channels in (1..5_usize, 0..50_usize).prop_flat_map(|(channels, samples)| {
        vec(vec(-1.0_f32..1.0, samples), channels)
    })) {
        let slices: Vec<&[f32]> = channels.iter().map(Vec::as_slice).collect();
        let mono = downmix(&slices).unwrap();
        prop_assert_eq!(mono.len(), channels[0].len());
        for (at, found) in mono.iter().enumerate() {
            let sum: f32 = channels.iter().map(|channel| channel[at]).sum();
            prop_assert!((found - sum / channels.len() as f32).abs() <= 1e-6);
        }
    }
}

#[test]
fn downmix_refuses_invalid_channels() {
    assert_eq!(downmix(&[]), Err(DspError::NoChannels));
    assert_eq!(
        downmix(&[&[0.0, 0.0], &[0.0]]),
        Err(DspError::UnequalChannels { channel: 1, expected: 2, found: 1 })
    );
}

#[test]
fn silence_has_no_power_and_zero_decibels() {
    let mut mel = mel(&[0.0; 5000]).unwrap().data;
    assert!(mel.iter().all(|p| *p == 0.0));
    power_to_db(&mut mel, 80.0);
    assert!(mel.iter().all(|db| *db == 0.0));
}

#[test]
fn a_constant_stays_in_the_lowest_bands() {
    let mel = mel(&[0.5; 8192]).unwrap();
    // Away from the ends, where the constant starts and stops with a click.
    let frame = mel.frames / 2;
    let column: Vec<f32> = (0..mel.bands).map(|band| mel.data[band * mel.frames + frame]).collect();
    // A Hann window has three bins: the constant, and one to either side (21.5 Hz).
    assert!(column[0] > 0.0);
    assert!(peak(&column[2..]) < 1e-6 * column[0], "{column:?}");
}

#[test]
fn clipped_music_gives_finite_power() {
    let clipped: Vec<f32> = sine(440.0, RATE, 8192).iter().map(|s| (10.0 * s).clamp(-1.0, 1.0)).collect();
    let mut mel = mel(&clipped).unwrap().data;
    assert!(mel.iter().all(|p| p.is_finite()) && peak(&mel) > 0.0);
    power_to_db(&mut mel, 80.0);
    assert!(mel.iter().all(|db| (-80.0..=0.0).contains(db)));
}

#[test]
fn signals_shorter_than_a_frame() {
    for samples in [1, 2, 255, 256, 257, 511, 512, 1023] {
        let signal = vec![0.5; samples];
        let mel = mel(&signal).unwrap();
        assert_eq!(mel.frames, 1 + samples / 256, "{samples} samples");
        assert!(mel.data.iter().all(|p| p.is_finite() && *p >= 0.0), "{samples} samples");
        // The window is 1 at its centre, so a single sample there has power.
        assert!(peak(&mel.data) > 0.0, "{samples} samples");
    }
    assert!(matches!(mel(&[]), Err(DspError::Length { .. })));
}

/// Finite samples can have infinite power, and a difference of infinities is NaN.
#[test]
fn samples_too_large_to_square_are_refused() {
    for value in [f32::MAX, -f32::MAX, 1e13] {
        assert!(matches!(mel(&[value; 2048]), Err(DspError::NonFinite { index: 0, .. })), "{value}");
        assert!(downmix(&[&[value], &[value]]).is_err(), "{value}");
    }
    assert!(mel(&[LOUDEST; 2048]).unwrap().data.iter().all(|p| p.is_finite()));
}

#[test]
fn invalid_parameters_are_refused() {
    let good =
        MelParams { sample_rate: RATE, n_fft: 1024, hop_length: 256, n_mels: 64, fmin: 0.0, fmax: 8000.0 };
    assert!(MelSpectrogram::new(&good).is_ok());
    for bad in [
        MelParams { sample_rate: 0, ..good.clone() },
        MelParams { n_fft: 0, ..good.clone() },
        MelParams { n_fft: 1, ..good.clone() },
        MelParams { hop_length: 0, ..good.clone() },
        MelParams { n_mels: 0, ..good.clone() },
        MelParams { fmin: -1.0, ..good.clone() },
        MelParams { fmin: 8000.0, ..good.clone() },
        MelParams { fmin: f64::NAN, ..good.clone() },
        MelParams { fmax: 11026.0, ..good.clone() },
        MelParams { fmax: f64::NAN, ..good.clone() },
        MelParams { fmax: f64::INFINITY, ..good.clone() },
    ] {
        assert!(matches!(MelSpectrogram::new(&bad), Err(DspError::Parameter { .. })), "{bad:?}");
    }
    for (from, to) in [(0, RATE), (RATE, 0), (u32::MAX, RATE), (RATE, u32::MAX)] {
        assert!(matches!(Resampler::new(from, to), Err(DspError::SampleRate(_))), "{from} to {to}");
    }
}

// Resampling

proptest! {
    #![proptest_config(few())]

    #[test]
    fn resampled_length(samples in 0..30_000_usize, from in rates(), to in select(vec![8000, RATE, 48000])) {
        let expected = (samples as u64 * u64::from(to)).div_ceil(u64::from(from));
        prop_assert_eq!(resample(&vec![0.5; samples], from, to).unwrap().len() as u64, expected);
    }

    /// A sine at least 10 % below both Nyquist frequencies keeps frequency, amplitude and phase, and has no
    /// images.
    #[test]
    fn a_sine_keeps_frequency_amplitude_and_phase(from in rates(), place in 0.01..0.9_f64) {
        let hz = place * f64::from(from.min(RATE)) / 2.0;
        let out = resample(&sine(hz, from, from as usize), from, RATE).unwrap();
        let (start, out) = middle(&out);
        for (i, found) in out.iter().enumerate() {
            let expected = (TAU * hz * (start + i) as f64 / f64::from(RATE)).sin();
            prop_assert!((f64::from(*found) - expected).abs() <= 1e-3, "{} Hz at {}: {} for {}", hz, i, found, expected);
        }
    }

    /// A tone at least 10 % above the new Nyquist frequency must not alias.
    #[test]
    fn aliases_are_60_db_down(
        from in select(vec![32000_u32, 44100, 48000, 88200, 96000, 176_400, 192_000]),
        place in 0.0..1.0_f64,
    ) {
        let (low, high) = (1.1 * f64::from(RATE) / 2.0, 0.99 * f64::from(from) / 2.0);
        let hz = low + place * (high - low);
        let out = resample(&sine(hz, from, from as usize), from, RATE).unwrap();
        let (_, out) = middle(&out);
        prop_assert!(peak(out) <= 1e-3, "{} Hz leaves {}", hz, peak(out));
    }

    /// No delay: a click keeps its position.
    #[test]
    fn a_click_keeps_its_position(from in rates(), place in 0.0..1.0_f64) {
        let mut signal = vec![0.0; 20_000];
        let at = (place * signal.len() as f64) as usize;
        signal[at] = 1.0;
        let out = resample(&signal, from, RATE).unwrap();
        let found = out.iter().enumerate().max_by(|a, b| a.1.abs().total_cmp(&b.1.abs())).unwrap().0;
        let expected = at as f64 * f64::from(RATE) / f64::from(from);
        // The last input sample may be after the last output sample.
        let expected = expected.min((out.len() - 1) as f64);
        prop_assert!((found as f64 - expected).abs() <= 0.501, "{} for {}", found, expected);
    }

    /// The output does not depend on how the input is divided.
    #[test]
    fn pushes_of_any_size_give_the_same_samples(
        signal in vec(-1.0_f32..1.0, 0..20_000),
        from in rates(),
        pushes in vec(0..5000_usize, 1..20),
    ) {
        let whole = resample(&signal, from, RATE).unwrap();
        let mut resampler = Resampler::new(from, RATE).unwrap();
        let (mut out, mut rest) = (Vec::new(), signal.as_slice());
        for size in pushes {
            let (now, later) = rest.split_at(size.min(rest.len()));
            resampler.push(now, &mut out).unwrap();
            rest = later;
        }
        // A rejected push has no effect, and the stream stays usable.
        prop_assert!(resampler.push(&[0.0, f32::NAN], &mut out).is_err());
        resampler.push(rest, &mut out).unwrap();
        resampler.finish(&mut out).unwrap();
        prop_assert!(out == whole, "{} samples, {} in one push", out.len(), whole.len());
    }
}

#[test]
fn equal_rates_change_nothing() {
    let signal = sine(1000.0, RATE, 5000);
    assert_eq!(resample(&signal, RATE, RATE).unwrap(), signal);
}

#[test]
fn output_is_appended() {
    let mut out = vec![7.0; 3];
    let mut resampler = Resampler::new(44100, RATE).unwrap();
    resampler.push(&[0.0; 1000], &mut out).unwrap();
    resampler.finish(&mut out).unwrap();
    assert_eq!(out.len(), 3 + 500);
    assert_eq!(out[..3], [7.0; 3]);
}
