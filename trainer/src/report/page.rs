//! The report as HTML.

use anyhow::Result;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::pictures::{self, Curve, Polygon};
use super::{ModelReport, clean, palette, percent};
use crate::metrics::{Scores, mean_and_deviation};
use crate::train::EpochMetrics;

const STYLE: &str = include_str!("report.css");

/// Numbers the pictures and tables of a page.
#[derive(Default)]
struct Numbers {
    figures: usize,
    tables: usize,
}

pub(super) fn page(title: &str, models: &[ModelReport]) -> Result<String> {
    let numbers = &mut Numbers::default();
    let body = match models {
        [model] => html! {
            header {
                h1 { (clean(title)) }
                (lead(model))
            }
            (sections(model, numbers, Level::Page)?)
        },
        models => html! {
            header {
                h1 { (clean(title)) }
                p.lead { (models.len()) " models side by side, and then each by itself." }
                nav aria-label="Models" {
                    ol {
                        @for (index, model) in models.iter().enumerate() {
                            li { a href={ "#model-" (index + 1) } { (clean(&model.name)) } ", " (clean(&model.protocol)) }
                        }
                    }
                }
            }
            (comparison(models, numbers)?)
            @for (index, model) in models.iter().enumerate() {
                section.model id={ "model-" (index + 1) } {
                    h2 { (clean(&model.name)) }
                    (lead(model))
                    (sections(model, numbers, Level::Section)?)
                }
            }
        },
    };
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                // Nothing is fetched, even if a name in here were to get past the escaping.
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                title { (clean(title)) }
                style { (PreEscaped(palette::css())) (PreEscaped(STYLE)) }
            }
            body { main { (body) } }
        }
    };
    Ok(page.into_string())
}

/// Where a model's sections stand: their headings follow from it.
#[derive(Clone, Copy)]
enum Level {
    Page,
    Section,
}

fn heading(level: Level, text: &str) -> Markup {
    match level {
        Level::Page => html! { h2 { (text) } },
        Level::Section => html! { h3 { (text) } },
    }
}

/// What the model is, and the two figures that everybody asks for.
fn lead(model: &ModelReport) -> Markup {
    let ModelReport { track, segment, .. } = model;
    html! {
        p.lead { (clean(&model.summary)) }
        p.headline {
            @if track.n > 0 {
                strong { (percent(track.accuracy)) }
                " of " (count(track.n as u64)) " clips named rightly"
                span.interval { " (95\u{202f}% interval " (interval(track)) ")" }
            } @else {
                "No clips were measured"
            }
            @if segment.n > 0 {
                ", " strong { (percent(segment.accuracy)) } " of " (count(segment.n as u64)) " segments"
            }
            ". Protocol: " (clean(&model.protocol)) "."
        }
    }
}

fn interval(scores: &Scores) -> String {
    let [low, high] = scores.interval;
    format!("{:.1} to {}", 100.0 * low, percent(high))
}

/// A share in per cent as it stands in a table whose head names the unit.
fn cell(share: f64) -> String {
    // What was measured of a training that diverged may be no number.
    if share.is_finite() { format!("{:.1}", 100.0 * share) } else { "–".into() }
}

/// A number with commas at the thousands.
fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes in kilobytes or megabytes of a thousand.
fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{:.0}\u{202f}kB", bytes as f64 / 1e3),
        _ => format!("{:.2}\u{202f}MB", bytes as f64 / 1e6),
    }
}

/// A name out of the data, kept apart from the text around it whatever its direction.
fn name_of(text: &str) -> Markup {
    html! { bdi { (clean(text)) } }
}

fn class(scores: &Scores, index: usize) -> &str {
    scores.classes.get(index).map_or("?", String::as_str)
}

/// A picture with its number and caption.
fn figure(numbers: &mut Numbers, svg: &str, caption: &Markup) -> Markup {
    numbers.figures += 1;
    html! {
        figure {
            div.picture { (PreEscaped(svg)) }
            figcaption { b { "Figure " (numbers.figures) ". " } (caption) }
        }
    }
}

/// A table with its number and caption above it. The caption is no part of the table, so that it
/// stays where it is when a wide table is scrolled.
fn table(numbers: &mut Numbers, caption: &Markup, content: &Markup) -> Markup {
    numbers.tables += 1;
    let id = format!("table-{}", numbers.tables);
    html! {
        p.caption id=(id) { b { "Table " (numbers.tables) ". " } (caption) }
        div.table { table aria-labelledby=(id) { (content) } }
    }
}

/// The numbers of a picture, folded away.
fn numbers_of(what: &str, content: &Markup) -> Markup {
    html! {
        details {
            summary { (what) }
            div.table { table { (content) } }
        }
    }
}

fn sections(model: &ModelReport, numbers: &mut Numbers, level: Level) -> Result<Markup> {
    Ok(html! {
        section { (result(model, numbers, level)) }
        @if !model.folds.is_empty() { section { (folds(model, numbers, level)?) } }
        section { (confusion(model, numbers, level)?) }
        section { (classes(model, numbers, level)?) }
        section { (confidence(model, numbers, level)?) }
        section { (mistakes(model, numbers, level)) }
        section { (training(model, numbers, level)?) }
        section { (provenance(model, level)) }
    })
}

fn result(model: &ModelReport, numbers: &mut Numbers, level: Level) -> Markup {
    type Row = (&'static str, fn(&Scores) -> String);
    let rows: [Row; 9] = [
        ("Accuracy, %", |s| cell(s.accuracy)),
        ("95\u{202f}% interval", |s| format!("{}–{}", cell(s.interval[0]), cell(s.interval[1]))),
        ("True class among the first three, %", |s| cell(s.top3_accuracy)),
        ("Macro F1, %", |s| cell(s.macro_average.f1)),
        ("Macro precision, %", |s| cell(s.macro_average.precision)),
        ("Macro recall, %", |s| cell(s.macro_average.recall)),
        ("Calibration error, %", |s| cell(s.calibration_error)),
        ("Log loss", |s| format!("{:.3}", s.log_loss)),
        ("Brier score", |s| format!("{:.3}", s.brier)),
    ];
    let caption = html! { "Figures of merit." };
    let levels = [&model.track, &model.segment];
    let content = html! {
        thead { tr { th {} th.n { "Whole clips" } th.n { "Segments" } } }
        tbody {
            tr { th scope="row" { "Number" } @for scores in levels { td.n { (count(scores.n as u64)) } } }
            @for (name, value) in rows {
                tr {
                    th scope="row" { (name) }
                    @for scores in levels { td.n { @if scores.n > 0 { (value(scores)) } @else { "–" } } }
                }
            }
        }
    };
    html! {
        (heading(level, "Result"))
        p { b { "Protocol " (clean(&model.protocol)) ". " } (clean(&model.protocol_explanation)) }
        (table(numbers, &caption, &content))
        p.note {
            "The intervals are Wilson’s and take examples for independent. Segments of one clip are not: "
            "the interval of the segments is too narrow. Macro figures are means over the classes. The expected "
            "calibration error says how far confidence and accuracy lie apart; log loss and Brier score "
            "measure the probabilities themselves. Of these three, less is better."
        }
    }
}

fn folds(model: &ModelReport, numbers: &mut Numbers, level: Level) -> Result<Markup> {
    let folds = &model.folds;
    let spread = |value: fn(&crate::metrics::FoldScore) -> f64| {
        let (mean, deviation) = mean_and_deviation(&folds.iter().map(value).collect::<Vec<f64>>());
        format!("{} ± {}", cell(mean), cell(deviation))
    };
    let [clips, f1, segments] =
        [spread(|f| f.track_accuracy), spread(|f| f.track_f1), spread(|f| f.segment_accuracy)];
    let label =
        format!("Accuracy of {} folds: clips {clips} per cent, segments {segments} per cent", folds.len());
    let picture = pictures::folds(&label, folds)?;
    let caption = html! {
        "The folds of the cross-validation. Lines are means; bands reach one standard deviation to each side."
    };
    let content = html! {
        thead { tr {
            th.n { "Fold" } th.n { "Clips" } th.n { "Accuracy" } th.n { "Macro F1" }
            th.n { "Segments" } th.n { "Accuracy" }
        } }
        tbody {
            @for fold in folds {
                tr {
                    td.n { (fold.fold) }
                    td.n { (fold.tracks) } td.n { (cell(fold.track_accuracy)) } td.n { (cell(fold.track_f1)) }
                    td.n { (fold.segments) } td.n { (cell(fold.segment_accuracy)) }
                }
            }
        }
        tfoot { tr {
            th.n scope="row" { "Mean" }
            td {} td.n { (clips) } td.n { (f1) } td {} td.n { (segments) }
        } }
    };
    Ok(html! {
        (heading(level, "Cross-validation"))
        (figure(numbers, &picture, &caption))
        (numbers_of("The folds as a table, in per cent", &content))
    })
}

fn confusion(model: &ModelReport, numbers: &mut Numbers, level: Level) -> Result<Markup> {
    let mut parts = Vec::new();
    for (scores, unit) in [(&model.track, "clips"), (&model.segment, "segments")] {
        if scores.n == 0 {
            continue;
        }
        let label = format!("Confusion matrix of {} {unit}; its numbers are in the table below", scores.n);
        let picture = pictures::confusion(&label, unit, scores)?;
        let caption = html! {
            "What " (unit) " of each class (rows) were named (columns): counts, and shares of the row. "
            "Blue is right, orange is wrong."
        };
        let content = html! {
            thead { tr { th { "true \\ named" } @for c in &scores.classes { th.n { (name_of(c)) } } th.n { "all" } } }
            tbody {
                @for (c, row) in scores.classes.iter().zip(&scores.confusion) {
                    @let all: usize = row.iter().sum();
                    tr {
                        th scope="row" { (name_of(c)) }
                        @for &n in row {
                            td.n { @if n > 0 { (n) " (" (format!("{:.0}\u{202f}%", 100.0 * n as f64 / all as f64)) ")" } @else { "0" } }
                        }
                        td.n { (all) }
                    }
                }
            }
        };
        parts.push(html! {
            div.matrix { (figure(numbers, &picture, &caption)) }
            (numbers_of("The matrix as a table", &content))
        });
    }
    let mut parts = parts.into_iter();
    Ok(html! {
        (heading(level, "What is taken for what"))
        @if let Some(clips) = parts.next() { (clips) } @else { p { "Nothing was measured." } }
        @for segments in parts {
            details.more { summary { "The same for segments" } (segments) }
        }
    })
}

/// A radar chart of the F1 of several sets of the same classes. Classes without examples are left
/// out, and there is no chart of fewer than three.
fn radar(label: &str, sets: &[(String, &Scores)]) -> Result<Option<String>> {
    let Some((_, first)) = sets.first() else { return Ok(None) };
    let shown: Vec<usize> = (0..first.classes.len())
        .filter(|&class| sets.iter().any(|(_, s)| s.per_class.get(class).is_some_and(|c| c.support > 0)))
        .collect();
    if shown.len() < 3 {
        return Ok(None);
    }
    let names: Vec<String> = shown.iter().map(|&class| first.classes[class].clone()).collect();
    let polygons: Vec<Polygon> = sets
        .iter()
        .filter(|(_, scores)| scores.n > 0)
        .map(|(name, scores)| Polygon {
            name: name.clone(),
            values: shown.iter().map(|&class| scores.per_class.get(class).map_or(0.0, |c| c.f1)).collect(),
        })
        .collect();
    pictures::radar(label, &names, &polygons).map(Some)
}

fn classes(model: &ModelReport, numbers: &mut Numbers, level: Level) -> Result<Markup> {
    let ModelReport { track, segment, .. } = model;
    let label = "Precision, recall and F1 of each class; the numbers are in the table below";
    let bars = pictures::classes(label, track, segment)?;
    let bars_caption = html! {
        "Precision, recall and F1 in per cent: bars for whole clips, strokes across them for segments."
    };
    let bars = figure(numbers, &bars, &bars_caption);
    let radar = radar(
        "F1 of each class around a circle; the numbers are in the table below",
        &[("whole clips".into(), track), ("segments".into(), segment)],
    )?;
    let radar = radar.map(|picture| figure(numbers, &picture, &html! { "F1 of each class in per cent." }));
    let part = |scores: &Scores, index: usize| {
        let of = scores.per_class.get(index).copied().unwrap_or_default();
        html! {
            td.n { (of.support) } td.n { (cell(of.precision)) } td.n { (cell(of.recall)) } td.n { (cell(of.f1)) }
        }
    };
    let mean = |scores: &Scores, average: crate::metrics::Average| {
        html! {
            td.n { (scores.n) } td.n { (cell(average.precision)) } td.n { (cell(average.recall)) } td.n { (cell(average.f1)) }
        }
    };
    let content = html! {
        thead {
            tr { th {} th.group colspan="4" scope="colgroup" { "Whole clips" } th.group colspan="4" scope="colgroup" { "Segments" } }
            tr { th { "Class" } @for _ in 0..2 { th.n { "n" } th.n { "Precision" } th.n { "Recall" } th.n { "F1" } } }
        }
        tbody {
            @for (index, name) in track.classes.iter().enumerate() {
                tr { th scope="row" { (name_of(name)) } (part(track, index)) (part(segment, index)) }
            }
        }
        tfoot {
            tr { th scope="row" { "Macro mean" } (mean(track, track.macro_average)) (mean(segment, segment.macro_average)) }
            tr { th scope="row" { "Weighted mean" } (mean(track, track.weighted_average)) (mean(segment, segment.weighted_average)) }
        }
    };
    Ok(html! {
        (heading(level, "Class by class"))
        div.pair { (bars) @if let Some(radar) = radar { (radar) } }
        (numbers_of("The classes as a table", &content))
        @let without: Vec<&str> = track.classes.iter().zip(&track.per_class)
            .filter(|(_, c)| c.support == 0).map(|(name, _)| name.as_str()).collect();
        @if !without.is_empty() && track.n > 0 {
            p.note { "There were no clips of " (clean(&without.join(", "))) ": nothing can be said of how well they are recognised." }
        }
    })
}

fn confidence(model: &ModelReport, numbers: &mut Numbers, level: Level) -> Result<Markup> {
    let mut figures = Vec::new();
    let levels = [("Whole clips", &model.track), ("Segments", &model.segment)];
    for (series, (name, scores)) in levels.into_iter().enumerate().filter(|(_, (_, scores))| scores.n > 0) {
        let label = format!(
            "{name}: accuracy against confidence, expected calibration error {}; the numbers are in the table below",
            percent(scores.calibration_error)
        );
        let picture = pictures::reliability(&label, scores, series)?;
        let caption = html! {
            (name) ". Above: accuracy of what was named with a certain confidence, with 95\u{202f}% intervals. Below: how "
            "many there were. Expected calibration error " (percent(scores.calibration_error)) "."
        };
        figures.push(figure(numbers, &picture, &caption));
    }
    let bins = model.track.reliability.iter().zip(&model.segment.reliability);
    let part = |bin: &crate::metrics::ReliabilityBin| {
        html! {
            td.n { (bin.n) }
            @if bin.n > 0 { td.n { (cell(bin.confidence)) } td.n { (cell(bin.accuracy)) } } @else { td.n { "–" } td.n { "–" } }
        }
    };
    let content = html! {
        thead {
            tr { th {} th.group colspan="3" scope="colgroup" { "Whole clips" } th.group colspan="3" scope="colgroup" { "Segments" } }
            tr { th { "Confidence" } @for _ in 0..2 { th.n { "n" } th.n { "Mean" } th.n { "Accuracy" } } }
        }
        tbody {
            @for (track, segment) in bins {
                tr { th scope="row" { (cell(track.low)) "–" (cell(track.high)) } (part(track)) (part(segment)) }
            }
        }
    };
    Ok(html! {
        (heading(level, "How sure, and how rightly so"))
        p {
            "Confidence is the probability of the class that was named. Points on the diagonal are as often right "
            "as the model is sure; below it, the model is too sure of itself."
        }
        @if figures.is_empty() { p { "Nothing was measured." } } @else {
            div.pair { @for figure in figures { (figure) } }
            (numbers_of("The bins as a table", &content))
        }
    })
}

fn mistakes(model: &ModelReport, numbers: &mut Numbers, level: Level) -> Markup {
    let rows = |scores: &Scores| {
        html! {
            thead { tr {
                th { "Name" } th { "True" } th { "Named" } th.n { "Confidence" } th.n { "True class" }
            } }
            tbody {
                @for mistake in &scores.mistakes {
                    tr {
                        td.id { (name_of(&mistake.id)) }
                        td { (name_of(class(scores, mistake.label))) }
                        td { (name_of(class(scores, mistake.predicted))) }
                        td.n { (cell(mistake.confidence)) }
                        td.n { (cell(mistake.label_probability)) }
                    }
                }
            }
        }
    };
    let caption = |unit: &str| {
        html! {
            "The " (unit) " that were named wrongly with the greatest confidence; and what probability was left to "
            "their true class, both in per cent."
        }
    };
    html! {
        (heading(level, "The worst mistakes"))
        @if model.track.mistakes.is_empty() { p { "No clip was named wrongly." } } @else {
            (table(numbers, &caption("clips"), &rows(&model.track)))
        }
        @if !model.segment.mistakes.is_empty() {
            details.more {
                summary { "The same for segments" }
                (table(numbers, &caption("segments"), &rows(&model.segment)))
            }
        }
    }
}

/// The epoch whose weights one would keep: the highest validation accuracy over whole clips, of
/// equal ones the lowest loss, of equal ones the first.
fn best_epoch(epochs: &[EpochMetrics]) -> Option<usize> {
    let better = |a: &EpochMetrics, b: &EpochMetrics| {
        b.valid_track_accuracy.total_cmp(&a.valid_track_accuracy).then(a.valid_loss.total_cmp(&b.valid_loss))
    };
    let finite = epochs.iter().filter(|e| e.valid_track_accuracy.is_finite());
    finite.min_by(|a, b| better(a, b)).map(|epoch| epoch.epoch)
}

fn training(model: &ModelReport, numbers: &mut Numbers, level: Level) -> Result<Markup> {
    let epochs = &model.curves;
    if epochs.is_empty() {
        return Ok(html! {
            (heading(level, "Training"))
            p { "No epochs are recorded." }
        });
    }
    // Of clips that it learned from, none is better; the last epoch was kept.
    let learned = model.valid_is_learned;
    let best = best_epoch(epochs).filter(|_| !learned);
    let losses = [
        Curve { name: "training", value: |e| e.train_loss },
        Curve { name: if learned { "judging" } else { "validation" }, value: |e| e.valid_loss },
    ];
    let accuracies = [
        Curve { name: "clips", value: |e| e.valid_track_accuracy },
        Curve { name: "segments", value: |e| e.valid_segment_accuracy },
    ];
    let label = format!("Loss over {} epochs; the numbers are in the table below", epochs.len());
    let loss = pictures::curves(&label, "loss", epochs, &losses, false, best)?;
    let (what, title) = if learned {
        ("accuracy on learned clips", "Accuracy on learned clips")
    } else {
        ("validation accuracy", "Validation accuracy")
    };
    let label = format!("{title} over {} epochs; the numbers are in the table below", epochs.len());
    let accuracy = pictures::curves(&label, &format!("{what}, %"), epochs, &accuracies, true, best)?;
    let loss_caption = html! {
        "Cross-entropy: of the training windows, as they were mixed and smoothed, and of whole "
        @if learned { "clips that were learned from, too." } @else { "validation clips." }
    };
    let accuracy_caption = html! {
        @if learned {
            "Share of the clips named rightly that the split meant for validation, but that were learned from: no measure of new music."
        } @else {
            "Share of the validation material named rightly"
            @if let Some(best) = best { "; most clips after epoch " (best) }
            "."
        }
    };
    let number = |value: f64| if value.is_finite() { format!("{value:.4}") } else { "–".into() };
    let content = html! {
        thead {
            tr { th {} th.group colspan="2" scope="colgroup" { "Loss" } th.group colspan="2" scope="colgroup" { (title) ", %" } th {} th {} }
            tr {
                th.n { "Epoch" } th.n { "Training" } th.n { @if learned { "Judging" } @else { "Validation" } } th.n { "Clips" } th.n { "Segments" }
                th.n { "Learning rate" } th.n { "Seconds" }
            }
        }
        tbody {
            @for e in epochs {
                tr.best[Some(e.epoch) == best] {
                    th.n scope="row" { (e.epoch) }
                    td.n { (number(e.train_loss)) } td.n { (number(e.valid_loss)) }
                    td.n { (cell(e.valid_track_accuracy)) } td.n { (cell(e.valid_segment_accuracy)) }
                    td.n { (format!("{:.2e}", e.learning_rate)) } td.n { (format!("{:.1}", e.seconds)) }
                }
            }
        }
    };
    Ok(html! {
        (heading(level, "Training"))
        div.pair { (figure(numbers, &loss, &loss_caption)) (figure(numbers, &accuracy, &accuracy_caption)) }
        (numbers_of("The epochs as a table", &content))
    })
}

fn provenance(model: &ModelReport, level: Level) -> Markup {
    html! {
        (heading(level, "How it was made"))
        dl {
            dt { "Model" } dd { (clean(&model.name)) }
            dt { "Data" } dd { (clean(&model.data)) }
            dt { "Seed" } dd { @if let Some(seed) = model.seed { (seed) } @else { "none" } }
            dt { "Parameters" } dd { (count(model.parameters)) }
            dt { "Weights" } dd { (size(model.bytes)) " in half precision" }
            @for (name, value) in &model.facts {
                dt { (clean(name)) } dd { (clean(value)) }
            }
        }
    }
}

fn comparison(models: &[ModelReport], numbers: &mut Numbers) -> Result<Markup> {
    let caption = html! {
        "All models. Accuracies with their 95\u{202f}% intervals, macro F1 and expected calibration error in per cent."
    };
    let content = html! {
        thead {
            tr {
                th { "Model" } th { "Protocol" } th.n { "Parameters" } th.n { "Size (f16)" } th { "Level" }
                th.n { "n" } th.n { "Accuracy" } th.n { "95\u{202f}% interval" } th.n { "Macro F1" }
                th.n { abbr title="expected calibration error" { "ECE" } }
            }
        }
        @for (index, model) in models.iter().enumerate() {
            tbody {
                @for (name, scores) in [("clips", &model.track), ("segments", &model.segment)] {
                    tr {
                        @if name == "clips" {
                            th scope="rowgroup" rowspan="2" { a href={ "#model-" (index + 1) } { (clean(&model.name)) } }
                            td.whole rowspan="2" { (clean(&model.protocol)) }
                            td.n rowspan="2" { (count(model.parameters)) }
                            td.n rowspan="2" { (size(model.bytes)) }
                        }
                        td.level { (name) }
                        td.n { (count(scores.n as u64)) }
                        @if scores.n > 0 {
                            td.n { b { (cell(scores.accuracy)) } }
                            td.n { (cell(scores.interval[0])) "–" (cell(scores.interval[1])) }
                            td.n { (cell(scores.macro_average.f1)) }
                            td.n { (cell(scores.calibration_error)) }
                        } @else {
                            @for _ in 0..4 { td.n { "–" } }
                        }
                    }
                }
            }
        }
    };
    let table = table(numbers, &caption, &content);
    let picture = pictures::accuracies(
        "Accuracies of all models with intervals; the numbers are in the table above",
        models,
    )?;
    let picture = figure(
        numbers,
        &picture,
        &html! {
            "Accuracy with its 95\u{202f}% interval: discs for whole clips, squares for segments."
        },
    );
    let first = &models[0].track.classes;
    // More polygons than there are colours and marks cannot be told apart: the best ones are drawn.
    let mut drawn: Vec<&ModelReport> =
        models.iter().filter(|m| &m.track.classes == first && m.track.n > 0).collect();
    let comparable = drawn.len();
    drawn.sort_by(|a, b| b.track.macro_average.f1.total_cmp(&a.track.macro_average.f1));
    drawn.truncate(palette::SERIES.len());
    let named: Vec<(String, &Scores)> =
        drawn.iter().map(|model| (format!("{} · {}", model.name, model.protocol), &model.track)).collect();
    let label = "F1 of each class and model around a circle; the numbers are in the table below";
    let radar = if drawn.len() < 2 { None } else { radar(label, &named)? };
    let radar = radar.map(|picture| {
        let caption = html! {
            "F1 of each class over whole clips, in per cent"
            @if comparable > drawn.len() { ": the " (drawn.len()) " models with the highest macro F1" }
            "."
        };
        figure(numbers, &picture, &caption)
    });
    let classes = html! {
        thead { tr {
            th { "Class" }
            @for model in models { th.n { (clean(&model.name)) br; (clean(&model.protocol)) } }
        } }
        tbody {
            @for (index, name) in first.iter().enumerate() {
                tr {
                    th scope="row" { (name_of(name)) }
                    @for model in models {
                        td.n {
                            @if &model.track.classes == first {
                                (model.track.per_class.get(index).map_or_else(String::new, |c| cell(c.f1)))
                            } @else { "–" }
                        }
                    }
                }
            }
        }
    };
    let protocols = models.iter().any(|model| model.protocol != models[0].protocol);
    Ok(html! {
        section {
            h2 { "Side by side" }
            (table)
            @if protocols {
                p.note {
                    "The models were measured under different protocols. Accuracies under different protocols must not be "
                    "compared: what is hard under one may be easy under another."
                }
            }
            div.pair { (picture) @if let Some(radar) = radar { (radar) } }
            (numbers_of("F1 of each class over whole clips, in per cent", &classes))
        }
    })
}
