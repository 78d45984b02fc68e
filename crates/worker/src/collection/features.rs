//! Computes the features of one song.

use std::cell::RefCell;

use cratedigger_protocol::FailureKind;
use cratedigger_protocol::collection::CollectionAnswer;
use cratedigger_zoo::teach::MOST_SEGMENTS;
use cratedigger_zoo::{AnalyseError, Analyser, SegmentFeatures, musical, song_embedding, spread_order};

use super::post;
use crate::Failure;
use crate::queue::{Job, Shared};
use crate::song::{check_length, is_cancelled};
use crate::source::Source;
use crate::wire::Payload;

/// Most segments that are computed in search of music.
const MOST_TRIED: usize = 3 * MOST_SEGMENTS;

/// Answers with [`CollectionAnswer::Features`]; false if the job was cancelled.
///
/// Segments are computed in an order that spreads over the song, until enough of them are music.
pub(super) async fn features(
    analyser: &mut Analyser,
    batch: usize,
    job: &Job,
    shared: &RefCell<Shared>,
) -> Result<bool, Failure> {
    let (Some(width), Some(embedding)) = (analyser.features_width(), analyser.embedding_width()) else {
        return Err(AnalyseError::NoEmbedding.into());
    };
    let mut source = Source::new(job, analyser.sample_rate(), analyser.sample_rates())?;
    check_length(job, &source)?;
    let segments = analyser.segments(source.resampled_length());
    source.read_to(segments.last().map_or(0, |segment| segment.end))?;
    let mut found: Vec<(usize, SegmentFeatures)> = Vec::new();
    let places = spread_order(segments.len());
    for places in places.get(..places.len().min(MOST_TRIED)).unwrap_or_default().chunks(batch.max(1)) {
        let ranges: Vec<_> = places.iter().filter_map(|place| segments.get(*place)).cloned().collect();
        let features = analyser.features(&source.signals, &ranges).await?;
        let audible = places.iter().zip(features).filter_map(|(place, features)| Some((*place, features?)));
        found.extend(audible);
        if is_cancelled(shared).await {
            return Ok(false);
        }
        if found.iter().filter(|(_, features)| features.music).count() >= MOST_SEGMENTS {
            break;
        }
    }
    // Music first, in the order of the search.
    found.sort_by_key(|(_, features)| !features.music);
    found.truncate(MOST_SEGMENTS);
    found.sort_by_key(|(place, _)| *place);
    let found: Vec<SegmentFeatures> = found.into_iter().map(|(_, features)| features).collect();
    let Some(mean) = song_embedding(&found, embedding) else {
        return Err(Failure::new(FailureKind::Silent, "every segment is silent"));
    };
    let rows = musical(&found);
    let mut values: Vec<f32> = rows.iter().flat_map(|row| row.values.iter().copied()).collect();
    values.extend(mean);
    let (rows, width, embedding) = (rows.len() as u32, width as u32, embedding as u32);
    post(job.id, CollectionAnswer::Features { rows, width, embedding }, Payload::Floats(&values));
    Ok(true)
}
