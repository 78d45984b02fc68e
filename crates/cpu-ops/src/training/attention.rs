//! Multi-head self-attention for training. A core computes one window at a time, whose values its cache holds. burn's has a
//! pass over the attention weights of all windows for each operation, and draws its dropout on one core.

use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{
    Autodiff, Backend, Dispatch, ExtensionType, Flex, TensorMetadata as _, backend_extension,
};
use burn::nn::attention::MultiHeadAttention;
use burn::tensor::{DType, Tensor};
use rayon::iter::{IndexedParallelIterator as _, ParallelIterator as _};
use rayon::slice::ParallelSliceMut as _;

use super::dropout::factors;
use super::exponential::exponential;
use super::product::{Matrix, multiply};
use super::{dot, is_here, tensor, values, writable, zeros};

/// Partial results of a row, which is shorter than a map.
const LANES: usize = 16;

/// Self-attention without a mask, with the layer's dropout, on an autodiff CPU device, with its gradients; `None`
/// elsewhere and for a quiet softmax.
///
/// # Shapes
/// `[batch, tokens, width]` → the same
pub fn attend(layer: &MultiHeadAttention, x: &Tensor<3>) -> Option<Tensor<3>> {
    let (device, [batch, tokens, _]) = (x.device(), x.dims());
    let even = tokens > 0 && layer.d_model.is_multiple_of(layer.n_heads);
    if layer.quiet_softmax || !even || !device.is_autodiff() || !is_here(x) {
        return None;
    }
    let shape = [batch, layer.n_heads, tokens, tokens];
    let factors =
        factors(&layer.dropout, shape, &device).unwrap_or_else(|| Tensor::ones(shape, (&device, DType::F32)));
    let [query, key, value] =
        [&layer.query, &layer.key, &layer.value].map(|part| part.forward(x.clone()).into_dispatch());
    let attended = <Dispatch as Attention>::attend(query, key, value, factors.into_dispatch());
    Some(layer.output.forward(Tensor::from_dispatch(attended.output)))
}

/// Values weighted by the attention of each head, and what the gradients need.
#[derive(Debug, ExtensionType)]
pub struct Attended<B: Backend> {
    output: FloatTensor<B>,
    /// The attention weights, `[batch, heads, tokens, tokens]`.
    attention: FloatTensor<B>,
    /// The same times the factors of the dropout.
    kept: FloatTensor<B>,
}

/// A back end with multi-head attention.
#[backend_extension(Flex, Autodiff)]
pub trait Attention: Backend {
    /// `(softmax(Q · Kᵀ / √d) ∘ factors) · V` for each head, which has `d` neighbouring columns of the three matrices
    /// (Vaswani et al. 2017).
    ///
    /// # Shapes
    /// `[batch, tokens, width]` three times, `[batch, heads, tokens, tokens]` → `[batch, tokens, width]`
    fn attend(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        factors: FloatTensor<Self>,
    ) -> Attended<Self>;
}

/// What the gradients of [`Attention::attend`] need besides the gradient of the result.
#[derive(Debug)]
pub struct Saved<B: Backend> {
    query: FloatTensor<B>,
    key: FloatTensor<B>,
    value: FloatTensor<B>,
    attention: FloatTensor<B>,
    kept: FloatTensor<B>,
}

/// A back end with the gradients of [`Attention::attend`].
pub trait AttentionGradients: Attention {
    /// Gradients with respect to query, key and value.
    fn gradients(gradient: FloatTensor<Self>, saved: Saved<Self>) -> [FloatTensor<Self>; 3];
}

/// The sizes of an attention.
#[derive(Clone, Copy)]
struct Sizes {
    batch: usize,
    heads: usize,
    tokens: usize,
    width: usize,
}

impl Sizes {
    fn of(value: &FlexTensor, attention: &FlexTensor) -> Self {
        let (value, attention) = (value.shape(), attention.shape());
        Self { batch: value[0], heads: attention[1], tokens: value[1], width: value[2] }
    }

    /// Columns of a head.
    fn depth(self) -> usize {
        self.width / self.heads
    }

    /// What the products of query and key are multiplied by.
    fn scale(self) -> f32 {
        (self.depth() as f32).sqrt().recip()
    }

    /// Values of a window.
    fn window(self) -> usize {
        self.tokens * self.width
    }

    /// Attention weights of a head in a window.
    fn square(self) -> usize {
        self.tokens * self.tokens
    }

    /// A head's columns of a window.
    fn head(self, values: &[f32], window: usize, head: usize) -> Matrix<'_> {
        let depth = self.depth();
        let values = &values[window * self.window()..][..self.window()];
        Matrix::of_columns(values, self.tokens, head * depth..(head + 1) * depth)
    }

    /// A head's attention weights in a window.
    fn weights(self, values: &[f32], window: usize, head: usize) -> &[f32] {
        &values[(window * self.heads + head) * self.square()..][..self.square()]
    }

    /// Copies the columns of a head to their place in a window.
    fn put(self, head: usize, columns: &[f32], window: &mut [f32]) {
        let depth = self.depth();
        for (row, columns) in window.chunks_exact_mut(self.width).zip(columns.chunks_exact(depth)) {
            row[head * depth..][..depth].copy_from_slice(columns);
        }
    }

    fn tensor(self, values: Vec<f32>) -> FlexTensor {
        tensor(values, [self.batch, self.tokens, self.width])
    }
}

/// Combines values in several lanes, because the compiler does not change the order of additions.
#[inline(always)]
fn reduce(values: &[f32], start: f32, of: impl Fn(f32, f32) -> f32) -> f32 {
    let (parts, rest) = values.as_chunks::<LANES>();
    let mut lanes = [start; LANES];
    for part in parts {
        for lane in 0..LANES {
            lanes[lane] = of(lanes[lane], part[lane]);
        }
    }
    lanes.iter().chain(rest).fold(start, |total, &value| of(total, value))
}

/// Replaces scores by the softmax of `scale` times them.
#[inline(always)]
fn softmax(scores: &mut [f32], scale: f32) {
    let largest = reduce(scores, f32::NEG_INFINITY, |a, b| if b > a { b } else { a });
    scores.iter_mut().for_each(|score| *score = exponential((*score - largest) * scale));
    let inverse = reduce(scores, 0.0, |a, b| a + b).recip();
    scores.iter_mut().for_each(|score| *score *= inverse);
}

impl Attention for Flex {
    fn attend(query: FlexTensor, key: FlexTensor, value: FlexTensor, factors: FlexTensor) -> Attended<Self> {
        let sizes = Sizes::of(&value, &factors);
        let (Sizes { batch, heads, tokens, .. }, scale) = (sizes, sizes.scale());
        let [query, key, value] = [query, key, value].map(|part| part.to_contiguous());
        let [query, key, value] = [&query, &key, &value].map(values);
        let mut kept = writable(factors);
        let mut attention = zeros(batch * heads * sizes.square());
        let mut output = zeros(batch * sizes.window());
        output
            .par_chunks_mut(sizes.window())
            .zip(attention.par_chunks_mut(heads * sizes.square()))
            .zip(kept.storage_mut::<f32>().par_chunks_mut(heads * sizes.square()))
            .enumerate()
            .for_each(|(window, ((output, attention), kept))| {
                let mut columns = vec![0.0; tokens * sizes.depth()];
                let heads =
                    attention.chunks_exact_mut(sizes.square()).zip(kept.chunks_exact_mut(sizes.square()));
                for (head, (attention, kept)) in heads.enumerate() {
                    let [query, key, value] = [query, key, value].map(|part| sizes.head(part, window, head));
                    multiply(query, key.transposed(), attention, false);
                    let rows = attention.chunks_exact_mut(tokens).zip(kept.chunks_exact_mut(tokens));
                    vectorised!(for (attention, kept) in rows {
                        softmax(attention, scale);
                        kept.iter_mut().zip(attention).for_each(|(kept, attention)| *kept *= *attention);
                    });
                    multiply(Matrix::of_rows(kept, tokens), value, &mut columns, false);
                    sizes.put(head, &columns, output);
                }
            });
        Attended {
            output: sizes.tensor(output),
            attention: tensor(attention, [batch, heads, tokens, tokens]),
            kept,
        }
    }
}

impl AttentionGradients for Flex {
    fn gradients(gradient: FlexTensor, saved: Saved<Self>) -> [FlexTensor; 3] {
        let sizes = Sizes::of(&saved.value, &saved.attention);
        let (tokens, scale) = (sizes.tokens, sizes.scale());
        let all = [gradient, saved.query, saved.key, saved.value].map(|part| part.to_contiguous());
        let [gradient, query, key, value] = all.each_ref().map(values);
        let (attention, kept) = (values(&saved.attention), values(&saved.kept));
        let [mut of_query, mut of_key, mut of_value] = [(); 3].map(|()| zeros(gradient.len()));
        of_query
            .par_chunks_mut(sizes.window())
            .zip(of_key.par_chunks_mut(sizes.window()))
            .zip(of_value.par_chunks_mut(sizes.window()))
            .enumerate()
            .for_each(|(window, ((of_query, of_key), of_value))| {
                let mut columns = vec![0.0; tokens * sizes.depth()];
                // The gradient by the attention weights, then by the scores.
                let mut scores = vec![0.0; sizes.square()];
                for head in 0..sizes.heads {
                    let [gradient, query, key, value] =
                        [gradient, query, key, value].map(|part| sizes.head(part, window, head));
                    let [attention, kept] =
                        [attention, kept].map(|weights| sizes.weights(weights, window, head));
                    multiply(Matrix::of_rows(kept, tokens).transposed(), gradient, &mut columns, false);
                    sizes.put(head, &columns, of_value);
                    multiply(gradient, value.transposed(), &mut scores, false);
                    let rows = scores.chunks_exact_mut(tokens);
                    let rows = rows.zip(attention.chunks_exact(tokens)).zip(kept.chunks_exact(tokens));
                    vectorised!(for ((scores, attention), kept) in rows {
                        // scale · (gradient · kept − attention · Σ gradient · kept)
                        let mean = dot::<LANES>(scores, kept);
                        for ((score, attention), kept) in scores.iter_mut().zip(attention).zip(kept) {
                            *score = (*score * kept - attention * mean) * scale;
                        }
                    });
                    let scores = Matrix::of_rows(&scores, tokens);
                    multiply(scores, key, &mut columns, false);
                    sizes.put(head, &columns, of_query);
                    multiply(scores.transposed(), query, &mut columns, false);
                    sizes.put(head, &columns, of_key);
                }
            });
        [of_query, of_key, of_value].map(|values| sizes.tensor(values))
    }
}

impl<B: AttentionGradients, C: CheckpointStrategy> Attention for Autodiff<B, C> {
    fn attend(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        factors: FloatTensor<Self>,
    ) -> Attended<Self> {
        #[derive(Debug)]
        struct Attend;

        impl<B: AttentionGradients> Backward<B, 3> for Attend {
            // The graph keeps query, key and value; the weights are kept here.
            type State = ([NodeId; 3], [FloatTensor<B>; 2]);

            fn backward(
                self,
                ops: Ops<Self::State, 3>,
                gradients: &mut Gradients,
                checkpointer: &mut Checkpointer,
            ) {
                let gradient = gradients.consume::<B>(&ops.node);
                let (nodes, [attention, kept]) = ops.state;
                let [query, key, value] = nodes.map(|node| checkpointer.retrieve_node_output(node));
                let all = B::gradients(gradient, Saved { query, key, value, attention, kept });
                for (node, of_node) in ops.parents.into_iter().zip(all) {
                    if let Some(node) = node {
                        gradients.register::<B>(node.id, of_node);
                    }
                }
            }
        }

        let parts = [&query, &key, &value];
        let [of_query, of_key, of_value] = parts.map(|part| part.primitive().clone());
        let attended = B::attend(of_query, of_key, of_value, factors.into_primitive());
        let (attention, kept) = (attended.attention, attended.kept);
        let output = match Attend.prepare::<C>(parts.map(|part| part.node())).compute_bound().stateful() {
            OpsKind::Tracked(mut prep) => {
                let nodes = parts.map(|part| prep.checkpoint(part));
                prep.finish((nodes, [attention.clone(), kept.clone()]), attended.output)
            }
            OpsKind::UnTracked(prep) => prep.finish(attended.output),
        };
        Attended {
            output,
            attention: FloatTensor::<Self>::new(attention),
            kept: FloatTensor::<Self>::new(kept),
        }
    }
}
