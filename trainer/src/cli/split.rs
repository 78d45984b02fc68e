//! `cratedigger split`.

use std::path::PathBuf;

use anyhow::{Result, ensure};

use super::open_data_set;
use crate::data::small_classes::{check_artists, check_classes};
use crate::data::split::{Group, IndexFile, Protocol, Split, SplitPlan};
use crate::files::write;
use crate::progress::note;

/// Arguments of `cratedigger split`.
#[derive(clap::Args)]
pub(super) struct Command {
    /// Folder of the data set
    data: PathBuf,
    /// Split protocol
    #[arg(long, value_enum, default_value_t = Protocol::Track)]
    split: Protocol,
    /// Seed of random protocols
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Number of folds of the track protocol
    #[arg(long)]
    folds: Option<usize>,
    /// Fold that is the test part, counted from 0
    #[arg(long, default_value_t = 0)]
    fold: usize,
    /// Keep all clips of an artist in one part
    #[arg(long)]
    by_artist: bool,
    /// Accept classes with too few clips for the split
    #[arg(long)]
    allow_small: bool,
    /// Index file to write
    #[arg(long)]
    out: PathBuf,
}

impl Command {
    pub(super) fn run(self) -> Result<()> {
        let data = open_data_set(&self.data)?;
        ensure!(
            matches!(self.split, Protocol::Track | Protocol::FaultFiltered),
            "an index file lists whole clips; use --split track or fault-filtered"
        );
        ensure!(
            self.folds.is_none_or(|folds| folds > 1 && self.fold < folds),
            "--folds must be at least 2, and --fold {} less than it, because folds are counted from 0",
            self.fold
        );
        let plan = SplitPlan {
            folds: self.folds.map(|folds| (folds, self.fold)),
            group: if self.by_artist { Group::Artist } else { Group::Track },
            ..SplitPlan::of(self.split, self.seed)
        };
        check_artists(&plan, &data)?;
        if !self.allow_small {
            check_classes(&plan, &data)?;
        }
        let parts = Split::new(&plan, &data.clips, &vec![1; data.clips.len()])?;
        let index = IndexFile::of(&parts, &data.clips);
        write(&self.out, &serde_json::to_vec_pretty(&index)?)?;
        note(format_args!(
            "{}: {} training clips, {} validation clips, {} test clips",
            self.out.display(),
            index.train.len(),
            index.valid.len(),
            index.test.len()
        ));
        Ok(())
    }
}
