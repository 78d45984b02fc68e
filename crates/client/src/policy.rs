//! Which device analyses a song, and what happens when one fails: pure functions, so that every case
//! can be tested without a browser.

use cratedigger_protocol::DeviceKind;

use crate::settings::Choice;
use crate::trouble::Reason;

/// The user's choice of device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// The CPU answers first; the GPU takes over once it is ready and has measured faster.
    #[default]
    Auto,
    /// The GPU whenever it is ready.
    WebGpu,
    /// The CPU, and no GPU worker is fetched.
    Cpu,
}

impl Mode {
    /// All modes, in display order.
    pub const ALL: [Self; 3] = [Self::Auto, Self::WebGpu, Self::Cpu];

    /// Stable id, as in storage.
    pub fn id(self) -> &'static str {
        Choice::id(self)
    }
}

/// State of a device.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum DeviceState {
    /// Not started.
    #[default]
    Off,
    /// This browser or machine has no such device, for this reason.
    Unavailable(Reason),
    /// Its worker is being fetched, checked and timed.
    Loading,
    /// Its worker is checked against the golden logits and timed.
    Ready {
        /// The adapter, or the kind of CPU code.
        name: String,
        /// Time of the networks for one segment.
        milliseconds: f64,
        /// Largest absolute difference from the golden logits.
        difference: f32,
        /// Largest difference that would have been accepted.
        tolerance: f32,
    },
    /// It was tried and does not work, for this reason.
    Failed(Reason),
}

impl DeviceState {
    /// Stable id, for styles and tests.
    pub fn id(&self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Unavailable(_) => "unavailable",
            Self::Loading => "loading",
            Self::Ready { .. } => "ready",
            Self::Failed(_) => "failed",
        }
    }

    fn milliseconds(&self) -> Option<f64> {
        match self {
            Self::Ready { milliseconds, .. } => Some(*milliseconds),
            _ => None,
        }
    }
}

/// The next step for a song that is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send it to this device.
    Use(DeviceKind),
    /// The CPU worker is still loading: keep the song until it is ready.
    Wait,
    /// There is no CPU worker: start one, then wait.
    StartCpu,
}

/// Chooses the device for the next song.
pub fn next_step(mode: Mode, cpu: &DeviceState, gpu: &DeviceState) -> Step {
    let gpu_wins = match (mode, gpu.milliseconds(), cpu.milliseconds()) {
        (Mode::Cpu, ..) | (_, None, _) => false,
        (Mode::WebGpu, Some(_), _) | (Mode::Auto, Some(_), None) => true,
        (Mode::Auto, Some(gpu), Some(cpu)) => gpu < cpu,
    };
    match cpu {
        _ if gpu_wins => Step::Use(DeviceKind::WebGpu),
        DeviceState::Ready { .. } => Step::Use(DeviceKind::Cpu),
        DeviceState::Loading => Step::Wait,
        DeviceState::Off | DeviceState::Unavailable(_) | DeviceState::Failed(_) => Step::StartCpu,
    }
}

/// Whether to look for a GPU and load its worker now. The CPU must be ready first, so that the
/// large download does not delay the first answer.
pub fn wants_gpu(mode: Mode, cpu: &DeviceState, gpu: &DeviceState) -> bool {
    mode != Mode::Cpu && matches!(cpu, DeviceState::Ready { .. }) && matches!(gpu, DeviceState::Off)
}

/// What to do about a song whose worker was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// Analyse it again on the CPU.
    RedoOnCpu,
    /// Analyse it again on a new CPU worker.
    RestartCpu,
    /// Two CPU workers died of it; a third would, too.
    GiveUp,
}

/// Chooses the [`Recovery`] after the worker on `died` was lost. `cpu_deaths` is the number of CPU
/// workers lost to this song before.
pub fn recovery(died: DeviceKind, cpu_deaths: u32) -> Recovery {
    match (died, cpu_deaths) {
        (DeviceKind::WebGpu, _) => Recovery::RedoOnCpu,
        (DeviceKind::Cpu, 0) => Recovery::RestartCpu,
        (DeviceKind::Cpu, _) => Recovery::GiveUp,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(milliseconds: f64) -> DeviceState {
        DeviceState::Ready { name: String::new(), milliseconds, difference: 0.0, tolerance: 1.0 }
    }

    #[test]
    fn auto_takes_the_gpu_only_if_it_measured_faster() {
        let step = |gpu| next_step(Mode::Auto, &ready(30.0), &gpu);
        assert_eq!(step(ready(5.0)), Step::Use(DeviceKind::WebGpu));
        assert_eq!(step(ready(30.0)), Step::Use(DeviceKind::Cpu));
        assert_eq!(step(ready(900.0)), Step::Use(DeviceKind::Cpu));
        assert_eq!(step(ready(f64::NAN)), Step::Use(DeviceKind::Cpu));
    }

    #[test]
    fn a_song_never_waits_for_the_gpu() {
        for gpu in [
            DeviceState::Off,
            DeviceState::Loading,
            DeviceState::Unavailable(Reason::NoApi),
            DeviceState::Failed(Reason::Stopped),
        ] {
            for mode in Mode::ALL {
                assert_eq!(next_step(mode, &ready(30.0), &gpu), Step::Use(DeviceKind::Cpu));
                assert_eq!(next_step(mode, &DeviceState::Loading, &gpu), Step::Wait);
            }
        }
    }

    #[test]
    fn the_choice_of_the_visitor_counts() {
        assert_eq!(next_step(Mode::WebGpu, &ready(1.0), &ready(900.0)), Step::Use(DeviceKind::WebGpu));
        assert_eq!(next_step(Mode::Cpu, &ready(900.0), &ready(1.0)), Step::Use(DeviceKind::Cpu));
    }

    #[test]
    fn a_dead_cpu_is_started_again_unless_the_gpu_can_do_it() {
        let dead = DeviceState::Failed(Reason::Stopped);
        assert_eq!(next_step(Mode::Auto, &dead, &DeviceState::Off), Step::StartCpu);
        assert_eq!(next_step(Mode::Auto, &dead, &ready(9.0)), Step::Use(DeviceKind::WebGpu));
        assert_eq!(next_step(Mode::Cpu, &dead, &ready(9.0)), Step::StartCpu);
    }

    #[test]
    fn the_gpu_is_loaded_once_after_the_cpu_and_never_against_the_choice() {
        let off = DeviceState::Off;
        assert!(wants_gpu(Mode::Auto, &ready(1.0), &off));
        assert!(wants_gpu(Mode::WebGpu, &ready(1.0), &off));
        assert!(!wants_gpu(Mode::Cpu, &ready(1.0), &off));
        assert!(!wants_gpu(Mode::Auto, &DeviceState::Loading, &off));
        assert!(!wants_gpu(Mode::Auto, &ready(1.0), &DeviceState::Loading));
        assert!(!wants_gpu(Mode::Auto, &ready(1.0), &DeviceState::Failed(Reason::Stopped)));
    }

    #[test]
    fn a_song_is_tried_on_two_cpu_workers_at_most() {
        assert_eq!(recovery(DeviceKind::WebGpu, 1), Recovery::RedoOnCpu);
        assert_eq!(recovery(DeviceKind::Cpu, 0), Recovery::RestartCpu);
        assert_eq!(recovery(DeviceKind::Cpu, 1), Recovery::GiveUp);
    }
}
