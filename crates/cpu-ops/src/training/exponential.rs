//! The exponential function without branches, so that the compiler vectorises loops with it. The system's takes one value
//! at a time.

/// `eˣ` with a relative error of at most 1e-7; below −87.3 and above 88.3 the value at that end.
///
/// 2ⁿ · eʳ with an integer n and |r| ≤ ln 2 / 2; the polynomial for eʳ is that of Cephes' `expf` (Moshier 1989).
#[inline(always)]
pub(super) fn exponential(x: f32) -> f32 {
    /// ln 2 in two parts: products of the first with n are exact.
    const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    /// Adding 1.5 · 2²³ rounds to an integer, which is then in the low bits.
    const ROUND: f32 = 12_582_912.0;
    // Not `clamp`, which the compiler does not vectorise; NaN stays.
    let x = if x < -87.3 { -87.3 } else { x };
    let x = if x > 88.3 { 88.3 } else { x };
    let rounded = x * std::f32::consts::LOG2_E + ROUND;
    let n = rounded - ROUND;
    let power = f32::from_bits(rounded.to_bits().wrapping_add(127) << 23);
    let r = (x - n * LN_2[0]) - n * LN_2[1];
    let p = 1.987_569_1e-4_f32;
    let p = p * r + 1.398_199_9e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 0.5;
    (p * r * r + r + 1.0) * power
}

#[cfg(test)]
mod tests {
    use super::exponential;

    #[test]
    fn it_is_the_systems() {
        for step in -8_730..=8_830 {
            let x = step as f32 * 0.01;
            let exact = f64::from(x).exp();
            let error = (f64::from(exponential(x)) - exact).abs() / exact;
            assert!(error < 1e-7, "{x}: {error:e}");
        }
        assert_eq!(exponential(0.0), 1.0);
        assert!(exponential(f32::NEG_INFINITY) < 2e-38);
        assert!(exponential(f32::INFINITY) > 2e38);
        assert!(exponential(f32::NAN).is_nan());
    }
}
