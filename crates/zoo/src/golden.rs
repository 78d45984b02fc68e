//! The golden signal: a synthetic input for which every build of a network must give the same logits.

/// Largest accepted absolute difference of a logit. Logits of the shipped networks span about 10 units;
/// sums in a different order differ by about 1e-5, and a wrong shader by whole units.
pub const GOLDEN_TOLERANCE: f32 = 2e-3;

/// Seconds of synthetic music at any sample rate: a gliding chord with vibrato, a beat of noise bursts, a
/// bass pulse. It has energy in every mel band, so it tests every input of a network. It uses only
/// formulas and a linear congruential generator, so it is the same on every platform up to the last bits
/// of `sin`.
pub fn golden_signal(sample_rate: u32, seconds: f64) -> Vec<f32> {
    let rate = f64::from(sample_rate);
    let tau = std::f64::consts::TAU;
    let mut noise: u32 = 0x2545_F491;
    (0..(seconds * rate) as usize)
        .map(|n| {
            let t = n as f64 / rate;
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let hiss = f64::from(noise >> 8) / f64::from(1_u32 << 23) - 1.0;
            let vibrato = 0.004 * (tau * 5.5 * t).sin();
            let chord: f64 = [220.0, 277.18, 329.63, 440.0]
                .iter()
                .map(|f| (tau * f * (t + 0.02 * t * t + vibrato)).sin())
                .sum();
            let since_beat = (t * 2.0).fract() / 2.0;
            let drum = hiss * (-since_beat * 30.0).exp();
            let bass = (tau * 55.0 * t).sin() * (-since_beat * 6.0).exp();
            (0.1 * chord + 0.3 * drum + 0.25 * bass + 0.002 * hiss) as f32
        })
        .collect()
}
