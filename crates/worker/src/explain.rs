//! Explains one segment, and yields to the event loop between batches so that it can be cancelled.

use std::cell::RefCell;

use cratedigger_protocol::{Event, FailureKind};
use cratedigger_zoo::{Analyser, ExplainError, Explanation};

use crate::queue::{Job, Shared};
use crate::song::is_cancelled;
use crate::source::Source;
use crate::{Failure, wire};

impl From<ExplainError> for Failure {
    fn from(error: ExplainError) -> Self {
        let kind = match error {
            ExplainError::Silent => FailureKind::Silent,
            ExplainError::NoClass(_) => FailureKind::BadRequest,
            ExplainError::Dsp(error) => return error.into(),
            ExplainError::Analyse(error) => return error.into(),
        };
        Self::new(kind, error)
    }
}

/// Answers with [`Event::Explained`]; false if the job was cancelled.
pub(crate) async fn explain(
    analyser: &mut Analyser,
    batch: usize,
    job: &Job,
    class: u32,
    shared: &RefCell<Shared>,
) -> Result<bool, Failure> {
    // Tiles are attenuated at this rate, and the result is resampled for networks with other rates.
    let rate = analyser.sample_rate();
    let mut source = Source::new(job, rate, &[rate])?;
    let Some(segment) = analyser.segments(source.resampled_length()).into_iter().next() else {
        return Err(Failure::new(FailureKind::TooShort, "there is no segment to explain"));
    };
    source.read_to(segment.end)?;
    let signal = source.signal();
    let signal = signal.get(..segment.end.min(signal.len())).unwrap_or_default();
    let proceed = async |_tiles| !is_cancelled(shared).await;
    let explanation = cratedigger_zoo::explain(analyser, signal, class as usize, batch, proceed).await?;
    let Some(explanation) = explanation else { return Ok(false) };
    let (rows, columns) = (Explanation::ROWS as u32, Explanation::COLUMNS as u32);
    let event = Event::Explained { id: job.id, class, rows, columns };
    wire::post(&event, Some(&explanation.drops));
    Ok(true)
}
