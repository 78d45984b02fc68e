//! Fine-tuning: which parts of a network are frozen.

use burn::module::Module;
use serde::{Deserialize, Serialize};

/// Which part of a network is frozen. Frozen layers get no gradients, their batch normalisation keeps its
/// statistics, and their dropout is off. (Yosinski et al. 2014, "How transferable are features in deep
/// neural networks?", compares which layers are worth freezing.)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Freeze {
    /// Nothing: all layers are trained.
    #[default]
    None,
    /// Everything except the last layer.
    AllButHead,
    /// This number of blocks, counted from the input.
    Blocks(usize),
}

impl Freeze {
    /// Number of frozen blocks of a network with `blocks` blocks.
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

/// Freezes modules in order, up to a number.
pub(crate) struct Freezer(pub(crate) usize);

impl Freezer {
    /// Freezes the next module.
    pub(crate) fn one<M: Module>(&mut self, module: M) -> M {
        if self.0 == 0 {
            return module;
        }
        self.0 -= 1;
        module.freeze()
    }

    /// Freezes the next modules.
    pub(crate) fn all<M: Module>(&mut self, modules: Vec<M>) -> Vec<M> {
        modules.into_iter().map(|module| self.one(module)).collect()
    }
}
