//! Examples: the windows of each clip, made from audio, arrays, tables or pictures, with a cache on disk.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, bail, ensure};
use cratedigger_dsp::augment::generator;
use cratedigger_dsp::picture::Picture;
use cratedigger_zoo::{Extractor, Input, InputSpec, MIN_SECONDS, Preparation, prepare, sha256_hex};
use rand::{Rng, RngExt as _};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::augment::AudioAugmentation;
use super::preprocess::sequences;
use super::{Clip, Columns, Dataset, audio, columns_of};
use crate::format::causes;

/// Source of the inputs if a data set has several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// Tables, arrays or pictures if they fit the input spec, else audio
    #[default]
    Auto,
    /// Only audio
    Audio,
    /// Only arrays of log-mel
    Arrays,
    /// Only tables of features
    Tables,
    /// Only pictures
    Pictures,
    /// As `auto`, and training also uses the audio of the clip: the two versions differ like a data set and
    /// a file on the page
    Both,
}

/// One version of a clip, from which windows are drawn.
#[derive(Clone, Debug)]
pub enum Version {
    /// A spectrogram; a window can start at any column. For input specs with log-mel only.
    Columns(Arc<Columns>),
    /// The raw values of each segment, all parts concatenated.
    Segments(Arc<Vec<Vec<f32>>>),
}

impl Version {
    /// Number of segments.
    pub fn segments(&self, spec: &InputSpec) -> usize {
        match (self, spec.log_mel()) {
            (Self::Columns(columns), Some(mel)) => columns.segments(spec, mel).len(),
            (Self::Columns(_), None) => 0,
            (Self::Segments(segments), _) => segments.len(),
        }
    }

    /// The raw values of a segment, all parts concatenated.
    pub fn segment(&self, spec: &InputSpec, segment: usize) -> Vec<f32> {
        match (self, spec.log_mel()) {
            (Self::Columns(columns), Some(mel)) => {
                let starts = columns.segments(spec, mel);
                columns.window(mel, starts.get(segment).copied().unwrap_or_default())
            }
            (Self::Columns(_), None) => Vec::new(),
            (Self::Segments(segments), _) => segments.get(segment).cloned().unwrap_or_default(),
        }
    }

    /// The raw values of a random window: at any column of a spectrogram, else a random segment.
    pub fn draw<R: Rng + ?Sized>(&self, spec: &InputSpec, rng: &mut R) -> Vec<f32> {
        match (self, spec.log_mel()) {
            (Self::Columns(columns), Some(mel)) => {
                let last = columns.columns.saturating_sub(mel.columns);
                columns.window(mel, rng.random_range(0..=last))
            }
            (Self::Columns(_), None) => Vec::new(),
            (Self::Segments(segments), _) => {
                let place = rng.random_range(0..segments.len().max(1));
                segments.get(place).cloned().unwrap_or_default()
            }
        }
    }
}

/// The examples of a clip.
#[derive(Clone, Debug)]
pub struct Examples {
    /// The clip itself, then its augmented versions.
    pub versions: Vec<Version>,
    /// SHA-256 of the source of the first version.
    pub sha256: String,
    /// Source of the first version: `audio`, `arrays`, `tables` or `pictures`.
    pub origin: &'static str,
}

/// Loads the examples of clips.
pub struct Loader<'a> {
    /// Specification of the input.
    pub input_spec: &'a InputSpec,
    /// Source of the input.
    pub origin: Origin,
    /// Cache folder of features computed from audio; none to compute them every time.
    pub cache: Option<PathBuf>,
    /// Set by another thread to stop.
    pub cancelled: Arc<AtomicBool>,
}

impl Loader<'_> {
    /// Loads the first version of each clip of `wanted`, by index in the data set. Clips that cannot be
    /// loaded are added to [`Dataset::skipped`]. `progress` gets the number of clips done.
    ///
    /// # Errors
    /// The input spec is invalid, or the work was cancelled.
    pub fn load(
        &self,
        data: &mut Dataset,
        wanted: &[usize],
        progress: impl Fn(usize) + Sync,
    ) -> Result<BTreeMap<usize, Examples>> {
        let clips = &data.clips;
        let done = self.each(wanted, progress, |worker, place| worker.first(&clips[place]))?;
        let mut examples = BTreeMap::new();
        for (place, result) in wanted.iter().zip(done) {
            match result {
                Ok(loaded) => {
                    examples.insert(*place, loaded);
                }
                Err(error) => data.skipped.push((data.clips[*place].id.clone(), causes(&error))),
            }
        }
        Ok(examples)
    }

    /// The examples of a clip from tables, arrays or pictures, if they fit the input spec.
    ///
    /// # Errors
    /// A picture cannot be read.
    pub fn kept(clip: &Clip, spec: &InputSpec, origin: Origin) -> Result<Option<Examples>> {
        let may = |what: Origin| matches!(origin, Origin::Auto | Origin::Both) || origin == what;
        if may(Origin::Tables)
            && let Some(rows) = table_rows(clip, spec)
        {
            let sha256 = sha256_of(rows.iter().flatten());
            let versions = vec![Version::Segments(Arc::new(rows))];
            return Ok(Some(Examples { versions, sha256, origin: "tables" }));
        }
        if may(Origin::Arrays)
            && let ([Input::LogMel(mel)], Some(columns)) = (spec.inputs.as_slice(), &clip.columns)
            && columns.fits(mel)
        {
            let sha256 = sha256_of(&columns.db);
            let versions = vec![Version::Columns(Arc::clone(columns))];
            return Ok(Some(Examples { versions, sha256, origin: "arrays" }));
        }
        if may(Origin::Pictures)
            && let ([Input::Picture(input)], Some(path)) = (spec.inputs.as_slice(), &clip.picture)
            // A picture shows a whole clip.
            && spec.segment_seconds >= 20.0
        {
            let context = || format!("{}", path.display());
            let bytes = fs::read(path).with_context(context)?;
            let image =
                image::load_from_memory_with_format(&bytes, image::ImageFormat::Png).with_context(context)?;
            let image = image.to_rgb8();
            let (width, height) = (image.width() as usize, image.height() as usize);
            let values = input.of_picture(&Picture::new(width, height, image.into_raw())?)?;
            let versions = vec![Version::Segments(Arc::new(vec![values]))];
            return Ok(Some(Examples { versions, sha256: sha256_hex(&bytes), origin: "pictures" }));
        }
        Ok(None)
    }

    /// Adds the versions that only training uses: the audio if the first version has another source, and
    /// augmented audio.
    ///
    /// # Errors
    /// The work was cancelled. A clip without usable audio gets no more versions.
    pub fn augment(
        &self,
        data: &Dataset,
        examples: &mut BTreeMap<usize, Examples>,
        train: &[usize],
        clips_apart: bool,
        augmentation: Option<(&AudioAugmentation, u64)>,
        progress: impl Fn(usize) + Sync,
    ) -> Result<()> {
        if self.origin != Origin::Both && augmentation.is_none() {
            return Ok(());
        }
        let known = &*examples;
        let more = self.each(train, progress, |worker, place| {
            let clip = &data.clips[place];
            let Some(path) = &clip.audio else { return Ok(Vec::new()) };
            let mut versions = Vec::new();
            if self.origin == Origin::Both && known.get(&place).is_some_and(|m| m.origin != "audio") {
                versions.push(worker.of_audio(path, None)?.0);
            }
            if let Some((how, seed)) = augmentation {
                for number in 0..how.versions + how.coded {
                    let seed = sha256_hex(format!("{seed} {} {number}", clip.id).as_bytes());
                    versions.push(worker.of_audio(path, Some((&how.of_version(number), seed)))?.0);
                }
            }
            Ok(versions)
        })?;
        for (place, versions) in train.iter().zip(more) {
            let Some(loaded) = examples.get_mut(place) else { continue };
            let segments = loaded.versions.first().map_or(0, |first| first.segments(self.input_spec));
            loaded.versions.extend(versions.unwrap_or_default().into_iter().filter(|version| {
                // If the split divides clips, every version must have the same segments.
                clips_apart || version.segments(self.input_spec) == segments
            }));
        }
        Ok(())
    }

    /// Runs `work` for each clip on all cores.
    fn each<T: Send>(
        &self,
        places: &[usize],
        progress: impl Fn(usize) + Sync,
        work: impl Fn(&mut Worker<'_>, usize) -> Result<T> + Sync,
    ) -> Result<Vec<Result<T>>> {
        // Reports an invalid input spec once, not for every clip.
        Extractor::new(self.input_spec, &Preparation::default())?;
        let done = std::sync::atomic::AtomicUsize::new(0);
        let results: Vec<Option<Result<T>>> = places
            .par_iter()
            .map_init(
                || Worker { loader: self, extractor: None },
                |worker, &place| {
                    if self.cancelled.load(Ordering::Relaxed) {
                        return None;
                    }
                    let result = work(worker, place);
                    progress(done.fetch_add(1, Ordering::Relaxed) + 1);
                    Some(result)
                },
            )
            .collect();
        let results: Option<Vec<_>> = results.into_iter().collect();
        results.context("stopped while reading clips; the cache keeps the clips that were read")
    }
}

/// State of one thread. The extractor is built for the first audio file.
struct Worker<'a> {
    loader: &'a Loader<'a>,
    extractor: Option<Extractor>,
}

impl Worker<'_> {
    fn first(&mut self, clip: &Clip) -> Result<Examples> {
        let Loader { input_spec: spec, origin, .. } = self.loader;
        if let Some(loaded) = Loader::kept(clip, spec, *origin)? {
            return Ok(loaded);
        }
        if let (Some(path), Origin::Auto | Origin::Both | Origin::Audio) = (&clip.audio, origin) {
            let (version, sha256) = self.of_audio(path, None)?;
            return Ok(Examples { versions: vec![version], sha256, origin: "audio" });
        }
        let kinds: Vec<&str> = spec.inputs.iter().map(Input::name).collect();
        bail!("the clip has no source for {}", kinds.join(" and "))
    }

    /// The examples of an audio file, from the cache if present.
    fn of_audio(
        &mut self,
        path: &Path,
        augmentation: Option<(&AudioAugmentation, String)>,
    ) -> Result<(Version, String)> {
        let Loader { input_spec: spec, cache, .. } = self.loader;
        let bytes = fs::read(path).with_context(|| format!("{} cannot be opened", path.display()))?;
        let sha256 = sha256_hex(&bytes);
        let key = serde_json::to_string(&(spec, &augmentation))?;
        let kept = cache.as_ref().map(|folder| {
            let mut name = sha256_hex(key.as_bytes());
            name.truncate(16);
            folder.join(name).join(format!("{sha256}.bin"))
        });
        if let Some(version) = kept.as_ref().and_then(|path| read_cached(path, spec)) {
            return Ok((version, sha256));
        }
        let audio::Mono { mut signals, seconds, .. } =
            audio::read(audio::open_bytes(bytes, path)?, path, &[spec.sample_rate])?;
        let mut signal = signals.at_mut(spec.sample_rate).map(std::mem::take).unwrap_or_default();
        ensure!(seconds >= MIN_SECONDS, "only {seconds:.2} s long; the minimum is {MIN_SECONDS} s");
        if let Some((how, seed)) = augmentation {
            let seed = u64::from_str_radix(seed.get(..16).unwrap_or_default(), 16).unwrap_or_default();
            signal = how.apply(signal, spec.sample_rate, &mut generator(seed))?;
        }
        let version = match spec.inputs.as_slice() {
            [Input::LogMel(mel)] => Version::Columns(Arc::new(columns_of(&signal, mel, spec.sample_rate)?)),
            _ => {
                let extractor = match &mut self.extractor {
                    Some(extractor) => extractor,
                    none => none.insert(Extractor::new(spec, &Preparation::default())?),
                };
                let segments = spec
                    .segments(signal.len())
                    .iter()
                    .map(|s| Ok(extractor.raw_parts(&signal[..s.end], s.start)?.concat()))
                    .collect::<Result<Vec<_>>>()?;
                Version::Segments(Arc::new(segments))
            }
        };
        if let Some(path) = kept {
            write_cached(&path, &version)
                .with_context(|| format!("the cache {} cannot be written", path.display()))?;
        }
        Ok((version, sha256))
    }
}

/// The rows of Kaggle's tables as segments, if the input spec has only features and windows of the same
/// length.
fn table_rows(clip: &Clip, spec: &InputSpec) -> Option<Vec<Vec<f32>>> {
    let is = |seconds: f64| (spec.segment_seconds - seconds).abs() < 0.1;
    match spec.inputs.as_slice() {
        [Input::Features(_)] if is(30.0) => Some(vec![clip.row.as_ref()?.to_vec()]),
        [Input::Features(_)] if is(3.0) && !clip.rows.is_empty() => {
            Some(clip.rows.iter().map(|row| row.to_vec()).collect())
        }
        [Input::Sequence(s)] if is(3.0 * s.steps as f64) && !clip.rows.is_empty() => {
            let sequences = sequences(&vec![clip.id.as_str(); clip.rows.len()], s.steps).ok()?;
            sequences.iter().map(|sequence| sequence.values(&clip.rows).ok()).collect()
        }
        _ => None,
    }
}

fn sha256_of<'a>(values: impl IntoIterator<Item = &'a f32>) -> String {
    sha256_hex(&values.into_iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>())
}

/// Applies preprocessing to the raw values of a window, all parts concatenated.
///
/// # Errors
/// The preprocessing rejects a value, or a part is missing.
pub fn preprocessed(spec: &InputSpec, preparation: &Preparation, raw: &[f32]) -> Result<Vec<f32>> {
    if preparation.steps.is_empty() {
        return Ok(raw.to_vec());
    }
    let mut out = Vec::with_capacity(raw.len());
    for (input, range) in spec.inputs.iter().zip(part_ranges(spec)) {
        prepare(preparation, input, raw.get(range).context("a part of the window is missing")?, &mut out)?;
    }
    Ok(out)
}

/// The range of each part in the raw values of a window.
pub fn part_ranges(spec: &InputSpec) -> Vec<std::ops::Range<usize>> {
    let mut end = 0;
    spec.shapes()
        .iter()
        .map(|shape| {
            let start = end;
            end += shape.iter().product::<usize>();
            start..end
        })
        .collect()
}

/// First line of a cache file. Increase the number if the layout changes.
const MAGIC: &[u8] = b"cratedigger 1\n";

/// Reads a cache file; none if it is missing or incomplete.
fn read_cached(path: &Path, spec: &InputSpec) -> Option<Version> {
    let bytes = fs::read(path).ok()?;
    let body = bytes.strip_prefix(MAGIC)?;
    let (rows, body) = body.split_first_chunk::<8>()?;
    let (rows, values) = (u64::from_le_bytes(*rows) as usize, body.as_chunks::<4>());
    if !values.1.is_empty() || rows == 0 || !values.0.len().is_multiple_of(rows) || values.0.is_empty() {
        return None;
    }
    let values: Vec<f32> = values.0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    let width = values.len() / rows;
    match spec.inputs.as_slice() {
        [Input::LogMel(mel)] => (rows == mel.n_mels)
            .then(|| Version::Columns(Arc::new(Columns { bands: rows, columns: width, db: values }))),
        _ => {
            let expected: usize = spec.shapes().iter().map(|s| s.iter().product::<usize>()).sum();
            (width == expected).then(|| {
                Version::Segments(Arc::new(values.chunks_exact(width).map(<[f32]>::to_vec).collect()))
            })
        }
    }
}

/// Writes a cache file atomically, also if two processes write it at the same time.
fn write_cached(path: &Path, version: &Version) -> Result<()> {
    let (rows, values): (usize, Vec<&[f32]>) = match version {
        Version::Columns(columns) => (columns.bands, vec![&columns.db]),
        Version::Segments(segments) => (segments.len(), segments.iter().map(Vec::as_slice).collect()),
    };
    let mut bytes = MAGIC.to_vec();
    bytes.extend((rows as u64).to_le_bytes());
    bytes.extend(values.into_iter().flatten().flat_map(|v| v.to_le_bytes()));
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let new = path.with_extension(format!("{}.new", std::process::id()));
    fs::write(&new, bytes)?;
    Ok(fs::rename(&new, path)?)
}

/// The default cache folder, inside the user's cache folder.
pub fn default_cache() -> Option<PathBuf> {
    dirs::cache_dir().map(|folder| folder.join("cratedigger").join("features"))
}
