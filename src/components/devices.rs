//! What computes, how it stands, and the choice.

use leptos::prelude::*;

use crate::app::Page;
use crate::engine::policy::{DeviceState, Mode};
use crate::text;

/// The devices and the choice between them.
#[component]
pub fn Devices(page: Page) -> impl IntoView {
    let state = page.state;
    let choice = move |mode: Mode| {
        let (name, hint) = match mode {
            Mode::Auto => ("Auto", "whichever is faster"),
            Mode::WebGpu => ("WebGPU", "your graphics card"),
            Mode::Cpu => ("CPU", "your processor"),
        };
        view! {
            <label class="choice" title=hint>
                <input
                    type="radio"
                    name="device"
                    value=mode.id()
                    data-testid=format!("device-choice-{}", mode.id())
                    prop:checked=move || state.mode.get() == mode
                    on:change=move |_| page.engine(|engine| engine.set_mode(mode))
                />
                <span>{name}</span>
            </label>
        }
    };
    view! {
        <section class="card devices" aria-labelledby="devices-title">
            <h2 id="devices-title">"Where it is computed"</h2>
            <fieldset class="choices">
                <legend class="hidden">"Device for the next song"</legend>
                {Mode::ALL.map(choice).collect_view()}
            </fieldset>
            <dl>
                <Line name="CPU" testid="device-status-cpu" device=state.cpu />
                <Line name="WebGPU" testid="device-status-gpu" device=state.gpu />
            </dl>
        </section>
    }
}

#[component]
fn Line(name: &'static str, testid: &'static str, device: RwSignal<DeviceState>) -> impl IntoView {
    let words = move || match device.get() {
        DeviceState::Off => "not used".to_string(),
        DeviceState::Unavailable(reason) => format!("not available: {reason}"),
        DeviceState::Loading => "loading and checking…".into(),
        DeviceState::Ready { milliseconds, .. } => {
            format!("checked, {} a segment", text::duration(milliseconds))
        }
        DeviceState::Failed(reason) => format!("failed: {reason}"),
    };
    let detail = move || match device.get() {
        DeviceState::Ready { name, difference, tolerance, .. } => {
            // A true minus sign: lines don't break at it.
            let check =
                format!("largest difference from the reference {difference:.1e}, allowed {tolerance:.1e}")
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
