//! What happens to a row of features before a network sees it: scaling, selection, projection.
//!
//! Fitting is the trainer's business; here a fitted [`Preparation`] is read from a manifest,
//! checked, and applied. It comes from a file, so nothing in it is trusted: lengths are checked at
//! every step, and no value that is not a finite number leaves it.

use serde::{Deserialize, Serialize};

/// The most columns that a row may have: far above any set of features, and low enough that a
/// manifest cannot ask for more memory than a browser has.
const MAX_COLUMNS: usize = 1 << 16;

/// Fitted steps, one after another.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preparation {
    /// The steps, first to last. Without any, rows stay as they are.
    pub steps: Vec<Step>,
}

/// One fitted step. Its values are in single precision, as rows are, which JSON gives back to the
/// last bit, so that a manifest can be hashed; what is computed with them is in double precision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Step {
    /// (x − mean) / scale, with a column's standard deviation as its scale (1 where it is constant).
    Standard {
        /// One a column.
        mean: Vec<f32>,
        /// One a column, positive.
        scale: Vec<f32>,
    },
    /// (x − min) / range: what lay between a column's least and greatest value comes to lie in 0…1
    /// (the range counts as 1 where it is none). Later values may lie outside.
    MinMax {
        /// One a column.
        min: Vec<f32>,
        /// One a column, positive.
        range: Vec<f32>,
    },
    /// (x − center) / scale, with the median as center and the distance of the quartiles as scale
    /// (1 where they are the same): a few wild values move neither.
    Robust {
        /// One a column.
        center: Vec<f32>,
        /// One a column, positive.
        scale: Vec<f32>,
    },
    /// Keeps some columns, in their order.
    Select {
        /// Their indices, ascending.
        kept: Vec<usize>,
    },
    /// components · (x − mean): the principal components.
    Pca {
        /// One a column.
        mean: Vec<f32>,
        /// Directions, by falling variance; each has one value a column.
        components: Vec<Vec<f32>>,
    },
}

/// Why a preparation or a row cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PreparationError {
    /// A row, or what an earlier step made of it, has another number of columns than a step.
    #[error("preparation, {step}: made for {expected} columns, but it is given {found}")]
    Columns {
        /// The step's kind.
        step: &'static str,
        /// Of the step.
        expected: usize,
        /// Of the row.
        found: usize,
    },
    /// A step contradicts itself.
    #[error("preparation, {step}: {reason}")]
    Invalid {
        /// The step's kind.
        step: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A value is missing (NaN) or infinite.
    #[error("column {column} of the features is {value}; a finite number is needed")]
    NotFinite {
        /// Column of the row as it was given, counted from 0.
        column: usize,
        /// `NaN`, `inf` or `-inf`.
        value: String,
    },
    /// Finite values of which a step made none, or one too large for single precision.
    #[error("preparation: column {column} of what {step} gives is not a finite number")]
    Overflow {
        /// The step's kind.
        step: &'static str,
        /// Column of the result, counted from 0.
        column: usize,
    },
}

impl Preparation {
    /// How many columns a row of `inputs` columns comes out with.
    ///
    /// # Errors
    /// A step is made for another number of columns, or keeps one that is not there.
    pub fn outputs(&self, inputs: usize) -> Result<usize, PreparationError> {
        self.steps.iter().try_fold(inputs, |columns, step| step.outputs(columns))
    }

    /// Checks every value of every step for rows of `inputs` columns, and says how many columns
    /// they come out with.
    ///
    /// # Errors
    /// The first thing found wanting: a length, a number that is not finite, a scale that is not
    /// positive, indices that do not ascend.
    pub fn validate(&self, inputs: usize) -> Result<usize, PreparationError> {
        self.steps.iter().try_fold(inputs, |columns, step| {
            step.check_values()?;
            step.outputs(columns)
        })
    }

    /// Prepares one row: [`Preparation::outputs`] of its length values, all finite.
    ///
    /// # Errors
    /// The row has another length than the steps are made for, a value of it is missing or
    /// infinite, or a step turned it into one.
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
    /// Its name in manifests.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Standard { .. } => "standard",
            Self::MinMax { .. } => "min-max",
            Self::Robust { .. } => "robust",
            Self::Select { .. } => "select",
            Self::Pca { .. } => "pca",
        }
    }

    /// Offset and scale, one a column, of the three steps that are nothing else.
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

    /// How many columns come out of `inputs`.
    ///
    /// # Errors
    /// The step is made for another number of columns, or keeps one that is not there.
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

    /// Checks what can be checked without knowing the rows.
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

    /// Applies the step to one row in double precision. Values that are not finite are passed on.
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

    /// By hand: (3 − 1) / 2 = 1 and (8 − 2) / 3 = 2, of which the second is kept, turned and doubled.
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

    /// A manifest that lies gives an error that names what is wrong; neither a panic nor a NaN.
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
        // JSON has no NaN, but other formats do.
        let bad = Preparation { steps: vec![Step::MinMax { min: vec![0.0], range: vec![f32::NAN] }] };
        assert!(bad.validate(1).unwrap_err().to_string().contains("column 0"));
        assert!(matches!(bad.apply(&[1.0]), Err(PreparationError::Overflow { .. })));

        let plain = Preparation::default();
        let error = plain.apply(&[1.0, f32::NAN, f32::INFINITY]).unwrap_err();
        assert_eq!(error, PreparationError::NotFinite { column: 1, value: "NaN".into() });
        assert!(serde_json::from_str::<Preparation>(r#"{"steps":[{"kind":"whiten"}]}"#).is_err());
    }
}
