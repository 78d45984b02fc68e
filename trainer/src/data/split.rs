//! Splits into training, validation and test part, and the protocols that define them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use cratedigger_zoo::sha256_hex;
use serde::{Deserialize, Serialize};

use super::Clip;
use super::partition::Part;

/// Default fraction of the clips in the test part.
pub const TEST_FRACTION: f64 = 0.2;
/// Default fraction of the clips in the validation part.
pub const VALID_FRACTION: f64 = 0.1;

/// A split protocol. Accuracies under different protocols are not comparable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// The published partition of GTZAN without faulty and repeated clips, artist-disjoint (443/197/290)
    FaultFiltered,
    /// Random split of whole clips (or artists), stratified by class. Clips of one artist can be in several
    /// parts unless they are grouped by artist
    Track,
    /// Random split of segments. It leaks: segments of one clip are in several parts. Only for comparison
    /// with published figures
    Segment,
    /// The parts of an index file
    Index,
}

impl Protocol {
    /// The name in JSON, manifests and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::FaultFiltered => "fault-filtered",
            Self::Track => "track",
            Self::Segment => "segment",
            Self::Index => "index",
        }
    }

    /// The protocol of a name.
    pub fn of_name(name: &str) -> Option<Self> {
        [Self::FaultFiltered, Self::Track, Self::Segment, Self::Index].into_iter().find(|p| p.name() == name)
    }

    /// Explanation for reports.
    pub fn explanation(self) -> &'static str {
        match self {
            Self::FaultFiltered => {
                "The published partition of GTZAN without faulty and repeated clips. Each artist is in one part only, so this figure holds for new artists."
            }
            Self::Track => {
                "A random split of whole clips. Other clips of the same artists can be in the training part."
            }
            Self::Segment => {
                "A random split of segments. Other segments of the same clips are in the training part, so this figure is too high; compare it only with figures of the same protocol."
            }
            Self::Index => "The parts of an index file.",
        }
    }
}

/// Unit that the track protocol keeps in one part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Group {
    /// All segments of a clip.
    #[default]
    Track,
    /// All clips of an artist. A clip without a known artist is a unit of its own.
    Artist,
}

/// A protocol with all its parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitPlan {
    /// The protocol.
    pub protocol: Protocol,
    /// Seed of random protocols.
    pub seed: u64,
    /// Number of folds, and the fold that is the test part, counted from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folds: Option<(usize, usize)>,
    /// Unit that stays in one part.
    #[serde(default)]
    pub group: Group,
    /// Fraction in the test part.
    #[serde(alias = "test_share")]
    pub test_fraction: f64,
    /// Fraction in the validation part.
    #[serde(alias = "valid_share")]
    pub valid_fraction: f64,
    /// Index file of [`Protocol::Index`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<PathBuf>,
}

impl SplitPlan {
    /// A protocol with default parameters.
    pub fn of(protocol: Protocol, seed: u64) -> Self {
        Self {
            protocol,
            seed,
            folds: None,
            group: Group::Track,
            test_fraction: TEST_FRACTION,
            valid_fraction: VALID_FRACTION,
            index: None,
        }
    }

    /// The protocol's name with its fold, for people: `track, fold 1 of 5`.
    pub fn describe(&self) -> String {
        match (self.protocol, self.folds) {
            (protocol, Some((of, fold))) => format!("{}, fold {} of {of}", protocol.name(), fold + 1),
            (protocol, None) => protocol.name().to_owned(),
        }
    }
}

/// A segment: index of the clip and index of the segment in it.
pub type SegmentId = (usize, usize);

/// The segments of a data set by part. Each segment is in at most one part.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Split {
    /// Training part.
    pub train: Vec<SegmentId>,
    /// Validation part.
    pub valid: Vec<SegmentId>,
    /// Test part.
    pub test: Vec<SegmentId>,
}

/// A split as a JSON file: clip ids, or `id#segment` with segments counted from 0.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IndexFile {
    /// Training part.
    pub train: Vec<String>,
    /// Validation part.
    pub valid: Vec<String>,
    /// Test part.
    pub test: Vec<String>,
    /// Whether segments of one clip may be in several parts.
    #[serde(default)]
    pub segments_apart: bool,
}

impl IndexFile {
    /// Reads a file.
    ///
    /// # Errors
    /// The file cannot be read, or is not an index file.
    pub fn read(path: &Path) -> Result<Self> {
        let context = || format!("{}", path.display());
        let text = std::fs::read_to_string(path).with_context(context)?;
        serde_json::from_str(&text).with_context(context)
    }

    /// The index file of a split. It lists whole clips, unless segments of a clip are in several parts.
    pub fn of(split: &Split, clips: &[Clip]) -> Self {
        let segments_apart = split.check_clips_apart(clips).is_err();
        let names = |part: &[SegmentId]| -> Vec<String> {
            let id = |clip: usize| clips.get(clip).map_or("", |c| c.id.as_str());
            if segments_apart {
                part.iter().map(|&(clip, segment)| format!("{}#{segment}", id(clip))).collect()
            } else {
                clips_of(part).into_iter().map(|clip| id(clip).to_owned()).collect()
            }
        };
        Self {
            train: names(&split.train),
            valid: names(&split.valid),
            test: names(&split.test),
            segments_apart,
        }
    }

    fn split(&self, clips: &[Clip], segments: &[usize]) -> Result<Split> {
        let places: BTreeMap<&str, usize> =
            clips.iter().enumerate().map(|(place, clip)| (clip.id.as_str(), place)).collect();
        let mut unknown = Vec::new();
        let mut part = |names: &[String]| -> Vec<SegmentId> {
            let mut ids = Vec::new();
            for name in names {
                let whole = places.get(name.as_str()).map(|&clip| (clip, None));
                let segment = || {
                    let (id, number) = name.rsplit_once('#')?;
                    Some((*places.get(id)?, Some(number.parse::<usize>().ok()?)))
                };
                match whole.or_else(segment) {
                    Some((clip, None)) => ids.extend((0..segments[clip]).map(|s| (clip, s))),
                    Some((clip, Some(s))) if s < segments[clip] => ids.push((clip, s)),
                    Some(_) => {} // a clip that could not be decoded has no segments
                    None => unknown.push(name.clone()),
                }
            }
            ids.sort_unstable();
            ids.dedup();
            ids
        };
        let split = Split { train: part(&self.train), valid: part(&self.valid), test: part(&self.test) };
        ensure!(
            unknown.is_empty(),
            "the index file names {} clips that are not in the data set, for example {}",
            unknown.len(),
            unknown.first().map_or("", String::as_str)
        );
        let mut seen = BTreeSet::new();
        for &(clip, segment) in [&split.train, &split.valid, &split.test].into_iter().flatten() {
            let id = clips.get(clip).map_or("a clip", |c| c.id.as_str());
            ensure!(
                seen.insert((clip, segment)),
                "leak: segment {segment} of {id} is in two parts of the index file"
            );
        }
        Ok(split)
    }
}

impl Split {
    /// Splits clips; clip `i` has `segments[i]` segments (0 for a clip that cannot be decoded).
    ///
    /// The order is pseudo-random by a hash of seed and id. Unlike a shuffle, a hash moves few other clips
    /// to another part if one clip is added or removed.
    ///
    /// # Errors
    /// Segments of a clip (or clips of an artist) are in several parts although the protocol forbids it, or
    /// the index file cannot be used.
    pub fn new(plan: &SplitPlan, clips: &[Clip], segments: &[usize]) -> Result<Self> {
        ensure!(
            clips.len() == segments.len(),
            "the number of segment counts differs from the number of clips"
        );
        let rank =
            |name: &str, segment: usize| sha256_hex(format!("{} {name} {segment}", plan.seed).as_bytes());
        let mut split = Self::default();
        let whole = |clip: usize| (0..segments[clip]).map(move |s| (clip, s));
        match plan.protocol {
            Protocol::FaultFiltered => {
                for (index, clip) in clips.iter().enumerate() {
                    if let Some(part) = clip.part {
                        split.part_mut(part).extend(whole(index));
                    }
                }
            }
            Protocol::Track => {
                for groups in by_class_and_group(clips, plan.group).into_values() {
                    let mut groups: Vec<(String, Vec<usize>)> = groups.into_iter().collect();
                    groups.sort_by_cached_key(|(name, _)| rank(name, 0));
                    let parts = match plan.folds {
                        Some((folds, fold)) => parts_of_fold(&groups, folds, fold, plan),
                        None => parts_by_fraction(&groups, plan),
                    };
                    for ((_, members), part) in groups.into_iter().zip(parts) {
                        members.into_iter().for_each(|clip| split.part_mut(part).extend(whole(clip)));
                    }
                }
            }
            Protocol::Segment => {
                for members in by_class(clips).into_values() {
                    let mut all: Vec<SegmentId> = members.iter().flat_map(|&clip| whole(clip)).collect();
                    all.sort_by_cached_key(|&(clip, segment)| rank(&clips[clip].id, segment));
                    for (place, &segment) in all.iter().enumerate() {
                        split.part_mut(part_at(place, all.len(), plan)).push(segment);
                    }
                }
            }
            Protocol::Index => {
                let path = plan.index.as_deref().context("the index protocol needs an index file")?;
                let index = IndexFile::read(path)?;
                split = index.split(clips, segments).with_context(|| format!("{}", path.display()))?;
                if !index.segments_apart {
                    split.check_clips_apart(clips).with_context(|| {
                        format!("{} (set \"segments_apart\": true in it to allow this)", path.display())
                    })?;
                }
            }
        }
        for part in [&mut split.train, &mut split.valid, &mut split.test] {
            part.sort_unstable();
        }
        match plan.protocol {
            Protocol::FaultFiltered | Protocol::Track => split.check_clips_apart(clips)?,
            Protocol::Segment | Protocol::Index => {}
        }
        if plan.protocol == Protocol::Track && plan.group == Group::Artist {
            split.check_artists_apart(clips)?;
        }
        Ok(split)
    }

    /// Checks that all segments of a clip are in one part.
    ///
    /// # Errors
    /// The message names the first clip for which this is false.
    pub fn check_clips_apart(&self, clips: &[Clip]) -> Result<()> {
        self.check_apart(|clip| Some(clips.get(clip)?.id.as_str()), "segments of", "whole clips")
    }

    /// Checks that all clips of an artist are in one part.
    ///
    /// # Errors
    /// The message names the first artist for which this is false.
    pub fn check_artists_apart(&self, clips: &[Clip]) -> Result<()> {
        self.check_apart(|clip| clips.get(clip)?.artist.as_deref(), "clips of", "whole artists")
    }

    fn check_apart<'a>(
        &self,
        name_of: impl Fn(usize) -> Option<&'a str>,
        what: &str,
        promise: &str,
    ) -> Result<()> {
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        for (part, segments) in [&self.train, &self.valid, &self.test].into_iter().enumerate() {
            for name in segments.iter().filter_map(|&(clip, _)| name_of(clip)) {
                let first = *seen.entry(name).or_insert(part);
                if first != part {
                    bail!("leak: {what} {name} are in two parts of a split that keeps {promise} together");
                }
            }
        }
        Ok(())
    }

    fn part_mut(&mut self, part: Part) -> &mut Vec<SegmentId> {
        match part {
            Part::Train => &mut self.train,
            Part::Valid => &mut self.valid,
            Part::Test => &mut self.test,
        }
    }
}

/// The clips of some segments, each once, sorted.
pub fn clips_of(segments: &[SegmentId]) -> Vec<usize> {
    let mut clips: Vec<usize> = segments.iter().map(|s| s.0).collect();
    clips.sort_unstable();
    clips.dedup();
    clips
}

fn by_class(clips: &[Clip]) -> BTreeMap<usize, Vec<usize>> {
    let mut classes: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (index, clip) in clips.iter().enumerate() {
        classes.entry(clip.class).or_default().push(index);
    }
    classes
}

/// The clips of each class and group. An artist with clips in several classes counts for the class of the
/// first clip, so that all clips of the artist are in one part.
fn by_class_and_group(clips: &[Clip], group: Group) -> BTreeMap<usize, BTreeMap<String, Vec<usize>>> {
    let mut home: BTreeMap<String, usize> = BTreeMap::new();
    let mut classes: BTreeMap<usize, BTreeMap<String, Vec<usize>>> = BTreeMap::new();
    for (index, clip) in clips.iter().enumerate() {
        let name = match (group, &clip.artist) {
            // The prefix keeps an artist and a clip of the same name apart.
            (Group::Artist, Some(artist)) => format!("artist {artist}"),
            _ => clip.id.clone(),
        };
        let class = *home.entry(name.clone()).or_insert(clip.class);
        classes.entry(class).or_default().entry(name).or_default().push(index);
    }
    classes
}

/// The part of the item at `place` among `of`: first test, then validation, then training.
fn part_at(place: usize, of: usize, plan: &SplitPlan) -> Part {
    let place = place as f64;
    // Rounded up, so that no part is empty if there are at least three items.
    if place < plan.test_fraction * of as f64 {
        Part::Test
    } else if place
        < ((plan.test_fraction * of as f64).ceil() + plan.valid_fraction * of as f64).min(of as f64 - 1.0)
    {
        Part::Valid
    } else {
        Part::Train
    }
}

/// The part of each group, by the number of clips. If there are at least three groups, no part is empty,
/// whatever the sizes of the groups.
fn parts_by_fraction(groups: &[(String, Vec<usize>)], plan: &SplitPlan) -> Vec<Part> {
    let of = groups.iter().map(|(_, members)| members.len()).sum();
    let mut place = 0;
    let mut parts: Vec<Part> = groups
        .iter()
        .map(|(_, members)| {
            let part = part_at(place, of, plan);
            place += members.len();
            part
        })
        .collect();
    if parts.len() > 2 {
        if !parts.contains(&Part::Valid) {
            parts[1] = Part::Valid;
        }
        if let Some(last) = parts.last_mut() {
            *last = Part::Train;
        }
    }
    parts
}

/// The part of each group in a cross-validation. Groups go to the fold with the fewest clips, the largest
/// group first, so that folds have similar sizes. One fold is the test part; a fraction of the rest, in
/// random order, is the validation part.
fn parts_of_fold(groups: &[(String, Vec<usize>)], folds: usize, fold: usize, plan: &SplitPlan) -> Vec<Part> {
    let mut order: Vec<usize> = (0..groups.len()).collect();
    order.sort_by_key(|&g| std::cmp::Reverse(groups[g].1.len())); // a stable sort keeps ties in random order
    let mut sizes = vec![0; folds.max(1)];
    let mut parts = vec![Part::Train; groups.len()];
    for group in order {
        let emptiest = (0..sizes.len()).min_by_key(|&f| sizes[f]).unwrap_or_default();
        sizes[emptiest] += groups[group].1.len();
        if emptiest == fold {
            parts[group] = Part::Test;
        }
    }
    let of: usize = sizes.iter().sum();
    let mut chosen = 0;
    for ((_, members), part) in groups.iter().zip(&mut parts) {
        if *part == Part::Train && (chosen as f64) < plan.valid_fraction * of as f64 {
            chosen += members.len();
            *part = Part::Valid;
        }
    }
    parts
}
