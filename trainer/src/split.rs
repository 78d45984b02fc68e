//! Protocols: how training and test material are kept apart.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use cratedigger_zoo::sha256_hex;
use serde::{Deserialize, Serialize};

use crate::data::Clip;
use crate::partition::Part;

/// A protocol. Accuracies under different protocols must not be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// The published partition without faulty and repeated clips, artists apart (443/197/290).
    FaultFiltered,
    /// Whole clips apart at random, stratified by genre (80/10/10 %). Leaky: artists stand on both sides.
    Track,
    /// Segments apart at random (80/10/10 %). Leaky: clips stand on both sides. Only to compare
    /// with published figures.
    Segment,
}

impl Protocol {
    /// Its name in JSON, manifests and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::FaultFiltered => "fault-filtered",
            Self::Track => "track",
            Self::Segment => "segment",
        }
    }

    /// The protocol of that name.
    pub fn of_name(name: &str) -> Option<Self> {
        [Self::FaultFiltered, Self::Track, Self::Segment].into_iter().find(|p| p.name() == name)
    }
}

/// A segment: clip and place in it, both counted from 0.
pub type SegmentId = (usize, usize);

/// All segments of a data set, each in at most one part.
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    /// To learn from.
    pub train: Vec<SegmentId>,
    /// To select by.
    pub valid: Vec<SegmentId>,
    /// To measure on.
    pub test: Vec<SegmentId>,
}

impl Split {
    /// Divides clips, of which each has `segments[i]` segments (0 for one that cannot be used).
    ///
    /// The order is random but fixed by the seed and the names: hashes and not a shuffle, so that
    /// a clip more or less moves few others to another part.
    ///
    /// # Errors
    /// A part is empty, or one clip's segments stand on both sides of a protocol that promises
    /// otherwise.
    pub fn new(protocol: Protocol, seed: u64, clips: &[Clip], segments: &[usize]) -> Result<Self> {
        let rank = |clip: usize, segment: usize| {
            sha256_hex(format!("{seed} {} {segment}", clips[clip].id).as_bytes())
        };
        let mut split = Self { train: Vec::new(), valid: Vec::new(), test: Vec::new() };
        let whole = |clip: usize| (0..segments[clip]).map(move |s| (clip, s));
        match protocol {
            Protocol::FaultFiltered => {
                for (index, clip) in clips.iter().enumerate() {
                    if let Some(part) = clip.part {
                        split.part_mut(part).extend(whole(index));
                    }
                }
            }
            Protocol::Track => {
                for mut members in by_genre(clips).into_values() {
                    members.sort_by_cached_key(|&clip| rank(clip, 0));
                    for (place, &clip) in members.iter().enumerate() {
                        split.part_mut(tenths(place, members.len())).extend(whole(clip));
                    }
                }
            }
            Protocol::Segment => {
                for members in by_genre(clips).into_values() {
                    let mut all: Vec<SegmentId> = members.iter().flat_map(|&clip| whole(clip)).collect();
                    all.sort_by_cached_key(|&(clip, segment)| rank(clip, segment));
                    for (place, &segment) in all.iter().enumerate() {
                        split.part_mut(tenths(place, all.len())).push(segment);
                    }
                }
            }
        }
        for part in [&mut split.train, &mut split.valid, &mut split.test] {
            part.sort_unstable();
        }
        if protocol != Protocol::Segment {
            split.check_clips_apart(clips)?;
        }
        Ok(split)
    }

    /// Fails if segments of one clip stand in two parts.
    ///
    /// # Errors
    /// Names the first such clip.
    pub fn check_clips_apart(&self, clips: &[Clip]) -> Result<()> {
        let mut seen: BTreeMap<usize, usize> = BTreeMap::new();
        for (part, segments) in [&self.train, &self.valid, &self.test].into_iter().enumerate() {
            for &(clip, _) in segments {
                let first = *seen.entry(clip).or_insert(part);
                ensure!(
                    first == part,
                    "leak: segments of {} stand in two parts of a split that promises whole clips",
                    clips.get(clip).map_or("a clip", |c| c.id.as_str())
                );
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

fn by_genre(clips: &[Clip]) -> BTreeMap<usize, Vec<usize>> {
    let mut genres: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (index, clip) in clips.iter().enumerate() {
        genres.entry(clip.genre).or_default().push(index);
    }
    genres
}

/// The first tenth tests, the second validates, the rest trains.
fn tenths(place: usize, of: usize) -> Part {
    if place * 10 < of {
        Part::Test
    } else if place * 10 < 2 * of {
        Part::Valid
    } else {
        Part::Train
    }
}
