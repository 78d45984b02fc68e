//! Combines the predictions for segments to the prediction for a song.

use crate::ensemble::MemberSums;
use crate::{Decision, EnsembleRule, Prediction, argmax, non_music, of_classes, probabilities};

/// The prediction for a song.
#[derive(Clone, Debug, PartialEq)]
pub struct SongPrediction {
    /// Probabilities of the classes of each network, in the order of [`crate::Analyser::models`].
    pub members: Vec<Vec<f32>>,
    /// Probabilities of the ensemble.
    pub ensemble: Vec<f32>,
    /// Probability of each kind of non-music; empty if no network predicts kinds.
    pub non_music: Vec<f32>,
    /// Strength of each tag, the mean over the segments; empty if no network predicts tags.
    pub tags: Vec<f32>,
    /// The top class, and whether the answer is none of the classes.
    pub decision: Decision,
}

/// Minimum number of segments for the variance estimate of [`SongAccumulator::settled`].
const FEWEST: u32 = 6;
/// Number of standard errors by which the top class must lead.
const ERRORS: f64 = 3.0;

/// Collects the segments of a song, one by one, and predicts the song from those collected so far.
/// Time and memory of a step do not depend on the number of segments.
#[derive(Clone, Debug)]
pub struct SongAccumulator {
    rule: EnsembleRule,
    classes: usize,
    sums: MemberSums,
    tags: Vec<f32>,
    margins: Margins,
}

impl SongAccumulator {
    /// No segments yet; the rule combines the members' predictions of `classes` classes.
    pub fn new(rule: EnsembleRule, classes: usize) -> Self {
        Self { rule, classes, sums: MemberSums::default(), tags: Vec::new(), margins: Margins::default() }
    }

    /// Adds the prediction for one segment.
    pub fn add(&mut self, segment: &Prediction) {
        self.sums.add(&segment.members);
        self.margins.add(&segment.ensemble);
        self.tags.resize(segment.tags.len().max(self.tags.len()), 0.0);
        self.tags.iter_mut().zip(&segment.tags).for_each(|(sum, strength)| *sum += strength);
    }

    /// The prediction from all segments so far, by [`EnsembleRule::song`]; `None` if there are none.
    pub fn prediction(&self) -> Option<SongPrediction> {
        let outputs = self.sums.members();
        if outputs.is_empty() {
            return None;
        }
        let members: Vec<_> = outputs.iter().map(|member| of_classes(member, self.classes)).collect();
        let ensemble = self.rule.combine(&members.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let non_music = non_music(outputs.iter().map(Vec::as_slice), self.classes);
        Some(SongPrediction {
            members: members.iter().map(|member| probabilities(member)).collect(),
            decision: self.rule.decide_with(&ensemble, &non_music),
            ensemble: probabilities(&ensemble),
            non_music,
            tags: self.tags.iter().map(|sum| sum / self.margins.segments as f32).collect(),
        })
    }

    /// Whether `remaining` more segments are unlikely to change the top class.
    ///
    /// The prediction for a song is approximately the mean of its segments' log-probabilities. The lead of
    /// the top class over another class is the mean margin m of the n segments so far. Its standard error is
    /// e = s/√n, where s is the standard deviation of a segment's margin. If the remaining r segments have
    /// the same distribution, the final lead has the mean m and the standard deviation e·√(r/(n+r)), the
    /// standard error with finite population correction. The song is settled if m exceeds three of these
    /// for every other class, after at least six segments. Neighbouring segments are correlated, so the
    /// estimate needs segments from all parts of the song: see [`spread_order`].
    ///
    /// With no segment left, every prediction is settled.
    pub fn settled(&self, remaining: usize) -> bool {
        let Some(prediction) = self.prediction() else { return false };
        remaining == 0
            || (self.margins.segments >= FEWEST
                && self.margins.leads(argmax(&prediction.ensemble), remaining))
    }
}

/// Sums over segments of the ensemble's log-probabilities and of the products of any two: enough for
/// mean and variance of the margin between any two classes.
#[derive(Clone, Debug, Default)]
struct Margins {
    segments: u32,
    sums: Vec<f64>,
    /// `classes · classes` sums.
    products: Vec<f64>,
}

impl Margins {
    fn add(&mut self, log_probabilities: &[f32]) {
        let values: Vec<f64> = log_probabilities.iter().map(|p| f64::from(*p)).collect();
        self.segments += 1;
        self.sums.resize(values.len(), 0.0);
        self.products.resize(values.len() * values.len(), 0.0);
        self.sums.iter_mut().zip(&values).for_each(|(sum, value)| *sum += value);
        let pairs = values.iter().flat_map(|a| values.iter().map(move |b| a * b));
        self.products.iter_mut().zip(pairs).for_each(|(sum, product)| *sum += product);
    }

    /// Whether `class` leads every other class by [`ERRORS`] standard errors of the final lead.
    fn leads(&self, class: usize, remaining: usize) -> bool {
        let n = f64::from(self.segments);
        let remaining = remaining as f64;
        let classes = self.sums.len();
        let product = |a: usize, b: usize| self.products.get(a * classes + b).copied().unwrap_or_default();
        let Some(own) = self.sums.get(class) else { return false };
        self.sums.iter().enumerate().filter(|(other, _)| *other != class).all(|(other, sum)| {
            let mean = (own - sum) / n;
            let squares = product(class, class) + product(other, other) - 2.0 * product(class, other);
            let variance = ((squares - n * mean * mean) / (n - 1.0)).max(0.0);
            let error = (variance / n).sqrt();
            mean > ERRORS * error * (remaining / (n + remaining)).sqrt()
        })
    }
}

/// An order of `count` segments in which every prefix is spread evenly over the song: the van der Corput
/// sequence, which reverses the bits of the indices. It starts with segment 0.
pub fn spread_order(count: usize) -> Vec<usize> {
    let bits = usize::BITS - count.saturating_sub(1).leading_zeros();
    let reversed = |index: usize| index.reverse_bits().checked_shr(usize::BITS - bits).unwrap_or_default();
    (0..count.next_power_of_two()).map(reversed).filter(|index| *index < count).collect()
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
        let members = vec![member(0), member(1)];
        let ensemble = EnsembleRule::default().combine(&[&members[0], &members[1]]);
        Prediction { members, ensemble, non_music: Vec::new(), tags: vec![0.5, (seed % 2) as f32], spectra }
    }

    /// After each segment, the prediction equals the one from all segments at once, to the last bit.
    #[test]
    fn a_running_prediction_equals_the_one_from_all_segments() {
        let rule =
            EnsembleRule { combination: Combination::Vote, none_below: Some(0.6), ..Default::default() };
        let segments: Vec<Prediction> = (0..40).map(segment).collect();
        let mut song = SongAccumulator::new(rule.clone(), 3);
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

    /// Numbers in −1…1.
    fn random(state: &mut u32) -> f32 {
        *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (*state >> 8) as f32 / 8_388_608.0 - 1.0
    }

    /// A segment whose logits are those of its song, changed by noise.
    fn noisy(song: &[f32], noise: f32, state: &mut u32) -> Prediction {
        let normal = |state: &mut u32| (0..6).map(|_| random(state)).sum::<f32>() * 0.707;
        let member = log_softmax(&song.iter().map(|l| l + noise * normal(state)).collect::<Vec<_>>());
        let spectra = Spectra { bands: 0, columns: 0, db: Vec::new() };
        Prediction {
            ensemble: member.clone(),
            members: vec![member],
            non_music: Vec::new(),
            tags: Vec::new(),
            spectra,
        }
    }

    #[test]
    fn a_settled_song_hardly_ever_changes() {
        let mut state = 3;
        let (mut settled, mut early, mut changed) = (0, 0, 0);
        for song in 0..400 {
            let length = 10 + song % 70;
            let logits: Vec<f32> = (0..4).map(|_| random(&mut state)).collect();
            let mut accumulator = SongAccumulator::new(EnsembleRule::default(), 4);
            let mut answer = None;
            for heard in 1..=length {
                accumulator.add(&noisy(&logits, 1.0, &mut state));
                let remaining = length - heard;
                let class = accumulator.prediction().unwrap().decision.class;
                if accumulator.settled(remaining) {
                    assert!(heard >= 6 || remaining == 0);
                    answer.get_or_insert((class, heard));
                }
                // After all segments, the song is settled.
                assert!(remaining > 0 || accumulator.settled(0));
            }
            let last = accumulator.prediction().unwrap().decision.class;
            let (class, heard) = answer.unwrap();
            settled += 1;
            early += usize::from(2 * heard < length);
            changed += usize::from(class != last);
        }
        assert_eq!(settled, 400);
        // The test is repeated after every segment, so errors accumulate.
        assert!(changed <= 12, "{changed} of 400 changed");
        assert!(early > 80, "only {early} of 400 were settled early");
    }

    #[test]
    fn few_or_close_segments_settle_nothing() {
        let add = |song: &mut SongAccumulator, logits: &[f32], count| {
            for _ in 0..count {
                song.add(&noisy(logits, 0.0, &mut 1));
            }
        };
        let new = || SongAccumulator::new(EnsembleRule::default(), 2);
        assert!(!new().settled(0) && !new().settled(10));
        let mut song = new();
        add(&mut song, &[1.0, 0.0], 5);
        assert!(!song.settled(1) && song.settled(0));
        add(&mut song, &[1.0, 0.0], 1);
        assert!(song.settled(1) && song.settled(1000));
        // Segments that alternate between two classes.
        let mut song = new();
        for _ in 0..20 {
            add(&mut song, &[2.0, 0.0], 1);
            add(&mut song, &[0.0, 1.9], 1);
        }
        assert!(!song.settled(5));
    }

    #[test]
    fn tags_and_non_music_of_a_song_are_means_over_its_segments() {
        let mut song =
            SongAccumulator::new(EnsembleRule { non_music_above: Some(0.4), ..Default::default() }, 2);
        let spectra = Spectra { bands: 0, columns: 0, db: Vec::new() };
        let log = |p: [f32; 3]| p.map(f32::ln).to_vec();
        for (kinds, tag) in [([0.25, 0.25, 0.5], 0.8), ([0.5, 0.25, 0.25], 0.2)] {
            let members = vec![log(kinds), vec![0.5_f32.ln(); 2]];
            let ensemble = combine([members[0][..2].as_ref(), &members[1]]);
            let spectra = spectra.clone();
            song.add(&Prediction { members, ensemble, non_music: Vec::new(), tags: vec![tag], spectra });
        }
        let SongPrediction { members, non_music, tags, decision, .. } = song.prediction().unwrap();
        // Geometric means of the outputs: √2, 1 and √2 parts, of which the first two are classes.
        let root = 2.0_f32.sqrt();
        assert!((non_music[0] - root / (1.0 + 2.0 * root)).abs() < 1e-6, "{non_music:?}");
        assert!((members[0][0] - root / (1.0 + root)).abs() < 1e-6, "{members:?}");
        assert!((tags[0] - 0.5).abs() < 1e-6 && tags.len() == 1);
        assert!(!decision.none && decision.non_music.is_none());
    }

    #[test]
    fn every_prefix_of_the_order_is_spread_over_the_song() {
        assert_eq!(spread_order(8), [0, 4, 2, 6, 1, 5, 3, 7]);
        assert_eq!(spread_order(5), [0, 4, 2, 1, 3]);
        assert_eq!((spread_order(0), spread_order(1), spread_order(2)), (vec![], vec![0], vec![0, 1]));
        for count in 1..200 {
            let order = spread_order(count);
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..count).collect::<Vec<_>>());
            // After a quarter, no gap is longer than a quarter and a half of the song.
            let mut heard = order[..count.div_ceil(4)].to_vec();
            heard.push(count);
            heard.sort_unstable();
            let gap = heard.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
            assert!(count < 16 || gap <= 8, "{count}: {gap}");
        }
    }
}
