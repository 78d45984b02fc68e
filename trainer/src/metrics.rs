//! Classification metrics.
//!
//! Definitions are those of scikit-learn where it has one (see `tests/golden/README.md`). 0 / 0 counts
//! as 0, so that every metric is a number for any data.

use std::cmp::Ordering;

use anyhow::{Result, ensure};
pub use cratedigger_zoo::wilson;
use cratedigger_zoo::{argmax, probabilities};
use serde::{Deserialize, Serialize};

/// Bins of the reliability diagram and of the calibration error.
pub const RELIABILITY_BINS: usize = 15;

/// Maximum number of mistakes that [`Scores`] lists.
pub const WORST: usize = 20;

/// Allowed distance of the sum of probabilities from 1: the rounding error of a softmax in single
/// precision over some thousand classes, and less than that of a distribution without normalisation.
const SUM_TOLERANCE: f64 = 1e-3;

/// An example with its label and the probabilities that a model predicted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScoredExample {
    /// Id of the clip, or of the clip and its segment.
    pub id: String,
    /// Index of the true class.
    #[serde(alias = "truth")]
    pub label: usize,
    /// One probability per class; they sum to 1.
    pub probabilities: Vec<f32>,
}

impl From<(String, usize, Vec<f32>)> for ScoredExample {
    /// From an id, a label and log-probabilities.
    fn from((id, label, log): (String, usize, Vec<f32>)) -> Self {
        Self { id, label, probabilities: probabilities(&log) }
    }
}

/// All metrics of a set of scored examples.
///
/// The predicted class is the most probable one, the first of several equally probable ones. Without
/// examples all metrics are 0 and the interval is 0…1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Number of examples.
    pub n: usize,
    /// Fraction of correct predictions.
    pub accuracy: f64,
    /// 95 % Wilson interval of the accuracy ([`wilson`]). It assumes independent examples, so it is too
    /// narrow for several segments of one clip.
    pub interval: [f64; 2],
    /// Fraction of examples whose label is among the three most probable classes. Of equally probable
    /// classes the first counts as more probable.
    pub top3_accuracy: f64,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// Metrics of each class.
    pub per_class: Vec<ClassScore>,
    /// Unweighted means over the classes that occur or were predicted.
    pub macro_average: Average,
    /// Means over the classes, weighted by their number of examples.
    pub weighted_average: Average,
    /// Confusion matrix. Rows are labels, columns are predicted classes.
    pub confusion: Vec<Vec<usize>>,
    /// Mean of −ln p of the label. Probabilities are clipped at 1.2e-7, the epsilon of single precision,
    /// as in scikit-learn: a label with probability 0 costs 15.9 and not infinity.
    pub log_loss: f64,
    /// Brier score (Brier 1950): mean of Σ (pᵢ − tᵢ)² over the classes, where tᵢ is 1 for the label and
    /// 0 for other classes. From 0 to 2.
    pub brier: f64,
    /// Expected calibration error (Guo et al. 2017): mean over the examples of the difference between
    /// accuracy and mean confidence in their bin of [`Scores::reliability`].
    pub calibration_error: f64,
    /// [`RELIABILITY_BINS`] bins of equal width.
    pub reliability: Vec<ReliabilityBin>,
    /// Up to [`WORST`] wrong predictions, the most confident first.
    pub mistakes: Vec<Mistake>,
}

/// Metrics of one class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClassScore {
    /// Correct predictions divided by all predictions of the class.
    pub precision: f64,
    /// Correct predictions divided by all examples of the class.
    pub recall: f64,
    /// Harmonic mean of precision and recall.
    pub f1: f64,
    /// Number of examples of the class.
    pub support: usize,
    /// Number of predictions of the class.
    #[serde(alias = "named")]
    pub predicted: usize,
}

/// Means of [`ClassScore`]s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Average {
    /// Mean precision.
    pub precision: f64,
    /// Mean recall.
    pub recall: f64,
    /// Mean F1.
    pub f1: f64,
}

/// A bin of the reliability diagram: examples of similar confidence, the probability of the predicted
/// class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityBin {
    /// Lower end of the bin, excluded.
    pub low: f64,
    /// Upper end of the bin, included.
    pub high: f64,
    /// Number of examples.
    pub n: usize,
    /// Their mean confidence.
    pub confidence: f64,
    /// Their accuracy, which equals the confidence if the model is calibrated.
    pub accuracy: f64,
}

/// A wrong prediction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mistake {
    /// [`ScoredExample::id`].
    pub id: String,
    /// Index of the true class.
    #[serde(alias = "truth")]
    pub label: usize,
    /// Index of the predicted class.
    #[serde(alias = "named")]
    pub predicted: usize,
    /// Probability of the predicted class.
    pub confidence: f64,
    /// Probability of the label.
    #[serde(alias = "truth_probability")]
    pub label_probability: f64,
}

/// One fold of a cross-validation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FoldScore {
    /// Number of the fold, counted from 1.
    pub fold: usize,
    /// Number of test clips.
    pub tracks: usize,
    /// Accuracy over whole clips.
    pub track_accuracy: f64,
    /// Macro F1 over whole clips.
    pub track_f1: f64,
    /// Number of test segments.
    pub segments: usize,
    /// Accuracy over segments.
    pub segment_accuracy: f64,
}

/// Mean and sample standard deviation (divided by n − 1). The deviation of fewer than two values and the
/// mean of no values are 0.
pub fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = ratio(values.iter().sum(), n);
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    (mean, ratio(squares, n - 1.0).sqrt())
}

/// A quotient, 0 if the divisor is 0.
fn ratio(part: f64, of: f64) -> f64 {
    if of > 0.0 { part / of } else { 0.0 }
}

impl Scores {
    /// Computes all metrics.
    ///
    /// # Errors
    /// There are no classes, or an example's label is not a class, or its probabilities are not one per
    /// class, not between 0 and 1, or do not sum to 1. The message names the example.
    pub fn of(classes: &[String], items: &[ScoredExample]) -> Result<Self> {
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
            let predicted = argmax(p);
            confusion[item.label][predicted] += 1;
            let label_probability = f64::from(p[item.label]);
            let least = f64::from(f32::EPSILON);
            log_loss -= label_probability.clamp(least, 1.0 - least).ln();
            brier += p
                .iter()
                .enumerate()
                .map(|(class, &p)| (f64::from(p) - f64::from(u8::from(class == item.label))).powi(2))
                .sum::<f64>();
            let above = p.iter().enumerate().filter(|&(class, &other)| {
                other > p[item.label] || (other == p[item.label] && class < item.label)
            });
            top3 += usize::from(above.count() < 3);
            let confidence = f64::from(p[predicted]);
            let bin = (confidence * RELIABILITY_BINS as f64).ceil() as usize;
            let bin = &mut reliability[bin.clamp(1, RELIABILITY_BINS) - 1];
            bin.n += 1;
            bin.confidence += confidence;
            bin.accuracy += f64::from(u8::from(predicted == item.label));
            if predicted != item.label {
                let id = item.id.clone();
                mistakes.push(Mistake { id, label: item.label, predicted, confidence, label_probability });
            }
        }
        for bin in &mut reliability {
            bin.confidence = ratio(bin.confidence, bin.n as f64);
            bin.accuracy = ratio(bin.accuracy, bin.n as f64);
        }
        let gaps = reliability.iter().map(|bin| bin.n as f64 * (bin.accuracy - bin.confidence).abs());
        // Sorted by id if confidences are equal, so that the order of the examples does not matter.
        mistakes.sort_by(|a, b| match b.confidence.total_cmp(&a.confidence) {
            Ordering::Equal => a.id.cmp(&b.id),
            unequal => unequal,
        });
        mistakes.truncate(WORST);
        let correct: usize = (0..classes.len()).map(|class| confusion[class][class]).sum();
        let per_class: Vec<ClassScore> =
            (0..classes.len()).map(|class| ClassScore::of(&confusion, class)).collect();
        Ok(Self {
            n: items.len(),
            accuracy: ratio(correct as f64, n),
            interval: wilson(correct, items.len()),
            top3_accuracy: ratio(top3 as f64, n),
            classes: classes.to_vec(),
            macro_average: Average::of(&per_class, |class| {
                f64::from(u8::from(class.support + class.predicted > 0))
            }),
            weighted_average: Average::of(&per_class, |class| class.support as f64),
            per_class,
            confusion,
            log_loss: ratio(log_loss, n),
            brier: ratio(brier, n),
            calibration_error: ratio(gaps.sum(), n),
            reliability,
            mistakes,
        })
    }
}

impl ScoredExample {
    fn check(&self, classes: usize) -> Result<()> {
        let Self { id, label, probabilities } = self;
        ensure!(*label < classes, "{id}: label {label}, but there are {classes} classes");
        let found = probabilities.len();
        ensure!(found == classes, "{id}: {found} probabilities for {classes} classes");
        // Rounding can give slightly more than 1. NaN is in no range.
        let possible = probabilities.iter().all(|p| (0.0..=1.0 + SUM_TOLERANCE as f32).contains(p));
        ensure!(possible, "{id}: a probability is not between 0 and 1");
        let sum: f64 = probabilities.iter().copied().map(f64::from).sum();
        ensure!((sum - 1.0).abs() <= SUM_TOLERANCE, "{id}: the probabilities sum to {sum}, not to 1");
        Ok(())
    }
}

impl ClassScore {
    fn of(confusion: &[Vec<usize>], class: usize) -> Self {
        let correct = confusion[class][class] as f64;
        let support = confusion[class].iter().sum();
        let predicted = confusion.iter().map(|row| row[class]).sum();
        Self {
            precision: ratio(correct, predicted as f64),
            recall: ratio(correct, support as f64),
            // 2PR / (P + R) without the division by 0.
            f1: ratio(2.0 * correct, (support + predicted) as f64),
            support,
            predicted,
        }
    }
}

impl Average {
    fn of(classes: &[ClassScore], weight: impl Fn(&ClassScore) -> f64) -> Self {
        let total = classes.iter().map(&weight).sum();
        let mean = |figure: fn(&ClassScore) -> f64| {
            ratio(classes.iter().map(|class| weight(class) * figure(class)).sum(), total)
        };
        Self { precision: mean(|c| c.precision), recall: mean(|c| c.recall), f1: mean(|c| c.f1) }
    }
}
