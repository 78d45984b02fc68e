//! Everything that a run trains and validates on, in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, Result, ensure};
use cratedigger_zoo::{DataRecord, Extractor, Input, InputSpec, Manifest, Preparation};

use super::initial::{Known, known_to, warn_of_learned};
use super::options::Options;
use crate::config::{Balance, Config, Method};
use crate::data::examples::{Examples, Loader, Version, part_ranges};
use crate::data::small_classes::{check_artists, check_classes};
use crate::data::split::{Protocol, SegmentId, Split, SplitPlan, clips_of};
use crate::data::{Dataset, inspect, non_music, preprocess};
use crate::progress::progress_bar;
use crate::store::{RunFolder, RunRecord, manifest_of};

/// Real non-music sounds, each with the index of its kind.
type Sounds = Vec<(usize, Examples)>;

/// Everything that a run trains and validates on, in memory.
pub(super) struct Session<'a> {
    pub(super) config: &'a Config,
    pub(super) spec: InputSpec,
    pub(super) classes: Vec<String>,
    /// Class of each used clip, by the clip's index in the data set.
    pub(super) class_of: BTreeMap<usize, usize>,
    /// Examples of each used clip, by the clip's index in the data set.
    pub(super) examples: BTreeMap<usize, Examples>,
    pub(super) preparation: Preparation,
    /// `[channels, rows, columns]` of each part of the preprocessed input.
    pub(super) shapes: Vec<[usize; 3]>,
    pub(super) split: Split,
    /// Whether the split keeps clips whole, so that a window can start anywhere in a clip.
    pub(super) clips_apart: bool,
    /// Weight of each class in the loss.
    pub(super) class_weights: Vec<f32>,
    /// Raw windows of non-music sounds.
    pub(super) non_music: Vec<Vec<f32>>,
    /// Kinds of non-music that the network predicts after the classes.
    pub(super) kinds: Vec<String>,
    /// Sounds of these kinds.
    pub(super) sounds: Sounds,
    pub(super) folder: RunFolder,
    /// Cache folder; none to compute everything.
    pub(super) cache: Option<PathBuf>,
    pub(super) cancelled: Arc<AtomicBool>,
}

/// Reads the data, splits them and fits the preprocessing.
pub(super) fn prepare_session<'a>(
    options: &'a Options,
    data: &mut Dataset,
) -> Result<(Session<'a>, RunRecord)> {
    let config = &options.config;
    let spec = config.input_spec();
    if config.data.drop_duplicates {
        inspect::drop_duplicates(data, options.cache.as_deref(), &options.cancelled)?;
    }
    let plan = config.data.split_plan(config.seed);
    // A run of an earlier version goes on as it began.
    if !RunFolder::is_run(&options.folder) {
        check_artists(&plan, data)?;
        if !options.allow_small {
            check_classes(&plan, data)?;
        }
    }
    let loader = Loader {
        input_spec: &spec,
        origin: config.data.source,
        cache: options.cache.clone(),
        cancelled: Arc::clone(&options.cancelled),
    };
    let (mut examples, mut split) = load(&loader, &plan, data)?;
    let clips_apart = split.check_clips_apart(&data.clips).is_ok();
    if config.data.learn_from_validation {
        split.train.extend(&split.valid);
        split.train.sort_unstable();
    }
    let train_clips = clips_of(&split.train);
    augment(&loader, config, data, &mut examples, &train_clips, clips_apart)?;

    let classes = data.classes.clone();
    let class_of: BTreeMap<usize, usize> =
        examples.keys().map(|&place| (place, data.clips[place].class)).collect();
    let preparation = fit(config, &spec, &examples, &split.train, &class_of)?;
    let shapes = spec.prepared_shapes(&preparation)?;
    config.network.validate(&shapes).map_err(anyhow::Error::msg)?;
    let labels: Vec<usize> = split.train.iter().map(|(clip, _)| class_of[clip]).collect();
    let class_weights = match config.data.balance {
        Balance::Weights => preprocess::class_weights(&labels, classes.len())?,
        Balance::None | Balance::Oversample => vec![1.0; classes.len()],
    };
    ensure!(
        config.data.non_music.is_none() || config.training.method == Method::Logistic,
        "data.non_music needs method = \"logistic\"; gradient descent uses training.non_music"
    );
    let (kinds, sounds) = sounds(&loader, config)?;
    let licence = config.training.weights.as_deref().and_then(licence_of);
    let record = RunRecord {
        non_music: kinds.clone(),
        licence,
        seed: config.seed,
        command: options.command.clone(),
        classes: classes.clone(),
        data: data_record(options, &plan, data, &examples, &split)?,
        split: plan,
    };
    let non_music =
        if config.training.non_music > 0.0 { non_music_windows(&spec, config.seed)? } else { Vec::new() };
    let session = Session {
        config,
        spec,
        classes,
        class_of,
        examples,
        preparation,
        shapes,
        split,
        clips_apart,
        class_weights,
        non_music,
        kinds,
        sounds,
        folder: RunFolder::new(&options.folder),
        cache: options.cache.clone(),
        cancelled: Arc::clone(&options.cancelled),
    };
    Ok((session, record))
}

/// Reads the training and validation clips and splits them into segments.
fn load(
    loader: &Loader<'_>,
    plan: &SplitPlan,
    data: &mut Dataset,
) -> Result<(BTreeMap<usize, Examples>, Split)> {
    let spec = loader.input_spec;
    // If the split divides clips, it needs the number of segments of every clip. Otherwise test clips are
    // not even read.
    let by_segment = matches!(plan.protocol, Protocol::Segment | Protocol::Index);
    let wanted: Vec<usize> = if by_segment {
        (0..data.clips.len()).collect()
    } else {
        let split = Split::new(plan, &data.clips, &vec![1; data.clips.len()])?;
        let used: BTreeSet<usize> =
            clips_of(&split.train).into_iter().chain(clips_of(&split.valid)).collect();
        used.into_iter().collect()
    };
    let bar = progress_bar(wanted.len() as u64, "reading clips");
    let examples = loader.load(data, &wanted, |done| bar.set_position(done as u64))?;
    bar.finish_and_clear();
    let counts: Vec<usize> = (0..data.clips.len())
        .map(|clip| examples.get(&clip).and_then(|e| e.versions.first()).map_or(0, |v| v.segments(spec)))
        .collect();
    let mut split = if by_segment {
        Split::new(plan, &data.clips, &counts)?
    } else {
        // The split of all listed clips, including unusable ones: an evaluation, which has the same list,
        // must get the same parts.
        Split::new(plan, &data.clips, &vec![1; data.clips.len()])?
    };
    for part in [&mut split.train, &mut split.valid] {
        *part = if by_segment {
            std::mem::take(part)
        } else {
            clips_of(part).into_iter().flat_map(|clip| (0..counts[clip]).map(move |s| (clip, s))).collect()
        };
    }
    ensure!(!split.train.is_empty(), "the {} split has no training clips", plan.describe());
    ensure!(!split.valid.is_empty(), "the {} split has no validation clips", plan.describe());
    Ok((examples, split))
}

/// Adds the versions of training clips that augmentation of audio asks for.
fn augment(
    loader: &Loader<'_>,
    config: &Config,
    data: &Dataset,
    examples: &mut BTreeMap<usize, Examples>,
    train_clips: &[usize],
    clips_apart: bool,
) -> Result<()> {
    let augmentation = config.augmentation.audio.as_ref().map(|how| (how, config.seed));
    ensure!(
        clips_apart
            || augmentation.is_none_or(|(how, _)| {
                how.stretch == 0.0 && how.shift_seconds == 0.0 && how.speed == 0.0
            }),
        "stretch, shift_seconds and speed cannot be used with a split of segments, because they move audio of test segments into training segments"
    );
    let bar = progress_bar(train_clips.len() as u64, "augmenting clips");
    loader.augment(data, examples, train_clips, clips_apart, augmentation, |done| {
        bar.set_position(done as u64);
    })?;
    bar.finish_and_clear();
    Ok(())
}

/// The description of the training and validation clips for `run.json`.
fn data_record(
    options: &Options,
    plan: &SplitPlan,
    data: &Dataset,
    examples: &BTreeMap<usize, Examples>,
    split: &Split,
) -> Result<DataRecord> {
    let config = &options.config;
    let (train_clips, valid_clips) = (clips_of(&split.train), clips_of(&split.valid));
    let mut lines = String::new();
    for &clip in train_clips.iter().chain(&valid_clips) {
        let content = examples.get(&clip).map_or("", |e| e.sha256.as_str());
        lines += &format!("{} {} {content}\n", data.clips[clip].id, data.clips[clip].class);
    }
    // The record lists the clips that the protocol's name does not imply, including those known to the
    // initial weights. A resumed run already has its record.
    let known = match &config.training.weights {
        Some(weights) if !RunFolder::is_run(&options.folder) => known_to(weights, data)?,
        _ => Known::default(),
    };
    if !config.data.learn_from_validation {
        warn_of_learned(&valid_clips, data, &known);
    }
    let used: BTreeSet<String> =
        train_clips.iter().chain(&valid_clips).map(|&clip| data.clips[clip].id.clone()).collect();
    let ids: Vec<String> = match plan.protocol {
        Protocol::FaultFiltered => known.seen.difference(&used).cloned().collect(),
        _ => known.seen.union(&used).cloned().collect(),
    };
    Ok(DataRecord {
        sha256: cratedigger_zoo::sha256_hex(lines.as_bytes()),
        train_clips: train_clips.len(),
        valid_clips: if config.data.learn_from_validation { 0 } else { valid_clips.len() },
        ids,
    })
}

/// Fits the preprocessing to the features of the training segments; nothing for other inputs.
fn fit(
    config: &Config,
    spec: &InputSpec,
    examples: &BTreeMap<usize, Examples>,
    train: &[SegmentId],
    class_of: &BTreeMap<usize, usize>,
) -> Result<Preparation> {
    if !spec.inputs.iter().any(Input::is_prepared) {
        return Ok(Preparation::default());
    }
    let columns = cratedigger_dsp::TABLE_COLUMNS.len();
    let (mut rows, mut labels): (Vec<Vec<f32>>, Vec<usize>) = (Vec::new(), Vec::new());
    for &(clip, segment) in train {
        let Some(version) = examples.get(&clip).and_then(|e| e.versions.first()) else { continue };
        let raw = version.segment(spec, segment);
        for (_, range) in spec.inputs.iter().zip(part_ranges(spec)).filter(|(i, _)| i.is_prepared()) {
            for row in raw.get(range).unwrap_or_default().chunks_exact(columns) {
                rows.push(row.to_vec());
                labels.push(class_of[&clip]);
            }
        }
    }
    preprocess::fit(&config.preparation.steps(), &rows, &labels)
        .context("fitting the preprocessing to the training clips")
}

/// Synthetic sounds of each kind beside real ones.
const SYNTHETIC_EACH: usize = 6;
/// Kinds of non-music that a network predicts, as manifests name them.
const KINDS: [&str; 2] = ["speech", "other-sounds"];

/// The kinds of the configured sounds, and the sounds with their augmented versions. Both are empty without
/// a folder of sounds.
fn sounds(loader: &Loader<'_>, config: &Config) -> Result<(Vec<String>, Sounds)> {
    let Some(settings) = &config.data.non_music else { return Ok((Vec::new(), Vec::new())) };
    let mut data = Dataset::open(&settings.folder)
        .with_context(|| format!("the sounds in {} cannot be read", settings.folder.display()))?;
    let left_out = |class: usize| settings.leave_out.contains(&data.classes[class]);
    let wanted: Vec<usize> =
        (0..data.clips.len()).filter(|&clip| !left_out(data.clips[clip].class)).collect();
    ensure!(!wanted.is_empty(), "{} has no sounds to train on", settings.folder.display());
    let bar = progress_bar(wanted.len() as u64, "reading sounds");
    let mut examples = loader.load(&mut data, &wanted, |done| bar.set_position(done as u64))?;
    let augmentation = config.augmentation.audio.as_ref().map(|how| (how, config.seed));
    loader
        .augment(&data, &mut examples, &wanted, true, augmentation, |done| bar.set_position(done as u64))?;
    bar.finish_and_clear();
    let kind = |class: usize| {
        let name = data.classes[class].to_lowercase();
        usize::from(!settings.speech.iter().any(|prefix| name.starts_with(prefix.as_str())))
    };
    let mut sounds: Sounds =
        examples.into_iter().map(|(clip, e)| (kind(data.clips[clip].class), e)).collect();
    sounds.extend(synthetic_sounds(loader.input_spec, config.seed)?);
    Ok((KINDS.map(String::from).into(), sounds))
}

/// Tones, noise and clicks as other sounds, because few recordings hold them. Synthetic speech is left out:
/// it proves nothing about real speech.
fn synthetic_sounds(spec: &InputSpec, seed: u64) -> Result<Sounds> {
    let mut extractor = Extractor::new(spec, &Preparation::default())?;
    let seconds = spec.segment_seconds * NON_MUSIC_WINDOWS as f64;
    let sounds = non_music::sounds(spec.sample_rate, seconds, SYNTHETIC_EACH, seed.wrapping_add(1 << 32));
    (sounds.iter().filter(|sound| sound.kind != non_music::KINDS[0]))
        .map(|sound| {
            let segments = spec
                .segments(sound.samples.len())
                .iter()
                .map(|s| Ok(extractor.raw_parts(&sound.samples[..s.end], s.start)?.concat()))
                .collect::<Result<Vec<_>>>()?;
            let versions = vec![Version::Segments(Arc::new(segments))];
            Ok((KINDS.len() - 1, Examples { versions, sha256: String::new(), origin: "synthetic" }))
        })
        .collect()
}

/// The licence notice of initial weights, from the manifest beside them.
fn licence_of(weights: &std::path::Path) -> Option<String> {
    let json = std::fs::read(manifest_of(weights)).ok()?;
    let file = weights.file_name()?.to_str()?;
    Manifest::parse(&json).ok()?.models.into_iter().find(|model| model.weights == file)?.licence
}

/// Non-music sounds per kind, and windows per sound.
const NON_MUSIC_EACH: usize = 24;
const NON_MUSIC_WINDOWS: usize = 4;

/// Raw windows of non-music sounds. The seed differs from that of `cratedigger combine`, so that its
/// threshold is chosen on other sounds.
fn non_music_windows(spec: &InputSpec, seed: u64) -> Result<Vec<Vec<f32>>> {
    let mut extractor = Extractor::new(spec, &Preparation::default())?;
    let seconds = spec.segment_seconds * NON_MUSIC_WINDOWS as f64;
    let sounds = non_music::sounds(spec.sample_rate, seconds, NON_MUSIC_EACH, seed.wrapping_add(1 << 32));
    let length = spec.segment_samples();
    let mut windows = Vec::with_capacity(sounds.len() * NON_MUSIC_WINDOWS);
    for sound in &sounds {
        for start in (0..NON_MUSIC_WINDOWS).map(|window| window * length) {
            windows.push(extractor.raw_parts(&sound.samples, start)?.concat());
        }
    }
    Ok(windows)
}
