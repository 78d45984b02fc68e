//! `cratedigger combine`.

use std::path::PathBuf;

use anyhow::Result;

use super::table::{align_right, table};
use crate::data::examples::Origin;
use crate::eval::calibrate::Kind;
use crate::eval::combine::{Combined, Request, combine};
use crate::format::{percent, whole_percent};
use crate::progress::warn;
use crate::report::threshold_svg;

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
            non_music_above: self.non_music_above,
            refuse: self.refuse,
            seed: self.seed,
            full_of: self.full_of,
            measured: self.measured,
        };
        let combined = combine(&request)?;
        combined.write(&threshold_svg(&combined.threshold), request.full_of.as_deref())?;
        print(&combined);
        let seen = combined.evaluation.seen_in_training;
        if seen > 0 {
            warn(&format!("{seen} of these clips are training clips"));
        }
        Ok(())
    }
}

#[expect(clippy::print_stdout, reason = "a command's output")]
fn print(combined: &Combined) {
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
    println!("{table}\non {} validation clips, each held out of the fit that predicts it", combined.clips);
    let threshold = &combined.threshold;
    println!(
        "none of these below {:.3}: refuses {} of music and {} of {} non-music sounds (area under the curve {:.3})",
        threshold.chosen.threshold,
        percent(threshold.chosen.music_refused),
        percent(threshold.chosen.non_music_refused),
        combined.sounds,
        threshold.area,
    );
    for (kind, fraction) in &combined.refused_by_kind {
        println!("  {kind}: {}", percent(*fraction));
    }
    let track = &combined.evaluation.track;
    println!(
        "{}: {} of {} clips (95 %: {} to {}), {} of {} segments",
        combined.evaluation.split.describe(),
        percent(track.accuracy),
        track.n,
        percent(track.interval[0]),
        percent(track.interval[1]),
        percent(combined.evaluation.segment.accuracy),
        combined.evaluation.segment.n
    );
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Sum => "sum",
        Kind::Product => "product",
        Kind::Vote => "vote",
        Kind::Stack => "stack",
    }
}
