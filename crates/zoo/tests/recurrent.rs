//! The recurrent cells against burn's own, on the same weights.
#![allow(clippy::unwrap_used)]

use burn::module::{Module, Param};
use burn::nn::{BiGruConfig, BiLstmConfig, GateController, GruConfig, LstmConfig};
use burn::tensor::{Device, Tensor};
use cratedigger_zoo::nets::{Gru, Lstm};

mod common;

use common::noise;

const STEPS: usize = 7;
const BATCH: usize = 3;
const INPUTS: usize = 5;
const HIDDEN: usize = 4;

/// Batch first, as in burn.
fn sequence(device: &Device) -> Tensor<3> {
    noise([BATCH, STEPS, INPUTS], 11, device)
}

fn close<const D: usize>(what: &str, ours: Tensor<D>, burns: Tensor<D>) {
    assert_eq!(ours.dims(), burns.dims(), "{what}");
    let (ours, burns) = (ours.into_data(), burns.into_data());
    let pairs = ours.as_slice::<f32>().unwrap().iter().zip(burns.as_slice::<f32>().unwrap());
    let worst = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < 1e-5, "{what}: {worst}");
    assert!(burns.as_slice::<f32>().unwrap().iter().any(|v| v.abs() > 1e-3), "{what}: nothing to compare");
}

/// New biases, because the initial ones are random in burn and zeros here.
fn varied(gate: GateController, seed: u32, device: &Device) -> GateController {
    let mut gate = gate;
    let bias = |seed| Some(Param::from_tensor(noise([HIDDEN], seed, device)));
    gate.input_transform.bias = bias(seed);
    gate.hidden_transform.bias = bias(seed + 100);
    gate
}

fn side_by_side<const D: usize>(
    of: impl Fn(&GateController) -> Tensor<D>,
    gates: &[&GateController],
) -> Param<Tensor<D>> {
    let joined = Tensor::cat(gates.iter().map(|gate| of(gate)).collect(), D - 1);
    Param::from_tensor(joined.detach())
}

fn input_weights(gate: &GateController) -> Tensor<2> {
    gate.input_transform.weight.val()
}

fn hidden_weights(gate: &GateController) -> Tensor<2> {
    gate.hidden_transform.weight.val()
}

fn input_bias(gate: &GateController) -> Tensor<1> {
    gate.input_transform.bias.as_ref().unwrap().val()
}

fn hidden_bias(gate: &GateController) -> Tensor<1> {
    gate.hidden_transform.bias.as_ref().unwrap().val()
}

fn burn_lstm(device: &Device) -> burn::nn::Lstm {
    let mut lstm = LstmConfig::new(INPUTS, HIDDEN, true).init(device);
    lstm.input_gate = varied(lstm.input_gate, 1, device);
    lstm.forget_gate = lstm.forget_gate.map(|gate| varied(gate, 2, device));
    lstm.output_gate = varied(lstm.output_gate, 3, device);
    lstm.cell_gate = varied(lstm.cell_gate, 4, device);
    lstm
}

fn lstm_gates(lstm: &burn::nn::Lstm) -> [&GateController; 4] {
    [&lstm.input_gate, lstm.forget_gate.as_ref().unwrap(), &lstm.output_gate, &lstm.cell_gate]
}

fn lstm_of(burns: &burn::nn::Lstm, device: &Device) -> Lstm {
    let gates = lstm_gates(burns);
    let mut ours = Lstm::new(INPUTS, HIDDEN, device);
    ours.input.weight = side_by_side(input_weights, &gates);
    ours.hidden.weight = side_by_side(hidden_weights, &gates);
    ours.input.bias = Some(side_by_side(|gate| input_bias(gate) + hidden_bias(gate), &gates));
    ours
}

fn burn_gru(device: &Device) -> burn::nn::Gru {
    let mut gru = GruConfig::new(INPUTS, HIDDEN, true).init(device);
    gru.reset_gate = varied(gru.reset_gate, 5, device);
    gru.update_gate = varied(gru.update_gate, 6, device);
    gru.new_gate = varied(gru.new_gate, 7, device);
    gru
}

fn gru_gates(gru: &burn::nn::Gru) -> [&GateController; 3] {
    [&gru.reset_gate, &gru.update_gate, &gru.new_gate]
}

fn gru_of(burns: &burn::nn::Gru, device: &Device) -> Gru {
    let gates = gru_gates(burns);
    let mut ours = Gru::new(INPUTS, HIDDEN, device);
    ours.input.weight = side_by_side(input_weights, &gates);
    ours.input.bias = Some(side_by_side(input_bias, &gates));
    ours.hidden.weight = side_by_side(hidden_weights, &gates);
    ours.hidden.bias = Some(side_by_side(hidden_bias, &gates));
    ours
}

/// Weights every state differently, so that a gradient at a wrong state is found.
fn objective(states: Tensor<3>) -> Tensor<1> {
    let weights = noise(states.dims(), 21, &states.device());
    (states * weights).sum()
}

#[test]
fn an_lstm_equals_burns() {
    let device = Device::flex().autodiff();
    let burns = burn_lstm(&device);
    let ours = lstm_of(&burns, &device);
    let [x, y] = [(); 2].map(|()| sequence(&device).require_grad());
    let expected = burns.forward(x.clone(), None).0;
    let found = ours.forward(y.clone().swap_dims(0, 1), false).swap_dims(0, 1);
    close("states", found.clone(), expected.clone());

    let (theirs, mine) = (objective(expected).backward(), objective(found).backward());
    close("gradient of the input", y.grad(&mine).unwrap(), x.grad(&theirs).unwrap());
    for (index, gate) in lstm_gates(&burns).into_iter().enumerate() {
        let columns = |whole: Tensor<2>| whole.narrow(1, index * HIDDEN, HIDDEN);
        let grad = ours.input.weight.val().grad(&mine).unwrap();
        close("input weights", columns(grad), input_weights(gate).grad(&theirs).unwrap());
        let grad = ours.hidden.weight.val().grad(&mine).unwrap();
        close("hidden weights", columns(grad), hidden_weights(gate).grad(&theirs).unwrap());
        let grad = ours.input.bias.as_ref().unwrap().val().grad(&mine).unwrap();
        let part = grad.narrow(0, index * HIDDEN, HIDDEN);
        // One bias replaces two of burn's, which have the same gradient.
        close("bias", part.clone(), input_bias(gate).grad(&theirs).unwrap());
        close("bias", part, hidden_bias(gate).grad(&theirs).unwrap());
    }
}

#[test]
fn a_gru_equals_burns() {
    let device = Device::flex().autodiff();
    let burns = burn_gru(&device);
    let ours = gru_of(&burns, &device);
    let [x, y] = [(); 2].map(|()| sequence(&device).require_grad());
    let expected = burns.forward(x.clone(), None);
    let found = ours.forward(y.clone().swap_dims(0, 1), false).swap_dims(0, 1);
    close("states", found.clone(), expected.clone());

    let (theirs, mine) = (objective(expected).backward(), objective(found).backward());
    close("gradient of the input", y.grad(&mine).unwrap(), x.grad(&theirs).unwrap());
    for (index, gate) in gru_gates(&burns).into_iter().enumerate() {
        let columns = |whole: Tensor<2>| whole.narrow(1, index * HIDDEN, HIDDEN);
        let part = |whole: Tensor<1>| whole.narrow(0, index * HIDDEN, HIDDEN);
        let grad = ours.input.weight.val().grad(&mine).unwrap();
        close("input weights", columns(grad), input_weights(gate).grad(&theirs).unwrap());
        let grad = ours.hidden.weight.val().grad(&mine).unwrap();
        close("hidden weights", columns(grad), hidden_weights(gate).grad(&theirs).unwrap());
        let grad = ours.input.bias.as_ref().unwrap().val().grad(&mine).unwrap();
        close("input bias", part(grad), input_bias(gate).grad(&theirs).unwrap());
        let grad = ours.hidden.bias.as_ref().unwrap().val().grad(&mine).unwrap();
        close("hidden bias", part(grad), hidden_bias(gate).grad(&theirs).unwrap());
    }
}

/// A reversed cell is the second half of burn's bidirectional ones.
#[test]
fn both_directions_equal_burns() {
    let device = Device::flex();
    let x = sequence(&device);
    let steps_first = x.clone().swap_dims(0, 1);
    let both =
        |forwards: Tensor<3>, backwards: Tensor<3>| Tensor::cat(vec![forwards, backwards], 2).swap_dims(0, 1);

    let mut burns = BiLstmConfig::new(INPUTS, HIDDEN, true).init(&device);
    burns.forward = burn_lstm(&device);
    burns.reverse = burn_lstm(&device);
    burns.reverse.cell_gate = varied(burns.reverse.cell_gate.clone(), 30, &device);
    let (forwards, backwards) = (lstm_of(&burns.forward, &device), lstm_of(&burns.reverse, &device));
    let found =
        both(forwards.forward(steps_first.clone(), false), backwards.forward(steps_first.clone(), true));
    close("LSTM", found, burns.forward(x.clone(), None).0);

    let mut burns = BiGruConfig::new(INPUTS, HIDDEN, true).init(&device);
    burns.forward = burn_gru(&device);
    burns.reverse = burn_gru(&device);
    burns.reverse.new_gate = varied(burns.reverse.new_gate.clone(), 31, &device);
    let (forwards, backwards) = (gru_of(&burns.forward, &device), gru_of(&burns.reverse, &device));
    let found = both(forwards.forward(steps_first.clone(), false), backwards.forward(steps_first, true));
    close("GRU", found, burns.forward(x, None).0);
}

#[test]
fn the_initial_weights_follow_keras() {
    let device = Device::flex();
    device.seed(5);
    let lstm = Lstm::new(57, 16, &device);
    assert_eq!(lstm.num_params(), 4 * ((57 + 16) * 16 + 16));
    let bias = lstm.input.bias.as_ref().unwrap().val().try_into_vec_as::<f32>().unwrap();
    let open: Vec<usize> = (0..64).filter(|&i| bias[i] == 1.0).collect();
    assert_eq!(open, (16..32).collect::<Vec<_>>(), "the forget gates, and no other, start open");
    // The rows of the recurrent matrix are orthonormal.
    let weights = lstm.hidden.weight.val();
    let product = weights.clone().matmul(weights.transpose()) - Tensor::<2>::eye(16, &device);
    assert!(product.abs().max().into_scalar::<f32>() < 1e-5);
}
