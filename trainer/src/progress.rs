//! Progress on the terminal: bars, the display of a training run, warnings.

use std::collections::BTreeSet;
use std::fmt;
use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use burn::train::Interrupter;
use burn::train::metric::{
    MetricAttributes, MetricDefinition, MetricEntry, MetricId, NumericAttributes, NumericEntry,
    SerializedEntry,
};
use burn::train::renderer::tui::TuiMetricsRendererWrapper;
use burn::train::renderer::{MetricState, MetricsRenderer};
use indicatif::{ProgressBar, ProgressStyle};

/// A progress bar on standard error, hidden if that is not a terminal.
pub fn progress_bar(length: u64, prefix: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix} {bar:30} {pos}/{len} {eta} {msg}");
    let bar = ProgressBar::new(length).with_prefix(prefix.to_owned());
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// Runs `act` with a progress bar. `act` reports the number of items done and of all items.
pub fn with_progress<T>(prefix: &str, act: impl FnOnce(&dyn Fn(usize, usize)) -> T) -> T {
    let bar = progress_bar(1, prefix);
    let result = act(&|done, of| {
        bar.set_length(of as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    result
}

/// Writes a line to standard error. If that is closed, the line is lost: there is no other place to report it.
pub fn note(text: impl fmt::Display) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Prints a warning to standard error.
pub fn warn(text: &str) {
    note(format_args!("warning: {text}"));
}

/// Prints a warning, unless it was printed before: a cross-validation opens its data set for every fold.
pub fn warn_once(text: &str) {
    static WARNED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    if WARNED.lock().unwrap_or_else(PoisonError::into_inner).insert(text.to_owned()) {
        warn(text);
    }
}

/// The display of a training run: a bar and one line per epoch, or burn's full-screen display.
pub struct Display {
    epoch: usize,
    bar: ProgressBar,
    tui: Option<Tui>,
}

struct Tui {
    renderer: Box<dyn MetricsRenderer>,
    interrupter: Interrupter,
    loss: MetricId,
    accuracy: MetricId,
}

impl Display {
    /// A display for a run of `epochs` epochs, of which `done` are done. `tui` selects the
    /// full-screen display.
    pub fn new(tui: bool, epochs: usize, done: usize) -> Self {
        Self { epoch: done, bar: ProgressBar::hidden(), tui: tui.then(|| Tui::new(epochs, done)) }
    }

    /// Starts epoch number `epoch` with `steps` training steps.
    pub fn begin(&mut self, epoch: usize, steps: usize) {
        self.epoch = epoch;
        match &mut self.tui {
            Some(tui) => tui.renderer.start_split("train", steps),
            None => self.bar = progress_bar(steps as u64, &format!("epoch {epoch}")),
        }
    }

    /// Shows that `done` training steps are done, with the means of loss and accuracy over them.
    pub fn step(&mut self, done: usize, loss: f64, accuracy: f64) {
        match &mut self.tui {
            Some(tui) => {
                for (id, value) in [(&tui.loss, loss), (&tui.accuracy, 100.0 * accuracy)] {
                    tui.renderer.update_train(state(id, value));
                }
                tui.renderer.update_split(done);
            }
            None => {
                self.bar.set_message(format!("loss {loss:.3}"));
                self.bar.set_position(done as u64);
            }
        }
    }

    /// Starts a phase after the training steps, for example validation, with `steps` steps.
    pub fn begin_phase(&mut self, name: &str, steps: usize) {
        match &mut self.tui {
            Some(tui) => {
                tui.renderer.end_split();
                tui.renderer.start_split("valid", steps);
            }
            None => {
                self.bar.finish_and_clear();
                self.bar = progress_bar(steps as u64, &format!("epoch {}, {name}", self.epoch));
            }
        }
    }

    /// Shows that `done` steps of the phase are done.
    pub fn phase_step(&mut self, done: usize) {
        match &mut self.tui {
            Some(tui) => tui.renderer.update_split(done),
            None => self.bar.set_position(done as u64),
        }
    }

    /// Ends the epoch with its validation loss and accuracy. `line` is the epoch's summary.
    pub fn end_epoch(&mut self, loss: f64, accuracy: f64, line: &str) {
        match &mut self.tui {
            Some(tui) => {
                for (id, value) in [(&tui.loss, loss), (&tui.accuracy, 100.0 * accuracy)] {
                    tui.renderer.update_valid(state(id, value));
                }
                tui.renderer.end_split();
                tui.renderer.update_epoch(self.epoch);
            }
            None => {
                self.bar.finish_and_clear();
                note(line);
            }
        }
    }

    /// Whether the user asked to stop in the full-screen display.
    pub fn is_stopped(&self) -> bool {
        self.tui.as_ref().is_some_and(|tui| tui.interrupter.should_stop())
    }

    /// Restores the terminal.
    pub fn end(&mut self) {
        self.bar.finish_and_clear();
        if let Some(mut tui) = self.tui.take() {
            tui.renderer.end();
            // An error means that the terminal is gone, which needs no action.
            let _ = tui.renderer.on_train_end(None);
        }
    }
}

impl Tui {
    fn new(epochs: usize, done: usize) -> Self {
        let interrupter = Interrupter::new();
        let mut renderer: Box<dyn MetricsRenderer> = Box::new(TuiMetricsRendererWrapper::new(
            interrupter.clone(),
            Some(done).filter(|done| *done > 0),
        ));
        let mut metric = |name: &str, unit: Option<&str>, higher_is_better: bool| {
            let id = MetricId::new(Arc::new(name.to_owned()));
            let attributes = NumericAttributes { unit: unit.map(str::to_owned), higher_is_better };
            renderer.register_metric(MetricDefinition {
                metric_id: id.clone(),
                name: Arc::new(name.to_owned()),
                description: None,
                attributes: MetricAttributes::Numeric(attributes),
            });
            id
        };
        let (loss, accuracy) = (metric("Loss", None, false), metric("Accuracy", Some("%"), true));
        renderer.start(epochs, done + 1, None, None);
        Self { renderer, interrupter, loss, accuracy }
    }
}

fn state(id: &MetricId, value: f64) -> MetricState {
    let entry = SerializedEntry::new(format!("{value:.3}"), value.to_string());
    MetricState::Numeric(MetricEntry::new(id.clone(), entry), Some(NumericEntry::Value(value)))
}
