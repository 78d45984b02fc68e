//! Protocols: how training, validation and test material are kept apart.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use cratedigger_zoo::sha256_hex;
use serde::{Deserialize, Serialize};

use crate::config::DataConfig;
use crate::data::Clip;
use crate::partition::Part;

/// A protocol. Accuracies under different protocols must not be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// The published partition without faulty and repeated clips, artists apart (443/197/290).
    FaultFiltered,
    /// Whole clips (or artists) apart at random, stratified by class. Clips of one artist may stand
    /// on both sides unless artists are grouped.
    Track,
    /// Segments apart at random. Leaky: clips stand on both sides. Only to compare with published
    /// figures.
    Segment,
    /// As a file says.
    Index,
}

impl Protocol {
    /// Its name in JSON, manifests and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::FaultFiltered => "fault-filtered",
            Self::Track => "track",
            Self::Segment => "segment",
            Self::Index => "index",
        }
    }

    /// The protocol of that name.
    pub fn of_name(name: &str) -> Option<Self> {
        [Self::FaultFiltered, Self::Track, Self::Segment, Self::Index].into_iter().find(|p| p.name() == name)
    }

    /// A sentence for reports.
    pub fn explanation(self) -> &'static str {
        match self {
            Self::FaultFiltered => {
                "The published partition of GTZAN without its faulty and repeated clips, no artist on both sides: the honest measure."
            }
            Self::Track => {
                "Whole clips apart at random. Other clips of the same artists may have been learned from."
            }
            Self::Segment => {
                "Segments apart at random: other segments of the same clips were learned from. Leaky; only to be compared with figures measured in the same way."
            }
            Self::Index => "The parts that a file names.",
        }
    }
}

/// What must not stand on both sides under the track protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Group {
    /// A clip's segments.
    #[default]
    Track,
    /// An artist's clips; a clip without a known artist stands for itself.
    Artist,
}

/// How a data set is split: the protocol with everything that it leaves open.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitPlan {
    /// The protocol.
    pub protocol: Protocol,
    /// Seed of the random ones.
    pub seed: u64,
    /// Number of folds and the one that tests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folds: Option<(usize, usize)>,
    /// What is kept together.
    #[serde(default)]
    pub group: Group,
    /// Share that tests.
    pub test_share: f64,
    /// Share that validates.
    pub valid_share: f64,
    /// The file of [`Protocol::Index`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<PathBuf>,
}

impl SplitPlan {
    /// What a configuration asks for.
    pub fn new(data: &DataConfig, seed: u64) -> Self {
        Self {
            protocol: if data.index.is_some() { Protocol::Index } else { data.split },
            seed,
            folds: data.folds.map(|folds| (folds, data.fold)),
            group: data.group,
            test_share: data.test_share,
            valid_share: data.valid_share,
            index: data.index.clone(),
        }
    }

    /// A protocol with its usual shares.
    pub fn of(protocol: Protocol, seed: u64) -> Self {
        Self::new(&DataConfig { split: protocol, ..DataConfig::default() }, seed)
    }

    /// Its name with what distinguishes it, for people: `track, fold 1 of 5`.
    pub fn describe(&self) -> String {
        match (self.protocol, self.folds) {
            (protocol, Some((of, fold))) => format!("{}, fold {} of {of}", protocol.name(), fold + 1),
            (protocol, None) => protocol.name().to_owned(),
        }
    }
}

/// A segment: clip and place in it, both counted from 0.
pub type SegmentId = (usize, usize);

/// All segments of a data set, each in at most one part.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Split {
    /// To learn from.
    pub train: Vec<SegmentId>,
    /// To select by.
    pub valid: Vec<SegmentId>,
    /// To measure on.
    pub test: Vec<SegmentId>,
}

/// A split as a JSON file: ids of clips, or `id#segment` with segments counted from 0.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IndexFile {
    /// To learn from.
    pub train: Vec<String>,
    /// To select by.
    pub valid: Vec<String>,
    /// To measure on.
    pub test: Vec<String>,
    /// Whether segments of one clip may stand in several parts.
    #[serde(default)]
    pub segments_apart: bool,
}

impl IndexFile {
    /// Reads a file.
    ///
    /// # Errors
    /// Not readable, or no index file.
    pub fn read(path: &Path) -> Result<Self> {
        let context = || format!("{}", path.display());
        let text = std::fs::read_to_string(path).with_context(context)?;
        serde_json::from_str(&text).with_context(context)
    }

    /// Of a split: whole clips by their id where all their segments stand together.
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
                    Some(_) => {} // a clip that could not be read has no segments
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
            "the index file names {} clips that the data set has not, {} for one",
            unknown.len(),
            unknown.first().map_or("", String::as_str)
        );
        let mut seen = BTreeSet::new();
        for &(clip, segment) in [&split.train, &split.valid, &split.test].into_iter().flatten() {
            let id = clips.get(clip).map_or("a clip", |c| c.id.as_str());
            ensure!(
                seen.insert((clip, segment)),
                "leak: the index file has segment {segment} of {id} in two parts"
            );
        }
        Ok(split)
    }
}

impl Split {
    /// Divides clips, of which each has `segments[i]` segments (0 for one that cannot be used).
    ///
    /// The order is random but fixed by the seed and the names: hashes and not a shuffle, so that
    /// a clip more or less moves few others to another part.
    ///
    /// # Errors
    /// One clip's segments (or one artist's clips) stand on both sides of a protocol that promises
    /// otherwise; an index file that cannot be used.
    pub fn new(plan: &SplitPlan, clips: &[Clip], segments: &[usize]) -> Result<Self> {
        ensure!(clips.len() == segments.len(), "as many counts of segments as clips are needed");
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
                        None => parts_by_share(&groups, plan),
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
                        split.part_mut(share(place, all.len(), plan)).push(segment);
                    }
                }
            }
            Protocol::Index => {
                let path = plan.index.as_deref().context("the index protocol needs an index file")?;
                let index = IndexFile::read(path)?;
                split = index.split(clips, segments).with_context(|| format!("{}", path.display()))?;
                if !index.segments_apart {
                    split.check_clips_apart(clips).with_context(|| {
                        format!("{} (\"segments_apart\": true in it says that this is meant)", path.display())
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

    /// Fails if segments of one clip stand in two parts.
    ///
    /// # Errors
    /// Names the first such clip.
    pub fn check_clips_apart(&self, clips: &[Clip]) -> Result<()> {
        self.check_apart(|clip| Some(clips.get(clip)?.id.as_str()), "segments of", "whole clips")
    }

    /// Fails if clips of one artist stand in two parts.
    ///
    /// # Errors
    /// Names the first such artist.
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
                    bail!("leak: {what} {name} stand in two parts of a split that promises {promise}");
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

/// The clips that some segments belong to, each once.
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

/// The clips of each class and group. An artist with clips in several classes belongs, with all of
/// them, to the class of the first: apart means apart everywhere.
fn by_class_and_group(clips: &[Clip], group: Group) -> BTreeMap<usize, BTreeMap<String, Vec<usize>>> {
    let mut home: BTreeMap<String, usize> = BTreeMap::new();
    let mut classes: BTreeMap<usize, BTreeMap<String, Vec<usize>>> = BTreeMap::new();
    for (index, clip) in clips.iter().enumerate() {
        let name = match (group, &clip.artist) {
            // Marked, so that an artist and a clip of the same name are two.
            (Group::Artist, Some(artist)) => format!("artist {artist}"),
            _ => clip.id.clone(),
        };
        let class = *home.entry(name.clone()).or_insert(clip.class);
        classes.entry(class).or_default().entry(name).or_default().push(index);
    }
    classes
}

/// The part of the item at `place` among `of`: tests first, then validates, then trains.
fn share(place: usize, of: usize, plan: &SplitPlan) -> Part {
    let place = place as f64;
    // The first of each is rounded up, so that no part is empty where there are three or more.
    if place < plan.test_share * of as f64 {
        Part::Test
    } else if place
        < ((plan.test_share * of as f64).ceil() + plan.valid_share * of as f64).min(of as f64 - 1.0)
    {
        Part::Valid
    } else {
        Part::Train
    }
}

/// The same by groups, whose clips count. Where there are three groups or more, none of the parts is
/// empty, however large the groups are.
fn parts_by_share(groups: &[(String, Vec<usize>)], plan: &SplitPlan) -> Vec<Part> {
    let of = groups.iter().map(|(_, members)| members.len()).sum();
    let mut place = 0;
    let mut parts: Vec<Part> = groups
        .iter()
        .map(|(_, members)| {
            let part = share(place, of, plan);
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

/// Groups dealt out to folds so that all hold as many clips as possible alike: each group, the
/// largest first, to the fold with the fewest clips. The fold tests; of the rest, in random order,
/// a share validates.
fn parts_of_fold(groups: &[(String, Vec<usize>)], folds: usize, fold: usize, plan: &SplitPlan) -> Vec<Part> {
    let mut order: Vec<usize> = (0..groups.len()).collect();
    order.sort_by_key(|&g| std::cmp::Reverse(groups[g].1.len())); // stable: ties stay in random order
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
        if *part == Part::Train && (chosen as f64) < plan.valid_share * of as f64 {
            chosen += members.len();
            *part = Part::Valid;
        }
    }
    parts
}
