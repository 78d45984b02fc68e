//! Statistics of a spectrogram's texture, without learned parameters.

use std::f32::consts::PI;

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::shape_check::ShapeCheck;

/// Added to deviations and products of a spectrogram scaled to −1…1, so that smaller changes count as
/// none. About 0.1 dB of log-mel.
const STILL: f32 = 1e-5;
/// Added to the energy of lines: about 0.3 dB.
const FAINT: f32 = 1e-4;
/// Added to mean magnitudes before the logarithm.
const QUIET: f32 = 3e-4;

/// Statistics of how the bands of a spectrogram change, independent of their levels: equalising a
/// recording hardly changes them. A small layer on them learns from a few hundred clips, where
/// convolutions overfit to the recordings.
///
/// Bands are averaged in groups, many narrow ones and a few wide ones. The statistics are:
///
/// * for each narrow group, the mean absolute change from column to column, the mean positive change,
///   and the standard deviation of the change (the delta and variance-delta patterns of Seyerlehner et
///   al. 2010, "Fusing block-level features for music similarity estimation");
/// * for each wide group, the modulation spectrum: the logarithm of the magnitudes of its time course
///   under a Hann window, in ranges of rates that widen geometrically (McKinney and Breebaart 2003,
///   "Features for audio and music classification"; the fluctuation patterns of Pampalk 2006);
/// * for each pair of wide groups, the correlation of their time courses (Seyerlehner's correlation
///   pattern);
/// * for each wide group, the distance from its mean to its strongest and to its weakest band, as mean
///   and standard deviation over time (the spectral contrast of Jiang et al. 2002, with extremes
///   instead of percentiles);
/// * for each wide group, its lines: the difference of a band from its two neighbours. Tones are
///   lasting lines, noise has short lines, and drums have none. The values are the mean magnitude, the
///   mean magnitude of the part that is constant over the window, the fraction of energy in that part,
///   and the standard deviation of positive differences.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TextureConfig {
    /// Number of narrow groups, a divisor of the rows.
    pub narrow: usize,
    /// Number of wide groups, a divisor of the rows.
    pub wide: usize,
    /// Number of ranges of modulation rates; the lowest ones are merged if they would share a rate.
    pub rates: usize,
}

impl Default for TextureConfig {
    fn default() -> Self {
        Self { narrow: 32, wide: 32, rates: 9 }
    }
}

impl TextureConfig {
    /// Checks the design and returns the number of output values for a part of the input.
    pub(crate) fn trace(&self, part: [usize; 3], trace: &mut ShapeCheck) -> Result<usize, String> {
        trace.enter(part)?;
        let [channels, rows, columns] = part;
        if channels != 1 {
            return Err(format!("texture needs one channel, not {channels}"));
        }
        for (name, groups) in [("narrow", self.narrow), ("wide", self.wide)] {
            if groups == 0 || !rows.is_multiple_of(groups) {
                return Err(format!(
                    "{rows} rows cannot be divided into {groups} {name} groups of the same size"
                ));
            }
        }
        if rows < 3 {
            return Err(format!("texture of {rows} rows, but lines need 3"));
        }
        if !(4..=1 << 12).contains(&columns) {
            return Err(format!("texture of {columns} columns, but 4 to 4096 are supported"));
        }
        if !(1..=64).contains(&self.rates) {
            return Err(format!("{} ranges of rates; 1 to 64 are possible", self.rates));
        }
        if self.wide > 256 {
            return Err(format!("{} wide groups; at most 256 are possible", self.wide));
        }
        Ok(3 * self.narrow
            + self.wide * self.ranges(columns).len()
            + self.wide * (self.wide - 1) / 2
            + 8 * self.wide)
    }

    pub(crate) fn init(&self) -> TextureBody {
        TextureBody { config: self.clone() }
    }

    pub(crate) fn summary(&self) -> String {
        format!("texture of {} bands", self.narrow)
    }

    /// The ranges of modulation rates in cycles per window, as first and end.
    fn ranges(&self, columns: usize) -> Vec<[usize; 2]> {
        let most = (columns / 2 + 1) as f64;
        let mut edges: Vec<usize> = (0..=self.rates)
            .map(|edge| most.powf(edge as f64 / self.rates as f64).round() as usize)
            .collect();
        edges.dedup();
        edges.windows(2).map(|edge| [edge[0], edge[1]]).collect()
    }
}

/// The body of a [`TextureConfig`].
#[derive(Module, Debug)]
pub struct TextureBody {
    #[module(skip)]
    config: TextureConfig,
}

impl TextureBody {
    /// # Shapes
    /// `[batch, 1, rows, columns]` → `[batch, values]`
    pub(crate) fn forward(&self, part: Tensor<4>) -> Tensor<2> {
        let [batch, _, rows, columns] = part.dims();
        let device = part.device();
        let TextureConfig { narrow, wide, .. } = self.config;
        let mean = |x: Tensor<3>| -> Tensor<2> { x.mean_dim(2).squeeze_dim(2) };
        // Population variance.
        let deviation = |x: Tensor<3>| -> Tensor<2> {
            let centred = x.clone() - x.mean_dim(2);
            mean(centred.square()).add_scalar(STILL).sqrt()
        };
        let grouped =
            |groups: usize| -> Tensor<4> { part.clone().reshape([batch, groups, rows / groups, columns]) };

        let bands: Tensor<3> = grouped(narrow).mean_dim(2).squeeze_dim(2);
        let change = bands.clone().narrow(2, 1, columns - 1) - bands.narrow(2, 0, columns - 1);
        let mut values =
            vec![mean(change.clone().abs()), mean(change.clone().clamp_min(0.0)), deviation(change)];

        let groups = grouped(wide);
        let course: Tensor<3> = groups.clone().mean_dim(2).squeeze_dim(2);
        let course = course.clone() - course.mean_dim(2);
        let waves = self.waves(columns, &device);
        let [real, imaginary] = waves.map(|wave| course.clone().matmul(wave.unsqueeze_dim(0)));
        let magnitude = (real.square() + imaginary.square()).sqrt();
        values.push(
            magnitude
                .matmul(self.pooling(columns, &device).unsqueeze_dim(0))
                .add_scalar(QUIET)
                .log()
                .flatten(1, 2),
        );

        let products = course.clone().matmul(course.clone().swap_dims(1, 2)).div_scalar(columns as f32);
        let size = course.square().mean_dim(2).add_scalar(STILL).sqrt();
        let correlation: Tensor<2> = (products / size.clone() / size.swap_dims(1, 2)).flatten(1, 2);
        let pairs: Vec<i32> =
            (0..wide).flat_map(|a| (a + 1..wide).map(move |b| (a * wide + b) as i32)).collect();
        let pairs = Tensor::<1, Int>::from_data(TensorData::from(pairs.as_slice()), &device);
        values.push(correlation.select(1, pairs));

        let middle = groups.clone().mean_dim(2);
        for contrast in [groups.clone().max_dim(2) - middle.clone(), middle - groups.min_dim(2)] {
            let contrast: Tensor<3> = contrast.squeeze_dim(2);
            values.push(mean(contrast.clone()));
            values.push(deviation(contrast));
        }

        // The lowest and the highest band have only one neighbour, so no line.
        let lines = part.clone().narrow(2, 1, rows - 2)
            - (part.clone().narrow(2, 0, rows - 2) + part.narrow(2, 2, rows - 2)).div_scalar(2.0);
        let edge = Tensor::zeros([batch, 1, 1, columns], &device);
        let lines = Tensor::cat(vec![edge.clone(), lines, edge], 2);
        let lines = lines.reshape([batch, wide, rows / wide, columns]);
        let within = |x: Tensor<4>| -> Tensor<2> { x.mean_dim(3).mean_dim(2).reshape([batch, wide]) };
        let lasting = lines.clone().mean_dim(3);
        let energy = within(lines.clone().square()).add_scalar(FAINT);
        let upwards = lines.clone().clamp_min(0.0);
        let mean_upwards = within(upwards.clone());
        values.push(within(lines.abs()));
        values.push(within(lasting.clone().abs()));
        values.push(within(lasting.square()) / energy);
        values
            .push((within(upwards.square()) - mean_upwards.square()).clamp_min(0.0).add_scalar(STILL).sqrt());
        Tensor::cat(values, 1)
    }

    /// Cosines and sines of whole cycles per window, under a Hann window: `[columns, rates]` each.
    fn waves(&self, columns: usize, device: &Device) -> [Tensor<2>; 2] {
        let scale = (columns as f32).sqrt().recip();
        let wave = |shape: fn(f32) -> f32| -> Tensor<2> {
            let values: Vec<f32> = (0..columns)
                .flat_map(|column| {
                    let hann = (PI * column as f32 / (columns - 1) as f32).sin().powi(2) * scale;
                    (1..=columns / 2).map(move |cycles| {
                        // Subtracting whole turns first keeps rounding errors small.
                        let turn = (cycles * column % columns) as f32 / columns as f32;
                        hann * shape(2.0 * PI * turn)
                    })
                })
                .collect();
            Tensor::from_data(TensorData::new(values, [columns, columns / 2]), device)
        };
        [wave(f32::cos), wave(f32::sin)]
    }

    /// Matrix that averages each range of rates: `[rates, ranges]`.
    fn pooling(&self, columns: usize, device: &Device) -> Tensor<2> {
        let ranges = self.config.ranges(columns);
        let values: Vec<f32> = (1..=columns / 2)
            .flat_map(|cycles| {
                ranges.iter().map(move |&[first, end]| {
                    if (first..end).contains(&cycles) { 1.0 / (end - first) as f32 } else { 0.0 }
                })
            })
            .collect();
        Tensor::from_data(TensorData::new(values, [columns / 2, ranges.len()]), device)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The same values, computed with plain loops in double precision.
    fn by_hand(x: &[Vec<f64>], config: &TextureConfig) -> Vec<f64> {
        let (rows, columns) = (x.len(), x[0].len());
        let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
        let deviation = |v: &[f64]| {
            let m = mean(v);
            (v.iter().map(|v| (v - m).powi(2)).sum::<f64>() / v.len() as f64 + f64::from(STILL)).sqrt()
        };
        let group = |groups: usize, g: usize, column: usize| -> Vec<f64> {
            let height = rows / groups;
            (g * height..(g + 1) * height).map(|row| x[row][column]).collect()
        };
        let courses = |groups: usize| -> Vec<Vec<f64>> {
            (0..groups)
                .map(|g| (0..columns).map(|column| mean(&group(groups, g, column))).collect())
                .collect()
        };
        let changes: Vec<Vec<f64>> = courses(config.narrow)
            .iter()
            .map(|course| course.windows(2).map(|pair| pair[1] - pair[0]).collect())
            .collect();
        let mut values: Vec<f64> = Vec::new();
        values.extend(changes.iter().map(|c| mean(&c.iter().map(|d| d.abs()).collect::<Vec<_>>())));
        values.extend(changes.iter().map(|c| mean(&c.iter().map(|d| d.max(0.0)).collect::<Vec<_>>())));
        values.extend(changes.iter().map(|c| deviation(c)));

        let wide: Vec<Vec<f64>> = courses(config.wide)
            .iter()
            .map(|course| course.iter().map(|v| v - mean(course)).collect())
            .collect();
        // 1, 1.39, 1.95, 2.71, 3.78, 5.27, 7.35, 10.2, 14.3 and 20, rounded.
        let edges = [1, 2, 3, 4, 5, 7, 10, 14, 20];
        for course in &wide {
            let magnitude = |cycles: usize| {
                let (mut re, mut im) = (0.0, 0.0);
                for (n, v) in course.iter().enumerate() {
                    let hann =
                        0.5 - 0.5 * (2.0 * std::f64::consts::PI * n as f64 / (columns - 1) as f64).cos();
                    let angle = 2.0 * std::f64::consts::PI * (cycles * n) as f64 / columns as f64;
                    re += v * hann * angle.cos();
                    im += v * hann * angle.sin();
                }
                re.hypot(im) / (columns as f64).sqrt()
            };
            for edge in edges.windows(2) {
                let range: Vec<f64> = (edge[0]..edge[1]).map(magnitude).collect();
                values.push((mean(&range) + f64::from(QUIET)).ln());
            }
        }
        let size = |v: &[f64]| (mean(&v.iter().map(|v| v * v).collect::<Vec<_>>()) + f64::from(STILL)).sqrt();
        for a in 0..config.wide {
            for b in a + 1..config.wide {
                let product: Vec<f64> = wide[a].iter().zip(&wide[b]).map(|(a, b)| a * b).collect();
                values.push(mean(&product) / size(&wide[a]) / size(&wide[b]));
            }
        }
        let contrast = |of: &dyn Fn(&[f64]) -> f64| -> Vec<Vec<f64>> {
            (0..config.wide)
                .map(|g| (0..columns).map(|column| of(&group(config.wide, g, column))).collect())
                .collect()
        };
        let above = |v: &[f64]| v.iter().copied().fold(f64::MIN, f64::max) - mean(v);
        let below = |v: &[f64]| mean(v) - v.iter().copied().fold(f64::MAX, f64::min);
        for contrast in [contrast(&above), contrast(&below)] {
            values.extend(contrast.iter().map(|c| mean(c)));
            values.extend(contrast.iter().map(|c| deviation(c)));
        }
        let line = |row: usize, column: usize| {
            if row == 0 || row == rows - 1 {
                0.0
            } else {
                x[row][column] - (x[row - 1][column] + x[row + 1][column]) / 2.0
            }
        };
        let height = rows / config.wide;
        let mut sizes = [const { Vec::new() }; 4];
        for g in 0..config.wide {
            let of: Vec<Vec<f64>> = (g * height..(g + 1) * height)
                .map(|row| (0..columns).map(|column| line(row, column)).collect())
                .collect();
            let all = of.concat();
            let lasting: Vec<f64> = of.iter().map(|row| mean(row)).collect();
            let square = |v: &[f64]| mean(&v.iter().map(|v| v * v).collect::<Vec<_>>());
            let size = |v: &[f64]| mean(&v.iter().map(|v| v.abs()).collect::<Vec<_>>());
            sizes[0].push(size(&all));
            sizes[1].push(size(&lasting));
            sizes[2].push(square(&lasting) / (square(&all) + f64::from(FAINT)));
            sizes[3].push(deviation(&all.iter().map(|v| v.max(0.0)).collect::<Vec<_>>()));
        }
        values.extend(sizes.concat());
        values
    }

    #[test]
    fn values_equal_the_formulas_and_do_not_depend_on_gain_and_equalisation() {
        let config = TextureConfig::default();
        // Partials with several modulation rates over noise.
        let mut seed = 1_u32;
        let mut noise = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(seed >> 8) / f64::from(1 << 24)
        };
        let x: Vec<Vec<f64>> = (0..128)
            .map(|row| {
                (0..39)
                    .map(|column| {
                        let swell = (f64::from(column) * (0.2 + f64::from(row % 7) * 0.3)).sin();
                        0.3 * swell * f64::from(u8::from(row % 5 == 0)) + 0.4 * noise() - 0.3
                    })
                    .collect()
            })
            .collect();
        // Louder, and with a gain that rises from group to group.
        let flat = |louder: f32, brighter: f32| -> Vec<f32> {
            let colour = |row: usize| louder + brighter * (row / 4) as f32;
            x.iter()
                .enumerate()
                .flat_map(|(row, values)| values.iter().map(move |&v| v as f32 + colour(row)))
                .collect()
        };
        let all = [flat(0.0, 0.0), flat(0.25, 0.0), flat(0.0, 0.01)].concat();
        let part = Tensor::from_data(TensorData::new(all, [3, 1, 128, 39]), &Device::flex());
        let values: Vec<f32> = config.init().forward(part).try_into_vec_as().unwrap();
        let expected = by_hand(&x, &config);
        assert_eq!(config.trace([1, 128, 39], &mut ShapeCheck::default()).unwrap(), expected.len());
        assert_eq!(values.len(), 3 * expected.len());
        // The gain between groups makes a line at their edge.
        let lines = expected.len() - 4 * config.wide;
        for (copy, values) in values.chunks_exact(expected.len()).enumerate() {
            for (index, (value, expected)) in values.iter().zip(&expected).enumerate() {
                let close = (f64::from(*value) - expected).abs() < 1e-4 * (1.0 + expected.abs());
                assert!(close || (copy == 2 && index >= lines), "{copy}, {index}: {value}, not {expected}");
            }
        }
    }

    #[test]
    fn silence_and_odd_shapes() {
        let device = Device::flex();
        let config = TextureConfig::default();
        let still: Vec<f32> =
            config.init().forward(Tensor::zeros([1, 1, 128, 39], &device)).try_into_vec_as().unwrap();
        assert!(still.iter().all(|value| value.is_finite()));
        let refused =
            |config: TextureConfig, part| config.trace(part, &mut ShapeCheck::default()).unwrap_err();
        assert!(refused(config.clone(), [3, 128, 128]).contains("channel"));
        assert!(refused(config.clone(), [1, 100, 39]).contains("narrow"));
        assert!(refused(config.clone(), [1, 128, 3]).contains("columns"));
        assert!(refused(TextureConfig { rates: 0, ..config }, [1, 128, 39]).contains("rates"));
    }
}
