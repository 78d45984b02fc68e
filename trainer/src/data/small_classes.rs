//! Refuses splits in which a class has too few clips.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};

use super::Dataset;
use super::split::{Group, Protocol, Split, SplitPlan, clips_of};

/// Most segments of a clip that an index file can name here.
const MOST_SEGMENTS: usize = 1000;

/// Checks that a split by artist has artists.
///
/// # Errors
/// The plan groups by artist, and no clip has one.
pub fn check_artists(plan: &SplitPlan, data: &Dataset) -> Result<()> {
    let by_artist = plan.protocol == Protocol::Track && plan.group == Group::Artist;
    ensure!(
        !by_artist || data.clips.iter().any(|clip| clip.artist.is_some()),
        "the split keeps artists together, but no clip has an artist: name them in artists.csv (clip,artist), by a folder for each artist inside the class, or split without artists"
    );
    Ok(())
}

/// Checks that each class has enough clips, or artists, for every part of a split.
///
/// # Errors
/// A class has too few. The message says how many it needs.
pub fn check_classes(plan: &SplitPlan, data: &Dataset) -> Result<()> {
    let segments = if plan.protocol == Protocol::Index { MOST_SEGMENTS } else { 1 };
    let split = Split::new(plan, &data.clips, &vec![segments; data.clips.len()])?;
    let of_class = |class: usize, part: &[(usize, usize)]| {
        let clips = clips_of(part);
        clips.iter().filter(|&&clip| data.clips.get(clip).is_some_and(|c| c.class == class)).count()
    };
    let mut small = Vec::new();
    for (class, name) in data.classes.iter().enumerate() {
        match plan.protocol {
            Protocol::Track => {
                let found = units(class, plan, data);
                let unit = if plan.group == Group::Artist { "artist" } else { "clip" };
                let needed = needed(plan);
                let parts = [("training", &split.train), ("validation", &split.valid), ("test", &split.test)];
                if found < needed {
                    small.push(format!("{name} has {}, and needs {needed}", counted(found, unit)));
                } else if let Some((part, _)) = parts.iter().find(|(_, part)| of_class(class, part) == 0) {
                    small.push(format!("{name} has no {part} clips"));
                }
            }
            Protocol::FaultFiltered | Protocol::Index => {
                // Without any training clip at all, another message says so.
                if !split.train.is_empty() && of_class(class, &split.train) == 0 {
                    small.push(format!("{name} has no training clips, and needs 1"));
                }
            }
            // Segments of one clip are in all parts.
            Protocol::Segment => {}
        }
    }
    ensure!(
        small.is_empty(),
        "classes with too few clips for the {} split: {}. Add clips, remove the class, or pass --allow-small",
        plan.describe(),
        small.join("; ")
    );
    Ok(())
}

/// Clips, or artists, that a class needs so that none of its parts is empty.
fn needed(plan: &SplitPlan) -> usize {
    match plan.folds {
        // Two folds: half of the clips are test clips, and the others need two.
        Some((2, _)) => 4,
        Some((folds, _)) => folds.max(3),
        None => 3,
    }
}

/// Number of clips, or of artists and clips without an artist, of a class.
fn units(class: usize, plan: &SplitPlan, data: &Dataset) -> usize {
    let members = data.clips.iter().filter(|clip| clip.class == class);
    match plan.group {
        Group::Track => members.count(),
        Group::Artist => {
            let names: BTreeSet<(bool, &str)> = members
                .map(|clip| match &clip.artist {
                    Some(artist) => (true, artist.as_str()),
                    None => (false, clip.id.as_str()),
                })
                .collect();
            names.len()
        }
    }
}

fn counted(count: usize, unit: &str) -> String {
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}
