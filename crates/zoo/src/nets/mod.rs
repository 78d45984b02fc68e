//! The networks, in burn.
//!
//! A network's input is a list of parts, each a `Tensor<4>` of `[batch, channels, rows, columns]`:
//! a log-mel window is `[batch, 1, bands, columns]`, a vector of features `[batch, 1, 1, features]`,
//! a sequence of them `[batch, 1, steps, features]`, a picture `[batch, 3, rows, columns]`. The
//! output are logits, `[batch, classes]`.
//!
//! Three families cover all designs. [`Branched`] has one body for each part of its input (convolutions,
//! dense layers, a recurrent network, a transformer or fixed statistics), concatenates their outputs and
//! applies a dense head; the networks usually trained on GTZAN from scratch are settings of it.
//! [`Vgg19`], [`Inverted`] (MobileNetV2, EfficientNet-B0 and EfficientNet-Lite0) and [`InceptionV3`] are made
//! for photographs and equal published networks layer by layer, so that their weights fit. [`Musicnn`] equals
//! a network that was trained to tag music.
//!
//! Every configuration is checked against its input before anything is built, because it may come from
//! an untrusted manifest.

mod branched;
mod conv;
mod dense;
mod dropout;
mod freeze;
mod half;
mod inception;
mod inverted;
mod layers;
mod legacy;
mod musicnn;
mod recurrent;
mod shape_check;
mod short_chunk;
mod texture;
mod transformer;
mod vgg;

pub use branched::{Branch, BranchConfig, Branched, BranchedConfig, OutputInit};
pub use conv::{ConvBlockConfig, ConvBody, ConvConfig, NormPlace, Pooling};
pub use dense::{DenseBody, DenseConfig};
pub(crate) use dropout::DropoutRates;
pub use freeze::Freeze;
pub use half::HalfPrecision;
pub use inception::{InceptionV3, InceptionV3Config};
pub use inverted::{EfficientNetB0Config, EfficientNetLite0Config, Inverted, MobileNetV2Config};
pub use layers::parameter_count;
pub(crate) use legacy::LegacyCnn;
pub use legacy::{read_record, renamed_tensor};
pub use musicnn::{Musicnn, MusicnnConfig, MusicnnHead, MusicnnOutput};
pub use recurrent::{Cell, Gru, Lstm, RecurrentBody, RecurrentConfig, Summary};
pub use texture::{TextureBody, TextureConfig};
pub use transformer::{TransformerBody, TransformerConfig};
pub use vgg::{Vgg19, Vgg19Config};
