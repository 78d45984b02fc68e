//! Segments of a song's timeline.

use crate::probabilities::Probabilities;
use crate::time_range::TimeRange;

/// One segment of the timeline.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// 0-based place.
    pub index: u32,
    /// Start in seconds.
    pub start: f64,
    /// End in seconds.
    pub end: f64,
    /// Probabilities; `None` for a silent segment.
    pub probabilities: Option<Probabilities>,
    /// Counts up when the song is analysed again, so that the view draws the segment again.
    pub revision: u32,
}

impl Segment {
    /// Range of time.
    pub fn range(&self) -> TimeRange {
        TimeRange { from: self.start, span: self.end - self.start }
    }

    /// Most probable class; `None` for a silent segment.
    pub fn best(&self) -> Option<usize> {
        self.probabilities.as_ref()?.best()
    }
}

/// Consecutive segments of one genre.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Run {
    /// The class; `None` for silence.
    pub class: Option<usize>,
    /// Range of time.
    pub range: TimeRange,
}

impl Run {
    /// Largest gap in seconds between two segments of one run.
    const GAP: f64 = 0.1;

    /// Joins the segments of a song, which are in order of time.
    pub fn all(segments: &[Segment]) -> Vec<Self> {
        let mut runs: Vec<Self> = Vec::new();
        for segment in segments {
            let class = segment.best();
            match runs.last_mut() {
                Some(run) if run.class == class && segment.start - run.range.to() < Self::GAP => {
                    run.range.span = segment.end - run.range.from;
                }
                _ => runs.push(Self { class, range: segment.range() }),
            }
        }
        runs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(index: u32, start: f64, ensemble: Option<[f32; 2]>) -> Segment {
        let probabilities = ensemble.map(|p| Probabilities { ensemble: p.to_vec(), members: Vec::new() });
        Segment { index, start, end: start + 3.0, probabilities, revision: 0 }
    }

    #[test]
    fn runs_end_at_another_genre_at_silence_and_at_gaps() {
        let (first, second) = (Some([0.9, 0.1]), Some([0.1, 0.9]));
        let song = [
            segment(0, 0.0, first),
            segment(1, 3.0, first),
            segment(2, 6.0, second),
            segment(3, 9.0, None),
            segment(4, 20.0, None),
        ];
        let runs = Run::all(&song);
        let classes: Vec<_> = runs.iter().map(|run| run.class).collect();
        assert_eq!(classes, [Some(0), Some(1), None, None]);
        assert_eq!(runs.first().map(|run| run.range), Some(TimeRange { from: 0.0, span: 6.0 }));
    }
}
