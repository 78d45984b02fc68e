//! Converts any number of channels to mono, at one or several sample rates.

use cratedigger_dsp::{Mixer, Resampler};

use crate::{Block, DecodeError, Decoder, Note, Notes};

/// One target sample rate.
struct Target {
    rate: u32,
    resampler: Option<Resampler>,
}

/// Decodes a file to mono at one or several rates, block by block, in constant memory.
///
/// If the sample rate or the number of channels changes within the file, the output continues without a
/// change.
pub struct MonoReader {
    decoder: Decoder,
    mixer: Mixer,
    targets: Vec<Target>,
    /// Sample rate in Hz of the current blocks; 0 before the first.
    rate: u32,
    mixed: Vec<f32>,
    /// Duration of the mix up to the last change of the sample rate, in seconds.
    seconds: f64,
    /// Number of frames mixed since then.
    frames: u64,
    /// Number of these frames at which the channels cancel and that are already in the notes.
    noted: u64,
    /// Whether the first block decides about the target rate.
    own_rate: bool,
    ended: bool,
}

impl MonoReader {
    /// Converts the samples of `decoder` to mono at each of `rates` in Hz.
    ///
    /// # Errors
    /// A rate outside [`cratedigger_dsp::MIN_RATE`]…[`cratedigger_dsp::MAX_RATE`].
    pub fn new(decoder: Decoder, rates: &[u32]) -> Result<Self, DecodeError> {
        for rate in rates {
            Resampler::new(*rate, *rate)?;
        }
        let targets = rates.iter().map(|rate| Target { rate: *rate, resampler: None }).collect();
        Ok(Self { targets, own_rate: false, ..Self::at_own_rate(decoder) })
    }

    /// Reads `decoder` on to mono at the rate of its first block; see [`MonoReader::rates`].
    pub fn at_own_rate(decoder: Decoder) -> Self {
        Self {
            decoder,
            mixer: Mixer::new(),
            targets: Vec::new(),
            rate: 0,
            mixed: Vec::new(),
            seconds: 0.0,
            frames: 0,
            noted: 0,
            own_rate: true,
            ended: false,
        }
    }

    /// The target rates in Hz, in the order of the vectors of [`MonoReader::read`]. Of a reader at the
    /// file's own rate, empty before the first block.
    pub fn rates(&self) -> Vec<u32> {
        self.targets.iter().map(|target| target.rate).collect()
    }

    /// Decodes the next block and appends it to `out`, which has one vector per target rate. Returns false
    /// after the end, when nothing was appended.
    ///
    /// # Errors
    /// As [`Decoder::next_block`], and a file whose sample rate cannot be resampled.
    pub fn read(&mut self, out: &mut [Vec<f32>]) -> Result<bool, DecodeError> {
        self.read_with(out, |_| ())
    }

    /// As [`MonoReader::read`]; also passes each block of the file, with all its channels at the
    /// file's own rate, to `each`.
    ///
    /// # Errors
    /// As [`MonoReader::read`].
    pub fn read_with(
        &mut self,
        out: &mut [Vec<f32>],
        each: impl FnOnce(&Block),
    ) -> Result<bool, DecodeError> {
        if self.ended {
            return Ok(false);
        }
        match self.decoder.next_block()? {
            Some(block) => {
                each(&block);
                self.take(&block, out)?;
            }
            None => {
                self.ended = true;
                self.flush(out)?;
            }
        }
        Ok(true)
    }

    /// The notes so far; complete after the end.
    pub fn notes(&self) -> &[Note] {
        self.decoder.notes()
    }

    /// The decoder, for its format and its duration so far.
    pub fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    fn take(&mut self, block: &Block, out: &mut [Vec<f32>]) -> Result<(), DecodeError> {
        if self.rate != block.sample_rate {
            if std::mem::take(&mut self.own_rate) {
                self.targets = vec![Target { rate: block.sample_rate, resampler: None }];
            }
            let planned = self
                .targets
                .iter()
                .map(|target| Resampler::new(block.sample_rate, target.rate))
                .collect::<Result<Vec<_>, _>>();
            let planned = match planned {
                Ok(planned) => planned,
                Err(error) if self.rate == 0 => return Err(error.into()),
                Err(error) => {
                    // A damaged header within the stream; later blocks may be valid again.
                    let at = self.seconds + self.frames as f64 / f64::from(self.rate);
                    self.decoder.notes_mut().add(Note::StreamLeftOut { at, what: error.to_string() });
                    return Ok(());
                }
            };
            self.flush(out)?;
            self.rate = block.sample_rate;
            for (target, resampler) in self.targets.iter_mut().zip(planned) {
                target.resampler = Some(resampler);
            }
        }
        self.mixer.push(&block.channels, &mut self.mixed);
        self.resample(out)?;
        self.note();
        Ok(())
    }

    fn resample(&mut self, out: &mut [Vec<f32>]) -> Result<(), DecodeError> {
        self.frames += self.mixed.len() as u64;
        for (target, out) in self.targets.iter_mut().zip(out) {
            if let Some(resampler) = &mut target.resampler {
                resampler.push(&self.mixed, out)?;
            }
        }
        self.mixed.clear();
        Ok(())
    }

    /// Ends the part with one sample rate.
    fn flush(&mut self, out: &mut [Vec<f32>]) -> Result<(), DecodeError> {
        self.mixer.finish(&mut self.mixed);
        self.resample(out)?;
        self.note();
        for (target, out) in self.targets.iter_mut().zip(out) {
            if let Some(resampler) = &mut target.resampler {
                resampler.finish(out)?;
            }
        }
        if self.rate > 0 {
            self.seconds += self.frames as f64 / f64::from(self.rate);
        }
        self.frames = 0;
        self.noted = 0;
        self.mixer = Mixer::new();
        Ok(())
    }

    /// Adds a note about channels that cancel, if the mixer found more of them.
    fn note(&mut self) {
        let Some((first, cancelled)) = self.mixer.cancelled().filter(|(_, frames)| *frames > self.noted)
        else {
            return;
        };
        let rate = f64::from(self.rate.max(1));
        let notes: &mut Notes = self.decoder.notes_mut();
        notes.add(Note::ChannelsCancel {
            first: self.seconds + first as f64 / rate,
            seconds: (cancelled - self.noted) as f64 / rate,
        });
        self.noted = cancelled;
    }
}
