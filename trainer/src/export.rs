//! Shipping a run: weights in half precision, a manifest, a card.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use burn::module::Module as _;
use burn::store::ModuleSnapshot as _;
use cratedigger_protocol::TypicalCharacter;
use cratedigger_zoo::{EnsembleRule, Manifest, ModelEntry, character};

use crate::data::{Dataset, mono};
use crate::display::with_progress;
use crate::evaluate::{Evaluation, Loaded, Measure, Precision, evaluate, manifest_of, metrics, open_data};
use crate::material::Origin;
use crate::run::{RunFolder, clips_used, kept_epoch};
use crate::split::{Protocol, Split, SplitPlan};

/// What `cratedigger export` was asked for.
pub struct Command {
    /// The run.
    pub run: PathBuf,
    /// The manifest, or its folder.
    pub to: PathBuf,
    /// The data set, to measure an ensemble with.
    pub data: Option<PathBuf>,
}

/// `cratedigger export`: writes a run's best weights with what was measured of them, or not at all.
///
/// A model of the same name in the manifest is replaced; the others stay.
///
/// # Errors
/// The run was not measured, cannot be used, or the folder not be written.
#[expect(clippy::print_stderr, reason = "a command's output")]
pub fn command(command: &Command) -> Result<()> {
    let Command { run: path, to, data } = command;
    ensure!(RunFolder::is_run(path), "{} is no run", path.display());
    let run = RunFolder::new(path);
    let mut loaded = Loaded::of_run(&run, Precision::Half)?;
    let evaluations = run.evaluations()?;
    let record = run.record()?;
    let own = record.split.protocol.name();
    let Some(evaluation) = evaluations.iter().find(|e| e.protocol == own) else {
        bail!(
            "nothing was measured of this run under its own protocol, {own}, and what was not measured is not shipped; do so with: cratedigger evaluate {} --data DATA",
            path.display()
        );
    };
    let entry = loaded.manifest.models.first_mut().context("a run has one model")?;
    entry.metrics = evaluations.iter().filter(|e| e.seen_in_training == 0).flat_map(metrics).collect();
    ensure!(!entry.metrics.is_empty(), "the run was only measured on clips that it was trained on");
    let entry = entry.clone();

    let manifest_path = manifest_of(to);
    let to = manifest_path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(to).with_context(|| format!("{} cannot be made", to.display()))?;
    let mut manifest = match fs::read(&manifest_path) {
        Ok(json) => Manifest::parse(&json).with_context(|| format!("{}", manifest_path.display()))?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Manifest { models: Vec::new(), ..loaded.manifest.clone() }
        }
        Err(error) => {
            return Err(error).with_context(|| format!("{} cannot be read", manifest_path.display()));
        }
    };
    ensure!(
        manifest.classes == loaded.manifest.classes,
        "{} has other classes; export to another folder",
        manifest_path.display()
    );
    manifest.models.retain(|m| m.name != entry.name);
    manifest.models.push(entry.clone());
    manifest.models.sort_by(|a, b| a.name.cmp(&b.name));
    // A rule that was fitted to other members says nothing about these.
    manifest.ensemble = EnsembleRule::default();
    ensure_unshared(&manifest_path, &entry)?;
    let weights = loaded.weights.first().context("a run has one model")?;
    write(&to.join(&entry.weights), weights)?;
    write(&to.join(format!("{}.md", entry.name)), card(&entry, &evaluations).as_bytes())?;
    let tensors = to.join(format!("{}.safetensors", entry.name));
    write_safetensors(&run, &tensors)?;

    // The ensemble's own figures, with the new member.
    manifest.metrics = if manifest.models.len() == 1 {
        entry.metrics.clone()
    } else {
        let Some(data) = data else {
            bail!(
                "{} holds other networks, too: name the data set by --data, so that all of them together can be measured",
                to.display()
            );
        };
        let weights = manifest
            .models
            .iter()
            .map(|m| fs::read(to.join(&m.weights)).with_context(|| format!("{} cannot be read", m.weights)))
            .collect::<Result<_>>()?;
        let ensemble = Loaded { manifest: manifest.clone(), weights };
        let together = with_progress("measuring all networks together", |progress| {
            let measure = Measure { plan: &record.split, origin: Origin::Auto, progress };
            evaluate(&ensemble, &mut open_data(&ensemble, data)?, &measure)
        })?;
        metrics(&together)
    };
    if let Some(data) = data
        && let Some(character) = typical_character(&Dataset::open(data)?, &record.split, &manifest.classes)?
    {
        manifest.character = Some(character);
    }
    let mut json = serde_json::to_vec_pretty(&manifest)?;
    json.push(b'\n');
    // Checked as a reader would, before it replaces what is there.
    Manifest::parse(&json)?;
    write(&manifest_path, &json)?;
    eprintln!(
        "{}: {} bytes, {:.1} % of {} clips ({})",
        to.join(&entry.weights).display(),
        entry.bytes,
        100.0 * evaluation.track.accuracy,
        evaluation.track.n,
        evaluation.protocol
    );
    Ok(())
}

/// The typical character of the training clips, from their rows in a table of whole clips or else from
/// their audio. `None` if a class has neither, if the classes are others, or if the split does not keep
/// whole clips apart.
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

/// Sample rate in Hz that the page measures the character of a song at.
const CHARACTER_RATE: u32 = 22_050;

/// Fails if another manifest of the folder names the file that is about to be written: tensors have
/// random names, so that it holds other bytes each time, and the other manifest would refuse them.
fn ensure_unshared(manifest_path: &Path, entry: &ModelEntry) -> Result<()> {
    let folder = manifest_path.parent().unwrap_or(Path::new("."));
    for file in fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))? {
        let path = file?.path();
        if path == manifest_path || path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        // What is no manifest names no weights.
        let Some(other) = fs::read(&path).ok().and_then(|json| Manifest::parse(&json).ok()) else { continue };
        ensure!(
            other.models.iter().all(|model| model.weights != entry.weights),
            "{} names {}, too, and would not fit it any more: copy that manifest and go on with the copy, or remove it first",
            path.display(),
            entry.weights
        );
    }
    Ok(())
}

/// The best weights in full precision, for other programs.
fn write_safetensors(run: &RunFolder, path: &Path) -> Result<()> {
    let (config, classes) = (run.config()?, run.record()?.classes);
    let shapes = config.recipe().prepared_shapes(&run.preparation()?)?;
    let network = config
        .network
        .init(&shapes, classes.len(), &crate::device())
        .try_load_record(run.best_weights()?)
        .map_err(|e| anyhow::anyhow!("the run's weights do not fit its configuration: {e}"))?;
    if path.exists() {
        fs::remove_file(path).with_context(|| format!("{} cannot be replaced", path.display()))?;
    }
    let mut store = burn::store::SafetensorsStore::from_file(path).metadata("classes", classes.join(","));
    network.save_into(&mut store).map_err(|e| anyhow::anyhow!("{} cannot be written: {e}", path.display()))
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).with_context(|| format!("{} cannot be written", path.display()))
}

/// The model's card in Markdown.
fn card(entry: &ModelEntry, evaluations: &[Evaluation]) -> String {
    let training = &entry.training;
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let mut card = format!(
        "# {}\n\n{}. {} parameters, {} bytes in half precision.\n\n## How well it does\n\n\
         | protocol | what | n | accuracy | 95 % interval | macro F1 | calibration error |\n|---|---|---|---|---|---|---|\n",
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
        for (what, scores) in levels {
            card += &format!(
                "| {} | {what} | {} | {} | {} to {} | {:.3} | {:.3} |\n",
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
    let named: BTreeMap<&str, Protocol> =
        evaluations.iter().map(|e| (e.protocol.as_str(), e.split.protocol)).collect();
    for (name, protocol) in named {
        card += &format!("\n*{name}*: {}\n", protocol.explanation());
    }
    for evaluation in evaluations.iter().filter(|e| e.seen_in_training == 0) {
        card += &format!(
            "\nWhole clips ({}), rows are the true class, columns the named one:\n\n| |",
            evaluation.split.describe()
        );
        card += &evaluation.classes.iter().map(|c| format!(" {c} |")).collect::<String>();
        card += &format!("\n|---|{}", "---|".repeat(evaluation.classes.len()));
        for (class, row) in evaluation.classes.iter().zip(&evaluation.track.confusion) {
            card += &format!("\n| {class} |{}", row.iter().map(|n| format!(" {n} |")).collect::<String>());
        }
        card.push('\n');
    }
    card += &format!(
        "\n## How it was made\n\n\
         * `{}`, {}\n* seed {}, {}\n\
         * SHA-256 of the data: `{}`\n* SHA-256 of the weights: `{}`\n* recipe hash: `{}`\n\n\
         ## What it is not\n\n\
         It knows {} classes ({}) and names one of them for whatever it hears, unless the manifest's rule finds\n\
         it too unsure. It knows music only as far as its training data go.\n",
        training.command,
        kept_epoch(training),
        training.seed,
        clips_used(&training.data),
        training.data.sha256,
        entry.sha256,
        entry.spec_hash,
        evaluations.first().map_or(0, |e| e.classes.len()),
        evaluations.first().map_or_else(String::new, |e| e.classes.join(", ")),
    );
    card
}
