//! A network as a zip file: manifest, weights and licence, as `cratedigger classify --model` reads them from a
//! folder.

use std::io::{Cursor, Read as _, Write as _};

use cratedigger_protocol::FailureKind;
use cratedigger_zoo::Manifest;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::bad;
use crate::Failure;

/// Name of the manifest in the file.
const MANIFEST: &str = "manifest.json";
/// Most bytes that a file inside may have. The network with the embedding is a fraction of a megabyte.
const MOST_BYTES: u64 = 64 << 20;

/// Writes a zip file.
pub(super) fn pack(manifest: &Manifest, weights: &[u8]) -> Result<Vec<u8>, Failure> {
    let json = serde_json::to_vec_pretty(manifest).map_err(bad)?;
    let entry = manifest.models.first().ok_or_else(|| bad("the manifest has no network"))?;
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    // Weights in half precision hardly compress.
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let licence = entry.licence.as_ref().map(|licence| ("LICENSE-network.txt", licence.as_bytes()));
    let files = [(MANIFEST, json.as_slice()), (entry.weights.as_str(), weights)];
    for (name, bytes) in files.into_iter().chain(licence) {
        zip.start_file(name, options).map_err(bad)?;
        zip.write_all(bytes).map_err(bad)?;
    }
    Ok(zip.finish().map_err(bad)?.into_inner())
}

/// Reads a zip file: the manifest, and the weights of its one network.
pub(super) fn unpack(bytes: &[u8]) -> Result<(Manifest, Vec<u8>), Failure> {
    let unfit = |what: &dyn std::fmt::Display| Failure::new(FailureKind::Models, what);
    let mut zip = ZipArchive::new(Cursor::new(bytes)).map_err(|e| unfit(&e))?;
    // A folder that was packed by hand has its name before the files'.
    let is_manifest = |name: &String| *name == MANIFEST || name.ends_with("/manifest.json");
    let place = zip.file_names().filter_map(|name| Some(name.ok()?.into_owned())).find(is_manifest);
    let place = place.ok_or_else(|| unfit(&"there is no manifest.json in it"))?;
    let folder = place.trim_end_matches(MANIFEST).to_owned();
    let mut read = |name: &str| -> Result<Vec<u8>, Failure> {
        let file = zip.by_name(name).map_err(|e| unfit(&format!("{name}: {e}")))?;
        let mut content = Vec::new();
        file.take(MOST_BYTES).read_to_end(&mut content).map_err(|e| unfit(&format!("{name}: {e}")))?;
        Ok(content)
    };
    let manifest = Manifest::parse(&read(&place)?).map_err(|e| unfit(&e))?;
    let [entry] = manifest.models.as_slice() else { return Err(unfit(&"it has more than one network")) };
    let weights = read(&format!("{folder}{}", entry.weights))?;
    Ok((manifest, weights))
}
