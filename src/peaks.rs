//! Waveform of a song: the lowest and the highest sample of each slice of a few milliseconds.

/// The waveform so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Peaks {
    /// Seconds of one slice.
    step: f64,
    /// Lowest and highest sample of each slice, in 1/127 of full scale: finer than any screen.
    slices: Vec<[i8; 2]>,
    /// Largest absolute value of all slices.
    peak: i8,
}

impl Peaks {
    /// Stores slices from index `first` on. `pairs` holds lowest and highest sample of each.
    pub fn insert(&mut self, first: u32, step: f64, pairs: &[f32]) {
        // A repeated analysis starts again at 0. A piece that would leave a gap is ignored.
        if !(step.is_finite() && step > 0.0) || first as usize > self.slices.len() {
            return;
        }
        self.step = step;
        if self.slices.len() > first as usize {
            self.slices.truncate(first as usize);
            self.peak = loudest(&self.slices);
        }
        let before = self.slices.len();
        // A float-to-integer `as` saturates; NaN becomes 0.
        let quantised = |sample: f32| (sample * 127.0).round() as i8;
        self.slices.extend(pairs.as_chunks::<2>().0.iter().map(|pair| pair.map(quantised)));
        self.peak = self.peak.max(loudest(self.slices.get(before..).unwrap_or_default()));
    }

    /// Whether no slice is known.
    pub fn is_empty(&self) -> bool {
        self.slices.is_empty()
    }

    /// Lowest and highest value between two times in seconds, relative to the loudest value so far;
    /// `None` where nothing is known.
    pub fn extent(&self, start: f64, end: f64) -> Option<(f32, f32)> {
        if self.step <= 0.0 || self.slices.is_empty() {
            return None;
        }
        let first = (start / self.step).max(0.0) as usize;
        let last = ((end / self.step).ceil().max(0.0) as usize).max(first + 1);
        let slices = self.slices.get(first..last.min(self.slices.len()))?;
        let low = slices.iter().map(|slice| slice[0]).min()?;
        let high = slices.iter().map(|slice| slice[1]).max()?;
        let scale = f32::from(self.peak.max(1));
        Some((f32::from(low) / scale, f32::from(high) / scale))
    }
}

/// The largest absolute value.
fn loudest(slices: &[[i8; 2]]) -> i8 {
    slices.iter().flatten().map(|value| value.saturating_abs()).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loudest_value_fills_the_height() {
        let mut peaks = Peaks::default();
        peaks.insert(0, 0.5, &[-0.1, 0.2, -0.4, 0.1]);
        assert_eq!(peaks.extent(0.5, 1.0).map(|(low, _)| low), Some(-1.0));
        let (low, high) = peaks.extent(0.0, 1.0).unwrap_or_default();
        assert!(low <= -1.0 && (high - 0.5).abs() < 0.02, "{low} {high}");
        assert_eq!(peaks.extent(1.0, 2.0), None);
    }

    #[test]
    fn a_second_run_replaces_the_first_and_gaps_are_refused() {
        let mut peaks = Peaks::default();
        peaks.insert(0, 0.5, &[-0.1, 0.1, -0.1, 0.1]);
        peaks.insert(1, 0.5, &[-1.0, 1.0]);
        assert_eq!(peaks.slices.len(), 2);
        peaks.insert(7, 0.5, &[-1.0, 1.0]);
        peaks.insert(2, f64::NAN, &[-1.0, 1.0]);
        assert_eq!(peaks.slices.len(), 2);
        peaks.insert(2, 0.5, &[f32::NAN, f32::INFINITY, 0.3]);
        assert_eq!(peaks.slices.get(2), Some(&[0, 127]));
        assert_eq!(Peaks::default().extent(0.0, 1.0), None);
    }
}
