//! Everything between a `File` and its genre that is not drawing.
//!
//! The browser decodes the file, a web worker analyses the samples, and the host (Cratedigger's own
//! page, or somebody else's) receives typed [`Update`]s. This crate draws nothing and depends on no
//! user interface framework.
//!
//! - [`Client`]: the entry point for a host; a thin shell that does the I/O
//! - [`machine`]: the life of every song as a pure state machine, testable without a browser:
//!   queue, cancellation, retries, lost workers, model sets, live sound, explanations
//! - [`policy`]: which device takes a song, and how to recover from a lost worker
//! - [`sniff`]: a file's own sample rate, from its header; [`decode`]: its samples, by the browser
//! - [`route`]: which files the browser does not decode; a worker of the site's own decodes them piece by piece
//! - [`live`]: microphone and tab capture
//! - [`Collection`]: classes of one's own and similar songs, by a worker of its own
//! - [`Tagging`]: tags in audio files, by another worker of its own
//! - [`settings`]: typed settings with stable ids, and where they are stored
//! - [`trouble`]: everything that can go wrong, as types; the host writes the sentences
//!
//! A host needs the site's `worker-cpu`, `worker-gpu` and `worker-decode` files, for [`Collection`] those of
//! `worker-collection`, a `models` folder and `tap.js`, in one folder or anywhere ([`Files`]). A minimal host:
//!
//! ```no_run
//! use cratedigger_client::{Client, Settings, Update};
//!
//! # fn open(file: web_sys::File) {
//! let base = cratedigger_client::page_folder().unwrap_or_default();
//! let client = Client::start(base, Settings::default(), |update: Update| match update {
//!     Update::Song { song, update } => { /* show the progress or the result of `song` */ }
//!     _ => { /* devices, models, live sound, explanations */ }
//! });
//! client.open(1, file);
//! # }
//! ```

#![deny(unsafe_code)]

mod adapter;
mod build_status;
mod client;
mod collection;
pub mod decode;
mod decoder;
mod files;
mod global;
pub mod live;
pub mod machine;
pub mod policy;
pub mod route;
pub mod settings;
pub mod sniff;
mod streaming;
mod tagging;
pub mod trouble;
mod update;
mod worker;

pub use client::{Client, Sound, page_folder};
pub use collection::{Collection, CollectionError, SongFeatures};
pub use files::Files;
pub use live::{Capture, CaptureError, LiveSource};
pub use policy::{DeviceState, Mode};
pub use settings::{ModelChoice, Settings};
pub use tagging::{EditedFile, Tagging, TaggingError};
pub use trouble::{Reason, SongNotice, Trouble};
pub use update::{
    ExplanationUpdate, FullSet, Interval, Prediction, SongId, SongUpdate, Status, Tiles, Update,
};

/// The examples of the README are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
