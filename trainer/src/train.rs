//! The training loop: seeded, checkpointed, resumable.
//!
//! The loop is ours and not burn's `Learner`, because a run that was killed and resumed has to end
//! with the same weights as one that was not: every epoch draws from generators of its own, and
//! the learning rate depends on what earlier epochs measured. The parts are burn's: its optimisers,
//! gradient accumulation, the step over several devices and the display in the terminal.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use burn::data::dataloader::{DataLoaderIterator, Progress};
use burn::data::dataset::DatasetError;
use burn::module::{Flag, Module, ModuleMapper, Param};
use burn::optim::decay::WeightDecayConfig;
use burn::optim::{AdamConfig, AdamWConfig, GradientsAccumulator, ModuleOptimizer};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor, TensorData};
use burn::train::train::MultiDevicesTrainStep;
use burn::train::{InferenceStep, ItemLazy, TrainOutput, TrainStep};
use cratedigger_zoo::nets::read_record;
use cratedigger_zoo::{
    DataRecord, Extractor, Input, InputSpec, Manifest, Network, Preparation, batch, combine,
};
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::config::{Balance, Config, Optimiser, Schedule, Statistics};
use crate::data::Dataset;
use crate::device::Devices;
use crate::display::Display;
use crate::evaluate::{knows, manifest_of};
use crate::import::import;
use crate::inspect;
use crate::material::{Loader, Material, part_ranges, prepared};
use crate::other;
use crate::prepare;
use crate::run::{Environment, write_atomically};
pub use crate::run::{EpochMetrics, RunFolder, RunRecord, State};
use crate::split::{IndexFile, Protocol, SegmentId, Split, SplitPlan, clips_of};
use crate::variation::{add_noise, mix, vary};

/// What a run is started with.
pub struct Options {
    /// What to train.
    pub config: Config,
    /// Where to keep the run.
    pub folder: PathBuf,
    /// The command line, for the record.
    pub command: String,
    /// Whether to go on with a run that the folder already holds.
    pub resume: bool,
    /// Stop after so many epochs of this call; the run can be resumed.
    pub pause_after: Option<usize>,
    /// What computes.
    pub devices: Devices,
    /// Where features of audio are kept between runs; none to compute them each time.
    pub cache: Option<PathBuf>,
    /// Whether to show the run on the whole terminal.
    pub tui: bool,
    /// Set from outside to stop after the current step.
    pub cancelled: Arc<AtomicBool>,
}

/// Everything that a run learns from and selects by, in memory.
struct Session<'a> {
    config: &'a Config,
    input_spec: InputSpec,
    classes: Vec<String>,
    /// Class of each clip that is used, by its place in the data set.
    class_of: BTreeMap<usize, usize>,
    materials: BTreeMap<usize, Material>,
    preparation: Preparation,
    shapes: Vec<[usize; 3]>,
    split: Split,
    /// Whether the split keeps whole clips apart, so that a window may begin anywhere in a clip.
    clips_apart: bool,
    /// Weight of each class in the loss.
    class_weights: Vec<f32>,
    /// Raw windows of sounds that are no music.
    other: Vec<Vec<f32>>,
    folder: RunFolder,
    cancelled: Arc<AtomicBool>,
}

/// Trains a network, or goes on with its training. Returns the final state.
///
/// Two runs with the same configuration, data and seed on the same machine's cores give the same
/// weights, and so does a run that was stopped and resumed: every epoch draws from a generator of
/// its own.
///
/// # Errors
/// The data do not fit the recipe, the folder cannot be used, or the run was cancelled.
pub fn train(options: &Options, data: &mut Dataset) -> Result<State> {
    let config = &options.config;
    let device = options.devices.main();
    let (session, record) = prepare_session(options, data)?;
    device.seed(config.seed);
    let training_device = device.clone().autodiff();
    let network = config.network.init(&session.shapes, session.classes.len(), &training_device);
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
            let weights = fs::read(folder.last(state.epochs_done))?;
            let weights = read_record(weights).map_err(failed)?;
            learner = learner.try_load_record(weights).map_err(failed)?;
            optimizer = optimizer.load(folder.optimizer(state.epochs_done)).map_err(failed)?;
        }
        // Also where a run was stopped before its first epoch was over.
        (None, Some(path)) => {
            learner.network = import(&config.network, learner.network, session.classes.len(), path)?.0;
        }
        (None, None) => {}
    }
    if !begun {
        begin(&session, &record, data, &options.devices)?;
    }
    // After loading: what is frozen is no part of a checkpoint.
    learner.network = learner.network.frozen(config.training.freeze).map_err(anyhow::Error::msg)?;

    let mut display = Display::new(options.tui, config.training.epochs, state.epochs_done);
    let pause_at = options.pause_after.map_or(usize::MAX, |epochs| state.epochs_done + epochs);
    while !state.finished && state.epochs_done < config.training.epochs.min(pause_at) {
        let epoch = state.epochs_done + 1;
        let started = Instant::now();
        let outcome;
        (learner, outcome) =
            run_epoch(learner, &mut optimizer, &session, &state, epoch, &options.devices, &mut display)?;
        let judging = judging(&learner.network, &session, epoch, &training_device, &mut display)?;
        let valid = validate(&judging, &session, device, &mut display)?;
        let metrics = EpochMetrics {
            epoch,
            train_loss: outcome.loss,
            train_accuracy: outcome.accuracy,
            valid_loss: valid.loss,
            valid_track_accuracy: valid.track_accuracy,
            valid_segment_accuracy: valid.segment_accuracy,
            learning_rate: outcome.learning_rate,
            seconds: started.elapsed().as_secs_f64(),
        };
        let better = advance(&mut state, &metrics, &session);
        save(&folder, &learner, better.then_some(judging), &optimizer, &state, &metrics)?;
        let line = in_words(&metrics, config, better);
        display.epoch(&metrics, &line);
        log(&folder, &line)?;
        if display.is_stopped() {
            break;
        }
    }
    display.end();
    Ok(state)
}

/// What weights to begin with have seen already, by the ids of clips.
#[derive(Default)]
struct Known {
    /// Learned from, or chosen by.
    seen: BTreeSet<String>,
    /// Learned from, as far as that is told apart.
    learned: BTreeSet<String>,
}

/// What a run's or a manifest's weights know, if they lie in their folder. torchvision's have heard no music.
#[expect(clippy::print_stderr, reason = "a warning for who starts a run")]
fn known_to(weights: &Path, data: &Dataset) -> Result<Known> {
    let mut known = Known::default();
    if weights.extension().is_none_or(|extension| !extension.eq_ignore_ascii_case("bpk")) {
        return Ok(known);
    }
    let folder = weights.parent().unwrap_or(Path::new(""));
    let manifest = manifest_of(weights);
    let trainings = if RunFolder::is_run(folder) {
        known.learned.extend(IndexFile::read(&folder.join("split.json"))?.train);
        vec![RunFolder::new(folder).training()?]
    } else if manifest.is_file() {
        let json = fs::read(&manifest).with_context(|| format!("{} cannot be read", manifest.display()))?;
        let models = Manifest::parse(&json).with_context(|| manifest.display().to_string())?.models;
        let file = weights.file_name().and_then(|name| name.to_str());
        models.into_iter().filter(|m| Some(m.weights.as_str()) == file).map(|m| m.training).collect()
    } else {
        Vec::new()
    };
    if trainings.is_empty() {
        eprintln!(
            "warning: no run and no manifest beside {} says which clips it learned from; an evaluation will not know, either",
            weights.display()
        );
    }
    for training in trainings {
        known.seen.extend(training.data.ids.iter().cloned());
        for clip in &data.clips {
            if knows(&training, clip).with_context(|| weights.display().to_string())? {
                known.seen.insert(clip.id.clone());
            }
        }
        if training.data.valid_clips == 0 {
            known.learned.extend(known.seen.iter().cloned());
        }
    }
    Ok(known)
}

/// Says so where the epoch would be chosen by clips that the weights to begin with had learned from.
#[expect(clippy::print_stderr, reason = "a warning for who starts a run")]
fn warn_of_learned(valid: &[usize], data: &Dataset, known: &Known) {
    let learned = valid.iter().filter(|&&clip| known.learned.contains(&data.clips[clip].id)).count();
    if learned > 0 {
        eprintln!(
            "warning: the weights to begin with learned from {learned} of the {} validation clips: what these say is too good",
            valid.len()
        );
    }
}

/// Reads the data, splits them and fits what is fitted.
fn prepare_session<'a>(options: &'a Options, data: &mut Dataset) -> Result<(Session<'a>, RunRecord)> {
    let config = &options.config;
    let recipe = config.recipe();
    if config.data.drop_duplicates {
        inspect::drop_duplicates(data, options.cache.as_deref(), &options.cancelled)?;
    }
    let plan = SplitPlan::new(&config.data, config.seed);
    let loader = Loader {
        input_spec: &recipe,
        origin: config.data.source,
        cache: options.cache.clone(),
        cancelled: Arc::clone(&options.cancelled),
    };

    // Where segments are apart, the split needs to know how many each clip has. Elsewhere test
    // clips are not even read.
    let by_segment = matches!(plan.protocol, Protocol::Segment | Protocol::Index);
    let wanted: Vec<usize> = if by_segment {
        (0..data.clips.len()).collect()
    } else {
        let split = Split::new(&plan, &data.clips, &vec![1; data.clips.len()])?;
        let used: BTreeSet<usize> =
            clips_of(&split.train).into_iter().chain(clips_of(&split.valid)).collect();
        used.into_iter().collect()
    };
    let bar = crate::display::progress_bar(wanted.len() as u64, "reading clips");
    let mut materials = loader.load(data, &wanted, |done| bar.set_position(done as u64))?;
    bar.finish_and_clear();
    let counts: Vec<usize> = (0..data.clips.len())
        .map(|clip| materials.get(&clip).and_then(|m| m.versions.first()).map_or(0, |v| v.segments(&recipe)))
        .collect();
    let mut split = if by_segment {
        Split::new(&plan, &data.clips, &counts)?
    } else {
        // Of all clips that are listed, before unusable ones drop out: an evaluation, which meets
        // the same list, must come to the same parts.
        Split::new(&plan, &data.clips, &vec![1; data.clips.len()])?
    };
    for part in [&mut split.train, &mut split.valid] {
        *part = if by_segment {
            std::mem::take(part)
        } else {
            clips_of(part).into_iter().flat_map(|clip| (0..counts[clip]).map(move |s| (clip, s))).collect()
        };
    }
    ensure!(!split.train.is_empty(), "the {} split leaves no clip to train on", plan.describe());
    ensure!(!split.valid.is_empty(), "the {} split leaves no clip to validate with", plan.describe());
    let clips_apart = split.check_clips_apart(&data.clips).is_ok();
    if config.data.learn_from_validation {
        split.train.extend(&split.valid);
        split.train.sort_unstable();
    }
    let (train_clips, valid_clips) = (clips_of(&split.train), clips_of(&split.valid));

    let variation = config.augmentation.audio.as_ref().map(|how| (how, config.seed));
    ensure!(
        clips_apart || variation.is_none_or(|(how, _)| how.stretch == 0.0 && how.shift_seconds == 0.0),
        "where segments of a clip are apart, stretch and shift_seconds would move sound of tested segments into trained ones"
    );
    let bar = crate::display::progress_bar(train_clips.len() as u64, "versions of clips");
    loader.vary(data, &mut materials, &train_clips, clips_apart, variation, |done| {
        bar.set_position(done as u64);
    })?;
    bar.finish_and_clear();

    let classes = data.classes.clone();
    let class_of: BTreeMap<usize, usize> =
        materials.keys().map(|&place| (place, data.clips[place].class)).collect();
    let preparation = fit(config, &recipe, &materials, &split.train, &class_of)?;
    let shapes = recipe.prepared_shapes(&preparation)?;
    config.network.validate(&shapes).map_err(anyhow::Error::msg)?;
    let labels: Vec<usize> = split.train.iter().map(|(clip, _)| class_of[clip]).collect();
    let class_weights = match config.data.balance {
        Balance::Weights => prepare::class_weights(&labels, classes.len())?,
        Balance::None | Balance::Oversample => vec![1.0; classes.len()],
    };

    let used: BTreeSet<usize> = train_clips.iter().chain(&valid_clips).copied().collect();
    let mut lines = String::new();
    for clip in train_clips.iter().chain(&valid_clips) {
        let content = materials.get(clip).map_or("", |m| m.sha256.as_str());
        lines += &format!("{} {} {content}\n", data.clips[*clip].id, class_of[clip]);
    }
    // What the protocol's name says need not be written down, but what weights to begin with know must.
    // A run that goes on has written it down.
    let known = match &config.training.weights {
        Some(weights) if !RunFolder::is_run(&options.folder) => known_to(weights, data)?,
        _ => Known::default(),
    };
    if !config.data.learn_from_validation {
        warn_of_learned(&valid_clips, data, &known);
    }
    let used: BTreeSet<String> = used.into_iter().map(|clip| data.clips[clip].id.clone()).collect();
    let ids: Vec<String> = match plan.protocol {
        Protocol::FaultFiltered => known.seen.difference(&used).cloned().collect(),
        _ => known.seen.union(&used).cloned().collect(),
    };
    let record = RunRecord {
        seed: config.seed,
        command: options.command.clone(),
        classes: classes.clone(),
        data: DataRecord {
            sha256: cratedigger_zoo::sha256_hex(lines.as_bytes()),
            train_clips: train_clips.len(),
            valid_clips: if config.data.learn_from_validation { 0 } else { valid_clips.len() },
            ids,
        },
        split: plan,
    };
    let other = if config.training.other > 0.0 { other_windows(&recipe, config.seed)? } else { Vec::new() };
    let session = Session {
        config,
        input_spec: recipe,
        classes,
        class_of,
        materials,
        preparation,
        shapes,
        split,
        clips_apart,
        class_weights,
        other,
        folder: RunFolder::new(&options.folder),
        cancelled: Arc::clone(&options.cancelled),
    };
    Ok((session, record))
}

/// Fits the preparation to the features of the training segments; nothing for other inputs.
fn fit(
    config: &Config,
    recipe: &InputSpec,
    materials: &BTreeMap<usize, Material>,
    train: &[SegmentId],
    class_of: &BTreeMap<usize, usize>,
) -> Result<Preparation> {
    if !recipe.inputs.iter().any(Input::is_prepared) {
        return Ok(Preparation::default());
    }
    let columns = cratedigger_dsp::TABLE_COLUMNS.len();
    let (mut rows, mut labels): (Vec<Vec<f32>>, Vec<usize>) = (Vec::new(), Vec::new());
    for &(clip, segment) in train {
        let Some(version) = materials.get(&clip).and_then(|m| m.versions.first()) else { continue };
        let raw = version.segment(recipe, segment);
        for (_, range) in recipe.inputs.iter().zip(part_ranges(recipe)).filter(|(i, _)| i.is_prepared()) {
            for row in raw.get(range).unwrap_or_default().chunks_exact(columns) {
                rows.push(row.to_vec());
                labels.push(class_of[&clip]);
            }
        }
    }
    prepare::fit(&config.preparation.steps(), &rows, &labels)
        .context("fitting to the features of the training clips")
}

/// What an earlier part of the run has left; fails if that was another run.
fn resumed(options: &Options, folder: &RunFolder, record: &RunRecord) -> Result<Option<State>> {
    let place = folder.path().display();
    ensure!(
        options.resume,
        "{place} already holds a run: go on with it by --resume, or choose another --out"
    );
    let earlier = folder.record()?;
    // The weights that it began with may be gone, and with them the clips that they know.
    let data = DataRecord { ids: earlier.data.ids.clone(), ..record.data.clone() };
    ensure!(
        earlier.seed == record.seed
            && earlier.split == record.split
            && earlier.data == data
            && earlier.classes == record.classes,
        "{place} was begun with another seed, split or data; it can only be resumed with the same"
    );
    // What others claim has no say in training.
    let published = options.config.published.clone();
    ensure!(
        Config { published, ..folder.config()? } == options.config,
        "{place} was begun with another configuration; it can only be resumed with the same"
    );
    folder.state()
}

/// Makes a run's folder with everything that does not change any more.
fn begin(session: &Session<'_>, record: &RunRecord, data: &Dataset, devices: &Devices) -> Result<()> {
    let folder = &session.folder;
    let path = folder.path();
    fs::create_dir_all(path).with_context(|| format!("{} cannot be made", path.display()))?;
    write_atomically(&folder.file("config.toml"), toml::to_string(session.config)?.as_bytes())?;
    let environment = Environment::here(&devices.to_string());
    write_atomically(&folder.file("environment.json"), &serde_json::to_vec_pretty(&environment)?)?;
    let index = IndexFile::of(&session.split, &data.clips);
    write_atomically(&folder.file("split.json"), &serde_json::to_vec_pretty(&index)?)?;
    if !session.preparation.steps.is_empty() {
        write_atomically(&folder.file("preparation.json"), &serde_json::to_vec(&session.preparation)?)?;
    }
    // Last, because it makes the folder a run.
    write_atomically(&folder.file("run.json"), &serde_json::to_vec_pretty(record)?)
}

fn optimizer(config: &Config) -> ModuleOptimizer {
    let decay = config.training.weight_decay;
    match config.training.optimiser {
        Optimiser::AdamW => AdamWConfig::new().with_weight_decay(decay).init(),
        Optimiser::Adam => {
            let penalty = (decay > 0.0).then(|| WeightDecayConfig::new(decay));
            AdamConfig::new().with_weight_decay(penalty).init()
        }
    }
}

/// Takes an epoch's figures into the state; whether it is the best so far.
fn advance(state: &mut State, metrics: &EpochMetrics, session: &Session<'_>) -> bool {
    let Config { training, data, .. } = session.config;
    let accuracy =
        if session.clips_apart { metrics.valid_track_accuracy } else { metrics.valid_segment_accuracy };
    let loss = metrics.valid_loss;
    let better = data.learn_from_validation
        || accuracy > state.best_accuracy
        || (accuracy == state.best_accuracy && loss < state.best_loss);
    state.epochs_done = metrics.epoch;
    if better {
        state.best_epoch = metrics.epoch;
        state.best_accuracy = accuracy;
        state.best_loss = loss;
    }
    if loss < state.lowest_loss {
        state.lowest_loss = loss;
        state.epochs_on_plateau = 0;
    } else {
        state.epochs_on_plateau += 1;
    }
    if training.schedule == Schedule::Plateau && state.epochs_on_plateau >= training.plateau_patience {
        state.rate_share *= training.plateau_factor;
        state.epochs_on_plateau = 0;
    }
    state.finished =
        metrics.epoch >= training.epochs || metrics.epoch - state.best_epoch >= training.patience;
    better
}

/// The network as burn's step over several devices wants it.
#[derive(Module, Debug)]
struct Learner {
    network: Network,
}

/// A batch as plain values, to be put on whichever device takes it.
struct Batch {
    windows: Vec<f32>,
    shapes: Vec<[usize; 3]>,
    /// `[batch, classes]`
    targets: Vec<f32>,
    /// Weight of each window in the step's loss; those of a whole step add up to 1.
    weights: Vec<f32>,
    classes: usize,
}

/// What a batch gave.
struct Outcome {
    /// Its share of the step's loss.
    loss: f64,
    /// Windows named as their target's largest share.
    right: usize,
    error: Option<String>,
}

impl ItemLazy for Outcome {
    fn sync(self) -> Result<Self, burn::tensor::ExecutionError> {
        Ok(self)
    }
}

impl TrainStep for Learner {
    type Input = Batch;
    type Output = Outcome;

    fn step(&self, item: Batch) -> TrainOutput<Outcome> {
        let device = self.network.devices().into_iter().next().unwrap_or_else(|| Device::flex().autodiff());
        let count = item.weights.len();
        let classes = item.classes;
        let parts = batch(item.windows, &item.shapes, &device);
        let targets =
            Tensor::<2>::from_data(TensorData::new(item.targets.clone(), [count, classes]), &device);
        let weights = Tensor::<2>::from_data(TensorData::new(item.weights, [count, 1]), &device);
        let logits = self.network.forward(&parts);
        let loss = ((log_softmax(logits.clone(), 1) * targets).sum_dim(1) * weights).sum().neg();
        let value = f64::from(loss.clone().into_scalar::<f32>());
        let gradients = loss.backward();
        let named = logits.into_data_as::<f32>();
        let (right, error) = match named.as_slice::<f32>() {
            Ok(named) => {
                let pairs = named.chunks_exact(classes).zip(item.targets.chunks_exact(classes));
                (pairs.filter(|(logits, target)| argmax(logits) == argmax(target)).count(), None)
            }
            Err(error) => (0, Some(format!("{error:?}"))),
        };
        TrainOutput::new(self, gradients, Outcome { loss: value, right, error })
    }
}

impl InferenceStep for Learner {
    type Input = Batch;
    type Output = Outcome;

    /// Never called: validation combines segments into clips, which no batch knows of.
    fn step(&self, item: Batch) -> Outcome {
        let _ = item;
        Outcome { loss: 0.0, right: 0, error: None }
    }
}

/// One batch, where burn's step over several devices expects a loader.
struct Once(Option<Batch>);

impl Iterator for Once {
    type Item = Result<Batch, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.take().map(Ok)
    }
}

impl DataLoaderIterator<Batch> for Once {
    fn progress(&self) -> Progress {
        Progress::new(usize::from(self.0.is_none()), 1, None)
    }
}

/// A window to draw.
#[derive(Clone, Copy)]
struct Draw {
    clip: usize,
    /// Which segment, or anywhere in the clip.
    segment: Option<usize>,
}

/// The windows of an epoch, in random order.
fn draws(session: &Session<'_>, rng: &mut ChaCha8Rng) -> Result<Vec<Draw>> {
    let train = &session.split.train;
    // Where segments are apart, a crop could reach into one that is tested with.
    let crops = session.config.training.crops_per_clip.filter(|_| session.clips_apart);
    let mut all: Vec<Draw> = match crops {
        Some(crops) => clips_of(train)
            .into_iter()
            .flat_map(|clip| std::iter::repeat_n(Draw { clip, segment: None }, crops))
            .collect(),
        None => train.iter().map(|&(clip, segment)| Draw { clip, segment: Some(segment) }).collect(),
    };
    if session.config.data.balance == Balance::Oversample {
        let labels: Vec<usize> = all.iter().map(|draw| session.class_of[&draw.clip]).collect();
        let chosen = prepare::oversample(&labels, session.classes.len(), rng.random())?;
        all = chosen.into_iter().filter_map(|place| all.get(place).copied()).collect();
    }
    all.shuffle(rng);
    Ok(all)
}

/// An epoch's figures.
struct EpochOutcome {
    loss: f64,
    accuracy: f64,
    learning_rate: f64,
}

/// A rest of less than half a step is left out: its gradient would count as much as a whole one's.
fn least_windows(at_once: usize, drawn: usize) -> usize {
    at_once.min(drawn).div_ceil(2).max(2)
}

fn stop_if_cancelled(session: &Session<'_>, epoch: usize) -> Result<()> {
    ensure!(
        !session.cancelled.load(Ordering::Relaxed),
        "stopped in epoch {epoch}; finished epochs are kept, go on with --resume --out {}",
        session.folder.path().display()
    );
    Ok(())
}

fn epoch_seed(config: &Config, epoch: usize) -> u64 {
    config.seed.wrapping_mul(1_000_003).wrapping_add(epoch as u64)
}

fn run_epoch(
    mut learner: Learner,
    optimizer: &mut ModuleOptimizer,
    session: &Session<'_>,
    state: &State,
    epoch: usize,
    devices: &Devices,
    display: &mut Display,
) -> Result<(Learner, EpochOutcome)> {
    let config = session.config;
    let training = &config.training;
    // Each epoch has generators of its own, so that a resumed run repeats what it would have done.
    let epoch_seed = epoch_seed(config, epoch);
    let mut rng = ChaCha8Rng::seed_from_u64(epoch_seed);
    let training_devices: Vec<Device> = devices.all().iter().map(|d| d.clone().autodiff()).collect();
    training_devices.iter().for_each(|device| device.seed(epoch_seed));
    let several =
        (training_devices.len() > 1).then(|| MultiDevicesTrainStep::<Learner>::new(&training_devices));

    let drawn = draws(session, &mut rng)?;
    let at_once = training.batch_size * training.accumulate * training_devices.len();
    let least = least_windows(at_once, drawn.len());
    let steps: Vec<&[Draw]> = drawn.chunks(at_once).filter(|step| step.len() >= least).collect();
    ensure!(!steps.is_empty(), "there are too few windows to train on: {}", drawn.len());
    display.begin(epoch, steps.len());
    let (mut total, mut right, mut seen, mut learning_rate) = (0.0, 0, 0, 0.0);
    for (index, step) in steps.iter().enumerate() {
        stop_if_cancelled(session, epoch).inspect_err(|_| display.end())?;
        let mut batches = Vec::new();
        for micro in step.chunks(training.batch_size).filter(|micro| micro.len() > 1) {
            batches.push(make_batch(session, micro, &mut rng)?);
        }
        // Weights of the whole step add up to 1, however it is divided.
        let weight: f32 = batches.iter().flat_map(|b| &b.weights).sum();
        for batch in &mut batches {
            batch.weights.iter_mut().for_each(|w| *w /= weight.max(f32::MIN_POSITIVE));
        }
        let mut accumulator = GradientsAccumulator::new();
        let mut loss = 0.0;
        let mut take = |output: TrainOutput<Outcome>| -> Result<()> {
            if let Some(error) = output.item.error {
                bail!("the device failed: {error}");
            }
            let grads = if several.is_some() {
                output.grads.to_device(&training_devices[0], &learner)
            } else {
                output.grads
            };
            accumulator.accumulate(&learner, grads);
            loss += output.item.loss;
            right += output.item.right;
            Ok(())
        };
        seen += batches.iter().map(|b| b.weights.len()).sum::<usize>();
        match &several {
            None => {
                for batch in batches {
                    take(TrainStep::step(&learner, batch))?;
                }
            }
            Some(step) => {
                let mut batches = batches.into_iter();
                while batches.len() > 0 {
                    let mut loaders: Vec<Box<dyn DataLoaderIterator<Batch>>> = (0..training_devices.len())
                        .map(|_| Box::new(Once(batches.next())) as Box<dyn DataLoaderIterator<Batch>>)
                        .collect();
                    let (outputs, _) =
                        step.step(&mut loaders, &learner).map_err(|e| anyhow::anyhow!("{e}"))?;
                    outputs.into_iter().try_for_each(|output| take(output.output))?;
                }
            }
        }
        ensure!(loss.is_finite(), "the loss became {loss} in epoch {epoch}; lower the learning rate");
        let gradients = accumulator.grads();
        learning_rate = rate(config, state, epoch - 1, index, steps.len());
        learner = optimizer.step(learning_rate, learner, gradients);
        total += loss;
        display.step(index + 1, total / (index + 1) as f64, right as f64 / seen.max(1) as f64);
    }
    let outcome = EpochOutcome {
        loss: total / steps.len().max(1) as f64,
        accuracy: right as f64 / seen.max(1) as f64,
        learning_rate,
    };
    Ok((learner, outcome))
}

/// Draws, varies and blends the windows of a batch.
fn make_batch(session: &Session<'_>, draws: &[Draw], rng: &mut ChaCha8Rng) -> Result<Batch> {
    let Session { config, input_spec: recipe, .. } = session;
    let classes = session.classes.len();
    let smoothing = config.training.label_smoothing;
    let mut inputs = Vec::with_capacity(draws.len());
    let mut targets = Vec::with_capacity(draws.len());
    for draw in draws {
        let versions = session.materials.get(&draw.clip).map_or(&[][..], |m| m.versions.as_slice());
        // No draw for a single version: so the others stay what they are if versions are added.
        let place = if versions.len() > 1 { rng.random_range(0..versions.len()) } else { 0 };
        let version = versions.get(place).context("a clip of the split has no material")?;
        let mut window = match draw.segment {
            None => version.draw(recipe, rng),
            Some(segment) => version.segment(recipe, segment),
        };
        vary(&mut window, recipe, &config.augmentation, rng);
        let mut window = prepared(recipe, &session.preparation, &window)?;
        if recipe.inputs.iter().any(Input::is_prepared) {
            noise_on_features(&mut window, session, rng);
        }
        inputs.push(window);
        let mut target = vec![smoothing / classes as f32; classes];
        target[session.class_of[&draw.clip]] += 1.0 - smoothing;
        targets.push(target);
    }
    if !session.other.is_empty() {
        for _ in 0..(config.training.other * draws.len() as f32).round() as usize {
            let mut window = session.other[rng.random_range(0..session.other.len())].clone();
            vary(&mut window, recipe, &config.augmentation, rng);
            inputs.push(prepared(recipe, &session.preparation, &window)?);
            targets.push(vec![1.0 / classes as f32; classes]);
        }
    }
    mix(&mut inputs, &mut targets, config.training.mixup, rng)?;
    let weight =
        |target: &Vec<f32>| target.iter().zip(&session.class_weights).map(|(t, w)| t * w).sum::<f32>();
    Ok(Batch {
        weights: targets.iter().map(weight).collect(),
        windows: inputs.concat(),
        shapes: session.shapes.clone(),
        targets: targets.concat(),
        classes,
    })
}

/// Sounds of each kind that is no music, and windows of each.
const OTHER_EACH: usize = 24;
const OTHER_WINDOWS: usize = 4;

/// Windows of them. Not those that `cratedigger combine` chooses a threshold by: their seed is another.
fn other_windows(recipe: &InputSpec, seed: u64) -> Result<Vec<Vec<f32>>> {
    let mut extractor = Extractor::new(recipe, &Preparation::default())?;
    let seconds = recipe.segment_seconds * OTHER_WINDOWS as f64;
    let sounds = other::sounds(recipe.sample_rate, seconds, OTHER_EACH, seed.wrapping_add(1 << 32));
    let length = recipe.segment_samples();
    let mut windows = Vec::with_capacity(sounds.len() * OTHER_WINDOWS);
    for sound in &sounds {
        for start in (0..OTHER_WINDOWS).map(|window| window * length) {
            windows.push(extractor.raw_parts(&sound.samples, start)?.concat());
        }
    }
    Ok(windows)
}

/// Noise where it means the same in every column: behind the scaling.
fn noise_on_features(window: &mut [f32], session: &Session<'_>, rng: &mut ChaCha8Rng) {
    let mut first = 0;
    for (input, shape) in session.input_spec.inputs.iter().zip(&session.shapes) {
        let end = first + shape.iter().product::<usize>();
        if input.is_prepared()
            && let Some(part) = window.get_mut(first..end)
        {
            add_noise(part, session.config.augmentation.noise, rng);
        }
        first = end;
    }
}

/// The learning rate of a step.
fn rate(config: &Config, state: &State, epoch: usize, step: usize, steps: usize) -> f64 {
    let training = &config.training;
    let peak = training.learning_rate;
    match training.schedule {
        Schedule::Constant => peak,
        Schedule::Plateau => peak * state.rate_share,
        Schedule::Cosine => {
            let done = epoch as f64 + (step + 1) as f64 / steps.max(1) as f64;
            if done < 1.0 {
                return peak * done;
            }
            let share = ((done - 1.0) / (training.epochs as f64 - 1.0).max(1.0)).min(1.0);
            peak * (0.001 + 0.999 * 0.5 * (1.0 + (std::f64::consts::PI * share).cos()))
        }
    }
}

struct Validation {
    loss: f64,
    track_accuracy: f64,
    segment_accuracy: f64,
}

/// Windows that are judged at a time.
const VALIDATION_BATCH: usize = 64;

/// Measures segments one by one and, combined, clip by clip.
fn validate(
    network: &Network,
    session: &Session<'_>,
    device: &Device,
    display: &mut Display,
) -> Result<Validation> {
    let mut by_clip: BTreeMap<usize, Vec<Vec<f32>>> = BTreeMap::new();
    let mut right = 0;
    let segments = &session.split.valid;
    let batches = segments.chunks(VALIDATION_BATCH);
    display.judge("validating", batches.len());
    for (done, ids) in batches.enumerate() {
        let mut windows = Vec::new();
        for &(clip, segment) in ids {
            let version = session.materials.get(&clip).and_then(|m| m.versions.first());
            let raw =
                version.context("a clip of the split has no material")?.segment(&session.input_spec, segment);
            windows.extend(prepared(&session.input_spec, &session.preparation, &raw)?);
        }
        let logits = network.forward(&batch(windows, &session.shapes, device)).into_data_as::<f32>();
        let logits = logits.as_slice::<f32>().map_err(|e| anyhow::anyhow!("{e:?}"))?;
        for (&(clip, _), logits) in ids.iter().zip(logits.chunks_exact(session.classes.len())) {
            let log_probabilities = cratedigger_zoo::log_softmax(logits);
            right += usize::from(argmax(&log_probabilities) == session.class_of[&clip]);
            by_clip.entry(clip).or_default().push(log_probabilities);
        }
        display.judged(done + 1);
    }
    let (mut loss, mut clips_right) = (0.0, 0);
    for (clip, judged) in &by_clip {
        let song = combine(judged.iter().map(Vec::as_slice));
        let class = session.class_of[clip];
        loss -= f64::from(song[class]);
        clips_right += usize::from(argmax(&song) == class);
    }
    Ok(Validation {
        loss: loss / by_clip.len().max(1) as f64,
        track_accuracy: clips_right as f64 / by_clip.len().max(1) as f64,
        segment_accuracy: right as f64 / segments.len().max(1) as f64,
    })
}

/// Batches whose statistics are measured: of momentum 0.1, they leave 1.5 % of what was before.
const MEASURED_BATCHES: usize = 40;

/// The network as it judges after an epoch. Like validation not to be cancelled: what the epoch learned would
/// be lost.
fn judging(
    network: &Network,
    session: &Session<'_>,
    epoch: usize,
    device: &Device,
    display: &mut Display,
) -> Result<Network> {
    let config = session.config;
    if config.training.statistics == Statistics::Moving {
        return Ok(network.valid());
    }
    // There and back is a copy; a clone's running statistics would be the network's own.
    // Without gradients: what would be kept for a way back is never asked for, and never freed.
    let copy = network.valid().no_grad().train().map(&mut WithoutDropout(false));
    let mut rng = ChaCha8Rng::seed_from_u64(epoch_seed(config, epoch));
    rng.set_stream(1);
    let drawn = draws(session, &mut rng)?;
    let size = config.training.batch_size;
    let least = least_windows(size, drawn.len());
    let batches = drawn.chunks(size).filter(|batch| batch.len() >= least);
    display.judge("measuring statistics", MEASURED_BATCHES);
    for (done, drawn) in batches.cycle().take(MEASURED_BATCHES).enumerate() {
        let made = make_batch(session, drawn, &mut rng)?;
        copy.forward(&batch(made.windows, &made.shapes, device));
        display.judged(done + 1);
    }
    Ok(copy.valid())
}

/// Lets nothing be dropped; it has to know whether it is in a layer that does.
struct WithoutDropout(bool);

impl ModuleMapper for WithoutDropout {
    fn enter_module(&mut self, _name: &str, container: &str) {
        self.0 = container == "Struct:Dropout";
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.0 = false;
    }

    fn map_flag(&mut self, flag: Param<Flag>) -> Param<Flag> {
        if self.0 { flag.with_value(false) } else { flag }
    }
}

/// Index of the largest value, the first of equals; 0 for none.
pub fn argmax(values: &[f32]) -> usize {
    (1..values.len()).fold(0, |best, i| if values[i] > values[best] { i } else { best })
}

fn save(
    folder: &RunFolder,
    learner: &Learner,
    best: Option<Network>,
    optimizer: &ModuleOptimizer,
    state: &State,
    metrics: &EpochMetrics,
) -> Result<()> {
    let failed = |e| anyhow::anyhow!("the checkpoint cannot be written: {e}");
    let epoch = state.epochs_done;
    let weights = learner.clone().into_record().into_bytes().map_err(failed)?;
    write_atomically(&folder.last(epoch), &weights)?;
    write_atomically(&folder.optimizer(epoch), &optimizer.into_bytes().map_err(failed)?)?;
    if let Some(best) = best {
        let weights = best.into_record().into_bytes().map_err(failed)?;
        write_atomically(&folder.file("best.bpk"), &weights)?;
    }
    let mut log = fs::OpenOptions::new().create(true).append(true).open(folder.file("metrics.jsonl"))?;
    writeln!(log, "{}", serde_json::to_string(metrics)?)?;
    // Last, because it names the others.
    write_atomically(&folder.file("state.json"), &serde_json::to_vec_pretty(state)?)?;
    if epoch > 1 {
        // The one before is no longer needed; that it could not be removed harms nothing.
        let _ = fs::remove_file(folder.last(epoch - 1));
        let _ = fs::remove_file(folder.optimizer(epoch - 1));
    }
    Ok(())
}

/// An epoch's figures in a line.
fn in_words(metrics: &EpochMetrics, config: &Config, better: bool) -> String {
    let learned = config.data.learn_from_validation;
    format!(
        "epoch {:3}/{}  loss {:.3}  accuracy {:.1} %  {}: clips {:.1} % segments {:.1} % loss {:.3}  {:.1} s{}",
        metrics.epoch,
        config.training.epochs,
        metrics.train_loss,
        100.0 * metrics.train_accuracy,
        if learned { "learned from" } else { "valid" },
        100.0 * metrics.valid_track_accuracy,
        100.0 * metrics.valid_segment_accuracy,
        metrics.valid_loss,
        metrics.seconds,
        if better && !learned { "  best" } else { "" }
    )
}

fn log(folder: &RunFolder, line: &str) -> Result<()> {
    let mut log = fs::OpenOptions::new().create(true).append(true).open(folder.file("log.txt"))?;
    Ok(writeln!(log, "{line}")?)
}
