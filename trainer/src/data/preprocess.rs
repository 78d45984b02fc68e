//! Preprocessing of feature tables: fits the steps that `cratedigger-zoo` applies, encodes labels, builds
//! sequences, and balances classes.
//!
//! Results equal those of scikit-learn (see `tests/golden/README.md`). All computation is in double
//! precision. Fit on training rows only; test rows would leak into the scaling.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};
use cratedigger_zoo::Preparation;
use cratedigger_zoo::preparation::Step;
use nalgebra::{DMatrix, SymmetricEigen};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// A preprocessing step to fit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum StepConfig {
    /// Mean 0 and standard deviation 1: `StandardScaler`.
    Standard,
    /// Minimum 0 and maximum 1: `MinMaxScaler`.
    MinMax,
    /// Median 0 and interquartile range 1: `RobustScaler`.
    Robust,
    /// The columns with the highest ANOVA F: `SelectKBest(f_classif)`.
    Select {
        /// Number of columns.
        k: usize,
    },
    /// Principal components: `PCA`.
    Pca {
        /// Number of components.
        keep: Components,
    },
}

/// Number of principal components to keep.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Components {
    /// This many.
    Count(usize),
    /// The smallest number that explains more than this fraction (0…1) of the variance.
    Fraction(f64),
}

/// Fits steps one after another, each on the output of the steps before.
///
/// `labels` is the class of each row; only [`StepConfig::Select`] uses it.
///
/// # Errors
/// There are no rows, rows differ in length, a value is not finite (the message names row and column), the
/// number of labels differs from the number of rows, or a step asks for more columns or components than
/// there are.
pub fn fit<R: AsRef<[f32]>>(steps: &[StepConfig], rows: &[R], labels: &[usize]) -> Result<Preparation> {
    let mut rows = in_double(rows)?;
    let columns = rows.first().map_or(0, Vec::len);
    ensure!(labels.len() == rows.len(), "{} rows have {} labels", rows.len(), labels.len());
    let mut preparation = Preparation::default();
    for (index, config) in steps.iter().enumerate() {
        let step = config.fit(&rows, labels).with_context(|| format!("preparation, step {}", index + 1))?;
        for row in &mut rows {
            *row = step.apply(row)?;
        }
        preparation.steps.push(step);
    }
    // Rejects columns whose range exceeds single precision.
    preparation.validate(columns)?;
    Ok(preparation)
}

/// Checks the rows and converts them to double precision.
fn in_double<R: AsRef<[f32]>>(rows: &[R]) -> Result<Vec<Vec<f64>>> {
    let columns = rows.first().context("there are no rows to fit on")?.as_ref().len();
    ensure!(columns > 0, "the rows to fit on have no columns");
    rows.iter()
        .enumerate()
        .map(|(index, row)| {
            let row = row.as_ref();
            ensure!(row.len() == columns, "row {index} has {} columns, the first has {columns}", row.len());
            if let Some(column) = row.iter().position(|value| !value.is_finite()) {
                bail!("row {index}, column {column} is {}; expected a finite number", row[column]);
            }
            Ok(row.iter().copied().map(f64::from).collect())
        })
        .collect()
}

impl StepConfig {
    /// Fits the step on rows of equal length, at least one.
    fn fit(&self, rows: &[Vec<f64>], labels: &[usize]) -> Result<Step> {
        let columns = rows.first().map_or(0, Vec::len);
        let column = |c: usize| rows.iter().map(move |row| row[c]);
        Ok(match *self {
            Self::Standard => {
                let (mean, scale) = (0..columns).map(|c| standard(column(c))).unzip();
                Step::Standard { mean, scale }
            }
            Self::MinMax => {
                let (min, range) = (0..columns)
                    .map(|c| {
                        let (min, max) = extremes(column(c));
                        (min as f32, or_one(max - min))
                    })
                    .unzip();
                Step::MinMax { min, range }
            }
            Self::Robust => {
                let (center, scale) = (0..columns)
                    .map(|c| {
                        let mut sorted: Vec<f64> = column(c).collect();
                        sorted.sort_by(f64::total_cmp);
                        (
                            quantile(&sorted, 0.5) as f32,
                            or_one(quantile(&sorted, 0.75) - quantile(&sorted, 0.25)),
                        )
                    })
                    .unzip();
                Step::Robust { center, scale }
            }
            Self::Select { k } => {
                ensure!((1..=columns).contains(&k), "{k} of {columns} columns cannot be selected");
                let scores = anova(rows, labels)?;
                let mut order: Vec<usize> = (0..columns).collect();
                // Of columns with equal scores the later ones win, as in scikit-learn.
                order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
                let mut kept = order.split_off(columns - k);
                kept.sort_unstable();
                Step::Select { kept }
            }
            Self::Pca { keep } => principal(rows, keep)?,
        })
    }
}

/// Replaces a scale of 0 by 1, so that a constant column becomes 0 and not NaN.
fn or_one(scale: f64) -> f32 {
    if scale < 10.0 * f64::EPSILON { 1.0 } else { scale as f32 }
}

fn extremes(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(min, max), v| (min.min(v), max.max(v)))
}

/// Mean and population standard deviation (divided by n). The deviation is 1 if the variance is within the
/// rounding error of equal values.
fn standard(values: impl Iterator<Item = f64> + Clone) -> (f32, f32) {
    let n = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / n;
    let variance = values.map(|v| (v - mean).powi(2)).sum::<f64>() / n;
    let bound = n * f64::EPSILON * variance + (n * mean * f64::EPSILON).powi(2);
    let scale = variance.sqrt() as f32;
    (mean as f32, if variance <= bound || scale == 0.0 { 1.0 } else { scale })
}

/// A quantile of at least one sorted value with linear interpolation, NumPy's default.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let place = q * (sorted.len() - 1) as f64;
    let below = sorted[place.floor() as usize];
    below + (sorted[place.ceil() as usize] - below) * place.fract()
}

/// ANOVA F of each column: variance between classes divided by variance within classes. ∞ if classes
/// differ and have no variance; −∞ for constant columns.
///
/// # Errors
/// The rows have fewer than two classes, or no more rows than classes.
pub fn f_scores<R: AsRef<[f32]>>(rows: &[R], labels: &[usize]) -> Result<Vec<f64>> {
    let rows = in_double(rows)?;
    ensure!(labels.len() == rows.len(), "{} rows have {} labels", rows.len(), labels.len());
    anova(&rows, labels)
}

fn anova(rows: &[Vec<f64>], labels: &[usize]) -> Result<Vec<f64>> {
    let mut classes: BTreeMap<usize, Vec<&[f64]>> = BTreeMap::new();
    for (row, label) in rows.iter().zip(labels) {
        classes.entry(*label).or_default().push(row);
    }
    let (n, k) = (rows.len(), classes.len());
    ensure!(k > 1, "ANOVA needs at least two classes, but all rows are of one class");
    ensure!(n > k, "ANOVA needs more rows than classes, but there are {n} rows and {k} classes");
    let columns = rows.first().map_or(0, Vec::len);
    Ok((0..columns)
        .map(|c| {
            let (min, max) = extremes(rows.iter().map(|row| row[c]));
            if min == max {
                return f64::NEG_INFINITY;
            }
            let mean = rows.iter().map(|row| row[c]).sum::<f64>() / n as f64;
            let (mut between, mut within) = (0.0, 0.0);
            for members in classes.values() {
                let own = members.iter().map(|row| row[c]).sum::<f64>() / members.len() as f64;
                between += members.len() as f64 * (own - mean).powi(2);
                within += members.iter().map(|row| (row[c] - own).powi(2)).sum::<f64>();
            }
            (between / (k - 1) as f64) / (within / (n - k) as f64)
        })
        .collect())
}

/// Eigenvectors of the covariance by descending eigenvalue, each with a positive largest component.
fn principal(rows: &[Vec<f64>], keep: Components) -> Result<Step> {
    let (n, columns) = (rows.len(), rows.first().map_or(0, Vec::len));
    ensure!(n > 1, "principal components need at least two rows");
    let most = n.min(columns);
    let mean: Vec<f64> =
        (0..columns).map(|c| rows.iter().map(|row| row[c]).sum::<f64>() / n as f64).collect();
    let centred = DMatrix::from_fn(n, columns, |r, c| rows[r][c] - mean[c]);
    let covariance = centred.tr_mul(&centred) / (n - 1) as f64;
    let eigen = SymmetricEigen::try_new(covariance, f64::EPSILON, 1000 * columns.max(1))
        .context("the principal components cannot be computed")?;
    let mut order: Vec<usize> = (0..columns).collect();
    order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
    // Rounding can leave a little less than nothing.
    let variances: Vec<f64> = order.iter().take(most).map(|&i| eigen.eigenvalues[i].max(0.0)).collect();
    let count = match keep {
        Components::Count(count) => {
            ensure!(
                (1..=most).contains(&count),
                "{count} principal components need more than {n} rows of {columns} columns"
            );
            count
        }
        Components::Fraction(fraction) => {
            ensure!(
                fraction > 0.0 && fraction < 1.0,
                "the fraction of the variance must be between 0 and 1, not {fraction}"
            );
            let total: f64 = variances.iter().sum();
            ensure!(total > 0.0, "all columns are constant, so there is no variance to explain");
            let mut sum = 0.0;
            let enough = variances.iter().position(|variance| {
                sum += variance / total;
                sum > fraction
            });
            enough.map_or(most, |index| index + 1)
        }
    };
    let components = order
        .iter()
        .take(count)
        .map(|&i| {
            let vector = eigen.eigenvectors.column(i);
            let greatest =
                vector.iter().fold(0.0_f64, |best, v| if v.abs() > best.abs() { *v } else { best });
            vector.iter().map(|v| (v * greatest.signum()) as f32).collect()
        })
        .collect();
    Ok(Step::Pca { mean: mean.into_iter().map(|m| m as f32).collect(), components })
}

/// Sorted class names; the position is the label: `LabelEncoder`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<String>", into = "Vec<String>")]
pub struct Labels(Vec<String>);

/// A name that is not a class.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{name:?} is not one of the {count} classes{}",
    nearest.as_ref().map(|nearest| format!("; did you mean {nearest:?}?")).unwrap_or_default()
)]
pub struct UnknownLabel {
    /// The unknown name.
    pub name: String,
    /// Number of classes.
    pub count: usize,
    /// The class with the most similar name, if one is similar.
    pub nearest: Option<String>,
}

impl Labels {
    /// The distinct names of all rows.
    pub fn of<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Self {
        let mut names: Vec<String> = names.into_iter().map(Into::into).collect();
        names.sort_unstable();
        names.dedup();
        Self(names)
    }

    /// All names, in the order of their indices.
    pub fn names(&self) -> &[String] {
        &self.0
    }

    /// The name of an index.
    pub fn name(&self, index: usize) -> Option<&str> {
        self.0.get(index).map(String::as_str)
    }

    /// The index of a name.
    ///
    /// # Errors
    /// The name is unknown.
    pub fn index(&self, name: &str) -> Result<usize, UnknownLabel> {
        self.0.binary_search_by(|known| known.as_str().cmp(name)).map_err(|_| {
            // Similar: at least half of the name agrees, ignoring case.
            let near = |known: &&String| {
                strsim::normalized_damerau_levenshtein(&known.to_lowercase(), &name.to_lowercase())
            };
            let nearest = self.0.iter().filter(|known| near(known) >= 0.5);
            let nearest = nearest.max_by(|a, b| near(a).total_cmp(&near(b))).cloned();
            UnknownLabel { name: name.into(), count: self.0.len(), nearest }
        })
    }

    /// The indices of many names.
    ///
    /// # Errors
    /// The first unknown name.
    pub fn indices<S: AsRef<str>>(&self, names: &[S]) -> Result<Vec<usize>, UnknownLabel> {
        names.iter().map(|name| self.index(name.as_ref())).collect()
    }
}

impl From<Vec<String>> for Labels {
    fn from(names: Vec<String>) -> Self {
        Self::of(names)
    }
}

impl From<Labels> for Vec<String> {
    fn from(labels: Labels) -> Self {
        labels.0
    }
}

/// Rows per sequence: the ten 3-second windows of a 30-second clip.
pub const SEQUENCE_STEPS: usize = 10;

/// Consecutive rows of one track: one example for a recurrent network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// Index of the track's first row in the table.
    pub first: usize,
    /// Indices of the rows in time order.
    pub rows: Vec<usize>,
}

impl Sequence {
    /// The values, `[steps, features]`.
    ///
    /// # Errors
    /// A row is missing.
    pub fn values<R: AsRef<[f32]>>(&self, rows: &[R]) -> Result<Vec<f32>> {
        let mut values = Vec::new();
        for &row in &self.rows {
            values
                .extend_from_slice(rows.get(row).with_context(|| format!("row {row} is missing"))?.as_ref());
        }
        Ok(values)
    }
}

/// Cuts the rows of each track into sequences of `steps` rows without overlap.
///
/// `tracks` is the track of each row. Rows of a track are in time order, but not necessarily adjacent.
/// Sequences are sorted by the track's name.
///
/// A remainder shorter than `steps` is padded with its last row if it has at least half of `steps` rows or
/// is the whole track. A shorter remainder is dropped, because it would be mostly padding. So every track
/// has at least one sequence.
///
/// # Errors
/// `steps` is 0.
pub fn sequences<T: AsRef<str>>(tracks: &[T], steps: usize) -> Result<Vec<Sequence>> {
    ensure!(steps > 0, "a sequence needs at least one step");
    let mut rows_of: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (row, track) in tracks.iter().enumerate() {
        rows_of.entry(track.as_ref()).or_default().push(row);
    }
    let mut all = Vec::new();
    for rows in rows_of.values() {
        for (index, part) in rows.chunks(steps).enumerate() {
            if index > 0 && 2 * part.len() < steps {
                continue;
            }
            let mut part = part.to_vec();
            if let Some(&last) = part.last() {
                part.resize(steps, last);
            }
            all.push(Sequence { first: rows[0], rows: part });
        }
    }
    Ok(all)
}

/// Number of examples of each class.
fn counts(labels: &[usize], classes: usize) -> Result<Vec<usize>> {
    let mut counts = vec![0_usize; classes];
    for &label in labels {
        *counts
            .get_mut(label)
            .with_context(|| format!("label {label}, but there are {classes} classes"))? += 1;
    }
    Ok(counts)
}

/// Class weights that give all classes the same total weight: n / (k · n_c) for n examples of k classes,
/// of which n_c are of class c. These are scikit-learn's `balanced` weights. The mean weight of an example
/// is 1. Classes without examples have weight 0 and are not counted in k.
///
/// # Errors
/// A label is not below `classes`.
pub fn class_weights(labels: &[usize], classes: usize) -> Result<Vec<f32>> {
    let counts = counts(labels, classes)?;
    let present = counts.iter().filter(|&&count| count > 0).count();
    let weight = |&count: &usize| match count {
        0 => 0.0,
        count => (labels.len() as f64 / (present * count) as f64) as f32,
    };
    Ok(counts.iter().map(weight).collect())
}

/// Indices of an oversampled data set, in which all classes with examples have the size of the largest:
/// every example once, in order, then random repetitions of the smaller classes, class by class.
///
/// # Errors
/// A label is not below `classes`.
pub fn oversample(labels: &[usize], classes: usize, seed: u64) -> Result<Vec<usize>> {
    let largest = counts(labels, classes)?.into_iter().max().unwrap_or(0);
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); classes];
    for (index, &label) in labels.iter().enumerate() {
        members[label].push(index);
    }
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut balanced: Vec<usize> = (0..labels.len()).collect();
    for own in members.iter().filter(|own| !own.is_empty()) {
        let missing = largest - own.len();
        balanced.extend((0..missing).map(|_| own[random.random_range(0..own.len())]));
    }
    Ok(balanced)
}
