//! Codecs: decode packets to samples.

mod opus;
pub(crate) mod pcm;

use std::panic::{AssertUnwindSafe, catch_unwind};

use symphonia::core::audio::{Channels, Position};
use symphonia::core::codecs::audio::well_known::{
    CODEC_ID_AAC, CODEC_ID_ADPCM_IMA_QT, CODEC_ID_ADPCM_IMA_WAV, CODEC_ID_ADPCM_MS, CODEC_ID_ALAC,
    CODEC_ID_FLAC, CODEC_ID_MP1, CODEC_ID_MP2, CODEC_ID_MP3, CODEC_ID_VORBIS,
};
use symphonia::core::codecs::audio::{AudioCodecId, AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::packet::PacketRef;
use symphonia::core::units::{Duration, Timestamp};

use crate::Block;
use crate::demux::{Coding, MAX_CHANNELS, Packet, Stream};
use opus::Opus;
pub(crate) use opus::RATE as OPUS_RATE;
use pcm::PcmFormat;

/// A packet cannot be decoded.
pub(crate) struct BadPacket;

/// The decoder of one stream.
pub(crate) enum Codec {
    Pcm {
        format: PcmFormat,
        rate: u32,
        channels: usize,
    },
    Symphonia {
        decoder: Box<dyn AudioDecoder>,
        stream: Box<Stream>,
        /// Whether the next packet gives no samples: the first packet of Vorbis only prepares the overlap
        /// with the second.
        silent: bool,
    },
    Opus(Box<Opus>),
}

impl Codec {
    /// Creates the decoder of a stream. The error names an unsupported coding.
    pub(crate) fn new(stream: &Stream) -> Result<Self, String> {
        match stream.coding {
            Coding::Pcm(format) => {
                if stream.rate == 0 || stream.channels == 0 || stream.channels > MAX_CHANNELS {
                    return Err(format!("PCM with {} channels at {} Hz", stream.channels, stream.rate));
                }
                Ok(Self::Pcm { format, rate: stream.rate, channels: stream.channels })
            }
            Coding::Opus => Opus::new(stream).map(|opus| Self::Opus(Box::new(opus))),
            _ => Ok(Self::Symphonia {
                decoder: symphonia(stream)?,
                stream: Box::new(stream.clone()),
                silent: stream.coding == Coding::Vorbis,
            }),
        }
    }

    /// Decodes one packet into `out`, and replaces its channels.
    pub(crate) fn decode(&mut self, packet: &Packet, out: &mut Block) -> Result<(), BadPacket> {
        match self {
            Self::Pcm { format, rate, channels } => {
                out.reset(*rate, *channels);
                format.decode(&packet.data, &mut out.channels);
                Ok(())
            }
            Self::Opus(opus) => opus.decode(&packet.data, out),
            Self::Symphonia { decoder, stream, silent } => {
                // Symphonia's decoders can panic on damaged data, for example by an overflow. The decoder
                // is then created again.
                let done = catch_unwind(AssertUnwindSafe(|| {
                    decode(decoder.as_mut(), &packet.data, stream.block_frames, out)
                }));
                match done {
                    Ok(Some(())) => {
                        if std::mem::take(silent) {
                            out.channels.iter_mut().for_each(Vec::clear);
                        }
                        Ok(())
                    }
                    Ok(None) => Err(BadPacket),
                    Err(_) => {
                        if let Ok(fresh) = symphonia(stream) {
                            *decoder = fresh;
                            *silent = stream.coding == Coding::Vorbis;
                        }
                        Err(BadPacket)
                    }
                }
            }
        }
    }
}

fn decode(decoder: &mut dyn AudioDecoder, data: &[u8], frames: u32, out: &mut Block) -> Option<()> {
    let packet = PacketRef::new(0, Timestamp::new(0), Duration::new(u64::from(frames)), data);
    let buffer = decoder.decode_ref(&packet).ok()?;
    let (rate, channels) = (buffer.spec().rate(), buffer.num_planes());
    if rate == 0 || channels == 0 || channels > MAX_CHANNELS {
        return None;
    }
    out.sample_rate = rate;
    buffer.copy_to_vecs_planar(&mut out.channels);
    out.channels.truncate(channels);
    Some(())
}

fn symphonia(stream: &Stream) -> Result<Box<dyn AudioDecoder>, String> {
    let (id, name): (AudioCodecId, &str) = match stream.coding {
        Coding::AdpcmMs => (CODEC_ID_ADPCM_MS, "MS ADPCM"),
        Coding::AdpcmIma => (CODEC_ID_ADPCM_IMA_WAV, "IMA ADPCM"),
        Coding::AdpcmQuickTime => (CODEC_ID_ADPCM_IMA_QT, "IMA4"),
        Coding::Mpeg(1) => (CODEC_ID_MP1, "MPEG audio layer 1"),
        Coding::Mpeg(2) => (CODEC_ID_MP2, "MPEG audio layer 2"),
        Coding::Mpeg(_) => (CODEC_ID_MP3, "MP3"),
        Coding::Aac => (CODEC_ID_AAC, "AAC"),
        Coding::Alac => (CODEC_ID_ALAC, "Apple Lossless"),
        Coding::Flac => (CODEC_ID_FLAC, "FLAC"),
        Coding::Vorbis | Coding::Pcm(_) | Coding::Opus => (CODEC_ID_VORBIS, "Vorbis"),
    };
    let named = |why: &dyn std::fmt::Display| {
        format!("{name} of a kind that is not supported ({why}; {} channels)", stream.channels)
    };
    let mut params = AudioCodecParameters::new();
    params.for_codec(id);
    if stream.rate > 0 {
        params.with_sample_rate(stream.rate);
    }
    let positions = u32::try_from(stream.channels).ok().and_then(Position::from_count);
    if let Some(positions) = positions.filter(|_| stream.channels > 0) {
        params.with_channels(Channels::Positioned(positions));
    }
    if !stream.extra.is_empty() {
        params.with_extra_data(stream.extra.clone().into_boxed_slice());
    }
    if stream.block_frames > 0 {
        params.with_frames_per_block(u64::from(stream.block_frames));
        params.with_max_frames_per_packet(u64::from(stream.block_frames));
    }
    let options = AudioDecoderOptions::default().gapless(false);
    match catch_unwind(|| symphonia::default::get_codecs().make_audio_decoder(&params, &options)) {
        Ok(made) => made.map_err(|error| named(&error)),
        Err(_) => Err(named(&"its headers are invalid")),
    }
}
