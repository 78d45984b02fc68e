//! Calibration of an ensemble's rule on validation data: temperatures, weights of the members, the stacked
//! combiner, and the threshold of *none of these*.
//!
//! These are convex problems with few unknowns. They are solved to convergence without random numbers, so
//! the same predictions give the same rule.

use anyhow::{Result, ensure};
use cratedigger_zoo::{Combination, EnsembleRule, argmax, at_temperature};
use serde::{Deserialize, Serialize};

use super::stacking::choose_stacking;
pub use super::stacking::{Prior, fit_stacking};

/// Temperatures are searched between this value and its reciprocal.
const COLDEST: f64 = 0.05;
/// Probabilities are clipped at this value: an example with probability 0 costs 30 nats.
const LEAST: f64 = 1e-13;

/// Predictions of each member for the same examples, with the labels.
#[derive(Clone, Debug)]
pub struct MemberPredictions<'a> {
    /// Log-probabilities, `[member][example][class]`.
    pub members: &'a [Vec<Vec<f32>>],
    /// Label of each example.
    pub labels: &'a [usize],
    /// Number of classes.
    pub classes: usize,
}

impl MemberPredictions<'_> {
    fn check(&self) -> Result<()> {
        ensure!(!self.members.is_empty(), "there is no member to fit a rule for");
        ensure!(!self.labels.is_empty(), "there is no example to fit a rule to");
        for (index, member) in self.members.iter().enumerate() {
            ensure!(
                member.len() == self.labels.len() && member.iter().all(|p| p.len() == self.classes),
                "member {index} has other examples or classes than the others"
            );
        }
        ensure!(self.labels.iter().all(|&label| label < self.classes), "a label is not a class");
        Ok(())
    }

    /// The log-probabilities at the members' temperatures in double precision, `[member][example][class]`.
    fn calibrated(&self, temperatures: &[f32]) -> Vec<Vec<Vec<f64>>> {
        let floor = LEAST.ln();
        (self.members.iter().enumerate())
            .map(|(m, member)| {
                let temperature = temperatures.get(m).copied().unwrap_or(1.0);
                let at = |p: &Vec<f32>| {
                    at_temperature(p, temperature).into_iter().map(|p| f64::from(p).max(floor)).collect()
                };
                member.iter().map(at).collect()
            })
            .collect()
    }
}

/// Kind of [`Combination`] to fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Weighted mean of the probabilities
    Sum,
    /// Weighted geometric mean of the probabilities
    Product,
    /// Weighted vote
    Vote,
    /// Stacked logistic regression
    Stack,
}

/// Fits a rule: first the members' temperatures, then their weights or the combiner, then the ensemble's
/// temperature. The threshold of *none of these* is separate; see [`fit_threshold`].
///
/// `evenness` is the fraction of the weight that is equal for all members: 0 for the fitted weights, 1 for
/// equal weights. With few examples, the fit gives nearly all weight to one or two members and ignores the
/// others. A stacked combiner has no such weights.
///
/// # Errors
/// The predictions have different shapes, or `evenness` is not in 0…1.
pub fn fit_rule(kind: Kind, evenness: f64, predictions: &MemberPredictions<'_>) -> Result<EnsembleRule> {
    predictions.check()?;
    ensure!((0.0..=1.0).contains(&evenness), "evenness {evenness} is not in 0…1");
    let labels = predictions.labels;
    let temperatures =
        predictions.members.iter().map(|member| fit_temperature(member, labels) as f32).collect::<Vec<_>>();
    let calibrated = predictions.calibrated(&temperatures);
    let narrow = |weights: Vec<f64>| {
        let mean = weights.iter().sum::<f64>() / weights.len() as f64;
        weights.into_iter().map(|w| ((1.0 - evenness) * w + evenness * mean) as f32).collect()
    };
    let (combination, weights) = match kind {
        Kind::Sum => (Combination::Sum, narrow(mixture_weights(&calibrated, labels))),
        Kind::Product => (Combination::Product, narrow(product_weights(&calibrated, labels))),
        Kind::Vote => (Combination::Vote, narrow(vote_weights(&calibrated, labels, predictions.classes))),
        Kind::Stack => {
            (Combination::Stack(choose_stacking(&calibrated, labels, predictions.classes)?), Vec::new())
        }
    };
    let mut rule = EnsembleRule { combination, weights, temperatures, ..EnsembleRule::default() };
    let combined: Vec<Vec<f32>> = (0..labels.len())
        .map(|i| rule.combine(&predictions.members.iter().map(|m| m[i].as_slice()).collect::<Vec<_>>()))
        .collect();
    rule.temperature = fit_temperature(&combined, labels) as f32;
    rule.validate(predictions.members.len(), predictions.classes).map_err(anyhow::Error::msg)?;
    Ok(rule)
}

/// Mean negative log-likelihood of the labels at a temperature.
pub fn negative_log_likelihood(log_probabilities: &[Vec<f32>], labels: &[usize], temperature: f64) -> f64 {
    let loss = |(p, &label): (&Vec<f32>, &usize)| -> f64 {
        let p: Vec<f64> = p.iter().map(|p| f64::from(*p).max(LEAST.ln()) / temperature).collect();
        log_sum_exp(&p) - p.get(label).copied().unwrap_or(0.0)
    };
    log_probabilities.iter().zip(labels).map(loss).sum::<f64>() / labels.len().max(1) as f64
}

/// Temperature scaling (Guo et al. 2017): the temperature of log-probabilities (or logits) that minimises the
/// labels' negative log-likelihood. The loss is convex in 1/T, so its slope is bisected. The result is 0.05
/// if all predictions are correct, and 20 if they are worse than chance.
pub fn fit_temperature(log_probabilities: &[Vec<f32>], labels: &[usize]) -> f64 {
    // Derivative by 1/T: expected log-probability minus log-probability of the label.
    let slope = |inverse: f64| -> f64 {
        let of = |(p, &label): (&Vec<f32>, &usize)| {
            let p: Vec<f64> = p.iter().map(|p| f64::from(*p).max(LEAST.ln())).collect();
            let expected: f64 =
                softmax(p.iter().map(|p| inverse * p)).iter().zip(&p).map(|(w, p)| w * p).sum();
            expected - p.get(label).copied().unwrap_or(0.0)
        };
        log_probabilities.iter().zip(labels).map(of).sum()
    };
    let (mut low, mut high) = (COLDEST.ln(), -COLDEST.ln());
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if slope(middle.exp()) < 0.0 { low = middle } else { high = middle }
    }
    (-0.5 * (low + high)).exp()
}

/// Weights of a sum of probabilities, fitted as mixture weights by expectation maximisation, which increases
/// the likelihood with each step (Dempster et al. 1977).
fn mixture_weights(members: &[Vec<Vec<f64>>], labels: &[usize]) -> Vec<f64> {
    let likelihoods: Vec<Vec<f64>> = (0..labels.len())
        .map(|i| members.iter().map(|member| member[i][labels[i]].exp()).collect())
        .collect();
    let mut weights = vec![1.0 / members.len() as f64; members.len()];
    for _ in 0..2000 {
        let mut next = vec![0.0; weights.len()];
        for row in &likelihoods {
            let total: f64 = row.iter().zip(&weights).map(|(p, w)| p * w).sum();
            for ((next, p), w) in next.iter_mut().zip(row).zip(&weights) {
                *next += p * w / total / labels.len() as f64;
            }
        }
        let moved = next.iter().zip(&weights).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        weights = next;
        if moved < 1e-10 {
            break;
        }
    }
    weights
}

/// Weights of a product of probabilities, positive with sum 1. The likelihood of such a pool is log-concave in
/// the weights. Exponentiated gradient descent keeps them valid (Kivinen and Warmuth 1997).
fn product_weights(members: &[Vec<Vec<f64>>], labels: &[usize]) -> Vec<f64> {
    let count = members.len();
    let examples = labels.len() as f64;
    // Loss and gradient.
    let evaluate = |weights: &[f64]| {
        let mut loss = 0.0;
        let mut gradient = vec![0.0; count];
        for (i, &label) in labels.iter().enumerate() {
            let classes = members[0][i].len();
            let pool: Vec<f64> = (0..classes)
                .map(|k| members.iter().zip(weights).map(|(member, w)| w * member[i][k]).sum())
                .collect();
            loss += (log_sum_exp(&pool) - pool[label]) / examples;
            let softmaxed = softmax(pool.iter().copied());
            for (gradient, member) in gradient.iter_mut().zip(members) {
                let expected: f64 = softmaxed.iter().zip(&member[i]).map(|(q, p)| q * p).sum();
                *gradient += (expected - member[i][label]) / examples;
            }
        }
        (loss, gradient)
    };
    let mut weights = vec![1.0 / count as f64; count];
    let (mut loss, mut gradient) = evaluate(&weights);
    let mut rate = 1.0;
    for _ in 0..5000 {
        // The difference bounds the distance to the minimum, because the loss is convex.
        let mean: f64 = gradient.iter().zip(&weights).map(|(g, w)| g * w).sum();
        let steepest = gradient.iter().copied().fold(f64::INFINITY, f64::min);
        if mean - steepest < 1e-9 || rate < 1e-12 {
            break;
        }
        let next = softmax(weights.iter().zip(&gradient).map(|(w, g)| w.max(1e-300).ln() - rate * g));
        let (next_loss, next_gradient) = evaluate(&next);
        if next_loss <= loss {
            (weights, loss, gradient) = (next, next_loss, next_gradient);
            rate *= 1.5;
        } else {
            rate *= 0.5;
        }
    }
    weights
}

/// Weights of votes: the log-odds of each member's accuracy against chance. This is optimal if the members'
/// errors are independent (Kuncheva 2004, "Combining pattern classifiers").
fn vote_weights(members: &[Vec<Vec<f64>>], labels: &[usize], classes: usize) -> Vec<f64> {
    let odds = |member: &Vec<Vec<f64>>| {
        let correct = member.iter().zip(labels).filter(|(p, label)| argmax(p) == **label).count();
        let accuracy = (correct as f64 + 1.0) / (labels.len() as f64 + 2.0);
        (accuracy * (classes as f64 - 1.0) / (1.0 - accuracy)).ln().max(0.0)
    };
    let weights: Vec<f64> = members.iter().map(odds).collect();
    // If no member is better than chance, all have the same weight.
    if weights.iter().all(|w| *w == 0.0) { vec![1.0; members.len()] } else { weights }
}

/// One point of the curve of refused non-music over refused music.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ThresholdPoint {
    /// Confidence below which the answer is *none of these*.
    pub threshold: f32,
    /// Fraction of refused music.
    pub music_refused: f64,
    /// Fraction of refused non-music.
    #[serde(alias = "other_refused")]
    pub non_music_refused: f64,
}

/// The threshold of *none of these*, with the curve that it was chosen from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Threshold {
    /// The chosen point.
    pub chosen: ThresholdPoint,
    /// All points, by ascending threshold.
    pub curve: Vec<ThresholdPoint>,
    /// Area under the curve: the probability that music has a higher confidence than non-music; 0.5 for chance.
    pub area: f64,
}

/// Chooses the threshold of *none of these*: of the thresholds that refuse at most the fraction `most` of
/// music, the one with the maximum of refused non-music minus refused music (Youden 1950). `music` and
/// `other` are confidences of the calibrated ensemble for music and non-music.
///
/// # Errors
/// One of the lists is empty, or a confidence is NaN.
pub fn fit_threshold(music: &[f32], other: &[f32], most: f64) -> Result<Threshold> {
    ensure!(!music.is_empty() && !other.is_empty(), "a threshold needs both music and non-music");
    ensure!(music.iter().chain(other).all(|c| !c.is_nan()), "a confidence is not a number");
    let sorted = |values: &[f32]| {
        let mut sorted = values.to_vec();
        sorted.sort_by(f32::total_cmp);
        sorted
    };
    let (music, other) = (sorted(music), sorted(other));
    let below = |values: &[f32], threshold: f32| values.partition_point(|c| *c < threshold);
    // All thresholds between two adjacent confidences are equivalent; the middle has the largest margin.
    let mut steps = sorted(&[music.as_slice(), other.as_slice()].concat());
    steps.dedup();
    let mut thresholds = vec![0.0_f32];
    thresholds.extend(steps.windows(2).map(|pair| 0.5 * (pair[0] + pair[1])));
    thresholds.push(1.0);
    let curve: Vec<ThresholdPoint> = thresholds
        .into_iter()
        .map(|threshold| ThresholdPoint {
            threshold,
            music_refused: below(&music, threshold) as f64 / music.len() as f64,
            non_music_refused: below(&other, threshold) as f64 / other.len() as f64,
        })
        .collect();
    let gain = |point: &ThresholdPoint| point.non_music_refused - point.music_refused;
    let mut chosen = curve[0];
    for point in &curve {
        if point.music_refused <= most && gain(point) > gain(&chosen) {
            chosen = *point;
        }
    }
    let wins: f64 = music
        .iter()
        .map(|&c| {
            let (less, upto) = (below(&other, c), other.partition_point(|o| *o <= c));
            less as f64 + 0.5 * (upto - less) as f64
        })
        .sum();
    Ok(Threshold { chosen, curve, area: wins / (music.len() * other.len()) as f64 })
}

/// log Σ exp(x), without overflow.
pub(super) fn log_sum_exp(values: &[f64]) -> f64 {
    let max = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    max + values.iter().map(|v| (v - max).exp()).sum::<f64>().ln()
}

/// exp(x) / Σ exp(x), without overflow.
pub(super) fn softmax(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let values: Vec<f64> = values.collect();
    let total = log_sum_exp(&values);
    values.into_iter().map(|v| (v - total).exp()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Written by tests/golden/make_calibration.py.
    #[derive(Deserialize)]
    struct Golden {
        classes: usize,
        labels: Vec<usize>,
        members: Vec<Vec<Vec<f32>>>,
        temperatures: Vec<f64>,
        losses: Vec<f64>,
        mixture: Vec<f64>,
        product: Vec<f64>,
        stacking: Vec<GoldenStacking>,
        combined: Combined,
    }

    #[derive(Deserialize)]
    struct GoldenStacking {
        penalty: f64,
        product_prior: bool,
        weights: Vec<Vec<f64>>,
        biases: Vec<f64>,
    }

    #[derive(Deserialize)]
    struct Combined {
        sum: Vec<Vec<f64>>,
        product: Vec<Vec<f64>>,
    }

    fn golden() -> Golden {
        serde_json::from_str(include_str!("../../../tests/golden/calibration.json")).unwrap()
    }

    fn double(golden: &Golden) -> Vec<Vec<Vec<f64>>> {
        let predictions =
            MemberPredictions { members: &golden.members, labels: &golden.labels, classes: golden.classes };
        predictions.calibrated(&[])
    }

    #[track_caller]
    fn assert_close(found: &[f64], expected: &[f64], tolerance: f64) {
        assert_eq!(found.len(), expected.len());
        let worst = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(worst < tolerance, "{worst}: {found:?} {expected:?}");
    }

    #[test]
    fn temperatures_are_scipys() {
        let golden = golden();
        let fitted: Vec<f64> =
            golden.members.iter().map(|member| fit_temperature(member, &golden.labels)).collect();
        assert_close(&fitted, &golden.temperatures, 1e-4);
        let losses: Vec<f64> = (golden.members.iter().zip(&fitted))
            .map(|(member, t)| negative_log_likelihood(member, &golden.labels, *t))
            .collect();
        assert_close(&losses, &golden.losses, 1e-6);
    }

    #[test]
    fn weights_are_scipys() {
        let golden = golden();
        let members = double(&golden);
        assert_close(&mixture_weights(&members, &golden.labels), &golden.mixture, 1e-3);
        assert_close(&product_weights(&members, &golden.labels), &golden.product, 1e-3);
    }

    #[test]
    fn stacking_is_scikit_learns() {
        let golden = golden();
        let members = double(&golden);
        for expected in &golden.stacking {
            let prior = if expected.product_prior { Prior::Product } else { Prior::Zero };
            let found =
                fit_stacking(&members, &golden.labels, golden.classes, expected.penalty, prior).unwrap();
            let wide = |values: &[f32]| values.iter().map(|v| f64::from(*v)).collect::<Vec<_>>();
            for (found, expected) in found.weights.iter().zip(&expected.weights) {
                assert_close(&wide(found), expected, 1e-4);
            }
            assert_close(&wide(&found.biases), &expected.biases, 1e-4);
        }
    }

    #[test]
    fn combinations_are_numpys() {
        let golden = golden();
        for (combination, expected) in
            [(Combination::Sum, &golden.combined.sum), (Combination::Product, &golden.combined.product)]
        {
            let rule = EnsembleRule { combination, weights: vec![1.0, 2.0, 0.5], ..Default::default() };
            for (i, expected) in expected.iter().enumerate() {
                let said: Vec<&[f32]> = golden.members.iter().map(|m| m[i].as_slice()).collect();
                let found: Vec<f64> = rule.combine(&said).iter().map(|p| f64::from(p.exp())).collect();
                assert_close(&found, expected, 1e-6);
            }
        }
    }

    #[test]
    fn the_prior_alone_is_the_plain_geometric_mean() {
        let golden = golden();
        let stacking = fit_stacking(&double(&golden), &golden.labels, golden.classes, 1e9, Prior::Product);
        for (k, row) in stacking.unwrap().weights.iter().enumerate() {
            for (j, w) in row.iter().enumerate() {
                let expected = if j % golden.classes == k { 1.0 / golden.members.len() as f32 } else { 0.0 };
                assert!((w - expected).abs() < 1e-4, "{w} {expected}");
            }
        }
    }

    #[test]
    fn every_rule_fits_and_none_is_worse_than_its_worst_member() {
        let golden = golden();
        let predictions =
            MemberPredictions { members: &golden.members, labels: &golden.labels, classes: golden.classes };
        let worst = golden.losses.iter().copied().fold(0.0, f64::max);
        for kind in [Kind::Sum, Kind::Product, Kind::Vote, Kind::Stack] {
            let rule = fit_rule(kind, 0.0, &predictions).unwrap();
            rule.validate(golden.members.len(), golden.classes).unwrap();
            let combined: Vec<Vec<f32>> = (0..golden.labels.len())
                .map(|i| rule.combine(&golden.members.iter().map(|m| m[i].as_slice()).collect::<Vec<_>>()))
                .collect();
            let loss = negative_log_likelihood(&combined, &golden.labels, 1.0);
            assert!(loss < worst, "{kind:?}: {loss} against {worst}");
            // The fit includes the temperature: no other value gives a lower loss.
            assert!((fit_temperature(&combined, &golden.labels) - 1.0).abs() < 2e-3, "{kind:?}");
        }
    }

    #[test]
    fn predictions_of_different_shapes_are_refused() {
        let member = vec![vec![0.5_f32.ln(); 2]; 3];
        let fit = |members: &[Vec<Vec<f32>>], labels: &[usize]| {
            fit_rule(Kind::Product, 0.0, &MemberPredictions { members, labels, classes: 2 })
        };
        assert!(fit(std::slice::from_ref(&member), &[0, 1, 1]).is_ok());
        assert!(fit(&[], &[0]).is_err());
        assert!(fit(std::slice::from_ref(&member), &[0, 1]).is_err());
        assert!(fit(std::slice::from_ref(&member), &[0, 1, 2]).is_err());
        assert!(fit(&[vec![]], &[]).is_err());
    }

    #[test]
    fn a_threshold_refuses_low_confidences() {
        let music = [0.9, 0.8, 0.95, 0.4, 0.7, 0.85, 0.6, 0.99, 0.75, 0.9];
        let other = [0.2, 0.3, 0.35, 0.5, 0.65, 0.1];
        let found = fit_threshold(&music, &other, 0.1).unwrap();
        // At most one of ten music sounds may be refused. Between 0.5 and 0.6, one is refused, and five of the
        // six non-music sounds.
        assert_eq!(found.chosen.threshold, 0.55);
        assert_eq!(found.chosen.music_refused, 0.1);
        assert!((found.chosen.non_music_refused - 5.0 / 6.0).abs() < 1e-12);
        // By hand: 0.4 exceeds four of the six non-music confidences, 0.6 exceeds five, all others six.
        assert!((found.area - (8.0 * 6.0 + 4.0 + 5.0) / 60.0).abs() < 1e-12);
        // No music may be refused.
        assert_eq!(fit_threshold(&music, &other, 0.0).unwrap().chosen.threshold, 0.375);
        let (first, last) = (found.curve[0], found.curve[found.curve.len() - 1]);
        assert_eq!((first.music_refused, first.non_music_refused), (0.0, 0.0));
        assert_eq!((last.music_refused, last.non_music_refused), (1.0, 1.0));
        assert!(found.curve.is_sorted_by(|a, b| a.threshold <= b.threshold));
        assert!(fit_threshold(&[], &other, 0.1).is_err() && fit_threshold(&[f32::NAN], &other, 0.1).is_err());
    }
}
