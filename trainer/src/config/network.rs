//! The `[network]` table: a design with all its settings, or the name of a recipe that has the design.

use anyhow::{Context as _, Result, bail, ensure};
use cratedigger_zoo::Architecture;
use cratedigger_zoo::nets::BranchedConfig;
use include_dir::{Dir, include_dir};
use serde::Deserialize;

/// The recipes of the repository, compiled into the program.
static RECIPES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/recipes");

/// Names of the recipes, sorted. `network.preset` takes the design of one of them.
pub fn presets() -> Vec<&'static str> {
    let mut names: Vec<&str> =
        RECIPES.files().filter_map(|file| file.path().file_stem().and_then(|name| name.to_str())).collect();
    names.sort_unstable();
    names
}

/// A design by the name of its recipe.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Preset {
    preset: String,
    /// Value for every dropout rate of the design that is not 0.
    dropout: Option<f64>,
    /// Channels of the first block of `short-chunk-cnn`.
    width: Option<usize>,
}

/// Reads a `[network]` table.
pub(super) fn network<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Architecture, D::Error> {
    use serde::de::Error as _;
    let table = toml::Table::deserialize(deserializer)?;
    if !table.contains_key("preset") {
        return Architecture::deserialize(table).map_err(D::Error::custom);
    }
    let preset = Preset::deserialize(table).map_err(D::Error::custom)?;
    preset.resolve().map_err(D::Error::custom)
}

impl Preset {
    fn resolve(&self) -> Result<Architecture> {
        let name = self.preset.as_str();
        let mut architecture = match self.width {
            None => design_of(name)?,
            Some(width) => {
                ensure!(name == "short-chunk-cnn", "only the preset short-chunk-cnn has a width");
                Architecture::Branched(BranchedConfig::short_chunk_cnn(width))
            }
        };
        if let Some(rate) = self.dropout {
            architecture.set_dropout(rate);
        }
        Ok(architecture)
    }
}

/// The design of a recipe.
fn design_of(name: &str) -> Result<Architecture> {
    let Some(file) = RECIPES.get_file(format!("{name}.toml")) else {
        let known: Vec<String> = presets().iter().map(|known| format!("`{known}`")).collect();
        bail!("unknown variant `{name}`, expected one of {}", known.join(", "))
    };
    let mut recipe: toml::Table = toml::from_str(file.contents_utf8().unwrap_or_default())?;
    let network = recipe.remove("network").with_context(|| format!("the recipe {name} has no network"))?;
    Ok(Architecture::deserialize(network)?)
}
