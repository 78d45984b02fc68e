//! `cratedigger evaluate`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use cratedigger_protocol::csv_guarded;
use cratedigger_zoo::{argmax, probabilities};

use super::output::line;
use super::report_skipped;
use crate::data::examples::Origin;
use crate::data::split::{Protocol, SplitPlan};
use crate::eval::calibrate::Kind;
use crate::eval::{
    Evaluated, Evaluation, Measure, ModelBundle, Precision, Predictions, evaluate_conditions, metrics_of,
    open_data, plan_of, pool, predict_part,
};
use crate::format::{causes, percent};
use crate::progress::{note, warn, with_progress};
use crate::report::{model_report, write_report};
use crate::store::{RunFolder, UnderCondition};

/// Arguments of `cratedigger evaluate`.
#[derive(clap::Args)]
pub(super) struct Command {
    /// A run, an exported model (a .bpk listed in the manifest.json beside it), a manifest (.json), or a
    /// folder with a manifest.json; or several runs or folders of cross-validations, which are evaluated as
    /// one ensemble
    #[arg(required = true)]
    models: Vec<PathBuf>,
    /// Folder of the data set
    #[arg(long)]
    data: PathBuf,
    /// Decision rule of several runs, fitted to their validation clips [default: the best on held-out
    /// validation clips]
    #[arg(long, value_enum)]
    rule: Option<Kind>,
    /// Split protocol [default: the protocol of the model's training]
    #[arg(long, value_enum)]
    split: Option<Protocol>,
    /// Index file that lists the clips of each part
    #[arg(long, conflicts_with = "split")]
    index: Option<PathBuf>,
    /// Seed of track and segment splits [default: the seed of the model's training]
    #[arg(long)]
    seed: Option<u64>,
    /// Source of the network's input
    #[arg(long, value_enum, default_value_t = Origin::Auto)]
    source: Origin,
    /// Short for --source audio
    #[arg(long)]
    audio: bool,
    /// Also evaluate the test clips that have audio under conditions: mp3 at 48 kbit/s, telephone, clipped, room
    /// with noise, 6 % faster, 30 dB quieter
    #[arg(long)]
    conditions: bool,
    /// Evaluate a run's weights in single precision, as trained, not in half precision, as exported; the
    /// result is not stored
    #[arg(long)]
    single_precision: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Write a report with charts as one HTML file
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Write the predictions of one model for test and validation clips and segments as CSV
    #[arg(long, value_name = "FILE")]
    predictions: Option<PathBuf>,
}

impl Command {
    /// Evaluates a model. A run stores its evaluation, unless another source was given than that of the
    /// stored evaluation.
    pub(super) fn run(self) -> Result<()> {
        match self.models.as_slice() {
            [model] if !pool::is_cross_validation(model) => self.evaluate_one(model),
            models => {
                ensure!(
                    self.split.is_none()
                        && self.index.is_none()
                        && self.seed.is_none()
                        && self.predictions.is_none()
                        && !self.conditions
                        && !self.single_precision,
                    "several runs are evaluated as one ensemble on the split of their training, in half precision, without predictions or conditions"
                );
                let (bundle, evaluation) = pool::measure(models, &self.data, self.origin(), self.rule)?;
                self.finish(&bundle, &evaluation, None)
            }
        }
    }

    fn origin(&self) -> Origin {
        if self.audio { Origin::Audio } else { self.source }
    }

    fn evaluate_one(&self, model: &Path) -> Result<()> {
        ensure!(self.rule.is_none(), "--rule is for several runs; one model uses the rule of its manifest");
        let run = RunFolder::is_run(model).then(|| RunFolder::new(model));
        let bundle = match &run {
            Some(run) if self.single_precision => ModelBundle::of_run(run, Precision::Single)?,
            None if self.single_precision => {
                bail!(
                    "{} is exported in half precision; name the run that it was exported from",
                    model.display()
                )
            }
            _ => ModelBundle::open(model)?,
        };
        let mut dataset = open_data(&bundle, &self.data)?;
        let mut plan = plan_of(&bundle, self.split, self.seed)?;
        if let Some(index) = &self.index {
            plan = SplitPlan { protocol: Protocol::Index, index: Some(index.clone()), folds: None, ..plan };
        }
        let origin = self.origin();
        let mut evaluation = with_progress("evaluating", |progress| {
            let measure = Measure { plan: &plan, origin, condition: None, progress };
            let test = predict_part(&bundle, &mut dataset, &measure, Evaluated::Test)?;
            let evaluation = metrics_of(&bundle, &measure, &test)?;
            if let Some(path) = &self.predictions {
                let mut parts = vec![("test", test)];
                match predict_part(&bundle, &mut dataset, &measure, Evaluated::Valid) {
                    Ok(valid) => parts.push(("valid", valid)),
                    Err(error) => {
                        note(format_args!("no predictions of validation clips: {}", causes(&error)));
                    }
                }
                write_predictions(path, &bundle.manifest.classes, &parts)
                    .with_context(|| format!("{} cannot be written", path.display()))?;
            }
            anyhow::Ok(evaluation)
        })?;
        if self.conditions {
            evaluation.conditions = with_progress("evaluating under conditions", |progress| {
                evaluate_conditions(&bundle, &mut dataset, &plan, progress)
            })?;
        }
        report_skipped(&dataset);
        if let Some(run) = run.as_ref().filter(|_| !self.single_precision) {
            // An evaluation from another source must not replace the exported figures.
            let differs =
                |kept: &Evaluation| kept.protocol == evaluation.protocol && kept.source != evaluation.source;
            if origin != Origin::Auto && run.evaluations()?.iter().any(differs) {
                note(format_args!(
                    "evaluated from {}; the run keeps its stored evaluation",
                    evaluation.source
                ));
            } else {
                run.keep_evaluation(&evaluation)?;
            }
        }
        self.finish(&bundle, &evaluation, run.as_ref())
    }

    /// Prints the evaluation and writes the report.
    fn finish(&self, bundle: &ModelBundle, evaluation: &Evaluation, run: Option<&RunFolder>) -> Result<()> {
        if self.single_precision {
            note("in single precision, not in half precision as exported");
        }
        if evaluation.seen_in_training > 0 {
            warn(&format!(
                "the model was trained or selected on {} of these {} clips, so the metrics do not hold for new songs",
                evaluation.seen_in_training, evaluation.track.n
            ));
        }
        if let Some(path) = &self.report {
            let model = model_report(bundle, evaluation, run)?;
            write_report(path, &model.name.clone(), &[model])?;
        }
        if self.json {
            line(serde_json::to_string(evaluation)?)?;
        } else {
            line(as_text(evaluation))?;
        }
        Ok(())
    }
}

/// Writes a line for every clip and segment: label, predicted class, and the probability of each class.
fn write_predictions(path: &Path, classes: &[String], parts: &[(&str, Predictions)]) -> Result<()> {
    let mut writer = csv::Writer::from_path(path)?;
    let head = ["part", "level", "id", "label", "predicted"].into_iter().map(str::to_owned);
    writer.write_record(head.chain(classes.iter().map(|class| format!("p_{class}"))))?;
    let name = |class: usize| classes.get(class).map(String::as_str).unwrap_or_default();
    for (part, predictions) in parts {
        for (level, rows) in [("track", &predictions.tracks), ("segment", &predictions.segments)] {
            for (id, label, log) in rows {
                let row = [part, level, id.as_str(), name(*label), name(argmax(log))]
                    .map(|cell| csv_guarded(cell).into_owned());
                let values = probabilities(log).into_iter().map(|p| format!("{p:.6}"));
                writer.write_record(row.into_iter().chain(values))?;
            }
        }
    }
    writer.flush()?;
    Ok(())
}

/// An evaluation as text with the confusion matrix over clips.
fn as_text(evaluation: &Evaluation) -> String {
    let Evaluation { segment, track, classes, .. } = evaluation;
    let mut text = format!(
        "protocol {}, {}\nclips     {} of {} (95 %: {} to {})\nsegments  {} of {}\n\nlabel \\ predicted",
        evaluation.split.describe(),
        evaluation.source,
        percent(track.accuracy),
        track.n,
        percent(track.interval[0]),
        percent(track.interval[1]),
        percent(segment.accuracy),
        segment.n,
    );
    text += &format!("\n{:12}", "");
    for class in classes {
        text += &format!(" {:>5}", class.chars().take(5).collect::<String>());
    }
    for (class, row) in classes.iter().zip(&track.confusion) {
        text += &format!("\n{class:12}");
        for count in row {
            text += &format!(" {:>5}", if *count == 0 { "·".into() } else { count.to_string() });
        }
    }
    if !evaluation.conditions.is_empty() {
        text += "\n\nclips under conditions";
    }
    for UnderCondition { condition, track, .. } in &evaluation.conditions {
        text += &format!(
            "\n{condition:12} {} of {} (95 %: {} to {})",
            percent(track.accuracy),
            track.n,
            percent(track.interval[0]),
            percent(track.interval[1]),
        );
    }
    text
}
