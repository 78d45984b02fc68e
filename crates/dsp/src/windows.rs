//! Cutting a stream of samples into windows.

use crate::DspError;

/// Cuts a track of any length into windows of equal length. Holds at most one window and the samples
/// of the last push.
pub struct WindowStream {
    window: usize,
    hop: usize,
    pending: Vec<f32>,
    /// Samples still to be dropped before the next window, if the hop is longer than a window.
    skip: usize,
    emitted: usize,
}

impl WindowStream {
    /// Windows of `window` samples, starting every `hop` samples.
    ///
    /// ```
    /// use cratedigger_dsp::WindowStream;
    ///
    /// assert!(WindowStream::new(66_150, 33_075).is_ok());
    /// assert!(WindowStream::new(66_150, 0).is_err());
    /// ```
    ///
    /// # Errors
    /// `window` or `hop` is 0.
    pub fn new(window: usize, hop: usize) -> Result<Self, DspError> {
        for (name, value) in [("window", window), ("hop", hop)] {
            if value == 0 {
                return Err(DspError::Parameter {
                    name,
                    value: 0.0,
                    reason: "at least one sample is needed",
                });
            }
        }
        Ok(Self { window, hop, pending: Vec::new(), skip: 0, emitted: 0 })
    }

    /// Takes more samples and passes every complete window with its index to `each`.
    ///
    /// ```
    /// use cratedigger_dsp::{DspError, WindowStream};
    ///
    /// let mut stream = WindowStream::new(3, 2)?;
    /// let mut windows = Vec::new();
    /// for block in [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]] {
    ///     stream.push(&block, |index, window| {
    ///         windows.push((index, window.to_vec()));
    ///         Ok::<(), DspError>(())
    ///     })?;
    /// }
    /// assert_eq!(windows, [(0, vec![1.0, 2.0, 3.0]), (1, vec![3.0, 4.0, 5.0])]);
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    ///
    /// # Errors
    /// The error of `each`. Its window and the later windows of this push are skipped.
    pub fn push<E>(
        &mut self,
        mut samples: &[f32],
        mut each: impl FnMut(usize, &[f32]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut outcome = Ok(());
        loop {
            let dropped = self.skip.min(samples.len());
            self.skip -= dropped;
            samples = &samples[dropped..];
            let wanted = (self.window - self.pending.len()).min(samples.len());
            self.pending.extend_from_slice(&samples[..wanted]);
            samples = &samples[wanted..];
            if self.pending.len() < self.window {
                return outcome;
            }
            if outcome.is_ok() {
                outcome = each(self.emitted, &self.pending);
            }
            self.emitted += 1;
            self.skip = self.hop.saturating_sub(self.window);
            self.pending.drain(..self.hop.min(self.window));
        }
    }

    /// Number of windows finished.
    ///
    /// ```
    /// use cratedigger_dsp::{DspError, WindowStream};
    ///
    /// let mut stream = WindowStream::new(2, 2)?;
    /// stream.push(&[0.0; 5], |_, _| Ok::<(), DspError>(()))?;
    /// assert_eq!(stream.emitted(), 2);
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    pub fn emitted(&self) -> usize {
        self.emitted
    }

    /// The samples of the last, incomplete window.
    ///
    /// ```
    /// use cratedigger_dsp::{DspError, WindowStream};
    ///
    /// let mut stream = WindowStream::new(2, 2)?;
    /// stream.push(&[1.0, 2.0, 3.0], |_, _| Ok::<(), DspError>(()))?;
    /// assert_eq!(stream.rest(), [3.0]);
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    pub fn rest(&self) -> &[f32] {
        &self.pending
    }
}
