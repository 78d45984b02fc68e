//! Text for a bug report. It contains no file names and nothing about the songs, because visitors pass
//! it on.

use leptos::prelude::*;

use crate::engine;
use crate::engine::policy::DeviceState;
use crate::state::State;

/// Number of songs whose computation times are listed.
const SONGS: usize = 5;

/// Versions, devices, networks and computation times.
pub fn diagnostics(state: State) -> String {
    let window = window();
    let screen = format!(
        "{}×{} at {}",
        window.inner_width().ok().and_then(|w| w.as_f64()).unwrap_or_default(),
        window.inner_height().ok().and_then(|h| h.as_f64()).unwrap_or_default(),
        window.device_pixel_ratio()
    );
    let (devices, models) = (state.devices, state.models);
    let networks: Vec<String> =
        models.list.with(|all| all.iter().map(|m| format!("{} ({})", m.name, m.parameters)).collect());
    format!(
        "Cratedigger {}\nbrowser: {}\nscreen: {screen}\ndevice: {}\nCPU: {}\nWebGPU: {}\nnetworks: {}; {} set {}, \
         rule {}\nlast songs:\n{}",
        env!("CARGO_PKG_VERSION"),
        window.navigator().user_agent().unwrap_or_default(),
        devices.mode.get().id(),
        devices.cpu.with(device),
        devices.gpu.with(device),
        networks.join(", "),
        engine::set_id(models.wanted.get()),
        models.full.get().id(),
        engine::rule_id(models.rule.get()),
        times(state).join("\n"),
    )
}

/// State of a device.
fn device(device: &DeviceState) -> String {
    match device {
        DeviceState::Ready { name, milliseconds, difference, .. } => {
            format!("ready, {milliseconds:.2} ms per segment, difference {difference:.1e}, {name}")
        }
        DeviceState::Unavailable(reason) | DeviceState::Failed(reason) => {
            format!("{}, {reason:?}", device.id())
        }
        DeviceState::Off | DeviceState::Loading => device.id().into(),
    }
}

/// Computation times of the newest songs.
fn times(state: State) -> Vec<String> {
    state.songs.with(|all| {
        all.iter()
            .rev()
            .filter_map(|song| {
                let (result, info) = (song.result.get()?, song.info.get()?);
                // A result of an earlier visit does not say.
                let workers = match result.workers {
                    0 => String::new(),
                    workers => format!(", workers {workers}, {:.0} MB", result.memory / 1e6),
                };
                Some(format!(
                    "  {:.0} s: {:.0} ms, first after {:.0} ms, {:?}{workers}",
                    info.seconds, result.milliseconds, result.milliseconds_to_first, result.device
                ))
            })
            .take(SONGS)
            .collect()
    })
}
