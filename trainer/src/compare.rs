//! Several models side by side: tables for the terminal, reports for people.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use crate::config::Config;
use crate::crossval::CrossValidation;
use crate::evaluate::{Evaluation, Loaded};
use crate::metrics::FoldScore;
use crate::report::{self, ModelReport};
use crate::run::{RunFolder, clips_used, kept_epoch};
use crate::split::Protocol;

/// What a report says of a model, measured under one protocol; with the course of its training if
/// the run is known.
///
/// # Errors
/// The run is damaged.
pub fn model_report(
    loaded: &Loaded,
    evaluation: &Evaluation,
    run: Option<&RunFolder>,
) -> Result<ModelReport> {
    let models = &loaded.manifest.models;
    let first = models.first().context("the manifest names no model")?;
    let mut facts = Vec::new();
    let mut fact = |name: &str, value: String| facts.push((name.to_owned(), value));
    let training = &first.training;
    fact("command", training.command.clone());
    fact("trained on", clips_used(&training.data));
    fact("data SHA-256", training.data.sha256.clone());
    fact("weights", kept_epoch(training));
    if let Some(environment) = run.map(RunFolder::environment).transpose()?.flatten() {
        fact("program", format!("cratedigger {}, burn {}", environment.version, environment.burn));
        if let Some(commit) = environment.commit {
            fact("commit", commit);
        }
        fact(
            "machine",
            format!("{}, {} threads, {}", environment.cpu, environment.cores, environment.system),
        );
        fact("device", environment.device);
    }
    let config = run.map(RunFolder::config).transpose()?;
    let valid_is_learned = config.as_ref().is_some_and(|config| config.data.learn_from_validation);
    fact(
        "configuration",
        match config {
            Some(config) => toml::to_string(&config)?,
            None => serde_json::to_string_pretty(&training.config)?,
        },
    );
    let names: Vec<&str> = models.iter().map(|m| m.name.as_str()).collect();
    Ok(ModelReport {
        name: names.join(" + "),
        summary: first.architecture.summary(&first.input_spec),
        parameters: models.iter().map(|m| m.parameters).sum(),
        bytes: models.iter().map(|m| m.bytes).sum(),
        seed: Some(training.seed),
        curves: run.map(RunFolder::metrics).transpose()?.unwrap_or_default(),
        valid_is_learned,
        facts,
        ..figures_report(evaluation, Vec::new())
    })
}

/// What a report says of figures that were kept without their network.
fn figures_report(evaluation: &Evaluation, folds: Vec<FoldScore>) -> ModelReport {
    ModelReport {
        name: evaluation.models.join(" + "),
        summary: "figures as they were kept, without the network".into(),
        parameters: evaluation.parameters,
        bytes: evaluation.bytes,
        protocol: protocol_of(evaluation),
        protocol_explanation: evaluation.split.protocol.explanation().into(),
        seed: None,
        data: format!(
            "{} clips and {} segments from {}{}",
            evaluation.track.n,
            evaluation.segment.n,
            evaluation.source,
            if evaluation.seen_in_training > 0 {
                format!(
                    "; {} of the clips were learned from: no measure of new songs",
                    evaluation.seen_in_training
                )
            } else {
                String::new()
            }
        ),
        segment: evaluation.segment.clone(),
        track: evaluation.track.clone(),
        curves: Vec::new(),
        valid_is_learned: false,
        facts: Vec::new(),
        folds,
    }
}

/// Writes a report as one HTML file.
///
/// # Errors
/// Not writable.
pub fn write_report(path: &Path, title: &str, models: &[ModelReport]) -> Result<()> {
    fs::write(path, report::html(title, models)?)
        .with_context(|| format!("{} cannot be written", path.display()))
}

/// A model and everything that was measured of it.
struct Measured {
    /// Nothing but figures of what was kept as figures.
    loaded: Option<Loaded>,
    run: Option<RunFolder>,
    evaluations: Vec<Evaluation>,
    /// Of a cross-validation.
    folds: Vec<FoldScore>,
}

/// What `evaluate --json` printed into a file, or a cross-validation kept in its folder; none if the path
/// is something else.
pub(crate) fn kept_evaluation(path: &Path) -> Result<Option<Evaluation>> {
    Ok(kept_figures(path)?.map(|(evaluation, _)| evaluation))
}

/// The same, with the folds of a cross-validation.
fn kept_figures(path: &Path) -> Result<Option<(Evaluation, Vec<FoldScore>)>> {
    let crossed = path.join("crossval.json");
    let kept = if crossed.is_file() { crossed } else { path.to_owned() };
    if !kept.is_file() || kept.extension().is_none_or(|extension| extension != "json") {
        return Ok(None);
    }
    let json = fs::read(&kept).with_context(|| format!("{} cannot be read", kept.display()))?;
    Ok(serde_json::from_slice::<Evaluation>(&json)
        .map(|evaluation| (evaluation, Vec::new()))
        .or_else(|_| {
            serde_json::from_slice::<CrossValidation>(&json)
                .map(|crossed| (crossed.evaluation, crossed.folds))
        })
        .ok())
}

fn measured(path: &Path) -> Result<Measured> {
    if let Some((evaluation, folds)) = kept_figures(path)? {
        return Ok(Measured { loaded: None, run: None, evaluations: vec![evaluation], folds });
    }
    let loaded = Loaded::open(path)?;
    let run = RunFolder::is_run(path).then(|| RunFolder::new(path));
    let evaluations = run.as_ref().map(RunFolder::evaluations).transpose()?.unwrap_or_default();
    Ok(Measured { loaded: Some(loaded), run, evaluations, folds: Vec::new() })
}

/// All folds together are no single fold.
fn protocol_of(evaluation: &Evaluation) -> String {
    if evaluation.protocol == evaluation.split.protocol.name() {
        evaluation.split.describe()
    } else {
        format!("{}, seed {}", evaluation.protocol, evaluation.split.seed)
    }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// A table for the terminal.
pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(header);
    table
}

/// A network's row among others: what was measured of it under each protocol, and what others say of
/// its design.
struct Row {
    name: String,
    parameters: u64,
    bytes: u64,
    published: String,
    /// By the protocol's name.
    cells: BTreeMap<String, String>,
}

/// One row for each network and one column for each protocol, in Markdown. Runs of one network under
/// several protocols share a row.
fn by_protocol(models: &[Measured]) -> Table {
    let mut rows: Vec<Row> = Vec::new();
    for Measured { loaded, evaluations, .. } in models {
        let entries = loaded.as_ref().map(|loaded| loaded.manifest.models.as_slice()).unwrap_or_default();
        // The claim of a design is not one of several designs together.
        let published = match entries {
            [entry] => serde_json::from_value::<Config>(entry.training.config.clone())
                .map(|config| config.published)
                .unwrap_or_default(),
            _ => String::new(),
        };
        for evaluation in evaluations {
            let name = evaluation.models.join(" + ");
            let (parameters, bytes) = match entries {
                [] => (evaluation.parameters, evaluation.bytes),
                entries => {
                    (entries.iter().map(|m| m.parameters).sum(), entries.iter().map(|m| m.bytes).sum())
                }
            };
            let key = protocol_of(evaluation);
            // A second run under the same protocol has a row of its own.
            let fits =
                |row: &Row| row.name == name && row.parameters == parameters && !row.cells.contains_key(&key);
            let found = rows.iter().position(fits);
            let at = found.unwrap_or(rows.len());
            if found.is_none() {
                rows.push(Row { name, parameters, bytes, published: String::new(), cells: BTreeMap::new() });
            }
            if let Some(row) = rows.get_mut(at) {
                row.cells.insert(key, cell(evaluation));
                if !published.is_empty() {
                    row.published.clone_from(&published);
                }
            }
        }
    }
    let mut protocols: Vec<&String> = rows.iter().flat_map(|row| row.cells.keys()).collect();
    // The strictest first.
    protocols.sort_by_key(|name| {
        let rank = ["fault-filtered", "index", "track", "segment"].iter().position(|p| name.starts_with(p));
        (rank.unwrap_or(usize::MAX), (*name).clone())
    });
    protocols.dedup();
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_content_arrangement(ContentArrangement::Disabled);
    let titles = protocols.iter().map(|name| name.as_str());
    let head: Vec<&str> = ["network", "parameters", "f16"].into_iter().chain(titles).collect();
    table.set_header(head.into_iter().chain(["published"]));
    for row in &rows {
        let cells = protocols.iter().map(|name| row.cells.get(*name).cloned().unwrap_or_default());
        let first = [row.name.clone(), thousands(row.parameters), kilobytes(row.bytes)];
        table.add_row(first.into_iter().chain(cells).chain([row.published.clone()]));
    }
    table
}

/// What a protocol measures: segments where they are what is kept apart, else clips.
fn cell(evaluation: &Evaluation) -> String {
    let segments = evaluation.split.protocol == Protocol::Segment;
    let scores = if segments { &evaluation.segment } else { &evaluation.track };
    let [low, high] = scores.interval;
    format!(
        "{} of {} ({:.1} to {:.1}), F1 {:.2}",
        percent(scores.accuracy),
        scores.n,
        100.0 * low,
        100.0 * high,
        scores.macro_average.f1
    )
}

/// `1146026` → `1,146,026`.
fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
    groups.join(",")
}

fn kilobytes(bytes: u64) -> String {
    match bytes as f64 / 1000.0 {
        kilobytes if kilobytes >= 1000.0 => format!("{:.1} MB", kilobytes / 1000.0),
        kilobytes => format!("{kilobytes:.0} kB"),
    }
}

/// `cratedigger compare`: what was measured of some runs, beside each other.
///
/// # Errors
/// A run is damaged, or nothing was measured of one.
#[expect(clippy::print_stdout, reason = "a command's output")]
pub fn command(paths: &[PathBuf], json: bool, markdown: bool, html: Option<&Path>) -> Result<()> {
    let mut models = Vec::new();
    for path in paths {
        let measured = measured(path)?;
        ensure!(
            !measured.evaluations.is_empty(),
            "{}: nothing was measured of it yet; do so with: cratedigger evaluate {} --data DATA",
            path.display(),
            path.display()
        );
        models.push(measured);
    }
    if json {
        let all: Vec<&Evaluation> = models.iter().flat_map(|m| &m.evaluations).collect();
        println!("{}", serde_json::to_string(&all)?);
    } else if markdown {
        println!("{}", by_protocol(&models));
    } else {
        let mut rows = table(&[
            "network",
            "parameters",
            "f16 bytes",
            "protocol",
            "clips",
            "accuracy",
            "95 %",
            "segments",
            "accuracy",
            "macro F1",
            "calibration error",
        ]);
        for model in &models {
            let entries = model.loaded.as_ref().map(|loaded| loaded.manifest.models.as_slice());
            for evaluation in &model.evaluations {
                let Evaluation { track, segment, .. } = evaluation;
                // Evaluations of old runs don't say it.
                let parameters = entries
                    .map_or(evaluation.parameters, |entries| entries.iter().map(|m| m.parameters).sum());
                let bytes = entries.map_or(evaluation.bytes, |entries| entries.iter().map(|m| m.bytes).sum());
                rows.add_row([
                    evaluation.models.join(" + "),
                    parameters.to_string(),
                    bytes.to_string(),
                    protocol_of(evaluation),
                    track.n.to_string(),
                    percent(track.accuracy),
                    format!("{} to {}", percent(track.interval[0]), percent(track.interval[1])),
                    segment.n.to_string(),
                    percent(segment.accuracy),
                    format!("{:.3}", track.macro_average.f1),
                    format!("{:.3}", track.calibration_error),
                ]);
            }
        }
        for column in [1, 2, 4, 5, 7, 8, 9, 10] {
            if let Some(column) = rows.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        println!("{rows}");
    }
    if let Some(path) = html {
        let mut reports = Vec::new();
        for model in &models {
            for evaluation in &model.evaluations {
                reports.push(match &model.loaded {
                    Some(loaded) => model_report(loaded, evaluation, model.run.as_ref())?,
                    None => figures_report(evaluation, model.folds.clone()),
                });
            }
        }
        write_report(path, "Comparison", &reports)?;
    }
    Ok(())
}

/// `cratedigger runs`: all runs below some folders.
///
/// # Errors
/// A folder cannot be listed; a damaged run is named in its row.
#[expect(clippy::print_stdout, reason = "a command's output")]
pub fn runs(folders: &[PathBuf]) -> Result<()> {
    let mut found = Vec::new();
    for folder in folders {
        ensure!(folder.is_dir(), "{} is no folder", folder.display());
        for entry in walkdir::WalkDir::new(folder).max_depth(4).sort_by_file_name().into_iter().flatten() {
            if entry.file_type().is_dir() && RunFolder::is_run(entry.path()) {
                found.push(entry.into_path());
            }
        }
    }
    let mut rows =
        table(&["run", "network", "split", "seed", "epochs", "best", "validation", "seconds", "measured"]);
    for path in &found {
        let name = path.display().to_string();
        match run_row(path) {
            Ok(cells) => rows.add_row(std::iter::once(name).chain(cells)),
            Err(error) => rows.add_row([name, format!("{error:#}")]),
        };
    }
    println!("{rows}");
    println!("{} runs", found.len());
    Ok(())
}

fn run_row(path: &Path) -> Result<Vec<String>> {
    let run = RunFolder::new(path);
    let (config, record, state) = (run.config()?, run.record()?, run.state()?);
    let seconds: f64 = run.metrics()?.iter().map(|m| m.seconds).sum();
    let measured: Vec<String> = run
        .evaluations()?
        .iter()
        .map(|e| {
            let (level, scores) = if e.split.protocol == Protocol::Segment {
                ("segments", &e.segment)
            } else {
                ("clips", &e.track)
            };
            format!("{}: {} of {} {level}", e.protocol, percent(scores.accuracy), scores.n)
        })
        .collect();
    let (epochs, best, accuracy) = match &state {
        Some(state) => (
            format!("{}{}", state.epochs_done, if state.finished { "" } else { " (not finished)" }),
            state.best_epoch.to_string(),
            percent(state.best_accuracy),
        ),
        None => ("0 (not finished)".into(), String::new(), String::new()),
    };
    Ok(vec![
        config.name,
        record.split.describe(),
        record.seed.to_string(),
        epochs,
        best,
        accuracy,
        format!("{seconds:.0}"),
        measured.join("\n"),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_sizes_read_well() {
        let written = [7, 999, 1000, 56_794, 1_146_026].map(thousands);
        assert_eq!(written, ["7", "999", "1,000", "56,794", "1,146,026"]);
        assert_eq!([582_696, 2_300_000].map(kilobytes), ["583 kB", "2.3 MB"]);
    }
}
