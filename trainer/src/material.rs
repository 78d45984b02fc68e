//! From clips to windows: whatever a data set has of a clip becomes what a recipe asks for, once,
//! and is kept on disk.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, bail, ensure};
use cratedigger_dsp::augment::{self, Vacancy};
use cratedigger_dsp::picture::Picture;
use cratedigger_zoo::{Extractor, Input, InputSpec, MIN_SECONDS, Preparation, prepare, sha256_hex};
use rand::{Rng, RngExt as _};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::audio;
use crate::data::{Clip, Columns, Dataset, columns_of, mono_of};
use crate::prepare::sequences;

/// What the inputs are made from where a data set has several things.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// Tables, arrays or pictures where they fit the recipe, else audio.
    #[default]
    Auto,
    /// Audio only.
    Audio,
    /// Arrays of log-mel only.
    Arrays,
    /// Tables of features only.
    Tables,
    /// Pictures only.
    Pictures,
    /// As `auto`, and training draws from the audio of the same clip, too: two versions that differ
    /// as a data set and a visitor's file do.
    Both,
}

/// Variation of the sound of training clips. Amounts are drawn evenly from their range for each
/// version of each clip.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AudioAugmentation {
    /// Versions of each clip besides the clip itself.
    pub versions: usize,
    /// Largest change of level in dB, up or down.
    pub gain_db: f32,
    /// Least ratio of signal to added noise, in dB; the greatest is 30 dB more. None for no noise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noise_snr_db: Option<f32>,
    /// Largest shift in seconds, to either side; what falls out comes in again at the other end.
    pub shift_seconds: f64,
    /// Largest change of tempo as a share: 0.1 for 10 % slower to 10 % faster.
    pub stretch: f64,
    /// Largest change of pitch in semitones, up or down.
    pub semitones: f64,
}

impl AudioAugmentation {
    pub(crate) fn validate(&self) -> Result<()> {
        ensure!((1..=100).contains(&self.versions), "augmentation.audio.versions must be 1 to 100");
        ensure!((0.0..=60.0).contains(&self.gain_db), "gain_db must be 0 to 60");
        ensure!(
            self.noise_snr_db.is_none_or(|db| (-20.0..=90.0).contains(&db)),
            "noise_snr_db must be −20 to 90"
        );
        ensure!((0.0..=600.0).contains(&self.shift_seconds), "shift_seconds must be 0 to 600");
        ensure!((0.0..=0.5).contains(&self.stretch), "stretch must be 0 to 0.5");
        ensure!((0.0..=12.0).contains(&self.semitones), "semitones must be 0 to 12");
        Ok(())
    }

    /// A version of a signal.
    fn apply<R: Rng + ?Sized>(&self, signal: Vec<f32>, rate: u32, rng: &mut R) -> Result<Vec<f32>> {
        let mut signal = signal;
        if self.stretch > 0.0 {
            let most = (1.0 + self.stretch).ln();
            signal = augment::time_stretch(&signal, rng.random_range(-most..=most).exp())?;
        }
        if self.semitones > 0.0 {
            signal = augment::pitch_shift(&signal, rng.random_range(-self.semitones..=self.semitones))?;
        }
        if self.shift_seconds > 0.0 {
            let most = (self.shift_seconds * f64::from(rate)) as isize;
            augment::time_shift(
                &mut signal,
                rng.random_range(-(most as i64)..=most as i64) as isize,
                Vacancy::Wrap,
            )?;
        }
        if let Some(snr) = self.noise_snr_db {
            augment::add_noise(&mut signal, rng.random_range(snr..=snr + 30.0), rng)?;
        }
        if self.gain_db > 0.0 {
            augment::gain(&mut signal, rng.random_range(-self.gain_db..=self.gain_db))?;
        }
        Ok(signal)
    }
}

/// One version of a clip, ready to draw windows from.
#[derive(Clone, Debug)]
pub enum Version {
    /// A spectrogram from which a window can begin at any column. For recipes that take nothing
    /// but log-mel.
    Columns(Arc<Columns>),
    /// The raw parts of each segment, one after the other.
    Segments(Arc<Vec<Vec<f32>>>),
}

impl Version {
    /// Number of segments.
    pub fn segments(&self, recipe: &InputSpec) -> usize {
        match (self, recipe.log_mel()) {
            (Self::Columns(columns), Some(mel)) => columns.segments(recipe, mel).len(),
            (Self::Columns(_), None) => 0,
            (Self::Segments(segments), _) => segments.len(),
        }
    }

    /// The raw values of a segment.
    pub fn segment(&self, recipe: &InputSpec, segment: usize) -> Vec<f32> {
        match (self, recipe.log_mel()) {
            (Self::Columns(columns), Some(mel)) => {
                let starts = columns.segments(recipe, mel);
                columns.window(mel, starts.get(segment).copied().unwrap_or_default())
            }
            (Self::Columns(_), None) => Vec::new(),
            (Self::Segments(segments), _) => segments.get(segment).cloned().unwrap_or_default(),
        }
    }

    /// Raw values of a window drawn at random: anywhere where that is possible.
    pub fn draw<R: Rng + ?Sized>(&self, recipe: &InputSpec, rng: &mut R) -> Vec<f32> {
        match (self, recipe.log_mel()) {
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

/// What there is of a clip.
#[derive(Clone, Debug)]
pub struct Material {
    /// The clip itself, and behind it its variations.
    pub versions: Vec<Version>,
    /// SHA-256 of what the first version was made from.
    pub sha256: String,
    /// What that was.
    pub origin: &'static str,
}

/// Makes materials.
pub struct Loader<'a> {
    /// What is asked for.
    pub input_spec: &'a InputSpec,
    /// What it is made from.
    pub origin: Origin,
    /// Where what was computed from audio is kept; none to compute it every time.
    pub cache: Option<PathBuf>,
    /// Set from outside to stop.
    pub cancelled: Arc<AtomicBool>,
}

impl Loader<'_> {
    /// The first version of each clip of `wanted`, places in the data set. Clips that cannot be
    /// used are named in [`Dataset::skipped`]. `progress` is called with the number of clips done.
    ///
    /// # Errors
    /// The recipe makes no sense, or the work was cancelled.
    pub fn load(
        &self,
        data: &mut Dataset,
        wanted: &[usize],
        progress: impl Fn(usize) + Sync,
    ) -> Result<BTreeMap<usize, Material>> {
        let clips = &data.clips;
        let done = self.each(wanted, progress, |worker, place| worker.first(&clips[place]))?;
        let mut materials = BTreeMap::new();
        for (place, result) in wanted.iter().zip(done) {
            match result {
                Ok(material) => {
                    materials.insert(*place, material);
                }
                Err(error) => data.skipped.push((data.clips[*place].id.clone(), format!("{error:#}"))),
            }
        }
        Ok(materials)
    }

    /// What a data set keeps of a clip besides audio, where that is what the recipe asks for.
    ///
    /// # Errors
    /// A picture that cannot be read.
    pub fn kept(clip: &Clip, recipe: &InputSpec, origin: Origin) -> Result<Option<Material>> {
        let may = |what: Origin| matches!(origin, Origin::Auto | Origin::Both) || origin == what;
        if may(Origin::Tables)
            && let Some(rows) = table_rows(clip, recipe)
        {
            let sha256 = sha256_of(rows.iter().flatten());
            let versions = vec![Version::Segments(Arc::new(rows))];
            return Ok(Some(Material { versions, sha256, origin: "tables" }));
        }
        if may(Origin::Arrays)
            && let ([Input::LogMel(mel)], Some(columns)) = (recipe.inputs.as_slice(), &clip.columns)
            && columns.fits(mel)
        {
            let sha256 = sha256_of(&columns.db);
            let versions = vec![Version::Columns(Arc::clone(columns))];
            return Ok(Some(Material { versions, sha256, origin: "arrays" }));
        }
        if may(Origin::Pictures)
            && let ([Input::Picture(input)], Some(path)) = (recipe.inputs.as_slice(), &clip.picture)
            // A picture is of a whole clip.
            && recipe.segment_seconds >= 20.0
        {
            let context = || format!("{}", path.display());
            let bytes = fs::read(path).with_context(context)?;
            let image =
                image::load_from_memory_with_format(&bytes, image::ImageFormat::Png).with_context(context)?;
            let image = image.to_rgb8();
            let (width, height) = (image.width() as usize, image.height() as usize);
            let values = input.of_picture(&Picture::new(width, height, image.into_raw())?)?;
            let versions = vec![Version::Segments(Arc::new(vec![values]))];
            return Ok(Some(Material { versions, sha256: sha256_hex(&bytes), origin: "pictures" }));
        }
        Ok(None)
    }

    /// Adds the versions that only training draws from: the audio where the first version is
    /// something else, and variations of the sound.
    ///
    /// # Errors
    /// The work was cancelled. A clip without usable audio just has no more versions.
    pub fn vary(
        &self,
        data: &Dataset,
        materials: &mut BTreeMap<usize, Material>,
        train: &[usize],
        clips_apart: bool,
        variation: Option<(&AudioAugmentation, u64)>,
        progress: impl Fn(usize) + Sync,
    ) -> Result<()> {
        if self.origin != Origin::Both && variation.is_none() {
            return Ok(());
        }
        let known = &*materials;
        let more = self.each(train, progress, |worker, place| {
            let clip = &data.clips[place];
            let Some(path) = &clip.audio else { return Ok(Vec::new()) };
            let mut versions = Vec::new();
            if self.origin == Origin::Both && known.get(&place).is_some_and(|m| m.origin != "audio") {
                versions.push(worker.of_audio(path, None)?.0);
            }
            if let Some((how, seed)) = variation {
                for number in 0..how.versions {
                    let seed = sha256_hex(format!("{seed} {} {number}", clip.id).as_bytes());
                    versions.push(worker.of_audio(path, Some((how, seed)))?.0);
                }
            }
            Ok(versions)
        })?;
        for (place, versions) in train.iter().zip(more) {
            let Some(material) = materials.get_mut(place) else { continue };
            let segments = material.versions.first().map_or(0, |first| first.segments(self.input_spec));
            material.versions.extend(versions.unwrap_or_default().into_iter().filter(|version| {
                // Where segments are apart, a version must have the same ones: no less, no others.
                clips_apart || version.segments(self.input_spec) == segments
            }));
        }
        Ok(())
    }

    /// Runs something for each of some clips, on all cores.
    fn each<T: Send>(
        &self,
        places: &[usize],
        progress: impl Fn(usize) + Sync,
        work: impl Fn(&mut Worker<'_>, usize) -> Result<T> + Sync,
    ) -> Result<Vec<Result<T>>> {
        // What is wrong with the recipe is told once, not for every clip.
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
        results.context("stopped while reading clips; what has been read is kept for the next time")
    }
}

/// One thread's plans, made when audio is first met.
struct Worker<'a> {
    loader: &'a Loader<'a>,
    extractor: Option<Extractor>,
}

impl Worker<'_> {
    fn first(&mut self, clip: &Clip) -> Result<Material> {
        let Loader { input_spec: recipe, origin, .. } = self.loader;
        if let Some(material) = Loader::kept(clip, recipe, *origin)? {
            return Ok(material);
        }
        if let (Some(path), Origin::Auto | Origin::Both | Origin::Audio) = (&clip.audio, origin) {
            let (version, sha256) = self.of_audio(path, None)?;
            return Ok(Material { versions: vec![version], sha256, origin: "audio" });
        }
        let kinds: Vec<&str> = recipe.inputs.iter().map(Input::name).collect();
        bail!("there is nothing to make {} from", kinds.join(" and "))
    }

    /// A file's sound as the recipe has it, from the cache if it is there.
    fn of_audio(
        &mut self,
        path: &Path,
        variation: Option<(&AudioAugmentation, String)>,
    ) -> Result<(Version, String)> {
        let Loader { input_spec: recipe, cache, .. } = self.loader;
        let bytes = fs::read(path).with_context(|| format!("{} cannot be opened", path.display()))?;
        let sha256 = sha256_hex(&bytes);
        let key = serde_json::to_string(&(recipe, &variation))?;
        let kept = cache.as_ref().map(|folder| {
            let mut name = sha256_hex(key.as_bytes());
            name.truncate(16);
            folder.join(name).join(format!("{sha256}.bin"))
        });
        if let Some(version) = kept.as_ref().and_then(|path| read_kept(path, recipe)) {
            return Ok((version, sha256));
        }
        let audio = audio::decode_named(bytes, path)?;
        let (mut signal, seconds) = mono_of(&audio, recipe.sample_rate)?;
        ensure!(seconds >= MIN_SECONDS, "only {seconds:.2} s long; at least {MIN_SECONDS} s are needed");
        if let Some((how, seed)) = variation {
            let seed = u64::from_str_radix(seed.get(..16).unwrap_or_default(), 16).unwrap_or_default();
            signal = how.apply(signal, recipe.sample_rate, &mut augment::generator(seed))?;
        }
        let version = match recipe.inputs.as_slice() {
            [Input::LogMel(mel)] => Version::Columns(Arc::new(columns_of(&signal, mel, recipe.sample_rate)?)),
            _ => {
                let extractor = match &mut self.extractor {
                    Some(extractor) => extractor,
                    none => none.insert(Extractor::new(recipe, &Preparation::default())?),
                };
                let segments = recipe
                    .segments(signal.len())
                    .iter()
                    .map(|s| Ok(extractor.raw_parts(&signal[..s.end], s.start)?.concat()))
                    .collect::<Result<Vec<_>>>()?;
                Version::Segments(Arc::new(segments))
            }
        };
        if let Some(path) = kept {
            keep(&path, &version)
                .with_context(|| format!("the cache {} cannot be written", path.display()))?;
        }
        Ok((version, sha256))
    }
}

/// The rows of Kaggle's tables as segments, where a recipe takes nothing else and the windows are
/// theirs.
fn table_rows(clip: &Clip, recipe: &InputSpec) -> Option<Vec<Vec<f32>>> {
    let is = |seconds: f64| (recipe.segment_seconds - seconds).abs() < 0.1;
    match recipe.inputs.as_slice() {
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

/// The raw values of a window as the network gets them, part after part.
///
/// # Errors
/// Values that the preparation refuses.
pub fn prepared(recipe: &InputSpec, preparation: &Preparation, raw: &[f32]) -> Result<Vec<f32>> {
    if preparation.steps.is_empty() {
        return Ok(raw.to_vec());
    }
    let mut out = Vec::with_capacity(raw.len());
    for (input, range) in recipe.inputs.iter().zip(part_ranges(recipe)) {
        prepare(preparation, input, raw.get(range).context("a window lacks a part")?, &mut out)?;
    }
    Ok(out)
}

/// Where each part of a window's raw values lies.
pub fn part_ranges(recipe: &InputSpec) -> Vec<std::ops::Range<usize>> {
    let mut end = 0;
    recipe
        .shapes()
        .iter()
        .map(|shape| {
            let start = end;
            end += shape.iter().product::<usize>();
            start..end
        })
        .collect()
}

/// First line of a kept file; raised when its layout changes.
const MAGIC: &[u8] = b"cratedigger 1\n";

/// Reads what was kept; nothing if it is not there, or not whole.
fn read_kept(path: &Path, recipe: &InputSpec) -> Option<Version> {
    let bytes = fs::read(path).ok()?;
    let body = bytes.strip_prefix(MAGIC)?;
    let (rows, body) = body.split_first_chunk::<8>()?;
    let (rows, values) = (u64::from_le_bytes(*rows) as usize, body.as_chunks::<4>());
    if !values.1.is_empty() || rows == 0 || !values.0.len().is_multiple_of(rows) || values.0.is_empty() {
        return None;
    }
    let values: Vec<f32> = values.0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    let width = values.len() / rows;
    match recipe.inputs.as_slice() {
        [Input::LogMel(mel)] => (rows == mel.n_mels)
            .then(|| Version::Columns(Arc::new(Columns { bands: rows, columns: width, db: values }))),
        _ => {
            let expected: usize = recipe.shapes().iter().map(|s| s.iter().product::<usize>()).sum();
            (width == expected).then(|| {
                Version::Segments(Arc::new(values.chunks_exact(width).map(<[f32]>::to_vec).collect()))
            })
        }
    }
}

/// Keeps a version: whole or not at all, also when two programs do so at once.
fn keep(path: &Path, version: &Version) -> Result<()> {
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

/// Where the cache is unless one is named: the user's cache folder.
pub fn default_cache() -> Option<PathBuf> {
    dirs::cache_dir().map(|folder| folder.join("cratedigger").join("features"))
}
