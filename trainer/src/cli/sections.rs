//! `cratedigger sections`.

use std::path::PathBuf;

use anyhow::Result;

use super::output::line;
use crate::eval::sections::{BoundaryScore, MixOptions, SectionFigures, measure, speech_kinds};
use crate::eval::{ModelBundle, open_data};
use crate::format::percent;
use crate::progress::with_progress;

/// Arguments of `cratedigger sections`.
#[derive(clap::Args)]
pub(super) struct Command {
    /// A run, an exported model, or a manifest, trained without the validation clips
    model: PathBuf,
    /// Folder of the data set
    #[arg(long)]
    data: PathBuf,
    /// Folder of non-music, with one folder per kind
    #[arg(long, value_name = "DIR")]
    other: PathBuf,
    /// Kinds of speech between the clips, at least two; choose kinds that the model was not trained on
    /// [default: all kinds whose names begin with speech, voice or letter]
    #[arg(long, value_name = "NAME")]
    kind: Vec<String>,
    /// Number of mixes
    #[arg(long, default_value_t = 20)]
    mixes: usize,
    /// Clips per mix
    #[arg(long, default_value_t = 10)]
    clips: usize,
    /// Seed of all random choices
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Command {
    /// Measures sections on mixes and prints the figures.
    pub(super) fn run(self) -> Result<()> {
        let bundle = ModelBundle::open(&self.model)?;
        let data = open_data(&bundle, &self.data)?;
        let kinds = if self.kind.is_empty() {
            speech_kinds(&self.other, &["speech", "voice", "letter"].map(String::from))?
        } else {
            self.kind
        };
        let (mixes, clips, seed) = (self.mixes, self.clips, self.seed);
        let options = MixOptions { other: &self.other, kinds: &kinds, mixes, clips, seed };
        let figures = with_progress("mixes", |progress| measure(&bundle, &data, &options, progress))?;
        if self.json { line(serde_json::to_string(&figures)?) } else { line(as_text(&figures)) }
    }
}

fn as_text(figures: &SectionFigures) -> String {
    let SectionFigures { mixes, seams, seconds, sections, segments, shipped, best } = figures;
    let row = |name: &str, score: &BoundaryScore| {
        format!(
            "{name:28} F1 {:.3} (95 %: {:.3} to {:.3}), precision {}, recall {}",
            score.f1,
            score.interval[0],
            score.interval[1],
            percent(score.precision),
            percent(score.recall)
        )
    };
    [
        format!("{mixes} mixes of {:.0} minutes together, {seams} seams, tolerance 3 s", seconds / 60.0),
        row("segments, not smoothed", segments),
        row("sections, chosen on others", sections),
        row("sections, the manifest's", shipped),
        format!("best on all mixes: stay {}, evidence {}", best.stay, best.evidence),
    ]
    .join("\n")
}
