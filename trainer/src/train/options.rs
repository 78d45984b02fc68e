//! Options of a training run.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::config::Config;
use crate::device::Devices;

/// Options of a training run.
pub struct Options {
    /// The configuration.
    pub config: Config,
    /// Folder of the run.
    pub folder: PathBuf,
    /// The command line, for the record.
    pub command: String,
    /// Whether to resume the run in the folder.
    pub resume: bool,
    /// Stop after this many epochs of this call; the run can be resumed.
    pub pause_after: Option<usize>,
    /// Compute devices.
    pub devices: Devices,
    /// Cache folder of features of audio; none to compute them every time.
    pub cache: Option<PathBuf>,
    /// Whether to use the full-screen display.
    pub tui: bool,
    /// Whether classes may have too few clips for the split.
    pub allow_small: bool,
    /// Set by another thread to stop after the current step.
    pub cancelled: Arc<AtomicBool>,
}
