//! `cratedigger import`.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use super::output::line;
use crate::eval::published::{Request, import};
use crate::files::write;

/// File name of the licence beside the weights.
const LICENCE: &str = "LICENSE-musicnn.txt";

/// Arguments of `cratedigger import`.
#[derive(clap::Args)]
pub(super) struct Command {
    /// The wheel of musicnn 0.1.0 from PyPI: pip download --no-deps musicnn==0.1.0
    wheel: PathBuf,
    /// Name of the network in the wheel
    #[arg(long, default_value = "MSD_musicnn", value_name = "NAME")]
    model: String,
    /// Folder for the weights, their manifest and their licence
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Name of the network in the manifest
    #[arg(long, default_value = "ear", value_name = "NAME")]
    name: String,
    /// Audio files on which the pruned network is compared with the complete one
    #[arg(long, num_args = 1.., value_name = "AUDIO")]
    verify: Vec<PathBuf>,
}

impl Command {
    pub(super) fn run(self) -> Result<()> {
        let Self { wheel, model, out, name, verify } = self;
        let file = format!("{name}.bpk");
        let imported = import(&Request { wheel, model, name, verify })?;
        line(format_args!("{}\n{}", imported.summary, imported.comparison))?;
        fs::create_dir_all(&out).with_context(|| format!("{} cannot be created", out.display()))?;
        let weights = imported.bundle.weights.first().context("the import has no weights")?;
        write(&out.join(file), weights)?;
        write(&out.join("manifest.json"), &serde_json::to_vec_pretty(&imported.bundle.manifest)?)?;
        write(&out.join(LICENCE), imported.licence.as_bytes())?;
        line(format_args!("{}: {} bytes, with manifest.json and {LICENCE}", out.display(), weights.len()))?;
        Ok(())
    }
}
