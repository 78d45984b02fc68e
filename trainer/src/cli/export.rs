//! `cratedigger export`.

use std::path::PathBuf;

use anyhow::Result;

use crate::eval::export::export;
use crate::format::percent;
use crate::progress::note;

/// Arguments of `cratedigger export`.
#[derive(clap::Args)]
pub(super) struct Command {
    /// Folder of the run
    run: PathBuf,
    /// Folder of the data set; needed if the manifest has other networks, to evaluate all of them together
    #[arg(long)]
    data: Option<PathBuf>,
    /// Manifest (.json) to write or extend, or its folder
    #[arg(long, default_value = "models")]
    to: PathBuf,
}

impl Command {
    pub(super) fn run(self) -> Result<()> {
        let exported = export(&self.run, &self.to, self.data.as_deref())?;
        let track = &exported.evaluation.track;
        note(format_args!(
            "{}: {} bytes, {} of {} clips ({})",
            exported.weights.display(),
            exported.bytes,
            percent(track.accuracy),
            track.n,
            exported.evaluation.protocol
        ));
        Ok(())
    }
}
