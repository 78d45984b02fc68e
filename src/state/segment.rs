//! Segments of a song's timeline.

use cratedigger_protocol::{NonMusic, Section};

use super::answer::Answer;
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
    /// Kind and probability of non-music, if a network predicts it.
    pub non_music: Option<NonMusic>,
    /// Counts up when the song is analysed again, so that the view draws the segment again.
    pub revision: u32,
}

impl Segment {
    /// Range of time.
    pub fn range(&self) -> TimeRange {
        TimeRange { from: self.start, span: self.end - self.start }
    }

    /// The answer about the segment; `None` for a silent one.
    pub fn answer(&self) -> Option<Answer> {
        Answer::of(self.probabilities.as_ref()?.best(), false, self.non_music.as_ref())
    }

    /// The genre of the segment; `None` for silence and for non-music.
    pub fn best(&self) -> Option<usize> {
        self.answer()?.class()
    }
}

/// Consecutive segments with one answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Run {
    /// The answer; `None` for silence.
    pub answer: Option<Answer>,
    /// Range of time.
    pub range: TimeRange,
}

impl Run {
    /// Largest gap in seconds between two segments of one run.
    const GAP: f64 = 0.1;

    /// The genre; `None` for silence and for non-music.
    pub fn class(&self) -> Option<usize> {
        self.answer?.class()
    }

    /// The sections of a song, which are smoothed in time.
    pub fn of_sections(sections: &[Section]) -> Vec<Self> {
        let run = |section: &Section| Self {
            answer: Answer::of_section(&section.label),
            range: TimeRange { from: section.start, span: section.end - section.start },
        };
        sections.iter().map(run).collect()
    }

    /// Joins the segments of a song, which are in order of time. Segments that have not arrived leave gaps.
    pub fn all(segments: &[Segment]) -> Vec<Self> {
        let mut runs: Vec<Self> = Vec::new();
        for segment in segments {
            let answer = segment.answer();
            match runs.last_mut() {
                Some(run) if run.answer == answer && segment.start - run.range.to() < Self::GAP => {
                    run.range.span = segment.end - run.range.from;
                }
                _ => runs.push(Self { answer, range: segment.range() }),
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
        Segment { index, start, end: start + 3.0, probabilities, non_music: None, revision: 0 }
    }

    #[test]
    fn runs_end_at_another_answer_at_silence_and_at_gaps() {
        let (first, second) = (Some([0.9, 0.1]), Some([0.1, 0.9]));
        let speech = NonMusic { kind: "speech".into(), probability: 0.97, rejected: true };
        let song = [
            segment(0, 0.0, first),
            segment(1, 3.0, first),
            segment(2, 6.0, second),
            segment(3, 9.0, None),
            segment(4, 20.0, None),
            Segment { non_music: Some(speech), ..segment(5, 23.0, first) },
            segment(7, 29.0, first),
            segment(9, 35.0, first),
        ];
        let runs = Run::all(&song);
        let classes: Vec<_> = runs.iter().map(Run::class).collect();
        assert_eq!(classes, [Some(0), Some(1), None, None, None, Some(0), Some(0)]);
        let speech: Vec<_> = runs.iter().map(|run| run.answer.and_then(Answer::sound).is_some()).collect();
        assert_eq!(speech, [false, false, false, false, true, false, false]);
        assert_eq!(runs.first().map(|run| run.range), Some(TimeRange { from: 0.0, span: 6.0 }));
    }
}
