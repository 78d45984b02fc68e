//! Synthetic sounds that are not music, for outlier exposure and for the threshold of *none of these*:
//! tones, noise, clicks, and a signal with the rhythm and formants of speech.
//!
//! They are generated from a seed, so that everybody gets the same threshold. They are not a
//! representative sample of non-music, so a threshold chosen on them holds only for similar sounds.

use std::f64::consts::TAU;

use rand::{Rng, RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// Kinds of sounds.
pub const KINDS: [&str; 8] =
    ["speech-like", "white noise", "pink noise", "hum", "tone", "sweep", "clicks", "dial tones"];

/// A sound with samples in −1…1.
#[derive(Clone, Debug, PartialEq)]
pub struct Sound {
    /// One of [`KINDS`].
    pub kind: &'static str,
    /// Mono samples.
    pub samples: Vec<f32>,
}

/// Generates `each` sounds of every kind, of length `seconds`, with a peak 0 to 30 dB below 0.9.
pub fn sounds(sample_rate: u32, seconds: f64, each: usize, seed: u64) -> Vec<Sound> {
    let rate = f64::from(sample_rate);
    let count = (seconds * rate) as usize;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut sounds = Vec::with_capacity(each * KINDS.len());
    for kind in KINDS {
        for _ in 0..each {
            let mut samples = match kind {
                "speech-like" => speech(rate, count, &mut rng),
                "white noise" => (0..count).map(|_| noise(&mut rng)).collect(),
                "pink noise" => pink(count, &mut rng),
                "hum" => hum(rate, count, &mut rng),
                "tone" => sweep(rate, count, 0.0, &mut rng),
                "sweep" => sweep(rate, count, 3.0, &mut rng),
                "clicks" => clicks(rate, count, &mut rng),
                _ => dial_tones(rate, count, &mut rng),
            };
            let peak = samples.iter().fold(1e-9_f64, |peak, x| peak.max(x.abs()));
            let gain = 0.9 / peak * 10_f64.powf(-rng.random_range(0.0..30.0) / 20.0);
            // Every recording has a little noise.
            samples.iter_mut().for_each(|x| *x = *x * gain + 1e-4 * noise(&mut rng));
            sounds.push(Sound { kind, samples: samples.into_iter().map(|x| x as f32).collect() });
        }
    }
    sounds
}

fn noise(rng: &mut impl Rng) -> f64 {
    rng.random_range(-1.0..1.0)
}

/// Pink noise: white noise through Kellet's filter, −3 dB per octave.
fn pink(count: usize, rng: &mut impl Rng) -> Vec<f64> {
    let mut state = [0.0; 3];
    (0..count)
        .map(|_| {
            let white = noise(rng);
            state[0] = 0.99765 * state[0] + white * 0.099_046;
            state[1] = 0.96300 * state[1] + white * 0.296_516_4;
            state[2] = 0.57000 * state[2] + white * 1.052_691_3;
            state.iter().sum::<f64>() + white * 0.1848
        })
        .collect()
}

/// Mains hum with harmonics of falling level.
fn hum(rate: f64, count: usize, rng: &mut impl Rng) -> Vec<f64> {
    let base = if rng.random_bool(0.5) { 50.0 } else { 60.0 };
    let levels: Vec<f64> = (1..20).map(|n| rng.random_range(0.0..1.0) / f64::from(n)).collect();
    (0..count)
        .map(|i| {
            let t = i as f64 / rate;
            levels.iter().zip(1..).map(|(level, n)| level * (TAU * base * f64::from(n) * t).sin()).sum()
        })
        .collect()
}

/// A sine that starts at 100 to 4000 Hz and rises or falls by up to `octaves`.
fn sweep(rate: f64, count: usize, octaves: f64, rng: &mut impl Rng) -> Vec<f64> {
    let from = 100.0 * 40_f64.powf(rng.random_range(0.0..1.0));
    let over = if octaves > 0.0 { rng.random_range(-octaves..octaves) } else { 0.0 };
    let mut phase = 0.0_f64;
    (0..count)
        .map(|i| {
            let frequency = from * 2_f64.powf(over * i as f64 / count as f64);
            phase += TAU * frequency.min(0.45 * rate) / rate;
            phase.sin()
        })
        .collect()
}

/// Short noise bursts at irregular times.
fn clicks(rate: f64, count: usize, rng: &mut impl Rng) -> Vec<f64> {
    let a_second = rng.random_range(1.0..12.0);
    let decay = (-1.0 / (rate * rng.random_range(0.001..0.02))).exp();
    let mut level = 0.0;
    (0..count)
        .map(|_| {
            level *= decay;
            if rng.random_bool(a_second / rate) {
                level = rng.random_range(0.3..1.0);
            }
            level * noise(rng)
        })
        .collect()
}

/// Dual-tone signals of a telephone, on and off.
fn dial_tones(rate: f64, count: usize, rng: &mut impl Rng) -> Vec<f64> {
    let (low, high) = ([697.0, 770.0, 852.0, 941.0], [1209.0, 1336.0, 1477.0]);
    let (on, off) = (rng.random_range(0.08..0.5), rng.random_range(0.05..0.5));
    let mut pair = (low[0], high[0]);
    let mut last = usize::MAX;
    (0..count)
        .map(|i| {
            let t = i as f64 / rate;
            let turn = (t / (on + off)) as usize;
            if turn != last {
                last = turn;
                pair = (low[rng.random_range(0..low.len())], high[rng.random_range(0..high.len())]);
            }
            let sounding = t - turn as f64 * (on + off) < on;
            if sounding { (TAU * pair.0 * t).sin() + (TAU * pair.1 * t).sin() } else { 0.0 }
        })
        .collect()
}

/// First three formants of five vowels, in Hz (Peterson and Barney 1952, men).
const VOWELS: [[f64; 3]; 5] = [
    [270.0, 2290.0, 3010.0],
    [530.0, 1840.0, 2480.0],
    [730.0, 1090.0, 2440.0],
    [570.0, 840.0, 2410.0],
    [300.0, 870.0, 2240.0],
];

/// Speech-like syllables: noise, then a pulse train through resonators at the formants of a vowel, with the
/// pitch, pace and pauses of speech.
fn speech(rate: f64, count: usize, rng: &mut impl Rng) -> Vec<f64> {
    let voice = rng.random_range(90.0..230.0);
    let size = 1.0 + 0.18 * (voice - 90.0) / 140.0;
    let pace = rng.random_range(3.0..6.0);
    let mut samples = Vec::with_capacity(count);
    let mut phase = 0.0_f64;
    let mut resonators = [[0.0_f64; 2]; 3];
    while samples.len() < count {
        let pause = rng.random_bool(0.12);
        let length = (rate / pace * rng.random_range(0.6..1.5) * if pause { 1.6 } else { 1.0 }) as usize;
        let hiss = rng.random_range(0.0..0.4);
        let vowel = VOWELS[rng.random_range(0..VOWELS.len())];
        let (from, to) = (rng.random_range(0.85..1.25), rng.random_range(0.8..1.1));
        let hissing = rng.random_range(0.05..0.3);
        for i in 0..length {
            let x = i as f64 / length as f64;
            if pause {
                samples.push(0.0);
                continue;
            }
            let voiced = ((x - hiss) / (1.0 - hiss)).clamp(0.0, 1.0);
            let envelope = (std::f64::consts::PI * voiced).sin().max(0.0).sqrt();
            phase += voice * (from + (to - from) * x) / rate;
            // A glottal pulse: slow rise, abrupt end.
            let pulse = (phase.fract() - 0.6).max(0.0) * envelope;
            let mut sum = 0.0;
            for (state, (formant, width)) in resonators.iter_mut().zip(vowel.iter().zip([60.0, 90.0, 150.0]))
            {
                let radius = (-std::f64::consts::PI * width / rate).exp();
                let turn = 2.0 * radius * (TAU * formant * size / rate).cos();
                let next = pulse * (1.0 - radius) + turn * state[0] - radius * radius * state[1];
                *state = [next, state[0]];
                sum += next;
            }
            let consonant =
                if x < hiss { hissing * noise(rng) * (x / hiss * std::f64::consts::PI).sin() } else { 0.0 };
            samples.push(sum + 0.3 * consonant);
        }
    }
    samples.truncate(count);
    samples
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_audible_and_depends_on_the_seed_only() {
        let made = sounds(22050, 4.0, 2, 1);
        assert_eq!(made.len(), 2 * KINDS.len());
        for sound in &made {
            assert_eq!(sound.samples.len(), 88_200);
            let power = sound.samples.iter().map(|x| f64::from(x * x)).sum::<f64>() / 88_200.0;
            assert!(power.sqrt() > 1e-4 && sound.samples.iter().all(|x| x.abs() <= 1.0), "{}", sound.kind);
        }
        assert_eq!(made, sounds(22050, 4.0, 2, 1));
        assert_ne!(made, sounds(22050, 4.0, 2, 2));
    }
}
