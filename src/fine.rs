//! The finest values of a long song's spectrogram. Blobs hold them, which are outside of the page's own
//! memory and on the disk where there are many; they are read again where the visitor zooms in.

use std::collections::{BTreeMap, BTreeSet};

use js_sys::{Array, Uint8Array};
use leptos::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::Blob;

use crate::spectrogram::Dirty;
use crate::state::Song;
use crate::time_range::TimeRange;

/// Segments in one blob: about a megabyte.
const SEGMENTS: usize = 64;

/// The finest values of the segments of one song.
#[derive(Default)]
pub struct Fine {
    /// Full blobs.
    blobs: Vec<Blob>,
    /// The segments that come into the next blob.
    pending: Vec<Vec<u8>>,
    /// Blob and place in it of each segment.
    places: BTreeMap<u32, (usize, usize)>,
    /// Segments that are being read.
    reading: BTreeSet<u32>,
}

impl Fine {
    /// Adds the values of a segment, of which all have the same number.
    pub fn put(&mut self, index: u32, values: Vec<u8>) {
        self.places.insert(index, (self.blobs.len(), self.pending.len()));
        self.pending.push(values);
        if self.pending.len() < SEGMENTS {
            return;
        }
        let parts: Array = self.pending.iter().map(|values| Uint8Array::from(values.as_slice())).collect();
        match Blob::new_with_u8_array_sequence(&parts) {
            Ok(blob) => {
                self.blobs.push(blob);
                self.pending.clear();
            }
            // Without room for a blob, these segments stay coarse.
            Err(_) => {
                let lost = self.blobs.len();
                self.places.retain(|_, (blob, _)| *blob != lost);
                self.pending.clear();
            }
        }
    }

    /// The values of a segment, or the blob that has them.
    fn find(&self, index: u32) -> Option<Result<Vec<u8>, Blob>> {
        let (blob, place) = *self.places.get(&index)?;
        let Some(blob) = self.blobs.get(blob) else { return self.pending.get(place).cloned().map(Ok) };
        let size = blob.size() / SEGMENTS as f64;
        let start = size * place as f64;
        blob.slice_with_f64_and_f64(start, start + size).ok().map(Err)
    }
}

/// Brings the values that `view` needs in `width` pixel columns into the song's spectrogram.
pub fn bring(song: Song, view: TimeRange, width: usize) {
    let missing = song.spectrogram.try_update_value(|picture| picture.missing(view, width));
    for index in missing.unwrap_or_default() {
        let found = song.fine.try_update_value(|fine| {
            let found = fine.find(index)?;
            fine.reading.insert(index).then_some(found)
        });
        match found.flatten() {
            Some(Ok(values)) => refine(song, index, Some(values)),
            Some(Err(blob)) => spawn_local(async move {
                let bytes = JsFuture::from(blob.array_buffer()).await;
                refine(song, index, bytes.ok().map(|bytes| Uint8Array::new(&bytes).to_vec()));
            }),
            None => {}
        }
    }
}

/// Ends reading a segment. The song may be gone by now.
fn refine(song: Song, index: u32, values: Option<Vec<u8>>) {
    let _ = song.fine.try_update_value(|fine| fine.reading.remove(&index));
    let dirty = values.and_then(|values| song.spectrogram.try_update_value(|all| all.refine(index, values)));
    if let Some(dirty) = dirty.filter(|dirty| *dirty != Dirty::Nothing) {
        let _ = song.dirty.try_update(|all| all.push(dirty));
    }
}
