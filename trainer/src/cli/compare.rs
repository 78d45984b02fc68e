//! `cratedigger compare`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use comfy_table::Table;

use super::output::line;
use super::table::{align_right, markdown_table, table};
use crate::config::Config;
use crate::data::split::Protocol;
use crate::eval::{Evaluation, Measured, ModelBundle};
use crate::format::{bytes, percent, thousands};
use crate::report::{measured_reports, protocol_label, write_report};

/// Arguments of `cratedigger compare`.
#[derive(clap::Args)]
pub(super) struct Command {
    /// Runs, cross-validations, or outputs of `evaluate --json`
    #[arg(required = true)]
    runs: Vec<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Print Markdown: a row per network, a column per protocol, and the published accuracy
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
    /// Write a report with charts as one HTML file
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

impl Command {
    pub(super) fn run(self) -> Result<()> {
        let mut models = Vec::new();
        for path in &self.runs {
            let measured = Measured::open(path)?;
            ensure!(
                !measured.evaluations.is_empty(),
                "{} has no evaluation; run: cratedigger evaluate {} --data DATA",
                path.display(),
                path.display()
            );
            models.push(measured);
        }
        if self.json {
            let all: Vec<&Evaluation> = models.iter().flat_map(|m| &m.evaluations).collect();
            line(serde_json::to_string(&all)?)?;
        } else if self.markdown {
            line(by_protocol(&models))?;
        } else {
            line(by_model(&models))?;
        }
        if let Some(path) = self.report {
            let mut reports = Vec::new();
            for model in &models {
                reports.extend(measured_reports(model)?);
            }
            write_report(&path, "Comparison", &reports)?;
        }
        Ok(())
    }
}

/// One row for each evaluation, for the terminal.
fn by_model(models: &[Measured]) -> Table {
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
    for model in models {
        for evaluation in &model.evaluations {
            let Evaluation { track, segment, .. } = evaluation;
            let (parameters, bytes) = model.size(evaluation);
            rows.add_row([
                evaluation.models.join(" + "),
                parameters.to_string(),
                bytes.to_string(),
                protocol_label(evaluation),
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
    align_right(&mut rows, [1, 2, 4, 5, 7, 8, 9, 10]);
    rows
}

/// The row of a network: its evaluation under each protocol, and the published accuracy of its design.
struct Row {
    name: String,
    parameters: u64,
    bytes: u64,
    published: String,
    /// By the protocol's name.
    cells: BTreeMap<String, String>,
}

/// One row for each network and one column for each protocol, in Markdown. Runs of one network under several
/// protocols share a row.
fn by_protocol(models: &[Measured]) -> Table {
    let rows = rows_of(models);
    let mut protocols: Vec<&String> = rows.iter().flat_map(|row| row.cells.keys()).collect();
    // The strictest protocol first.
    protocols.sort_by_key(|name| {
        let rank = ["fault-filtered", "index", "track", "segment"].iter().position(|p| name.starts_with(p));
        (rank.unwrap_or(usize::MAX), (*name).clone())
    });
    protocols.dedup();
    let mut table = markdown_table();
    let titles = protocols.iter().map(|name| name.as_str());
    let head: Vec<&str> = ["network", "parameters", "f16"].into_iter().chain(titles).collect();
    table.set_header(head.into_iter().chain(["published"]));
    for row in &rows {
        let cells = protocols.iter().map(|name| row.cells.get(*name).cloned().unwrap_or_default());
        let first = [row.name.clone(), thousands(row.parameters), bytes(row.bytes)];
        table.add_row(first.into_iter().chain(cells).chain([row.published.clone()]));
    }
    table
}

fn rows_of(models: &[Measured]) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for model in models {
        let published = model.bundle.as_ref().map(published).unwrap_or_default();
        for evaluation in &model.evaluations {
            let name = evaluation.models.join(" + ");
            let (parameters, bytes) = model.size(evaluation);
            let key = protocol_label(evaluation);
            // A second run under the same protocol gets another row.
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
    rows
}

/// The published accuracy of the design. An ensemble of several designs has none.
fn published(bundle: &ModelBundle) -> String {
    match bundle.manifest.models.as_slice() {
        [entry] => serde_json::from_value::<Config>(entry.training.config.clone())
            .map(|config| config.published)
            .unwrap_or_default(),
        _ => String::new(),
    }
}

/// The metrics of an evaluation: over segments if the protocol splits segments, else over clips.
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
