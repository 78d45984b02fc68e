//! Training: seeded, with checkpoints, resumable.
//!
//! The loop is not burn's `Learner`, because a killed and resumed run must end with the same weights as an
//! uninterrupted one: every epoch has its own random number generators, and the learning rate depends on
//! the metrics of earlier epochs. Adam, gradient accumulation, the step over several devices and
//! the terminal display are burn's.
//!
//! [`train()`] calls, in this order: `session` (data, split, preprocessing), `checkpoint` (a new or resumed
//! run), and for each epoch `epoch` (steps on the batches of `batches`, with the `step` of one batch),
//! `validation`, and `checkpoint` again.

mod adamw;
mod batches;
mod checkpoint;
mod epoch;
mod head;
pub mod import;
mod initial;
mod options;
mod session;
mod step;
mod validation;

use std::fs;
use std::time::Instant;

use anyhow::Result;
use burn::module::Module as _;
use cratedigger_zoo::nets::read_record;

pub use adamw::AdamW;
pub use options::Options;

use self::checkpoint::{advance, begin, log, resumed, save, summary_line};
use self::epoch::run_epoch;
use self::head::fit_head;
use self::import::import;
use self::session::prepare_session;
use self::step::{Learner, optimizer};
use self::validation::{network_to_validate, validate};
use crate::config::Method;
use crate::data::Dataset;
use crate::progress::Display;
pub use crate::store::{EpochMetrics, RunFolder, RunRecord, State};

/// Trains a network, or resumes its training. Returns the final state.
///
/// Two runs with the same configuration, data, seed and CPU give the same weights, also if one of them was
/// stopped and resumed, because every epoch has its own random number generators.
///
/// # Errors
/// The data do not fit the configuration, the folder cannot be used, or the run was cancelled.
pub fn train(options: &Options, data: &mut Dataset) -> Result<State> {
    let config = &options.config;
    let device = options.devices.main();
    let (session, record) = prepare_session(options, data)?;
    device.seed(config.seed);
    let training_device = device.clone().autodiff();
    let outputs = session.classes.len() + session.kinds.len();
    let network = config.network.init(&session.shapes, outputs, &training_device);
    let mut learner = Learner { network };
    let mut optimizer = optimizer(config);
    let mut state = State::default();

    let folder = session.folder.clone();
    let begun = RunFolder::is_run(folder.path());
    let earlier = if begun { resumed(options, &folder, &record)? } else { None };
    match (earlier, &config.training.weights) {
        (Some(earlier), _) => {
            state = earlier;
            let failed = |e| anyhow::anyhow!("checkpoint {} is damaged: {e}", state.epochs_done);
            let weights = read_record(fs::read(folder.last(state.epochs_done))?).map_err(failed)?;
            learner = learner.try_load_record(weights).map_err(failed)?;
            optimizer = optimizer.load(folder.optimizer(state.epochs_done)).map_err(failed)?;
        }
        // A new run, or a run that was stopped in its first epoch.
        (None, Some(path)) => {
            learner.network = import(&config.network, learner.network, outputs, path)?.0;
        }
        (None, None) => {}
    }
    if !begun {
        begin(&session, &record, data, &options.devices)?;
    }
    // After loading, because checkpoints do not store what is frozen.
    learner.network = learner.network.frozen(config.training.freeze).map_err(anyhow::Error::msg)?;

    let mut display = Display::new(options.tui, config.training.epochs, state.epochs_done);
    let pause_at = options.pause_after.map_or(usize::MAX, |epochs| state.epochs_done + epochs);
    while !state.finished && state.epochs_done < config.training.epochs.min(pause_at) {
        let epoch = state.epochs_done + 1;
        let started = Instant::now();
        let (stats, network);
        if config.training.method == Method::Logistic {
            (network, stats) = fit_head(learner.network.valid(), &session, device)?;
            learner.network = network.clone().train();
        } else {
            (learner, stats) =
                run_epoch(learner, &mut optimizer, &session, &state, epoch, &options.devices, &mut display)?;
            network = network_to_validate(&learner.network, &session, epoch, &training_device, &mut display)?;
        }
        let valid = validate(&network, &session, device, &mut display)?;
        let metrics = EpochMetrics {
            epoch,
            train_loss: stats.loss,
            train_accuracy: stats.accuracy,
            valid_loss: valid.loss,
            valid_track_accuracy: valid.track_accuracy,
            valid_segment_accuracy: valid.segment_accuracy,
            learning_rate: stats.learning_rate,
            seconds: started.elapsed().as_secs_f64(),
        };
        let better = advance(&mut state, &metrics, &session);
        // A fit has no next epoch.
        state.finished |= config.training.method == Method::Logistic;
        save(&folder, &learner, better.then_some(network), &optimizer, &state, &metrics)?;
        let line = summary_line(&metrics, config, better);
        display.end_epoch(metrics.valid_loss, metrics.valid_track_accuracy, &line);
        log(&folder, &line)?;
        if display.is_stopped() {
            break;
        }
    }
    display.end();
    Ok(state)
}
