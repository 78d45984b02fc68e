//! From the predictions for segments to the prediction for a song.

use crate::ensemble::MemberSums;
use crate::{Decision, EnsembleRule, Prediction, probabilities};

/// The prediction for a song.
#[derive(Clone, Debug, PartialEq)]
pub struct SongPrediction {
    /// Probabilities of each network, in the order of [`crate::Analyser::models`].
    pub members: Vec<Vec<f32>>,
    /// Probabilities of the ensemble.
    pub ensemble: Vec<f32>,
    /// The top class, and whether the answer is none of the classes.
    pub decision: Decision,
}

/// Collects the segments of a song, one by one, and predicts the song from those collected so far.
/// Time and memory of a step do not depend on the number of segments.
#[derive(Clone, Debug)]
pub struct SongAccumulator {
    rule: EnsembleRule,
    sums: MemberSums,
}

impl SongAccumulator {
    /// No segments yet; the rule combines the members.
    pub fn new(rule: EnsembleRule) -> Self {
        Self { rule, sums: MemberSums::default() }
    }

    /// Adds the prediction for one segment.
    pub fn add(&mut self, segment: &Prediction) {
        self.sums.add(&segment.members);
    }

    /// The prediction from all segments so far, by [`EnsembleRule::song`]; `None` if there are none.
    pub fn prediction(&self) -> Option<SongPrediction> {
        let members = self.sums.members();
        if members.is_empty() {
            return None;
        }
        let ensemble = self.rule.combine(&members.iter().map(Vec::as_slice).collect::<Vec<_>>());
        Some(SongPrediction {
            members: members.iter().map(|m| probabilities(m)).collect(),
            decision: self.rule.decide(&ensemble),
            ensemble: probabilities(&ensemble),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{Combination, Spectra, combine, log_softmax};

    fn segment(seed: u32) -> Prediction {
        let logit = |member: u32, class: u32| ((seed * 31 + member * 7 + class * 13) % 11) as f32 - 5.0;
        let member = |m| log_softmax(&[logit(m, 0), logit(m, 1), logit(m, 2)]);
        let spectra = Spectra { bands: 0, columns: 0, db: Vec::new() };
        Prediction { members: vec![member(0), member(1)], ensemble: Vec::new(), spectra }
    }

    /// After each segment, the prediction equals the one from all segments at once, to the last bit.
    #[test]
    fn a_running_prediction_equals_the_one_from_all_segments() {
        let rule =
            EnsembleRule { combination: Combination::Vote, none_below: Some(0.6), ..Default::default() };
        let segments: Vec<Prediction> = (0..40).map(segment).collect();
        let mut song = SongAccumulator::new(rule.clone());
        assert_eq!(song.prediction(), None);
        for count in 1..=segments.len() {
            song.add(&segments[count - 1]);
            let found = song.prediction().unwrap();
            let so_far = &segments[..count];
            let ensemble = rule.song(so_far.iter().map(|s| s.members.as_slice()));
            assert_eq!(found.ensemble, probabilities(&ensemble));
            assert_eq!(found.decision, rule.decide(&ensemble));
            for member in 0..2 {
                let all = combine(so_far.iter().map(|s| s.members[member].as_slice()));
                assert_eq!(found.members[member], probabilities(&all));
            }
        }
    }
}
