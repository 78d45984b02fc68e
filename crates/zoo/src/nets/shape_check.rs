//! Shapes of a design, checked before anything is built.

use std::fmt::Display;

use super::layers::Window;

/// Largest number of parameters of a network: VGG-19, the largest here, has 144 million.
const MAX_PARAMETERS: u64 = 1 << 28;
/// Largest number of values of a window between two layers: four times 64 maps of 512 × 512.
const MAX_VALUES: u64 = 1 << 26;

/// The shape of a window between two layers, and the number of parameters so far. A configuration may
/// come from a wrong or hostile manifest: it must not produce an empty window or request too much
/// memory.
#[derive(Debug, Default)]
pub(crate) struct ShapeCheck {
    /// Channels, rows and columns.
    pub(crate) shape: [usize; 3],
    parameters: u64,
}

impl ShapeCheck {
    /// Starts with a part of the input.
    pub(crate) fn enter(&mut self, part: [usize; 3]) -> Result<(), String> {
        let [channels, rows, columns] = part;
        if part.contains(&0) {
            return Err(format!("an input of {channels} × {rows} × {columns} values holds nothing"));
        }
        self.shape = part;
        self.holds("the input")
    }

    /// Adds a convolution.
    pub(crate) fn conv(
        &mut self,
        layer: impl Display,
        channels: usize,
        window: Window,
        groups: usize,
    ) -> Result<(), String> {
        let [inputs, ..] = self.shape;
        if channels == 0 || channels > 1 << 14 {
            return Err(format!("{layer}: {channels} channels; 1 to 16384 are possible"));
        }
        if groups == 0 || !inputs.is_multiple_of(groups) || !channels.is_multiple_of(groups) {
            return Err(format!(
                "{layer}: {inputs} and {channels} channels cannot be divided into {groups} groups"
            ));
        }
        let [height, width] = window.kernel;
        self.pool(&layer, window)?;
        self.shape[0] = channels;
        self.spend(&layer, &[channels, inputs / groups, height, width])?;
        self.holds(&layer)
    }

    /// Adds a pooling.
    pub(crate) fn pool(&mut self, layer: impl Display, window: Window) -> Result<(), String> {
        let [channels, rows, columns] = self.shape;
        if window.kernel.iter().chain(&window.stride).any(|&n| n == 0 || n > 1 << 10) {
            return Err(format!("{layer}: windows and strides must be 1 to 1024"));
        }
        let Some([high, wide]) = window.output([rows, columns]) else {
            return Err(format!("{layer}: nothing would be left of {rows} × {columns} values"));
        };
        self.shape = [channels, high, wide];
        Ok(())
    }

    /// Adds the matrix of a dense layer.
    pub(crate) fn linear(
        &mut self,
        layer: impl Display,
        inputs: usize,
        outputs: usize,
    ) -> Result<(), String> {
        if outputs == 0 || outputs > 1 << 16 {
            return Err(format!("{layer}: {outputs} values; 1 to 65536 are possible"));
        }
        self.spend(layer, &[inputs, outputs])
    }

    /// Counts the product of `factors` as parameters.
    pub(crate) fn spend(&mut self, layer: impl Display, factors: &[usize]) -> Result<(), String> {
        let spent = product(factors).saturating_add(self.parameters);
        if spent > MAX_PARAMETERS {
            return Err(format!("{layer}: the network would have more than {MAX_PARAMETERS} parameters"));
        }
        self.parameters = spent;
        Ok(())
    }

    /// Number of values of the current shape.
    pub(crate) fn values(&self) -> usize {
        self.shape.iter().product() // checked by `holds`
    }

    fn holds(&self, layer: impl Display) -> Result<(), String> {
        if product(&self.shape) > MAX_VALUES {
            let [channels, rows, columns] = self.shape;
            return Err(format!("{layer}: {channels} × {rows} × {columns} values are too many"));
        }
        Ok(())
    }
}

/// Whether a list has a valid number of layers.
pub(crate) fn check_length(what: &str, layers: usize, least: usize) -> Result<(), String> {
    if (least..=64).contains(&layers) {
        Ok(())
    } else {
        Err(format!("{layers} {what}; {least} to 64 are possible"))
    }
}

/// Whether a dropout rate is valid: at least 0 and below 1.
pub(crate) fn check_dropout(rate: f64) -> Result<(), String> {
    if (0.0..1.0).contains(&rate) { Ok(()) } else { Err(format!("dropout {rate} is not in 0…1")) }
}

fn product(factors: &[usize]) -> u64 {
    factors.iter().fold(1, |all, &factor| all.saturating_mul(factor as u64))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn sizes_that_overflow_are_refused() {
        let mut trace = ShapeCheck::default();
        assert!(trace.enter([usize::MAX, usize::MAX, 2]).is_err());
        assert!(trace.enter([1, 0, 3]).is_err());
        assert!(trace.linear("a matrix", usize::MAX, 1 << 16).is_err());
        trace.enter([3, 512, 512]).unwrap();
        assert!(trace.conv("a convolution", 1 << 14, Window::square(1), 1).is_err());
    }

    #[test]
    fn a_strided_convolution_has_the_size_of_the_formula() {
        // ⌊(n + 2·padding − kernel) / stride⌋ + 1
        let mut trace = ShapeCheck::default();
        trace.enter([3, 128, 39]).unwrap();
        trace.conv("first", 8, Window::square(3).strided([2, 1]).same(), 1).unwrap();
        assert_eq!(trace.shape, [8, 64, 39]);
        trace.conv("second", 8, Window::square(3).strided([2, 2]), 8).unwrap();
        assert_eq!(trace.shape, [8, 31, 19]);
        trace.pool("third", Window::square(19)).unwrap();
        assert_eq!(trace.shape, [8, 13, 1]);
        assert!(trace.pool("fourth", Window::square(2)).is_err());
        assert_eq!(trace.parameters, 8 * 3 * 9 + 8 * 9);
    }
}
