//! `cratedigger combine`.

use std::path::PathBuf;

use anyhow::Result;

use super::output::line;
use super::table::{align_right, table};
use crate::data::examples::Origin;
use crate::eval::calibrate::Kind;
use crate::eval::combine::{Combined, Request, combine};
use crate::eval::rejection::Rejection;
use crate::format::{percent, whole_percent};
use crate::progress::warn;
use crate::report::threshold_svg;
use crate::store::UnderCondition;

/// Arguments of `cratedigger combine`.
#[derive(clap::Args)]
pub(super) struct Command {
    /// The manifest (.json) of the networks, or its folder
    #[arg(default_value = "models")]
    models: PathBuf,
    /// Folder of the data set: the rule is fitted to its validation clips and evaluated on its test clips
    #[arg(long)]
    data: PathBuf,
    /// Decision rule [default: the best on held-out validation clips]
    #[arg(long, value_enum)]
    rule: Option<Kind>,
    /// Run that replaces the exported network of the same name while the rule is fitted, because the exported
    /// network was trained on the validation clips; can be repeated
    #[arg(long = "twin", value_name = "RUN")]
    twins: Vec<PathBuf>,
    /// Source of the clips
    #[arg(long, value_enum, default_value_t = Origin::Auto)]
    source: Origin,
    /// Answer "none of these" above this non-music probability, for networks that predict non-music; replaces
    /// the confidence threshold
    #[arg(long, value_name = "PROBABILITY")]
    non_music_above: Option<f32>,
    /// Fit the rule to the validation clips under each condition, too (mp3, telephone, clipped, room, faster,
    /// quieter), and evaluate under each; needs audio
    #[arg(long)]
    conditions: bool,
    /// Choose the threshold of the non-music probability from the sounds in this folder, which has one folder
    /// a kind; needs --left-out for each kind
    #[arg(long, value_name = "DIR", conflicts_with = "non_music_above", requires = "left_out")]
    other: Option<PathBuf>,
    /// Run that was trained without one or more kinds of the sounds of --other; can be repeated
    #[arg(long, value_name = "RUN", requires = "other")]
    left_out: Vec<PathBuf>,
    /// Maximum fraction of music that may be refused as "none of these"
    #[arg(long, default_value_t = 0.05)]
    refuse: f64,
    /// Seed of the synthetic non-music sounds
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A manifest in the same folder with the networks for the first answer; it gets this manifest as its full
    /// set
    #[arg(long, value_name = "MANIFEST")]
    full_of: Option<PathBuf>,
    /// An output of `evaluate --json`, or the folder of a cross-validation, for networks of the same design
    /// under another split; its metrics are added to the manifest; can be repeated
    #[arg(long, value_name = "FILE")]
    measured: Vec<PathBuf>,
}

impl Command {
    pub(super) fn run(self) -> Result<()> {
        let request = Request {
            models: self.models,
            data: self.data,
            rule: self.rule,
            twins: self.twins,
            source: self.source,
            conditions: self.conditions,
            non_music_above: self.non_music_above,
            other: self.other.map(|folder| (folder, self.left_out)),
            refuse: self.refuse,
            seed: self.seed,
            full_of: self.full_of,
            measured: self.measured,
        };
        let combined = combine(&request)?;
        let curve = combined.rejection.as_ref().map_or(&combined.threshold, |rejection| &rejection.threshold);
        combined.write(&threshold_svg(curve), request.full_of.as_deref())?;
        print(&combined)?;
        let seen = combined.evaluation.seen_in_training;
        if seen > 0 {
            warn(&format!("{seen} of these clips are training clips"));
        }
        Ok(())
    }
}

fn print(combined: &Combined) -> Result<()> {
    let mut table = table(&["rule", "equal weight", "accuracy", "loss"]);
    for (index, candidate) in combined.candidates.iter().enumerate() {
        let selected = if index == combined.selected { " (selected)" } else { "" };
        table.add_row([
            format!("{}{selected}", name(candidate.kind)),
            whole_percent(candidate.evenness),
            percent(candidate.accuracy),
            format!("{:.3}", candidate.loss),
        ]);
    }
    align_right(&mut table, 1..4);
    line(format_args!(
        "{table}\non {} validation clips, each held out of the fit that predicts it",
        combined.clips
    ))?;
    match &combined.rejection {
        Some(rejection) => print_rejection(rejection)?,
        None => print_threshold(combined)?,
    }
    let track = &combined.evaluation.track;
    line(format_args!(
        "{}: {} of {} clips (95 %: {} to {}), {} of {} segments",
        combined.evaluation.split.describe(),
        percent(track.accuracy),
        track.n,
        percent(track.interval[0]),
        percent(track.interval[1]),
        percent(combined.evaluation.segment.accuracy),
        combined.evaluation.segment.n
    ))?;
    for UnderCondition { condition, track, .. } in &combined.evaluation.conditions {
        line(format_args!("  {condition}: {} of {}", percent(track.accuracy), track.n))?;
    }
    Ok(())
}

/// The threshold of the confidence, chosen on synthetic sounds.
fn print_threshold(combined: &Combined) -> Result<()> {
    let threshold = &combined.threshold;
    line(format_args!(
        "none of these below {:.3}: refuses {} of music and {} of {} non-music sounds (area under the curve {:.3})",
        threshold.chosen.threshold,
        percent(threshold.chosen.music_refused),
        percent(threshold.chosen.non_music_refused),
        combined.sounds,
        threshold.area,
    ))?;
    for (kind, fraction) in &combined.refused_by_kind {
        line(format_args!("  {kind}: {}", percent(*fraction)))?;
    }
    Ok(())
}

/// The threshold of the non-music probability, chosen on real sounds.
fn print_rejection(rejection: &Rejection) -> Result<()> {
    line(format_args!(
        "none of these above a non-music probability of {:.3} (area under the curve {:.3}); rejected:",
        rejection.above, rejection.threshold.area
    ))?;
    for (kind, count) in &rejection.kinds {
        line(format_args!("  {kind}, left out of the training: {} of {}", count.rejected, count.n))?;
    }
    line(format_args!("  music: {} of {}", rejection.music.rejected, rejection.music.n))?;
    for (condition, count) in &rejection.music_under {
        line(format_args!("  music, {condition}: {} of {}", count.rejected, count.n))?;
    }
    Ok(())
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Sum => "sum",
        Kind::Product => "product",
        Kind::Vote => "vote",
        Kind::Stack => "stack",
    }
}
