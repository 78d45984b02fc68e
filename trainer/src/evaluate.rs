//! Measuring a model under a protocol.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use burn::module::{Module as _, ModuleMapper, Param};
use burn::tensor::{FloatDType, Tensor};
use cratedigger_zoo::{
    Analyser, Extractor, GTZAN_GENRES, Golden, Judgement, MIN_SECONDS, Manifest, Metric, Model, ModelEntry,
    combine, golden_signal, log_softmax, sha256_hex,
};
use serde::Serialize;

use crate::data::{Clip, Dataset, Source, mono};
pub use crate::metrics::wilson;
use crate::partition::Part;
use crate::split::{Protocol, SegmentId, Split, clips_of};
use crate::train::{RunFolder, argmax, progress_bar};

/// Networks to measure or to use, with the bytes of their weights.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What they are.
    pub manifest: Manifest,
    /// Their weights, in the manifest's order.
    pub weights: Vec<Vec<u8>>,
}

impl Loaded {
    /// Loads a run, one exported model, or a folder with a manifest.
    ///
    /// # Errors
    /// There is none of these at `path`, or it is damaged.
    pub fn open(path: &Path) -> Result<Self> {
        if RunFolder::is_run(path) {
            return Self::of_run(&RunFolder::new(path));
        }
        let (folder, only) = if path.is_dir() {
            (path, None)
        } else {
            let name = path.file_name().and_then(|n| n.to_str());
            (path.parent().unwrap_or(Path::new(".")), Some(name.unwrap_or_default()))
        };
        let file = folder.join("manifest.json");
        let json = fs::read(&file).with_context(|| {
            format!("{}: neither a run nor a model: {} cannot be read", path.display(), file.display())
        })?;
        let mut manifest = Manifest::parse(&json).with_context(|| format!("{}", file.display()))?;
        if let Some(name) = only.filter(|name| *name != "manifest.json") {
            manifest.models.retain(|m| m.weights == name);
            ensure!(!manifest.models.is_empty(), "{} names no model with weights {name}", file.display());
            manifest.metrics = manifest.models.iter().flat_map(|m| m.metrics.clone()).collect();
        }
        let weights = manifest
            .models
            .iter()
            .map(|m| {
                let path = folder.join(&m.weights);
                fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))
            })
            .collect::<Result<_>>()?;
        Ok(Self { manifest, weights })
    }

    /// The best weights of a run in half precision, as they would be exported, without metrics.
    ///
    /// # Errors
    /// The run is incomplete or damaged.
    pub fn of_run(run: &RunFolder) -> Result<Self> {
        let config = run.config()?;
        let classes: Vec<String> = GTZAN_GENRES.map(String::from).to_vec();
        let device = crate::device();
        let network = config
            .architecture
            .init(classes.len(), &device)
            .try_load_record(run.best_weights()?)
            .map_err(|e| anyhow::anyhow!("the run's weights do not fit its configuration: {e}"))?;
        let parameters = network.num_params() as u64;
        let weights = network
            .map(&mut HalfPrecision)
            .into_record()
            .into_bytes()
            .map_err(|e| anyhow::anyhow!("the weights cannot be written: {e}"))?
            .to_vec();
        let mut entry = ModelEntry {
            weights: format!("{}.bpk", config.name),
            name: config.name,
            bytes: weights.len() as u64,
            sha256: sha256_hex(&weights),
            parameters,
            recipe_hash: ModelEntry::hash_of(&config.recipe, &config.architecture),
            architecture: config.architecture,
            recipe: config.recipe,
            training: run.training()?,
            metrics: Vec::new(),
            golden: Golden { logits: Vec::new() },
        };
        let model = Model::load(&entry, classes.len(), weights.clone(), &device)?;
        let mut extractor = Extractor::new(&entry.recipe)?;
        let mut window = vec![0.0; entry.recipe.input_len()];
        let mut db = window.clone();
        extractor.window(&golden_signal(entry.recipe.sample_rate), 0, &mut window, &mut db)?;
        entry.golden.logits = pollster::block_on(model.logits(window))?;
        let manifest =
            Manifest { format: cratedigger_zoo::FORMAT, classes, metrics: Vec::new(), models: vec![entry] };
        Ok(Self { manifest, weights: vec![weights] })
    }

    /// Puts the networks on this program's device.
    ///
    /// # Errors
    /// The weights are not what the manifest says.
    pub fn analyser(&self) -> Result<Analyser> {
        Ok(Analyser::load(&self.manifest, self.weights.clone(), &crate::device())?)
    }
}

/// Casts matrices and kernels to half precision. Vectors stay as they are: they are few, and the
/// variances of batch normalisation would underflow.
struct HalfPrecision;

impl ModuleMapper for HalfPrecision {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if D > 1 { param.map(|tensor| tensor.cast(FloatDType::F16)) } else { param }
    }
}

/// What `evaluate --json` prints.
#[derive(Clone, Debug, Serialize)]
pub struct Evaluation {
    /// The protocol's name.
    pub protocol: String,
    /// Seed of the split, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Where the windows came from: `arrays`, `audio` or both.
    pub source: String,
    /// The genres, in the order of the confusion matrix.
    pub classes: Vec<String>,
    /// Windows, each judged by itself.
    pub segment: SegmentScore,
    /// Whole clips, their windows combined.
    pub track: TrackScore,
    /// Of the clips measured, how many the model was trained or selected on: 0 for an honest figure.
    pub seen_in_training: usize,
    /// Clips of the split that could not be measured.
    pub skipped: usize,
    /// The networks.
    pub models: Vec<String>,
}

/// Accuracy over windows.
#[derive(Clone, Debug, Serialize)]
pub struct SegmentScore {
    /// How many.
    pub n: usize,
    /// Share named rightly.
    pub accuracy: f64,
    /// 95 % Wilson interval, too narrow because windows of one clip are not independent.
    pub interval: [f64; 2],
}

/// Accuracy over whole clips.
#[derive(Clone, Debug, Serialize)]
pub struct TrackScore {
    /// How many.
    pub n: usize,
    /// Share named rightly.
    pub accuracy: f64,
    /// 95 % Wilson interval.
    pub interval: [f64; 2],
    /// Rows: true genre; columns: named genre.
    pub confusion: Vec<Vec<usize>>,
}

/// Measures networks on the test part of a protocol.
///
/// # Errors
/// The data do not fit the networks, the test part is empty, or a network fails.
pub fn evaluate(
    loaded: &Loaded,
    data: &mut Dataset,
    protocol: Protocol,
    seed: Option<u64>,
    progress: &dyn Fn(usize, usize),
) -> Result<Evaluation> {
    let Manifest { models, classes, .. } = &loaded.manifest;
    ensure!(
        classes.iter().map(String::as_str).eq(GTZAN_GENRES),
        "the model's classes are not the genres of this data set"
    );
    let recipe = &models.first().context("the manifest names no model")?.recipe;
    let seed = seed.or_else(|| models.first().map(|m| m.training.seed)).unwrap_or_default();
    let mut analyser = loaded.analyser()?;

    // How many segments a clip has decides how segments are split, so clips are judged whole, once,
    // before the segments of the test part are picked out.
    let needs_all = protocol == Protocol::Segment;
    let wanted: Vec<usize> = if needs_all {
        (0..data.clips.len()).collect()
    } else {
        let ones = vec![1; data.clips.len()];
        clips_of(&Split::new(protocol, seed, &data.clips, &ones)?.test)
    };
    ensure!(!wanted.is_empty(), "the {} split has no test clips in this data set", protocol.name());
    let mut judged: BTreeMap<usize, Vec<Option<Vec<f32>>>> = BTreeMap::new();
    for (done, &index) in wanted.iter().enumerate() {
        let clip = &data.clips[index];
        match judge(clip, &mut analyser, recipe, needs_all) {
            Ok(segments) => {
                judged.insert(index, segments);
            }
            Err(error) if matches!(clip.source, Source::Audio(_)) => {
                data.skipped.push((clip.id.clone(), format!("{error:#}")));
            }
            Err(error) => return Err(error),
        }
        progress(done + 1, wanted.len());
    }

    let counts: Vec<usize> = (0..data.clips.len()).map(|c| judged.get(&c).map_or(0, Vec::len)).collect();
    let test = Split::new(protocol, seed, &data.clips, &counts)?.test;
    let mut by_clip: BTreeMap<usize, Vec<&[f32]>> = BTreeMap::new();
    let (mut n, mut right) = (0, 0);
    for &(clip, segment) in &test {
        let Some(log_probabilities) = judged.get(&clip).and_then(|s| s.get(segment)).and_then(Option::as_ref)
        else {
            continue;
        };
        n += 1;
        right += usize::from(argmax(log_probabilities) == data.clips[clip].genre);
        by_clip.entry(clip).or_default().push(log_probabilities);
    }
    ensure!(n > 0, "none of the {} split's test clips could be measured", protocol.name());
    let mut confusion = vec![vec![0; classes.len()]; classes.len()];
    for (&clip, segments) in &by_clip {
        let song = combine(segments.iter().copied());
        confusion[data.clips[clip].genre][argmax(&song)] += 1;
    }
    let tracks = by_clip.len();
    let tracks_right: usize = (0..classes.len()).map(|c| confusion[c][c]).sum();
    let skipped = if needs_all { data.clips.len() } else { wanted.len() } - judged.len();
    Ok(Evaluation {
        protocol: protocol.name().into(),
        seed: (protocol != Protocol::FaultFiltered).then_some(seed),
        source: source_of(by_clip.keys().map(|&c| &data.clips[c])),
        classes: classes.clone(),
        segment: SegmentScore { n, accuracy: right as f64 / n as f64, interval: wilson(right, n) },
        track: TrackScore {
            n: tracks,
            accuracy: tracks_right as f64 / tracks as f64,
            interval: wilson(tracks_right, tracks),
            confusion,
        },
        seen_in_training: seen(models, data, &test)?,
        skipped,
        models: models.iter().map(|m| m.name.clone()).collect(),
    })
}

/// How many clips of `test` any of the models was trained or selected on. Under the segment
/// protocol a clip counts as seen if another of its segments was.
fn seen(models: &[ModelEntry], data: &Dataset, test: &[SegmentId]) -> Result<usize> {
    let mut seen = 0;
    for clip in clips_of(test).into_iter().map(|index| &data.clips[index]) {
        for model in models {
            let training = &model.training;
            let known = match Protocol::of_name(&training.protocol) {
                Some(Protocol::FaultFiltered) => matches!(clip.part, Some(Part::Train | Part::Valid)),
                Some(_) => training.data.ids.binary_search(&clip.id).is_ok(),
                None => bail!("{}: unknown protocol {:?}", model.name, training.protocol),
            };
            if known {
                seen += 1;
                break;
            }
        }
    }
    Ok(seen)
}

fn source_of<'a>(clips: impl Iterator<Item = &'a Clip>) -> String {
    let (mut arrays, mut audio) = (0, 0);
    for clip in clips {
        match clip.source {
            Source::Columns(_) => arrays += 1,
            Source::Audio(_) => audio += 1,
        }
    }
    match (arrays, audio) {
        (_, 0) => "arrays".into(),
        (0, _) => "audio".into(),
        _ => format!("arrays ({arrays} clips) and audio ({audio} clips)"),
    }
}

/// The ensemble's log-probabilities for each of a clip's segments; none for silent ones.
fn judge(
    clip: &Clip,
    analyser: &mut Analyser,
    recipe: &cratedigger_zoo::Recipe,
    keep_silent: bool,
) -> Result<Vec<Option<Vec<f32>>>> {
    match &clip.source {
        Source::Audio(path) => {
            let (signal, seconds) = mono(path, recipe.sample_rate)?;
            ensure!(seconds >= MIN_SECONDS, "only {seconds:.2} s long");
            let segments = analyser.segments(signal.len());
            let judged = pollster::block_on(analyser.judge(&signal, &segments))?;
            let mut judged: Vec<_> = judged.into_iter().map(|j| j.map(|j: Judgement| j.ensemble)).collect();
            if !keep_silent {
                judged.retain(Option::is_some);
            }
            ensure!(judged.iter().any(Option::is_some), "silent");
            Ok(judged)
        }
        Source::Columns(columns) => {
            let mut members = Vec::new();
            for model in analyser.models() {
                let recipe = &model.entry().recipe;
                ensure!(
                    columns.bands == recipe.n_mels
                        && recipe.frames_per_column == crate::data::ARRAY_FRAMES_PER_COLUMN,
                    "{} needs another spectrogram than the arrays hold; use --audio",
                    model.entry().name
                );
                let windows: Vec<f32> = columns
                    .segments(recipe)
                    .iter()
                    .flat_map(|&start| columns.window(recipe, start))
                    .collect();
                let logits = pollster::block_on(model.logits(windows))?;
                members.push(logits.chunks_exact(GTZAN_GENRES.len()).map(log_softmax).collect::<Vec<_>>());
            }
            let count = members.first().map_or(0, Vec::len);
            Ok((0..count)
                .map(|s| Some(combine(members.iter().filter_map(|m| m.get(s)).map(Vec::as_slice))))
                .collect())
        }
    }
}

/// The figures of an evaluation as a manifest keeps them.
pub fn metrics(evaluation: &Evaluation) -> Vec<Metric> {
    let metric = |level: &str, n: usize, accuracy: f64| Metric {
        protocol: evaluation.protocol.clone(),
        level: level.into(),
        n: n as u64,
        accuracy,
    };
    vec![
        metric("track", evaluation.track.n, evaluation.track.accuracy),
        metric("segment", evaluation.segment.n, evaluation.segment.accuracy),
    ]
}

/// `cratedigger evaluate`.
///
/// # Errors
/// As [`Loaded::open`], [`Dataset::open`] and [`evaluate`].
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a command's output")]
pub fn command(
    model: &Path,
    data: &Path,
    protocol: Protocol,
    seed: Option<u64>,
    json: bool,
    audio: bool,
) -> Result<()> {
    let loaded = Loaded::open(model)?;
    let mut dataset = Dataset::open(data, audio)?;
    let bar = progress_bar(1, "measuring");
    let evaluation = evaluate(&loaded, &mut dataset, protocol, seed, &|done, of| {
        bar.set_length(of as u64);
        bar.set_position(done as u64);
    })?;
    bar.finish_and_clear();
    report_skipped(&dataset);
    if evaluation.seen_in_training > 0 {
        eprintln!(
            "warning: the model was trained or selected on {} of these {} clips; this is no measure of new songs",
            evaluation.seen_in_training, evaluation.track.n
        );
    }
    if json {
        println!("{}", serde_json::to_string(&evaluation)?);
    } else {
        println!("{}", in_words(&evaluation));
    }
    Ok(())
}

/// An evaluation as a text for the terminal.
fn in_words(evaluation: &Evaluation) -> String {
    let Evaluation { segment, track, classes, .. } = evaluation;
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let mut text = format!(
        "protocol {}, {}\nclips     {} of {} (95 %: {} to {})\nsegments  {} of {}\n\ntrue \\ named",
        evaluation.protocol,
        evaluation.source,
        percent(track.accuracy),
        track.n,
        percent(track.interval[0]),
        percent(track.interval[1]),
        percent(segment.accuracy),
        segment.n,
    );
    for class in classes {
        text += &format!(" {:>5}", class.chars().take(5).collect::<String>());
    }
    for (class, row) in classes.iter().zip(&track.confusion) {
        text += &format!("\n{class:12}");
        for count in row {
            text += &format!(" {:>5}", if *count == 0 { "·".into() } else { count.to_string() });
        }
    }
    text
}

/// Names the files that could not be used, and their number.
#[expect(clippy::print_stderr, reason = "what a person should know about their files")]
pub fn report_skipped(data: &Dataset) {
    for (file, why) in data.skipped.iter().take(20) {
        eprintln!("skipped {file}: {why}");
    }
    if !data.skipped.is_empty() {
        eprintln!("{} files or clips were skipped", data.skipped.len());
    }
}
