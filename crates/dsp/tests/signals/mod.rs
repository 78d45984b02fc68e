//! Test signals, from the formulas of `tests/golden/make.py` and `make_features.py`.

#![allow(dead_code, reason = "each test program uses some of them")]

use std::f64::consts::TAU;

pub const RATE: f64 = 22050.0;

/// Noise in −0.5…0.5: the upper 24 bits of Numerical Recipes' generator.
pub fn noise(n: usize, seed: u32) -> Vec<f64> {
    let mut state = seed;
    (0..n)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (f64::from(state >> 8) - 8_388_608.0) / 16_777_216.0
        })
        .collect()
}

fn single(samples: Vec<f64>) -> Vec<f32> {
    samples.into_iter().map(|s| s as f32).collect()
}

fn tones(n: usize, hz: [f64; 4], level: f64, fall: f64) -> Vec<f64> {
    let tone = |f: f64, i: usize| (TAU * f * i as f64 / RATE).sin();
    (0..n)
        .map(|i| level * (-fall * i as f64 / RATE).exp() * hz.into_iter().map(|f| tone(f, i)).sum::<f64>())
        .collect()
}

/// Silence with four single samples, two of them at the ends.
fn clicks(n: usize) -> Vec<f64> {
    let mut out = vec![0.0; n];
    for (at, value) in [(0, 1.0), (1000, -1.0), (5512, 0.5), (n - 1, 0.25)] {
        out[at] = value;
    }
    out
}

fn sweep(n: usize) -> Vec<f64> {
    let (length, octaves) = (n as f64 / RATE, (10500.0_f64 / 30.0).ln());
    let scale = TAU * 30.0 * length / octaves;
    let phase = |i: usize| scale * ((i as f64 / RATE / length * octaves).exp() - 1.0);
    (0..n).map(|i| 0.8 * phase(i).sin()).collect()
}

/// The signals of the golden mel spectrograms.
pub fn signal(name: &str, n: usize) -> Vec<f32> {
    single(match name {
        "sweep" => sweep(n),
        "noise" => noise(n, 1),
        "chord" => tones(n, [220.0, 277.5, 330.0, 1760.0], 0.2, 3.0).into_iter().map(|v| 0.05 + v).collect(),
        "clicks" => clicks(n),
        _ => vec![0.0; n],
    })
}

fn noisy(samples: Vec<f64>, seed: u32) -> Vec<f64> {
    let noise = noise(samples.len(), seed);
    samples.into_iter().zip(noise).map(|(s, n)| s + 0.002 * n).collect()
}

/// Two chords, a bass and a drum at 132 beats per minute.
fn band(n: usize) -> Vec<f64> {
    let tune = (0.137_f64 / 12.0).exp2();
    let beat = RATE * 60.0 / 132.0;
    let noise = noise(n, 5);
    let chords = [[220.0, 261.63, 329.63], [196.0, 246.94, 293.66]];
    let mut out = vec![0.0; n];
    for b in 0..=(n as f64 / beat) as usize {
        let start = (b as f64 * beat).round_ties_even() as usize;
        let end = (((b + 1) as f64 * beat).round_ties_even() as usize).min(n);
        let chord = chords[b / 2 % 2];
        for i in start..end {
            let t = (i - start) as f64 / RATE;
            let harmonics = chord.iter().flat_map(|f| (1..=3).map(move |k| (f, f64::from(k))));
            let mut v: f64 = harmonics.map(|(f, k)| (TAU * f * tune * k * t).sin() / k).sum();
            v += 2.0 * (TAU * chord[0] / 4.0 * tune * t).sin();
            let loud = if b % 4 == 0 { 1.0 } else { 0.6 };
            out[i] = 0.06 * (-2.0 * t).exp() * v + 0.5 * loud * (-40.0 * t).exp() * noise[i];
        }
    }
    noisy(out, 6)
}

/// The signals of the golden features. Nearly all have a noise floor, because without it the valleys of a
/// spectrum are rounding errors.
pub fn feature_signal(name: &str, n: usize) -> Vec<f32> {
    match name {
        "sweep" => single(noisy(sweep(n), 3)),
        "clicks" => single(noisy(clicks(n), 8)),
        "chord" => {
            let tune = (0.037_f64 / 12.0).exp2();
            single(noisy(tones(n, [220.0, 277.18, 329.63, 1760.0].map(|f| f * tune), 0.2, 3.0), 4))
        }
        "band" => single(band(n)),
        _ => signal(name, n),
    }
}
