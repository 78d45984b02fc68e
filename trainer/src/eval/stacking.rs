//! The stacked combiner of an ensemble: a multinomial logistic regression on the members' log-probabilities.

use anyhow::{Context as _, Result, ensure};
use cratedigger_zoo::{Combination, EnsembleRule, Stacking};
use nalgebra::{DMatrix, DVector};

use super::calibrate::{log_sum_exp, softmax};

/// Maximum number of unknowns of a stacked combiner; the Hessian then has half a gigabyte.
const MAX_UNKNOWNS: usize = 8192;

/// Prior of a stacked combiner's weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prior {
    /// Zero, as usual in logistic regression.
    Zero,
    /// The geometric mean, so that with few examples the combiner is close to it.
    Product,
}

/// Fits a stacked combiner by Newton's method. The objective is the sum of the labels' negative
/// log-likelihoods plus `penalty` / 2 times the squared distance of the weights (not of the biases) from the
/// prior.
///
/// `members` are log-probabilities, `[member][example][class]`.
///
/// # Errors
/// There are too many unknowns, or the Hessian is singular.
pub fn fit_stacking(
    members: &[Vec<Vec<f64>>],
    labels: &[usize],
    classes: usize,
    penalty: f64,
    prior: Prior,
) -> Result<Stacking> {
    let problem = Problem::new(members, labels, classes, penalty, prior)?;
    let mut w = problem.centre.clone();
    let mut value = problem.objective(&w);
    for _ in 0..100 {
        let (gradient, hessian) = problem.derivatives(&w);
        let step =
            hessian.cholesky().context("the combiner cannot be fitted; raise the penalty")?.solve(&gradient);
        let gain = gradient.dot(&step);
        if gain < 1e-12 {
            break;
        }
        // Backtracking line search along Newton's step.
        let mut length = 1.0;
        loop {
            let next = &w - length * &step;
            let found = problem.objective(&next);
            if found <= value - 1e-4 * length * gain {
                (w, value) = (next, found);
                break;
            }
            length *= 0.5;
            if length < 1e-10 {
                // Converged to double precision.
                return Ok(stacking(&w, classes, problem.width));
            }
        }
    }
    Ok(stacking(&w, classes, problem.width))
}

/// The objective of a stacked combiner. Unknown k · width + j is the weight of feature j for class k; the last
/// j is the bias.
struct Problem<'a> {
    /// The members' log-probabilities of each example, and 1 for the bias.
    examples: Vec<Vec<f64>>,
    labels: &'a [usize],
    classes: usize,
    /// Number of features and the bias.
    width: usize,
    penalty: f64,
    /// The unknowns of the prior.
    centre: DVector<f64>,
}

impl<'a> Problem<'a> {
    fn new(
        members: &[Vec<Vec<f64>>],
        labels: &'a [usize],
        classes: usize,
        penalty: f64,
        prior: Prior,
    ) -> Result<Self> {
        let features = members.len() * classes;
        let width = features + 1;
        let unknowns = classes * width;
        ensure!(
            unknowns <= MAX_UNKNOWNS,
            "a stacked combiner of {} members and {classes} classes has {unknowns} unknowns; the maximum is {MAX_UNKNOWNS}",
            members.len()
        );
        let examples = (0..labels.len())
            .map(|i| members.iter().flat_map(|member| member[i].iter().copied()).chain([1.0]).collect())
            .collect();
        let centre = DVector::from_fn(unknowns, |index, _| {
            let (k, j) = (index / width, index % width);
            let own = prior == Prior::Product && j != features && j % classes == k;
            if own { 1.0 / members.len() as f64 } else { 0.0 }
        });
        Ok(Self { examples, labels, classes, width, penalty, centre })
    }

    fn is_bias(&self, index: usize) -> bool {
        index % self.width == self.width - 1
    }

    fn logits(&self, w: &DVector<f64>, x: &[f64]) -> Vec<f64> {
        (0..self.classes)
            .map(|k| x.iter().enumerate().map(|(j, x)| x * w[k * self.width + j]).sum())
            .collect()
    }

    /// Distance of the weights from the prior; 0 for biases, which have no penalty.
    fn distance(&self, w: &DVector<f64>) -> DVector<f64> {
        DVector::from_fn(w.len(), |i, _| if self.is_bias(i) { 0.0 } else { w[i] - self.centre[i] })
    }

    fn objective(&self, w: &DVector<f64>) -> f64 {
        let loss = |(x, &label): (&Vec<f64>, &usize)| {
            let z = self.logits(w, x);
            log_sum_exp(&z) - z[label]
        };
        self.examples.iter().zip(self.labels).map(loss).sum::<f64>()
            + 0.5 * self.penalty * self.distance(w).norm_squared()
    }

    /// Gradient and the lower triangle of the Hessian.
    fn derivatives(&self, w: &DVector<f64>) -> (DVector<f64>, DMatrix<f64>) {
        let (classes, width) = (self.classes, self.width);
        let mut gradient = self.penalty * self.distance(w);
        // A constant added to all biases changes nothing. A tiny penalty makes the solution unique.
        let mut hessian = DMatrix::from_diagonal(&DVector::from_fn(w.len(), |i, _| {
            if self.is_bias(i) { 1e-8 } else { self.penalty + 1e-10 }
        }));
        for (x, &label) in self.examples.iter().zip(self.labels) {
            let p = softmax(self.logits(w, x).into_iter());
            for k in 0..classes {
                let off = p[k] - f64::from(u8::from(k == label));
                for (j, xj) in x.iter().enumerate() {
                    gradient[k * width + j] += off * xj;
                }
                for l in 0..=k {
                    let curvature = p[k] * (f64::from(u8::from(k == l)) - p[l]);
                    for (i, xi) in x.iter().enumerate() {
                        // Column by column, in memory order; only the lower triangle is read.
                        let mut block = hessian.view_mut((k * width, l * width + i), (width, 1));
                        for (entry, xj) in block.iter_mut().zip(x) {
                            *entry += curvature * xi * xj;
                        }
                    }
                }
            }
        }
        (gradient, hessian)
    }
}

fn stacking(w: &DVector<f64>, classes: usize, width: usize) -> Stacking {
    let row = |k: usize| (0..width - 1).map(|j| w[k * width + j] as f32).collect();
    Stacking {
        weights: (0..classes).map(row).collect(),
        biases: (0..classes).map(|k| w[k * width + width - 1] as f32).collect(),
    }
}

/// Fits a stacked combiner with the penalty of the lowest loss in a 5-fold cross-validation.
pub(super) fn choose_stacking(
    members: &[Vec<Vec<f64>>],
    labels: &[usize],
    classes: usize,
) -> Result<Stacking> {
    const FOLDS: usize = 5;
    let part = |wanted: &dyn Fn(usize) -> bool| {
        let of = |member: &Vec<Vec<f64>>| -> Vec<Vec<f64>> {
            member.iter().enumerate().filter(|(i, _)| wanted(*i)).map(|(_, p)| p.clone()).collect()
        };
        let labels: Vec<usize> =
            labels.iter().enumerate().filter(|(i, _)| wanted(*i)).map(|(_, &label)| label).collect();
        (members.iter().map(of).collect::<Vec<_>>(), labels)
    };
    let mut best = (f64::INFINITY, 100.0);
    for penalty in [1000.0, 300.0, 100.0, 30.0, 10.0, 3.0, 1.0] {
        let mut loss = 0.0;
        for fold in 0..FOLDS.min(labels.len()) {
            let (seen, seen_labels) = part(&|i| i % FOLDS != fold);
            let (left, left_labels) = part(&|i| i % FOLDS == fold);
            let fitted = fit_stacking(&seen, &seen_labels, classes, penalty, Prior::Product)?;
            let rule = EnsembleRule { combination: Combination::Stack(fitted), ..EnsembleRule::default() };
            for (i, &label) in left_labels.iter().enumerate() {
                let said: Vec<Vec<f32>> =
                    left.iter().map(|member| member[i].iter().map(|p| *p as f32).collect()).collect();
                let combined = rule.combine(&said.iter().map(Vec::as_slice).collect::<Vec<_>>());
                loss -= combined.get(label).copied().map_or(0.0, f64::from);
            }
        }
        if loss < best.0 {
            best = (loss, penalty);
        }
    }
    fit_stacking(members, labels, classes, best.1, Prior::Product)
}
