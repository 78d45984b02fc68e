//! The device, and the state of both.

use leptos::prelude::*;

use super::choices::choice;
use crate::app::Page;
use crate::engine::policy::{DeviceState, Mode};
use crate::state::State;
use crate::text;

/// Choice of the device and one line for each.
pub fn device_settings(page: Page) -> impl IntoView {
    let state = page.state;
    let w = move || &state.words().settings;
    let mode = move |mode: Mode| {
        choice(
            "device",
            format!("device-choice-{}", mode.id()),
            move || match mode {
                Mode::Auto => w().device_auto,
                Mode::WebGpu => "WebGPU",
                Mode::Cpu => "CPU",
            },
            move || state.devices.mode.get() == mode,
            move || page.engine(|engine| engine.set_mode(mode)),
        )
    };
    view! {
        <fieldset>
            <legend>{move || w().device_title}</legend>
            <div class="choices">{Mode::ALL.map(mode).collect_view()}</div>
            <p class="quiet-words">{move || w().device_hint}</p>
            <dl class="devices">
                {line(state, "CPU", "device-status-cpu", state.devices.cpu)}
                {line(state, "WebGPU", "device-status-gpu", state.devices.gpu)}
            </dl>
        </fieldset>
    }
}

/// State of one device.
fn line(
    state: State,
    name: &'static str,
    testid: &'static str,
    device: RwSignal<DeviceState>,
) -> impl IntoView {
    view! {
        <div class="device" data-testid=testid data-state=move || device.with(DeviceState::id)>
            <dt>{name}</dt>
            <dd>
                <span>{move || device.with(|device| status(state, device))}</span>
                {move || {
                    device.with(|device| detail(state, device)).map(|words| view! { <small>{words}</small> })
                }}
            </dd>
        </div>
    }
}

/// State of a device, in words.
fn status(state: State, device: &DeviceState) -> String {
    let w = state.words();
    match device {
        DeviceState::Off => w.settings.device_off.to_string(),
        DeviceState::Unavailable(reason) => {
            text::fill(w.settings.device_unavailable, &[w.trouble.reason(*reason)])
        }
        DeviceState::Loading => w.settings.device_loading.into(),
        DeviceState::Ready { milliseconds, .. } => {
            text::fill(w.settings.device_ready, &[&text::duration(*milliseconds)])
        }
        DeviceState::Failed(reason) => text::fill(w.settings.device_failed, &[w.trouble.reason(*reason)]),
    }
}

/// Name of the adapter and the result of the check against the golden logits.
fn detail(state: State, device: &DeviceState) -> Option<String> {
    let DeviceState::Ready { name, difference, tolerance, .. } = device else { return None };
    let values = [&*text::scientific(*difference), &*text::scientific(*tolerance)];
    let check = text::fill(state.words().settings.device_check, &values);
    Some(if name.is_empty() { check } else { format!("{name}; {check}") })
}
