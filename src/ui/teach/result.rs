//! How well classes were learned.

use cratedigger_protocol::Metric;
use leptos::prelude::*;

use crate::i18n::Words;
use crate::state::{Own, State};
use crate::text;

/// Accuracy, confused songs and the confusion matrix of what was taught.
pub(super) fn result(state: State, own: &Own) -> impl IntoView + use<> {
    let words = state.words();
    let w = &words.teach;
    let name = |class: u32| own.classes.get(class as usize).cloned().unwrap_or_default();
    let confused = own.confused.iter().map(|song| {
        let share = text::percent(song.probability.into());
        let names = [&song.song, &name(song.class), &name(song.predicted), &share];
        view! { <li data-testid="confused">{text::fill(w.confused, &names.map(String::as_str))}</li> }
    });
    let confused = confused.collect_view();
    let matrix = own.metric.as_ref().and_then(|metric| metric.confusion.clone());
    let matrix = matrix.filter(|rows| rows.len() == own.classes.len());
    view! {
        <section class="taught" data-testid="taught" data-usable=own.usable.to_string()>
            <h3>{w.result_title}</h3>
            <p>{text::fill(w.classes_are, &[&own.classes.join(", ")])}</p>
            {own.metric.as_ref().map(|metric| accuracy(words, metric))}
            {(own.together > 1)
                .then(|| view! { <p class="quiet-words">{text::fill(w.together, &[&own.together.to_string()])}</p> })}
            {(!own.usable).then(|| view! { <p class="warning">{w.unusable}</p> })}
            {(!own.confused.is_empty())
                .then(|| {
                    view! {
                        <h4>{w.confused_title}</h4>
                        <ul class="plain">{confused}</ul>
                    }
                })}
            {matrix.map(|rows| confusion(words, &own.classes, &rows))}
        </section>
    }
}

fn accuracy(words: &'static Words, metric: &Metric) -> impl IntoView + use<> {
    let [low, high] = metric.interval.unwrap_or([0.0, 1.0]);
    let correct = (metric.accuracy * metric.n as f64).round();
    let values = [
        format!("{correct:.0}"),
        metric.n.to_string(),
        text::percent(metric.accuracy),
        text::percent(low),
        text::percent(high),
    ];
    let sentence = text::fill(words.teach.accuracy, &values.each_ref().map(String::as_str));
    view! {
        <p data-testid="taught-accuracy" data-accuracy=metric.accuracy.to_string()>
            {sentence}
        </p>
    }
}

/// One row for each class, one column for each answer.
fn confusion(words: &'static Words, classes: &[String], rows: &[Vec<u32>]) -> impl IntoView + use<> {
    let w = &words.teach;
    let heads = classes.iter().map(|name| view! { <th scope="col">{name.clone()}</th> }).collect_view();
    let body = rows.iter().zip(classes).enumerate().map(|(label, (row, name))| {
        let total = row.iter().sum::<u32>().max(1);
        let cells = row.iter().enumerate().map(|(answer, count)| {
            let share = format!("{:.3}", f64::from(*count) / f64::from(total));
            view! {
                <td class:right=answer == label class:none=*count == 0 style=("--share", move || share.clone())>
                    {*count}
                </td>
            }
        });
        view! {
            <tr>
                <th scope="row">{name.clone()}</th>
                {cells.collect_view()}
            </tr>
        }
    });
    let body = body.collect_view();
    view! {
        <div class="scroll" tabindex="0" role="region" aria-label=w.confusion_title>
            <table class="confusion">
                <caption>{w.confusion_caption}</caption>
                <thead>
                    <tr>
                        <td></td>
                        {heads}
                    </tr>
                </thead>
                <tbody>{body}</tbody>
            </table>
        </div>
    }
}
