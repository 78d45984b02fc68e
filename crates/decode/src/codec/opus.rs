//! Opus, decoded by [`opus_pure`].

use std::panic::{AssertUnwindSafe, catch_unwind};

use opus_pure::{MAX_PACKET_SAMPLES, OpusDecoder, OpusMSDecoder};

use super::BadPacket;
use crate::demux::Stream;
use crate::{Block, bytes};

/// Sample rate in Hz at which all Opus streams are decoded, the highest that Opus has.
pub(crate) const RATE: u32 = 48_000;

/// Largest plausible output gain in dB; a larger one is ignored.
const MAX_GAIN: f32 = 40.0;

enum Inner {
    /// Mono and stereo.
    One(Box<OpusDecoder>),
    Many(OpusMSDecoder),
}

/// An Opus decoder with the properties of its `OpusHead`.
pub(crate) struct Opus {
    inner: Inner,
    channels: usize,
    family: u8,
    /// Linear factor of the header's output gain.
    gain: f32,
    interleaved: Vec<f32>,
}

impl Opus {
    /// Creates the decoder from the `OpusHead` packet in `extra`, or else from the number of channels.
    pub(crate) fn new(stream: &Stream) -> Result<Self, String> {
        let head = &stream.extra;
        let has_head = head.starts_with(b"OpusHead") && head.len() >= 19;
        let [channels] = bytes::at(head, 9);
        let (channels, family) = if has_head {
            (usize::from(channels), bytes::at::<1>(head, 18)[0])
        } else {
            (stream.channels, 0)
        };
        // Decibels in steps of 1/256.
        let gain = if has_head { f32::from(bytes::u16_le(head, 16) as i16) / 256.0 } else { 0.0 };
        let inner = make(channels, family)
            .ok_or_else(|| format!("Opus with {channels} channels in mapping family {family}"))?;
        Ok(Self {
            inner,
            channels,
            family,
            gain: if gain.abs() <= MAX_GAIN { 10_f32.powf(gain / 20.0) } else { 1.0 },
            interleaved: vec![0.0; MAX_PACKET_SAMPLES * channels],
        })
    }

    pub(crate) fn decode(&mut self, packet: &[u8], out: &mut Block) -> Result<(), BadPacket> {
        if packet.is_empty() {
            return Err(BadPacket);
        }
        let (inner, buffer) = (&mut self.inner, &mut self.interleaved);
        let done = catch_unwind(AssertUnwindSafe(|| match inner {
            Inner::One(decoder) => decoder.decode(packet, MAX_PACKET_SAMPLES, buffer).ok(),
            Inner::Many(decoder) => decoder.decode(packet, MAX_PACKET_SAMPLES, buffer).ok(),
        }));
        let frames = match done {
            Ok(Some(frames)) => frames,
            Ok(None) => return Err(BadPacket),
            Err(_) => {
                if let Some(fresh) = make(self.channels, self.family) {
                    self.inner = fresh;
                }
                return Err(BadPacket);
            }
        };
        out.reset(RATE, self.channels);
        let samples = self.interleaved.get(..frames * self.channels).ok_or(BadPacket)?;
        for (index, channel) in out.channels.iter_mut().enumerate() {
            channel.extend(samples.iter().skip(index).step_by(self.channels).map(|s| s * self.gain));
        }
        Ok(())
    }
}

fn make(channels: usize, family: u8) -> Option<Inner> {
    if channels == 0 {
        return None;
    }
    if channels <= 2 && family <= 1 {
        return OpusDecoder::new(RATE as i32, channels).ok().map(|decoder| Inner::One(Box::new(decoder)));
    }
    catch_unwind(|| OpusMSDecoder::new(RATE as i32, channels, family)).ok()?.ok().map(Inner::Many)
}
