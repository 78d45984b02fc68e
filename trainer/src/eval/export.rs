//! Export of a run: weights in half precision, a manifest, a model card.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use burn::module::Module as _;
use burn::store::ModuleSnapshot as _;
use cratedigger_protocol::TypicalCharacter;
use cratedigger_zoo::{EnsembleRule, Manifest, ModelEntry, character};

use super::bundle::{ModelBundle, Precision};
use super::combine::manifest_json;
use super::evaluation::{Measure, evaluate, open_data};
use crate::data::conditions::Condition;
use crate::data::examples::Origin;
use crate::data::split::{Protocol, Split, SplitPlan};
use crate::data::{Dataset, mono};
use crate::device::cpu;
use crate::files::write;
use crate::format::percent;
use crate::progress::with_progress;
use crate::store::{Evaluation, RunFolder, UnderCondition, clips_used, kept_epoch, manifest_of};

/// Result of an export.
#[derive(Clone, Debug)]
pub struct Exported {
    /// The file of weights.
    pub weights: PathBuf,
    /// Size of the weights in bytes.
    pub bytes: u64,
    /// The run's evaluation under its own protocol.
    pub evaluation: Evaluation,
}

/// Writes a run's best weights with manifest and model card, or nothing.
///
/// `to` is the manifest or its folder. A model of the same name in the manifest is replaced; other models
/// stay. If there are other models, `data` is needed to evaluate the ensemble.
///
/// # Errors
/// The run has no evaluation, cannot be used, or a file cannot be written.
pub fn export(run_path: &Path, to: &Path, data: Option<&Path>) -> Result<Exported> {
    ensure!(RunFolder::is_run(run_path), "{} is not a run", run_path.display());
    let run = RunFolder::new(run_path);
    let mut bundle = ModelBundle::of_run(&run, Precision::Half)?;
    let evaluations = run.evaluations()?;
    let record = run.record()?;
    let own = record.split.protocol.name();
    let Some(evaluation) = evaluations.iter().find(|e| e.protocol == own) else {
        bail!(
            "the run has no evaluation under its own protocol, {own}, which an export needs; run: cratedigger evaluate {} --data DATA",
            run_path.display()
        );
    };
    let entry = bundle.manifest.models.first_mut().context("a run has one model")?;
    entry.metrics =
        evaluations.iter().filter(|e| e.seen_in_training == 0).flat_map(Evaluation::metrics).collect();
    ensure!(!entry.metrics.is_empty(), "the run was evaluated only on clips that it was trained on");
    let entry = entry.clone();

    let manifest_path = manifest_of(to);
    let to = manifest_path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(to).with_context(|| format!("{} cannot be created", to.display()))?;
    let mut manifest = manifest_with(&manifest_path, &bundle.manifest, &entry)?;
    ensure_unshared(&manifest_path, &entry)?;
    let weights = bundle.weights.first().context("a run has one model")?;
    write(&to.join(&entry.weights), weights)?;
    write(&to.join(format!("{}.md", entry.name)), card(&entry, &evaluations).as_bytes())?;
    let tensors = to.join(format!("{}.safetensors", entry.name));
    write_safetensors(&run, &tensors)?;

    manifest.metrics = if manifest.models.len() == 1 {
        entry.metrics.clone()
    } else {
        let Some(data) = data else {
            bail!(
                "{} has other networks, too; name the data set with --data, to evaluate all of them together",
                to.display()
            );
        };
        ensemble_evaluation(&manifest, to, &record.split, data)?.metrics()
    };
    if let Some(data) = data
        && let Some(character) = typical_character(&Dataset::open(data)?, &record.split, &manifest.classes)?
    {
        manifest.character = Some(character);
    }
    write(&manifest_path, &manifest_json(&manifest)?)?;
    Ok(Exported { weights: to.join(&entry.weights), bytes: entry.bytes, evaluation: evaluation.clone() })
}

/// The manifest at `path`, or a new one for the classes of `own`, with `entry`.
fn manifest_with(path: &Path, own: &Manifest, entry: &ModelEntry) -> Result<Manifest> {
    let mut manifest = match fs::read(path) {
        Ok(json) => Manifest::parse(&json).with_context(|| format!("{}", path.display()))?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Manifest { models: Vec::new(), ..own.clone() }
        }
        Err(error) => {
            return Err(error).with_context(|| format!("{} cannot be read", path.display()));
        }
    };
    ensure!(
        manifest.classes == own.classes,
        "{} has other classes; export to another folder",
        path.display()
    );
    manifest.models.retain(|m| m.name != entry.name);
    manifest.models.push(entry.clone());
    manifest.models.sort_by(|a, b| a.name.cmp(&b.name));
    // A rule that was fitted to other members is not valid for these.
    manifest.ensemble = EnsembleRule::default();
    Ok(manifest)
}

/// Sample rate in Hz at which the page measures the character of a song.
const CHARACTER_RATE: u32 = 22_050;

/// The typical character of the training clips, from their rows in a table of whole clips or else from
/// their audio. `None` if a class has neither, if the classes differ, or if the split does not keep whole
/// clips apart.
fn typical_character(
    data: &Dataset,
    plan: &SplitPlan,
    classes: &[String],
) -> Result<Option<TypicalCharacter>> {
    if data.classes != classes || !matches!(plan.protocol, Protocol::FaultFiltered | Protocol::Track) {
        return Ok(None);
    }
    let split = Split::new(plan, &data.clips, &vec![1; data.clips.len()])?;
    let measured = with_progress("measuring the character of the training clips", |progress| {
        let clips = split.train.iter().enumerate().filter_map(|(done, (clip, _))| {
            progress(done, split.train.len());
            let clip = data.clips.get(*clip)?;
            let character = match (&clip.row, &clip.audio) {
                (Some(row), _) => character::from_table_row(&row.map(f64::from)),
                // A file that cannot be decoded is not a training clip either.
                (None, Some(audio)) => {
                    let (signal, _) = mono(audio, CHARACTER_RATE).ok()?;
                    character::measure(&signal, CHARACTER_RATE).ok()?
                }
                (None, None) => None,
            };
            Some((clip.class, character?))
        });
        character::typical(classes.len(), clips)
    });
    Ok(measured)
}

/// Evaluates all networks of a manifest in `folder` together.
fn ensemble_evaluation(
    manifest: &Manifest,
    folder: &Path,
    plan: &SplitPlan,
    data: &Path,
) -> Result<Evaluation> {
    let weights = manifest
        .models
        .iter()
        .map(|m| fs::read(folder.join(&m.weights)).with_context(|| format!("{} cannot be read", m.weights)))
        .collect::<Result<_>>()?;
    let ensemble = ModelBundle { manifest: manifest.clone(), weights };
    with_progress("evaluating the ensemble", |progress| {
        let measure = Measure { plan, origin: Origin::Auto, condition: None, progress };
        evaluate(&ensemble, &mut open_data(&ensemble, data)?, &measure)
    })
}

/// Checks that no other manifest in the folder uses the file of weights that will be written. Tensors have
/// random ids, so the file has other bytes each time, and the other manifest would reject it.
fn ensure_unshared(manifest_path: &Path, entry: &ModelEntry) -> Result<()> {
    let folder = manifest_path.parent().unwrap_or(Path::new("."));
    for file in fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))? {
        let path = file?.path();
        if path == manifest_path || path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        // A file that is not a manifest uses no weights.
        let Some(other) = fs::read(&path).ok().and_then(|json| Manifest::parse(&json).ok()) else { continue };
        ensure!(
            other.models.iter().all(|model| model.weights != entry.weights),
            "{} also uses {}, which would not match it any more; export to a copy of that manifest, or remove it first",
            path.display(),
            entry.weights
        );
    }
    Ok(())
}

/// Writes the best weights in full precision, for other programs.
fn write_safetensors(run: &RunFolder, path: &Path) -> Result<()> {
    let (config, record) = (run.config()?, run.record()?);
    let shapes = config.input_spec().prepared_shapes(&run.preparation()?)?;
    let network = config
        .network
        .init(&shapes, record.classes.len() + record.non_music.len(), &cpu())
        .try_load_record(run.best_weights()?)
        .map_err(|e| anyhow::anyhow!("the run's weights do not fit its configuration: {e}"))?;
    if path.exists() {
        fs::remove_file(path).with_context(|| format!("{} cannot be replaced", path.display()))?;
    }
    let mut store =
        burn::store::SafetensorsStore::from_file(path).metadata("classes", record.classes.join(","));
    network.save_into(&mut store).map_err(|e| anyhow::anyhow!("{} cannot be written: {e}", path.display()))
}

/// The model card in Markdown.
fn card(entry: &ModelEntry, evaluations: &[Evaluation]) -> String {
    let mut card = format!(
        "# {}\n\n{}. {} parameters, {} bytes in half precision.\n\n## Metrics\n\n\
         | protocol | level | n | accuracy | 95 % interval | macro F1 | calibration error |\n|---|---|---|---|---|---|---|\n",
        entry.name,
        entry.architecture.summary(&entry.input_spec),
        entry.parameters,
        entry.bytes,
    );
    let seconds = entry.input_spec.segment_seconds;
    for evaluation in evaluations.iter().filter(|e| e.seen_in_training == 0) {
        let levels = [
            ("whole clips".to_owned(), &evaluation.track),
            (format!("{seconds}-second segments"), &evaluation.segment),
        ];
        for (level, scores) in levels {
            card += &format!(
                "| {} | {level} | {} | {} | {} to {} | {:.3} | {:.3} |\n",
                evaluation.split.describe(),
                scores.n,
                percent(scores.accuracy),
                percent(scores.interval[0]),
                percent(scores.interval[1]),
                scores.macro_average.f1,
                scores.calibration_error,
            );
        }
    }
    card += &conditions_table(evaluations);
    let protocols: BTreeMap<&str, Protocol> =
        evaluations.iter().map(|e| (e.protocol.as_str(), e.split.protocol)).collect();
    for (name, protocol) in protocols {
        card += &format!("\n*{name}*: {}\n", protocol.explanation());
    }
    for evaluation in evaluations.iter().filter(|e| e.seen_in_training == 0) {
        card += &confusion_table(evaluation);
    }
    card + &provenance(entry, evaluations)
}

/// Accuracies under conditions in Markdown; empty if none were measured.
fn conditions_table(evaluations: &[Evaluation]) -> String {
    let mut table = String::new();
    for evaluation in evaluations.iter().filter(|e| e.seen_in_training == 0) {
        for UnderCondition { condition, track, .. } in &evaluation.conditions {
            let condition = Condition::describe_name(condition);
            table += &format!(
                "| {condition} | {} | {} | {} to {} |\n",
                track.n,
                percent(track.accuracy),
                percent(track.interval[0]),
                percent(track.interval[1]),
            );
        }
    }
    if table.is_empty() {
        return table;
    }
    format!("\n| whole clips under a condition | n | accuracy | 95 % interval |\n|---|---|---|---|\n{table}")
}

/// The confusion matrix over clips in Markdown.
fn confusion_table(evaluation: &Evaluation) -> String {
    let mut table = format!(
        "\nConfusion matrix over whole clips ({}); rows are labels, columns are predicted classes:\n\n| |",
        evaluation.split.describe()
    );
    table += &evaluation.classes.iter().map(|c| format!(" {c} |")).collect::<String>();
    table += &format!("\n|---|{}", "---|".repeat(evaluation.classes.len()));
    for (class, row) in evaluation.classes.iter().zip(&evaluation.track.confusion) {
        table += &format!("\n| {class} |{}", row.iter().map(|n| format!(" {n} |")).collect::<String>());
    }
    table + "\n"
}

/// Training and limits of the model in Markdown.
fn provenance(entry: &ModelEntry, evaluations: &[Evaluation]) -> String {
    let training = &entry.training;
    format!(
        "\n## Training\n\n\
         * `{}`, {}\n* seed {}, {}\n\
         * SHA-256 of the data: `{}`\n* SHA-256 of the weights: `{}`\n* hash of input spec and architecture: `{}`\n\n\
         ## Limits\n\n\
         The network knows {} classes ({}). It predicts one of them for any input, unless the manifest's rule\n\
         rejects the input for low confidence. Accuracy on music unlike the training data can be lower.\n",
        training.command,
        kept_epoch(training),
        training.seed,
        clips_used(&training.data),
        training.data.sha256,
        entry.sha256,
        entry.spec_hash,
        evaluations.first().map_or(0, |e| e.classes.len()),
        evaluations.first().map_or_else(String::new, |e| e.classes.join(", ")),
    )
}
