//! Lossy coding of recordings: encodes a signal and decodes what was encoded, for training and evaluation.

use std::path::Path;

use anyhow::{Context as _, Result};
use cratedigger_dsp::{degrade, resample};
use mp3lame_encoder::{Bitrate, Builder, EncodeError, FlushNoGap, Mode, MonoPcm, max_required_buffer_size};

use super::audio;

/// Sample rate of telephone networks in Hz.
const TELEPHONE_RATE: u32 = 8000;
/// Band of telephone networks in Hz (ITU-T G.712).
const TELEPHONE_BAND: [f64; 2] = [300.0, 3400.0];
/// Sample rates of MP3 in Hz.
const MP3_RATES: [u32; 9] = [8000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000];
/// Samples by which LAME's encoder and a decoder together delay a signal: 576 and 529.
const MP3_DELAY: usize = 1105;
/// Peak of a signal that is encoded: codecs clip what is louder.
const PEAK: f32 = 0.9;

/// Bit rates of MP3 in kbit/s that every sample rate of MPEG-2 and MPEG-2.5 allows.
pub const MP3_BIT_RATES: [u32; 5] = [24, 32, 40, 48, 64];

/// A mono signal encoded as MP3 by LAME at a constant bit rate, and decoded again. Sample rate (Hz),
/// length and position of the samples stay the same.
///
/// # Errors
/// `kbps` is not one of [`MP3_BIT_RATES`], LAME refuses the signal, or the result cannot be decoded.
pub fn mp3(signal: &[f32], rate: u32, kbps: u32) -> Result<Vec<f32>> {
    let bit_rate = match kbps {
        24 => Bitrate::Kbps24,
        32 => Bitrate::Kbps32,
        40 => Bitrate::Kbps40,
        48 => Bitrate::Kbps48,
        64 => Bitrate::Kbps64,
        _ => anyhow::bail!("{kbps} kbit/s is not one of {MP3_BIT_RATES:?}"),
    };
    let coded_rate = MP3_RATES.into_iter().find(|known| *known >= rate).unwrap_or(48_000);
    let mut input = resample(signal, rate, coded_rate)?;
    let gain = at_peak(&mut input);
    let bytes = encode(&input, coded_rate, bit_rate).context("LAME failed")?;
    let name = Path::new("encoded.mp3");
    let mut decoded = audio::read(audio::open_bytes(bytes, name)?, name, &[coded_rate])?;
    let mut coded = decoded.signals.at_mut(coded_rate).map(std::mem::take).unwrap_or_default();
    coded.drain(..MP3_DELAY.min(coded.len()));
    let mut out = resample(&coded, coded_rate, rate)?;
    out.resize(signal.len(), 0.0);
    out.iter_mut().for_each(|sample| *sample /= gain);
    Ok(out)
}

/// Bytes of MP3 without LAME's header, for which frames of a low bit rate are too short.
fn encode(input: &[f32], rate: u32, bit_rate: Bitrate) -> Result<Vec<u8>> {
    let mut encoder = Builder::new()
        .context("out of memory")?
        .with_num_channels(1)?
        .with_mode(Mode::Mono)?
        .with_sample_rate(rate)?
        .with_output_sample_rate(std::num::NonZeroU32::new(rate))?
        .with_brate(bit_rate)?
        .with_to_write_vbr_tag(false)?
        .build()?;
    let failed = |error: EncodeError| anyhow::anyhow!("{error}");
    let mut bytes = Vec::with_capacity(max_required_buffer_size(input.len()));
    encoder.encode_to_vec(MonoPcm(input), &mut bytes).map_err(failed)?;
    bytes.reserve(7200); // what LAME's manual asks for
    encoder.flush_to_vec::<FlushNoGap>(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// A signal as a telephone network transmits it: 8000 Hz, 300 to 3400 Hz, 8 bits of µ-law (ITU-T G.711).
/// Sample rate and length stay the same.
///
/// # Errors
/// A sample is not finite.
pub fn telephone(signal: &[f32], rate: u32) -> Result<Vec<f32>> {
    let mut narrow = resample(signal, rate, TELEPHONE_RATE)?;
    degrade::band_limit(&mut narrow, TELEPHONE_RATE, TELEPHONE_BAND[0], TELEPHONE_BAND[1])?;
    let gain = at_peak(&mut narrow);
    narrow.iter_mut().for_each(|sample| *sample = mu_law(*sample) / gain);
    let mut out = resample(&narrow, TELEPHONE_RATE, rate)?;
    out.resize(signal.len(), 0.0);
    Ok(out)
}

/// Scales a signal to a peak of [`PEAK`]. Returns the gain; 1 for silence.
fn at_peak(signal: &mut [f32]) -> f32 {
    let peak = signal.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
    let gain = PEAK / peak;
    if !(gain.is_finite() && gain > 0.0) {
        return 1.0;
    }
    signal.iter_mut().for_each(|sample| *sample *= gain);
    gain
}

/// A sample, clipped to −1…1, after 8 bits of µ-law with µ = 255: 127 steps of each sign on a logarithmic scale.
pub fn mu_law(sample: f32) -> f32 {
    const MU: f64 = 255.0;
    let x = f64::from(sample).clamp(-1.0, 1.0);
    let compressed = (1.0 + MU * x.abs()).ln() / (1.0 + MU).ln();
    let level = (compressed * 127.0).round() / 127.0;
    let expanded = ((1.0 + MU).powf(level) - 1.0) / MU;
    expanded.copysign(x) as f32
}
