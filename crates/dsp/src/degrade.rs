//! Degradations of real recordings: clipping, band limits, reverberation, noise, other speeds and levels.
//!
//! Training uses them for augmentation, and evaluation measures robustness to them. Random functions take
//! a generator instead of using the system's entropy (see [`crate::augment::generator`]).

use biquad::{Biquad, Coefficients, DirectForm1, ToHertz, Type};
use rand::{Rng, RngExt};
use rand_distr::{Distribution, StandardNormal};
use realfft::RealFftPlanner;

use crate::{DspError, check_finite, resample};

/// Quality factors of the two sections of a fourth-order Butterworth filter.
const BUTTERWORTH_4: [f64; 2] = [0.541_196_1, 1.306_563];
/// The longest reverberation time accepted, in seconds.
pub const MAX_RT60_SECS: f64 = 10.0;

fn refuse<T>(name: &'static str, value: f64, reason: &'static str) -> Result<T, DspError> {
    Err(DspError::Parameter { name, value, reason })
}

/// Amplifies a recording by `db` and clips it at full scale, in place.
///
/// ```
/// use cratedigger_dsp::degrade::clip;
///
/// let mut signal = [0.05, 0.5, -0.5];
/// clip(&mut signal, 20.0)?;
/// assert_eq!(signal, [0.5, 1.0, -1.0]);
/// # Ok::<(), cratedigger_dsp::DspError>(())
/// ```
///
/// # Errors
/// A gain that is NaN or beyond ±[`crate::augment::MAX_DB`], or a sample that is NaN or infinite.
pub fn clip(signal: &mut [f32], db: f32) -> Result<(), DspError> {
    crate::augment::gain(signal, db)?;
    signal.iter_mut().for_each(|s| *s = s.clamp(-1.0, 1.0));
    Ok(())
}

/// Limits a recording to the band from `low_hz` to `high_hz`, in place, with Butterworth filters of fourth
/// order (24 dB per octave). A lower limit of 0 Hz, or an upper limit of at least half the sample rate,
/// disables that filter.
///
/// ```
/// use cratedigger_dsp::degrade::band_limit;
///
/// let mut signal = vec![1.0_f32; 16_000]; // 0 Hz
/// band_limit(&mut signal, 16_000, 300.0, 3400.0)?;
/// assert!(signal[8000].abs() < 1e-6);
/// # Ok::<(), cratedigger_dsp::DspError>(())
/// ```
///
/// # Errors
/// Limits that leave no band, or a sample that is NaN or infinite.
pub fn band_limit(signal: &mut [f32], sample_rate: u32, low_hz: f64, high_hz: f64) -> Result<(), DspError> {
    check_finite(signal)?;
    if !(low_hz >= 0.0 && high_hz > low_hz) {
        return refuse("high_hz", high_hz, "the upper limit must be above the lower one");
    }
    let nyquist = f64::from(sample_rate) / 2.0;
    let mut filters = Vec::new();
    for (kind, limit) in [(Type::HighPass, low_hz), (Type::LowPass, high_hz)] {
        if limit <= 0.0 || limit >= nyquist {
            continue;
        }
        for q in BUTTERWORTH_4 {
            let section = Coefficients::<f64>::from_params(kind, f64::from(sample_rate).hz(), limit.hz(), q)
                .map_err(|_| DspError::Parameter {
                    name: "limit",
                    value: limit,
                    reason: "no filter has this limit",
                })?;
            filters.push(DirectForm1::<f64>::new(section));
        }
    }
    for sample in signal {
        let mut value = f64::from(*sample);
        for filter in &mut filters {
            value = filter.run(value);
        }
        *sample = value as f32;
    }
    Ok(())
}

/// A synthetic impulse response of a room: the direct sound, then noise that decays by 60 dB within
/// `rt60_secs` (Moorer 1979, "About this reverberation business"). `direct_to_reverberant_db` is the
/// ratio of their energies.
///
/// ```
/// use cratedigger_dsp::augment::generator;
/// use cratedigger_dsp::degrade::room;
///
/// let response = room(16_000, 0.5, 0.0, &mut generator(1))?;
/// assert_eq!(response.len(), 8001);
/// let reverberation: f32 = response[1..].iter().map(|sample| sample * sample).sum();
/// assert!((reverberation - 1.0).abs() < 1e-3); // as much energy as the direct sound
/// # Ok::<(), cratedigger_dsp::DspError>(())
/// ```
///
/// # Errors
/// A time that is not positive or above [`MAX_RT60_SECS`], or a ratio that is NaN or beyond ±120 dB.
pub fn room<R: Rng + ?Sized>(
    sample_rate: u32,
    rt60_secs: f64,
    direct_to_reverberant_db: f64,
    rng: &mut R,
) -> Result<Vec<f32>, DspError> {
    if !(rt60_secs > 0.0 && rt60_secs <= MAX_RT60_SECS) {
        return refuse("rt60_secs", rt60_secs, "the reverberation time must be in 0…10 s");
    }
    if direct_to_reverberant_db.is_nan() || direct_to_reverberant_db.abs() > 120.0 {
        return refuse("direct_to_reverberant_db", direct_to_reverberant_db, "±120 dB is the limit");
    }
    let rate = f64::from(sample_rate);
    let length = (rt60_secs * rate).ceil() as usize + 1;
    let decay = 1000_f64.ln() / (rt60_secs * rate);
    // The first reflection arrives 2 to 12 ms after the direct sound: 0.7 to 4 m of additional path.
    let first = (rng.random_range(0.002..0.012) * rate) as usize;
    let mut tail: Vec<f64> = (0..length)
        .map(|i| {
            let normal: f64 = StandardNormal.sample(rng);
            if i < first.max(1) { 0.0 } else { normal * (-decay * i as f64).exp() }
        })
        .collect();
    let energy: f64 = tail.iter().map(|x| x * x).sum();
    let wanted = 10_f64.powf(-direct_to_reverberant_db / 10.0);
    if energy > 0.0 {
        let factor = (wanted / energy).sqrt();
        tail.iter_mut().for_each(|x| *x *= factor);
    }
    tail[0] = 1.0;
    Ok(tail.into_iter().map(|x| x as f32).collect())
}

/// Convolves a recording with an impulse response. The result has the length and the RMS of the recording.
///
/// ```
/// use cratedigger_dsp::degrade::convolve;
///
/// let echo = convolve(&[1.0, 0.0, 0.0, 0.0], &[1.0, 0.0, 1.0])?;
/// let level = 0.5_f32.sqrt(); // the RMS stays
/// assert!(echo.iter().zip([level, 0.0, level, 0.0]).all(|(a, b)| (a - b).abs() < 1e-6));
/// # Ok::<(), cratedigger_dsp::DspError>(())
/// ```
///
/// # Errors
/// An empty response, or a value that is NaN or infinite.
pub fn convolve(signal: &[f32], response: &[f32]) -> Result<Vec<f32>, DspError> {
    check_finite(signal)?;
    check_finite(response)?;
    if response.is_empty() {
        return Err(DspError::Length { name: "response", expected: 1, found: 0 });
    }
    let mut heard = vec![0.0_f32; signal.len() + response.len()];
    // Overlap-add with blocks about as long as the response.
    let size = (2 * response.len()).next_power_of_two().max(1024);
    let block = size - response.len() + 1;
    let mut planner = RealFftPlanner::<f32>::new();
    let (forward, inverse) = (planner.plan_fft_forward(size), planner.plan_fft_inverse(size));
    let mut padded = forward.make_input_vec();
    padded[..response.len()].copy_from_slice(response);
    let mut filter = forward.make_output_vec();
    let failed = |_| DspError::Length { name: "response", expected: size, found: response.len() };
    forward.process(&mut padded, &mut filter).map_err(failed)?;
    let mut spectrum = forward.make_output_vec();
    for (index, part) in signal.chunks(block).enumerate() {
        padded.fill(0.0);
        padded[..part.len()].copy_from_slice(part);
        forward.process(&mut padded, &mut spectrum).map_err(failed)?;
        spectrum.iter_mut().zip(&filter).for_each(|(s, f)| *s *= f);
        inverse.process(&mut spectrum, &mut padded).map_err(failed)?;
        let place = heard.get_mut(index * block..).unwrap_or_default();
        place.iter_mut().zip(&padded).for_each(|(sum, x)| *sum += x / size as f32);
    }
    heard.truncate(signal.len());
    let power = |x: &[f32]| x.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>();
    let (before, after) = (power(signal), power(&heard));
    if after > 0.0 {
        let factor = (before / after).sqrt() as f32;
        heard.iter_mut().for_each(|s| *s *= factor);
    }
    Ok(heard)
}

/// Plays a recording faster (`factor` above 1) or slower (below 1). The pitch changes by the same factor.
///
/// ```
/// use cratedigger_dsp::degrade::speed;
///
/// assert_eq!(speed(&vec![0.1; 16_000], 16_000, 1.25)?.len(), 12_800);
/// # Ok::<(), cratedigger_dsp::DspError>(())
/// ```
///
/// # Errors
/// A factor beyond 0.5…2, or a sample that is NaN or infinite.
pub fn speed(signal: &[f32], sample_rate: u32, factor: f64) -> Result<Vec<f32>, DspError> {
    if !(0.5..=2.0).contains(&factor) {
        return refuse("factor", factor, "the speed must change by no more than a factor of 2");
    }
    resample(signal, (f64::from(sample_rate) * factor).round() as u32, sample_rate)
}

/// Adds pink noise in place, `snr_db` below the mean power of the signal. Rooms and microphones have
/// more noise in low bands than in high ones. Silence stays silent.
///
/// ```
/// use cratedigger_dsp::augment::generator;
/// use cratedigger_dsp::degrade::add_pink_noise;
///
/// let mut signal = vec![0.5_f32; 16_000];
/// add_pink_noise(&mut signal, 20.0, &mut generator(1))?;
/// let noise = signal.iter().map(|s| (s - 0.5).powi(2)).sum::<f32>() / signal.len() as f32;
/// let snr_db = 10.0 * (0.25 / noise).log10();
/// assert!((snr_db - 20.0).abs() < 0.01);
/// # Ok::<(), cratedigger_dsp::DspError>(())
/// ```
///
/// # Errors
/// A ratio that is NaN or beyond ±120 dB, or a sample that is NaN or infinite.
pub fn add_pink_noise<R: Rng + ?Sized>(signal: &mut [f32], snr_db: f64, rng: &mut R) -> Result<(), DspError> {
    check_finite(signal)?;
    if snr_db.is_nan() || snr_db.abs() > 120.0 {
        return refuse("snr_db", snr_db, "±120 dB is the limit");
    }
    // Kellet's filter: turns white noise into noise that falls by 3 dB per octave.
    let mut state = [0.0_f64; 3];
    let noise: Vec<f64> = (0..signal.len())
        .map(|_| {
            let white: f64 = StandardNormal.sample(rng);
            state[0] = 0.99765 * state[0] + white * 0.099_046;
            state[1] = 0.96300 * state[1] + white * 0.296_516_4;
            state[2] = 0.57000 * state[2] + white * 1.052_691_3;
            state.iter().sum::<f64>() + white * 0.1848
        })
        .collect();
    let signal_power: f64 = signal.iter().map(|s| f64::from(*s).powi(2)).sum();
    let noise_power: f64 = noise.iter().map(|x| x * x).sum();
    if noise_power > 0.0 {
        let factor = (signal_power / noise_power).sqrt() * 10_f64.powf(-snr_db / 20.0);
        signal.iter_mut().zip(noise).for_each(|(s, x)| *s += (factor * x) as f32);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::f64::consts::{FRAC_1_SQRT_2, TAU};

    use super::*;
    use crate::augment::generator;

    const RATE: u32 = 16_000;

    fn tone(hz: f64, seconds: f64) -> Vec<f32> {
        (0..(seconds * f64::from(RATE)) as usize)
            .map(|i| (0.5 * (TAU * hz * i as f64 / f64::from(RATE)).sin()) as f32)
            .collect()
    }

    fn rms(x: &[f32]) -> f64 {
        (x.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / x.len() as f64).sqrt()
    }

    #[test]
    fn a_band_limit_keeps_the_passband_and_halves_the_power_at_its_edges() {
        for (hz, expected) in [(1000.0, 1.0), (300.0, FRAC_1_SQRT_2), (3400.0, FRAC_1_SQRT_2), (75.0, 0.0039)]
        {
            let mut x = tone(hz, 2.0);
            let before = rms(&x[8000..]);
            band_limit(&mut x, RATE, 300.0, 3400.0).unwrap();
            let kept = rms(&x[8000..]) / before;
            assert!((kept - expected).abs() < 0.02 * expected.max(0.05) + 1e-3, "{hz} Hz: {kept}");
        }
        let mut x = tone(440.0, 0.1);
        band_limit(&mut x, RATE, 0.0, 8000.0).unwrap();
        assert_eq!(x, tone(440.0, 0.1));
        assert!(band_limit(&mut x, RATE, 500.0, 400.0).is_err());
    }

    #[test]
    fn convolution_equals_its_definition() {
        let mut rng = generator(3);
        let signal: Vec<f32> = (0..5000).map(|_| rng.random_range(-1.0..1.0)).collect();
        let response: Vec<f32> = (0..700).map(|_| rng.random_range(-1.0..1.0)).collect();
        let mut direct = vec![0.0_f64; signal.len()];
        for (i, x) in signal.iter().enumerate() {
            for (y, h) in direct[i..].iter_mut().zip(&response) {
                *y += f64::from(*x) * f64::from(*h);
            }
        }
        let factor = rms(&signal) / (direct.iter().map(|y| y * y).sum::<f64>() / direct.len() as f64).sqrt();
        let heard = convolve(&signal, &response).unwrap();
        for (a, b) in heard.iter().zip(&direct) {
            assert!((f64::from(*a) - b * factor).abs() < 1e-4, "{a} {b}");
        }
        assert_eq!(convolve(&signal, &[1.0]).unwrap().len(), signal.len());
        assert!(convolve(&signal, &[]).is_err());
    }

    #[test]
    fn a_room_decays_by_sixty_decibels_in_its_time() {
        let response = room(RATE, 0.5, 0.0, &mut generator(1)).unwrap();
        let tail: f64 = response[1..].iter().map(|x| f64::from(*x).powi(2)).sum();
        assert!((tail - 1.0).abs() < 1e-3, "{tail}");
        let level = |from: f64| {
            20.0 * rms(&response[(from * 16e3) as usize..((from + 0.05) * 16e3) as usize]).log10()
        };
        let fall = level(0.05) - level(0.40);
        assert!((fall - 0.35 * 120.0).abs() < 3.0, "{fall} dB in 0.35 s");
        assert!(room(RATE, 0.0, 0.0, &mut generator(1)).is_err());
    }

    #[test]
    fn speed_moves_pitch_and_length_together() {
        let fast = speed(&tone(1000.0, 2.0), RATE, 1.06).unwrap();
        assert!((fast.len() as f64 - 32_000.0 / 1.06).abs() < 3.0);
        let crossings = fast.windows(2).filter(|w| (w[0] < 0.0) != (w[1] < 0.0)).count();
        let hz = crossings as f64 / 2.0 / (fast.len() as f64 / 16e3);
        assert!((hz - 1060.0).abs() < 3.0, "{hz}");
    }

    #[test]
    fn noise_has_the_requested_ratio_and_a_pink_spectrum() {
        let signal = tone(1000.0, 4.0);
        let mut noisy = signal.clone();
        add_pink_noise(&mut noisy, 15.0, &mut generator(2)).unwrap();
        let noise: Vec<f32> = noisy.iter().zip(&signal).map(|(a, b)| a - b).collect();
        let ratio = 20.0 * (rms(&signal) / rms(&noise)).log10();
        assert!((ratio - 15.0).abs() < 0.01, "{ratio}");
        let band = |low, high| {
            let mut part = noise.clone();
            band_limit(&mut part, RATE, low, high).unwrap();
            20.0 * rms(&part).log10()
        };
        // In pink noise, every octave has the same power.
        assert!((band(250.0, 500.0) - band(1000.0, 2000.0)).abs() < 1.0);
        let mut silence = vec![0.0; 100];
        add_pink_noise(&mut silence, 15.0, &mut generator(2)).unwrap();
        assert!(silence.iter().all(|s| *s == 0.0));
    }

    #[test]
    fn clipping_stays_in_full_scale() {
        let mut x = tone(440.0, 0.5);
        clip(&mut x, 12.0).unwrap();
        assert!(
            x.iter().all(|s| s.abs() <= 1.0) && x.iter().filter(|s| s.abs() == 1.0).count() > x.len() / 3
        );
    }
}
