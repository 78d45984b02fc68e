//! The training loop: seeded, checkpointed, resumable.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use burn::module::Module as _;
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::store::ModuleRecord;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor, TensorData};
use cratedigger_zoo::{DataRecord, GTZAN_GENRES, Network, Recipe, Training, combine};
use indicatif::{ProgressBar, ProgressStyle};
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Beta, Distribution as _};
use serde::{Deserialize, Serialize};

use crate::config::{Augmentation, Config};
use crate::data::{Clip, Columns, Dataset, Source};
use crate::split::{Protocol, SegmentId, Split, clips_of};

/// A folder that holds one training run.
///
/// * `config.toml`: the configuration, as resolved;
/// * `run.json`: seed, protocol, command and data;
/// * `metrics.jsonl`: one line an epoch;
/// * `state.json` with `last-N.bpk` and `optimizer-N.bpk`: where to resume;
/// * `best.bpk`: the weights of the best epoch.
#[derive(Clone, Debug)]
pub struct RunFolder(PathBuf);

/// `run.json`: what a run must keep to be resumed and exported.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// Seed of every random choice.
    pub seed: u64,
    /// The split.
    pub protocol: Protocol,
    /// The command line.
    pub command: String,
    /// The data.
    pub data: DataRecord,
}

/// `state.json`: how far a run has come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Epochs done; the checkpoint of that number goes with it.
    pub epochs_done: usize,
    /// The best epoch so far, counted from 1; 0 before the first.
    pub best_epoch: usize,
    /// Its validation accuracy over whole clips.
    pub best_accuracy: f64,
    /// Its validation loss over whole clips.
    pub best_loss: f64,
    /// Whether the run is over.
    pub finished: bool,
}

/// One line of `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochMetrics {
    /// Counted from 1.
    pub epoch: usize,
    /// Mean training loss (cross-entropy with smoothed and mixed targets).
    pub train_loss: f64,
    /// Cross-entropy of whole validation clips.
    pub valid_loss: f64,
    /// Accuracy over whole validation clips.
    pub valid_track_accuracy: f64,
    /// Accuracy over validation segments.
    pub valid_segment_accuracy: f64,
    /// Learning rate at the end of the epoch.
    pub learning_rate: f64,
    /// Wall-clock seconds.
    pub seconds: f64,
}

impl RunFolder {
    /// A run's folder, which need not exist yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Whether `path` looks like a run.
    pub fn is_run(path: &Path) -> bool {
        path.join("run.json").is_file()
    }

    /// The configuration.
    ///
    /// # Errors
    /// Missing or damaged.
    pub fn config(&self) -> Result<Config> {
        Config::read(&self.0.join("config.toml"))
    }

    /// `run.json`.
    ///
    /// # Errors
    /// Missing or damaged.
    pub fn record(&self) -> Result<RunRecord> {
        read_json(&self.0.join("run.json"))
    }

    /// `state.json`, if an epoch has been finished.
    ///
    /// # Errors
    /// Damaged.
    pub fn state(&self) -> Result<Option<State>> {
        let path = self.0.join("state.json");
        if path.is_file() { read_json(&path).map(Some) } else { Ok(None) }
    }

    /// The weights of the best epoch.
    ///
    /// # Errors
    /// No epoch has been finished, or the file is damaged.
    pub fn best_weights(&self) -> Result<ModuleRecord> {
        let path = self.0.join("best.bpk");
        ModuleRecord::load(&path).map_err(|e| anyhow::anyhow!("{}: {e}", path.display()))
    }

    /// What the manifest says about how the run was trained.
    ///
    /// # Errors
    /// The run is incomplete.
    pub fn training(&self) -> Result<Training> {
        let record = self.record()?;
        let Some(state) = self.state()? else {
            bail!("{} has not finished an epoch yet", self.0.display());
        };
        Ok(Training {
            command: record.command,
            seed: record.seed,
            protocol: record.protocol.name().into(),
            epoch: state.best_epoch,
            data: record.data,
            config: serde_json::to_value(self.config()?)?,
        })
    }

    fn last(&self, epoch: usize) -> PathBuf {
        self.0.join(format!("last-{epoch}.bpk"))
    }

    fn optimizer(&self, epoch: usize) -> PathBuf {
        self.0.join(format!("optimizer-{epoch}.bpk"))
    }
}

fn read_json<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T> {
    let text = fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{}", path.display()))
}

/// Writes a file so that it is either the old or the new one, whenever the program is stopped.
fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let temporary = path.with_extension("part");
    fs::write(&temporary, bytes).with_context(|| format!("{} cannot be written", temporary.display()))?;
    fs::rename(&temporary, path).with_context(|| format!("{} cannot be written", path.display()))
}

/// What a run is started with.
pub struct Options {
    /// What to train.
    pub config: Config,
    /// Where to keep the run.
    pub folder: PathBuf,
    /// Seed of every random choice.
    pub seed: u64,
    /// How to split the data.
    pub protocol: Protocol,
    /// The command line, for the record.
    pub command: String,
    /// Whether to go on with a run that the folder already holds.
    pub resume: bool,
    /// Stop after so many epochs of this call; the run can be resumed.
    pub pause_after: Option<usize>,
    /// Set from outside to stop after the current step.
    pub cancelled: Arc<AtomicBool>,
}

/// A data set in memory, ready to draw windows from.
struct Windows<'a> {
    recipe: &'a Recipe,
    clips: Vec<(&'a Columns, usize)>,
    segments: Vec<Vec<usize>>,
}

impl<'a> Windows<'a> {
    fn new(data: &'a Dataset, recipe: &'a Recipe) -> Result<Self> {
        let clips: Vec<(&Columns, usize)> = data
            .clips
            .iter()
            .map(|clip| match &clip.source {
                Source::Columns(columns) => Ok((columns.as_ref(), clip.genre)),
                Source::Audio(path) => bail!("{} has no spectrogram loaded", path.display()),
            })
            .collect::<Result<_>>()?;
        let segments = clips.iter().map(|(columns, _)| columns.segments(recipe)).collect();
        Ok(Self { recipe, clips, segments })
    }

    fn of(&self, (clip, segment): SegmentId) -> Vec<f32> {
        self.clips[clip].0.window(self.recipe, self.segments[clip][segment])
    }
}

/// Trains a network, or goes on with its training. Returns the final state.
///
/// Two runs with the same configuration, data and seed on the same machine give the same weights,
/// and so does a run that was stopped and resumed: every epoch draws from a generator of its own.
///
/// # Errors
/// The data do not fit the recipe, the folder cannot be used, or the run was cancelled.
pub fn train(options: &Options, data: &mut Dataset) -> Result<State> {
    let Options { config, seed, protocol, .. } = options;
    let folder = RunFolder::new(&options.folder);
    // The split is made of all clips there are, before unusable ones drop out: an evaluation, which
    // meets the same clips, must come to the same parts.
    let listed = data.clips.clone();
    let bar = progress_bar(data.clips.len() as u64, "reading clips");
    data.load_columns(&config.recipe, |done| bar.set_position(done as u64))?;
    bar.finish_and_clear();
    let data = &*data;

    let windows = Windows::new(data, &config.recipe)?;
    let places: BTreeMap<&str, usize> =
        data.clips.iter().enumerate().map(|(place, clip)| (clip.id.as_str(), place)).collect();
    let place_of = |clip: &Clip| places.get(clip.id.as_str()).copied();
    let counts: Vec<usize> =
        listed.iter().map(|clip| place_of(clip).map_or(0, |place| windows.segments[place].len())).collect();
    let mut split = Split::new(*protocol, *seed, &listed, &counts)?;
    for part in [&mut split.train, &mut split.valid, &mut split.test] {
        // From places in the list to places among the clips that are left.
        *part = part.iter().filter_map(|&(clip, s)| Some((place_of(listed.get(clip)?)?, s))).collect();
    }
    ensure!(!split.train.is_empty(), "the {} split leaves no clip to train on", protocol.name());
    ensure!(!split.valid.is_empty(), "the {} split leaves no clip to validate with", protocol.name());
    let (train_clips, valid_clips) = (clips_of(&split.train), clips_of(&split.valid));
    let record = RunRecord {
        seed: *seed,
        protocol: *protocol,
        command: options.command.clone(),
        data: DataRecord {
            sha256: Dataset::sha256(train_clips.iter().chain(&valid_clips).map(|&c| &data.clips[c]))?,
            train_clips: train_clips.len(),
            valid_clips: valid_clips.len(),
            ids: if *protocol == Protocol::FaultFiltered {
                Vec::new()
            } else {
                let used: BTreeSet<usize> = train_clips.iter().chain(&valid_clips).copied().collect();
                used.into_iter().map(|c| data.clips[c].id.clone()).collect()
            },
        },
    };

    let device = crate::device();
    device.seed(*seed);
    let training_device = device.clone().autodiff();
    let mut network = config.architecture.init(GTZAN_GENRES.len(), &training_device);
    let mut optimizer = AdamWConfig::new().with_weight_decay(config.training.weight_decay).init();
    let mut state = State {
        epochs_done: 0,
        best_epoch: 0,
        best_accuracy: 0.0,
        best_loss: f64::INFINITY,
        finished: false,
    };

    if RunFolder::is_run(&options.folder) {
        ensure!(
            options.resume,
            "{} already holds a run: go on with it by --resume, or choose another --out",
            options.folder.display()
        );
        let earlier = folder.record()?;
        ensure!(
            earlier.seed == record.seed && earlier.protocol == record.protocol && earlier.data == record.data,
            "{} was begun with another seed, split or data; it can only be resumed with the same",
            options.folder.display()
        );
        ensure!(
            folder.config()? == *config,
            "{} was begun with another configuration; it can only be resumed with the same",
            options.folder.display()
        );
        if let Some(earlier) = folder.state()? {
            state = earlier;
            let failed = |e| anyhow::anyhow!("checkpoint {} is damaged: {e}", state.epochs_done);
            let weights = ModuleRecord::load(folder.last(state.epochs_done)).map_err(failed)?;
            network = network.try_load_record(weights).map_err(failed)?;
            optimizer = optimizer.load(folder.optimizer(state.epochs_done)).map_err(failed)?;
        }
    } else {
        fs::create_dir_all(&options.folder)
            .with_context(|| format!("{} cannot be made", options.folder.display()))?;
        write_atomically(&options.folder.join("config.toml"), toml::to_string(config)?.as_bytes())?;
        write_atomically(&options.folder.join("run.json"), &serde_json::to_vec_pretty(&record)?)?;
    }

    let draws = Draws::new(protocol, &split, &train_clips, config.training.crops_per_clip);
    let pause_at = options.pause_after.map_or(usize::MAX, |epochs| state.epochs_done + epochs);
    while !state.finished && state.epochs_done < config.training.epochs.min(pause_at) {
        let epoch = state.epochs_done + 1;
        let started = Instant::now();
        let train_loss;
        let learning_rate;
        (network, train_loss, learning_rate) =
            run_epoch(network, &mut optimizer, &windows, &draws, options, epoch, &training_device)?;
        let valid = validate(&network.valid(), &windows, &split.valid, &device)?;
        let metrics = EpochMetrics {
            epoch,
            train_loss,
            valid_loss: valid.loss,
            valid_track_accuracy: valid.track_accuracy,
            valid_segment_accuracy: valid.segment_accuracy,
            learning_rate,
            seconds: started.elapsed().as_secs_f64(),
        };
        let better = valid.track_accuracy > state.best_accuracy
            || (valid.track_accuracy == state.best_accuracy && valid.loss < state.best_loss);
        state.epochs_done = epoch;
        if better {
            state.best_epoch = epoch;
            state.best_accuracy = valid.track_accuracy;
            state.best_loss = valid.loss;
        }
        state.finished =
            epoch == config.training.epochs || epoch - state.best_epoch >= config.training.patience;
        save(&folder, &network, &optimizer, &state, &metrics, better)?;
        report(&metrics, &state, config.training.epochs);
    }
    Ok(state)
}

/// Which windows an epoch draws from.
enum Draws<'a> {
    /// So many crops at any column of each clip.
    Crops { clips: &'a [usize], each: usize },
    /// These segments, as they are: crops would reach into segments that are tested with.
    Segments(&'a [SegmentId]),
}

impl<'a> Draws<'a> {
    fn new(protocol: &Protocol, split: &'a Split, clips: &'a [usize], each: usize) -> Self {
        if *protocol == Protocol::Segment {
            Self::Segments(&split.train)
        } else {
            Self::Crops { clips, each }
        }
    }

    /// Clip and first column of every window of an epoch, in random order.
    fn epoch(&self, windows: &Windows<'_>, rng: &mut ChaCha8Rng) -> Vec<(usize, usize)> {
        let mut drawn: Vec<(usize, usize)> = match self {
            Self::Crops { clips, each } => clips
                .iter()
                .flat_map(|&clip| std::iter::repeat_n(clip, *each))
                .map(|clip| {
                    let last = windows.clips[clip].0.columns.saturating_sub(windows.recipe.columns);
                    (clip, rng.random_range(0..=last))
                })
                .collect(),
            Self::Segments(segments) => {
                segments.iter().map(|&(clip, segment)| (clip, windows.segments[clip][segment])).collect()
            }
        };
        drawn.shuffle(rng);
        drawn
    }
}

fn run_epoch(
    mut network: Network,
    optimizer: &mut ModuleOptimizer,
    windows: &Windows<'_>,
    draws: &Draws<'_>,
    options: &Options,
    epoch: usize,
    device: &Device,
) -> Result<(Network, f64, f64)> {
    let config = &options.config;
    let (recipe, training) = (&config.recipe, &config.training);
    // Each epoch has generators of its own, so that a resumed run repeats what it would have done.
    let epoch_seed = options.seed.wrapping_mul(1_000_003).wrapping_add(epoch as u64);
    let mut rng = ChaCha8Rng::seed_from_u64(epoch_seed);
    device.seed(epoch_seed);

    let classes = GTZAN_GENRES.len();
    let drawn = draws.epoch(windows, &mut rng);
    let steps = (drawn.len() / training.batch_size).max(1);
    let bar = progress_bar(steps as u64, &format!("epoch {epoch}"));
    let (mut total, mut learning_rate) = (0.0, 0.0);
    for (step, batch) in drawn.chunks(training.batch_size).take(steps).enumerate() {
        if options.cancelled.load(Ordering::Relaxed) {
            bar.finish_and_clear();
            bail!(
                "stopped in epoch {epoch}; finished epochs are kept, go on with --resume --out {}",
                options.folder.display()
            );
        }
        let mut inputs = Vec::with_capacity(batch.len());
        let mut targets = Vec::with_capacity(batch.len());
        for &(clip, start) in batch {
            let (columns, genre) = windows.clips[clip];
            let mut window = columns.window(recipe, start);
            augment(&mut window, recipe, &config.augmentation, &mut rng);
            inputs.push(window);
            let off = training.label_smoothing / classes as f32;
            let mut target = vec![off; classes];
            target[genre] += 1.0 - training.label_smoothing;
            targets.push(target);
        }
        mix(&mut inputs, &mut targets, training.mixup, &mut rng)?;
        let shape = [batch.len(), recipe.n_mels, recipe.columns];
        let inputs = Tensor::<3>::from_data(TensorData::new(inputs.concat(), shape), device);
        let targets =
            Tensor::<2>::from_data(TensorData::new(targets.concat(), [batch.len(), classes]), device);
        let loss = (log_softmax(network.forward(inputs), 1) * targets).sum_dim(1).mean().neg();
        let value = f64::from(loss.clone().into_scalar::<f32>());
        ensure!(value.is_finite(), "the loss became {value} in epoch {epoch}; lower the learning rate");
        let gradients = GradientsParams::from_grads(loss.backward(), &network);
        learning_rate = schedule(training.learning_rate, epoch - 1, step, steps, training.epochs);
        network = optimizer.step(learning_rate, network, gradients);
        total += value;
        bar.set_message(format!("loss {:.3}", total / (step + 1) as f64));
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok((network, total / steps as f64, learning_rate))
}

/// A linear warm-up over the first epoch, then half a cosine down to a thousandth of the peak.
fn schedule(peak: f64, epoch: usize, step: usize, steps: usize, epochs: usize) -> f64 {
    let done = epoch as f64 + (step + 1) as f64 / steps as f64;
    if done < 1.0 {
        return peak * done;
    }
    let share = ((done - 1.0) / (epochs as f64 - 1.0).max(1.0)).min(1.0);
    peak * (0.001 + 0.999 * 0.5 * (1.0 + (std::f64::consts::PI * share).cos()))
}

/// Varies one window in place: level, spectral tilt, low-pass, shift along the bands, SpecAugment's masks
/// (Park et al. 2019, without time warping).
fn augment(window: &mut [f32], recipe: &Recipe, how: &Augmentation, rng: &mut ChaCha8Rng) {
    const FLOOR: f32 = -1.0;
    let (bands, columns) = (recipe.n_mels, recipe.columns);
    // A window's values span 2 over top_db decibels.
    let unit = 2.0 / recipe.top_db;
    if how.tilt_db > 0.0 || how.level_db > 0.0 {
        let tilt = rng.random_range(-how.tilt_db..=how.tilt_db) * unit;
        let level = rng.random_range(-how.level_db..=how.level_db) * unit;
        for (band, row) in window.chunks_exact_mut(columns).enumerate() {
            let gain = level + tilt * (band as f32 / (bands.max(2) - 1) as f32 - 0.5);
            // The floor stays where it is: what was cut off there cannot be lifted again.
            row.iter_mut().filter(|v| **v > FLOOR).for_each(|v| *v = (*v + gain).max(FLOOR));
        }
    }
    if rng.random::<f32>() < how.low_pass {
        let first = rng.random_range(how.low_pass_from.min(bands)..=bands);
        window[first * columns..].fill(FLOOR);
    }
    if how.frequency_shift > 0 {
        let most = how.frequency_shift.min(bands / 2);
        let shift = rng.random_range(0..=2 * most);
        if shift >= most {
            let up = (shift - most) * columns;
            window.copy_within(..bands * columns - up, up);
        } else {
            let down = (most - shift) * columns;
            window.copy_within(down.., 0);
        }
    }
    for _ in 0..how.frequency_masks {
        let height = rng.random_range(0..=how.frequency_mask_bands.min(bands));
        let first = rng.random_range(0..=bands - height);
        window[first * columns..(first + height) * columns].fill(FLOOR);
    }
    for _ in 0..how.time_masks {
        let width = rng.random_range(0..=how.time_mask_columns.min(columns));
        let first = rng.random_range(0..=columns - width);
        for row in window.chunks_exact_mut(columns) {
            row[first..first + width].fill(FLOOR);
        }
    }
}

/// mixup (Zhang et al. 2018): each window and its target become a blend with another of the batch.
fn mix(inputs: &mut [Vec<f32>], targets: &mut [Vec<f32>], alpha: f32, rng: &mut ChaCha8Rng) -> Result<()> {
    if alpha <= 0.0 {
        return Ok(());
    }
    let beta = Beta::new(alpha, alpha).context("mixup")?;
    let mut partners: Vec<usize> = (0..inputs.len()).collect();
    partners.shuffle(rng);
    let (pure_inputs, pure_targets) = (inputs.to_vec(), targets.to_vec());
    let blend = |own: &mut [f32], other: &[f32], share: f32| {
        own.iter_mut().zip(other).for_each(|(a, b)| *a = share * *a + (1.0 - share) * b);
    };
    for (index, partner) in partners.into_iter().enumerate() {
        let share = beta.sample(rng);
        blend(&mut inputs[index], &pure_inputs[partner], share);
        blend(&mut targets[index], &pure_targets[partner], share);
    }
    Ok(())
}

struct Validation {
    loss: f64,
    track_accuracy: f64,
    segment_accuracy: f64,
}

/// Measures segments one by one and, combined, clip by clip.
fn validate(
    network: &Network,
    windows: &Windows<'_>,
    segments: &[SegmentId],
    device: &Device,
) -> Result<Validation> {
    let recipe = windows.recipe;
    let mut by_clip: BTreeMap<usize, Vec<Vec<f32>>> = BTreeMap::new();
    let mut right = 0;
    for batch in segments.chunks(64) {
        let inputs: Vec<f32> = batch.iter().flat_map(|&segment| windows.of(segment)).collect();
        let shape = [batch.len(), recipe.n_mels, recipe.columns];
        let logits = network.forward(Tensor::<3>::from_data(TensorData::new(inputs, shape), device));
        let logits = logits.into_data_as::<f32>();
        let logits = logits.as_slice::<f32>().map_err(|e| anyhow::anyhow!("{e:?}"))?;
        for (&(clip, _), logits) in batch.iter().zip(logits.chunks_exact(GTZAN_GENRES.len())) {
            let log_probabilities = cratedigger_zoo::log_softmax(logits);
            right += usize::from(argmax(&log_probabilities) == windows.clips[clip].1);
            by_clip.entry(clip).or_default().push(log_probabilities);
        }
    }
    let (mut loss, mut clips_right) = (0.0, 0);
    for (&clip, judged) in &by_clip {
        let song = combine(judged.iter().map(Vec::as_slice));
        let genre = windows.clips[clip].1;
        loss -= f64::from(song[genre]);
        clips_right += usize::from(argmax(&song) == genre);
    }
    Ok(Validation {
        loss: loss / by_clip.len().max(1) as f64,
        track_accuracy: clips_right as f64 / by_clip.len().max(1) as f64,
        segment_accuracy: right as f64 / segments.len().max(1) as f64,
    })
}

/// Index of the largest value, the first of equals; 0 for none.
pub fn argmax(values: &[f32]) -> usize {
    (1..values.len()).fold(0, |best, i| if values[i] > values[best] { i } else { best })
}

fn save(
    folder: &RunFolder,
    network: &Network,
    optimizer: &ModuleOptimizer,
    state: &State,
    metrics: &EpochMetrics,
    better: bool,
) -> Result<()> {
    let failed = |e| anyhow::anyhow!("the checkpoint cannot be written: {e}");
    let epoch = state.epochs_done;
    let weights = network.clone().into_record().into_bytes().map_err(failed)?;
    write_atomically(&folder.last(epoch), &weights)?;
    write_atomically(&folder.optimizer(epoch), &optimizer.into_bytes().map_err(failed)?)?;
    if better {
        write_atomically(&folder.0.join("best.bpk"), &weights)?;
    }
    let mut log = fs::OpenOptions::new().create(true).append(true).open(folder.0.join("metrics.jsonl"))?;
    writeln!(log, "{}", serde_json::to_string(metrics)?)?;
    // Last, because it names the others.
    write_atomically(&folder.0.join("state.json"), &serde_json::to_vec_pretty(state)?)?;
    if epoch > 1 {
        // The one before is no longer needed; that it could not be removed harms nothing.
        let _ = fs::remove_file(folder.last(epoch - 1));
        let _ = fs::remove_file(folder.optimizer(epoch - 1));
    }
    Ok(())
}

#[expect(clippy::print_stderr, reason = "progress of a command-line program")]
fn report(metrics: &EpochMetrics, state: &State, epochs: usize) {
    eprintln!(
        "epoch {:3}/{epochs}  loss {:.3}  valid: clips {:.1} % segments {:.1} % loss {:.3}  {:.0} s{}",
        metrics.epoch,
        metrics.train_loss,
        100.0 * metrics.valid_track_accuracy,
        100.0 * metrics.valid_segment_accuracy,
        metrics.valid_loss,
        metrics.seconds,
        if state.best_epoch == metrics.epoch { "  best" } else { "" }
    );
}

/// A bar on the terminal; nothing where there is none.
pub fn progress_bar(length: u64, prefix: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix} {bar:30} {pos}/{len} {eta} {msg}");
    let bar = ProgressBar::new(length).with_prefix(prefix.to_owned());
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
