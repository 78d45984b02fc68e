//! Decodes a file with the browser's decoder, if it is one for it.

use js_sys::{ArrayBuffer, Float32Array, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AudioBuffer, Blob, File, OfflineAudioContext};

use crate::machine::Audio;
use crate::trouble::Trouble;
use crate::update::Interval;
use crate::{global, route, sniff};

/// Sample rate for a file whose header names none, or one that the browser refuses.
const FALLBACK_RATE: u32 = 44_100;
/// Sample rates that every browser's audio context accepts, as the standard requires.
const RATES: std::ops::RangeInclusive<u32> = 8_000..=192_000;

/// One array a channel, each with a buffer of its own, which can be transferred to a worker.
pub type Channels = Vec<Float32Array>;

/// Bytes of a file's beginning that tell whether it is too large.
const HEAD: f64 = 65_536.0;
/// Seconds by which the browser's result may be shorter than the frames that were counted: encoder delay and
/// padding.
const TOLERANCE: f64 = 1.0;

/// Why the browser does not decode a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undecoded {
    /// It is too long to be decoded as a whole.
    TooLong,
    /// The browser refuses it, or decodes only a part of it.
    Refused,
}

/// Why there are no samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Nothing can decode it.
    Trouble(Trouble),
    /// The browser does not; the page's own decoder may.
    Undecoded(Undecoded),
}

/// Reads a file and decodes it at its own sample rate, by the browser's decoder.
///
/// # Errors
///
/// A [`Failure`]. The decoder's own message is dropped because it says nothing useful.
pub async fn decode(file: &File) -> Result<Audio<Channels>, Failure> {
    let refused = Failure::Undecoded(Undecoded::Refused);
    if file.size() < 1.0 {
        return Err(Failure::Trouble(Trouble::Empty));
    }
    // Neither a worker nor Node.js has the browser's decoder.
    if !global::get("OfflineAudioContext").is_function() {
        return Err(refused);
    }
    let head = file.slice_with_f64_and_f64(0.0, HEAD.min(file.size())).map_err(|_| refused)?;
    if route::is_too_large(&reader(&bytes_of(&head).await?), file.size()) {
        return Err(Failure::Undecoded(Undecoded::TooLong));
    }
    let bytes = bytes_of(file).await?;
    let scan = route::scan(&reader(&bytes), file.size());
    if scan.is_for_own_decoder() {
        return Err(Failure::Undecoded(if scan.mixed { Undecoded::Refused } else { Undecoded::TooLong }));
    }
    let rate = sniff::sample_rate(&reader(&bytes)).unwrap_or(FALLBACK_RATE);
    let rate = rate.clamp(*RATES.start(), *RATES.end());
    // The context only decodes; its length, 1, would be that of a rendering.
    let context = context(rate).or_else(|_| context(FALLBACK_RATE)).map_err(|_| refused)?;
    let promise = context.decode_audio_data(&bytes).map_err(|_| refused)?;
    let audio: AudioBuffer = JsFuture::from(promise).await.and_then(JsCast::dyn_into).map_err(|_| refused)?;
    if scan.counted && scan.seconds.is_some_and(|seconds| audio.duration() + TOLERANCE < seconds) {
        return Err(refused);
    }

    let channels = (0..audio.number_of_channels())
        .map(|channel| {
            // `get_channel_data` would copy the song into WebAssembly's memory, which never shrinks.
            let samples = Float32Array::new_with_length(audio.length());
            let index = i32::try_from(channel).unwrap_or(i32::MAX);
            audio.copy_from_channel_with_f32_array(&samples, index)?;
            Ok(samples)
        })
        .collect::<Result<Vec<_>, JsValue>>()
        .map_err(|_| Failure::Trouble(Trouble::BadSamples))?;
    Ok(Audio { sample_rate: audio.sample_rate().round() as u32, channels })
}

async fn bytes_of(blob: &Blob) -> Result<ArrayBuffer, Failure> {
    JsFuture::from(blob.array_buffer())
        .await
        .and_then(JsCast::dyn_into)
        .map_err(|_| Failure::Trouble(Trouble::Unreadable))
}

/// A copy with buffers of its own.
pub(crate) fn copy(audio: &Audio<Channels>) -> Audio<Channels> {
    let channels = audio.channels.iter().map(|channel| channel.slice(0, channel.length())).collect();
    Audio { sample_rate: audio.sample_rate, channels }
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
