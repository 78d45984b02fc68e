//! Measuring a model under a protocol.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, Result, bail, ensure};
use burn::module::{Module as _, ModuleMapper, Param};
use burn::tensor::{FloatDType, Tensor};
use cratedigger_zoo::nets::parameter_count;
use cratedigger_zoo::{
    Analyser, EnsembleRule, Extractor, Golden, MIN_SECONDS, Manifest, Metric, Model, ModelEntry, Network,
    Preparation, Training, golden_signal, log_softmax, probabilities, sha256_hex,
};
use serde::{Deserialize, Serialize};

use crate::calibrate::Kind;
use crate::config::Config;
use crate::data::{Clip, Dataset, mono};
use crate::display::with_progress;
use crate::material::{Loader, Origin, prepared};
use crate::metrics::{Judged, Scores};
use crate::partition::Part;
use crate::run::RunFolder;
use crate::split::{Protocol, SegmentId, Split, SplitPlan, clips_of};
use crate::together::{self, is_cross_validation};
use crate::train::argmax;

/// The floats of a run's matrices and kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// 16 bits, as exported.
    Half,
    /// 32 bits, as trained.
    Single,
}

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
            return Self::of_run(&RunFolder::new(path), Precision::Half);
        }
        let file = manifest_of(path);
        let folder = file.parent().unwrap_or(Path::new("."));
        let only = (file != path && !path.is_dir()).then(|| path.file_name().and_then(|n| n.to_str()));
        let json = fs::read(&file).with_context(|| {
            format!("{}: neither a run nor a model: {} cannot be read", path.display(), file.display())
        })?;
        let mut manifest = Manifest::parse(&json).with_context(|| format!("{}", file.display()))?;
        if let Some(name) = only.map(Option::unwrap_or_default) {
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

    /// The best weights of a run, without metrics.
    ///
    /// # Errors
    /// The run is incomplete or damaged.
    pub fn of_run(run: &RunFolder, precision: Precision) -> Result<Self> {
        let config = run.config()?;
        let classes = run.record()?.classes;
        let preparation = run.preparation()?;
        let shapes = config.recipe().prepared_shapes(&preparation)?;
        let network = config
            .network
            .init(&shapes, classes.len(), &crate::device())
            .try_load_record(run.best_weights()?)
            .map_err(|e| anyhow::anyhow!("the run's weights do not fit its configuration: {e}"))?;
        Self::of_network(network, config, preparation, run.training()?, classes, precision)
    }

    /// A network of this configuration, without metrics.
    ///
    /// # Errors
    /// It does not fit what else is said of it.
    pub fn of_network(
        network: Network,
        config: Config,
        preparation: Preparation,
        training: Training,
        classes: Vec<String>,
        precision: Precision,
    ) -> Result<Self> {
        let recipe = config.recipe();
        let parameters = parameter_count(&network) as u64;
        let network = match precision {
            Precision::Half => network.map(&mut HalfPrecision),
            Precision::Single => network,
        };
        let weights = network
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
            spec_hash: ModelEntry::hash_of(&recipe, &config.network, &preparation),
            architecture: config.network,
            input_spec: recipe,
            preparation,
            training,
            metrics: Vec::new(),
            golden: Golden { logits: Vec::new() },
        };
        let model = Model::load(&entry, classes.len(), weights.clone(), &crate::device())?;
        let mut extractor = Extractor::new(&entry.input_spec, &entry.preparation)?;
        let signal = golden_signal(entry.input_spec.sample_rate, entry.input_spec.segment_seconds);
        let mut window = Vec::new();
        extractor.window(&signal, 0, &mut window)?;
        entry.golden.logits = pollster::block_on(model.logits(window))?;
        let manifest = Manifest {
            format: cratedigger_zoo::FORMAT,
            classes,
            metrics: Vec::new(),
            ensemble: EnsembleRule::default(),
            full: None,
            character: None,
            models: vec![entry],
        };
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

/// What was measured; what `evaluate --json` prints.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// The protocol's name.
    pub protocol: String,
    /// The split, with its seed and fold.
    pub split: SplitPlan,
    /// Where the windows came from: `arrays`, `audio`, `tables`, `pictures` or several.
    pub source: String,
    /// The classes, in the order of the confusion matrices.
    pub classes: Vec<String>,
    /// Windows, each judged by itself. The interval is too narrow, because windows of one clip are
    /// not independent.
    pub segment: Scores,
    /// Whole clips, their windows combined.
    pub track: Scores,
    /// Of the clips measured, how many the model was trained or selected on: 0 for an honest figure.
    pub seen_in_training: usize,
    /// Clips of the split that could not be measured.
    pub skipped: usize,
    /// The networks.
    pub models: Vec<String>,
    /// Parameters of all of them.
    #[serde(default)]
    pub parameters: u64,
    /// Bytes of all of them in half precision.
    #[serde(default)]
    pub bytes: u64,
}

/// How to measure.
pub struct Measure<'a> {
    /// On which clips.
    pub plan: &'a SplitPlan,
    /// What the inputs are made from.
    pub origin: Origin,
    /// Called with the number of clips done and of all.
    pub progress: &'a dyn Fn(usize, usize),
}

/// The manifest that a path stands for: a `.json` file itself, `manifest.json` in a folder, or beside a
/// file of weights.
pub fn manifest_of(path: &Path) -> PathBuf {
    if path.extension().is_some_and(|extension| extension == "json") {
        path.to_owned()
    } else if path.is_file() {
        path.with_file_name("manifest.json")
    } else {
        path.join("manifest.json")
    }
}

/// The split that a model was trained under, or another protocol's if one is asked for.
pub fn plan_of(loaded: &Loaded, protocol: Option<Protocol>, seed: Option<u64>) -> Result<SplitPlan> {
    let training = &loaded.manifest.models.first().context("the manifest names no model")?.training;
    let seed = seed.unwrap_or(training.seed);
    let own = Protocol::of_name(&training.protocol).with_context(|| {
        format!("the model was trained under an unknown protocol, {:?}", training.protocol)
    })?;
    let protocol = protocol.unwrap_or(own);
    // Shares, folds and groups are the run's own, if this is its protocol.
    let config = serde_json::from_value::<Config>(training.config.clone()).ok();
    Ok(match config.filter(|_| protocol == own) {
        Some(config) => SplitPlan::new(&config.data, seed),
        None => SplitPlan::of(protocol, seed),
    })
}

/// The data set as the networks know it: without the clips that repeat each other, if any of them was
/// trained so. A repeat of a training clip must not be tested with.
///
/// # Errors
/// There is no data set, or the search for repeats was cancelled.
pub fn open_data(loaded: &Loaded, folder: &Path) -> Result<Dataset> {
    let mut data = Dataset::open(folder)?;
    let without = loaded.manifest.models.iter().any(|model| {
        let config = serde_json::from_value::<Config>(model.training.config.clone());
        config.is_ok_and(|config| config.data.drop_duplicates)
    });
    if without {
        let cache = crate::material::default_cache();
        crate::inspect::drop_duplicates(&mut data, cache.as_deref(), &Arc::new(AtomicBool::new(false)))?;
    }
    Ok(data)
}

/// Measures networks on the test part of a split.
///
/// # Errors
/// The data do not fit the networks, the test part is empty, or a network fails.
pub fn evaluate(loaded: &Loaded, data: &mut Dataset, measure: &Measure<'_>) -> Result<Evaluation> {
    evaluation_of(loaded, measure, &judge_part(loaded, data, measure, Evaluated::Test)?)
}

/// The figures of what was judged.
fn evaluation_of(loaded: &Loaded, measure: &Measure<'_>, judged: &Judgements) -> Result<Evaluation> {
    let named =
        |rows: &[(String, usize, Vec<f32>)]| rows.iter().cloned().map(Judged::from).collect::<Vec<_>>();
    let (segments, tracks) = (named(&judged.segments), named(&judged.tracks));
    Ok(Evaluation {
        source: judged.source.clone(),
        seen_in_training: judged.seen,
        skipped: judged.skipped,
        ..Evaluation::of(loaded, measure.plan.clone(), &segments, &tracks)?
    })
}

impl Evaluation {
    /// The figures of what networks said of a split's segments and clips; where these came from, and
    /// how many of them were seen before or skipped, is left open.
    pub(crate) fn of(
        loaded: &Loaded,
        plan: SplitPlan,
        segments: &[Judged],
        tracks: &[Judged],
    ) -> Result<Self> {
        let Manifest { models, classes, .. } = &loaded.manifest;
        Ok(Self {
            protocol: plan.protocol.name().into(),
            split: plan,
            source: String::new(),
            classes: classes.clone(),
            segment: Scores::of(classes, segments)?,
            track: Scores::of(classes, tracks)?,
            seen_in_training: 0,
            skipped: 0,
            models: models.iter().map(|m| m.name.clone()).collect(),
            parameters: models.iter().map(|m| m.parameters).sum(),
            bytes: models.iter().map(|m| m.bytes).sum(),
        })
    }
}

/// Which part of a split is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evaluated {
    /// The one that figures are of.
    Test,
    /// The one that things are chosen by.
    Valid,
}

impl Evaluated {
    fn of(self, split: Split) -> Vec<SegmentId> {
        match self {
            Self::Test => split.test,
            Self::Valid => split.valid,
        }
    }
}

/// What networks say of a part: id, class (in the model's order), log-probabilities.
pub struct Judgements {
    /// Segment by segment.
    pub segments: Vec<(String, usize, Vec<f32>)>,
    /// Clip by clip.
    pub tracks: Vec<(String, usize, Vec<f32>)>,
    /// Where the windows came from.
    pub source: String,
    /// Clips that the model was trained or selected on.
    pub seen: usize,
    /// Clips that could not be measured.
    pub skipped: usize,
}

/// Judges a part of a split.
///
/// # Errors
/// See [`evaluate`].
pub fn judge_part(
    loaded: &Loaded,
    data: &mut Dataset,
    measure: &Measure<'_>,
    part: Evaluated,
) -> Result<Judgements> {
    let Manifest { models, classes, ensemble, .. } = &loaded.manifest;
    let plan = measure.plan;
    // The data set may have its classes in another order, or fewer of them.
    let class_of: Vec<usize> = data
        .classes
        .iter()
        .map(|name| {
            classes.iter().position(|c| c == name).with_context(|| {
                format!("the data set's class {name:?} is none of the model's: {}", classes.join(", "))
            })
        })
        .collect::<Result<_>>()?;
    let mut analyser = loaded.analyser()?;

    // How many segments a clip has decides how segments are split, so clips are judged whole, once,
    // before the segments of the test part are picked out.
    let needs_all = matches!(plan.protocol, Protocol::Segment | Protocol::Index);
    let wanted: Vec<usize> = if needs_all {
        (0..data.clips.len()).collect()
    } else {
        let ones = vec![1; data.clips.len()];
        clips_of(&part.of(Split::new(plan, &data.clips, &ones)?))
    };
    ensure!(!wanted.is_empty(), "the {} split has no such clips in this data set", plan.protocol.name());
    let mut judged: BTreeMap<usize, Vec<Option<Members>>> = BTreeMap::new();
    let mut sources: BTreeMap<&str, usize> = BTreeMap::new();
    for (done, &index) in wanted.iter().enumerate() {
        let clip = &data.clips[index];
        match judge(clip, &mut analyser, models, measure.origin, needs_all) {
            Ok((source, segments)) => {
                *sources.entry(source).or_default() += 1;
                judged.insert(index, segments);
            }
            // A network that fails would fail for every clip.
            Err(error) if error.is::<cratedigger_zoo::AnalyseError>() => return Err(error),
            Err(error) => data.skipped.push((clip.id.clone(), format!("{error:#}"))),
        }
        (measure.progress)(done + 1, wanted.len());
    }

    let counts: Vec<usize> = (0..data.clips.len()).map(|c| judged.get(&c).map_or(0, Vec::len)).collect();
    let wanted_segments = part.of(Split::new(plan, &data.clips, &counts)?);
    let mut by_clip: BTreeMap<usize, Vec<&[Vec<f32>]>> = BTreeMap::new();
    let mut segments = Vec::new();
    for &(clip, segment) in &wanted_segments {
        let Some(members) = judged.get(&clip).and_then(|s| s.get(segment)).and_then(Option::as_ref) else {
            continue;
        };
        let Clip { id, class, .. } = &data.clips[clip];
        let together = ensemble.combine(&members.iter().map(Vec::as_slice).collect::<Vec<_>>());
        segments.push((format!("{id}#{segment}"), class_of[*class], together));
        by_clip.entry(clip).or_default().push(members);
    }
    ensure!(!segments.is_empty(), "none of the {} split's clips could be measured", plan.protocol.name());
    let tracks = by_clip
        .iter()
        .map(|(&clip, segments)| {
            let Clip { id, class, .. } = &data.clips[clip];
            (id.clone(), class_of[*class], ensemble.song(segments.iter().copied()))
        })
        .collect();
    Ok(Judgements {
        segments,
        tracks,
        source: source_of(&sources),
        seen: seen(models, data, &wanted_segments)?,
        skipped: wanted.len() - judged.len(),
    })
}

/// How many clips of `test` any of the models was trained or selected on. Under the segment
/// protocol a clip counts as seen if another of its segments was.
fn seen(models: &[ModelEntry], data: &Dataset, test: &[SegmentId]) -> Result<usize> {
    let mut seen = 0;
    for clip in clips_of(test).into_iter().map(|index| &data.clips[index]) {
        for model in models {
            if knows(&model.training, clip).with_context(|| model.name.clone())? {
                seen += 1;
                break;
            }
        }
    }
    Ok(seen)
}

/// Whether a network was trained or selected on a clip, or the weights that its training began with were.
///
/// # Errors
/// It was trained under a protocol that this version does not know.
pub(crate) fn knows(training: &Training, clip: &Clip) -> Result<bool> {
    let of_its_part = match Protocol::of_name(&training.protocol) {
        Some(Protocol::FaultFiltered) => matches!(clip.part, Some(Part::Train | Part::Valid)),
        Some(_) => false,
        None => bail!("unknown protocol {:?}", training.protocol),
    };
    Ok(of_its_part || training.data.ids.binary_search(&clip.id).is_ok())
}

fn source_of(sources: &BTreeMap<&str, usize>) -> String {
    if let [(source, _)] = sources.iter().collect::<Vec<_>>().as_slice() {
        return (*source).to_string();
    }
    let each: Vec<String> = sources.iter().map(|(source, n)| format!("{source} ({n} clips)")).collect();
    each.join(" and ")
}

/// Log-probabilities of a segment, by each network.
type Members = Vec<Vec<f32>>;

/// Where a clip's windows came from, and what the networks say of each of its segments; none for silent
/// ones.
fn judge(
    clip: &Clip,
    analyser: &mut Analyser,
    models: &[ModelEntry],
    origin: Origin,
    keep_silent: bool,
) -> Result<(&'static str, Vec<Option<Members>>)> {
    // What is kept as arrays, tables or pictures does for all networks, or audio has to.
    if origin != Origin::Audio {
        let origin = if origin == Origin::Both { Origin::Auto } else { origin };
        let kept = models
            .iter()
            .map(|model| Loader::kept(clip, &model.input_spec, origin))
            .collect::<Result<Option<Vec<_>>>>()?;
        if let Some(kept) = kept
            && let Some(first) = kept.first()
        {
            let mut members = Vec::new();
            for ((model, entry), material) in analyser.models().zip(models).zip(&kept) {
                let version = material.versions.first().context("nothing was kept")?;
                let mut windows = Vec::new();
                for segment in 0..version.segments(&entry.input_spec) {
                    let raw = version.segment(&entry.input_spec, segment);
                    windows.extend(prepared(&entry.input_spec, &entry.preparation, &raw)?);
                }
                let logits = pollster::block_on(model.logits(windows))?;
                let classes = analyser.classes().len();
                members.push(logits.chunks_exact(classes).map(log_softmax).collect::<Vec<_>>());
            }
            let count = members.iter().map(Vec::len).min().unwrap_or_default();
            let of_segment = |s: usize| Some(members.iter().filter_map(|m| m.get(s)).cloned().collect());
            return Ok((first.origin, (0..count).map(of_segment).collect()));
        }
    }
    let path = match (&clip.audio, origin) {
        (Some(path), Origin::Auto | Origin::Audio | Origin::Both) => path,
        _ => bail!("there is nothing to measure it with"),
    };
    let (signal, seconds) = mono(path, analyser.sample_rate())?;
    ensure!(seconds >= MIN_SECONDS, "only {seconds:.2} s long");
    let segments = analyser.segments(signal.len());
    let judged = pollster::block_on(analyser.predict(&signal, &segments))?;
    let mut judged: Vec<_> = judged.into_iter().map(|j| j.map(|j| j.members)).collect();
    if !keep_silent {
        judged.retain(Option::is_some);
    }
    ensure!(judged.iter().any(Option::is_some), "silent");
    Ok(("audio", judged))
}

/// The figures of an evaluation as a manifest keeps them.
pub fn metrics(evaluation: &Evaluation) -> Vec<Metric> {
    let metric = |level: &str, n: usize, accuracy: f64| Metric {
        protocol: evaluation.protocol.clone(),
        level: level.into(),
        n: n as u64,
        accuracy,
        interval: None,
        confusion: None,
    };
    let track = &evaluation.track;
    let counts = |row: &Vec<usize>| row.iter().map(|n| u32::try_from(*n).unwrap_or(u32::MAX)).collect();
    vec![
        Metric {
            interval: Some(track.interval),
            confusion: Some(track.confusion.iter().map(counts).collect()),
            ..metric("track", track.n, track.accuracy)
        },
        // Without an interval: segments of one clip are no independent examples.
        metric("segment", evaluation.segment.n, evaluation.segment.accuracy),
    ]
}

/// What `cratedigger evaluate` is asked for.
#[derive(clap::Args)]
pub struct Command {
    /// A run, one exported model (a .bpk that the manifest.json beside it names), a manifest (.json)
    /// or a folder with a manifest.json; or several runs or folders of cross-validations, which are
    /// judged as one
    #[arg(required = true)]
    pub models: Vec<PathBuf>,
    /// The data set's folder
    #[arg(long)]
    pub data: PathBuf,
    /// How several runs decide together; fitted to the clips that they left to choose by [default:
    /// what does best on clips left out of its fit]
    #[arg(long, value_enum)]
    pub rule: Option<Kind>,
    /// Which clips to measure on [default: the protocol that the model was trained under]
    #[arg(long, value_enum)]
    pub split: Option<Protocol>,
    /// An index file that names the clips
    #[arg(long, conflicts_with = "split")]
    pub index: Option<PathBuf>,
    /// Seed of the track and segment splits [default: the seed the model was trained with]
    #[arg(long)]
    pub seed: Option<u64>,
    /// What to make the network's input from
    #[arg(long, value_enum, default_value_t = Origin::Auto)]
    pub source: Origin,
    /// Short for --source audio
    #[arg(long)]
    pub audio: bool,
    /// Judge with a run's weights as they were trained, in single precision, in place of half precision
    /// as they are exported; what is measured so is not kept
    #[arg(long)]
    pub single_precision: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Write a report with pictures, one HTML file
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Write what each clip and segment was called, as CSV, of the test clips and of those that
    /// things were chosen by; of one model
    #[arg(long, value_name = "FILE")]
    pub predictions: Option<PathBuf>,
}

/// `cratedigger evaluate`. What is measured of a run is kept in its folder, unless another source was
/// asked for than that of the figures it has.
///
/// # Errors
/// As [`Loaded::open`], [`Dataset::open`] and [`evaluate`].
#[expect(clippy::print_stderr, reason = "a command's output")]
pub fn command(command: &Command) -> Result<()> {
    let origin = if command.audio { Origin::Audio } else { command.source };
    let model = match command.models.as_slice() {
        [model] if !is_cross_validation(model) => model,
        models => {
            let Command { split, index, seed, predictions, single_precision, .. } = command;
            ensure!(
                split.is_none()
                    && index.is_none()
                    && seed.is_none()
                    && predictions.is_none()
                    && !single_precision,
                "several runs are measured as one on the split that they were trained on, in half precision, without predictions"
            );
            let (loaded, evaluation) = together::measure(models, &command.data, origin, command.rule)?;
            return finish(command, &loaded, &evaluation, None);
        }
    };
    ensure!(command.rule.is_none(), "--rule is for several runs; one model decides as its manifest says");
    let run = RunFolder::is_run(model).then(|| RunFolder::new(model));
    let loaded = match &run {
        Some(run) if command.single_precision => Loaded::of_run(run, Precision::Single)?,
        None if command.single_precision => {
            bail!(
                "{} is exported, in half precision; name the run that it was exported from",
                model.display()
            )
        }
        _ => Loaded::open(model)?,
    };
    let mut dataset = open_data(&loaded, &command.data)?;
    let mut plan = plan_of(&loaded, command.split, command.seed)?;
    if let Some(index) = &command.index {
        plan = SplitPlan { protocol: Protocol::Index, index: Some(index.clone()), folds: None, ..plan };
    }
    let evaluation = with_progress("measuring", |progress| {
        let measure = Measure { plan: &plan, origin, progress };
        let judged = judge_part(&loaded, &mut dataset, &measure, Evaluated::Test)?;
        let evaluation = evaluation_of(&loaded, &measure, &judged)?;
        if let Some(path) = &command.predictions {
            let mut parts = vec![("test", judged)];
            match judge_part(&loaded, &mut dataset, &measure, Evaluated::Valid) {
                Ok(valid) => parts.push(("valid", valid)),
                Err(error) => eprintln!("no predictions of clips that things were chosen by: {error:#}"),
            }
            write_predictions(path, &loaded.manifest.classes, &parts)
                .with_context(|| format!("{} cannot be written", path.display()))?;
        }
        anyhow::Ok(evaluation)
    })?;
    report_skipped(&dataset);
    if let Some(run) = run.as_ref().filter(|_| !command.single_precision) {
        // A second look, from elsewhere, must not take the place of the figures that are exported.
        let differs =
            |kept: &Evaluation| kept.protocol == evaluation.protocol && kept.source != evaluation.source;
        if origin != Origin::Auto && run.evaluations()?.iter().any(differs) {
            eprintln!("measured from {}; the run keeps the figures that it has", evaluation.source);
        } else {
            run.keep_evaluation(&evaluation)?;
        }
    }
    finish(command, &loaded, &evaluation, run.as_ref())
}

/// Says what was measured.
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a command's output")]
fn finish(
    command: &Command,
    loaded: &Loaded,
    evaluation: &Evaluation,
    run: Option<&RunFolder>,
) -> Result<()> {
    if command.single_precision {
        eprintln!("in single precision, not as it is exported");
    }
    if evaluation.seen_in_training > 0 {
        eprintln!(
            "warning: the model was trained or selected on {} of these {} clips; this is no measure of new songs",
            evaluation.seen_in_training, evaluation.track.n
        );
    }
    if let Some(path) = &command.report {
        let model = crate::compare::model_report(loaded, evaluation, run)?;
        crate::compare::write_report(path, &model.name.clone(), &[model])?;
    }
    if command.json {
        println!("{}", serde_json::to_string(evaluation)?);
    } else {
        println!("{}", in_words(evaluation));
    }
    Ok(())
}

/// Writes a line for every clip and every segment: what it is, what it was called, and the probability
/// of each class.
fn write_predictions(path: &Path, classes: &[String], parts: &[(&str, Judgements)]) -> Result<()> {
    let mut writer = csv::Writer::from_path(path)?;
    let head = ["part", "level", "id", "truth", "named"].into_iter().map(str::to_owned);
    writer.write_record(head.chain(classes.iter().map(|class| format!("p_{class}"))))?;
    let name = |class: usize| classes.get(class).map(String::as_str).unwrap_or_default();
    for (part, judged) in parts {
        for (level, rows) in [("track", &judged.tracks), ("segment", &judged.segments)] {
            for (id, truth, log) in rows {
                let row = [part, level, id.as_str(), name(*truth), name(argmax(log))].map(str::to_owned);
                let shares = probabilities(log).into_iter().map(|share| format!("{share:.6}"));
                writer.write_record(row.into_iter().chain(shares))?;
            }
        }
    }
    writer.flush()?;
    Ok(())
}

/// An evaluation as a text for the terminal.
fn in_words(evaluation: &Evaluation) -> String {
    let Evaluation { segment, track, classes, .. } = evaluation;
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let mut text = format!(
        "protocol {}, {}\nclips     {} of {} (95 %: {} to {})\nsegments  {} of {}\n\ntrue \\ named",
        evaluation.split.describe(),
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
