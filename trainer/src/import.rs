//! Weights that torchvision trained, from a file that a user has.
//!
//! Four architectures have the layers of torchvision's, and this is where names and shapes meet. It
//! stands in the trainer, because the browser only ever reads the project's own format.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use burn::store::{
    FloatCastAdapter, ModuleAdapter as _, ModuleSnapshot as _, ModuleStore as _, PyTorchToBurnAdapter,
    PytorchStore, SafetensorsStore, burn_pack,
};
use burn::tensor::DType;
use cratedigger_zoo::{Architecture, Network};

/// The layer that names the classes, in all of these networks.
const HEAD: &str = "head";

/// What came of an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// Tensors that the network has from the file.
    pub tensors: usize,
    /// Whether the last layer is among them. It is not if the file names another number of classes; then
    /// it has its random weights still, and has to be trained.
    pub head: bool,
    /// Names in the file that belong to no layer: the auxiliary classifier of Inception v3, for one.
    pub ignored: Vec<String>,
}

/// Reads weights in PyTorch's format (`.pth`, `.pt`, `.bin`) or as safetensors into a network of the
/// same architecture, whose last layer names `classes` classes. Checkpoints that hold more than the
/// weights, or whose names have something in front, are understood, too.
///
/// # Errors
/// The architecture is none of torchvision's, the file cannot be read or is of another network, or a
/// tensor is missing or of another shape.
pub fn import(
    architecture: &Architecture,
    mut network: Network,
    classes: usize,
    path: &Path,
) -> Result<(Network, Imported)> {
    let names = architecture.torchvision_names();
    let Some((first, _)) = names.first() else {
        bail!(
            "torchvision has no {}: only VGG-19, MobileNetV2, EfficientNet-B0 and Inception v3 take weights \
             from outside",
            architecture.describe()
        );
    };
    let file = path.display();
    let tensors = read(path).with_context(|| format!("{file} cannot be read"))?;

    // `state_dict.`, `module.` or nothing stands before the name of the first layer.
    let anchor = format!("{first}.weight");
    let prefix = tensors
        .keys()
        .filter_map(|key| key.strip_suffix(&anchor))
        .find(|prefix| prefix.is_empty() || prefix.ends_with('.'))
        .with_context(|| format!("{file} has no `{anchor}`: it is not of {}", architecture.describe()))?
        .to_owned();

    let places: HashMap<&str, &str> =
        names.iter().map(|(theirs, ours)| (theirs.as_str(), ours.as_str())).collect();
    let mut ignored = Vec::new();
    let mut renamed = Vec::new();
    let mut head = true;
    for (key, mut tensor) in tensors {
        let place = key.strip_prefix(&prefix).and_then(|name| name.rsplit_once('.'));
        let Some((ours, parameter)) =
            place.and_then(|(layer, parameter)| Some((*places.get(layer)?, parameter)))
        else {
            ignored.push(key);
            continue;
        };
        if parameter == "num_batches_tracked" {
            continue; // a counter that only a moving average without momentum would need
        }
        if ours == HEAD && tensor.shape.iter().next() != Some(&classes) {
            head = false;
            continue;
        }
        tensor.name = format!("{ours}.{parameter}");
        renamed.push(tensor);
    }
    if !head {
        // Weights or biases alone would be worse than neither.
        let of_head = format!("{HEAD}.");
        renamed.retain(|tensor| !tensor.name.starts_with(&of_head));
    }

    let adapter = PyTorchToBurnAdapter.chain(FloatCastAdapter::to(DType::F32));
    let result = network.apply(renamed, None, Some(Box::new(adapter)), true);
    if let Some(error) = result.errors.first() {
        bail!("{file}: {error}");
    }
    ensure!(result.unused.is_empty(), "{file}: {} belongs to no layer", result.unused.join(", "));
    let missing: Vec<&str> = result
        .missing
        .iter()
        .map(|(path, _)| path.as_str())
        .filter(|path| head || !path.split('.').any(|part| part == HEAD))
        .collect();
    ensure!(
        missing.is_empty(),
        "{file} lacks {} tensors, {} among them",
        missing.len(),
        missing.first().unwrap_or(&"none")
    );
    Ok((network, Imported { tensors: result.applied.len(), head, ignored }))
}

/// All tensors of a file, by their names there.
fn read(path: &Path) -> Result<BTreeMap<String, burn_pack::Tensor>> {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_lowercase();
    Ok(match extension.as_str() {
        "safetensors" => SafetensorsStore::from_file(path).get_all_tensors()?.clone(),
        // Layers keep torchvision's numbers, gaps and all.
        "pth" | "pt" | "bin" => {
            PytorchStore::from_file(path).map_indices_contiguous(false).get_all_tensors()?.clone()
        }
        _ => bail!("weights come as .pth, .pt, .bin or .safetensors"),
    })
}
