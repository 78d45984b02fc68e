//! Decodes a file with the browser's decoder.

use js_sys::{ArrayBuffer, Float32Array, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AudioBuffer, File, OfflineAudioContext};

use crate::machine::Audio;
use crate::sniff;
use crate::trouble::{LARGEST_MEGABYTES, Trouble};
use crate::update::Interval;

/// Sample rate for a file whose header names none, or one that the browser refuses.
const FALLBACK_RATE: u32 = 44_100;
/// Sample rates that every browser's audio context accepts, as the standard requires.
const RATES: std::ops::RangeInclusive<u32> = 8_000..=192_000;

/// One array a channel, each with a buffer of its own, which can be transferred to a worker.
pub type Channels = Vec<Float32Array>;

/// Checks a file's size before it is read.
///
/// # Errors
///
/// [`Trouble::Empty`] and [`Trouble::TooLarge`].
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
/// A [`Trouble`] for the user: wrong size, not readable, or refused by the decoder. The decoder's own
/// message is dropped because it says nothing useful.
pub async fn decode(file: &File) -> Result<Audio<Channels>, Trouble> {
    check_size(file.size())?;
    let bytes: ArrayBuffer = JsFuture::from(file.array_buffer())
        .await
        .and_then(JsCast::dyn_into)
        .map_err(|_| Trouble::Unreadable)?;

    let rate = sniff::sample_rate(&reader(&bytes)).unwrap_or(FALLBACK_RATE);
    let rate = rate.clamp(*RATES.start(), *RATES.end());
    // The context only decodes; its length, 1, would be that of a rendering.
    let context = context(rate).or_else(|_| context(FALLBACK_RATE)).map_err(|_| Trouble::NotAudio)?;
    let promise = context.decode_audio_data(&bytes).map_err(|_| Trouble::NotAudio)?;
    let audio: AudioBuffer =
        JsFuture::from(promise).await.and_then(JsCast::dyn_into).map_err(|_| Trouble::NotAudio)?;

    let channels = (0..audio.number_of_channels())
        .map(|channel| {
            // `get_channel_data` would copy the song into WebAssembly's memory, which never shrinks.
            let samples = Float32Array::new_with_length(audio.length());
            let index = i32::try_from(channel).unwrap_or(i32::MAX);
            audio.copy_from_channel_with_f32_array(&samples, index)?;
            Ok(samples)
        })
        .collect::<Result<Vec<_>, JsValue>>()
        .map_err(|_| Trouble::BadSamples)?;
    Ok(Audio { sample_rate: audio.sample_rate().round() as u32, channels })
}

/// Cuts a part out of each channel.
pub(crate) fn cut(audio: &Audio<Channels>, range: Interval) -> Audio<Channels> {
    let rate = f64::from(audio.sample_rate);
    // A float-to-integer `as` saturates, and `slice` clips to the song's end.
    let place = |time: f64| (time * rate).round().max(0.0) as u32;
    let (start, end) = (place(range.start), place(range.end));
    let channels = audio.channels.iter().map(|channel| channel.slice(start, end)).collect();
    Audio { sample_rate: audio.sample_rate, channels }
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
