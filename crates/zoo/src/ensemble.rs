//! How several answers become one.

/// Logarithms of the softmax of `logits`: log pᵢ = xᵢ − log Σ exp(xⱼ), without overflow.
pub fn log_softmax(logits: &[f32]) -> Vec<f32> {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let log_sum = logits.iter().map(|x| (x - max).exp()).sum::<f32>().ln();
    logits.iter().map(|x| x - max - log_sum).collect()
}

/// The normalised geometric mean of several distributions, as log-probabilities: the mean of the
/// logarithms, normalised again. It is how segments become a song and networks become an
/// ensemble: one that is nearly sure that a class is wrong can veto it.
///
/// Empty for no distributions.
pub fn combine<'a>(log_probabilities: impl IntoIterator<Item = &'a [f32]>) -> Vec<f32> {
    let mut sum: Vec<f32> = Vec::new();
    let mut count = 0_u32;
    for distribution in log_probabilities {
        if sum.is_empty() {
            sum = vec![0.0; distribution.len()];
        }
        sum.iter_mut().zip(distribution).for_each(|(s, p)| *s += p);
        count += 1;
    }
    sum.iter_mut().for_each(|s| *s /= count as f32);
    log_softmax(&sum)
}

/// Probabilities of log-probabilities.
pub fn probabilities(log_probabilities: &[f32]) -> Vec<f32> {
    log_probabilities.iter().map(|p| p.exp()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn combining_is_the_normalised_geometric_mean() {
        let a = [0.7_f32, 0.2, 0.1];
        let b = [0.1_f32, 0.8, 0.1];
        let logs = [a, b].map(|d| d.map(f32::ln));
        let combined = probabilities(&combine(logs.iter().map(|d| d.as_slice())));
        let products: Vec<f32> = a.iter().zip(b).map(|(x, y)| (x * y).sqrt()).collect();
        let total: f32 = products.iter().sum();
        for (c, p) in combined.iter().zip(products) {
            assert!((c - p / total).abs() < 1e-6);
        }
    }

    #[test]
    fn huge_logits_do_not_overflow() {
        let p = probabilities(&log_softmax(&[1e30, -1e30, 0.0]));
        assert_eq!(p, [1.0, 0.0, 0.0]);
    }
}
