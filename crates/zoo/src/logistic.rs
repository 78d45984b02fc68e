//! Regularised multinomial logistic regression, solved to convergence.
//!
//! It fits the last layer of a network whose other layers are frozen. The problem is convex, so the
//! same examples give the same weights, and no learning rate, batch size or seed has to be chosen.

use std::cell::RefCell;

use argmin::core::{CostFunction, Error, Executor, Gradient, State as _, TerminationStatus};
use argmin::solver::linesearch::MoreThuenteLineSearch;
use argmin::solver::quasinewton::LBFGS;

/// Number of corrections that L-BFGS stores.
const MEMORY: usize = 12;
/// The solver stops when the norm of the gradient falls below this value.
const GRADIENT_TOLERANCE: f64 = 1e-6;
/// Rows per task. The sums of the tasks are added in order, so the result does not depend on threads.
const ROWS_A_TASK: usize = 512;

/// Examples for [`LogisticRegression::fit`].
#[derive(Clone, Copy, Debug)]
pub struct Examples<'a> {
    /// Features, example after example: `labels.len() · width` values.
    pub features: &'a [f32],
    /// Features of one example.
    pub width: usize,
    /// The class of each example.
    pub labels: &'a [usize],
    /// The weight of each example. Weights of `1 / segments` let each clip count the same.
    pub weights: &'a [f64],
    /// Number of classes.
    pub classes: usize,
}

/// Why a regression cannot be fitted.
#[derive(Debug, thiserror::Error)]
pub enum LogisticError {
    /// The examples are inconsistent.
    #[error("the examples do not fit together: {0}")]
    Examples(&'static str),
    /// The solver failed.
    #[error("the solver failed: {0}")]
    Solver(String),
    /// The solver reached the limit of iterations.
    #[error("the solver did not converge in {iterations} iterations; raise the limit or regularise more")]
    NotConverged {
        /// The limit.
        iterations: u64,
    },
}

/// A fitted layer: logits are `weights · (features − means) / deviations + biases`.
#[derive(Clone, Debug, PartialEq)]
pub struct LogisticRegression {
    /// Weighted mean of each feature.
    pub means: Vec<f32>,
    /// Weighted standard deviation of each feature; 1 for a constant feature.
    pub deviations: Vec<f32>,
    /// One row per class over standardised features: `classes · width` values.
    pub weights: Vec<f32>,
    /// One value per class.
    pub biases: Vec<f32>,
}

impl LogisticRegression {
    /// Fits the regression: minimises `C · Σ wᵢ · lossᵢ + ½ ‖W‖²` over standardised features, the
    /// objective of scikit-learn's `LogisticRegression(C=c)`. Biases are not regularised.
    ///
    /// Features are standardised by their weighted mean and deviation, which are part of the result.
    ///
    /// # Errors
    /// The examples are empty or inconsistent, or the solver does not converge.
    pub fn fit(examples: Examples<'_>, c: f64, max_iterations: u64) -> Result<Self, LogisticError> {
        Self::fit_from(examples, c, max_iterations, None)
    }

    /// [`LogisticRegression::fit`] with the weights of a similar fit as the start, which saves iterations. The
    /// solution is the same within the solver's tolerance.
    ///
    /// # Errors
    /// As [`LogisticRegression::fit`]. A start of another size is an inconsistency.
    pub fn fit_from(
        examples: Examples<'_>,
        c: f64,
        max_iterations: u64,
        start: Option<&Self>,
    ) -> Result<Self, LogisticError> {
        check(&examples, c)?;
        let (means, deviations) = standardise(&examples);
        let Examples { width, classes, .. } = examples;
        let mut features = examples.features.to_vec();
        for row in features.chunks_exact_mut(width) {
            for ((x, mean), deviation) in row.iter_mut().zip(&means).zip(&deviations) {
                *x = ((f64::from(*x) - mean) / deviation) as f32;
            }
        }
        let scale = 1.0 / (c * examples.weights.iter().sum::<f64>());
        let problem = Problem {
            examples: Examples { features: &features, ..examples },
            scale,
            last: RefCell::default(),
        };
        let solver = LBFGS::new(MoreThuenteLineSearch::new(), MEMORY)
            .with_tolerance_grad(GRADIENT_TOLERANCE)
            .and_then(|solver| solver.with_tolerance_cost(1e-14))
            .map_err(|error| LogisticError::Solver(error.to_string()))?;
        let start = match start {
            None => vec![0.0; classes * (width + 1)],
            Some(start) => start.parameters(width, classes)?,
        };
        let result = Executor::new(problem, solver)
            .configure(|state| state.param(start).max_iters(max_iterations))
            .run()
            .map_err(|error| LogisticError::Solver(error.to_string()))?;
        if let TerminationStatus::Terminated(argmin::core::TerminationReason::MaxItersReached) =
            result.state().get_termination_status()
        {
            return Err(LogisticError::NotConverged { iterations: max_iterations });
        }
        let solution = result
            .state()
            .get_best_param()
            .ok_or_else(|| LogisticError::Solver("it returned no solution".into()))?;
        let (weights, biases) = solution.split_at(width * classes);
        let transposed =
            (0..classes).flat_map(|class| (0..width).map(move |x| weights[x * classes + class] as f32));
        Ok(Self {
            means: means.into_iter().map(|mean| mean as f32).collect(),
            deviations: deviations.into_iter().map(|deviation| deviation as f32).collect(),
            weights: transposed.collect(),
            biases: biases.iter().map(|bias| *bias as f32).collect(),
        })
    }

    /// Weights, feature by feature, then biases, as [`Problem`] has them.
    fn parameters(&self, width: usize, classes: usize) -> Result<Vec<f64>, LogisticError> {
        if self.width() != width || self.biases.len() != classes {
            return Err(LogisticError::Examples("the start has another number of features or classes"));
        }
        let weight = |x: usize| (0..classes).map(move |class| self.weights[class * width + x]);
        Ok((0..width).flat_map(weight).chain(self.biases.iter().copied()).map(f64::from).collect())
    }

    /// Number of features.
    pub fn width(&self) -> usize {
        self.means.len()
    }

    /// Logits of one example, one per class. Features beyond [`LogisticRegression::width`] are ignored.
    pub fn logits(&self, features: &[f32]) -> Vec<f32> {
        let standardised: Vec<f32> = (features.iter().zip(&self.means).zip(&self.deviations))
            .map(|((x, mean), deviation)| (x - mean) / deviation)
            .collect();
        self.weights
            .chunks_exact(self.width().max(1))
            .zip(&self.biases)
            .map(|(row, bias)| bias + row.iter().zip(&standardised).map(|(w, x)| w * x).sum::<f32>())
            .collect()
    }
}

fn check(examples: &Examples<'_>, c: f64) -> Result<(), LogisticError> {
    let Examples { features, width, labels, weights, classes } = *examples;
    let refuse = |why| Err(LogisticError::Examples(why));
    if labels.is_empty() || width == 0 {
        return refuse("there are none");
    }
    if features.len() != labels.len() * width || weights.len() != labels.len() {
        return refuse("features, labels and weights have different lengths");
    }
    if classes < 2 || labels.iter().any(|label| *label >= classes) {
        return refuse("a label is not one of at least two classes");
    }
    if weights.iter().any(|w| !(w.is_finite() && *w >= 0.0)) || weights.iter().sum::<f64>() <= 0.0 {
        return refuse("weights must be positive numbers");
    }
    if features.iter().any(|x| !x.is_finite()) {
        return refuse("a feature is not a finite number");
    }
    if !(c.is_finite() && c > 0.0) {
        return refuse("C must be a positive number");
    }
    Ok(())
}

/// Weighted mean and deviation of each feature. A constant feature has deviation 1.
fn standardise(examples: &Examples<'_>) -> (Vec<f64>, Vec<f64>) {
    let total: f64 = examples.weights.iter().sum();
    let mut means = vec![0.0; examples.width];
    for (row, weight) in examples.features.chunks_exact(examples.width).zip(examples.weights) {
        means.iter_mut().zip(row).for_each(|(mean, x)| *mean += weight * f64::from(*x) / total);
    }
    let mut variances = vec![0.0; examples.width];
    for (row, weight) in examples.features.chunks_exact(examples.width).zip(examples.weights) {
        for ((variance, mean), x) in variances.iter_mut().zip(&means).zip(row) {
            *variance += weight * (f64::from(*x) - mean).powi(2) / total;
        }
    }
    let deviation = |(variance, mean): (&f64, &f64)| {
        // Rounding alone gives a constant feature some variance.
        let least = (1e-7 * mean.abs()).max(1e-12);
        if variance.sqrt() > least { variance.sqrt() } else { 1.0 }
    };
    let deviations = variances.iter().zip(&means).map(deviation).collect();
    (means, deviations)
}

/// Loss and gradient over standardised features. Parameters: `width · classes` weights, feature by
/// feature, then one bias per class.
struct Problem<'a> {
    examples: Examples<'a>,
    /// Weight of the penalty: the objective is divided by `C · Σ wᵢ`, so that tolerances do not depend
    /// on the number of examples.
    scale: f64,
    /// The last parameters with their gradient: the solver asks for both.
    last: RefCell<(Vec<f64>, Vec<f64>)>,
}

impl Problem<'_> {
    fn evaluate(&self, parameters: &[f64]) -> (f64, Vec<f64>) {
        let Examples { features, width, labels, weights, classes } = self.examples;
        let tasks: Vec<(&[f32], &[usize], &[f64])> = features
            .chunks(ROWS_A_TASK * width)
            .zip(labels.chunks(ROWS_A_TASK))
            .zip(weights.chunks(ROWS_A_TASK))
            .map(|((rows, labels), weights)| (rows, labels, weights))
            .collect();
        let total: f64 = weights.iter().sum();
        #[cfg(feature = "training")]
        let parts: Vec<(f64, Vec<f64>)> = {
            use rayon::prelude::*;
            tasks.par_iter().map(|task| part(width, classes, parameters, *task)).collect()
        };
        #[cfg(not(feature = "training"))]
        let parts: Vec<(f64, Vec<f64>)> =
            tasks.iter().map(|task| part(width, classes, parameters, *task)).collect();

        let mut loss = 0.0;
        let mut gradient = vec![0.0; parameters.len()];
        for (part, slope) in parts {
            loss += part / total;
            gradient.iter_mut().zip(slope).for_each(|(sum, g)| *sum += g / total);
        }
        let penalised = width * classes;
        for (slope, value) in gradient.iter_mut().zip(parameters).take(penalised) {
            loss += 0.5 * self.scale * value * value;
            *slope += self.scale * value;
        }
        (loss, gradient)
    }
}

/// Weighted loss and gradient of some rows.
fn part(
    width: usize,
    classes: usize,
    parameters: &[f64],
    (rows, labels, weights): (&[f32], &[usize], &[f64]),
) -> (f64, Vec<f64>) {
    let (matrix, biases) = parameters.split_at(width * classes);
    let mut loss = 0.0;
    let mut gradient = vec![0.0; parameters.len()];
    let mut logits = vec![0.0; classes];
    for ((row, &label), &weight) in rows.chunks_exact(width).zip(labels).zip(weights) {
        logits.copy_from_slice(biases);
        for (x, column) in row.iter().zip(matrix.chunks_exact(classes)) {
            let x = f64::from(*x);
            logits.iter_mut().zip(column).for_each(|(sum, w)| *sum += x * w);
        }
        let max = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let log_sum = max + logits.iter().map(|l| (l - max).exp()).sum::<f64>().ln();
        loss += weight * (log_sum - logits[label]);
        // From here on, `logits` holds the derivative of the loss with respect to each logit.
        logits.iter_mut().for_each(|l| *l = weight * (*l - log_sum).exp());
        logits[label] -= weight;
        let (slopes, bias_slopes) = gradient.split_at_mut(width * classes);
        bias_slopes.iter_mut().zip(&logits).for_each(|(sum, s)| *sum += s);
        for (x, column) in row.iter().zip(slopes.chunks_exact_mut(classes)) {
            let x = f64::from(*x);
            column.iter_mut().zip(&logits).for_each(|(sum, s)| *sum += x * s);
        }
    }
    (loss, gradient)
}

impl CostFunction for Problem<'_> {
    type Param = Vec<f64>;
    type Output = f64;

    fn cost(&self, parameters: &Self::Param) -> Result<f64, Error> {
        let (loss, gradient) = self.evaluate(parameters);
        *self.last.borrow_mut() = (parameters.clone(), gradient);
        Ok(loss)
    }
}

impl Gradient for Problem<'_> {
    type Param = Vec<f64>;
    type Gradient = Vec<f64>;

    fn gradient(&self, parameters: &Self::Param) -> Result<Vec<f64>, Error> {
        if self.last.borrow().0 == *parameters {
            return Ok(self.last.borrow().1.clone());
        }
        Ok(self.evaluate(parameters).1)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Three overlapping clouds in four features, one of which is constant.
    fn clouds(n: usize) -> (Vec<f32>, Vec<usize>) {
        let mut state = 7_u32;
        let mut next = move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(state >> 8) / f64::from(1 << 24) - 0.5
        };
        let mut features = Vec::new();
        let mut labels = Vec::new();
        for i in 0..n {
            let class = i % 3;
            let at = [[0.3, 0.0], [-0.3, 0.2], [0.0, -0.3]][class];
            features.extend([
                (100.0 + 40.0 * (at[0] + next())) as f32,
                (at[1] + next()) as f32,
                3.25,
                (1e-3 * next()) as f32,
            ]);
            labels.push(class);
        }
        (features, labels)
    }

    #[test]
    fn the_gradient_vanishes_at_the_solution() {
        let (features, labels) = clouds(300);
        let weights = vec![0.5; 300];
        let examples =
            Examples { features: &features, width: 4, labels: &labels, weights: &weights, classes: 3 };
        let fitted = LogisticRegression::fit(examples, 0.7, 500).unwrap();
        // The gradient of a bias is the expected minus the observed count of its class: zero.
        let mut difference = [0.0_f64; 3];
        for (row, label) in features.chunks_exact(4).zip(&labels) {
            let logits = fitted.logits(row);
            let p = crate::probabilities(&crate::log_softmax(&logits));
            difference.iter_mut().zip(&p).for_each(|(d, p)| *d += f64::from(*p));
            difference[*label] -= 1.0;
        }
        assert!(difference.iter().all(|d| d.abs() < 0.05), "{difference:?}");
        let correct = features
            .chunks_exact(4)
            .zip(&labels)
            .filter(|(row, label)| crate::argmax(&fitted.logits(row)) == **label)
            .count();
        assert!(correct > 180, "{correct} of 300");
    }

    #[test]
    fn inconsistent_examples_are_refused() {
        let fit = |features: &[f32], labels: &[usize], weights: &[f64], c| {
            LogisticRegression::fit(Examples { features, width: 1, labels, weights, classes: 2 }, c, 10)
        };
        assert!(fit(&[], &[], &[], 1.0).is_err());
        assert!(fit(&[1.0, 2.0], &[0], &[1.0], 1.0).is_err());
        assert!(fit(&[1.0, 2.0], &[0, 2], &[1.0, 1.0], 1.0).is_err());
        assert!(fit(&[1.0, f32::NAN], &[0, 1], &[1.0, 1.0], 1.0).is_err());
        assert!(fit(&[1.0, 2.0], &[0, 1], &[0.0, 0.0], 1.0).is_err());
        assert!(fit(&[1.0, 2.0], &[0, 1], &[1.0, 1.0], 0.0).is_err());
    }
}
