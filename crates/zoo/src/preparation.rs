//! Preprocessing of a row of features before a network: scaling, selection, projection.
//!
//! The trainer fits a [`Preparation`]; this module reads it from a manifest, checks it and applies it.
//! The file is not trusted: every step checks lengths, and all output values are finite.

use serde::{Deserialize, Serialize};

/// Largest number of columns of a row: far above any set of features, and low enough that a manifest
/// cannot request more memory than a browser has.
const MAX_COLUMNS: usize = 1 << 16;

/// Fitted steps, one after another.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preparation {
    /// The steps, first to last. Without steps, rows do not change.
    pub steps: Vec<Step>,
}

/// One fitted step. Its values are single precision, like rows, because JSON preserves them to the last
/// bit, so a manifest can be hashed. Computations use double precision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Step {
    /// (x − mean) / scale. The scale is the column's standard deviation (1 if the column is constant).
    Standard {
        /// One value for each column.
        mean: Vec<f32>,
        /// One positive value for each column.
        scale: Vec<f32>,
    },
    /// (x − min) / range: the training values of a column are mapped to 0…1 (the range is 1 if the column
    /// is constant). Other values may be outside.
    MinMax {
        /// One value for each column.
        min: Vec<f32>,
        /// One positive value for each column.
        range: Vec<f32>,
    },
    /// (x − center) / scale. The center is the median, the scale the interquartile range (1 if it is 0):
    /// outliers hardly affect either.
    Robust {
        /// One value for each column.
        center: Vec<f32>,
        /// One positive value for each column.
        scale: Vec<f32>,
    },
    /// Keeps some columns, in their order.
    Select {
        /// Indices of the columns, ascending.
        kept: Vec<usize>,
    },
    /// components · (x − mean): the principal components.
    Pca {
        /// One value for each column.
        mean: Vec<f32>,
        /// Directions in the order of decreasing variance, with one value for each column.
        components: Vec<Vec<f32>>,
    },
}

/// Why a preparation or a row cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PreparationError {
    /// A row, or the result of an earlier step, does not have the number of columns that a step needs.
    #[error("preparation, {step}: made for {expected} columns, but given {found}")]
    Columns {
        /// Kind of the step.
        step: &'static str,
        /// Number of columns of the step.
        expected: usize,
        /// Number of columns of the row.
        found: usize,
    },
    /// A step is inconsistent.
    #[error("preparation, {step}: {reason}")]
    Invalid {
        /// Kind of the step.
        step: &'static str,
        /// The reason.
        reason: String,
    },
    /// A value is missing (NaN) or infinite.
    #[error("column {column} of the features is {value}; a finite number is needed")]
    NotFinite {
        /// Column of the input row, counted from 0.
        column: usize,
        /// `NaN`, `inf` or `-inf`.
        value: String,
    },
    /// A step turned finite values into one that is not finite in single precision.
    #[error("preparation: column {column} of the result of {step} is not a finite number")]
    Overflow {
        /// Kind of the step.
        step: &'static str,
        /// Column of the result, counted from 0.
        column: usize,
    },
}

impl Preparation {
    /// Number of output columns for a row of `inputs` columns.
    ///
    /// # Errors
    /// A step needs another number of columns, or keeps a column that does not exist.
    pub fn outputs(&self, inputs: usize) -> Result<usize, PreparationError> {
        self.steps.iter().try_fold(inputs, |columns, step| step.outputs(columns))
    }

    /// Checks every value of every step for rows of `inputs` columns, and returns the number of output
    /// columns.
    ///
    /// # Errors
    /// The first fault: a wrong length, a number that is not finite, a scale that is not positive, indices
    /// that are not ascending.
    pub fn validate(&self, inputs: usize) -> Result<usize, PreparationError> {
        self.steps.iter().try_fold(inputs, |columns, step| {
            step.check_values()?;
            step.outputs(columns)
        })
    }

    /// Applies all steps to one row. Returns [`Preparation::outputs`] values, all finite.
    ///
    /// # Errors
    /// The row has a wrong length, or a value is missing or infinite before or after a step.
    pub fn apply(&self, row: &[f32]) -> Result<Vec<f32>, PreparationError> {
        if let Some((column, value)) = row.iter().enumerate().find(|(_, value)| !value.is_finite()) {
            return Err(PreparationError::NotFinite { column, value: value.to_string() });
        }
        let mut values: Vec<f64> = row.iter().copied().map(f64::from).collect();
        let mut last = "input";
        for step in &self.steps {
            values = step.apply(&values)?;
            last = step.kind();
        }
        values
            .into_iter()
            .enumerate()
            .map(|(column, value)| {
                let value = value as f32;
                if value.is_finite() {
                    Ok(value)
                } else {
                    Err(PreparationError::Overflow { step: last, column })
                }
            })
            .collect()
    }
}

impl Step {
    /// Name of its kind in manifests.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Standard { .. } => "standard",
            Self::MinMax { .. } => "min-max",
            Self::Robust { .. } => "robust",
            Self::Select { .. } => "select",
            Self::Pca { .. } => "pca",
        }
    }

    /// Offset and scale of each column, for the three kinds of scaling.
    fn scaling(&self) -> Option<(&[f32], &[f32])> {
        match self {
            Self::Standard { mean, scale } => Some((mean, scale)),
            Self::MinMax { min, range } => Some((min, range)),
            Self::Robust { center, scale } => Some((center, scale)),
            Self::Select { .. } | Self::Pca { .. } => None,
        }
    }

    fn invalid(&self, reason: impl Into<String>) -> PreparationError {
        PreparationError::Invalid { step: self.kind(), reason: reason.into() }
    }

    /// Number of output columns for `inputs` columns.
    ///
    /// # Errors
    /// The step needs another number of columns, or keeps a column that does not exist.
    pub fn outputs(&self, inputs: usize) -> Result<usize, PreparationError> {
        let fits = |expected: usize| {
            if expected == inputs {
                Ok(())
            } else {
                Err(PreparationError::Columns { step: self.kind(), expected, found: inputs })
            }
        };
        match self {
            Self::Standard { mean: first, scale: second }
            | Self::MinMax { min: first, range: second }
            | Self::Robust { center: first, scale: second } => {
                fits(first.len())?;
                fits(second.len())?;
                Ok(inputs)
            }
            Self::Select { kept } => match kept.iter().find(|&&column| column >= inputs) {
                None => Ok(kept.len()),
                Some(column) => Err(self.invalid(format!("it keeps column {column} of {inputs}"))),
            },
            Self::Pca { mean, components } => {
                fits(mean.len())?;
                components.iter().try_for_each(|component| fits(component.len()))?;
                Ok(components.len())
            }
        }
    }

    /// Checks everything that does not depend on the rows.
    fn check_values(&self) -> Result<(), PreparationError> {
        let finite = |what: &str, values: &[f32]| match values.iter().position(|v| !v.is_finite()) {
            None => Ok(()),
            Some(column) => {
                Err(self.invalid(format!("the {what} of column {column} is not a finite number")))
            }
        };
        let few = |columns: usize| {
            if (1..=MAX_COLUMNS).contains(&columns) {
                Ok(())
            } else {
                Err(self.invalid(format!("{columns} columns; 1 to {MAX_COLUMNS} are possible")))
            }
        };
        if let Some((offset, scale)) = self.scaling() {
            few(offset.len())?;
            finite("offset", offset)?;
            finite("scale", scale)?;
            return match scale.iter().position(|s| *s <= 0.0) {
                None => Ok(()),
                Some(column) => Err(self.invalid(format!("the scale of column {column} is not positive"))),
            };
        }
        match self {
            Self::Select { kept } => {
                few(kept.len())?;
                if kept.is_sorted_by(|a, b| a < b) {
                    Ok(())
                } else {
                    Err(self.invalid("the columns that it keeps are not in ascending order"))
                }
            }
            Self::Pca { mean, components } => {
                few(mean.len())?;
                few(components.len())?;
                finite("mean", mean)?;
                components.iter().try_for_each(|component| finite("component", component))
            }
            Self::Standard { .. } | Self::MinMax { .. } | Self::Robust { .. } => Ok(()),
        }
    }

    /// Applies the step to one row in double precision. Values that are not finite pass through.
    ///
    /// # Errors
    /// As [`Step::outputs`].
    pub fn apply(&self, row: &[f64]) -> Result<Vec<f64>, PreparationError> {
        self.outputs(row.len())?;
        if let Some((offset, scale)) = self.scaling() {
            let scaled = row.iter().zip(offset).zip(scale);
            return Ok(scaled
                .map(|((x, &offset), &scale)| (x - f64::from(offset)) / f64::from(scale))
                .collect());
        }
        Ok(match self {
            Self::Select { kept } => kept.iter().filter_map(|&column| row.get(column).copied()).collect(),
            Self::Pca { mean, components } => {
                let centred: Vec<f64> = row.iter().zip(mean).map(|(x, &mean)| x - f64::from(mean)).collect();
                let along = |component: &Vec<f32>| {
                    component.iter().zip(&centred).map(|(&c, x)| f64::from(c) * x).sum()
                };
                components.iter().map(along).collect()
            }
            Self::Standard { .. } | Self::MinMax { .. } | Self::Robust { .. } => row.to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(json: &str) -> Preparation {
        serde_json::from_str(json).unwrap()
    }

    /// By hand: (3 − 1) / 2 = 1 and (8 − 2) / 3 = 2, of which the second is kept, negated and doubled.
    #[test]
    fn steps_follow_one_another_and_survive_json() {
        let json = r#"{"steps":[
            {"kind":"standard","mean":[1,2],"scale":[2,3]},
            {"kind":"select","kept":[1]},
            {"kind":"pca","mean":[0.5],"components":[[-2],[4]]},
            {"kind":"min-max","min":[-4,5],"range":[2,1]},
            {"kind":"robust","center":[0.5,0],"scale":[1,2]}]}"#;
        let preparation = read(json);
        assert_eq!(preparation.validate(2), Ok(2));
        assert_eq!(preparation.apply(&[3.0, 8.0]).unwrap(), [0.0, 0.5]);
        assert_eq!(read(&serde_json::to_string(&preparation).unwrap()), preparation);
        assert_eq!(Preparation::default().apply(&[3.0, 8.0]).unwrap(), [3.0, 8.0]);
    }

    /// An inconsistent manifest gives an error that names the fault, not a panic or a NaN.
    #[test]
    fn hostile_manifests_and_rows_are_refused() {
        for (steps, says) in [
            (r#"{"kind":"standard","mean":[1],"scale":[1,1]}"#, "1 columns"),
            (r#"{"kind":"standard","mean":[1,1],"scale":[1,0]}"#, "column 1 is not positive"),
            (r#"{"kind":"min-max","min":[1,1],"range":[-1,1]}"#, "column 0 is not positive"),
            (r#"{"kind":"robust","center":[],"scale":[]}"#, "0 columns"),
            (r#"{"kind":"select","kept":[0,2]}"#, "column 2 of 2"),
            (r#"{"kind":"select","kept":[1,1]}"#, "ascending"),
            (r#"{"kind":"select","kept":[]}"#, "0 columns"),
            (r#"{"kind":"pca","mean":[0,0],"components":[[1,0],[1]]}"#, "given 2"),
            (r#"{"kind":"pca","mean":[0,0],"components":[]}"#, "0 columns"),
        ] {
            let preparation = read(&format!(r#"{{"steps":[{steps}]}}"#));
            let error = preparation.validate(2).unwrap_err().to_string();
            assert!(error.contains(says), "{steps}: {error}");
            if let Ok(row) = preparation.apply(&[1.0, 2.0]) {
                assert!(row.iter().all(|v| v.is_finite()), "{steps}: {row:?}");
            }
        }
        // JSON has no NaN, but other formats have.
        let bad = Preparation { steps: vec![Step::MinMax { min: vec![0.0], range: vec![f32::NAN] }] };
        assert!(bad.validate(1).unwrap_err().to_string().contains("column 0"));
        assert!(matches!(bad.apply(&[1.0]), Err(PreparationError::Overflow { .. })));

        let plain = Preparation::default();
        let error = plain.apply(&[1.0, f32::NAN, f32::INFINITY]).unwrap_err();
        assert_eq!(error, PreparationError::NotFinite { column: 1, value: "NaN".into() });
        assert!(serde_json::from_str::<Preparation>(r#"{"steps":[{"kind":"whiten"}]}"#).is_err());
    }
}
