//! Mel-frequency cepstral coefficients, and how features change over time.

use crate::{DspError, Spectrogram, check_length};

/// The discrete cosine transform of mel decibels: `scipy.fft.dct(x, type=2, norm="ortho")`, the
/// last step of `librosa.feature.mfcc`.
pub struct Dct {
    n_mels: usize,
    /// One row of cosines for each coefficient.
    rows: Vec<f32>,
}

impl Dct {
    /// Plans the first `n_mfcc` coefficients of `n_mels` values.
    ///
    /// ```
    /// use cratedigger_dsp::Dct;
    ///
    /// assert_eq!(Dct::new(128, 20)?.coefficients(), 20);
    /// assert!(Dct::new(20, 128).is_err());
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    ///
    /// # Errors
    /// No coefficients, or more than there are values.
    pub fn new(n_mels: usize, n_mfcc: usize) -> Result<Self, DspError> {
        if n_mfcc == 0 || n_mfcc > n_mels {
            return Err(DspError::Parameter {
                name: "n_mfcc",
                value: n_mfcc as f64,
                reason: "between 1 and n_mels are needed",
            });
        }
        let n = n_mels as f64;
        let rows = (0..n_mfcc)
            .flat_map(|k| {
                let scale = if k == 0 { (1.0 / n).sqrt() } else { (2.0 / n).sqrt() };
                (0..n_mels).map(move |i| {
                    (scale * (std::f64::consts::PI * k as f64 * (2 * i + 1) as f64 / (2.0 * n)).cos()) as f32
                })
            })
            .collect();
        Ok(Self { n_mels, rows })
    }

    /// Number of coefficients.
    ///
    /// ```
    /// use cratedigger_dsp::Dct;
    ///
    /// assert_eq!(Dct::new(40, 13)?.coefficients(), 13);
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    pub fn coefficients(&self) -> usize {
        self.rows.len() / self.n_mels
    }

    /// Transforms one frame.
    ///
    /// ```
    /// use cratedigger_dsp::Dct;
    ///
    /// let dct = Dct::new(4, 2)?;
    /// let mut coefficients = [0.0; 2];
    /// dct.apply(&[3.0; 4], &mut coefficients)?;
    /// // A constant has only the first coefficient: its value times the root of the number of values.
    /// assert!((coefficients[0] - 6.0).abs() < 1e-6 && coefficients[1].abs() < 1e-6);
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    ///
    /// # Errors
    /// A buffer of the wrong length.
    pub fn apply(&self, decibels: &[f32], out: &mut [f32]) -> Result<(), DspError> {
        check_length("decibels", self.n_mels, decibels.len())?;
        check_length("out", self.coefficients(), out.len())?;
        for (coefficient, row) in out.iter_mut().zip(self.rows.chunks_exact(self.n_mels)) {
            *coefficient = crate::dot(decibels, row);
        }
        Ok(())
    }
}

/// The local slope (order 1) or curvature (order 2) of every row, from a line or a parabola fitted to
/// `width` frames: `librosa.feature.delta(data, width=…, order=…)`, a Savitzky–Golay filter. Frames
/// near the ends use the first or the last complete window.
///
/// ```
/// use cratedigger_dsp::{Spectrogram, delta};
///
/// let ramp = Spectrogram { bands: 1, frames: 20, data: (0..20).map(|i| 2.0 * i as f32).collect() };
/// let slope = delta(&ramp, 9, 1)?;
/// assert!(slope.data.iter().all(|value| (value - 2.0).abs() < 1e-5));
/// # Ok::<(), cratedigger_dsp::DspError>(())
/// ```
///
/// # Errors
/// A `width` that is even, below 3 or longer than there are frames; an order other than 1 or 2.
pub fn delta(data: &Spectrogram, width: usize, order: usize) -> Result<Spectrogram, DspError> {
    let refuse = |name, value: usize, reason| Err(DspError::Parameter { name, value: value as f64, reason });
    if width < 3 || width.is_multiple_of(2) {
        return refuse("width", width, "an odd number of at least 3 is needed");
    }
    if width > data.frames {
        return refuse("width", width, "it must not be longer than there are frames");
    }
    check_length("data", data.bands.saturating_mul(data.frames), data.data.len())?;
    let half = (width / 2) as isize;
    // Least squares on equidistant points is a weighted sum. The weights are the polynomial that is
    // orthogonal to all lower ones, scaled so that x has the derivative 1 and x² the derivative 2.
    let squares = (-half..=half).map(|x| (x * x) as f64);
    let mean = squares.clone().sum::<f64>() / width as f64;
    let weights: Vec<f64> = match order {
        1 => (-half..=half).map(|x| x as f64 / (mean * width as f64)).collect(),
        2 => {
            let norm: f64 = squares.clone().map(|s| (s - mean) * s).sum();
            squares.map(|s| 2.0 * (s - mean) / norm).collect()
        }
        _ => return refuse("order", order, "1 or 2 is needed"),
    };
    let mut out = Vec::with_capacity(data.data.len());
    for row in data.data.chunks_exact(data.frames) {
        for frame in 0..data.frames {
            let first = frame.saturating_sub(width / 2).min(data.frames - width);
            let window = &row[first..first + width];
            out.push(window.iter().zip(&weights).map(|(v, w)| f64::from(*v) * w).sum::<f64>() as f32);
        }
    }
    Ok(Spectrogram { data: out, ..*data })
}
