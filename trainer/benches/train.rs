//! Speed of training steps of four networks with batches of 32 windows on all cores. Prints the milliseconds of each
//! part of a step as JSON.
//!
//! `cargo bench --bench train -- ROUNDS`, or `cargo xtask bench train` for a comparison with PyTorch.

#![deny(unsafe_code)]
#![allow(clippy::print_stdout, clippy::expect_used)]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;

use burn::module::Module as _;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Distribution, Tensor};
use cratedigger_trainer::config::{Config, Overrides};
use cratedigger_trainer::memory;
use cratedigger_trainer::train::AdamW;

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Windows per step.
const BATCH: usize = 32;
const CLASSES: usize = 10;

/// Recipes, and by how much a step takes longer than the small CNN's.
const RECIPES: [(&str, usize); 4] = [
    (include_str!("../recipes/small-cnn.toml"), 1),
    (include_str!("../recipes/cnn-regularized.toml"), 1),
    (include_str!("../recipes/transformer.toml"), 4),
    (include_str!("../recipes/mobilenet-v2.toml"), 8),
];

#[allow(unsafe_code, reason = "an option of the allocator")]
fn main() {
    // SAFETY: no other thread runs yet.
    unsafe { memory::keep() }
    let rounds = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(10);
    let mut times = BTreeMap::new();
    for (recipe, factor) in RECIPES {
        let config = Config::parse(recipe, &Overrides::default()).expect("a shipped recipe");
        measure(&config, (rounds / factor).max(2), &mut times);
    }
    println!("{}", serde_json::to_string(&times).expect("numbers"));
}

/// Adds the milliseconds of each part of every round.
fn measure(config: &Config, rounds: usize, times: &mut BTreeMap<String, Vec<f64>>) {
    let shapes = config.input_spec().shapes();
    let device = Device::flex();
    device.seed(1);
    let training = device.clone().autodiff();
    let mut network = config.network.init(&shapes, CLASSES, &training);
    let mut optimizer = ModuleOptimizer::from(AdamW::new(1e-2, 1e-8));
    let [channels, rows, columns] = shapes[0];
    let windows = |device: &Device| {
        Tensor::<4>::random([BATCH, channels, rows, columns], Distribution::Normal(0.0, 1.0), device)
    };
    let input = windows(&training);
    let targets = Tensor::<2>::full([BATCH, CLASSES], 1.0 / CLASSES as f32, &training);
    let plain = windows(&device);

    for round in 0..=rounds {
        let start = Instant::now();
        let valid = network.valid();
        black_box(valid.forward(std::slice::from_ref(&plain)).into_data());
        let inference = start.elapsed().as_secs_f64();

        let start = Instant::now();
        let logits = network.forward(std::slice::from_ref(&input));
        let loss = (log_softmax(logits, 1) * targets.clone()).sum_dim(1).mean().neg();
        black_box(loss.clone().into_scalar::<f32>());
        let forward = start.elapsed().as_secs_f64();
        let gradients = GradientsParams::from_grads(loss.backward(), &network);
        let backward = start.elapsed().as_secs_f64() - forward;
        network = optimizer.step(1e-3, network, gradients);
        let step = start.elapsed().as_secs_f64();
        if round > 0 {
            // The first round includes planning and allocation.
            let parts = [
                ("judging 32 windows", inference),
                ("forward", forward),
                ("backward", backward),
                ("AdamW", step - forward - backward),
                ("a step", step),
            ];
            for (name, seconds) in parts {
                times.entry(format!("{}: {name}", config.name)).or_default().push(1e3 * seconds);
            }
        }
    }
}
