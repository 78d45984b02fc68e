//! A page that uses exported networks: an example for the developer who puts them into a page of their own.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::files::write;

/// The files of the page, by name.
const FILES: [(&str, &str); 3] = [
    ("index.html", include_str!("web_page/index.html")),
    ("main.js", include_str!("web_page/main.js")),
    ("README.txt", include_str!("web_page/README.txt")),
];

/// The folder beside the page that it takes the networks from.
pub fn networks(folder: &Path) -> PathBuf {
    folder.join("networks")
}

/// Writes the page.
///
/// # Errors
/// A file cannot be written.
pub fn write_page(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("{} cannot be created", folder.display()))?;
    FILES.iter().try_for_each(|(name, text)| write(&folder.join(name), text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_takes_the_networks_from_the_folder_beside_it() -> Result<()> {
        let folder = tempfile::tempdir()?;
        write_page(folder.path())?;
        let script = fs::read_to_string(folder.path().join("main.js"))?;
        let name = networks(Path::new("")).join("manifest.json");
        assert!(
            script.contains(&format!("models: \"{}\"", name.to_string_lossy().replace('\\', "/"))),
            "{script}"
        );
        Ok(())
    }
}
