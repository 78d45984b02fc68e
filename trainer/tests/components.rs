//! Preprocessing of tables and metrics, against scikit-learn (see `tests/golden/README.md`), and further
//! properties.

#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeMap;

use cratedigger_trainer::data::preprocess::{
    Labels, StepConfig, class_weights, f_scores, fit, oversample, sequences,
};
use cratedigger_trainer::metrics::{ScoredExample, Scores, mean_and_deviation};
use cratedigger_zoo::Preparation;
use cratedigger_zoo::preparation::Step;
use proptest::prelude::*;
use serde::Deserialize;

/// Relative tolerance for values above 1, else absolute.
const TOLERANCE: f64 = 1e-5;

fn assert_near(what: &str, ours: impl IntoIterator<Item = f64>, theirs: impl IntoIterator<Item = f64>) {
    let (ours, theirs): (Vec<f64>, Vec<f64>) = (ours.into_iter().collect(), theirs.into_iter().collect());
    assert_eq!(ours.len(), theirs.len(), "{what}: {ours:?} {theirs:?}");
    for (place, (a, b)) in ours.iter().zip(&theirs).enumerate() {
        assert!(
            (a - b).abs() <= TOLERANCE * b.abs().max(1.0),
            "{what}, value {place}: {a}, scikit-learn {b}"
        );
    }
}

#[derive(Deserialize)]
struct Components {
    names: Vec<String>,
    classes: Vec<String>,
    labels: Vec<usize>,
    weights: Vec<f64>,
    f_scores: Vec<Option<f64>>,
    rows: Vec<Vec<f32>>,
    new: Vec<Vec<f32>>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    steps: Vec<StepConfig>,
    fitted: Fitted,
    first: Vec<Vec<f64>>,
    new: Vec<Vec<f64>>,
}

#[derive(Deserialize)]
struct Fitted {
    kept: Option<Vec<usize>>,
    components: Option<Vec<Vec<f64>>>,
}

fn components() -> Components {
    serde_json::from_str(include_str!("../../tests/golden/components.json")).unwrap()
}

/// Each step alone and in chains, on the fitted rows and on new ones. JSON round trips are lossless.
#[test]
fn preparations_match_scikit_learn() {
    let golden = components();
    for Case { steps, fitted, first, new } in &golden.cases {
        let preparation = fit(steps, &golden.rows, &golden.labels).unwrap();
        let outputs = preparation.validate(golden.rows[0].len()).unwrap();
        match preparation.steps.last().unwrap() {
            Step::Select { kept } => assert_eq!(Some(kept), fitted.kept.as_ref()),
            Step::Pca { components, .. } => {
                let theirs = fitted.components.as_ref().unwrap();
                assert_near(
                    &format!("{steps:?}"),
                    components.iter().flatten().copied().map(f64::from),
                    theirs.iter().flatten().copied(),
                );
            }
            _ => {}
        }
        let read: Preparation = serde_json::from_str(&serde_json::to_string(&preparation).unwrap()).unwrap();
        assert_eq!(read, preparation);
        for (row, theirs) in golden.rows.iter().zip(first).chain(golden.new.iter().zip(new)) {
            let ours = preparation.apply(row).unwrap();
            assert_eq!(ours.len(), outputs);
            assert_near(&format!("{steps:?}"), ours.iter().copied().map(f64::from), theirs.iter().copied());
        }
    }
}

#[test]
fn labels_weights_and_scores_match_scikit_learn() {
    let golden = components();
    let labels = Labels::of(golden.names.clone());
    assert_eq!(labels.names(), golden.classes);
    assert_eq!(labels.indices(&golden.names).unwrap(), golden.labels);
    let weights = class_weights(&golden.labels, 4).unwrap();
    assert_near("weights", weights.iter().copied().map(f64::from), golden.weights.iter().copied());
    let scores = f_scores(&golden.rows, &golden.labels).unwrap();
    for (ours, theirs) in scores.iter().zip(&golden.f_scores) {
        match theirs {
            Some(theirs) => assert_near("F", [*ours], [*theirs]),
            None => assert_eq!(*ours, f64::NEG_INFINITY),
        }
    }
}

#[test]
fn errors_name_the_row_the_step_or_the_label() {
    let rows = vec![vec![1.0, 2.0], vec![2.0, f32::NAN], vec![3.0, 4.0]];
    let error = |steps: &[StepConfig], rows: &[Vec<f32>], labels: &[usize]| {
        format!("{:#}", fit(steps, rows, labels).unwrap_err())
    };
    let says = |error: String, words: &str| assert!(error.contains(words), "{error}");
    says(error(&[StepConfig::Standard], &rows, &[0, 1, 1]), "row 1, column 1 is NaN");
    says(error(&[StepConfig::Standard], &[], &[]), "no rows");
    says(error(&[StepConfig::Standard], &[vec![1.0], vec![1.0, 2.0]], &[0, 1]), "row 1 has 2 columns");
    let good = [vec![1.0, 2.0], vec![2.0, 5.0], vec![3.0, 4.0]];
    says(error(&[StepConfig::Standard], &good, &[0]), "3 rows have 1 labels");
    says(error(&[StepConfig::Select { k: 3 }], &good, &[0, 1, 1]), "3 of 2 columns");
    says(error(&[StepConfig::Select { k: 1 }], &good, &[1, 1, 1]), "one class");
    let read = |json| serde_json::from_str::<StepConfig>(json);
    let half = read(r#"{"kind":"pca","keep":1.5}"#).unwrap();
    says(error(&[StepConfig::Standard, half], &good, &[0, 1, 1]), "step 2: the fraction of the variance");
    says(error(&[read(r#"{"kind":"pca","keep":3}"#).unwrap()], &good, &[0, 1, 1]), "3 principal components");
    says(read(r#"{"kind":"standart"}"#).unwrap_err().to_string(), "standart");

    let labels = Labels::of(cratedigger_zoo::GTZAN_GENRES);
    says(labels.index("hip-hop").unwrap_err().to_string(), r#"did you mean "hiphop"?"#);
    says(labels.index("Rock").unwrap_err().to_string(), r#"did you mean "rock"?"#);
    assert_eq!(labels.index("zydeco").unwrap_err().nearest, None);
    assert_eq!(labels.name(labels.index("jazz").unwrap()), Some("jazz"));
    assert!(class_weights(&[0, 4], 4).is_err() && oversample(&[4], 4, 1).is_err());
}

/// Tracks with mixed rows: whole sequences, a padded remainder, a dropped remainder, and a track shorter than
/// half a sequence.
#[test]
fn sequences_keep_tracks_and_time() {
    let tracks: Vec<&str> = "b a b c b b a b a a".split(' ').collect();
    let rows = |steps| -> Vec<Vec<usize>> {
        sequences(&tracks, steps).unwrap().into_iter().map(|sequence| sequence.rows).collect()
    };
    // a: 1 6 8 9, b: 0 2 4 5 7, c: 3.
    assert_eq!(rows(3), [[1, 6, 8], [0, 2, 4], [5, 7, 7], [3, 3, 3]]);
    assert_eq!(rows(4), [[1, 6, 8, 9], [0, 2, 4, 5], [3, 3, 3, 3]]);
    assert!(sequences(&tracks, 0).is_err());

    let table: Vec<[f32; 2]> = (0..10).map(|row| [row as f32, -(row as f32)]).collect();
    let sequence = &sequences(&tracks, 3).unwrap()[2];
    assert_eq!(sequence.values(&table).unwrap(), [5.0, -5.0, 7.0, -7.0, 7.0, -7.0]);
    assert!(sequence.values(&table[..7]).is_err());
}

proptest! {
    /// Class weights give all classes the same total weight and a mean weight of 1. Oversampling gives all
    /// classes the same size, keeps every example, and is reproducible.
    #[test]
    fn classes_are_balanced(labels in prop::collection::vec(0_usize..5, 1..60), seed in 0_u64..1000) {
        let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
        labels.iter().for_each(|&label| *counts.entry(label).or_default() += 1);
        let weights = class_weights(&labels, 5).unwrap();
        let each = labels.len() as f32 / counts.len() as f32;
        for (class, weight) in weights.iter().enumerate() {
            let count = counts.get(&class).copied().unwrap_or(0);
            let expected = if count > 0 { each } else { 0.0 };
            prop_assert!((count as f32 * weight - expected).abs() < 1e-3);
        }

        let balanced = oversample(&labels, 5, seed).unwrap();
        prop_assert_eq!(&balanced, &oversample(&labels, 5, seed).unwrap());
        prop_assert!(balanced[..labels.len()].iter().copied().eq(0..labels.len()));
        let largest = counts.values().copied().max().unwrap();
        for class in counts.keys() {
            prop_assert_eq!(balanced.iter().filter(|&&index| labels[index] == *class).count(), largest);
        }
        prop_assert_eq!(balanced.len(), largest * counts.len());
    }
}

#[derive(Deserialize)]
struct ScoreCases {
    cases: Vec<ScoreCase>,
}

#[derive(Deserialize)]
struct ScoreCase {
    name: String,
    truth: Vec<usize>,
    probabilities: Vec<Vec<f32>>,
    accuracy: f64,
    top3: f64,
    per_class: Vec<[f64; 4]>,
    #[serde(rename = "macro")]
    macro_average: [f64; 3],
    weighted: [f64; 3],
    confusion: Vec<Vec<usize>>,
    log_loss: f64,
    brier: f64,
    calibration_error: f64,
    bins: Vec<[f64; 3]>,
}

fn names(classes: usize) -> Vec<String> {
    (0..classes).map(|class| format!("class {class}")).collect()
}

#[test]
fn metrics_match_scikit_learn() {
    let golden: ScoreCases = serde_json::from_str(include_str!("../../tests/golden/scores.json")).unwrap();
    assert_eq!(golden.cases.len(), 2);
    for case in golden.cases {
        let items: Vec<ScoredExample> = case
            .truth
            .iter()
            .zip(case.probabilities)
            .enumerate()
            .map(|(i, (&label, probabilities))| ScoredExample {
                id: format!("item {i}"),
                label,
                probabilities,
            })
            .collect();
        let scores = Scores::of(&names(case.confusion.len()), &items).unwrap();
        let name = &case.name;
        assert_eq!(scores.n, items.len(), "{name}");
        assert_eq!(scores.confusion, case.confusion, "{name}");
        let per_class = scores.per_class.iter();
        assert_near(
            name,
            per_class.flat_map(|c| [c.precision, c.recall, c.f1, c.support as f64]),
            case.per_class.into_iter().flatten(),
        );
        for (ours, theirs) in
            [(scores.macro_average, case.macro_average), (scores.weighted_average, case.weighted)]
        {
            assert_near(name, [ours.precision, ours.recall, ours.f1], theirs);
        }
        assert_near(
            name,
            [scores.accuracy, scores.top3_accuracy, scores.log_loss, scores.brier, scores.calibration_error],
            [case.accuracy, case.top3, case.log_loss, case.brier, case.calibration_error],
        );
        assert_near(
            name,
            scores.reliability.iter().flat_map(|bin| [bin.n as f64, bin.confidence, bin.accuracy]),
            case.bins.into_iter().flatten(),
        );
        // The listed mistakes are wrong predictions, and no other mistake has a higher confidence.
        let wrong = |item: &&ScoredExample| !scores.mistakes.iter().any(|m| m.id == item.id);
        let least = scores.mistakes.last().unwrap().confidence;
        for item in items.iter().filter(wrong) {
            let confidence = item.probabilities.iter().copied().fold(0.0, f32::max);
            assert!(item.probabilities[item.label] == confidence || f64::from(confidence) <= least);
        }
        assert!(scores.mistakes.is_sorted_by(|a, b| a.confidence >= b.confidence));
        assert!(
            scores.mistakes.iter().all(|m| m.label != m.predicted && m.label_probability <= m.confidence)
        );
        let read: Scores = serde_json::from_str(&serde_json::to_string(&scores).unwrap()).unwrap();
        assert_eq!(read.confusion, scores.confusion);
    }
}

#[test]
fn metrics_of_few_or_unusual_examples_are_finite() {
    let item = |label, probabilities: &[f32]| ScoredExample {
        id: "odd".into(),
        label,
        probabilities: probabilities.to_vec(),
    };
    let empty = Scores::of(&names(3), &[]).unwrap();
    assert_eq!((empty.n, empty.accuracy, empty.interval), (0, 0.0, [0.0, 1.0]));
    // JSON would turn a NaN into null, which cannot be read as a number.
    let json = serde_json::to_string(&empty).unwrap();
    assert_eq!(serde_json::from_str::<Scores>(&json).unwrap().interval, empty.interval);

    // Of equally probable classes, the first one is predicted, and the first three count as the top three.
    let even = [0.2; 5];
    let tied = Scores::of(&names(5), &[item(0, &even), item(2, &even), item(3, &even)]).unwrap();
    assert_near("ties", [tied.accuracy, tied.top3_accuracy], [1.0 / 3.0, 2.0 / 3.0]);

    // If the label has probability 0, the log loss is finite: the probability is clipped at the epsilon of
    // single precision.
    let sure = Scores::of(&names(2), &[item(0, &[0.0, 1.0])]).unwrap();
    assert_near("sure", [sure.log_loss, sure.brier, sure.calibration_error], [15.942_385, 2.0, 1.0]);
    assert_eq!(sure.reliability.last().unwrap().n, 1);

    for bad in [item(2, &[0.5, 0.5]), item(0, &[1.0]), item(0, &[f32::NAN, 1.0]), item(0, &[0.5, 0.2])] {
        assert!(Scores::of(&names(2), &[bad]).unwrap_err().to_string().starts_with("odd: "));
    }
    assert!(Scores::of(&[], &[]).is_err());

    assert_eq!(mean_and_deviation(&[2.0, 4.0, 6.0]), (4.0, 2.0));
    assert_eq!(mean_and_deviation(&[0.5]), (0.5, 0.0));
    assert_eq!(mean_and_deviation(&[]), (0.0, 0.0));
}
