//! The layers of the published musicnn, and the network without its dead channels.
//!
//! The weights of a dead channel are negligible. Its output is the same constant in every frame: its bias
//! after ReLU and batch normalisation. The pruned network keeps the effect of these constants:
//!
//! - A layer over time gets one additional input for the constants of all its dead inputs.
//! - If a constant is added to a living channel, it becomes part of that channel's shift.
//! - If a constant is pooled, it becomes part of the bias of the dense layer.

use std::collections::BTreeSet;

use anyhow::{Result, bail, ensure};
use burn::store::{ModuleSnapshot as _, burn_pack};
use burn::tensor::{Bytes, DType};
use cratedigger_zoo::nets::MusicnnConfig;
use cratedigger_zoo::{Architecture, InputSpec, Network};

use super::layers::{Convolution, Matrix, Norm};
use super::tensorflow::Checkpoint;
use crate::device::cpu;

/// Weights below this value become 0, because products with them are denormal numbers, which are slow.
const TINY: f32 = 1e-12;

/// The layers of a published network.
#[derive(Clone, Debug)]
pub struct Published {
    input: Norm,
    banks: Vec<Convolution>,
    middle: Vec<Convolution>,
    pooled: Norm,
    dense: Matrix,
    embedding: Norm,
    tags: Matrix,
    names: Vec<String>,
}

impl Published {
    /// Reads the layers from the variables of a checkpoint. `bands` is the number of mel bands of the input,
    /// `names` are the tags.
    ///
    /// # Errors
    /// A variable is missing or has another shape, because the checkpoint is of another network.
    pub fn read(checkpoint: &Checkpoint, bands: usize, names: Vec<String>) -> Result<Self> {
        let kernels = [[7, bands * 4 / 10], [7, bands * 7 / 10], [128, 1], [64, 1], [32, 1]];
        let banks: Vec<Convolution> = (0..)
            .zip(kernels)
            .map(|(number, kernel)| Convolution::read(checkpoint, number, kernel))
            .collect::<Result<_>>()?;
        let mut inputs = banks.iter().map(|bank| bank.matrix.outputs).sum();
        let mut channels = inputs;
        let mut middle: Vec<Convolution> = Vec::new();
        for number in 5..8 {
            let layer = Convolution::read(checkpoint, number, [7, inputs])?;
            inputs = layer.matrix.outputs;
            channels += inputs;
            ensure!(
                middle.iter().all(|before| before.matrix.outputs == inputs),
                "layers over time have different numbers of channels, so they cannot be added"
            );
            middle.push(layer);
        }
        let dense = Matrix::read(checkpoint, "dense", &[2 * channels])?;
        let tags = Matrix::read(checkpoint, "dense_1", &[dense.outputs])?;
        ensure!(tags.outputs == names.len(), "{} names for {} tags", names.len(), tags.outputs);
        Ok(Self {
            input: Norm::read(checkpoint, 0, 1)?,
            banks,
            middle,
            pooled: Norm::read(checkpoint, 9, 2 * channels)?,
            embedding: Norm::read(checkpoint, 10, dense.outputs)?,
            dense,
            tags,
            names,
        })
    }

    /// The network with only the `living` channels.
    ///
    /// # Errors
    /// The network does not fit the input.
    pub fn network(&self, spec: &InputSpec, living: &Living) -> Result<Network> {
        let Pruned { config, tensors } = self.pruned(living);
        let architecture = Architecture::Musicnn(config);
        let shapes = spec.shapes();
        architecture.validate(&shapes).map_err(anyhow::Error::msg)?;
        let mut network = architecture.init(&shapes, self.names.len(), &cpu());
        let tensors = tensors.into_iter().map(|(name, shape, values)| {
            let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            burn_pack::Tensor::new(name, DType::F32, shape, None, Bytes::from_bytes_vec(bytes))
        });
        let result = network.apply(tensors.collect(), None, None, true);
        if let Some(error) = result.errors.first() {
            bail!("the weights do not fit: {error}");
        }
        ensure!(result.missing.is_empty(), "weights are missing for {:?}", result.missing);
        ensure!(result.unused.is_empty(), "the network has no parameters for {:?}", result.unused);
        Ok(network)
    }
}

/// The kept channels of each layer, in the order of the pruned network.
#[derive(Clone, Debug)]
pub struct Living {
    banks: Vec<Vec<usize>>,
    /// Channels of each layer over time. Each list begins with the channels of the layer before, because the
    /// outputs of the two layers are added.
    middle: Vec<Vec<usize>>,
    /// Channels of each layer over time whose own weights are not negligible.
    own: Vec<BTreeSet<usize>>,
}

impl Living {
    /// All channels.
    pub fn all(published: &Published) -> Self {
        let all = |layers: &[Convolution]| -> Vec<Vec<usize>> {
            layers.iter().map(|layer| (0..layer.matrix.outputs).collect()).collect()
        };
        let middle = all(&published.middle);
        let own = middle.iter().map(|layer| layer.iter().copied().collect()).collect();
        Self { banks: all(&published.banks), middle, own }
    }

    /// The channels with a weight of at least 1e-6.
    pub fn find(published: &Published) -> Self {
        let mut middle: Vec<Vec<usize>> = Vec::new();
        let mut own = Vec::new();
        for layer in &published.middle {
            let living = layer.matrix.living();
            let mut kept = middle.last().cloned().unwrap_or_default();
            kept.extend(living.iter().filter(|&c| !middle.last().is_some_and(|before| before.contains(c))));
            middle.push(kept);
            own.push(living.into_iter().collect());
        }
        let banks = published.banks.iter().map(|bank| bank.matrix.living()).collect();
        Self { banks, middle, own }
    }
}

/// A network's configuration, and its tensors with their names and shapes.
struct Pruned {
    config: MusicnnConfig,
    tensors: Vec<(String, Vec<usize>, Vec<f32>)>,
}

impl Pruned {
    fn put(&mut self, name: impl Into<String>, shape: &[usize], values: Vec<f32>) {
        self.tensors.push((name.into(), shape.to_vec(), values));
    }

    fn put_norm(&mut self, name: &str, norm: Norm) {
        let shape = [norm.gamma.len()];
        self.put(format!("{name}.gamma"), &shape, norm.gamma);
        self.put(format!("{name}.beta"), &shape, norm.beta);
        self.put(format!("{name}.running_mean"), &shape, norm.mean);
        self.put(format!("{name}.running_var"), &shape, norm.variance);
    }

    fn put_affine(&mut self, name: &str, norm: &Norm, channels: &[usize]) {
        let of = |value: &dyn Fn(usize) -> f64| channels.iter().map(|&c| value(c) as f32).collect();
        self.put(format!("{name}.scale"), &[channels.len()], of(&|c| norm.scale(c)));
        self.put(format!("{name}.shift"), &[channels.len()], of(&|c| norm.shift(c)));
    }
}

/// The weight, or 0 if it is negligible.
fn counting(weight: f32) -> f32 {
    if weight.abs() < TINY { 0.0 } else { weight }
}

impl Published {
    /// The configuration of the network with only the `living` channels.
    pub fn config(&self, living: &Living) -> MusicnnConfig {
        self.pruned(living).config
    }

    fn pruned(&self, living: &Living) -> Pruned {
        let filters = |bank: usize| living.banks.get(bank).map_or(0, Vec::len);
        let channels = |layer: usize| living.middle.get(layer).map_or(0, Vec::len);
        let config = MusicnnConfig {
            timbral: [filters(0), filters(1)],
            temporal: [filters(2), filters(3), filters(4)],
            middle: [channels(0), channels(1), channels(2)],
            embedding: self.dense.outputs,
            ..MusicnnConfig::published(self.names.clone())
        };
        let mut pruned = Pruned { config, tensors: Vec::new() };
        pruned.put_affine("input", &self.input, &[0]);
        for (place, (bank, kept)) in self.banks.iter().zip(&living.banks).enumerate() {
            put_bank(&mut pruned, &format!("banks.{place}"), bank, kept);
        }
        // Channels of the front-end by their published indices: the kept ones, and the constant of each.
        let mut kept = Vec::new();
        let mut constants = Vec::new();
        for (bank, living) in self.banks.iter().zip(&living.banks) {
            let first = constants.len();
            kept.extend(living.iter().map(|c| first + c));
            constants.extend((0..bank.matrix.outputs).map(|c| bank.constant(c)));
        }
        let mut pooled = kept.clone();
        let mut everything = constants.clone();
        let mut sums = vec![0.0; self.middle.first().map_or(0, |layer| layer.matrix.outputs)];
        for (place, layer) in self.middle.iter().enumerate() {
            let channels = &living.middle[place];
            let mut norm = layer.norm.kept(channels);
            let before = if place > 0 { living.middle[place - 1].as_slice() } else { &[] };
            for (beta, channel) in norm.beta.iter_mut().zip(channels) {
                if !before.contains(channel) {
                    *beta += sums[*channel] as f32; // the layer before adds a constant here
                }
            }
            let name = format!("middle.{place}");
            put_layer(&mut pruned, &name, layer, (channels, &living.own[place]), (&kept, &constants));
            pruned.put_norm(&format!("{name}.norm"), norm);
            // If a channel lives in an earlier layer, its sum is not a constant; it is never read.
            sums.iter_mut().enumerate().for_each(|(c, sum)| *sum += layer.constant(c));
            pooled.extend(channels.iter().map(|c| everything.len() + c));
            everything.extend(&sums);
            (kept, constants) = (channels.clone(), sums.clone());
        }
        self.put_back_end(&mut pruned, &pooled, &everything);
        pruned
    }

    /// Adds the layers after pooling. `kept` are the indices of the kept pooled channels. `constants` has a
    /// constant output for every pooled channel, which is valid for dead ones only.
    fn put_back_end(&self, pruned: &mut Pruned, kept: &[usize], constants: &[f64]) {
        // The published order is maximum and mean of each channel. Here, all maxima precede all means.
        let rows: Vec<usize> = kept.iter().map(|c| 2 * c).chain(kept.iter().map(|c| 2 * c + 1)).collect();
        pruned.put_norm("pooled_norm", self.pooled.kept(&rows));
        let weights = rows
            .iter()
            .flat_map(|row| (0..self.dense.outputs).map(|o| counting(self.dense.at(*row, o))))
            .collect();
        pruned.put("dense.weight", &[rows.len(), self.dense.outputs], weights);
        let mut bias: Vec<f64> = self.dense.bias.iter().map(|b| f64::from(*b)).collect();
        let living: BTreeSet<usize> = kept.iter().copied().collect();
        for (channel, constant) in constants.iter().enumerate().filter(|(c, _)| !living.contains(c)) {
            for row in [2 * channel, 2 * channel + 1] {
                let value = self.pooled.of(row, *constant);
                bias.iter_mut().enumerate().for_each(|(o, b)| *b += value * f64::from(self.dense.at(row, o)));
            }
        }
        pruned.put("dense.bias", &[bias.len()], bias.into_iter().map(|b| b as f32).collect());
        pruned.put_norm("embedding_norm", self.embedding.clone());
        let weights = self.tags.weights.iter().map(|w| counting(*w)).collect();
        pruned.put("tags.weight", &[self.dense.outputs, self.tags.outputs], weights);
        pruned.put("tags.bias", &[self.tags.outputs], self.tags.bias.clone());
    }
}

/// Adds filters of the front-end. A filter with a negative scale is stored negated.
fn put_bank(pruned: &mut Pruned, name: &str, bank: &Convolution, kept: &[usize]) {
    let [frames, high] = bank.kernel;
    let mut weights = Vec::with_capacity(kept.len() * frames * high);
    let mut bias = Vec::with_capacity(kept.len());
    for &filter in kept {
        let sign = if bank.norm.scale(filter) < 0.0 { -1.0 } else { 1.0 };
        for band in 0..high {
            weights.extend(
                (0..frames).map(|frame| sign * counting(bank.matrix.at(frame * high + band, filter))),
            );
        }
        bias.push(sign * bank.matrix.bias[filter]);
    }
    pruned.put(format!("{name}.conv.weight"), &[kept.len(), 1, high, frames], weights);
    pruned.put(format!("{name}.conv.bias"), &[kept.len()], bias);
    pruned.put_affine(&format!("{name}.affine"), &bank.norm, kept);
}

/// Adds a layer over time. Of its `outputs`, those in `own` have weights. Its inputs are the `kept` channels
/// and one more for the constants of all other channels.
fn put_layer(
    pruned: &mut Pruned,
    name: &str,
    layer: &Convolution,
    (outputs, own): (&[usize], &BTreeSet<usize>),
    (kept, constants): (&[usize], &[f64]),
) {
    let [frames, inputs] = layer.kernel;
    let living: BTreeSet<usize> = kept.iter().copied().collect();
    let mut weights = Vec::with_capacity(outputs.len() * (kept.len() + 1) * frames);
    let mut bias = Vec::with_capacity(outputs.len());
    for &output in outputs {
        let weight = |frame: usize, input: usize| layer.matrix.at(frame * inputs + input, output);
        let lives = own.contains(&output);
        for &input in kept {
            weights.extend((0..frames).map(|frame| if lives { counting(weight(frame, input)) } else { 0.0 }));
        }
        weights.extend((0..frames).map(|frame| {
            let dead = constants.iter().enumerate().filter(|(input, _)| !living.contains(input));
            let sum: f64 = dead.map(|(input, value)| value * f64::from(weight(frame, input))).sum();
            if lives { counting(sum as f32) } else { 0.0 }
        }));
        bias.push(layer.matrix.bias[output]);
    }
    pruned.put(format!("{name}.conv.weight"), &[outputs.len(), kept.len() + 1, 1, frames], weights);
    pruned.put(format!("{name}.conv.bias"), &[outputs.len()], bias);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use cratedigger_zoo::{Extractor, Input, LogPowerMel, Preparation, batch, golden_signal};

    use super::super::layers::numbered;
    use super::super::tensorflow::writer;
    use super::super::{Difference, SAMPLE_RATE, compare};
    use super::*;

    /// Name, shape and values of a variable.
    type Named = (String, Vec<usize>, Vec<f32>);

    /// Variables of a small network with random weights. Most layers have dead channels, with biases and
    /// normalisation like those of other channels.
    fn variables() -> Vec<Named> {
        let mut state = 1_u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 8_388_608.0 - 1.0
        };
        let mut all = Vec::new();
        let norm = |number: usize, values: usize, all: &mut Vec<_>, random: &mut dyn FnMut() -> f32| {
            let layer = numbered("batch_normalization", number);
            let mut put = |name: &str, values: Vec<f32>| {
                all.push((format!("{layer}/{name}"), vec![values.len()], values));
            };
            // Scales can be negative.
            put("beta", (0..values).map(|_| random()).collect());
            put("gamma", (0..values).map(|_| 1.5 * random()).collect());
            put("moving_mean", (0..values).map(|_| 0.3 * random()).collect());
            put("moving_variance", (0..values).map(|_| 0.5 + random().abs()).collect());
        };
        norm(0, 1, &mut all, &mut random);
        let shapes =
            [[7, 8, 4], [7, 14, 3], [128, 1, 2], [64, 1, 2], [32, 1, 3], [7, 14, 6], [7, 6, 6], [7, 6, 6]];
        let dead: [&[usize]; 8] = [&[1, 2], &[0], &[1], &[], &[0, 2], &[0, 2, 5], &[1, 2], &[2, 3]];
        for (number, ([frames, wide, outputs], dead)) in shapes.into_iter().zip(dead).enumerate() {
            let layer = numbered("conv2d", number);
            let strength = 2.0 / ((frames * wide) as f32).sqrt();
            let kernel = (0..frames * wide * outputs)
                .map(|at| random() * if dead.contains(&(at % outputs)) { 1e-9 } else { strength })
                .collect();
            all.push((format!("{layer}/kernel"), vec![frames, wide, 1, outputs], kernel));
            all.push((format!("{layer}/bias"), vec![outputs], (0..outputs).map(|_| random()).collect()));
            norm(number + 1, outputs, &mut all, &mut random);
        }
        let pooled = 2 * (14 + 3 * 6);
        norm(9, pooled, &mut all, &mut random);
        norm(10, 5, &mut all, &mut random);
        for (layer, inputs, outputs) in [("dense", pooled, 5), ("dense_1", 5, 3)] {
            let kernel = (0..inputs * outputs).map(|_| 0.3 * random()).collect();
            all.push((format!("{layer}/kernel"), vec![inputs, outputs], kernel));
            all.push((format!("{layer}/bias"), vec![outputs], (0..outputs).map(|_| random()).collect()));
        }
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    }

    fn published() -> Published {
        let (index, data) = writer::checkpoint(&variables());
        let names = ["one", "two", "three"].map(str::to_owned).to_vec();
        Published::read(&Checkpoint::read(&index, &data).unwrap(), 20, names).unwrap()
    }

    fn spec() -> InputSpec {
        let input = LogPowerMel { n_mels: 20, columns: 90, ..LogPowerMel::default() };
        InputSpec { sample_rate: SAMPLE_RATE, ..InputSpec::new(3.0, vec![Input::LogPowerMel(input)]) }
    }

    #[test]
    fn a_network_without_its_dead_channels_has_the_same_output() {
        let (published, spec) = (published(), spec());
        let living = Living::find(&published);
        let config = published.pruned(&living).config;
        assert_eq!((config.timbral, config.temporal), ([2, 2], [1, 2, 1]));
        // Channels 1, 3 and 4 live in the first layer, 0 and 5 from the second layer on, 2 in no layer.
        assert_eq!(living.middle, [vec![1, 3, 4], vec![1, 3, 4, 0, 5], vec![1, 3, 4, 0, 5]]);
        assert_eq!(config.middle, [3, 5, 5]);
        let whole = published.network(&spec, &Living::all(&published)).unwrap();
        let pruned = published.network(&spec, &living).unwrap();
        let found = compare(&spec, &whole, [&pruned, &whole], &[]).unwrap();
        assert_eq!(found.windows, 1);
        assert!(found.pruned.logits < 1e-4 && found.pruned.embedding < 1e-4, "{found}");
        assert_eq!(found.stored, Difference::default());
        // The comparison detects a network that differs.
        let mut other = published.clone();
        other.middle[2].norm.beta[2] += 0.5;
        let other = other.network(&spec, &living).unwrap();
        assert!(compare(&spec, &whole, [&other, &whole], &[]).unwrap().pruned.logits > 1e-3);
    }

    /// Reference: each layer by its definition in double precision, on one window.
    #[test]
    fn a_network_computes_its_definition() {
        let (published, spec) = (published(), spec());
        let mut window = Vec::new();
        Extractor::new(&spec, &Preparation::default())
            .unwrap()
            .window(&golden_signal(SAMPLE_RATE, 3.0), 0, &mut window)
            .unwrap();
        let frames = 90;
        let x: Vec<Vec<f64>> = (0..frames)
            .map(|t| (0..20).map(|b| published.input.of(0, f64::from(window[b * frames + t]))).collect())
            .collect();
        // Convolution, ReLU and normalisation, then the maximum over the rest of the second axis.
        let layer = |layer: &Convolution, x: &[Vec<f64>]| -> Vec<Vec<f64>> {
            let [long, wide] = layer.kernel;
            let at = |t: usize, c: usize, o: usize| -> f64 {
                let mut sum = f64::from(layer.matrix.bias[o]);
                for dt in 0..long {
                    let Some(row) = (t + dt).checked_sub((long - 1) / 2).and_then(|t| x.get(t)) else {
                        continue;
                    };
                    for dc in 0..wide {
                        sum += row[c + dc] * f64::from(layer.matrix.at(dt * wide + dc, o));
                    }
                }
                layer.norm.of(o, sum.max(0.0))
            };
            let places = x[0].len() + 1 - wide;
            (0..frames)
                .map(|t| {
                    (0..layer.matrix.outputs)
                        .map(|o| (0..places).map(|c| at(t, c, o)).fold(f64::MIN, f64::max))
                        .collect()
                })
                .collect()
        };
        let mut all: Vec<Vec<f64>> = vec![Vec::new(); frames];
        for bank in &published.banks {
            all.iter_mut().zip(layer(bank, &x)).for_each(|(all, y)| all.extend(y));
        }
        let mut x = all.clone();
        for (place, middle) in published.middle.iter().enumerate() {
            let mut y = layer(middle, &x);
            if place > 0 {
                y.iter_mut().zip(&x).for_each(|(y, x)| y.iter_mut().zip(x).for_each(|(y, x)| *y += x));
            }
            all.iter_mut().zip(&y).for_each(|(all, y)| all.extend(y));
            x = y;
        }
        let pooled: Vec<f64> = (0..all[0].len())
            .flat_map(|c| {
                let course: Vec<f64> = all.iter().map(|row| row[c]).collect();
                [course.iter().copied().fold(f64::MIN, f64::max), course.iter().sum::<f64>() / frames as f64]
            })
            .collect();
        let dense = |matrix: &Matrix, x: &[f64]| -> Vec<f64> {
            (0..matrix.outputs)
                .map(|o| {
                    let products = x.iter().enumerate().map(|(i, x)| x * f64::from(matrix.at(i, o)));
                    f64::from(matrix.bias[o]) + products.sum::<f64>()
                })
                .collect()
        };
        let normal: Vec<f64> = pooled.iter().enumerate().map(|(i, x)| published.pooled.of(i, *x)).collect();
        let embedding: Vec<f64> = dense(&published.dense, &normal)
            .iter()
            .enumerate()
            .map(|(i, x)| published.embedding.of(i, x.max(0.0)))
            .collect();
        let expected = dense(&published.tags, &embedding);

        let network = published.network(&spec, &Living::find(&published)).unwrap();
        let logits: Vec<f32> =
            network.forward(&batch(window, &spec.shapes(), &cpu())).try_into_vec_as().unwrap();
        for (found, expected) in logits.iter().zip(&expected) {
            assert!((f64::from(*found) - expected).abs() < 1e-3, "{logits:?} {expected:?}");
        }
    }

    #[test]
    fn the_error_about_another_checkpoint_names_the_variable() {
        let refused = |change: &dyn Fn(&mut Vec<Named>)| {
            let mut variables = variables();
            change(&mut variables);
            let (index, data) = writer::checkpoint(&variables);
            let checkpoint = Checkpoint::read(&index, &data).unwrap();
            Published::read(&checkpoint, 20, vec![String::new(); 3]).unwrap_err().to_string()
        };
        assert!(refused(&|v| v.retain(|(name, ..)| name != "conv2d_3/bias")).contains("conv2d_3/bias"));
        let shape = refused(&|v| {
            let (_, shape, _) = v.iter_mut().find(|(name, ..)| name == "conv2d_1/kernel").unwrap();
            shape.swap(0, 1);
        });
        assert!(shape.contains("conv2d_1/kernel"), "{shape}");
        let (index, data) = writer::checkpoint(&variables());
        let checkpoint = Checkpoint::read(&index, &data).unwrap();
        let names = Published::read(&checkpoint, 20, Vec::new()).unwrap_err().to_string();
        assert!(names.contains("0 names for 3 tags"), "{names}");
    }
}
