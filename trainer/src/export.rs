//! Shipping a run: weights in half precision, a manifest, a card.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use cratedigger_zoo::{Manifest, ModelEntry};

use crate::data::Dataset;
use crate::evaluate::{Evaluation, Loaded, evaluate, metrics, report_skipped};
use crate::split::Protocol;
use crate::train::{RunFolder, progress_bar};

/// `cratedigger export`: measures the half-precision weights on the test clips of the protocol
/// they were trained under, and writes them with that figure, or not at all.
///
/// A model of the same name in the manifest is replaced; the others stay.
///
/// # Errors
/// The run or the data cannot be used, or the folder not be written.
#[expect(clippy::print_stderr, reason = "a command's output")]
pub fn command(run: &Path, data: &Path, to: &Path) -> Result<()> {
    ensure!(RunFolder::is_run(run), "{} is no run", run.display());
    let mut loaded = Loaded::of_run(&RunFolder::new(run))?;
    let entry = loaded.manifest.models.first().context("a run has one model")?;
    let protocol = Protocol::of_name(&entry.training.protocol).context("the run's protocol is unknown")?;
    let mut dataset = Dataset::open(data, false)?;
    let bar = progress_bar(1, "measuring");
    let show = |done: usize, of: usize| {
        bar.set_length(of as u64);
        bar.set_position(done as u64);
    };
    let evaluation = evaluate(&loaded, &mut dataset, protocol, None, &show)?;
    report_skipped(&dataset);
    let entry = loaded.manifest.models.first_mut().context("a run has one model")?;
    entry.metrics = metrics(&evaluation);
    let entry = entry.clone();

    fs::create_dir_all(to).with_context(|| format!("{} cannot be made", to.display()))?;
    let path = to.join("manifest.json");
    let mut manifest = match fs::read(&path) {
        Ok(json) => Manifest::parse(&json).with_context(|| format!("{}", path.display()))?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Manifest { models: Vec::new(), ..loaded.manifest.clone() }
        }
        Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
    };
    ensure!(manifest.classes == loaded.manifest.classes, "{} has other classes", path.display());
    manifest.models.retain(|m| m.name != entry.name);
    manifest.models.push(entry.clone());
    manifest.models.sort_by(|a, b| a.name.cmp(&b.name));
    let weights = loaded.weights.first().context("a run has one model")?;
    write(&to.join(&entry.weights), weights)?;
    write(&to.join(format!("{}.md", entry.name)), card(&entry, &evaluation).as_bytes())?;

    // The ensemble's own figures, with the new member.
    manifest.metrics = if manifest.models.len() == 1 {
        entry.metrics.clone()
    } else {
        let weights = manifest
            .models
            .iter()
            .map(|m| fs::read(to.join(&m.weights)).with_context(|| format!("{} cannot be read", m.weights)))
            .collect::<Result<_>>()?;
        let ensemble = Loaded { manifest: manifest.clone(), weights };
        metrics(&evaluate(&ensemble, &mut dataset, protocol, None, &show)?)
    };
    bar.finish_and_clear();
    let mut json = serde_json::to_vec_pretty(&manifest)?;
    json.push(b'\n');
    // Checked as a reader would, before it replaces what is there.
    Manifest::parse(&json)?;
    write(&path, &json)?;
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

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).with_context(|| format!("{} cannot be written", path.display()))
}

/// The model's card in Markdown.
fn card(entry: &ModelEntry, evaluation: &Evaluation) -> String {
    let training = &entry.training;
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let mut card = format!(
        "# {}\n\n{}. {} parameters, {} bytes in half precision.\n\n\
         ## How well it does\n\n\
         | protocol | what | n | accuracy | 95 % interval |\n|---|---|---|---|---|\n\
         | {} | whole clips | {} | {} | {} to {} |\n\
         | {} | 3-second segments | {} | {} | |\n\n",
        entry.name,
        entry.architecture.summary(&entry.recipe),
        entry.parameters,
        entry.bytes,
        evaluation.protocol,
        evaluation.track.n,
        percent(evaluation.track.accuracy),
        percent(evaluation.track.interval[0]),
        percent(evaluation.track.interval[1]),
        evaluation.protocol,
        evaluation.segment.n,
        percent(evaluation.segment.accuracy),
    );
    card += "Whole clips, rows are the true genre, columns the named one:\n\n| |";
    card += &evaluation.classes.iter().map(|c| format!(" {c} |")).collect::<String>();
    card += &format!("\n|---|{}", "---|".repeat(evaluation.classes.len()));
    for (class, row) in evaluation.classes.iter().zip(&evaluation.track.confusion) {
        card += &format!("\n| {class} |{}", row.iter().map(|n| format!(" {n} |")).collect::<String>());
    }
    card += &format!(
        "\n\n## How it was made\n\n\
         * `{}`, best epoch {}\n* seed {}, {} clips to learn from, {} to select by\n\
         * SHA-256 of the data: `{}`\n* SHA-256 of the weights: `{}`\n* recipe hash: `{}`\n\n\
         ## What it is not\n\n\
         It knows ten genres and names one of them for whatever it hears. It learned from 30-second clips\n\
         of recordings made before 2002 (GTZAN), whose labels are one person's.\n",
        training.command,
        training.epoch,
        training.seed,
        training.data.train_clips,
        training.data.valid_clips,
        training.data.sha256,
        entry.sha256,
        entry.recipe_hash,
    );
    card
}
