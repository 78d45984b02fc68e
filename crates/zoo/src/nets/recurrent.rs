//! Recurrent networks on sequences, with few and large matrix products.
//!
//! A cell that computes its gates one by one needs eight matrix products for each step. Here one
//! product, `[steps · batch, gates · hidden]`, covers the input of all gates and all steps. Only the
//! part that depends on the previous step remains in the loop: one product per step. This is faster on a
//! CPU, and on a GPU it replaces a few hundred kernel launches by a few.

use burn::module::{Module, Param};
use burn::nn::{BatchNorm, BatchNormConfig, Dropout, DropoutConfig, Initializer, Linear, LinearConfig};
use burn::tensor::activation::{sigmoid, softmax, tanh};
use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::freeze::Freezer;
use super::layers::{Start, linear};
use super::shape_check::{ShapeCheck, check_dropout, check_length};

/// A long short-term memory (Hochreiter and Schmidhuber 1997; with forget gates: Gers et al. 2000):
///
/// i, f, o = σ(x·W + h·U + b), g = tanh(x·W + h·U + b), c = f·c + i·g, h = o·tanh(c)
#[derive(Module, Debug)]
pub struct Lstm {
    /// `[inputs, 4 · hidden]` with bias: the gates i, f, o and g, concatenated.
    pub input: Linear,
    /// `[hidden, 4 · hidden]`, without bias.
    pub hidden: Linear,
}

/// A gated recurrent unit (Cho et al. 2014), with the reset gate after the product as in PyTorch, Keras
/// and cuDNN:
///
/// r, z = σ(x·W + b + h·U + d), n = tanh(x·W + b + r·(h·U + d)), h = (1 − z)·n + z·h
#[derive(Module, Debug)]
pub struct Gru {
    /// `[inputs, 3 · hidden]` with bias: r, z and n, concatenated.
    pub input: Linear,
    /// `[hidden, 3 · hidden]` with bias.
    pub hidden: Linear,
}

/// Initial matrices as in Keras: Glorot for the input, orthogonal for the recurrent weights (Saxe et al.
/// 2014), so that repeated products neither explode nor vanish.
fn matrices(inputs: usize, hidden: usize, gates: usize, device: &Device) -> (Linear, Linear) {
    let recurrent = LinearConfig::new(hidden, gates * hidden)
        .with_bias(false)
        .with_initializer(Initializer::Orthogonal { gain: 1.0 })
        .init(device);
    (linear(inputs, gates * hidden, Start::Glorot, device), recurrent)
}

/// Products of all steps with the input matrix, split into steps: `[steps, batch, inputs]` →
/// `steps` times `[batch, outputs]`.
fn products(matrix: &Linear, sequence: Tensor<3>) -> Vec<Tensor<2>> {
    let [steps, batch, inputs] = sequence.dims();
    let mut products = Vec::with_capacity(steps);
    halve(matrix.forward(sequence.reshape([steps * batch, inputs])), steps, batch, &mut products);
    products
}

/// Splits a tensor into steps of `batch` rows by repeated halving. The gradient of a slice is as large as
/// the sliced tensor, so slicing step by step would cost the square of the number of steps.
fn halve(rows: Tensor<2>, steps: usize, batch: usize, into: &mut Vec<Tensor<2>>) {
    if steps < 2 {
        into.extend((steps == 1).then_some(rows));
        return;
    }
    let half = steps / 2;
    halve(rows.clone().narrow(0, 0, half * batch), half, batch, into);
    halve(rows.narrow(0, half * batch, (steps - half) * batch), steps - half, batch, into);
}

/// Runs through the steps in either direction and returns the states in the order of the steps.
fn run<S>(
    mut products: Vec<Tensor<2>>,
    reverse: bool,
    start: S,
    step: impl Fn(Tensor<2>, S) -> (Tensor<2>, S),
) -> Vec<Tensor<2>> {
    if reverse {
        products.reverse();
    }
    let mut state = start;
    let mut states = Vec::with_capacity(products.len());
    for product in products {
        let hidden;
        (hidden, state) = step(product, state);
        states.push(hidden);
    }
    if reverse {
        states.reverse();
    }
    states
}

impl Lstm {
    /// A cell with random weights. The forget gates start open, so that the cell keeps its state early in
    /// training (Jozefowicz et al. 2015).
    pub fn new(inputs: usize, hidden: usize, device: &Device) -> Self {
        let (mut input, recurrent) = matrices(inputs, hidden, 4, device);
        let bias: Vec<f32> =
            (0..4 * hidden).map(|i| if (hidden..2 * hidden).contains(&i) { 1.0 } else { 0.0 }).collect();
        input.bias = Some(Param::from_data(TensorData::from(bias.as_slice()), device));
        Self { input, hidden: recurrent }
    }

    /// The hidden states of all steps, from an initial state of zeros; `reverse` runs from the last step to
    /// the first.
    ///
    /// # Shapes
    /// `[steps, batch, inputs]` → `[steps, batch, hidden]`
    pub fn forward(&self, sequence: Tensor<3>, reverse: bool) -> Tensor<3> {
        Tensor::stack(self.states(sequence, reverse), 0)
    }

    fn states(&self, sequence: Tensor<3>, reverse: bool) -> Vec<Tensor<2>> {
        let [_, batch, _] = sequence.dims();
        let weight = self.hidden.weight.val();
        let [size, _] = weight.dims();
        let zeros = Tensor::zeros([batch, size], &sequence.device());
        run(products(&self.input, sequence), reverse, (zeros.clone(), zeros), |product, (hidden, cell)| {
            let gates = product + hidden.matmul(weight.clone());
            let open = sigmoid(gates.clone().narrow(1, 0, 3 * size));
            let candidate = tanh(gates.narrow(1, 3 * size, size));
            let gate = |index: usize| open.clone().narrow(1, index * size, size);
            let cell = gate(1) * cell + gate(0) * candidate;
            let hidden = gate(2) * tanh(cell.clone());
            (hidden.clone(), (hidden, cell))
        })
    }
}

impl Gru {
    /// A unit with random weights.
    pub fn new(inputs: usize, hidden: usize, device: &Device) -> Self {
        let (input, mut recurrent) = matrices(inputs, hidden, 3, device);
        recurrent.bias = Some(Initializer::Zeros.init([3 * hidden], device));
        Self { input, hidden: recurrent }
    }

    /// As [`Lstm::forward`].
    ///
    /// # Shapes
    /// `[steps, batch, inputs]` → `[steps, batch, hidden]`
    pub fn forward(&self, sequence: Tensor<3>, reverse: bool) -> Tensor<3> {
        Tensor::stack(self.states(sequence, reverse), 0)
    }

    fn states(&self, sequence: Tensor<3>, reverse: bool) -> Vec<Tensor<2>> {
        let [_, batch, _] = sequence.dims();
        let [size, _] = self.hidden.weight.dims();
        let zeros: Tensor<2> = Tensor::zeros([batch, size], &sequence.device());
        run(products(&self.input, sequence), reverse, zeros, |product, hidden| {
            let again = self.hidden.forward(hidden.clone());
            let open = sigmoid(product.clone().narrow(1, 0, 2 * size) + again.clone().narrow(1, 0, 2 * size));
            let reset = open.clone().narrow(1, 0, size);
            let keep = open.narrow(1, size, size);
            let new = tanh(product.narrow(1, 2 * size, size) + reset * again.narrow(1, 2 * size, size));
            let hidden = new.clone() + keep * (hidden - new);
            (hidden.clone(), hidden)
        })
    }
}

/// The cell of a recurrent network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cell {
    /// [`Lstm`].
    #[default]
    Lstm,
    /// [`Gru`].
    Gru,
}

/// How the states become one vector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Summary {
    /// The state after the last step (for the backward direction: after the first).
    #[default]
    Last,
    /// The mean of all states.
    Mean,
    /// A weighted mean with weights from a small network on each state (Yang et al. 2016, "Hierarchical
    /// attention networks").
    Attention,
}

/// Recurrent layers over the rows of a part with one channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RecurrentConfig {
    /// The cell.
    pub cell: Cell,
    /// Hidden size of each layer, for each direction.
    pub layers: Vec<usize>,
    /// Whether each layer also reads the sequence backwards (Schuster and Paliwal 1997).
    pub bidirectional: bool,
    /// Whether the values after each layer are batch-normalised.
    pub batch_norm: bool,
    /// Fraction of the values after each layer dropped while training.
    pub dropout: f64,
    /// How the states become one vector.
    pub summary: Summary,
}

impl Default for RecurrentConfig {
    fn default() -> Self {
        Self {
            cell: Cell::Lstm,
            layers: vec![128, 64],
            bidirectional: false,
            batch_norm: false,
            dropout: 0.0,
            summary: Summary::Last,
        }
    }
}

impl RecurrentConfig {
    fn directions(&self) -> usize {
        if self.bidirectional { 2 } else { 1 }
    }

    /// Checks the layers and returns the number of output values for a part of the input.
    pub(crate) fn trace(&self, part: [usize; 3], trace: &mut ShapeCheck) -> Result<usize, String> {
        check_length("recurrent layers", self.layers.len(), 1)?;
        check_dropout(self.dropout)?;
        trace.enter(part)?;
        let [channels, steps, mut width] = part;
        if channels != 1 {
            return Err(format!("a sequence has one channel, not {channels}"));
        }
        if steps > 1 << 12 {
            return Err(format!("a sequence of {steps} steps is too long: 4096 at most"));
        }
        let gates = match self.cell {
            Cell::Lstm => 4,
            Cell::Gru => 3,
        };
        for (index, &hidden) in self.layers.iter().enumerate() {
            let layer = format!("recurrent layer {index}");
            for _ in 0..self.directions() {
                trace.linear(&layer, width, hidden)?;
                trace.spend(&layer, &[width + hidden, hidden, gates])?;
            }
            width = self.directions() * hidden;
        }
        if self.summary == Summary::Attention {
            trace.linear("the attention", width, width)?;
        }
        Ok(width)
    }

    pub(crate) fn init(&self, [_, _, features]: [usize; 3], device: &Device) -> RecurrentBody {
        let mut width = features;
        let layers = self
            .layers
            .iter()
            .map(|&hidden| {
                let cell = |width| match self.cell {
                    Cell::Lstm => AnyCell::Lstm(Lstm::new(width, hidden, device)),
                    Cell::Gru => AnyCell::Gru(Gru::new(width, hidden, device)),
                };
                let forwards = cell(width);
                let backwards = self.bidirectional.then(|| cell(width));
                width = self.directions() * hidden;
                RecurrentLayer {
                    forwards,
                    backwards,
                    norm: self.batch_norm.then(|| BatchNormConfig::new(width).init(device)),
                    dropout: DropoutConfig::new(self.dropout).init(),
                }
            })
            .collect();
        RecurrentBody {
            layers,
            attention: (self.summary == Summary::Attention).then(|| Attention {
                hidden: linear(width, width, Start::Glorot, device),
                score: linear(width, 1, Start::Glorot, device),
            }),
            mean: self.summary == Summary::Mean,
        }
    }

    pub(crate) fn summary(&self) -> String {
        let cell = match self.cell {
            Cell::Lstm => "LSTM",
            Cell::Gru => "GRU",
        };
        let widths: Vec<String> = self.layers.iter().map(usize::to_string).collect();
        format!(
            "{}{cell} {}{}",
            if self.bidirectional { "bidirectional " } else { "" },
            widths.join("-"),
            if self.summary == Summary::Attention { " with attention" } else { "" }
        )
    }
}

#[derive(Module, Debug)]
enum AnyCell {
    Lstm(Lstm),
    Gru(Gru),
}

impl AnyCell {
    fn states(&self, sequence: Tensor<3>, reverse: bool) -> Vec<Tensor<2>> {
        match self {
            Self::Lstm(cell) => cell.states(sequence, reverse),
            Self::Gru(cell) => cell.states(sequence, reverse),
        }
    }
}

#[derive(Module, Debug)]
struct RecurrentLayer {
    forwards: AnyCell,
    backwards: Option<AnyCell>,
    norm: Option<BatchNorm>,
    dropout: Dropout,
}

impl RecurrentLayer {
    /// All states of both directions: `[steps, batch, width]`.
    fn all(&self, sequence: Tensor<3>) -> Tensor<3> {
        let forwards = Tensor::stack(self.forwards.states(sequence.clone(), false), 0);
        match &self.backwards {
            Some(cell) => Tensor::cat(vec![forwards, Tensor::stack(cell.states(sequence, true), 0)], 2),
            None => forwards,
        }
    }

    /// The final state of each direction: `[batch, width]`.
    fn last(&self, sequence: Tensor<3>) -> Tensor<2> {
        let forwards = self.forwards.states(sequence.clone(), false).pop();
        let backwards = self.backwards.as_ref().map(|cell| cell.states(sequence, true).swap_remove(0));
        Tensor::cat(forwards.into_iter().chain(backwards).collect(), 1)
    }

    fn after(&self, x: Tensor<2>) -> Tensor<2> {
        let x = match &self.norm {
            Some(norm) => norm.forward(x),
            None => x,
        };
        self.dropout.forward(x)
    }

    fn after_all(&self, x: Tensor<3>) -> Tensor<3> {
        let [steps, batch, width] = x.dims();
        self.after(x.reshape([steps * batch, width])).reshape([steps, batch, width])
    }
}

#[derive(Module, Debug)]
struct Attention {
    hidden: Linear,
    score: Linear,
}

impl Attention {
    /// `[steps, batch, width]` → `[batch, width]`
    fn forward(&self, states: Tensor<3>) -> Tensor<2> {
        let scores = self.score.forward(tanh(self.hidden.forward(states.clone())));
        (states * softmax(scores, 0)).sum_dim(0).squeeze_dim(0)
    }
}

/// The layers of a [`RecurrentConfig`].
#[derive(Module, Debug)]
pub struct RecurrentBody {
    layers: Vec<RecurrentLayer>,
    attention: Option<Attention>,
    mean: bool,
}

impl RecurrentBody {
    /// # Shapes
    /// `[batch, 1, steps, features]` → `[batch, width]`
    pub(crate) fn forward(&self, part: Tensor<4>) -> Tensor<2> {
        // Steps first, so that the batch of each step is contiguous.
        let mut x: Tensor<3> = part.squeeze_dim::<3>(1).swap_dims(0, 1);
        let [before @ .., last] = self.layers.as_slice() else {
            return x.mean_dim(0).squeeze_dim(0); // no layers: rejected by the check of the design
        };
        for layer in before {
            x = layer.after_all(layer.all(x));
        }
        let summary = match &self.attention {
            Some(attention) => return attention.forward(last.after_all(last.all(x))),
            None if self.mean => last.all(x).mean_dim(0).squeeze_dim(0),
            None => last.last(x),
        };
        last.after(summary)
    }

    pub(crate) fn blocks(&self) -> usize {
        self.layers.len()
    }

    pub(crate) fn frozen(mut self, mut freezer: Freezer) -> Self {
        if freezer.0 >= self.layers.len() {
            self.attention = self.attention.map(Module::freeze);
        }
        self.layers = freezer.all(self.layers);
        self
    }
}
