//! Mono out of any channels, at one or several rates.

use cratedigger_dsp::{Mixer, Resampler};

use crate::{Block, DecodeError, Decoder, Note, Notes};

/// One target rate.
struct Target {
    rate: u32,
    resampler: Option<Resampler>,
}

/// Decodes a file to mono at one or several rates, block by block, in constant memory.
///
/// A change of rate or channels within the file is converted: the stream goes on.
pub struct MonoReader {
    decoder: Decoder,
    mixer: Mixer,
    targets: Vec<Target>,
    /// Rate of the blocks that the mixer holds, in Hz.
    rate: u32,
    mixed: Vec<f32>,
    /// Length of what was mixed up to the last change of rate, in seconds.
    seconds: f64,
    /// Frames that were mixed since.
    frames: u64,
    /// Of these, the frames in which the channels cancel and that are in the notes.
    noted: u64,
    /// Whether the first block decides about the target rate.
    own_rate: bool,
    ended: bool,
}

impl MonoReader {
    /// Reads `decoder` on to mono at each of `rates`, in Hz.
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

    /// Decodes some more and appends to `out`, one vector a target rate. False after the end, when
    /// nothing was appended.
    ///
    /// # Errors
    /// As [`Decoder::next_block`], and a file whose sample rate cannot be resampled.
    pub fn read(&mut self, out: &mut [Vec<f32>]) -> Result<bool, DecodeError> {
        if self.ended {
            return Ok(false);
        }
        match self.decoder.next_block()? {
            Some(block) => self.take(&block, out)?,
            None => {
                self.ended = true;
                self.flush(out)?;
            }
        }
        Ok(true)
    }

    /// What was left out or mended up to now; complete after the end.
    pub fn notes(&self) -> &[Note] {
        self.decoder.notes()
    }

    /// The decoder, for its format and its length up to now.
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
                    // A damaged header in mid-stream; what follows may be good again.
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

    /// Ends the stretch of one sample rate.
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

    /// Passes on what the mixer found.
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
