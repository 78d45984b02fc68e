//! Lists of songs for other programs, as files.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
pub use cratedigger_tags::lists::Track;
use cratedigger_tags::lists::{ListFormat, list};

use crate::files::write_atomically;

/// Writes a list. The extension gives the format: `.xml` (Rekordbox), `.m3u8` or `.csv`. The first two get absolute
/// paths.
///
/// # Errors
/// Another extension, the working folder does not exist, or the file cannot be written.
pub fn export(path: &Path, tracks: &[Track]) -> Result<()> {
    let extension = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
    let text = match extension.as_deref() {
        Some("xml") => list(ListFormat::Rekordbox, &absolute(tracks)?),
        Some("m3u8") => list(ListFormat::M3u8, &absolute(tracks)?),
        Some("csv") => list(ListFormat::Csv, tracks),
        _ => bail!("{}: expected a name with .xml (Rekordbox), .m3u8 or .csv", path.display()),
    };
    write_atomically(path, text.as_bytes())
}

fn absolute(tracks: &[Track]) -> Result<Vec<Track>> {
    let absolute = |track: &Track| {
        let place =
            std::path::absolute(&track.file).with_context(|| format!("{} has no place", track.file))?;
        Ok(Track { file: place.display().to_string(), ..track.clone() })
    };
    tracks.iter().map(absolute).collect()
}
