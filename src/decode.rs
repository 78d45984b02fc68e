//! From a file to samples, with the browser's decoder.

use js_sys::{ArrayBuffer, Float32Array, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AudioBuffer, File, OfflineAudioContext};

use crate::sniff;
use crate::trouble::{LARGEST_MEGABYTES, Trouble};

/// Used where the header names no rate, or one that the browser refuses.
const FALLBACK_RATE: u32 = 44_100;
/// What every browser's audio context accepts (the standard asks for at least this).
const RATES: std::ops::RangeInclusive<u32> = 8_000..=192_000;

/// A song's samples, each channel in a buffer of its own that can be transferred to a worker.
pub struct Decoded {
    /// Samples a second.
    pub sample_rate: u32,
    /// One array a channel.
    pub channels: Vec<Float32Array>,
}

/// Refuses, without reading it, a file that cannot become a song.
pub fn check_size(bytes: f64) -> Result<(), Trouble> {
    let megabytes = bytes / 1e6;
    if bytes < 1.0 {
        Err(Trouble::Empty)
    } else if megabytes > f64::from(LARGEST_MEGABYTES) {
        Err(Trouble::TooLarge { megabytes: megabytes.ceil() as u32 })
    } else {
        Ok(())
    }
}

/// Reads and decodes a file at its own sample rate.
///
/// # Errors
///
/// A [`Trouble`] for the visitor. The decoder's own messages say nothing useful.
pub async fn decode(file: &File) -> Result<Decoded, Trouble> {
    check_size(file.size())?;
    let bytes: ArrayBuffer = JsFuture::from(file.array_buffer())
        .await
        .and_then(JsCast::dyn_into)
        .map_err(|_| Trouble::Unreadable)?;

    let rate = sniff::sample_rate(&reader(&bytes)).unwrap_or(FALLBACK_RATE);
    let rate = rate.clamp(*RATES.start(), *RATES.end());
    // The length given here is that of a rendering that never happens.
    let context = context(rate).or_else(|_| context(FALLBACK_RATE)).map_err(|_| Trouble::NotAudio)?;
    let promise = context.decode_audio_data(&bytes).map_err(|_| Trouble::NotAudio)?;
    let audio: AudioBuffer =
        JsFuture::from(promise).await.and_then(JsCast::dyn_into).map_err(|_| Trouble::NotAudio)?;

    let channels = (0..audio.number_of_channels())
        .map(|channel| {
            // Not `get_channel_data`: that copies the song into the page's own memory, which
            // never shrinks again.
            let samples = Float32Array::new_with_length(audio.length());
            let index = i32::try_from(channel).unwrap_or(i32::MAX);
            audio.copy_from_channel_with_f32_array(&samples, index)?;
            Ok(samples)
        })
        .collect::<Result<Vec<_>, JsValue>>()
        .map_err(|_| Trouble::BadSamples)?;
    Ok(Decoded { sample_rate: audio.sample_rate().round() as u32, channels })
}

fn context(rate: u32) -> Result<OfflineAudioContext, JsValue> {
    OfflineAudioContext::new_with_number_of_channels_and_length_and_sample_rate(1, 1, rate as f32)
}

fn reader(bytes: &ArrayBuffer) -> impl Fn(u64, usize) -> Vec<u8> {
    let bytes = Uint8Array::new(bytes);
    move |offset, length| {
        let clip = |at: u64| u32::try_from(at).unwrap_or(u32::MAX).min(bytes.length());
        let end = offset.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        bytes.subarray(clip(offset), clip(end)).to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_refused_before_reading() {
        assert_eq!(check_size(0.0), Err(Trouble::Empty));
        assert_eq!(check_size(44.0), Ok(()));
        assert_eq!(check_size(300e6), Ok(()));
        assert_eq!(check_size(300.2e6), Err(Trouble::TooLarge { megabytes: 301 }));
    }
}
