//! Figures of merit: what is computed from what a model said of examples whose truth is known.
//!
//! Definitions are scikit-learn's where it has one (see `tests/golden/README.md`); a quotient of
//! nothing by nothing is 0, so that every figure is a number whatever the data.

use std::cmp::Ordering;

use anyhow::{Result, ensure};
use cratedigger_zoo::probabilities;
use serde::{Deserialize, Serialize};

use crate::train::argmax;

/// Bins of the reliability diagram and of the calibration error.
pub const RELIABILITY_BINS: usize = 15;

/// The most mistakes that [`Scores`] lists.
pub const WORST: usize = 20;

/// How far from 1 the probabilities of an item may sum up: what single precision makes of a
/// softmax over some thousand classes, and no distribution that was forgotten to be normalised.
const SUM_TOLERANCE: f64 = 1e-3;

/// What a model said of one example, and what it should have said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// A name that leads people to the example: a clip's, or a clip's with a segment.
    pub id: String,
    /// Index of the true class.
    pub truth: usize,
    /// One a class, 0…1, summing up to 1.
    pub probabilities: Vec<f32>,
}

impl From<(String, usize, Vec<f32>)> for Judged {
    /// Of a name, the true class and log-probabilities.
    fn from((id, truth, log): (String, usize, Vec<f32>)) -> Self {
        Self { id, truth, probabilities: probabilities(&log) }
    }
}

/// All figures of one set of judged examples.
///
/// The class that a model names is the most probable one, the first of several that are equally
/// probable. Without examples all figures are 0 and the interval is 0…1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// How many examples.
    pub n: usize,
    /// Share named rightly.
    pub accuracy: f64,
    /// Its 95 % Wilson interval ([`wilson`]), which takes the examples for independent: too narrow
    /// for segments of which several come from one clip.
    pub interval: [f64; 2],
    /// Share whose true class is among the three most probable ones, of equally probable ones the
    /// first.
    pub top3_accuracy: f64,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// Figures of each class.
    pub per_class: Vec<ClassScore>,
    /// Means over the classes that occur or were named, each counting the same.
    pub macro_average: Average,
    /// Means over the classes, each counting as much as it has examples.
    pub weighted_average: Average,
    /// Rows: true class; columns: named class.
    pub confusion: Vec<Vec<usize>>,
    /// Mean of −ln p of the true class. Probabilities count as at least 1.2e-7, the precision of
    /// single precision, as in scikit-learn: one item that was called impossible costs 15.9 and
    /// not infinity.
    pub log_loss: f64,
    /// Mean of Σ (pᵢ − tᵢ)² over the classes, where tᵢ is 1 for the true class and else 0: from 0
    /// to 2 (Brier 1950).
    pub brier: f64,
    /// Expected calibration error: the mean over the examples of how far accuracy and mean
    /// confidence lie apart in their bin of [`Scores::reliability`] (Guo et al. 2017).
    pub calibration_error: f64,
    /// [`RELIABILITY_BINS`] bins of equal width.
    pub reliability: Vec<ReliabilityBin>,
    /// Up to [`WORST`] examples that were named wrongly, the most confident ones first.
    pub mistakes: Vec<Mistake>,
}

/// Figures of one class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClassScore {
    /// Of what was named so, the share that is so.
    pub precision: f64,
    /// Of what is so, the share that was named so.
    pub recall: f64,
    /// Harmonic mean of both.
    pub f1: f64,
    /// How many examples are of this class.
    pub support: usize,
    /// How many were named so.
    pub named: usize,
}

/// Means of [`ClassScore`]s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Average {
    /// Of the precisions.
    pub precision: f64,
    /// Of the recalls.
    pub recall: f64,
    /// Of the F1.
    pub f1: f64,
}

/// Examples of about the same confidence, which is the probability of the class that was named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityBin {
    /// Confidences above this …
    pub low: f64,
    /// … up to and including this.
    pub high: f64,
    /// How many examples.
    pub n: usize,
    /// Their mean confidence.
    pub confidence: f64,
    /// Share of them named rightly: the same as the confidence, were the model calibrated.
    pub accuracy: f64,
}

/// An example that was named wrongly.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mistake {
    /// [`Judged::id`].
    pub id: String,
    /// Index of the true class.
    pub truth: usize,
    /// Index of the class that was named.
    pub named: usize,
    /// Probability of the class that was named.
    pub confidence: f64,
    /// Probability of the true class.
    pub truth_probability: f64,
}

/// One fold of a cross-validation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FoldScore {
    /// Counted from 1.
    pub fold: usize,
    /// Whole clips measured.
    pub tracks: usize,
    /// Accuracy over whole clips.
    pub track_accuracy: f64,
    /// Macro F1 over whole clips.
    pub track_f1: f64,
    /// Segments measured.
    pub segments: usize,
    /// Accuracy over segments.
    pub segment_accuracy: f64,
}

/// Mean and sample standard deviation (divided by n − 1); the deviation of fewer than two values
/// is 0, as is the mean of none.
pub fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = share(values.iter().sum(), n);
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    (mean, share(squares, n - 1.0).sqrt())
}

/// The Wilson score interval of a share of `right` in `n` at 95 %.
pub fn wilson(right: usize, n: usize) -> [f64; 2] {
    if n == 0 {
        return [0.0, 1.0];
    }
    let (n, z) = (n as f64, 1.959_963_985);
    let p = right as f64 / n;
    let centre = p + z * z / (2.0 * n);
    let spread = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z * z / n;
    [((centre - spread) / scale).max(0.0), ((centre + spread) / scale).min(1.0)]
}

/// A quotient, 0 where there is nothing to divide by.
fn share(part: f64, of: f64) -> f64 {
    if of > 0.0 { part / of } else { 0.0 }
}

impl Scores {
    /// Computes all figures.
    ///
    /// # Errors
    /// There are no classes; an item's truth is not one of them, or its probabilities are not one a
    /// class, not between 0 and 1, or do not sum up to 1. The item is named.
    pub fn of(classes: &[String], items: &[Judged]) -> Result<Self> {
        ensure!(!classes.is_empty(), "there are no classes to score");
        for item in items {
            item.check(classes.len())?;
        }
        let n = items.len() as f64;
        let mut confusion = vec![vec![0_usize; classes.len()]; classes.len()];
        let mut reliability: Vec<ReliabilityBin> = (0..RELIABILITY_BINS)
            .map(|bin| ReliabilityBin {
                low: bin as f64 / RELIABILITY_BINS as f64,
                high: (bin + 1) as f64 / RELIABILITY_BINS as f64,
                ..ReliabilityBin::default()
            })
            .collect();
        let (mut top3, mut log_loss, mut brier) = (0_usize, 0.0, 0.0);
        let mut mistakes = Vec::new();
        for item in items {
            let p = &item.probabilities;
            let named = argmax(p);
            confusion[item.truth][named] += 1;
            let truth_probability = f64::from(p[item.truth]);
            let least = f64::from(f32::EPSILON);
            log_loss -= truth_probability.clamp(least, 1.0 - least).ln();
            brier += p
                .iter()
                .enumerate()
                .map(|(class, &p)| (f64::from(p) - f64::from(u8::from(class == item.truth))).powi(2))
                .sum::<f64>();
            let above = p.iter().enumerate().filter(|&(class, &other)| {
                other > p[item.truth] || (other == p[item.truth] && class < item.truth)
            });
            top3 += usize::from(above.count() < 3);
            let confidence = f64::from(p[named]);
            let bin = (confidence * RELIABILITY_BINS as f64).ceil() as usize;
            let bin = &mut reliability[bin.clamp(1, RELIABILITY_BINS) - 1];
            bin.n += 1;
            bin.confidence += confidence;
            bin.accuracy += f64::from(u8::from(named == item.truth));
            if named != item.truth {
                let id = item.id.clone();
                mistakes.push(Mistake { id, truth: item.truth, named, confidence, truth_probability });
            }
        }
        for bin in &mut reliability {
            bin.confidence = share(bin.confidence, bin.n as f64);
            bin.accuracy = share(bin.accuracy, bin.n as f64);
        }
        let gaps = reliability.iter().map(|bin| bin.n as f64 * (bin.accuracy - bin.confidence).abs());
        // By name, where confidences are equal: the same list whatever the order of the items.
        mistakes.sort_by(|a, b| match b.confidence.total_cmp(&a.confidence) {
            Ordering::Equal => a.id.cmp(&b.id),
            unequal => unequal,
        });
        mistakes.truncate(WORST);
        let right: usize = (0..classes.len()).map(|class| confusion[class][class]).sum();
        let per_class: Vec<ClassScore> =
            (0..classes.len()).map(|class| ClassScore::of(&confusion, class)).collect();
        Ok(Self {
            n: items.len(),
            accuracy: share(right as f64, n),
            interval: wilson(right, items.len()),
            top3_accuracy: share(top3 as f64, n),
            classes: classes.to_vec(),
            macro_average: Average::of(&per_class, |class| {
                f64::from(u8::from(class.support + class.named > 0))
            }),
            weighted_average: Average::of(&per_class, |class| class.support as f64),
            per_class,
            confusion,
            log_loss: share(log_loss, n),
            brier: share(brier, n),
            calibration_error: share(gaps.sum(), n),
            reliability,
            mistakes,
        })
    }
}

impl Judged {
    fn check(&self, classes: usize) -> Result<()> {
        let Self { id, truth, probabilities } = self;
        ensure!(*truth < classes, "{id}: class {truth} of {classes}");
        let found = probabilities.len();
        ensure!(found == classes, "{id}: {found} probabilities for {classes} classes");
        // A little above 1 is what rounding makes of a certainty. NaN is in no range.
        let possible = probabilities.iter().all(|p| (0.0..=1.0 + SUM_TOLERANCE as f32).contains(p));
        ensure!(possible, "{id}: a probability is not between 0 and 1");
        let sum: f64 = probabilities.iter().copied().map(f64::from).sum();
        ensure!((sum - 1.0).abs() <= SUM_TOLERANCE, "{id}: the probabilities sum up to {sum}, not to 1");
        Ok(())
    }
}

impl ClassScore {
    fn of(confusion: &[Vec<usize>], class: usize) -> Self {
        let right = confusion[class][class] as f64;
        let support = confusion[class].iter().sum();
        let named = confusion.iter().map(|row| row[class]).sum();
        Self {
            precision: share(right, named as f64),
            recall: share(right, support as f64),
            // 2PR / (P + R), without its division by 0.
            f1: share(2.0 * right, (support + named) as f64),
            support,
            named,
        }
    }
}

impl Average {
    fn of(classes: &[ClassScore], weight: impl Fn(&ClassScore) -> f64) -> Self {
        let total = classes.iter().map(&weight).sum();
        let mean = |figure: fn(&ClassScore) -> f64| {
            share(classes.iter().map(|class| weight(class) * figure(class)).sum(), total)
        };
        Self { precision: mean(|c| c.precision), recall: mean(|c| c.recall), f1: mean(|c| c.f1) }
    }
}

#[cfg(test)]
mod tests {
    use super::wilson;

    /// Against the interval that Wilson's formula gives in R: prop.test(81, 263, correct = FALSE).
    #[test]
    fn the_interval_is_wilsons() {
        let [low, high] = wilson(81, 263);
        assert!((low - 0.255_3).abs() < 5e-5 && (high - 0.366_2).abs() < 5e-5, "{low} {high}");
        assert_eq!(wilson(0, 0), [0.0, 1.0]);
    }
}
