//! Computes the embedding of one song: one row for the song and one for each segment.

use std::cell::RefCell;

use cratedigger_protocol::{Event, FailureKind};
use cratedigger_zoo::{AnalyseError, Analyser, SegmentFeatures, song_embedding};

use crate::queue::{Job, Shared};
use crate::song::{check_length, is_cancelled};
use crate::source::Source;
use crate::{Failure, wire};

/// Answers with [`Event::Embedded`]; false if the job was cancelled.
pub(crate) async fn embed(
    analyser: &mut Analyser,
    batch: usize,
    job: &Job,
    shared: &RefCell<Shared>,
) -> Result<bool, Failure> {
    let Some(width) = analyser.embedding_width() else { return Err(AnalyseError::NoEmbedding.into()) };
    let mut source = Source::new(job, analyser.sample_rate(), analyser.sample_rates())?;
    check_length(job, &source)?;
    let segments = analyser.segments(source.resampled_length());
    // The row of the song, filled at the end, then one row for each segment; a silent segment has zeros.
    let mut rows = vec![0.0_f32; width];
    let mut found: Vec<SegmentFeatures> = Vec::new();
    for batch in segments.chunks(batch.max(1)) {
        source.read_to(batch.last().map_or(0, |segment| segment.end))?;
        for segment in analyser.features(&source.signals, batch).await? {
            let Some(segment) = segment else {
                rows.resize(rows.len() + width, 0.0);
                continue;
            };
            let start = segment.values.len().saturating_sub(width);
            rows.extend(segment.values.iter().skip(start));
            found.push(segment);
        }
        if is_cancelled(shared).await {
            return Ok(false);
        }
    }
    let Some(song) = song_embedding(&found, width) else {
        return Err(Failure::new(FailureKind::Silent, "every segment is silent"));
    };
    rows.splice(..width, song);
    let event = Event::Embedded { id: job.id, width: width as u32, segments: segments.len() as u32 };
    wire::post(&event, Some(&rows));
    Ok(true)
}
