//! Computes the embedding of one song: one row for the song and one for each segment.

use std::cell::RefCell;

use cratedigger_protocol::{Event, FailureKind};
use cratedigger_zoo::{AnalyseError, Analyser};

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
    // The row of the song, then one row for each segment; a silent segment has zeros.
    let mut rows = vec![0.0_f32; width];
    let mut audible = 0_u32;
    for batch in segments.chunks(batch.max(1)) {
        source.read_to(batch.last().map_or(0, |segment| segment.end))?;
        for row in analyser.embedding(&source.signals, batch).await? {
            if let Some(row) = &row {
                rows.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
                audible += 1;
            }
            rows.extend(row.unwrap_or_else(|| vec![0.0; width]));
        }
        if is_cancelled(shared).await {
            return Ok(false);
        }
    }
    if audible == 0 {
        return Err(Failure::new(FailureKind::Silent, "every segment is silent"));
    }
    rows.iter_mut().take(width).for_each(|sum| *sum /= audible as f32);
    let event = Event::Embedded { id: job.id, width: width as u32, segments: segments.len() as u32 };
    wire::post(&event, Some(&rows));
    Ok(true)
}
