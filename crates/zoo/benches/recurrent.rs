//! Compares the time of the recurrent layers with burn's, on one core; prints the milliseconds as JSON.
//!
//! `cargo bench --bench recurrent -- ROUNDS`, or `cargo xtask bench recurrent` for a table.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;

use burn::nn::{GruConfig, LstmConfig};
use burn::tensor::{Device, Distribution, Tensor};
use cratedigger_zoo::nets::{Gru, Lstm};

/// `[samples, steps, features, hidden size]`: a batch of sequences as in training, one such sequence, and a batch
/// of long sequences.
const SHAPES: [[usize; 4]; 3] = [[32, 10, 57, 128], [1, 10, 57, 128], [32, 100, 57, 128]];

/// A network with input `[samples, steps, features]`.
type Network = Box<dyn Fn(Tensor<3>) -> Tensor<3>>;

fn forward(network: &Network, input: &Tensor<3>) {
    black_box(network(input.clone()).into_data());
}

fn step(network: &Network, input: &Tensor<3>) {
    let input = input.clone().require_grad();
    let gradients = network(input.clone()).square().sum().backward();
    black_box(input.grad(&gradients).map(Tensor::into_data));
}

fn networks([_, _, features, hidden]: [usize; 4], device: &Device) -> [(&'static str, Network, Network); 2] {
    let (lstm, burns) =
        (Lstm::new(features, hidden, device), LstmConfig::new(features, hidden, true).init(device));
    let (gru, burns_gru) =
        (Gru::new(features, hidden, device), GruConfig::new(features, hidden, true).init(device));
    // The swaps are measured, because in the networks samples also come first.
    [
        (
            "LSTM",
            Box::new(move |x| lstm.forward(x.swap_dims(0, 1), false).swap_dims(0, 1)),
            Box::new(move |x| burns.forward(x, None).0),
        ),
        (
            "GRU",
            Box::new(move |x| gru.forward(x.swap_dims(0, 1), false).swap_dims(0, 1)),
            Box::new(move |x| burns_gru.forward(x, None)),
        ),
    ]
}

fn main() {
    // cargo adds a flag.
    let rounds = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(10);
    let mut times: BTreeMap<String, [Vec<f64>; 2]> = BTreeMap::new();
    for shape in SHAPES {
        let [samples, steps, features, hidden] = shape;
        for (what, device) in
            [("forward", Device::flex()), ("forward and backward", Device::flex().autodiff())]
        {
            let act = if device.is_autodiff() { step } else { forward };
            let input = Tensor::random([samples, steps, features], Distribution::Default, &device);
            for (name, ours, burns) in networks(shape, &device) {
                let task = format!("{name} {features} → {hidden}, {steps} steps of {samples}, {what}");
                let times = times.entry(task).or_default();
                for round in 0..=rounds {
                    // Alternating, so that other load on the machine affects both.
                    for (network, times) in [&ours, &burns].into_iter().zip(times.iter_mut()) {
                        let start = Instant::now();
                        act(network, &input);
                        if round > 0 {
                            times.push(start.elapsed().as_secs_f64() * 1e3);
                        }
                    }
                }
            }
        }
    }
    match serde_json::to_string(&times) {
        Ok(json) => println!("{json}"),
        Err(error) => println!("{error}"),
    }
}
