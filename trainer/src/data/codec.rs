//! Lossy coding of recordings: encodes a signal and decodes what was encoded, for training and evaluation.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use cratedigger_dsp::{degrade, resample};
use mp3lame_encoder::{Bitrate, Builder, EncodeError, FlushNoGap, Mode, MonoPcm, max_required_buffer_size};

use super::audio;

/// Sample rate of telephone networks in Hz.
const TELEPHONE_RATE: u32 = 8000;
/// Band of telephone networks in Hz (ITU-T G.712).
const TELEPHONE_BAND: [f64; 2] = [300.0, 3400.0];
/// Sample rates of MP3 in Hz.
const MP3_RATES: [u32; 9] = [8000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000];
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
    let mut decoded = audio::read(audio::open_bytes(bytes, name)?, name, &[rate])?;
    let mut out = decoded.signals.at_mut(rate).map(std::mem::take).unwrap_or_default();
    out.resize(signal.len(), 0.0);
    out.iter_mut().for_each(|sample| *sample /= gain);
    Ok(out)
}

/// The bytes of an MP3 file with LAME's header, which tells the encoder's delay and the length.
fn encode(input: &[f32], rate: u32, bit_rate: Bitrate) -> Result<Vec<u8>> {
    let mut encoder = Builder::new()
        .context("out of memory")?
        .with_num_channels(1)?
        .with_mode(Mode::Mono)?
        .with_sample_rate(rate)?
        .with_output_sample_rate(std::num::NonZeroU32::new(rate))?
        .with_brate(bit_rate)?
        .with_to_write_vbr_tag(true)?
        .build()?;
    let failed = |error: EncodeError| anyhow::anyhow!("{error}");
    let mut bytes = Vec::with_capacity(max_required_buffer_size(input.len()));
    encoder.encode_to_vec(MonoPcm(input), &mut bytes).map_err(failed)?;
    bytes.reserve(7200); // what LAME's manual asks for
    encoder.flush_to_vec::<FlushNoGap>(&mut bytes).map_err(failed)?;
    // LAME leaves room for the header at the beginning.
    let mut header = Vec::with_capacity(encoder.lame_tag_size());
    encoder.lame_tag_encode_to_vec(&mut header);
    ensure!(header.len() <= bytes.len(), "LAME's header is longer than the file");
    bytes[..header.len()].copy_from_slice(&header);
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

/// A sample in −1…1 after 8 bits of µ-law with µ = 255: 127 steps of each sign on a logarithmic scale.
fn mu_law(sample: f32) -> f32 {
    const MU: f64 = 255.0;
    let x = f64::from(sample).clamp(-1.0, 1.0);
    let compressed = (1.0 + MU * x.abs()).ln() / (1.0 + MU).ln();
    let level = (compressed * 127.0).round() / 127.0;
    let expanded = ((1.0 + MU).powf(level) - 1.0) / MU;
    expanded.copysign(x) as f32
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::f64::consts::TAU;

    use super::*;

    const RATE: u32 = 22_050;

    /// Tones at 440, 2000 and 9000 Hz of the same level, with a click that shows the position.
    fn chord() -> Vec<f32> {
        (0..2 * RATE as usize)
            .map(|n| {
                let tone = |hz: f64| (TAU * hz * n as f64 / f64::from(RATE)).sin() * 0.05;
                (tone(440.0) + tone(2000.0) + tone(9000.0)) as f32 + if n == 20_000 { 0.5 } else { 0.0 }
            })
            .collect()
    }

    /// Amplitude of a tone by correlation with it, whatever its phase.
    fn level(signal: &[f32], hz: f64) -> f64 {
        let (mut re, mut im) = (0.0, 0.0);
        for (n, sample) in signal.iter().enumerate() {
            let angle = TAU * hz * n as f64 / f64::from(RATE);
            re += f64::from(*sample) * angle.cos();
            im += f64::from(*sample) * angle.sin();
        }
        2.0 * re.hypot(im) / signal.len() as f64
    }

    fn loudest(signal: &[f32]) -> usize {
        (0..signal.len()).max_by(|a, b| signal[*a].abs().total_cmp(&signal[*b].abs())).unwrap()
    }

    #[test]
    fn mp3_loses_high_tones_first_and_keeps_length_level_and_position() {
        let song = chord();
        for kbps in MP3_BIT_RATES {
            let heard = mp3(&song, RATE, kbps).unwrap();
            assert_eq!(heard.len(), song.len());
            assert_ne!(heard, song);
            assert!(loudest(&heard).abs_diff(20_000) <= 2, "{kbps}: {}", loudest(&heard));
            for hz in [440.0, 2000.0] {
                assert!((level(&heard, hz) / 0.05 - 1.0).abs() < 0.1, "{kbps}, {hz}: {}", level(&heard, hz));
            }
        }
        assert!(level(&mp3(&song, RATE, 24).unwrap(), 9000.0) < 0.005);
        assert!(mp3(&song, RATE, 57).is_err());
    }

    #[test]
    fn a_rate_that_mp3_does_not_have_is_coded_at_another() {
        let heard = mp3(&chord(), 19_000, 48).unwrap();
        assert_eq!(heard.len(), chord().len());
    }

    #[test]
    fn a_telephone_keeps_its_band_only() {
        let heard = telephone(&chord(), RATE).unwrap();
        assert_eq!(heard.len(), chord().len());
        assert!((level(&heard, 2000.0) / 0.05 - 1.0).abs() < 0.1);
        assert!(level(&heard, 9000.0) < 1e-4);
    }

    #[test]
    fn mu_law_has_255_values_and_small_relative_errors() {
        let mut values: Vec<u32> = (-5000..=5000).map(|n| mu_law(n as f32 / 5000.0).to_bits()).collect();
        values.sort_unstable();
        values.dedup();
        // 127 steps of each sign, and a zero of each sign.
        assert_eq!(values.len(), 256);
        for x in [0.01_f32, 0.1, 0.7, -0.3] {
            assert!((mu_law(x) / x - 1.0).abs() < 0.08, "{x}");
        }
        assert_eq!(mu_law(2.0), 1.0);
    }
}
