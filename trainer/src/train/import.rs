//! Import of initial weights: torchvision's, or those of an earlier run.
//!
//! Four architectures have torchvision's layers; this module maps names and shapes. It is in the trainer,
//! because the browser reads only the project's own format.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use burn::store::{
    BurnpackStore, FloatCastAdapter, ModuleAdapter, ModuleSnapshot as _, ModuleStore as _,
    PyTorchToBurnAdapter, PytorchStore, SafetensorsStore, burn_pack,
};
use burn::tensor::DType;
use cratedigger_zoo::nets::renamed_tensor;
use cratedigger_zoo::{Architecture, Network};

/// Name of the classification layer in all networks.
const HEAD: &str = "head";

/// Result of an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// Number of imported tensors.
    pub tensors: usize,
    /// Whether the classification layer was imported. If the file has another number of classes, the layer
    /// keeps its random weights and must be trained.
    pub head: bool,
    /// Names in the file without a layer, for example the auxiliary classifier of Inception v3.
    pub ignored: Vec<String>,
}

/// Reads weights into a network of the same architecture with `classes` classes.
///
/// * `.pth`, `.pt`, `.bin` and `.safetensors` are torchvision's. Checkpoints with more than the weights, or
///   with a prefix in the names, are accepted.
/// * `.bpk` is this project's format, from a run.
///
/// # Errors
/// torchvision does not have the architecture, the file cannot be read or is of another network, or a
/// tensor is missing or has another shape.
pub fn import(
    architecture: &Architecture,
    mut network: Network,
    classes: usize,
    path: &Path,
) -> Result<(Network, Imported)> {
    let file = path.display();
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_lowercase();
    let (ours, tensors) = match extension.as_str() {
        "bpk" => {
            (true, BurnpackStore::from_file(path).get_all_tensors().cloned().map_err(anyhow::Error::from))
        }
        "safetensors" => {
            (false, SafetensorsStore::from_file(path).get_all_tensors().cloned().map_err(anyhow::Error::from))
        }
        // Layers keep torchvision's numbers, including gaps.
        "pth" | "pt" | "bin" => {
            let mut store = PytorchStore::from_file(path).map_indices_contiguous(false);
            (false, store.get_all_tensors().cloned().map_err(anyhow::Error::from))
        }
        _ => bail!("{file}: expected weights as .pth, .pt, .bin, .safetensors or .bpk"),
    };
    let tensors: BTreeMap<String, burn_pack::Tensor> =
        tensors.with_context(|| format!("{file} cannot be read"))?;

    let (mut tensors, ignored) = if ours {
        let current = |(name, mut tensor): (String, burn_pack::Tensor)| {
            tensor.name = renamed_tensor(&name).unwrap_or(name);
            tensor
        };
        (tensors.into_iter().map(current).collect(), Vec::new())
    } else {
        renamed(architecture, tensors).with_context(|| format!("{file}"))?
    };
    let is_head = |name: &str| name.split('.').any(|part| part == HEAD);
    let head = tensors
        .iter()
        .filter(|tensor| is_head(&tensor.name) && tensor.name.ends_with(".bias"))
        .any(|tensor| tensor.shape.iter().eq([&classes]));
    if !head {
        tensors.retain(|tensor| !is_head(&tensor.name));
    }

    let single = FloatCastAdapter::to(DType::F32);
    let adapter: Box<dyn ModuleAdapter> =
        if ours { Box::new(single) } else { Box::new(PyTorchToBurnAdapter.chain(single)) };
    let result = network.apply(tensors, None, Some(adapter), !ours);
    if let Some(error) = result.errors.first() {
        bail!("{file}: {error}");
    }
    if let Some(name) = result.unused.first() {
        bail!("{file} is of another network: it has the unknown tensor `{name}`");
    }
    let mut missing = result.missing.iter().map(|(path, _)| path).filter(|path| head || !is_head(path));
    if let Some(name) = missing.next() {
        bail!("{file} is of another network or damaged: the tensor `{name}` is missing");
    }
    Ok((network, Imported { tensors: result.applied.len(), head, ignored }))
}

/// torchvision's tensors under this project's names, and the names of tensors without a layer.
fn renamed(
    architecture: &Architecture,
    tensors: BTreeMap<String, burn_pack::Tensor>,
) -> Result<(Vec<burn_pack::Tensor>, Vec<String>)> {
    let names = architecture.published_names();
    let Some((first, _)) = names.first() else {
        bail!(
            "there are no published weights of {}, but of VGG-19, MobileNetV2, EfficientNet-B0, EfficientNet-Lite0 and Inception v3",
            architecture.describe()
        );
    };
    // The prefix of layer names is `state_dict.`, `module.` or empty.
    let anchor = format!("{first}.weight");
    let prefix = tensors
        .keys()
        .filter_map(|key| key.strip_suffix(&anchor))
        .find(|prefix| prefix.is_empty() || prefix.ends_with('.'))
        .with_context(|| format!("`{anchor}` is missing, so it is not of {}", architecture.describe()))?
        .to_owned();
    let places: HashMap<&str, &str> =
        names.iter().map(|(theirs, ours)| (theirs.as_str(), ours.as_str())).collect();
    let (mut renamed, mut ignored) = (Vec::new(), Vec::new());
    for (key, mut tensor) in tensors {
        let place = key.strip_prefix(&prefix).and_then(|name| name.rsplit_once('.'));
        match place.and_then(|(layer, parameter)| Some((places.get(layer)?, parameter))) {
            // A counter that is used only by moving averages without momentum.
            Some((_, "num_batches_tracked")) => {}
            Some((ours, parameter)) => {
                tensor.name = format!("{ours}.{parameter}");
                renamed.push(tensor);
            }
            None => ignored.push(key),
        }
    }
    Ok((renamed, ignored))
}
