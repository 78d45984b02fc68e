//! Fine-tuning: what of a network learns, and what stays as it is.

use burn::module::Module;
use serde::{Deserialize, Serialize};

/// How much of a network stays as it is while the rest learns. What is frozen gets no gradients, its
/// batch normalisation keeps its statistics, and its dropout lets everything through (Yosinski et
/// al. 2014, "How transferable are features in deep neural networks?", for what is worth freezing).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Freeze {
    /// Everything learns.
    #[default]
    None,
    /// Only the last layer learns.
    AllButHead,
    /// The first so many blocks stay as they are, counted from the input.
    Blocks(usize),
}

impl Freeze {
    /// Of so many blocks, how many are frozen.
    pub(crate) fn of(self, blocks: usize) -> Result<usize, String> {
        match self {
            Self::None => Ok(0),
            Self::AllButHead => Ok(blocks),
            Self::Blocks(count) if count <= blocks => Ok(count),
            Self::Blocks(count) => {
                Err(format!("{count} blocks cannot be frozen: the network has {blocks} before its head"))
            }
        }
    }
}

/// Freezes modules in order, as long as there are some left to freeze.
pub(crate) struct Freezer(pub(crate) usize);

impl Freezer {
    /// The next one.
    pub(crate) fn one<M: Module>(&mut self, module: M) -> M {
        if self.0 == 0 {
            return module;
        }
        self.0 -= 1;
        module.freeze()
    }

    /// The next ones.
    pub(crate) fn all<M: Module>(&mut self, modules: Vec<M>) -> Vec<M> {
        modules.into_iter().map(|module| self.one(module)).collect()
    }
}
