//! Figures of the networks: a sentence, tables, the confusion matrix.

use cratedigger_protocol::{Metric, ModelInfo};
use leptos::prelude::*;

use crate::i18n::Words;
use crate::state::State;
use crate::text;

/// Whether a metric is an accuracy of genres on unaltered recordings.
pub fn is_plain(metric: &Metric) -> bool {
    metric.condition.is_none() && matches!(metric.level.as_str(), "track" | "segment")
}

/// One sentence about whole clips in the strictest protocol. None if the networks were tested on
/// different clips, because their figures cannot be compared in one sentence.
pub fn headline(w: &'static Words, models: &[ModelInfo], together: &[Metric]) -> Option<String> {
    let w = &w.about;
    let is_strict =
        |metric: &&Metric| is_plain(metric) && metric.protocol == "fault-filtered" && metric.level == "track";
    if let Some(all) = together.iter().find(is_strict) {
        return Some(text::fill(w.headline_all, &[&all.n.to_string(), &text::percent(all.accuracy)]));
    }
    let strict: Vec<&Metric> = models.iter().flat_map(|model| &model.metrics).filter(is_strict).collect();
    let n = strict.first()?.n;
    if strict.iter().any(|metric| metric.n != n) {
        return None;
    }
    let accuracies = strict.iter().map(|metric| metric.accuracy);
    let (low, high) = accuracies.fold((f64::MAX, f64::MIN), |(low, high), a| (low.min(a), high.max(a)));
    let n = n.to_string();
    Some(if models.len() == 1 {
        text::fill(w.headline_one, &[&n, &text::percent(low)])
    } else {
        text::fill(w.headline_many, &[&n, &text::percent(low), &text::percent(high)])
    })
}

/// A table of [`metric_row`]s.
pub fn metric_table(
    w: &'static Words,
    label: &'static str,
    testid: Option<&'static str>,
    rows: impl IntoView,
) -> impl IntoView {
    view! {
        <div class="scroll" tabindex="0" role="region" aria-label=label>
            <table data-testid=testid>
                <thead>
                    <tr>
                        <th scope="col">{w.votes.network}</th>
                        <th scope="col">{w.about.tested_on}</th>
                        <th scope="col">{w.about.correct}</th>
                        <th scope="col">{w.about.interval}</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
}

/// One accuracy with its protocol, its number of examples and its interval.
pub fn metric_row(w: &'static Words, model: &str, metric: &Metric) -> impl IntoView + use<> {
    view! {
        <tr>
            <th scope="row">{model.to_string()}</th>
            <td>{examples(w, metric)}</td>
            <td class="figure">{text::percent(metric.accuracy)}</td>
            <td class="figure">{interval(w, metric)}</td>
        </tr>
    }
}

/// The interval of an accuracy. Segments of one song are not independent, so their figures have none.
pub fn interval(w: &'static Words, metric: &Metric) -> String {
    metric.interval.map_or_else(
        || "–".to_string(),
        |[low, high]| text::fill(w.deck.from_to, &[&text::percent(low), &text::percent(high)]),
    )
}

/// The examples that an accuracy was measured on.
pub fn examples(w: &'static Words, metric: &Metric) -> String {
    let w = &w.about;
    let unit = if metric.level == "track" { w.n_clips } else { w.n_segments };
    let how = match metric.protocol.as_str() {
        "fault-filtered" => w.fault_filtered,
        // Such as track-5-fold: all folds of a cross-validation together.
        protocol if protocol.starts_with("track") => w.track_stratified,
        "segment" => w.segment_random,
        protocol => protocol,
    };
    format!("{} {how}", text::fill(unit, &[&metric.n.to_string()]))
}

/// The confusion matrix: one row for each true genre, one column for each predicted one.
pub fn confusion(state: State, metric: &Metric, counts: &[Vec<u32>]) -> impl IntoView + use<> {
    let w = &state.words().about;
    let caption = text::fill(w.confusion_caption, &[&metric.n.to_string()]);
    let heads = (0..counts.len())
        .map(|class| {
            let name = state.genre(class);
            view! {
                <th scope="col">
                    <abbr title=name.clone()>{text::abbreviation(&name)}</abbr>
                </th>
            }
        })
        .collect_view();
    let rows = counts.iter().enumerate().map(|(label, row)| confusion_row(state, label, row)).collect_view();
    view! {
        <h3>{w.confusion_title}</h3>
        <div class="scroll" tabindex="0" role="region" aria-label=w.confusion_title>
            <table class="confusion" data-testid="confusion">
                <caption>{caption}</caption>
                <thead>
                    <tr>
                        <td></td>
                        {heads}
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
}

/// Predictions for the clips of one true genre.
fn confusion_row(state: State, label: usize, row: &[u32]) -> impl IntoView + use<> {
    let total = row.iter().sum::<u32>().max(1);
    let cells = row
        .iter()
        .enumerate()
        .map(|(predicted, count)| {
            let fraction = format!("{:.3}", f64::from(*count) / f64::from(total));
            view! {
                <td
                    class:right=predicted == label
                    class:none=*count == 0
                    style=("--share", move || fraction.clone())
                >
                    {*count}
                </td>
            }
        })
        .collect_view();
    view! {
        <tr data-class=label.to_string()>
            <th scope="row">{state.genre(label)}</th>
            {cells}
        </tr>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::i18n::Language;

    fn metric(protocol: &str, n: u64, accuracy: f64) -> Metric {
        Metric {
            protocol: protocol.into(),
            level: "track".into(),
            condition: None,
            n,
            accuracy,
            interval: None,
            confusion: None,
        }
    }

    fn model(metrics: Vec<Metric>) -> ModelInfo {
        ModelInfo {
            name: "a".into(),
            summary: String::new(),
            parameters: 1,
            bytes: 1,
            metrics,
            licence: None,
        }
    }

    #[test]
    fn the_headline_uses_the_strict_protocol_and_comparable_figures_only() {
        let w = Language::English.words();
        let (strict, easy) = (metric("fault-filtered", 148, 0.7), metric("segment", 782, 0.96));
        let one = [model(vec![easy.clone(), strict.clone()])];
        assert!(headline(w, &one, &[]).is_some_and(|words| words.contains("148") && words.contains("70%")));
        let two = [model(vec![strict.clone()]), model(vec![metric("fault-filtered", 100, 0.6)])];
        assert_eq!(headline(w, &two, &[]), None);
        // Figures of altered recordings and of non-music sounds are shown elsewhere.
        let room = Metric { condition: Some("room".into()), ..metric("fault-filtered", 148, 0.5) };
        let sounds = Metric { level: "non-music".into(), ..metric("kinds left out", 173, 0.97) };
        assert!(!is_plain(&room) && !is_plain(&sounds) && is_plain(&strict));
        assert_eq!(headline(w, &[model(vec![room])], &[]), None);
        assert!(headline(w, &two, &[strict]).is_some_and(|words| words.contains("together")));
        assert_eq!(headline(w, &[model(vec![easy])], &[]), None);
    }

    #[test]
    fn an_unknown_protocol_is_named_as_it_is() {
        let w = Language::English.words();
        assert_eq!(examples(w, &metric("own-split", 7, 0.5)), "7 clips own-split");
        assert!(examples(w, &metric("track-5-fold", 7, 0.5)).contains("track-stratified"));
    }
}
