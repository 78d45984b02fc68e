//! Archives and checksums of a release.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::build;

/// Name of the file with the checksums.
const SUMS: &str = "SHA256SUMS";

/// A zip archive. Its files have no times of their own, so that the same files give the same archive.
pub struct Archive {
    zip: ZipWriter<File>,
}

impl Archive {
    /// Begins an archive.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn new(path: &Path) -> Result<Self> {
        let file = File::create(path).with_context(|| format!("{} cannot be written", path.display()))?;
        Ok(Self { zip: ZipWriter::new(file) })
    }

    /// Adds a file under a name with `/` between folders.
    ///
    /// # Errors
    /// The file cannot be read, or the archive cannot be written.
    pub fn add(&mut self, file: &Path, name: &str) -> Result<()> {
        self.put(file, name, 0o644)
    }

    /// Adds a file that can be started.
    ///
    /// # Errors
    /// As [`Archive::add`].
    pub fn add_program(&mut self, file: &Path, name: &str) -> Result<()> {
        self.put(file, name, 0o755)
    }

    fn put(&mut self, file: &Path, name: &str, mode: u32) -> Result<()> {
        let contents = fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
        let options = SimpleFileOptions::default()
            .unix_permissions(mode)
            .large_file(contents.len() > u32::MAX as usize)
            .last_modified_time(zip::DateTime::default());
        self.zip.start_file(name.replace('\\', "/"), options)?;
        self.zip.write_all(&contents)?;
        Ok(())
    }

    /// Ends the archive.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(self) -> Result<()> {
        self.zip.finish()?;
        Ok(())
    }
}

/// Writes the SHA-256 of every file of a folder, in the format of `sha256sum`.
///
/// # Errors
/// A file cannot be read or written.
pub fn sums(folder: &Path) -> Result<()> {
    let mut text = String::new();
    for file in build::files(folder)? {
        let name = file.strip_prefix(folder)?.to_string_lossy().replace('\\', "/");
        if name == SUMS {
            continue;
        }
        for byte in Sha256::digest(fs::read(&file)?) {
            write!(text, "{byte:02x}")?;
        }
        writeln!(text, "  {name}")?;
    }
    fs::write(folder.join(SUMS), text).with_context(|| format!("{SUMS} cannot be written"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The checksum is the example of FIPS 180-2.
    #[test]
    fn archives_are_reproducible_and_sums_are_those_of_sha256sum() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("a.txt");
        fs::write(&file, "abc")?;
        for name in ["1.zip", "2.zip"] {
            let mut archive = Archive::new(&folder.path().join(name))?;
            archive.add(&file, "x/a.txt")?;
            archive.add_program(&file, "x/program")?;
            archive.finish()?;
        }
        assert_eq!(fs::read(folder.path().join("1.zip"))?, fs::read(folder.path().join("2.zip"))?);
        sums(folder.path())?;
        let sums = fs::read_to_string(folder.path().join(SUMS))?;
        assert_eq!(sums.lines().count(), 3);
        assert!(sums.contains("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  a.txt\n"));
        Ok(())
    }
}
