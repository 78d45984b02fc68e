//! Convolutions of burn's tensors with the kernels of this crate.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use burn::backend::flex::FlexTensor;
use burn::backend::{BackendTensor, DispatchAutodiffContext, DispatchTensorKind};
use burn::nn::conv::Conv2d;
use burn::nn::pool::MaxPool2d;
use burn::nn::{BatchNorm, PaddingConfig2d};
use burn::tensor::{Bytes, Tensor, TensorData};

use crate::{Epilogue, Kernel, Window};

/// A max-pooling after a convolution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pool {
    /// No pooling.
    #[default]
    None,
    /// Over adjacent windows; remaining rows and columns at the end are dropped.
    Window([usize; 2]),
    /// Over all rows (bands): the output has one row.
    Rows,
}

/// A convolution followed by `norm`, ReLU, `norm_after` and max-pooling, in this order.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a> {
    /// The convolution, with or without bias.
    pub conv: &'a Conv2d,
    /// Batch normalisation of the convolution's output.
    pub norm: Option<&'a BatchNorm>,
    /// Whether negative values become 0.
    pub relu: bool,
    /// Batch normalisation of the ReLU's output.
    pub norm_after: Option<&'a BatchNorm>,
    /// The max-pooling.
    pub pool: Pool,
}

impl<'a> Block<'a> {
    /// A convolution alone.
    pub fn new(conv: &'a Conv2d) -> Self {
        Self { conv, norm: None, relu: false, norm_after: None, pool: Pool::None }
    }

    /// With a batch normalisation before the ReLU.
    pub fn with_norm(self, norm: Option<&'a BatchNorm>) -> Self {
        Self { norm, ..self }
    }

    /// With a ReLU.
    pub fn with_relu(self) -> Self {
        Self { relu: true, ..self }
    }

    /// With a batch normalisation after the ReLU.
    pub fn with_norm_after(self, norm_after: Option<&'a BatchNorm>) -> Self {
        Self { norm_after, ..self }
    }

    /// With a max-pooling.
    pub fn with_pool(self, pool: Pool) -> Self {
        Self { pool, ..self }
    }

    /// Computes the block in one pass. `None` if burn must compute it layer by layer: on a device other
    /// than the CPU, under autodiff, with groups, dilation, `Same` padding or a 1 × 1 kernel (a matrix
    /// product), or if the input contains NaN.
    ///
    /// Weights are packed once and cached while the layer's tensor exists.
    ///
    /// # Shapes
    /// `[batch, inputs, rows, columns]` → `[batch, outputs, rows, columns]`, the output of the layers
    pub fn forward(&self, x: &Tensor<4>) -> Option<Tensor<4>> {
        let conv = self.conv;
        if conv.groups != 1 || conv.dilation != [1, 1] || conv.kernel_size == [1, 1] {
            return None;
        }
        let (input, weight) = (on_cpu(x)?, on_cpu(&conv.weight.val())?);
        let window = self.window(&input, &weight)?;
        let pooled = window.pooled()?;
        let before = Affine::new(self.norm, conv.bias.as_ref().map(|bias| bias.val()))?;
        let after = Affine::new(self.norm_after, None)?;
        let epilogue = Epilogue { before: before.parts(), relu: self.relu, after: after.parts() };
        let kernel = packed(window, &weight, &epilogue)?;
        let input = input.to_contiguous();
        let values: &[f32] = input.as_slice()?;
        // The maximum of vectors can lose NaN. A fold without a branch is vectorised.
        if values.iter().fold(false, |nan, value| nan | value.is_nan()) {
            return None;
        }
        let batch = x.dims()[0];
        let y = run(&kernel, values, &epilogue, batch)?;
        let y = TensorData::new(y, [batch, window.outputs, pooled[0], pooled[1]]);
        Some(Tensor::from_data(y, &x.device()))
    }

    fn window(&self, x: &FlexTensor, weight: &FlexTensor) -> Option<Window> {
        let &[_, inputs, rows, columns] = x.layout().shape().as_slice() else { return None };
        let &[outputs, of_inputs, high, wide] = weight.layout().shape().as_slice() else { return None };
        let padding = match self.conv.padding {
            PaddingConfig2d::Valid => [0; 4],
            PaddingConfig2d::Explicit(top, left, bottom, right) => [top, left, bottom, right],
            PaddingConfig2d::Same => return None,
        };
        let mut window = Window {
            stride: self.conv.stride,
            padding,
            ..Window::new([inputs, outputs], [rows, columns], [high, wide])
        };
        window.pool = match self.pool {
            Pool::None => [1, 1],
            Pool::Window(window) => window,
            Pool::Rows => [window.positions()?[0], 1],
        };
        (inputs == of_inputs).then_some(window)
    }
}

impl Pool {
    /// The pool of a layer; `None` if its windows are padded, dilated or not adjacent.
    pub fn of(layer: &MaxPool2d) -> Option<Self> {
        let unpadded =
            matches!(layer.padding, PaddingConfig2d::Valid | PaddingConfig2d::Explicit(0, 0, 0, 0));
        let apart = layer.kernel_size == layer.stride && layer.dilation == [1, 1] && !layer.ceil_mode;
        (unpadded && apart).then_some(Self::Window(layer.kernel_size))
    }
}

/// A tensor of `f32` on the CPU, outside autodiff; `None` for any other.
fn on_cpu<const D: usize>(x: &Tensor<D>) -> Option<FlexTensor> {
    let x = x.clone().into_dispatch();
    if x.autodiff != DispatchAutodiffContext::Disabled {
        return None;
    }
    match x.kind {
        DispatchTensorKind::Flex(BackendTensor::Float(tensor)) => {
            // Tensors of other types have no slice of f32.
            (tensor.dtype() == burn::tensor::DType::F32).then_some(tensor)
        }
        _ => None,
    }
}

/// A factor and a summand for each channel. Empty factors mean 1, empty summands mean 0.
#[derive(Default)]
struct Affine {
    factor: Vec<f32>,
    summand: Vec<f32>,
}

impl Affine {
    /// A bias and a normalisation with running statistics: `γ · (x + bias − mean) / √(variance + ε) + β`.
    fn new(norm: Option<&BatchNorm>, bias: Option<Tensor<1>>) -> Option<Self> {
        let bias = match bias {
            Some(bias) => values(&bias)?,
            None => Vec::new(),
        };
        let Some(norm) = norm else { return Some(Self { factor: Vec::new(), summand: bias }) };
        let (gamma, beta) = (values(&norm.gamma.val())?, values(&norm.beta.val())?);
        let mean = values(&norm.running_mean.value())?;
        let variance = values(&norm.running_var.value())?;
        let factor: Vec<f64> = gamma
            .iter()
            .zip(&variance)
            .map(|(&gamma, &variance)| f64::from(gamma) / (f64::from(variance) + norm.epsilon).sqrt())
            .collect();
        let bias = bias.into_iter().chain(std::iter::repeat(0.0));
        let summand = factor
            .iter()
            .zip(beta.iter().zip(mean.iter().zip(bias)))
            .map(|(factor, (&beta, (&mean, bias)))| {
                (f64::from(beta) + (f64::from(bias) - f64::from(mean)) * factor) as f32
            })
            .collect();
        Some(Self { factor: factor.into_iter().map(|factor| factor as f32).collect(), summand })
    }

    fn parts(&self) -> [&[f32]; 2] {
        [&self.factor, &self.summand]
    }
}

fn values(x: &Tensor<1>) -> Option<Vec<f32>> {
    on_cpu(x)?.to_contiguous().as_slice().map(<[f32]>::to_vec)
}

/// Cached packed weights.
struct Entry {
    /// The tensor that they were packed from. While this weak reference exists, no other tensor has its
    /// address, and a change of its values allocates a new tensor.
    of: Weak<Bytes>,
    /// Offset and strides of the weights in that tensor.
    layout: burn::backend::flex::Layout,
    kernel: Arc<Kernel>,
}

static PACKED: Mutex<Vec<Entry>> = Mutex::new(Vec::new());

/// The packed weights of a layer.
fn packed(window: Window, weight: &FlexTensor, epilogue: &Epilogue<'_>) -> Option<Arc<Kernel>> {
    let data = weight.data_arc();
    let mut entries = PACKED.lock().unwrap_or_else(PoisonError::into_inner);
    let found = entries.iter().find(|entry| {
        std::ptr::eq(entry.of.as_ptr(), Arc::as_ptr(&data))
            && entry.layout == *weight.layout()
            && *entry.kernel.window() == window
            && entry.kernel.serves(epilogue)
    });
    if let Some(entry) = found {
        return Some(entry.kernel.clone());
    }
    let contiguous = weight.to_contiguous();
    let kernel = Arc::new(Kernel::new(window, contiguous.as_slice()?, epilogue).ok()?);
    entries.retain(|entry| entry.of.strong_count() > 0);
    entries.push(Entry {
        of: Arc::downgrade(&data),
        layout: weight.layout().clone(),
        kernel: kernel.clone(),
    });
    Some(kernel)
}

/// Runs a batch; on all cores with the feature `training`.
fn run(kernel: &Kernel, x: &[f32], epilogue: &Epilogue<'_>, batch: usize) -> Option<Vec<f32>> {
    #[cfg(feature = "training")]
    if batch > 1 && rayon::current_num_threads() > 1 {
        use rayon::iter::{IndexedParallelIterator as _, ParallelIterator as _};
        use rayon::slice::{ParallelSlice as _, ParallelSliceMut as _};

        let window = kernel.window();
        let [down, across] = window.pooled()?;
        let (input, output) = (x.len() / batch, window.outputs * down * across);
        let items = batch.div_ceil(rayon::current_num_threads());
        let mut y = vec![0.0; batch * output];
        let parts = y.par_chunks_mut(items * output).zip(x.par_chunks(items * input));
        let done = parts.map(|(y, x)| kernel.run_into(x, epilogue, y)).all(|done| done.is_ok());
        return done.then_some(y);
    }
    let _ = batch;
    kernel.run(x, epilogue).ok()
}
