//! Figures other than the accuracy on unaltered recordings: on altered recordings, and on non-music sounds.

use cratedigger_protocol::{Metric, ModelInfo};
use leptos::prelude::*;

use super::figures::{examples, interval};
use crate::i18n::Words;
use crate::text;

/// The conditions in the order of the table.
const ORDER: [&str; 6] = ["mp3-48k", "telephone", "clipped", "room", "faster", "quieter"];

/// The accuracies on altered recordings, each with the name of what was measured: of the ensemble first,
/// then of each network, condition by condition.
fn altered(w: &'static Words, models: &[ModelInfo], together: &[Metric]) -> Vec<(String, Metric)> {
    let is_altered = |metric: &&Metric| {
        metric.condition.is_some() && metric.protocol == "fault-filtered" && metric.level == "track"
    };
    let each: Vec<_> = models
        .iter()
        .flat_map(|model| {
            model.metrics.iter().filter(is_altered).map(|metric| (model.name.clone(), metric.clone()))
        })
        .collect();
    // The figures of a single network are those of the ensemble.
    let repeats = models.len() == 1 && !each.is_empty();
    let together = if repeats { &[] } else { together };
    let all = together.iter().filter(is_altered).map(|m| (w.about.all_together.to_string(), m.clone()));
    let mut rows: Vec<_> = all.chain(each).collect();
    let place = |metric: &Metric| ORDER.iter().position(|id| metric.condition.as_deref() == Some(*id));
    rows.sort_by_key(|(_, metric)| place(metric).unwrap_or(ORDER.len()));
    rows
}

/// A table of the accuracies on altered recordings, if there are any.
pub fn conditions(
    w: &'static Words,
    models: &[ModelInfo],
    together: &[Metric],
) -> Option<impl IntoView + use<>> {
    let rows = altered(w, models, together);
    let w_about = &w.about;
    (!rows.is_empty()).then(|| {
        view! {
            <h3>{w_about.conditions}</h3>
            <p>{w_about.conditions_words}</p>
            <div class="scroll" tabindex="0" role="region" aria-label=w_about.conditions>
                <table data-testid="conditions-table">
                    <thead>
                        <tr>
                            <th scope="col">{w_about.condition}</th>
                            <th scope="col">{w.votes.network}</th>
                            <th scope="col">{w_about.tested_on}</th>
                            <th scope="col">{w_about.correct}</th>
                            <th scope="col">{w_about.interval}</th>
                        </tr>
                    </thead>
                    <tbody>
                        {rows.iter().map(|(name, metric)| condition_row(w, name, metric)).collect_view()}
                    </tbody>
                </table>
            </div>
        }
    })
}

/// The accuracy under one condition.
fn condition_row(w: &'static Words, name: &str, metric: &Metric) -> impl IntoView + use<> {
    let condition = metric.condition.as_deref().unwrap_or_default();
    view! {
        <tr data-condition=condition.to_string()>
            <th scope="row">{w.about.condition_name(condition).to_string()}</th>
            <td>{name.to_string()}</td>
            <td>{examples(w, metric)}</td>
            <td class="figure">{text::percent(metric.accuracy)}</td>
            <td class="figure">{interval(w, metric)}</td>
        </tr>
    }
}

/// Sentences about non-music sounds: how many were rejected, and how much music was accepted.
/// The figures of the ensemble come before those of the individual networks. Empty if nothing was measured.
pub fn non_music(w: &'static Words, models: &[ModelInfo], together: &[Metric]) -> Vec<String> {
    let sentence = |level: &str, words: &str| {
        let of_networks = models.iter().flat_map(|model| &model.metrics);
        let is_it = |metric: &&Metric| metric.level == level && metric.condition.is_none();
        let metric = together.iter().chain(of_networks).find(is_it)?;
        let protocol = match metric.protocol.as_str() {
            "kinds left out" => w.about.kinds_left_out.to_string(),
            other => text::fill(w.about.protocol, &[other]),
        };
        Some(text::fill(words, &[&metric.n.to_string(), &text::percent(metric.accuracy), &protocol]))
    };
    let rejected = sentence("non-music", w.about.non_music_rejected);
    rejected.into_iter().chain(sentence("music-accepted", w.about.music_accepted)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::i18n::Language;

    fn metric(protocol: &str, level: &str, condition: Option<&str>, accuracy: f64) -> Metric {
        Metric {
            protocol: protocol.into(),
            level: level.into(),
            condition: condition.map(Into::into),
            n: 179,
            accuracy,
            interval: None,
            confusion: None,
        }
    }

    #[test]
    fn only_altered_clips_of_the_strict_protocol_are_listed_in_a_fixed_order() {
        let w = Language::English.words();
        let all = [
            metric("fault-filtered", "track", Some("room"), 0.7),
            metric("fault-filtered", "track", None, 0.8),
            metric("fault-filtered", "segment", Some("room"), 0.6),
            metric("segment", "track", Some("room"), 0.9),
            metric("fault-filtered", "track", Some("mp3-48k"), 0.78),
            metric("fault-filtered", "track", Some("wind"), 0.1),
        ];
        let rows = altered(w, &[], &all);
        let conditions: Vec<_> = rows.iter().filter_map(|(_, metric)| metric.condition.as_deref()).collect();
        assert_eq!(conditions, ["mp3-48k", "room", "wind"]);
        assert_eq!(w.about.condition_name("wind"), "wind");
        assert!(altered(w, &[], &[]).is_empty());
    }

    #[test]
    fn sounds_that_are_not_music_have_a_sentence_for_each_figure() {
        let w = Language::English.words();
        let all = [
            metric("kinds left out", "non-music", None, 0.97),
            metric("validation", "music-accepted", None, 0.992),
        ];
        let sentences = non_music(w, &[], &all);
        assert_eq!(sentences.len(), 2);
        assert!(sentences.first().is_some_and(|s| s.contains("179") && s.contains("97%")), "{sentences:?}");
        assert!(sentences.get(1).is_some_and(|s| s.contains("protocol: validation")), "{sentences:?}");
        assert!(non_music(w, &[], &[metric("fault-filtered", "track", None, 0.7)]).is_empty());
    }
}
