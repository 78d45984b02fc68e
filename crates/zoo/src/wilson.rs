//! The confidence interval of an accuracy.

/// The 95 % Wilson score interval of the fraction `correct / n`.
pub fn wilson(correct: usize, n: usize) -> [f64; 2] {
    if n == 0 {
        return [0.0, 1.0];
    }
    let (n, z) = (n as f64, 1.959_963_985);
    let p = correct as f64 / n;
    let centre = p + z * z / (2.0 * n);
    let spread = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z * z / n;
    [((centre - spread) / scale).max(0.0), ((centre + spread) / scale).min(1.0)]
}

#[cfg(test)]
mod tests {
    use super::wilson;

    /// Reference: R's prop.test(81, 263, correct = FALSE).
    #[test]
    fn the_interval_is_wilsons() {
        let [low, high] = wilson(81, 263);
        assert!((low - 0.255_3).abs() < 5e-5 && (high - 0.366_2).abs() < 5e-5, "{low} {high}");
        assert_eq!(wilson(0, 0), [0.0, 1.0]);
    }
}
