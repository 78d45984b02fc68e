//! Layers shared by several networks.

use burn::module::{Module, ModuleVisitor, Param};
use burn::nn::attention::{MhaInput, MultiHeadAttention};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::MaxPool2d;
use burn::nn::{BatchNorm, BatchNormConfig, Dropout, Initializer, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::activation::{relu, relu6, silu};
use burn::tensor::{Device, Tensor};

#[cfg(feature = "cpu")]
use cratedigger_cpu_ops::fused;
#[cfg(feature = "training")]
use cratedigger_cpu_ops::training;

/// Window of a convolution or a pooling over rows and columns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) kernel: [usize; 2],
    pub(crate) stride: [usize; 2],
    /// Zeros before and after the values.
    pub(crate) padding: [usize; 2],
    /// Zeros after the values besides these.
    pub(crate) trailing: [usize; 2],
}

impl Window {
    /// Stride 1, no padding.
    pub(crate) const fn new(kernel: [usize; 2]) -> Self {
        Self { kernel, stride: [1, 1], padding: [0, 0], trailing: [0, 0] }
    }

    /// A square window.
    pub(crate) const fn square(side: usize) -> Self {
        Self::new([side, side])
    }

    /// With this stride.
    pub(crate) const fn strided(self, stride: [usize; 2]) -> Self {
        Self { stride, ..self }
    }

    /// With padding so that a stride of 1 keeps the size (for odd windows).
    pub(crate) const fn same(self) -> Self {
        Self { padding: [self.kernel[0] / 2, self.kernel[1] / 2], ..self }
    }

    /// With TensorFlow's padding `SAME` of a size that the stride divides: all windows together cover the values
    /// and as few zeros as possible, with an odd zero after the values.
    pub(crate) fn same_as_tensorflow(self) -> Self {
        let zeros: [usize; 2] =
            std::array::from_fn(|axis| self.kernel[axis].saturating_sub(self.stride[axis]));
        Self { padding: zeros.map(|zeros| zeros / 2), trailing: zeros.map(|zeros| zeros % 2), ..self }
    }

    /// Output size along rows and columns; `None` if it would be 0.
    pub(crate) fn output(&self, size: [usize; 2]) -> Option<[usize; 2]> {
        let along = |axis: usize| {
            let zeros = 2 * self.padding[axis] + self.trailing[axis];
            let room = (size[axis] + zeros).checked_sub(self.kernel[axis])?;
            Some(room / self.stride[axis].max(1) + 1)
        };
        Some([along(0)?, along(1)?])
    }

    pub(crate) fn padding_config(&self) -> PaddingConfig2d {
        let ([high, wide], [below, right]) = (self.padding, self.trailing);
        PaddingConfig2d::Explicit(high, wide, high + below, wide + right)
    }
}

/// Initial weights. Biases start at 0.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Start {
    /// Normal with variance 2 / inputs, which preserves the variance of activations through ReLUs (He et
    /// al. 2015, "Delving deep into rectifiers").
    FanIn,
    /// Normal with variance 2 / outputs, which preserves the variance of gradients.
    FanOut,
    /// Uniform, with the variance 2 / (inputs + outputs), for layers without ReLU (Glorot and Bengio 2010).
    Glorot,
    /// Normal with this standard deviation.
    Normal(f64),
    /// Uniform within ± this bound.
    Uniform(f64),
}

impl Start {
    /// The initializer of a layer with this fan-in and fan-out.
    fn initializer(self, inputs: usize, outputs: usize) -> Initializer {
        let normal = |std| Initializer::Normal { mean: 0.0, std };
        match self {
            Self::FanIn => normal((2.0 / inputs as f64).sqrt()),
            Self::FanOut => normal((2.0 / outputs as f64).sqrt()),
            Self::Glorot => {
                let bound = (6.0 / (inputs + outputs) as f64).sqrt();
                Initializer::Uniform { min: -bound, max: bound }
            }
            Self::Normal(std) => normal(std),
            Self::Uniform(bound) => Initializer::Uniform { min: -bound, max: bound },
        }
    }
}

/// A convolution. As in PyTorch, the fan-out ignores groups.
pub(crate) fn conv(
    [inputs, outputs]: [usize; 2],
    window: Window,
    groups: usize,
    bias: bool,
    start: Start,
    device: &Device,
) -> Conv2d {
    let area: usize = window.kernel.iter().product();
    let mut conv = Conv2dConfig::new([inputs, outputs], window.kernel)
        .with_stride(window.stride)
        .with_padding(window.padding_config())
        .with_groups(groups)
        .with_bias(false)
        .with_initializer(start.initializer(inputs / groups * area, outputs * area))
        .init(device);
    conv.bias = bias.then(|| Initializer::Zeros.init([outputs], device));
    conv
}

/// Applies a convolution.
pub(crate) fn convolve(conv: &Conv2d, x: Tensor<4>) -> Tensor<4> {
    #[cfg(feature = "cpu")]
    if let Some(y) = fused::Block::new(conv).forward(&x) {
        return y;
    }
    #[cfg(feature = "training")]
    if let Some(y) = training::convolve(conv, &x) {
        return y;
    }
    conv.forward(x)
}

/// The function after a normalisation.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Activation {
    /// None.
    Identity,
    Relu,
    Relu6,
    Silu,
}

impl Activation {
    pub(crate) fn apply(self, x: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Identity => x,
            Self::Relu => relu(x),
            Self::Relu6 => relu6(x),
            Self::Silu => {
                #[cfg(feature = "training")]
                if let Some(y) = training::silu(&x) {
                    return y;
                }
                silu(x)
            }
        }
    }
}

/// Applies a batch normalisation.
pub(crate) fn normalise(norm: &BatchNorm, x: Tensor<4>) -> Tensor<4> {
    normalise_and_activate(norm, x, Activation::Identity)
}

/// Applies a batch normalisation and an activation.
fn normalise_and_activate(norm: &BatchNorm, x: Tensor<4>, activation: Activation) -> Tensor<4> {
    #[cfg(feature = "training")]
    {
        let (fused, after) = match activation {
            Activation::Identity => (training::Activation::Identity, Activation::Identity),
            Activation::Relu => (training::Activation::Relu, Activation::Identity),
            Activation::Relu6 => (training::Activation::Relu6, Activation::Identity),
            Activation::Silu => (training::Activation::Identity, Activation::Silu),
        };
        after.apply(training::normalise(norm, x, fused))
    }
    #[cfg(not(feature = "training"))]
    activation.apply(norm.forward(x))
}

/// Applies a dropout.
pub(crate) fn drop_out<const D: usize>(dropout: &Dropout, x: Tensor<D>) -> Tensor<D> {
    #[cfg(feature = "training")]
    if let Some(y) = training::drop_out(dropout, &x) {
        return y;
    }
    dropout.forward(x)
}

/// Applies multi-head self-attention without a mask.
pub(crate) fn attend(attention: &MultiHeadAttention, x: Tensor<3>) -> Tensor<3> {
    #[cfg(feature = "training")]
    if let Some(y) = training::attend(attention, &x) {
        return y;
    }
    attention.forward(MhaInput::self_attn(x)).context
}

/// Applies a max-pooling.
pub(crate) fn max_pool(pool: &MaxPool2d, x: Tensor<4>) -> Tensor<4> {
    #[cfg(feature = "training")]
    if let Some(y) = training::max_pool(pool, &x) {
        return y;
    }
    pool.forward(x)
}

/// Applies a convolution, a batch normalisation, a ReLU and a max-pooling: in one pass where
/// inference runs on the CPU, layer by layer elsewhere.
pub(crate) fn conv_norm_relu_pool(
    conv: &Conv2d,
    norm: Option<&BatchNorm>,
    pool: Option<&MaxPool2d>,
    x: Tensor<4>,
) -> Tensor<4> {
    #[cfg(feature = "cpu")]
    {
        let fused_pool = pool.and_then(fused::Pool::of);
        let block = fused::Block::new(conv).with_norm(norm).with_relu();
        if let Some(y) = block.with_pool(fused_pool.unwrap_or_default()).forward(&x) {
            return match pool.filter(|_| fused_pool.is_none()) {
                Some(pool) => max_pool(pool, y),
                None => y,
            };
        }
    }
    let x = convolve(conv, x);
    let x = match norm {
        Some(norm) => normalise_and_activate(norm, x, Activation::Relu),
        None => relu(x),
    };
    match pool {
        Some(pool) => max_pool(pool, x),
        None => x,
    }
}

/// A dense layer with bias.
pub(crate) fn linear(inputs: usize, outputs: usize, start: Start, device: &Device) -> Linear {
    let mut linear = LinearConfig::new(inputs, outputs)
        .with_bias(false)
        .with_initializer(start.initializer(inputs, outputs))
        .init(device);
    linear.bias = Some(Initializer::Zeros.init([outputs], device));
    linear
}

/// A convolution without bias and the batch normalisation that has one.
#[derive(Module, Debug)]
pub(crate) struct ConvNorm {
    conv: Conv2d,
    norm: BatchNorm,
}

impl ConvNorm {
    pub(crate) fn new(
        channels: [usize; 2],
        window: Window,
        groups: usize,
        start: Start,
        device: &Device,
    ) -> Self {
        Self {
            conv: conv(channels, window, groups, false, start, device),
            norm: BatchNormConfig::new(channels[1]).init(device),
        }
    }

    /// With another epsilon than 1e-5.
    pub(crate) fn with_epsilon(mut self, epsilon: f64) -> Self {
        self.norm.epsilon = epsilon;
        self
    }

    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.activated(x, Activation::Identity)
    }

    /// With an activation after the normalisation.
    pub(crate) fn activated(&self, x: Tensor<4>, activation: Activation) -> Tensor<4> {
        // In a program that trains, a ReLU6 is faster with the normalisation than alone after both others.
        #[cfg(feature = "cpu")]
        if !(cfg!(feature = "training") && matches!(activation, Activation::Relu6))
            && let Some(y) = fused::Block::new(&self.conv).with_norm(Some(&self.norm)).forward(&x)
        {
            return activation.apply(y);
        }
        normalise_and_activate(&self.norm, convolve(&self.conv, x), activation)
    }
}

/// The mean of every map: `[batch, channels, rows, columns]` → `[batch, channels]`.
pub(crate) fn average(x: Tensor<4>) -> Tensor<2> {
    let [batch, channels, ..] = x.dims();
    x.mean_dim(3).mean_dim(2).reshape([batch, channels])
}

/// Number of learned parameters, without the running statistics of batch normalisation, which papers
/// and other frameworks also leave out.
pub fn parameter_count<M: Module>(module: &M) -> usize {
    struct Count {
        statistics: bool,
        parameters: usize,
    }
    impl ModuleVisitor for Count {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.statistics = matches!(name, "running_mean" | "running_var");
        }

        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.statistics = false;
        }

        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if !self.statistics {
                self.parameters += param.lazy_shape().num_elements();
            }
        }
    }
    let mut count = Count { statistics: false, parameters: 0 };
    module.visit(&mut count);
    count.parameters
}
