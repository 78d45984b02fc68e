//! Changes of a configuration from the command line.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context as _, Result, bail};

use super::{Config, NonMusicConfig};
use crate::data::examples::Origin;
use crate::data::split::Protocol;

/// Values that replace those of a configuration file.
///
/// The typed fields are applied last, so they win over [`Overrides::settings`].
#[derive(Clone, Debug, Default, PartialEq, clap::Args)]
pub struct Overrides {
    /// Set a key of the configuration, for example training.epochs=50; can be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<Setting>,
    /// Seed of every random choice [default: `seed` of the configuration]
    #[arg(long)]
    pub seed: Option<u64>,
    /// Split protocol [default: `data.split` of the configuration]
    #[arg(long, value_enum)]
    pub split: Option<Protocol>,
    /// Index file that lists the clips of each part
    #[arg(long, conflicts_with = "split")]
    pub index: Option<PathBuf>,
    /// Source of the network's input [default: `data.source` of the configuration]
    #[arg(long, value_enum)]
    pub source: Option<Origin>,
    /// Short for --source audio
    #[arg(long)]
    pub audio: bool,
    /// Folder of non-music sounds with one folder per kind; the network predicts them as additional classes
    #[arg(long = "other", value_name = "DIR")]
    pub non_music: Option<PathBuf>,
    /// Number of folds of a cross-validation.
    #[arg(skip)]
    pub folds: Option<usize>,
}

impl Overrides {
    /// Overrides by `KEY=VALUE` only.
    ///
    /// # Errors
    /// One of them has no `=`.
    pub fn of<S: AsRef<str>>(settings: &[S]) -> Result<Self> {
        let settings = settings.iter().map(|text| text.as_ref().parse()).collect::<Result<_>>()?;
        Ok(Self { settings, ..Self::default() })
    }

    /// The source to use, if one was named.
    fn source(&self) -> Option<Origin> {
        if self.audio { Some(Origin::Audio) } else { self.source }
    }

    /// Whether the path of the index file is from the command line, not from the configuration file.
    pub(super) fn names_index(&self) -> bool {
        self.index.is_some() || self.settings.iter().any(|setting| setting.path == ["data", "index"])
    }

    /// Applies the typed fields.
    pub(super) fn apply(&self, config: &mut Config) {
        config.seed = self.seed.unwrap_or(config.seed);
        let data = &mut config.data;
        data.split = self.split.unwrap_or(data.split);
        data.source = self.source().unwrap_or(data.source);
        if self.index.is_some() {
            data.index.clone_from(&self.index);
        }
        if let Some(folder) = &self.non_music {
            data.non_music = Some(match data.non_music.take() {
                Some(config) => NonMusicConfig { folder: folder.clone(), ..config },
                None => NonMusicConfig::of(folder.clone()),
            });
        }
        data.folds = self.folds.or(data.folds);
    }
}

/// The command-line arguments that give these overrides, each after a space.
impl fmt::Display for Overrides {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name =
            |value: Origin| clap::ValueEnum::to_possible_value(&value).map(|v| v.get_name().to_owned());
        for setting in &self.settings {
            write!(f, " --set {setting}")?;
        }
        if let Some(seed) = self.seed {
            write!(f, " --seed {seed}")?;
        }
        if let Some(split) = self.split {
            write!(f, " --split {}", split.name())?;
        }
        if let Some(index) = &self.index {
            write!(f, " --index {}", index.display())?;
        }
        if let Some(source) = self.source().and_then(name) {
            write!(f, " --source {source}")?;
        }
        if self.non_music.is_some() {
            // A published command must not contain the path on this machine, as with DATA.
            write!(f, " --other OTHER")?;
        }
        if let Some(folds) = self.folds {
            write!(f, " --folds {folds}")?;
        }
        Ok(())
    }
}

/// One `KEY=VALUE`: the key as a path (`training.epochs`, `inputs.0.columns`), the value in TOML's syntax.
/// A text needs no quotes.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    path: Vec<String>,
    value: toml::Value,
    text: String,
}

impl FromStr for Setting {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (path, value) =
            text.split_once('=').with_context(|| format!("--set {text}: expected KEY=VALUE"))?;
        let value = value.trim();
        let parsed = toml::from_str::<toml::Table>(&format!("v = {value}")).ok();
        let parsed = parsed.and_then(|mut table| table.remove("v"));
        Ok(Self {
            path: path.trim().split('.').map(str::to_owned).collect(),
            value: parsed.unwrap_or_else(|| toml::Value::String(value.into())),
            text: text.to_owned(),
        })
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Setting {
    /// Sets the key of a table.
    pub(super) fn apply(&self, table: &mut toml::Table) -> Result<()> {
        let Some((last, path)) = self.path.split_last() else { return Ok(()) };
        let Some((first, rest)) = path.split_first() else {
            table.insert(last.clone(), self.value.clone());
            return Ok(());
        };
        let new = || toml::Value::Table(toml::Table::new());
        let mut at = table.entry(first.as_str()).or_insert_with(new);
        for part in rest.iter().chain([last]) {
            at = match at {
                toml::Value::Table(table) => table.entry(part.as_str()).or_insert_with(new),
                toml::Value::Array(items) => {
                    let length = items.len();
                    let place = part.parse::<usize>().ok().filter(|place| *place < length);
                    let Some(place) = place else {
                        bail!(
                            "--set {self}: {part:?} is not an index of an array of length {length}, counted from 0"
                        )
                    };
                    &mut items[place]
                }
                _ => bail!("--set {self}: the value above {part:?} is neither a table nor an array"),
            };
        }
        *at = self.value.clone();
        Ok(())
    }
}
