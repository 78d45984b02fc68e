//! A manifest and weights for a taught head.

use burn::module::Module as _;
use burn::tensor::Device;
use cratedigger_protocol::Metric;

use super::{Lesson, Taught};
use crate::nets::{HalfPrecision, parameter_count};
use crate::{
    AnalyseError, DataRecord, Extractor, FORMAT, Golden, LoadError, Manifest, Model, ModelEntry, Training,
    golden_signal, sha256_hex,
};

/// Name of the protocol in the manifest: each song was predicted by a head that was fitted without it.
pub const PROTOCOL: &str = "leave-one-song-out";

/// What [`export`] takes from outside.
#[derive(Clone, Copy, Debug)]
pub struct Export<'a> {
    /// Name of the network; its weights are `NAME.bpk`.
    pub name: &'a str,
    /// How it was taught, for the record: the command line, or the page.
    pub command: &'a str,
    /// SHA-256 over the contents of all songs.
    pub data_sha256: &'a str,
}

/// The manifest of a taught head with the bytes of its weights. The body keeps its half precision, the head has
/// single precision. Kinds, tags, sections and licence are those of `base`, whose network with the embedding is
/// `ear`.
///
/// # Errors
/// The head does not fit the network, or the device fails.
pub async fn export(
    base: &Manifest,
    ear: &Model,
    lesson: &Lesson<'_>,
    taught: &Taught,
    about: Export<'_>,
    device: &Device,
) -> Result<(Manifest, Vec<u8>), AnalyseError> {
    let failed = |reason: String| AnalyseError::Device { model: about.name.to_owned(), reason };
    let network = ear.network().clone().map(&mut HalfPrecision);
    let network = network.with_new_head(&taught.head).map_err(failed)?;
    let parameters = parameter_count(&network) as u64;
    let weights = network.into_record().into_bytes().map_err(|e| failed(e.to_string()))?.to_vec();
    let entry = ear.entry();
    let architecture = entry.architecture.with_new_head();
    let mut ids: Vec<String> = lesson.songs.iter().map(|song| song.name.clone()).collect();
    ids.sort();
    let (accuracy, interval) = taught.accuracy(lesson.songs);
    let metric = Metric {
        protocol: PROTOCOL.into(),
        level: "track".into(),
        condition: None,
        n: lesson.songs.len() as u64,
        accuracy,
        interval: Some(interval),
        confusion: Some(taught.confusion(lesson.songs, lesson.classes.len())),
    };
    let mut own = ModelEntry {
        name: about.name.to_owned(),
        weights: format!("{}.bpk", about.name),
        bytes: weights.len() as u64,
        sha256: sha256_hex(&weights),
        parameters,
        spec_hash: ModelEntry::hash_of(&entry.input_spec, &architecture, &entry.preparation),
        architecture,
        input_spec: entry.input_spec.clone(),
        preparation: entry.preparation.clone(),
        non_music: !lesson.non_music.kinds().is_empty(),
        licence: entry.licence.clone(),
        training: Training {
            command: about.command.to_owned(),
            seed: 0,
            protocol: PROTOCOL.into(),
            epoch: 1,
            data: DataRecord {
                sha256: about.data_sha256.to_owned(),
                train_clips: lesson.songs.len(),
                valid_clips: 0,
                ids,
            },
            config: serde_json::json!({
                "method": "logistic", "c": super::C, "left_out_together": taught.together,
                "body": { "name": entry.name, "sha256": entry.sha256 },
            }),
        },
        metrics: vec![metric.clone()],
        golden: Golden { logits: Vec::new() },
    };
    let outputs = taught.head.biases.len();
    let model =
        Model::load(&own, outputs, weights.clone(), device).map_err(|e: LoadError| failed(e.to_string()))?;
    own.golden.logits = model.logits(golden_window(entry)?).await?;
    let manifest = Manifest {
        format: FORMAT,
        classes: lesson.classes.to_vec(),
        non_music: lesson.non_music.kinds().to_vec(),
        tags_above: base.tags_above,
        metrics: vec![metric],
        ensemble: taught.rule.clone(),
        full: None,
        character: None,
        sections: base.sections,
        models: vec![own],
    };
    Ok((manifest, weights))
}

/// The features of the golden signal, for [`super::NonMusic::check`].
///
/// # Errors
/// The network has no embedding, or the device failed.
pub async fn golden_features(ear: &Model) -> Result<Vec<f32>, AnalyseError> {
    Ok(ear.logits_and_features(golden_window(ear.entry())?).await?.1)
}

fn golden_window(entry: &ModelEntry) -> Result<Vec<f32>, AnalyseError> {
    let signal = golden_signal(entry.input_spec.sample_rate, entry.input_spec.segment_seconds);
    let mut window = Vec::new();
    Extractor::new(&entry.input_spec, &entry.preparation)?.window(&signal, 0, &mut window)?;
    Ok(window)
}
