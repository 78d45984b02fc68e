//! The table `artists.csv`: which artist made which clip.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use cratedigger_decode::is_sound_name;
use serde::Deserialize;

/// One row of the table.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct ArtistRow {
    clip: String,
    artist: String,
}

/// The names under which a clip's row is looked up: as it stands, without extension, without folders.
struct Names {
    whole: String,
    stem: String,
    last: String,
}

impl Names {
    fn of(written: &str) -> Self {
        let whole = written.trim().replace('\\', "/");
        let whole = whole.trim_start_matches("./").to_owned();
        let stem = if is_sound_name(whole.rsplit('/').next().unwrap_or_default()) {
            whole.rsplit_once('.').map_or_else(|| whole.clone(), |(stem, _)| stem.to_owned())
        } else {
            whole.clone()
        };
        let last = stem.rsplit('/').next().unwrap_or_default().to_owned();
        Self { whole, stem, last }
    }
}

/// The artist of each clip id, and a remark on rows that name no clip.
///
/// A row names its clip by its id, with or without extension; or by its file name alone, if no other clip
/// has that name.
///
/// # Errors
/// No row names a clip: the split by artist would have no effect.
pub(super) fn match_artists(
    path: &Path,
    rows: &[ArtistRow],
    ids: &[&str],
) -> Result<(BTreeMap<String, String>, Option<String>)> {
    let mut by_name: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for id in ids {
        by_name.entry(id.rsplit('/').next().unwrap_or_default()).or_default().push(id);
    }
    let known = |name: &str| ids.binary_search(&name).ok().and_then(|place| ids.get(place)).copied();
    let alone = |name: &str| match by_name.get(name).map(Vec::as_slice) {
        Some([id]) => Some(*id),
        _ => None,
    };
    let (mut artists, mut unmatched) = (BTreeMap::new(), Vec::new());
    for row in rows {
        let Names { whole, stem, last } = Names::of(&row.clip);
        match known(&whole).or_else(|| known(&stem)).or_else(|| known(&last)).or_else(|| alone(&last)) {
            Some(id) => {
                artists.insert(id.to_owned(), row.artist.trim().to_owned());
            }
            None => unmatched.push(row.clip.as_str()),
        }
    }
    let first = rows.first().with_context(|| format!("{} has no rows", path.display()))?;
    ensure!(
        !artists.is_empty(),
        "{}: none of its {} rows names a clip of this data set. Its first row names {:?}; a clip is called {:?}",
        path.display(),
        rows.len(),
        first.clip,
        ids.first().copied().unwrap_or_default()
    );
    let remark = unmatched.first().map(|example| {
        format!(
            "{}: {} of {} rows name no clip, for example {example:?}",
            path.display(),
            unmatched.len(),
            rows.len()
        )
    });
    Ok((artists, remark))
}
