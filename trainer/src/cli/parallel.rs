//! Files through an analyser on all cores.

use std::path::{Path, PathBuf};

use anyhow::Result;
use cratedigger_zoo::Analyser;
use indicatif::ProgressBar;
use rayon::prelude::*;

use crate::eval::ModelBundle;
use crate::format::causes;

/// Files per thread whose results are in memory at once, which bounds memory and keeps the order.
const FILES_A_THREAD: usize = 4;

/// Number of files to pass to [`answers`] at once.
pub(super) fn files_at_once() -> usize {
    FILES_A_THREAD * rayon::current_num_threads().max(1)
}

/// The result of `act` for each file, in the order of the files. Each thread has an analyser of its own.
pub(super) fn answers<T: Send>(
    bundle: &ModelBundle,
    files: &[PathBuf],
    bar: &ProgressBar,
    act: impl Fn(&mut Analyser, &Path) -> Result<T> + Sync,
) -> Vec<Result<T>> {
    let each = |analyser: &mut Result<Analyser>, path: &PathBuf| {
        let answer = match analyser {
            Ok(analyser) => act(analyser, path),
            Err(error) => Err(anyhow::anyhow!(causes(error))),
        };
        bar.inc(1);
        answer
    };
    files.par_iter().map_init(|| bundle.analyser(), each).collect()
}
