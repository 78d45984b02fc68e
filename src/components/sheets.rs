//! What lies over the page when asked for: about the model, and settings.

use cratedigger_protocol::{Metric, ModelInfo, ModelSet, Rule};
use leptos::html::Dialog;
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::{icon, icons};
use crate::app::Page;
use crate::engine::policy::{DeviceState, Mode};
use crate::settings::Theme;
use crate::state::{Full, Sheet, State};
use crate::trouble::Notice;
use crate::words::{Language, Words};
use crate::{engine, glue, history, settings, text};

/// A modal dialog that is open while the state says so.
fn dialog(
    state: State,
    which: Sheet,
    title: fn(&'static Words) -> &'static str,
    body: AnyView,
) -> impl IntoView {
    let element = NodeRef::<Dialog>::new();
    Effect::new(move |_| {
        let open = state.sheet.get() == Some(which);
        let Some(dialog) = element.get() else { return };
        if open && !dialog.open() {
            // It can only fail for a dialog that is not in the document.
            let _ = dialog.show_modal();
        } else if !open && dialog.open() {
            dialog.close();
        }
    });
    let (id, testid) = match which {
        Sheet::About => ("about-title", "about"),
        Sheet::Settings => ("settings-title", "settings"),
    };
    view! {
        <dialog
            node_ref=element
            class="sheet"
            aria-labelledby=id
            data-testid=testid
            on:close=move |_| {
                if state.sheet.get_untracked() == Some(which) {
                    state.sheet.set(None);
                }
            }
            on:click=move |event| {
                // A click on the dialog itself, and not on what is in it, is one beside the sheet.
                if element.get_untracked().is_some_and(|dialog| event.target().as_ref() == Some(&dialog)) {
                    state.sheet.set(None);
                }
            }
        >
            <div class="sheet-body">
                <div class="sheet-head">
                    <h2 id=id>{move || title(state.words())}</h2>
                    <button
                        type="button"
                        class="icon-button"
                        data-testid=format!("close-{testid}")
                        aria-label=move || state.words().close
                        on:click=move |_| state.sheet.set(None)
                    >
                        {icon(icons::CLOSE)}
                    </button>
                </div>
                {body}
            </div>
        </dialog>
    }
}

/// How far to believe the answer: nothing that the networks' own manifest doesn't say.
#[component]
pub fn AboutSheet(page: Page) -> impl IntoView {
    let state = page.state;
    let body = move || {
        let w = state.words();
        let models = state.models.get();
        let known = models.iter().any(|model| !model.metrics.is_empty());
        // Of several networks, each has a line; segments are only counted of all together.
        let told = |metric: &&Metric| models.len() == 1 || metric.level == "track";
        let rows = models
            .iter()
            .flat_map(|model| {
                model.metrics.iter().filter(told).map(|metric| metric_row(w, &model.name, metric))
            })
            .collect_view();
        // Of one network, the ensemble's figures are its own. What shipped has learned from all but the
        // strict test clips, so that figures of other splits are of networks trained again for these.
        let is_own = |metric: &Metric| {
            models.iter().flat_map(|model| &model.metrics).any(|own| own.protocol == metric.protocol)
        };
        let (together, again): (Vec<Metric>, Vec<Metric>) =
            state.together.get().into_iter().partition(is_own);
        let together = if models.len() > 1 { together } else { Vec::new() };
        let again = (!again.is_empty()).then(|| {
            let rows = again.iter().map(|metric| metric_row(w, w.trained_again, metric)).collect_view();
            view! {
                <p>{w.other_splits}</p>
                <div class="scroll" tabindex="0" role="region" aria-label=w.trained_again>
                    <table data-testid="other-splits">
                        {table_head(w)}
                        <tbody>{rows}</tbody>
                    </table>
                </div>
            }
        });
        let of_all = together.iter().map(|metric| metric_row(w, w.all_together, metric)).collect_view();
        let networks = models.iter().map(|model| network(w, model)).collect_view();
        let confusion = together
            .iter()
            .chain(models.iter().flat_map(|model| &model.metrics))
            .find_map(|metric| Some((metric, metric.confusion.as_ref()?)))
            .map(|(metric, counts)| confusion(state, metric, counts));
        view! {
            <p class="lead">{w.about_lead}</p>
            {known
                .then(|| {
                    view! {
                        <h3>{w.how_often}</h3>
                        {headline(w, &models, &together).map(|words| view! { <p>{words}</p> })}
                        <div class="scroll" tabindex="0" role="region" aria-label=w.how_often>
                            <table>
                                {table_head(w)}
                                <tbody>{of_all} {rows}</tbody>
                            </table>
                        </div>
                    }
                })}
            {confusion} {again}
            <h3>{w.weaknesses}</h3>
            <ul class="plain">{w.weaknesses_list.iter().map(|words| view! { <li>{*words}</li> }).collect_view()}</ul>
            <h3>{w.data}</h3>
            <p>{w.data_words}</p>
            <h3>{w.networks}</h3>
            {if models.is_empty() { view! { <p>{w.loading_networks}</p> }.into_any() } else { networks.into_any() }}
            <h3>{w.privacy}</h3>
            <p>{w.privacy_words}</p>
        }
    };
    dialog(state, Sheet::About, |w| w.about_title, body.into_any())
}

fn table_head(w: &'static Words) -> impl IntoView {
    view! {
        <thead>
            <tr>
                <th scope="col">{w.network}</th>
                <th scope="col">{w.tested_on}</th>
                <th scope="col">{w.right}</th>
                <th scope="col">{w.interval}</th>
            </tr>
        </thead>
    }
}

fn network(w: &'static Words, model: &ModelInfo) -> impl IntoView + use<> {
    let figures =
        text::fill(w.parameters, &[&model.parameters.to_string(), &model.bytes.div_ceil(1000).to_string()]);
    view! {
        <p class="network">
            <strong>{model.name.clone()}</strong>
            " "
            {model.summary.clone()}
            <small>{figures}</small>
        </p>
    }
}

/// One sentence, from the strictest protocol only.
fn headline(w: &'static Words, models: &[ModelInfo], together: &[Metric]) -> Option<String> {
    let is_strict = |metric: &&Metric| metric.protocol == "fault-filtered" && metric.level == "track";
    let strict: Vec<&Metric> = models.iter().flat_map(|model| &model.metrics).filter(is_strict).collect();
    if let Some(all) = together.iter().find(is_strict) {
        return Some(text::fill(w.headline_all, &[&all.n.to_string(), &text::percent(all.accuracy)]));
    }
    let n = strict.first()?.n;
    if strict.iter().any(|metric| metric.n != n) {
        // Figures on different clips don't belong into one sentence; the table has them.
        return None;
    }
    let shares = strict.iter().map(|metric| metric.accuracy);
    let (low, high) = shares.fold((f64::MAX, f64::MIN), |(low, high), a| (low.min(a), high.max(a)));
    let n = n.to_string();
    Some(if models.len() == 1 {
        text::fill(w.headline_one, &[&n, &text::percent(low)])
    } else {
        text::fill(w.headline_many, &[&n, &text::percent(low), &text::percent(high)])
    })
}

fn metric_row(w: &'static Words, model: &str, metric: &Metric) -> impl IntoView + use<> {
    let n = metric.n.to_string();
    let unit = match metric.level.as_str() {
        "track" => text::fill(w.n_clips, &[&n]),
        _ => text::fill(w.n_segments, &[&n]),
    };
    let how = match metric.protocol.as_str() {
        "fault-filtered" => w.fault_filtered,
        // track-5-fold: all folds of a cross-validation together.
        protocol if protocol.starts_with("track") => w.track_stratified,
        "segment" => w.segment_random,
        _ => "",
    };
    let how = if how.is_empty() { metric.protocol.clone() } else { how.to_string() };
    // Segments of one song are no independent examples, so they get no interval.
    let interval = metric.interval.map(|[low, high]| (low, high));
    let interval =
        interval.or_else(|| (metric.level == "track").then(|| text::wilson(metric.accuracy, metric.n)));
    let interval = interval.map_or_else(
        || "–".to_string(),
        |(low, high)| text::fill(w.from_to, &[&text::percent(low), &text::percent(high)]),
    );
    view! {
        <tr>
            <th scope="row">{model.to_string()}</th>
            <td>{format!("{unit} {how}")}</td>
            <td class="figure">{text::percent(metric.accuracy)}</td>
            <td class="figure">{interval}</td>
        </tr>
    }
}

/// Which genre was taken for which: one row a true genre.
fn confusion(state: State, metric: &Metric, counts: &[Vec<u32>]) -> impl IntoView + use<> {
    let w = state.words();
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
    let rows = counts
        .iter()
        .enumerate()
        .map(|(truth, row)| {
            let total: u32 = row.iter().sum::<u32>().max(1);
            let cells = row
                .iter()
                .enumerate()
                .map(|(named, count)| {
                    let share = format!("{:.3}", f64::from(*count) / f64::from(total));
                    view! {
                        <td
                            class:right=named == truth
                            class:none=*count == 0
                            style=("--share", move || share.clone())
                        >
                            {*count}
                        </td>
                    }
                })
                .collect_view();
            view! {
                <tr data-class=truth.to_string()>
                    <th scope="row">{state.genre(truth)}</th>
                    {cells}
                </tr>
            }
        })
        .collect_view();
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

/// The choices.
#[component]
pub fn SettingsSheet(page: Page) -> impl IntoView {
    let state = page.state;
    let w = move || state.words();
    let theme = RwSignal::new(settings::theme());
    let still = RwSignal::new(settings::still());
    let keeps = RwSignal::new(history::enabled());
    let mode = move |mode: Mode| {
        let name = move || match mode {
            Mode::Auto => w().device_auto,
            Mode::WebGpu => "WebGPU",
            Mode::Cpu => "CPU",
        };
        choice(
            "device",
            format!("device-choice-{}", mode.id()),
            name,
            move || state.mode.get() == mode,
            move || page.engine(|engine| engine.set_mode(mode)),
        )
    };
    let themes = move |one: Theme| {
        let name = move || match one {
            Theme::System => w().theme_system,
            Theme::Light => w().theme_light,
            Theme::Dark => w().theme_dark,
        };
        choice(
            "theme",
            format!("theme-{}", one.id()),
            name,
            move || theme.get() == one,
            move || {
                theme.set(one);
                settings::set_theme(one);
            },
        )
    };
    let languages = move |one: Language| {
        choice(
            "language",
            format!("language-{}", one.id()),
            move || one.words().language_name,
            move || state.language.get() == one,
            move || settings::set_language(state, one),
        )
    };
    let sets = move |set: ModelSet| {
        let name = move || match set {
            ModelSet::Fast => w().networks_fast,
            ModelSet::Full => w().networks_full,
        };
        choice(
            "networks",
            format!("networks-{}", engine::set_id(set)),
            name,
            move || state.wanted.get() == set,
            move || page.engine(|engine| engine.set_networks(set, state.rule.get_untracked())),
        )
    };
    let rules = move |rule: Option<Rule>| {
        let name = move || match rule {
            None => w().rule_measured,
            Some(Rule::Sum) => w().rule_sum,
            Some(Rule::Product) => w().rule_product,
            Some(Rule::Vote) => w().rule_vote,
        };
        choice(
            "rule",
            format!("rule-{}", engine::rule_id(rule)),
            name,
            move || state.rule.get() == rule,
            move || page.engine(|engine| engine.set_networks(state.wanted.get_untracked(), rule)),
        )
    };
    let full = move || match state.full.get() {
        Full::None | Full::Offered => w().networks_hint.to_string(),
        Full::Loading => w().device_loading.into(),
        Full::Ready => {
            let (count, bytes) =
                state.models.with(|all| (all.len(), all.iter().map(|m| m.bytes).sum::<u64>().div_ceil(1000)));
            text::fill(w().networks_ready, &[&count.to_string(), &bytes.to_string()])
        }
        Full::Failed => w().networks_failed.into(),
    };
    let copy = move |_| {
        let words = diagnostics(state);
        spawn_local(async move {
            let copied = glue::copy_text(&words).await.is_ok();
            state.notice.set(Some(if copied { Notice::Copied } else { Notice::NotKept }));
        });
    };
    let body = view! {
        <fieldset>
            <legend>{move || w().device_title}</legend>
            <div class="choices">{Mode::ALL.map(mode).collect_view()}</div>
            <p class="quiet-words">{move || w().device_hint}</p>
            <dl class="devices">
                <Line state name="CPU" testid="device-status-cpu" device=state.cpu />
                <Line state name="WebGPU" testid="device-status-gpu" device=state.gpu />
            </dl>
        </fieldset>
        <Show when=move || state.full.get() != Full::None>
            <fieldset data-testid="networks" data-state=move || state.full.get().id()>
                <legend>{move || w().networks}</legend>
                <div class="choices">{[ModelSet::Fast, ModelSet::Full].map(sets).collect_view()}</div>
                <p class="quiet-words">{full}</p>
                <div class="choices" role="group" aria-label=move || w().rule_title>
                    {engine::RULES.map(rules).collect_view()}
                </div>
                <p class="quiet-words">{move || w().rule_hint}</p>
            </fieldset>
        </Show>
        <fieldset>
            <legend>{move || w().theme_title}</legend>
            <div class="choices">{Theme::ALL.map(themes).collect_view()}</div>
        </fieldset>
        <fieldset>
            <legend>{move || w().language_title}</legend>
            <div class="choices">{Language::ALL.map(languages).collect_view()}</div>
        </fieldset>
        <fieldset>
            <legend>{move || w().motion_title}</legend>
            <label class="check">
                <input
                    type="checkbox"
                    data-testid="still"
                    prop:checked=move || still.get()
                    on:change=move |event| {
                        still.set(event_target_checked(&event));
                        settings::set_still(still.get_untracked());
                    }
                />
                {move || w().keep_still}
            </label>
        </fieldset>
        <fieldset>
            <legend>{move || w().history_title}</legend>
            <label class="check">
                <input
                    type="checkbox"
                    data-testid="keep-history"
                    prop:checked=move || keeps.get()
                    on:change=move |event| {
                        keeps.set(event_target_checked(&event));
                        history::enable(state, keeps.get_untracked());
                    }
                />
                {move || w().keep_history}
            </label>
            <p class="quiet-words">{move || w().history_hint}</p>
            <button
                type="button"
                class="button quiet small"
                data-testid="clear-history"
                on:click=move |_| {
                    history::clear(state);
                    let old: Vec<u32> = state
                        .songs
                        .with_untracked(|all| {
                            all.iter().filter(|s| !s.status.get_untracked().is_open()).map(|s| s.id).collect()
                        });
                    page.engine(|engine| old.into_iter().for_each(|id| engine.remove(id)));
                }
            >
                {move || w().clear_history}
            </button>
        </fieldset>
        <fieldset>
            <legend>{move || w().diagnostics_title}</legend>
            <p class="quiet-words">{move || w().diagnostics_hint}</p>
            <button type="button" class="button quiet small" data-testid="copy-diagnostics" on:click=copy>
                {icon(icons::COPY)}
                {move || w().copy_diagnostics}
            </button>
            <pre class="diagnostics" tabindex="0" data-testid="diagnostics">{move || diagnostics(state)}</pre>
        </fieldset>
    };
    dialog(state, Sheet::Settings, |w| w.settings, body.into_any())
}

/// One of several, as a segment of a switch.
fn choice(
    group: &'static str,
    testid: String,
    name: impl Fn() -> &'static str + Send + 'static,
    checked: impl Fn() -> bool + Send + 'static,
    act: impl Fn() + 'static,
) -> impl IntoView {
    view! {
        <label class="choice">
            <input type="radio" name=group data-testid=testid prop:checked=checked on:change=move |_| act() />
            <span>{name}</span>
        </label>
    }
}

#[component]
fn Line(
    state: State,
    name: &'static str,
    testid: &'static str,
    device: RwSignal<DeviceState>,
) -> impl IntoView {
    let w = move || state.words();
    let words = move || match device.get() {
        DeviceState::Off => w().device_off.to_string(),
        DeviceState::Unavailable(reason) => text::fill(w().device_unavailable, &[w().reason(reason)]),
        DeviceState::Loading => w().device_loading.into(),
        DeviceState::Ready { milliseconds, .. } => {
            text::fill(w().device_ready, &[&text::duration(milliseconds)])
        }
        DeviceState::Failed(reason) => text::fill(w().device_failed, &[w().reason(reason)]),
    };
    let detail = move || match device.get() {
        DeviceState::Ready { name, difference, tolerance, .. } => {
            // A true minus sign: lines don't break at it.
            let check =
                text::fill(w().device_check, &[&format!("{difference:.1e}"), &format!("{tolerance:.1e}")])
                    .replace('-', "−");
            let name = if name.is_empty() { check } else { format!("{name}; {check}") };
            Some(view! { <small>{name}</small> })
        }
        _ => None,
    };
    view! {
        <div class="device" data-testid=testid data-state=move || device.with(DeviceState::id)>
            <dt>{name}</dt>
            <dd>
                <span>{words}</span>
                {detail}
            </dd>
        </div>
    }
}

/// What helps to find a fault. No file names, and nothing about the songs: it is to be passed on.
fn diagnostics(state: State) -> String {
    let device = |device: DeviceState| match device {
        DeviceState::Ready { name, milliseconds, difference, .. } => {
            format!("ready, {milliseconds:.2} ms a segment, difference {difference:.1e}, {name}")
        }
        DeviceState::Unavailable(reason) | DeviceState::Failed(reason) => {
            format!(
                "{}, {reason:?}",
                if matches!(device, DeviceState::Failed(_)) { "failed" } else { "unavailable" }
            )
        }
        other => other.id().into(),
    };
    let window = window();
    let screen = format!(
        "{}×{} at {}",
        window.inner_width().ok().and_then(|w| w.as_f64()).unwrap_or_default(),
        window.inner_height().ok().and_then(|h| h.as_f64()).unwrap_or_default(),
        window.device_pixel_ratio()
    );
    let networks: Vec<String> =
        state.models.with(|models| models.iter().map(|m| format!("{} ({})", m.name, m.parameters)).collect());
    let times: Vec<String> = state.songs.with(|all| {
        all.iter()
            .filter_map(|song| {
                let outcome = song.outcome.get()?;
                let outline = song.outline.get()?;
                Some(format!(
                    "  {:.0} s: {:.0} ms, first after {:.0} ms, {:?}",
                    outline.seconds, outcome.milliseconds, outcome.milliseconds_to_first, outcome.device
                ))
            })
            .rev()
            .take(5)
            .collect()
    });
    format!(
        "Cratedigger {}\nbrowser: {}\nscreen: {screen}\ndevice: {}\nCPU: {}\nWebGPU: {}\nnetworks: {}; {} set {}, rule {}\nlast songs:\n{}",
        env!("CARGO_PKG_VERSION"),
        window.navigator().user_agent().unwrap_or_default(),
        state.mode.get().id(),
        device(state.cpu.get()),
        device(state.gpu.get()),
        networks.join(", "),
        engine::set_id(state.wanted.get()),
        state.full.get().id(),
        engine::rule_id(state.rule.get()),
        times.join("\n"),
    )
}
