//! Checks of every network: shapes, number of parameters, that the loss falls, and that weights can be
//! saved and loaded.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::{GradientsParams, SgdConfig};
use burn::store::ModuleRecord;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, FloatDType, Gradients, Tensor};
use cratedigger_zoo::nets::{
    BranchedConfig, EfficientNetB0Config, EfficientNetLite0Config, Freeze, InceptionV3Config,
    MobileNetV2Config, Vgg19Config, parameter_count,
};
use cratedigger_zoo::{Architecture, Network};

mod common;

use common::{noise, recipe};

const CLASSES: usize = 10;
const LOG_MEL: [usize; 3] = [1, 128, 39];
const FEATURES: [usize; 3] = [1, 1, 57];
const SEQUENCE: [usize; 3] = [1, 10, 57];
const STACKED: [usize; 3] = [1, 187, 130];

/// All threads share one random number generator, so tests that seed it run one at a time.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn inputs(parts: &[[usize; 3]], batch: usize, device: &Device) -> Vec<Tensor<4>> {
    (1..).zip(parts).map(|(seed, &[c, h, w])| noise([batch, c, h, w], seed, device)).collect()
}

fn values(tensor: Tensor<2>) -> Vec<f32> {
    tensor.try_into_vec_as().unwrap()
}

/// All tensors by their path.
fn tensors(network: &Network) -> BTreeMap<String, Vec<f32>> {
    #[derive(Default)]
    struct Collect(Vec<String>, BTreeMap<String, Vec<f32>>);
    impl ModuleVisitor for Collect {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.0.push(name.into());
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.0.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.1.insert(self.0.join("."), param.val().try_into_vec_as().unwrap());
        }
    }
    let mut collect = Collect::default();
    network.visit(&mut collect);
    collect.1
}

struct HalfPrecision;

impl ModuleMapper for HalfPrecision {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if D > 1 { param.map(|tensor| tensor.cast(FloatDType::F16)) } else { param }
    }
}

/// The loss of a batch whose first sample has the first class, and so on. The same seed gives the same
/// dropout, so that losses before and after a step can be compared.
fn loss(network: &Network, batch: &[Tensor<4>]) -> Tensor<1> {
    let device = batch[0].device();
    device.seed(7);
    let logits = network.forward(batch);
    let [samples, _] = logits.dims();
    let targets = Tensor::<2>::eye(CLASSES, &device).narrow(0, 0, samples);
    (log_softmax(logits, 1) * targets).sum_dim(1).mean().neg()
}

/// A gradient step of such a length that the loss would fall by 5 % if it were linear. Also returns the
/// number of tensors with gradients.
fn step(network: Network, batch: &[Tensor<4>]) -> (Network, usize) {
    struct Length<'a>(&'a Gradients, f64);
    impl ModuleVisitor for Length<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(gradient) = param.val().grad(self.0) {
                self.1 += f64::from(gradient.square().sum().into_scalar::<f32>());
            }
        }
    }
    let loss = loss(&network, batch);
    let value = f64::from(loss.clone().into_scalar::<f32>());
    let gradients = loss.backward();
    let mut length = Length(&gradients, 0.0);
    network.visit(&mut length);
    let rate = 0.05 * value / length.1;
    let gradients = GradientsParams::from_grads(gradients, &network);
    let count = gradients.len();
    (SgdConfig::new().init().step(rate, network, gradients), count)
}

/// Checks a network; `parameters` were counted by hand or published.
fn check(architecture: &Architecture, parts: &[[usize; 3]], parameters: usize) {
    let _turn = turn();
    let name = architecture.describe();
    architecture.validate(parts).unwrap();

    // A configuration survives writing and reading.
    let json = serde_json::to_string(architecture).unwrap();
    assert_eq!(serde_json::from_str::<Architecture>(&json).unwrap(), *architecture, "{name}: {json}");

    let plain = Device::flex();
    let device = plain.clone().autodiff();
    device.seed(1);
    let network = architecture.init(parts, CLASSES, &device);
    assert_eq!(parameter_count(&network), parameters, "{name}");

    let batch = inputs(parts, 3, &device);
    // Weights are drawn at first use, which would consume seeded random numbers.
    loss(&network, &batch);
    let before = loss(&network, &batch).into_scalar::<f32>();
    let (network, _) = step(network, &batch);
    let after = loss(&network, &batch).into_scalar::<f32>();
    assert!(after < before, "{name}: loss {before} before the step, {after} after");

    let network = network.valid();
    let batch = inputs(parts, 2, &plain);
    let logits = network.forward(&batch);
    assert_eq!(logits.dims(), [2, CLASSES], "{name}");
    let logits = values(logits);
    assert!(logits.iter().all(|logit| logit.is_finite()), "{name}: {logits:?}");
    assert_ne!(logits[..CLASSES], logits[CLASSES..], "{name}: the input does not matter");

    let size = logits.iter().fold(0.0_f32, |size, logit| size.max(logit.abs()));
    // Samples do not depend on each other.
    let alone: Vec<Tensor<4>> = batch.iter().map(|part| part.clone().narrow(0, 1, 1)).collect();
    for (a, b) in values(network.forward(&alone)).iter().zip(&logits[CLASSES..]) {
        assert!((a - b).abs() < 1e-4 * size + 1e-5, "{name}: {a} alone, {b} in a batch");
    }

    let load = |network: Network| {
        let bytes = network.into_record().into_bytes().unwrap();
        let record = ModuleRecord::from_bytes(bytes).unwrap().cast_to_module_dtype();
        architecture.init(parts, CLASSES, &plain).try_load_record(record).unwrap()
    };
    assert_eq!(values(load(network.clone()).forward(&batch)), logits, "{name}");
    let half = values(load(network.map(&mut HalfPrecision)).forward(&batch));
    for (a, b) in half.iter().zip(&logits) {
        assert!((a - b).abs() < 0.02 * size + 1e-3, "{name}: {b}, in half precision {a}");
    }
}

/// Frozen tensors do not change, statistics included; the others do.
fn check_freezing(architecture: &Architecture, parts: &[[usize; 3]], blocks: usize) {
    let _turn = turn();
    let name = architecture.describe();
    let device = Device::flex().autodiff();
    device.seed(2);
    let network = architecture.init(parts, CLASSES, &device);
    let before = tensors(&network);
    let batch = inputs(parts, 3, &device);

    let (trained, gradients) = step(network.clone().frozen(Freeze::AllButHead).unwrap(), &batch);
    assert_eq!(gradients, 2, "{name}: weights and biases of the head");
    let after = tensors(&trained);
    for (path, values) in &before {
        if path.ends_with("head.bias") {
            assert_ne!(after[path], *values, "{name}: {path}");
        } else if !path.ends_with("head.weight") {
            assert_eq!(after[path], *values, "{name}: {path}");
        }
    }

    let (_, all) = step(network.clone().frozen(Freeze::None).unwrap(), &batch);
    let (_, most) = step(network.clone().frozen(Freeze::Blocks(1)).unwrap(), &batch);
    assert!(2 < most && most < all, "{name}: {most} of {all} tensors learn");
    assert!(network.clone().frozen(Freeze::Blocks(blocks)).is_ok(), "{name}");
    assert!(network.frozen(Freeze::Blocks(blocks + 1)).is_err(), "{name}");
}

fn branched(config: BranchedConfig) -> Architecture {
    Architecture::Branched(config)
}

/// A dense layer's parameters.
const fn dense(inputs: usize, outputs: usize) -> usize {
    inputs * outputs + outputs
}

/// A 3 × 3 convolution with batch normalisation.
const fn conv_norm(inputs: usize, outputs: usize) -> usize {
    9 * inputs * outputs + 2 * outputs
}

#[test]
fn ann() {
    let parameters = dense(57, 512) + dense(512, 256) + dense(256, 128) + dense(128, 64) + dense(64, CLASSES);
    check(&recipe("ann"), &[FEATURES], parameters);
    check_freezing(&recipe("ann"), &[FEATURES], 4);
}

#[test]
fn cnn_naive() {
    // Four times halved, 128 × 128 is 8 × 8.
    let convolutions = dense(27, 16) + dense(9 * 16, 32) + dense(9 * 32, 64) + dense(9 * 64, 128);
    let parameters = convolutions + dense(8 * 8 * 128, 64) + dense(64, CLASSES);
    check(&recipe("cnn-naive"), &[[3, 128, 128]], parameters);
}

#[test]
fn cnn_basic() {
    // 128 → 126 → 63 → 61 → 30 → 28 → 14 rows, 39 → 37 → 18 → 16 → 8 → 6 → 3 columns.
    let convolutions = dense(9, 32) + dense(9 * 32, 64) + dense(9 * 64, 64);
    let parameters = convolutions + dense(14 * 3 * 64, 64) + dense(64, CLASSES);
    check(&recipe("cnn-basic"), &[LOG_MEL], parameters);
}

#[test]
fn cnn_regularized() {
    // Three times halved, 128 × 39 is 16 × 4.
    let convolutions = conv_norm(1, 32) + conv_norm(32, 64) + conv_norm(64, 64);
    let parameters = convolutions + dense(16 * 4 * 64, 128) + dense(128, CLASSES);
    check(&recipe("cnn-regularized"), &[LOG_MEL], parameters);
    check_freezing(&recipe("cnn-regularized"), &[LOG_MEL], 3);
}

fn picture_body() -> usize {
    conv_norm(3, 32) + conv_norm(32, 64) + conv_norm(64, 128) + conv_norm(128, 256)
}

#[test]
fn cnn_enhanced() {
    let parameters = picture_body() + dense(256, 128) + dense(128, CLASSES);
    check(&recipe("cnn-enhanced"), &[[3, 128, 128]], parameters);
}

#[test]
fn cnn_stacked() {
    // Normalised after the pooling: the convolutions have biases.
    let convolutions = conv_norm(1, 32) + 32 + conv_norm(32, 64) + 64 + conv_norm(64, 128) + 128;
    let parameters = convolutions + dense(128, 256) + dense(256, CLASSES);
    check(&recipe("cnn-stacked"), &[STACKED], parameters);
}

/// Keras counts 4·((inputs + hidden)·hidden + hidden).
const fn lstm_layer(inputs: usize, hidden: usize) -> usize {
    4 * ((inputs + hidden) * hidden + hidden)
}

/// Keras counts 3·((inputs + hidden)·hidden + 2·hidden) where it resets after the product.
const fn gru_layer(inputs: usize, hidden: usize) -> usize {
    3 * ((inputs + hidden) * hidden + 2 * hidden)
}

#[test]
fn lstm() {
    let recurrent = lstm_layer(57, 128) + lstm_layer(128, 64);
    let parameters = recurrent + dense(64, 64) + dense(64, CLASSES);
    check(&recipe("lstm"), &[SEQUENCE], parameters);
}

#[test]
fn bilstm() {
    let recurrent = 2 * lstm_layer(57, 128) + 2 * 256 + 2 * lstm_layer(256, 64) + 2 * 128;
    let parameters = recurrent + dense(128, 64) + dense(64, CLASSES);
    check(&recipe("bilstm"), &[SEQUENCE], parameters);
}

#[test]
fn bigru_attention() {
    let recurrent = 2 * gru_layer(57, 128) + 2 * gru_layer(256, 64);
    let attention = dense(128, 128) + dense(128, 1);
    let parameters = recurrent + attention + dense(128, 64) + dense(64, CLASSES);
    check(&recipe("bigru-attention"), &[SEQUENCE], parameters);
    check_freezing(&recipe("bigru-attention"), &[SEQUENCE], 2);
}

#[test]
fn cnn_lstm() {
    let convolutions = conv_norm(1, 32) + conv_norm(32, 64) + conv_norm(64, 128);
    let recurrent = lstm_layer(57, 128) + lstm_layer(128, 64);
    let parameters = convolutions + recurrent + dense(128 + 64, 128) + dense(128, CLASSES);
    check(&recipe("cnn-lstm"), &[LOG_MEL, SEQUENCE], parameters);
    check_freezing(&recipe("cnn-lstm"), &[LOG_MEL, SEQUENCE], 3);
}

#[test]
fn fusion() {
    let features = dense(57, 128) + 2 * 128 + dense(128, 64) + 2 * 64;
    let head = dense(256 + 64, 128) + 2 * 128 + dense(128, CLASSES);
    let parts = [[3, 128, 128], FEATURES];
    check(&recipe("fusion"), &parts, picture_body() + features + head);
}

#[test]
fn fusion_hybrid() {
    let head = dense(256 + 57, 128) + 2 * 128 + dense(128, CLASSES);
    let parts = [[3, 128, 128], FEATURES];
    check(&recipe("fusion-hybrid"), &parts, picture_body() + head);
}

#[test]
fn transformer() {
    // 128 × 39 values are 8 × 13 patches of 16 × 3.
    let layer = 4 * dense(96, 96) + dense(96, 192) + dense(192, 96) + 2 * 2 * 96;
    let parameters = dense(16 * 3, 96) + 8 * 13 * 96 + 4 * layer + 2 * 96 + dense(96, CLASSES);
    check(&recipe("transformer"), &[LOG_MEL], parameters);
    check_freezing(&recipe("transformer"), &[LOG_MEL], 5);
}

#[test]
fn texture() {
    // Changes, rates, contrast and lines of 32 bands, and the correlation of each pair of bands.
    let values = 3 * 32 + 8 * 32 + 4 * 32 + 4 * 32 + 32 * 31 / 2;
    let parameters = 2 * values + dense(values, 128) + 2 * 128 + dense(128, CLASSES);
    check(&recipe("texture"), &[LOG_MEL], parameters);
}

#[test]
fn short_chunk_cnn() {
    let block = |inputs, outputs| 2 * conv_norm(inputs, outputs) + conv_norm(outputs, outputs);
    let parameters = |w: usize| {
        let blocks =
            block(1, w) + block(w, w) + block(w, 2 * w) + 3 * block(2 * w, 2 * w) + block(2 * w, 4 * w);
        2 + blocks + dense(4 * w, 4 * w) + 2 * 4 * w + dense(4 * w, CLASSES)
    };
    check(&branched(BranchedConfig::short_chunk_cnn(16)), &[LOG_MEL], parameters(16));
    check_freezing(&branched(BranchedConfig::short_chunk_cnn(16)), &[LOG_MEL], 7);
    // At the width of the paper only the size: its authors state 12.1 million (with 50 classes, and with
    // biases that the normalisation makes redundant).
    let paper = BranchedConfig::short_chunk_cnn(128).init(&[LOG_MEL], CLASSES, &Device::flex());
    assert_eq!(parameter_count(&paper), parameters(128));
}

/// torchvision's count for the same network, with its thousand classes and with ten.
fn published(architecture: &Architecture, picture: [usize; 3], thousand: usize, ten: usize) {
    for (classes, parameters) in [(1000, thousand), (10, ten)] {
        let network = architecture.init(&[picture], classes, &Device::flex());
        assert_eq!(parameter_count(&network), parameters, "{}", architecture.describe());
    }
}

#[test]
fn vgg19() {
    published(&Architecture::Vgg19(Vgg19Config::default()), [3, 224, 224], 143_667_240, 139_611_210);
    // With narrow dense layers, which have 90 % of the parameters.
    let small = Architecture::Vgg19(Vgg19Config { hidden: 32, ..Default::default() });
    let dense_layers = |hidden| dense(7 * 7 * 512, hidden) + dense(hidden, hidden) + dense(hidden, CLASSES);
    let picture = [3, 32, 32];
    check(&small, &[picture], 139_611_210 - dense_layers(4096) + dense_layers(32));
    check_freezing(&small, &[picture], 18);

    let normalised =
        |hidden| Architecture::Vgg19(Vgg19Config { hidden, batch_norm: true, ..Default::default() });
    published(&normalised(4096), [3, 224, 224], 143_678_248, 139_622_218);
    check(&normalised(32), &[picture], 139_622_218 - dense_layers(4096) + dense_layers(32));
    check_freezing(&normalised(32), &[picture], 18);
}

#[test]
fn mobilenet_v2() {
    let architecture = Architecture::MobileNetV2(MobileNetV2Config::default());
    published(&architecture, [3, 224, 224], 3_504_872, 2_236_682);
    check(&architecture, &[[3, 64, 64]], 2_236_682);
    check_freezing(&architecture, &[[3, 64, 64]], 19);
    // torchvision's mobilenet_v2(width_mult=0.35) and (width_mult=1.4).
    for (width, thousand, ten) in [(0.35, 1_677_128, 408_938), (1.4, 6_108_776, 4_333_706)] {
        let config = MobileNetV2Config { width, ..Default::default() };
        published(&Architecture::MobileNetV2(config), [3, 224, 224], thousand, ten);
    }
}

#[test]
fn efficientnet_b0() {
    let architecture = Architecture::EfficientNetB0(EfficientNetB0Config::default());
    published(&architecture, [3, 224, 224], 5_288_548, 4_020_358);
    check(&architecture, &[[3, 64, 64]], 4_020_358);
    check_freezing(&architecture, &[[3, 64, 64]], 18);
}

#[test]
fn efficientnet_lite0() {
    // The published network's count.
    let architecture = Architecture::EfficientNetLite0(EfficientNetLite0Config::default());
    published(&architecture, [3, 224, 224], 4_652_008, 3_383_818);
    check(&architecture, &[[3, 64, 64]], 3_383_818);
    check_freezing(&architecture, &[[3, 64, 64]], 18);
}

#[test]
fn inception_v3() {
    // torchvision's count with aux_logits=False.
    let architecture = Architecture::InceptionV3(InceptionV3Config::default());
    published(&architecture, [3, 299, 299], 23_834_568, 21_806_058);
    check(&architecture, &[[3, 75, 75]], 21_806_058);
    check_freezing(&architecture, &[[3, 75, 75]], 16);
    assert!(architecture.validate(&[[3, 74, 74]]).is_err());
}

#[test]
fn designs_that_do_not_fit_are_refused_with_a_reason() {
    let refused = |architecture: &Architecture, parts: &[[usize; 3]], word: &str| {
        let reason = architecture.validate(parts).unwrap_err();
        assert!(reason.contains(word), "{reason}");
    };
    refused(&recipe("cnn-lstm"), &[LOG_MEL], "2 branches");
    refused(&recipe("lstm"), &[[3, 10, 57]], "one channel");
    refused(&recipe("cnn-basic"), &[[1, 128, 17]], "nothing would be left");
    refused(&recipe("cnn-basic"), &[[1, 0, 17]], "holds nothing");
    refused(&recipe("transformer"), &[[1, 16_000, 390]], "patches");
    refused(&branched(BranchedConfig::short_chunk_cnn(4096)), &[LOG_MEL], "parameters");
    refused(&branched(BranchedConfig::short_chunk_cnn(0)), &[LOG_MEL], "0 channels");
    refused(&Architecture::Vgg19(Vgg19Config::default()), &[[3, 31, 31]], "nothing would be left");
    refused(
        &Architecture::Vgg19(Vgg19Config { hidden: usize::MAX, ..Default::default() }),
        &[[3, 32, 32]],
        "dense layer",
    );
    refused(&Architecture::InceptionV3(InceptionV3Config::default()), &[LOG_MEL, LOG_MEL], "one picture");
    let wide = MobileNetV2Config { width: f64::NAN, ..Default::default() };
    refused(&Architecture::MobileNetV2(wide), &[[3, 32, 32]], "width");

    // As text, as in a hostile manifest.
    for (text, word) in [
        (r#"{"kind":"branched","branches":[]}"#, "0 branches"),
        (r#"{"kind":"branched","branches":[{"body":"conv"}]}"#, "0 blocks"),
        (r#"{"kind":"branched","branches":[{"body":"conv","blocks":[{"stride":[0,1]}]}]}"#, "strides"),
        (r#"{"kind":"branched","branches":[{"body":"conv","blocks":[{"pool":[1,0]}]}]}"#, "strides"),
        (r#"{"kind":"branched","branches":[{"body":"conv","blocks":[{"kernel":[2,2]}]}]}"#, "odd"),
        (r#"{"kind":"branched","branches":[{"body":"conv","blocks":[{"dropout":1.5}]}]}"#, "dropout"),
        (r#"{"kind":"branched","branches":[{"body":"recurrent","layers":[70000]}]}"#, "70000"),
        (r#"{"kind":"branched","branches":[{"body":"transformer","heads":5}]}"#, "5 heads"),
        (r#"{"kind":"branched","branches":[{"body":"dense","layers":[65536,65536]}]}"#, "parameters"),
    ] {
        refused(&serde_json::from_str(text).unwrap(), &[LOG_MEL], word);
    }
    let unknown = r#"{"kind":"branched","branches":[{"body":"dense","layer":[1]}]}"#;
    assert!(serde_json::from_str::<Architecture>(unknown).is_err());
}

/// The transform undoes ImageNet's normalisation and applies another, as torchvision's
/// `transform_input` does.
#[test]
fn inception_transforms_its_input() {
    let _turn = turn();
    let device = Device::flex();
    device.seed(3);
    let plain = InceptionV3Config::default();
    let network = plain.init(&[[3, 75, 75]], 4, &device);
    let record = network.clone().into_record();
    let transforming = InceptionV3Config { transform_input: true, ..plain }
        .init(&[[3, 75, 75]], 4, &device)
        .load_record(record);
    let picture = noise([1, 3, 75, 75], 9, &device).abs();
    let channel =
        |index: usize, mean: f32, deviation: f32| (picture.clone().narrow(1, index, 1) - mean) / deviation;
    let statistics = [(0.485, 0.229), (0.456, 0.224), (0.406, 0.225)];
    let imagenet = Tensor::cat((0..3).map(|i| channel(i, statistics[i].0, statistics[i].1)).collect(), 1);
    let halves = (picture - 0.5) / 0.5;
    let (a, b) = (values(transforming.forward(&[imagenet])), values(network.forward(&[halves])));
    let size = b.iter().fold(1.0_f32, |size, value| size.max(value.abs()));
    assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-4 * size), "{a:?} {b:?}");
}
