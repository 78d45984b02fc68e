//! Loss and accuracy over the epochs of the training.

use maud::{Markup, html};

use super::{Level, Numbering, folded_table};
use crate::report::figures::{Curves, Series};
use crate::report::{EpochMetrics, ModelReport, cell};

/// Words that depend on whether the model was trained on the validation clips, too. Then these clips do not
/// validate anything.
struct Words {
    /// Name of the loss curve beside the one of the training.
    loss: &'static str,
    /// The same at the head of a column.
    loss_head: &'static str,
    loss_caption: &'static str,
    accuracy: &'static str,
    accuracy_caption: &'static str,
}

const VALIDATION: Words = Words {
    loss: "validation",
    loss_head: "Validation",
    loss_caption: "whole validation clips",
    accuracy: "Validation accuracy",
    accuracy_caption: "Fraction of validation clips and segments predicted correctly",
};

const TRAINED_ON: Words = Words {
    loss: "evaluation",
    loss_head: "Evaluation",
    loss_caption: "whole clips that the model was trained on, too",
    accuracy: "Accuracy on training clips",
    accuracy_caption: "Fraction predicted correctly of the clips that the split reserves for validation. The model was \
                       trained on them, so this does not measure generalization to new music",
};

pub(super) fn section(model: &ModelReport, numbering: &mut Numbering, level: Level) -> Markup {
    let epochs = &model.curves;
    if epochs.is_empty() {
        return html! {
            (level.heading("Training"))
            p { "No epochs are recorded." }
        };
    }
    let words = if model.valid_is_learned { &TRAINED_ON } else { &VALIDATION };
    // Without validation no epoch is the best one; the last epoch was kept.
    let best = best_epoch(epochs).filter(|_| !model.valid_is_learned);
    html! {
        (level.heading("Training"))
        div.pair { (loss(epochs, words, best, numbering)) (accuracy(epochs, words, best, numbering)) }
        (folded_table("Epochs as a table", &table(epochs, words, best)))
    }
}

/// The epoch with the highest validation accuracy of whole clips. Ties go to the lower loss, then to the
/// earlier epoch.
fn best_epoch(epochs: &[EpochMetrics]) -> Option<usize> {
    let order = |a: &EpochMetrics, b: &EpochMetrics| {
        b.valid_track_accuracy.total_cmp(&a.valid_track_accuracy).then(a.valid_loss.total_cmp(&b.valid_loss))
    };
    let finite = epochs.iter().filter(|epoch| epoch.valid_track_accuracy.is_finite());
    finite.min_by(|a, b| order(a, b)).map(|epoch| epoch.epoch)
}

fn loss(epochs: &[EpochMetrics], words: &Words, best: Option<usize>, numbering: &mut Numbering) -> Markup {
    let curves = Curves {
        title: format!("Loss over {} epochs. The numbers are in the table below.", epochs.len()),
        y_name: "loss",
        epochs,
        series: &[
            Series { name: "training", value: |epoch| epoch.train_loss },
            Series { name: words.loss, value: |epoch| epoch.valid_loss },
        ],
        fractions: false,
        best,
    };
    let caption = html! {
        "Cross-entropy of the training windows, with mixup and label smoothing where they are used, and of "
        (words.loss_caption) "."
    };
    numbering.figure(&curves.chart(), &caption)
}

fn accuracy(
    epochs: &[EpochMetrics],
    words: &Words,
    best: Option<usize>,
    numbering: &mut Numbering,
) -> Markup {
    let curves = Curves {
        title: format!(
            "{} over {} epochs. The numbers are in the table below.",
            words.accuracy,
            epochs.len()
        ),
        y_name: &format!("{}, %", words.accuracy.to_lowercase()),
        epochs,
        series: &[
            Series { name: "clips", value: |epoch| epoch.valid_track_accuracy },
            Series { name: "segments", value: |epoch| epoch.valid_segment_accuracy },
        ],
        fractions: true,
        best,
    };
    let caption = html! {
        (words.accuracy_caption)
        @if let Some(best) = best { ". The best epoch for clips is " (best) }
        "."
    };
    numbering.figure(&curves.chart(), &caption)
}

fn table(epochs: &[EpochMetrics], words: &Words, best: Option<usize>) -> Markup {
    let number = |value: f64| if value.is_finite() { format!("{value:.4}") } else { "–".into() };
    html! {
        thead {
            tr {
                th {}
                th.group colspan="2" scope="colgroup" { "Loss" }
                th.group colspan="2" scope="colgroup" { (words.accuracy) ", %" }
                th {} th {}
            }
            tr {
                th.n { "Epoch" } th.n { "Training" } th.n { (words.loss_head) } th.n { "Clips" } th.n { "Segments" }
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
    }
}
