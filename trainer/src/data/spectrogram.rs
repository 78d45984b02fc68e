//! Log-mel spectrograms of whole clips.

use anyhow::{Result, ensure};
use cratedigger_zoo::{InputSpec, LogMel};

/// Frames per column in the array layout, as a ratio: 387 columns of 1292 frames with hop 512.
pub const ARRAY_FRAMES_PER_COLUMN: [u32; 2] = [1291, 386];

/// A log-mel spectrogram of a clip at the column spacing of an input spec.
#[derive(Debug)]
pub struct Columns {
    /// Number of mel bands (rows).
    pub bands: usize,
    /// Number of columns.
    pub columns: usize,
    /// Levels in dB relative to any reference, `[bands, columns]`.
    pub db: Vec<f32>,
}

impl Columns {
    /// The network's input, `[bands, mel.columns]`, for the window that starts at column `start`. Columns
    /// past the end are silent.
    pub fn window(&self, mel: &LogMel, start: usize) -> Vec<f32> {
        let width = mel.columns;
        let mut db = vec![f32::NEG_INFINITY; self.bands * width];
        let kept = width.min(self.columns.saturating_sub(start));
        for (row, target) in self.db.chunks_exact(self.columns.max(1)).zip(db.chunks_exact_mut(width)) {
            target[..kept].copy_from_slice(&row[start..start + kept]);
        }
        let mut window = vec![0.0; db.len()];
        mel.scale_window(&db, &mut window);
        window
    }

    /// First columns of the clip's segments, which are those of [`InputSpec::segments`] for audio.
    pub fn segments(&self, spec: &InputSpec, mel: &LogMel) -> Vec<usize> {
        let rate = mel.columns_per_second(spec.sample_rate);
        let samples = (self.columns as f64 / rate * f64::from(spec.sample_rate)) as usize;
        let last = self.columns.saturating_sub(mel.columns);
        spec.segments(samples)
            .iter()
            .map(|s| ((s.start as f64 / f64::from(spec.sample_rate) * rate).round() as usize).min(last))
            .collect()
    }

    /// Whether the spectrogram has the bands and spacing of `mel`.
    pub fn fits(&self, mel: &LogMel) -> bool {
        let default = LogMel::default();
        self.bands == mel.n_mels
            && mel.frames_per_column == ARRAY_FRAMES_PER_COLUMN
            && (mel.n_fft, mel.hop_length) == (default.n_fft, default.hop_length)
            && (mel.fmin, mel.fmax) == (default.fmin, default.fmax)
    }
}

/// The spectrogram of a whole signal at the column spacing of `mel`.
///
/// # Errors
/// The signal is shorter than a frame, or a sample is not finite.
pub fn columns_of(signal: &[f32], mel: &LogMel, sample_rate: u32) -> Result<Columns> {
    ensure!(signal.len() >= mel.n_fft, "shorter than one frame of {} samples", mel.n_fft);
    let mut plan = mel.spectrogram(sample_rate)?;
    let frames = 1 + signal.len() / mel.hop_length;
    let columns = (0..).take_while(|&c| mel.column_frame(c) < frames).count();
    let mut db = vec![0.0; mel.n_mels * columns];
    let mut frame = vec![0.0; mel.n_mels];
    for column in 0..columns {
        plan.frame(signal, mel.column_frame(column) * mel.hop_length, &mut frame)?;
        for (band, power) in frame.iter().enumerate() {
            db[band * columns + column] = 10.0 * power.max(1e-10).log10();
        }
    }
    Ok(Columns { bands: mel.n_mels, columns, db })
}
