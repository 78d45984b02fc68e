//! Mixing to mono and resampling, the first step of every feature.
//!
//! Browsers and decoders resample in different ways, so page and trainer decode at the file's own
//! rate and resample here.

use rubato::audioadapter_buffers::direct::SequentialSlice;
use rubato::{Fft, FixedSync, Resampler as _, WindowFunction};

use crate::{DspError, check_finite};

/// Lowest accepted sample rate, in Hz.
pub const MIN_RATE: u32 = 1_000;
/// Highest accepted sample rate, in Hz: twice the highest in use.
pub const MAX_RATE: u32 = 768_000;

/// The mean of all channels, sample by sample, as `librosa.to_mono`.
///
/// ```
/// use cratedigger_dsp::downmix;
///
/// assert_eq!(downmix(&[&[1.0, 0.0], &[0.0, -1.0]])?, [0.5, -0.5]);
/// assert!(downmix(&[]).is_err());
/// # Ok::<(), cratedigger_dsp::DspError>(())
/// ```
///
/// # Errors
/// No channels, channels of unequal length, or a sample that is NaN or infinite.
pub fn downmix(channels: &[&[f32]]) -> Result<Vec<f32>, DspError> {
    let Some((first, others)) = channels.split_first() else {
        return Err(DspError::NoChannels);
    };
    check_finite(first)?;
    let mut mono = first.to_vec();
    for (index, channel) in others.iter().enumerate() {
        if channel.len() != mono.len() {
            return Err(DspError::UnequalChannels {
                channel: index + 1,
                expected: mono.len(),
                found: channel.len(),
            });
        }
        check_finite(channel)?;
        for (sum, sample) in mono.iter_mut().zip(*channel) {
            *sum += sample;
        }
    }
    if channels.len() > 1 {
        let gain = 1.0 / channels.len() as f32;
        mono.iter_mut().for_each(|s| *s *= gain);
    }
    Ok(mono)
}

/// A streaming resampler of one channel: rubato's synchronous FFT resampler, with its delay
/// removed and its output cut to ⌈n · to / from⌉ samples, which is librosa's length.
///
/// The output does not depend on how the input is divided into pushes.
pub struct Resampler {
    from: u64,
    to: u64,
    /// None if both rates are equal: samples pass unchanged.
    fft: Option<Fft<f32>>,
    /// Input that does not fill a chunk yet.
    pending: Vec<f32>,
    chunk_out: Vec<f32>,
    /// Output samples still to be dropped because of the filter's delay.
    skip: usize,
    received: u64,
    emitted: u64,
}

impl Resampler {
    /// Plans a conversion from `from_hz` to `to_hz`.
    ///
    /// ```
    /// use cratedigger_dsp::Resampler;
    ///
    /// assert!(Resampler::new(44_100, 22_050).is_ok());
    /// assert!(Resampler::new(44_100, 10).is_err());
    /// ```
    ///
    /// # Errors
    /// A rate outside [`MIN_RATE`]…[`MAX_RATE`].
    pub fn new(from_hz: u32, to_hz: u32) -> Result<Self, DspError> {
        for rate in [from_hz, to_hz] {
            if !(MIN_RATE..=MAX_RATE).contains(&rate) {
                return Err(DspError::SampleRate(rate));
            }
        }
        let mut this = Self {
            from: u64::from(from_hz),
            to: u64::from(to_hz),
            fft: None,
            pending: Vec::new(),
            chunk_out: Vec::new(),
            skip: 0,
            received: 0,
            emitted: 0,
        };
        if from_hz != to_hz {
            let (from, to) = (from_hz as usize, to_hz as usize);
            let block = from / gcd(from, to);
            // The filter is as long as a chunk: about 2048 samples at the lower rate, for a transition
            // band of about 2 % of its Nyquist frequency. An even number of blocks makes the delay a
            // whole number of samples.
            let wanted = 2048.max(2048 * from / to);
            let blocks = wanted.div_ceil(block).next_multiple_of(2);
            let fft = Fft::new_custom(
                from,
                to,
                blocks * block,
                1,
                1,
                WindowFunction::BlackmanHarris2,
                FixedSync::Both,
            )
            .map_err(|e| DspError::Library(e.to_string()))?;
            this.skip = fft.output_delay();
            this.chunk_out = vec![0.0; fft.output_frames_max()];
            this.fft = Some(fft);
        }
        Ok(this)
    }

    /// Number of output samples for `n` input samples: ⌈n · to / from⌉.
    ///
    /// ```
    /// use cratedigger_dsp::Resampler;
    ///
    /// assert_eq!(Resampler::new(48_000, 22_050)?.output_length(48_000), 22_050);
    /// assert_eq!(Resampler::new(44_100, 22_050)?.output_length(3), 2);
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    pub fn output_length(&self, n: u64) -> u64 {
        (n * self.to).div_ceil(self.from)
    }

    /// Takes more input and appends the finished samples to `out`.
    ///
    /// ```
    /// use cratedigger_dsp::{Resampler, resample};
    ///
    /// let signal: Vec<f32> = (0..44_100).map(|i| (0.01 * i as f32).sin()).collect();
    /// let mut resampler = Resampler::new(44_100, 22_050)?;
    /// let mut out = Vec::new();
    /// for block in signal.chunks(1000) {
    ///     resampler.push(block, &mut out)?;
    /// }
    /// resampler.finish(&mut out)?;
    /// assert_eq!(out, resample(&signal, 44_100, 22_050)?);
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    ///
    /// # Errors
    /// A sample that is NaN or infinite (the whole push is ignored then).
    pub fn push(&mut self, input: &[f32], out: &mut Vec<f32>) -> Result<(), DspError> {
        check_finite(input)?;
        self.received += input.len() as u64;
        self.feed(input, out)
    }

    /// Ends the stream: appends the samples that are still in the filter.
    ///
    /// ```
    /// use cratedigger_dsp::Resampler;
    ///
    /// let mut resampler = Resampler::new(44_100, 22_050)?;
    /// let mut out = Vec::new();
    /// resampler.push(&[0.1; 44_100], &mut out)?;
    /// assert!(out.len() < 22_050); // the filter still holds some
    /// resampler.finish(&mut out)?;
    /// assert_eq!(out.len(), 22_050);
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    ///
    /// # Errors
    /// Unreachable with valid parameters.
    pub fn finish(&mut self, out: &mut Vec<f32>) -> Result<(), DspError> {
        let total = self.output_length(self.received);
        let start = out.len();
        let already = self.emitted;
        while self.emitted < total {
            let zeros = vec![0.0; self.chunk_in().max(1)];
            self.feed(&zeros, out)?;
        }
        // The last chunk extends past the end. At most `total` samples were emitted before this
        // call, because the delay is longer than the rounding.
        out.truncate(start + (total.saturating_sub(already)) as usize);
        self.emitted = total;
        Ok(())
    }

    fn chunk_in(&self) -> usize {
        self.fft.as_ref().map_or(0, Fft::input_frames_next)
    }

    fn feed(&mut self, mut input: &[f32], out: &mut Vec<f32>) -> Result<(), DspError> {
        let chunk = self.chunk_in();
        let Some(fft) = self.fft.as_mut() else {
            out.extend_from_slice(input);
            self.emitted += input.len() as u64;
            return Ok(());
        };
        let library = |e: &dyn std::fmt::Display| DspError::Library(e.to_string());
        while self.pending.len() + input.len() >= chunk {
            let (now, later) = input.split_at(chunk - self.pending.len());
            input = later;
            self.pending.extend_from_slice(now);
            let frames = self.chunk_out.len();
            let source = SequentialSlice::new(&self.pending, 1, chunk).map_err(|e| library(&e))?;
            let mut sink =
                SequentialSlice::new_mut(&mut self.chunk_out, 1, frames).map_err(|e| library(&e))?;
            let (_, written) = fft.process_into_buffer(&source, &mut sink, None).map_err(|e| library(&e))?;
            self.pending.clear();
            let dropped = self.skip.min(written);
            self.skip -= dropped;
            out.extend_from_slice(&self.chunk_out[dropped..written]);
            self.emitted += (written - dropped) as u64;
        }
        self.pending.extend_from_slice(input);
        Ok(())
    }
}

/// Resamples a whole signal; see [`Resampler`].
///
/// ```
/// use cratedigger_dsp::resample;
///
/// let half = resample(&vec![0.5; 44_100], 44_100, 22_050)?;
/// assert_eq!(half.len(), 22_050);
/// assert!((half[10_000] - 0.5).abs() < 1e-4);
/// # Ok::<(), cratedigger_dsp::DspError>(())
/// ```
///
/// # Errors
/// As [`Resampler::new`] and [`Resampler::push`].
pub fn resample(input: &[f32], from_hz: u32, to_hz: u32) -> Result<Vec<f32>, DspError> {
    let mut resampler = Resampler::new(from_hz, to_hz)?;
    let mut out = Vec::with_capacity(resampler.output_length(input.len() as u64) as usize + 4096);
    resampler.push(input, &mut out)?;
    resampler.finish(&mut out)?;
    Ok(out)
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}
