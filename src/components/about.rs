//! How far to believe the answer: the networks' figures, each with how it was measured. Nothing
//! is said that the networks' own manifest doesn't say.

use cratedigger_protocol::{Metric, ModelInfo};
use leptos::prelude::*;

use crate::app::Page;
use crate::text;

/// The figures, and what they mean.
#[component]
pub fn About(page: Page) -> impl IntoView {
    let state = page.state;
    move || {
        let models = state.models.get();
        let known = models.iter().any(|model| !model.metrics.is_empty());
        known.then(|| {
            let rows = models
                .iter()
                .flat_map(|model| model.metrics.iter().map(|metric| row(&model.name, metric)))
                .collect_view();
            let networks = models
                .iter()
                .map(|model| {
                    let ModelInfo { name, summary, parameters, bytes, .. } = model;
                    let kilobytes = bytes.div_ceil(1000);
                    let words =
                        format!("{name}: {summary}; {parameters} trained parameters, {kilobytes} kB.");
                    view! { <p class="quiet-words">{words}</p> }
                })
                .collect_view();
            view! {
                <section class="card about" aria-labelledby="about-title">
                    <h2 id="about-title">"How often it is right"</h2>
                    {headline(&models).map(|words| view! { <p>{words}</p> })}
                    <details>
                        <summary>"All figures"</summary>
                        <div class="scroll" tabindex="0" role="region" aria-label="All figures">
                            <table>
                                <thead>
                                    <tr>
                                        <th scope="col">"Network"</th>
                                        <th scope="col">"Tested on"</th>
                                        <th scope="col">"Right"</th>
                                        <th scope="col">"95% interval"</th>
                                    </tr>
                                </thead>
                                <tbody>{rows}</tbody>
                            </table>
                        </div>
                        {networks}
                    </details>
                </section>
            }
        })
    }
}

/// One sentence, from the strictest protocol only.
fn headline(models: &[ModelInfo]) -> Option<String> {
    let strict: Vec<&Metric> = models
        .iter()
        .flat_map(|model| &model.metrics)
        .filter(|metric| metric.protocol == "fault-filtered" && metric.level == "track")
        .collect();
    let n = strict.first()?.n;
    if strict.iter().any(|metric| metric.n != n) {
        // Figures on different clips don't belong into one sentence; the table has them.
        return None;
    }
    let shares = strict.iter().map(|metric| metric.accuracy);
    let (low, high) = shares.fold((f64::MAX, f64::MIN), |(low, high), a| (low.min(a), high.max(a)));
    let (who, share) = if models.len() == 1 {
        ("", text::percent(low))
    } else if text::percent(low) == text::percent(high) {
        ("each network alone got ", text::percent(low))
    } else {
        ("each network alone got ", format!("{} to {}", text::percent(low), text::percent(high)))
    };
    Some(format!(
        "On {} by artists it never heard, {who}{share} right (fault-filtered protocol).",
        text::count(n, "test clip")
    ))
}

fn row(model: &str, metric: &Metric) -> impl IntoView + use<> {
    let unit = match metric.level.as_str() {
        "track" => text::count(metric.n, "clip"),
        level => text::count(metric.n, level),
    };
    let how = match metric.protocol.as_str() {
        "fault-filtered" => "by artists it never heard (fault-filtered)",
        "track" => "it never heard, though it may know their artists (track-stratified)",
        "segment" => "of songs it knows other parts of: too rosy (segment-random)",
        other => other,
    };
    let (low, high) = text::wilson(metric.accuracy, metric.n);
    view! {
        <tr>
            <th scope="row">{model.to_string()}</th>
            <td>{format!("{unit} {how}")}</td>
            <td>{text::percent(metric.accuracy)}</td>
            <td>{format!("{} to {}", text::percent(low), text::percent(high))}</td>
        </tr>
    }
}
