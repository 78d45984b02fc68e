//! `cratedigger export`.

use std::path::PathBuf;

use anyhow::Result;

use crate::eval::export::export;
use crate::eval::web_page::{networks, write_page};
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
    /// Folder for a page with the network, written to networks/ in it; the page uses the npm package cratedigger
    #[arg(long, value_name = "FOLDER", conflicts_with = "to")]
    for_web: Option<PathBuf>,
}

impl Command {
    pub(super) fn run(self) -> Result<()> {
        let to = self.for_web.as_deref().map_or(self.to, networks);
        let exported = export(&self.run, &to, self.data.as_deref())?;
        if let Some(folder) = &self.for_web {
            write_page(folder)?;
        }
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
