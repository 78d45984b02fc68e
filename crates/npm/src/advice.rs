//! What went wrong and what to do about it, in English, for the developer who uses the package.

use cratedigger_client::{Reason, Trouble};

/// The argument of `listen` is of no use.
pub const BAD_SOURCE: &str =
    "listen() takes a MediaStream, \"microphone\" or \"tab\". Pass one of them, in a page.";
/// See [`cratedigger_client::CaptureError::NoOutput`].
pub const NO_OUTPUT: &str = "The browser does not process sound: some do not on a machine without an audio output. Connect \
     one, or classify a file.";
/// See [`cratedigger_client::CaptureError::Refused`].
pub const NO_SOURCE: &str = "The source cannot be heard: the user or the browser refused it, or it has no sound. Ask again \
     from a click, on a page with HTTPS.";

/// Why a song has no result, and what to do. `detail` is the decoder's or the worker's own words, or empty.
pub fn trouble(trouble: Trouble, detail: &str) -> String {
    let what = if detail.is_empty() { "something else" } else { detail };
    match trouble {
        Trouble::Empty => "The input has 0 bytes. Pass another copy of the file.".into(),
        Trouble::Unreadable => "The file's bytes cannot be read. Was it moved or changed? Choose it again.".into(),
        Trouble::NotAudio => {
            "The browser refuses this file, and the package's decoder could not be loaded. Check that \
             worker-decode.js and worker-decode_bg.wasm are served."
                .into()
        }
        Trouble::TooLong => {
            "This file is too long for the browser, and the package's decoder could not be loaded. Check that \
             worker-decode.js and worker-decode_bg.wasm are served."
                .into()
        }
        Trouble::OtherFile => format!("This is no sound file: it is {what}. Pass a sound or video file."),
        Trouble::Unsupported => {
            format!("This file cannot be decoded: it is {what}. Convert it to FLAC, WAV, MP3 or M4A.")
        }
        Trouble::Protected => "This file is copy-protected. Pass a copy without protection.".into(),
        Trouble::NoSound => "This file holds no sound. Pass another file.".into(),
        Trouble::Damaged => "This file is damaged. Pass another copy of it.".into(),
        Trouble::Decoder => "The decoder stopped. Classify the file again.".into(),
        Trouble::TooShort => "This sound is too short. Pass one of at least a few seconds.".into(),
        Trouble::Silent => "This sound is silent from start to end. Pass another one.".into(),
        Trouble::BadSamples => "The samples are of no use: no channel, channels of different lengths, numbers that are \
             not finite, or a sample rate outside 1000 to 768000 Hz. Check them."
            .into(),
        Trouble::Models => "The networks cannot be loaded. Check the URL of the manifest.".into(),
        Trouble::Device => "Every device has failed at this sound. Load a new Classifier and try once more.".into(),
        Trouble::Mismatch => {
            "The package's files are of different versions, usually because a cache keeps old ones. Serve the \
             files of one version."
                .into()
        }
    }
}

/// Why a device is out of use, and what to do.
pub fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::NoApi => "There is no WebGPU here. Use the device \"auto\" or \"cpu\".",
        Reason::NoAdapter => "The browser has WebGPU but no adapter. Use the device \"auto\" or \"cpu\".",
        Reason::Lacking => {
            "The GPU lacks a feature that the networks need. Use the device \"auto\" or \"cpu\"."
        }
        Reason::Mismatch => {
            "This device computes other numbers than those that the manifest expects. Use another device."
        }
        Reason::Models => {
            "The networks cannot be loaded. Check that the manifest and the weights beside it are served, and \
             that this page may fetch them."
        }
        Reason::Protocol => {
            "The package's files are of different versions, usually because a cache keeps old ones. Serve the \
             files of one version."
        }
        Reason::Stopped => {
            "The worker stopped or could not be loaded. Check that the package's files are served, and that \
             the content security policy allows script-src 'self' 'wasm-unsafe-eval' and worker-src blob:."
        }
    }
}
