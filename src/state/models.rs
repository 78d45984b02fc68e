//! The networks, the visitor's choices about them, and the devices.

use cratedigger_client::FullSet;
use cratedigger_protocol::{Metric, ModelInfo, ModelSet, Rule, TypicalCharacter};
use leptos::prelude::*;

use crate::engine::policy::{DeviceState, Mode};
use crate::i18n;

/// The networks and the visitor's choices about them; copies are handles to the same signals.
#[derive(Clone, Copy)]
pub struct Models {
    /// Ids of the genres, in the order of all probabilities.
    pub classes: RwSignal<Vec<String>>,
    /// The loaded networks.
    pub list: RwSignal<Vec<ModelInfo>>,
    /// Figures of all networks together.
    pub metrics: RwSignal<Vec<Metric>>,
    /// Typical character of the training clips, if the networks' manifest has it.
    pub typical: RwSignal<Option<TypicalCharacter>>,
    /// The set that the visitor wants.
    pub wanted: RwSignal<ModelSet>,
    /// The rule that the visitor wants; `None` for the one that was evaluated.
    pub rule: RwSignal<Option<Rule>>,
    /// State of the full set.
    pub full: RwSignal<FullSet>,
}

impl Models {
    /// No networks yet. The genres are GTZAN's until the worker sends its own, so that the crate can be
    /// drawn at once.
    pub(super) fn new() -> Self {
        Self {
            classes: RwSignal::new(i18n::GTZAN.iter().map(ToString::to_string).collect()),
            list: RwSignal::new(Vec::new()),
            metrics: RwSignal::new(Vec::new()),
            typical: RwSignal::new(None),
            wanted: RwSignal::new(ModelSet::Full),
            rule: RwSignal::new(None),
            full: RwSignal::new(FullSet::None),
        }
    }

    /// Id of class `index`; empty if there is no such class.
    pub fn class(&self, index: usize) -> String {
        self.classes.with(|classes| classes.get(index).cloned()).unwrap_or_default()
    }
}

/// The devices; copies are handles to the same signals.
#[derive(Clone, Copy)]
pub struct Devices {
    /// The visitor's choice.
    pub mode: RwSignal<Mode>,
    /// State of the CPU worker.
    pub cpu: RwSignal<DeviceState>,
    /// State of the WebGPU worker.
    pub gpu: RwSignal<DeviceState>,
}

impl Devices {
    /// Both off.
    pub(super) fn new() -> Self {
        Self {
            mode: RwSignal::new(Mode::default()),
            cpu: RwSignal::new(DeviceState::Off),
            gpu: RwSignal::new(DeviceState::Off),
        }
    }
}
