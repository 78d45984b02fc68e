//! The report is valid HTML that fetches nothing, for any input.

#![allow(clippy::unwrap_used, missing_docs)]

use cratedigger_trainer::eval::calibrate::fit_threshold;
use cratedigger_trainer::metrics::{FoldScore, ScoredExample, Scores};
use cratedigger_trainer::report::{ModelReport, html, threshold_svg};
use cratedigger_trainer::train::EpochMetrics;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

const GENRES: [&str; 10] = cratedigger_zoo::GTZAN_GENRES;

fn classes(n: usize) -> Vec<String> {
    (0..n).map(|class| GENRES.get(class).map_or_else(|| format!("genre {class}"), |g| (*g).into())).collect()
}

/// Scores of random predictions, none of them with the label `empty`. A higher `skill` makes more of them correct.
fn scores(random: &mut ChaCha8Rng, n: usize, items: usize, skill: f32, empty: Option<usize>) -> Scores {
    let items: Vec<ScoredExample> = (0..items)
        .map(|item| {
            let mut label = item % n;
            if Some(label) == empty {
                label = (label + 1) % n;
            }
            let mut logits: Vec<f32> = (0..n).map(|_| 2.2 * random.random::<f32>()).collect();
            logits[label] += skill * (0.5 + random.random::<f32>() - if label == n - 1 { 0.4 } else { 0.0 });
            // A class that it is often confused with.
            logits[(label * 3 + 1) % n] += 0.8 * random.random::<f32>();
            let sum: f32 = logits.iter().map(|l| (1.6 * l).exp()).sum();
            let probabilities = logits.iter().map(|l| (1.6 * l).exp() / sum).collect();
            let id = format!("{}.{item:05}", classes(n)[label]);
            ScoredExample { id, label, probabilities }
        })
        .collect();
    Scores::of(&classes(n), &items).unwrap()
}

fn epochs(random: &mut ChaCha8Rng, count: usize) -> Vec<EpochMetrics> {
    (1..=count)
        .map(|epoch| {
            let done = epoch as f64 / count as f64;
            let noise = 0.06 * (random.random::<f64>() - 0.5);
            EpochMetrics {
                epoch,
                train_accuracy: 0.72 - 0.6 * (-4.0 * done).exp() + noise,
                train_loss: 0.6 + 1.7 * (-4.0 * done).exp() + noise,
                valid_loss: 1.0 + 1.3 * (-5.0 * done).exp() + 0.15 * done + noise,
                valid_track_accuracy: 0.68 - 0.55 * (-5.0 * done).exp() + noise,
                valid_segment_accuracy: 0.62 - 0.5 * (-5.0 * done).exp() + noise,
                learning_rate: 1e-3 * (1.0 - done),
                seconds: 21.7,
            }
        })
        .collect()
}

fn model(name: &str, seed: u64, n: usize, count: usize, skill: f32, empty: Option<usize>) -> ModelReport {
    let random = &mut ChaCha8Rng::seed_from_u64(seed);
    ModelReport {
        name: name.into(),
        summary: "CNN of 5 convolutions on 3 s of log-mel, 128 bands × 39 columns".into(),
        parameters: 290_762,
        bytes: 582_696,
        protocol: "fault-filtered".into(),
        protocol_explanation: "Artists, repetitions and mislabelled clips are not shared between training and test. \
                               Expect this accuracy for new music."
            .into(),
        seed: Some(seed),
        data: "GTZAN, 443 clips for training and 197 for validation".into(),
        segment: scores(random, n, 10 * count, 0.85 * skill, empty),
        track: scores(random, n, count, skill, empty),
        conditions: Vec::new(),
        curves: epochs(random, 40),
        valid_is_learned: false,
        facts: [
            ("Optimiser", "AdamW, weight decay 0.05, cosine from 1e-3"),
            ("Augmentation", "SpecAugment 2 × 12 bands, mixup 0.3, label smoothing 0.1"),
            ("Command", "cratedigger train trainer/recipes/small-cnn.toml --data DATA --split fault-filtered --seed 1"),
            ("Computed on", "2 cores, Linux"),
        ]
        .map(|(name, value)| (name.into(), value.into()))
        .to_vec(),
        folds: Vec::new(),
    }
}

fn folds(random: &mut ChaCha8Rng) -> Vec<FoldScore> {
    (1..=10)
        .map(|fold| FoldScore {
            fold,
            tracks: 100,
            track_accuracy: 0.78 + 0.1 * random.random::<f64>(),
            track_f1: 0.76 + 0.1 * random.random::<f64>(),
            segments: 1000,
            segment_accuracy: 0.7 + 0.1 * random.random::<f64>(),
        })
        .collect()
}

/// Elements without an end tag.
const VOID: [&str; 3] = ["meta", "br", "hr"];

/// Fails unless tags are nested, attributes are quoted and every `&` is a character reference. All parsers
/// read this subset of HTML in the same way. Returns the text between tags.
fn assert_sound(page: &str) -> String {
    let mut open: Vec<&str> = Vec::new();
    let mut text = String::new();
    let mut rest = page.strip_prefix("<!DOCTYPE html>").unwrap();
    while let Some(start) = rest.find('<') {
        let (before, after) = rest.split_at(start);
        text += before;
        let (tag, after) = after[1..].split_once('>').unwrap();
        assert!(!tag.contains('<'), "{tag}");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "{before}");
        } else {
            let (body, closed) = tag.strip_suffix('/').map_or((tag, false), |body| (body, true));
            let (name, attributes) = body.split_once(' ').unwrap_or((body, ""));
            assert!(name.chars().all(|c| c.is_ascii_alphanumeric()), "{tag}");
            // Quotes contain anything; outside of them are only names and equals signs.
            assert_eq!(attributes.split('"').count() % 2, 1, "{tag}");
            for (place, part) in attributes.split('"').enumerate() {
                let plain = |c: char| c.is_ascii_alphanumeric() || "-=: ".contains(c);
                assert!(place % 2 == 1 || part.chars().all(plain), "{tag}");
            }
            if !closed && !VOID.contains(&name) {
                open.push(name);
            }
        }
        rest = after;
    }
    assert_eq!(open, Vec::<&str>::new());
    text += rest;
    for reference in text.split('&').skip(1) {
        let (name, _) = reference.split_once(';').unwrap();
        assert!(["amp", "lt", "gt", "quot", "apos"].contains(&name), "&{name}");
    }
    text
}

/// Fails if a page refers to another file, runs a script, or has a chart without a title, which is its text
/// alternative.
fn assert_alone(page: &str) {
    for reference in ["://", "<script", "<img", "<link", "<iframe", "@import", "url(", "src=", "javascript:"]
    {
        assert!(!page.contains(reference), "{reference}");
    }
    assert!(page.split("href=\"").skip(1).all(|target| target.starts_with("#model-")));
    let pictures: Vec<&str> = page.split("<svg ").skip(1).collect();
    assert_eq!(pictures.len(), page.matches("<figcaption>").count());
    for picture in pictures {
        let (attributes, _) = picture.split_once('>').unwrap();
        let (_, id) = attributes.split_once("role=\"img\" aria-labelledby=\"").unwrap();
        let (id, _) = id.split_once('"').unwrap();
        assert_eq!(page.matches(&format!(" id=\"{id}\"")).count(), 1, "{id}");
        let (drawing, _) = picture.split_once("</svg>").unwrap();
        assert!(drawing.contains(&format!("<title id=\"{id}\">")), "{id}");
        // A fixed colour would not follow light and dark.
        assert!(!drawing.contains("\"#") && !drawing.contains("rgb"), "{id}");
    }
    assert!(!page.contains("NaN") && !page.contains("inf\""));
}

#[test]
fn reports_are_valid_and_self_contained() {
    let mut cross = model("wide", 5, 10, 100, 2.0, None);
    cross.protocol = "track".into();
    cross.folds = folds(&mut ChaCha8Rng::seed_from_u64(1));
    let models =
        [model("small", 1, 10, 148, 2.2, Some(4)), model("thirty", 2, 30, 90, 2.5, None), cross.clone()];
    for several in [&models[..1], &models[1..2], &models[2..], &models[..]] {
        let page = html("A title", several).unwrap();
        let text = assert_sound(&page);
        assert_alone(&page);
        // The text contains the important facts.
        for model in several {
            for words in [&model.name, &model.protocol_explanation, &model.data, &model.facts[0].1] {
                assert!(text.contains(words.as_str()), "{words}");
            }
            let accuracy = format!("{:.1}\u{202f}%", 100.0 * model.track.accuracy);
            assert!(text.contains(&accuracy) && text.contains(&model.track.mistakes[0].id));
        }
        assert_eq!(text.contains("Side by side"), several.len() > 1);
        assert_eq!(text.contains("different protocols"), several.len() > 1);
        assert_eq!(text.contains("Cross-validation"), several.iter().any(|m| !m.folds.is_empty()));
    }
}

#[test]
fn unusual_models_are_reported() {
    let random = &mut ChaCha8Rng::seed_from_u64(3);
    let plain = || model("plain", 4, 3, 30, 1.5, None);
    let mut untrained = plain();
    untrained.curves.clear();
    let mut short = plain();
    short.curves = epochs(random, 1);
    let mut diverged = plain();
    for epoch in &mut diverged.curves[20..] {
        (epoch.train_loss, epoch.valid_loss) = (f64::NAN, f64::INFINITY);
        (epoch.valid_track_accuracy, epoch.valid_segment_accuracy) = (f64::NAN, 0.0);
    }
    let mut unmeasured = plain();
    unmeasured.track = Scores::of(&classes(3), &[]).unwrap();
    let mut nothing = unmeasured.clone();
    nothing.segment = nothing.track.clone();
    let mut faultless = plain();
    faultless.track.mistakes.clear();
    let mut one_fold = plain();
    one_fold.folds = folds(random)[..1].to_vec();
    let two = model("two", 6, 2, 20, 1.0, None);
    let single = model("single", 7, 1, 5, 1.0, None);
    for odd in [untrained, short, diverged, unmeasured, nothing, faultless, one_fold, two, single] {
        for models in [vec![odd.clone()], vec![odd.clone(), plain()], vec![plain(), odd.clone()]] {
            let page = html("Odd", &models).unwrap();
            assert_sound(&page);
            assert_alone(&page);
        }
    }

    assert!(html("None", &[]).is_err());
    let mut torn = plain();
    torn.segment = Scores::of(&classes(2), &[]).unwrap();
    assert!(html("Torn", &[torn]).unwrap_err().to_string().contains("plain"));
    let mut torn = plain();
    torn.track.confusion.pop();
    assert!(html("Torn", &[torn]).is_err());
}

/// Clips that the model was trained on are not called validation clips.
#[test]
fn training_clips_are_not_validation_clips() {
    let honest = model("honest", 7, 10, 50, 2.0, None);
    let learned = ModelReport { valid_is_learned: true, ..honest.clone() };
    let validates = |model| html("Curves", &[model]).unwrap().to_lowercase().contains("validation accuracy");
    assert!(validates(honest) && !validates(learned));
}

/// Names come from files of any origin; they must stay text.
#[test]
fn malicious_names_stay_text() {
    let evil = "<script>alert('1')</script>\"><svg onload=x>&\u{0}\u{202e}]]>";
    let mut hostile = model(evil, 8, 3, 30, 1.0, None);
    for scores in [&mut hostile.track, &mut hostile.segment] {
        scores.classes[1] = evil.into();
        scores.mistakes.iter_mut().for_each(|mistake| mistake.id = evil.into());
    }
    for text in
        [&mut hostile.summary, &mut hostile.protocol, &mut hostile.protocol_explanation, &mut hostile.data]
    {
        *text = evil.into();
    }
    hostile.facts = vec![(evil.into(), evil.into())];
    let other = ModelReport { name: "other".into(), ..hostile.clone() };
    for models in [&[hostile.clone()][..], &[hostile, other]] {
        let page = html(evil, models).unwrap();
        let text = assert_sound(&page);
        assert!(text.contains("&lt;script&gt;alert("));
        for harm in ["<script", "onload=x>", "\u{0}"] {
            assert!(!page.contains(harm), "{harm}");
        }
    }
}

#[test]
fn thresholds_are_drawn() {
    let threshold = fit_threshold(&[0.9, 0.8, 0.4, 0.7], &[0.3, 0.2, 0.5], 0.3).unwrap();
    let svg = threshold_svg(&threshold);
    assert_sound(&format!("<!DOCTYPE html>{svg}"));
    assert!(svg.starts_with("<svg ") && svg.contains("xmlns=") && !svg.contains("NaN"));
    let chosen = format!("threshold {:.3}", threshold.chosen.threshold);
    assert!(svg.contains(&chosen), "{chosen}");
}

/// Writes sample reports for a visual check into the folder that the variable `REPORT_SAMPLES` names.
#[test]
#[ignore = "writes sample reports for a visual check"]
fn samples() {
    let folder = std::path::PathBuf::from(std::env::var("REPORT_SAMPLES").unwrap());
    let one = model("small-cnn", 1, 10, 148, 2.2, Some(4));
    let mut cross = model("wide-cnn", 2, 10, 290, 2.9, None);
    cross.protocol = "track".into();
    cross.folds = folds(&mut ChaCha8Rng::seed_from_u64(9));
    let many: Vec<ModelReport> =
        [("small-cnn", 2.2), ("wide-cnn", 2.5), ("crnn", 2.8), ("ensemble of three", 3.1)]
            .into_iter()
            .enumerate()
            .map(|(i, (name, skill))| model(name, i as u64, 10, 148, skill, None))
            .chain([cross.clone()])
            .collect();
    let thirty = model("thirty", 3, 30, 600, 3.0, Some(12));
    let three = model("three", 4, 3, 60, 1.5, None);
    for (name, title, models) in [
        ("one", "Report of small-cnn", vec![one]),
        ("cross", "Cross-validation of wide-cnn", vec![cross]),
        ("many", "Five models of September", many),
        ("thirty", "Thirty classes", vec![thirty]),
        ("three", "Three classes", vec![three]),
    ] {
        std::fs::write(folder.join(format!("{name}.html")), html(title, &models).unwrap()).unwrap();
    }
}
