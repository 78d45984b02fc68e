//! Layers of a TensorFlow checkpoint: batch normalisation, matrices, convolutions.

use anyhow::{Result, bail, ensure};

use super::tensorflow::Checkpoint;

/// A channel is dead if its largest weight is below this value. In MSD_musicnn, no largest weight lies
/// between 2.1e-7 and 9.4e-4.
const DEAD: f32 = 1e-6;
/// Epsilon that is added to the variance in batch normalisation, as in TensorFlow.
const EPSILON: f64 = 1e-3;

/// A batch normalisation.
#[derive(Clone, Debug, Default)]
pub(super) struct Norm {
    pub(super) gamma: Vec<f32>,
    pub(super) beta: Vec<f32>,
    pub(super) mean: Vec<f32>,
    pub(super) variance: Vec<f32>,
}

impl Norm {
    pub(super) fn read(checkpoint: &Checkpoint, number: usize, values: usize) -> Result<Self> {
        let layer = numbered("batch_normalization", number);
        let take = |name: &str| checkpoint.take(&format!("{layer}/{name}"), &[values]).map(<[f32]>::to_vec);
        let norm = Self {
            gamma: take("gamma")?,
            beta: take("beta")?,
            mean: take("moving_mean")?,
            variance: take("moving_variance")?,
        };
        ensure!(norm.variance.iter().all(|v| *v >= 0.0), "{layer} has a negative variance");
        Ok(norm)
    }

    pub(super) fn scale(&self, channel: usize) -> f64 {
        f64::from(self.gamma[channel]) / (f64::from(self.variance[channel]) + EPSILON).sqrt()
    }

    pub(super) fn shift(&self, channel: usize) -> f64 {
        f64::from(self.beta[channel]) - f64::from(self.mean[channel]) * self.scale(channel)
    }

    pub(super) fn of(&self, channel: usize, value: f64) -> f64 {
        value * self.scale(channel) + self.shift(channel)
    }

    pub(super) fn kept(&self, channels: &[usize]) -> Self {
        let keep = |values: &[f32]| channels.iter().map(|&c| values[c]).collect();
        Self {
            gamma: keep(&self.gamma),
            beta: keep(&self.beta),
            mean: keep(&self.mean),
            variance: keep(&self.variance),
        }
    }
}

/// A matrix or a kernel with its biases. Weights are `[rows, outputs]` in row-major order.
#[derive(Clone, Debug)]
pub(super) struct Matrix {
    pub(super) outputs: usize,
    pub(super) weights: Vec<f32>,
    pub(super) bias: Vec<f32>,
}

impl Matrix {
    /// Reads a layer whose kernel has the shape `rows` followed by the number of outputs.
    pub(super) fn read(checkpoint: &Checkpoint, layer: &str, rows: &[usize]) -> Result<Self> {
        let kernel = format!("{layer}/kernel");
        let Some(&outputs) = checkpoint.shape(&kernel)?.last() else { bail!("{kernel} is not a matrix") };
        let shape: Vec<usize> = rows.iter().copied().chain([outputs]).collect();
        let weights = checkpoint.take(&kernel, &shape)?.to_vec();
        let bias = checkpoint.take(&format!("{layer}/bias"), &[outputs])?.to_vec();
        ensure!(
            weights.iter().chain(&bias).all(|w| w.is_finite()),
            "{layer} has weights that are not finite"
        );
        Ok(Self { outputs, weights, bias })
    }

    pub(super) fn at(&self, row: usize, output: usize) -> f32 {
        self.weights[row * self.outputs + output]
    }

    /// Indices of the outputs that are not dead; at least one.
    pub(super) fn living(&self) -> Vec<usize> {
        let mut largest = vec![0.0_f32; self.outputs];
        for row in self.weights.chunks_exact(self.outputs) {
            largest.iter_mut().zip(row).for_each(|(most, w)| *most = most.max(w.abs()));
        }
        let mut living: Vec<usize> = (0..self.outputs).filter(|&o| largest[o] >= DEAD).collect();
        if living.is_empty() {
            living.push(0); // a layer needs at least one channel
        }
        living
    }
}

/// A convolution, ReLU and batch normalisation.
#[derive(Clone, Debug)]
pub(super) struct Convolution {
    /// Size in frames, then in bands or input channels.
    pub(super) kernel: [usize; 2],
    pub(super) matrix: Matrix,
    pub(super) norm: Norm,
}

impl Convolution {
    pub(super) fn read(checkpoint: &Checkpoint, number: usize, kernel: [usize; 2]) -> Result<Self> {
        let [frames, wide] = kernel;
        let matrix = Matrix::read(checkpoint, &numbered("conv2d", number), &[frames, wide, 1])?;
        let norm = Norm::read(checkpoint, number + 1, matrix.outputs)?;
        Ok(Self { kernel, matrix, norm })
    }

    /// The constant output of a dead channel: its bias after ReLU and batch normalisation.
    pub(super) fn constant(&self, channel: usize) -> f64 {
        self.norm.of(channel, f64::from(self.matrix.bias[channel]).max(0.0))
    }
}

/// TensorFlow's name of a layer. The first layer of a kind has no number.
pub(super) fn numbered(kind: &str, number: usize) -> String {
    if number == 0 { kind.into() } else { format!("{kind}_{number}") }
}
