//! Combines the predictions of several networks, and decides when the answer is none of the classes.

use serde::{Deserialize, Serialize};

/// Smallest log-probability. A probability that underflows single precision would give −∞, and a sum of
/// −∞ for every class cannot be normalised.
const LOG_FLOOR: f32 = -60.0;
/// Weight of the members' mean in the result of a vote. It breaks ties and gives some probability to
/// every class that a member considers.
const VOTE_REST: f32 = 1e-3;

/// Logarithms of the softmax of `logits`: log pᵢ = xᵢ − log Σ exp(xⱼ), without overflow.
pub fn log_softmax(logits: &[f32]) -> Vec<f32> {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let log_sum = logits.iter().map(|x| (x - max).exp()).sum::<f32>().ln();
    logits.iter().map(|x| x - max - log_sum).collect()
}

/// The normalised geometric mean of several distributions: log-probabilities in, log-probabilities out.
/// It combines the segments of a song, and by default the networks of an ensemble. A segment or network
/// that is nearly certain that a class is wrong can veto it.
///
/// Empty for no distributions.
pub fn combine<'a>(log_probabilities: impl IntoIterator<Item = &'a [f32]>) -> Vec<f32> {
    let mut sum: Vec<f32> = Vec::new();
    let mut count = 0_u32;
    for distribution in log_probabilities {
        if sum.is_empty() {
            sum = vec![0.0; distribution.len()];
        }
        sum.iter_mut().zip(distribution).for_each(|(s, p)| *s += p);
        count += 1;
    }
    sum.iter_mut().for_each(|s| *s /= count as f32);
    log_softmax(&sum)
}

/// Log-probabilities to probabilities.
pub fn probabilities(log_probabilities: &[f32]) -> Vec<f32> {
    log_probabilities.iter().map(|p| p.exp()).collect()
}

/// Log-probabilities at another temperature: less confident above 1, more confident below 1 (Guo et al.
/// 2017, "On calibration of modern neural networks"). The order of the classes does not change.
pub fn at_temperature(log_probabilities: &[f32], temperature: f32) -> Vec<f32> {
    let scaled: Vec<f32> = log_probabilities.iter().map(|p| p.max(LOG_FLOOR) / temperature).collect();
    log_softmax(&scaled)
}

/// The part of a network's log-probabilities that belongs to the classes, normalised. A network that also
/// predicts kinds of non-music has their values after those of the classes; without them, nothing changes.
pub fn of_classes(log_probabilities: &[f32], classes: usize) -> Vec<f32> {
    match log_probabilities.get(..classes) {
        Some(part) if log_probabilities.len() > classes => log_softmax(part),
        _ => log_probabilities.to_vec(),
    }
}

/// Probability of each kind of non-music: the mean over the networks that predict kinds, from
/// log-probabilities of all their outputs. Empty if no network does.
pub fn non_music<'a>(members: impl IntoIterator<Item = &'a [f32]>, classes: usize) -> Vec<f32> {
    let mut sum: Vec<f32> = Vec::new();
    let mut count = 0_u32;
    for kinds in members.into_iter().filter_map(|member| member.get(classes..)) {
        if kinds.is_empty() {
            continue;
        }
        sum.resize(kinds.len(), 0.0);
        sum.iter_mut().zip(kinds).for_each(|(sum, p)| *sum += p.exp());
        count += 1;
    }
    sum.iter_mut().for_each(|sum| *sum /= count as f32);
    sum
}

/// How the members' distributions are combined.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Combination {
    /// The weighted mean of the probabilities: no member can veto a class.
    Sum,
    /// The weighted geometric mean, normalised: every member can veto a class.
    #[default]
    Product,
    /// Each member votes for one class, with its confidence as the weight of the vote.
    Vote,
    /// A learned combination.
    Stack(Stacking),
}

/// A multinomial logistic regression on the members' log-probabilities (Wolpert 1992, "Stacked
/// generalization"): the logit of class k is biasₖ + Σ weightₖⱼ · xⱼ. The vector x contains the
/// log-probabilities of all classes of the first member, then of the second, and so on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stacking {
    /// For each class, one weight for each class of each member.
    pub weights: Vec<Vec<f32>>,
    /// One bias for each class.
    pub biases: Vec<f32>,
}

/// How an ensemble decides. The default is the plain geometric mean, always with one of the classes as
/// the answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EnsembleRule {
    /// How the members' distributions are combined.
    pub combination: Combination,
    /// Relative weight of each member; empty for equal weights. Not used by [`Combination::Stack`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub weights: Vec<f32>,
    /// Temperature that calibrates each member's probabilities; empty for 1.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub temperatures: Vec<f32>,
    /// Temperature that calibrates the ensemble's probabilities.
    pub temperature: f32,
    /// Threshold of the confidence below which the answer is none of the classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub none_below: Option<f32>,
    /// Threshold of the probability of all kinds of non-music together above which the answer is none of
    /// the classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub non_music_above: Option<f32>,
}

impl Default for EnsembleRule {
    fn default() -> Self {
        Self {
            combination: Combination::Product,
            weights: Vec::new(),
            temperatures: Vec::new(),
            temperature: 1.0,
            none_below: None,
            non_music_above: None,
        }
    }
}

/// The decision of an ensemble.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decision {
    /// The most probable class.
    pub class: usize,
    /// Probability of this class.
    pub confidence: f32,
    /// Whether the answer is none of the classes: the confidence is below its threshold, as for noise or
    /// other music, or the sound is non-music.
    pub none: bool,
    /// The most probable kind of non-music, if the probability of all kinds is above its threshold.
    pub non_music: Option<usize>,
}

impl EnsembleRule {
    /// Whether the rule fits this number of members and classes.
    ///
    /// # Errors
    /// A sentence that describes the mismatch.
    pub fn validate(&self, members: usize, classes: usize) -> Result<(), String> {
        for (what, list) in [("weights", &self.weights), ("temperatures", &self.temperatures)] {
            if !list.is_empty() && list.len() != members {
                return Err(format!("the ensemble has {} {what} for {members} members", list.len()));
            }
        }
        if self.weights.iter().any(|w| !(0.0..=1e6).contains(w))
            || (!self.weights.is_empty() && self.weights.iter().all(|w| *w == 0.0))
        {
            return Err("the ensemble's weights must be positive numbers".into());
        }
        if !self.temperatures.iter().chain([&self.temperature]).all(|t| (0.01..=100.0).contains(t)) {
            return Err("the ensemble's temperatures must be 0.01 to 100".into());
        }
        for (what, threshold) in [("none_below", self.none_below), ("non_music_above", self.non_music_above)]
        {
            if threshold.is_some_and(|threshold| !(0.0..=1.0).contains(&threshold)) {
                return Err(format!("the ensemble's {what} must be a probability"));
            }
        }
        if let Combination::Stack(Stacking { weights, biases }) = &self.combination {
            if weights.len() != classes
                || biases.len() != classes
                || weights.iter().any(|row| row.len() != members * classes)
            {
                return Err(format!(
                    "the ensemble's stacking is not for {members} members, {classes} classes"
                ));
            }
            if weights.iter().flatten().chain(biases).any(|w| !(-1e6..=1e6).contains(w)) {
                return Err("the ensemble's stacking has weights outside ±1e6".into());
            }
        }
        Ok(())
    }

    /// Combines the members' log-probabilities of the classes ([`of_classes`]) to those of the ensemble.
    /// Empty for no members.
    pub fn combine(&self, members: &[&[f32]]) -> Vec<f32> {
        let Some(classes) = members.first().map(|first| first.len()) else {
            return Vec::new();
        };
        let calibrated: Vec<Vec<f32>> = members
            .iter()
            .enumerate()
            .map(|(m, member)| at_temperature(member, self.temperatures.get(m).copied().unwrap_or(1.0)))
            .collect();
        let total: f32 =
            if self.weights.is_empty() { members.len() as f32 } else { self.weights.iter().sum() };
        let weight = |m: usize| self.weights.get(m).copied().unwrap_or(1.0) / total;
        let weighed = |of: &dyn Fn(f32) -> f32| {
            let mut sum = vec![0.0; classes];
            for (m, member) in calibrated.iter().enumerate() {
                sum.iter_mut().zip(member).for_each(|(s, p)| *s += weight(m) * of(*p));
            }
            sum
        };
        let logits = match &self.combination {
            Combination::Sum => weighed(&f32::exp).into_iter().map(f32::ln).collect(),
            Combination::Product => weighed(&|p| p.max(LOG_FLOOR)),
            Combination::Vote => {
                let mut votes: Vec<f32> = weighed(&f32::exp).into_iter().map(|p| VOTE_REST * p).collect();
                for (m, member) in calibrated.iter().enumerate() {
                    let (class, confidence) = most_probable(member);
                    if let Some(vote) = votes.get_mut(class) {
                        *vote += weight(m) * confidence;
                    }
                }
                votes.into_iter().map(f32::ln).collect()
            }
            Combination::Stack(Stacking { weights, biases }) => weights
                .iter()
                .zip(biases)
                .map(|(row, bias)| {
                    bias + row
                        .iter()
                        .zip(calibrated.iter().flatten())
                        .map(|(w, x)| w * x.max(LOG_FLOOR))
                        .sum::<f32>()
                })
                .collect(),
        };
        at_temperature(&log_softmax(&logits), self.temperature)
    }

    /// Log-probabilities of a song from the members' log-probabilities of every segment. First,
    /// [`combine`] gives each member's prediction for the song, then the rule combines the members,
    /// because a rule is fitted and calibrated on songs.
    ///
    /// Empty for no segments.
    pub fn song<'a>(&self, segments: impl IntoIterator<Item = &'a [Vec<f32>]>) -> Vec<f32> {
        let mut sums = MemberSums::default();
        segments.into_iter().for_each(|members| sums.add(members));
        let members = sums.members();
        self.combine(&members.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }

    /// The decision for these log-probabilities of the ensemble, without kinds of non-music.
    pub fn decide(&self, log_probabilities: &[f32]) -> Decision {
        self.decide_with(log_probabilities, &[])
    }

    /// The decision for these log-probabilities of the ensemble and probabilities of kinds of non-music.
    pub fn decide_with(&self, log_probabilities: &[f32], non_music: &[f32]) -> Decision {
        let (class, confidence) = most_probable(log_probabilities);
        let non_music = self.rejects(non_music).then(|| argmax(non_music));
        let unsure = self.none_below.is_some_and(|least| confidence < least);
        Decision { class, confidence, none: unsure || non_music.is_some(), non_music }
    }

    /// Whether the probability of all kinds of non-music together is above its threshold.
    pub(crate) fn rejects(&self, non_music: &[f32]) -> bool {
        let total: f32 = non_music.iter().sum();
        !non_music.is_empty() && self.non_music_above.is_some_and(|most| total > most)
    }
}

/// Sums of each member's log-probabilities over the segments of a song, from which [`combine`] of all
/// segments follows. The cost of adding a segment does not depend on the length of the song.
#[derive(Clone, Debug, Default)]
pub(crate) struct MemberSums {
    sums: Vec<Vec<f32>>,
    segments: u32,
}

impl MemberSums {
    /// Adds one segment: log-probabilities of each member.
    pub(crate) fn add(&mut self, members: &[Vec<f32>]) {
        if self.segments == 0 {
            self.sums = members.iter().map(|member| vec![0.0; member.len()]).collect();
        }
        // If a segment has fewer members, only the members that all segments have remain.
        self.sums.truncate(members.len());
        for (sum, member) in self.sums.iter_mut().zip(members) {
            sum.iter_mut().zip(member).for_each(|(s, p)| *s += p);
        }
        self.segments += 1;
    }

    /// [`combine`] of all segments, for each member; empty for no segments.
    pub(crate) fn members(&self) -> Vec<Vec<f32>> {
        let mean =
            |sum: &Vec<f32>| log_softmax(&sum.iter().map(|s| s / self.segments as f32).collect::<Vec<_>>());
        self.sums.iter().map(mean).collect()
    }
}

/// Index of the largest value, the first of equals; 0 for no values.
pub fn argmax<T: PartialOrd>(values: &[T]) -> usize {
    (1..values.len()).fold(0, |best, i| if values[i] > values[best] { i } else { best })
}

/// Index and probability of the most probable class, the first of equals.
fn most_probable(log_probabilities: &[f32]) -> (usize, f32) {
    let class = argmax(log_probabilities);
    (class, log_probabilities.get(class).copied().unwrap_or(f32::NEG_INFINITY).exp())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn combining_is_the_normalised_geometric_mean() {
        let a = [0.7_f32, 0.2, 0.1];
        let b = [0.1_f32, 0.8, 0.1];
        let logs = [a, b].map(|d| d.map(f32::ln));
        let combined = probabilities(&combine(logs.iter().map(|d| d.as_slice())));
        let products: Vec<f32> = a.iter().zip(b).map(|(x, y)| (x * y).sqrt()).collect();
        let total: f32 = products.iter().sum();
        for (c, p) in combined.iter().zip(products) {
            assert!((c - p / total).abs() < 1e-6);
        }
    }

    fn logs(distributions: &[&[f32]]) -> Vec<Vec<f32>> {
        distributions.iter().map(|d| d.iter().map(|p| p.ln()).collect()).collect()
    }

    fn result(rule: &EnsembleRule, members: &[Vec<f32>]) -> Vec<f32> {
        probabilities(&rule.combine(&members.iter().map(Vec::as_slice).collect::<Vec<_>>()))
    }

    fn assert_close(found: &[f32], expected: &[f32]) {
        let close = |(a, b): (&f32, &f32)| (a - b).abs() < 2e-6;
        assert!(
            found.len() == expected.len() && found.iter().zip(expected).all(close),
            "{found:?} {expected:?}"
        );
    }

    fn rule(combination: Combination, weights: &[f32]) -> EnsembleRule {
        EnsembleRule { combination, weights: weights.to_vec(), ..Default::default() }
    }

    #[test]
    fn the_default_rule_is_the_plain_geometric_mean() {
        let members = logs(&[&[0.7, 0.2, 0.1], &[0.1, 0.8, 0.1], &[0.3, 0.3, 0.4]]);
        let plain = probabilities(&combine(members.iter().map(Vec::as_slice)));
        assert_close(&result(&EnsembleRule::default(), &members), &plain);
        assert!(EnsembleRule::default().combine(&[]).is_empty());
    }

    #[test]
    fn sums_and_products_are_weighted() {
        let members = logs(&[&[0.7, 0.2, 0.1], &[0.1, 0.8, 0.1]]);
        // (3·0.7 + 0.1) / 4, ...
        assert_close(&result(&rule(Combination::Sum, &[3.0, 1.0]), &members), &[0.55, 0.35, 0.1]);
        let powers = [0.7_f32.powi(3) * 0.1, 0.2_f32.powi(3) * 0.8, 0.1_f32.powi(4)].map(|p| p.powf(0.25));
        let total: f32 = powers.iter().sum();
        assert_close(&result(&rule(Combination::Product, &[3.0, 1.0]), &members), &powers.map(|p| p / total));
    }

    #[test]
    fn a_song_combines_each_members_prediction_for_the_whole_song() {
        let segments = [logs(&[&[0.9, 0.1], &[0.3, 0.7]]), logs(&[&[0.5, 0.5], &[0.2, 0.8]])];
        // Roots of 0.9·0.5 and 0.1·0.5 have the ratio 3 to 1, of 0.3·0.2 and 0.7·0.8 1 to 3.055.
        let second = 1.0 / (1.0 + (0.56_f32 / 0.06).sqrt());
        let sum = rule(Combination::Sum, &[]);
        let found = probabilities(&sum.song(segments.iter().map(Vec::as_slice)));
        let first = 0.5 * (0.75 + second);
        assert_close(&found, &[first, 1.0 - first]);
        assert!(sum.song([]).is_empty());
    }

    #[test]
    fn one_sure_vote_outweighs_two_doubtful_ones_and_the_mean_breaks_ties() {
        let doubtful: &[f32] = &[0.4, 0.35, 0.25];
        let members = logs(&[doubtful, doubtful, &[0.05, 0.9, 0.05]]);
        let vote = EnsembleRule { combination: Combination::Vote, ..Default::default() };
        let found = result(&vote, &members);
        // 0.9 against 0.4 + 0.4, and a thousandth of the means.
        let rest: Vec<f32> = [0.85, 1.6, 0.55].iter().map(|p| 1e-3 * p).collect();
        let votes = [0.8 + rest[0], 0.9 + rest[1], rest[2]];
        assert_close(&found, &votes.map(|v| v / votes.iter().sum::<f32>()));
        let even = logs(&[&[0.6, 0.1, 0.3], &[0.2, 0.6, 0.2]]);
        assert!(vote.decide(&vote.combine(&[&even[0], &even[1]])).class == 0);
    }

    #[test]
    fn stacking_can_differ_from_every_member() {
        // The first member confuses the classes; the second is uninformative.
        let weights = vec![vec![0.0, 2.0, 0.0, 0.0], vec![2.0, 0.0, 0.0, 0.0]];
        let stack = rule(Combination::Stack(Stacking { weights, biases: vec![0.0, 0.5] }), &[]);
        stack.validate(2, 2).unwrap();
        let members = logs(&[&[0.8, 0.2], &[0.5, 0.5]]);
        let odds = (2.0 * (0.8_f32 / 0.2).ln() + 0.5).exp();
        assert_close(&result(&stack, &members), &[1.0 / (1.0 + odds), odds / (1.0 + odds)]);
    }

    #[test]
    fn a_temperature_is_a_power_of_the_probabilities() {
        let p = [0.6_f32, 0.3, 0.1];
        let roots = p.map(f32::sqrt);
        let total: f32 = roots.iter().sum();
        let members = logs(&[&p]);
        let warm = EnsembleRule { temperature: 2.0, ..Default::default() };
        assert_close(&result(&warm, &members), &roots.map(|r| r / total));
        let warm = EnsembleRule { temperatures: vec![2.0], ..Default::default() };
        assert_close(&result(&warm, &members), &roots.map(|r| r / total));
    }

    #[test]
    fn members_that_exclude_each_other_give_finite_results() {
        let members = [vec![0.0, f32::NEG_INFINITY], vec![f32::NEG_INFINITY, 0.0]];
        for combination in [Combination::Sum, Combination::Product, Combination::Vote] {
            assert_close(&result(&rule(combination, &[]), &members), &[0.5, 0.5]);
        }
    }

    #[test]
    fn too_little_confidence_is_none_of_the_classes() {
        let rule = EnsembleRule { none_below: Some(0.5), ..Default::default() };
        let of = |p: &[f32]| rule.decide(&p.iter().map(|p| p.ln()).collect::<Vec<_>>());
        assert_eq!(of(&[0.2, 0.7, 0.1]).class, 1);
        assert!(!of(&[0.2, 0.7, 0.1]).none && of(&[0.3, 0.4, 0.3]).none);
        assert!(!EnsembleRule::default().decide(&[0.3_f32.ln(), 0.7_f32.ln()]).none);
    }

    #[test]
    fn kinds_of_non_music_are_apart_from_the_classes() {
        // Two classes and two kinds; the second member has no kinds.
        let members = logs(&[&[0.3, 0.1, 0.5, 0.1], &[0.8, 0.2], &[0.2, 0.2, 0.0, 0.6]]);
        assert_close(&probabilities(&of_classes(&members[0], 2)), &[0.75, 0.25]);
        assert_eq!(of_classes(&members[1], 2), members[1]);
        assert_close(&non_music(members.iter().map(Vec::as_slice), 2), &[0.25, 0.35]);
        assert!(non_music([members[1].as_slice()], 2).is_empty());
    }

    #[test]
    fn non_music_above_its_threshold_is_none_of_the_classes() {
        let rule = EnsembleRule { non_music_above: Some(0.5), ..Default::default() };
        let classes = logs(&[&[0.1, 0.9]]).remove(0);
        let rejected = rule.decide_with(&classes, &[0.2, 0.35]);
        assert_eq!((rejected.class, rejected.none, rejected.non_music), (1, true, Some(1)));
        for accepted in [rule.decide_with(&classes, &[0.2, 0.3]), rule.decide(&classes)] {
            assert_eq!((accepted.class, accepted.none, accepted.non_music), (1, false, None));
        }
        assert_eq!(EnsembleRule::default().decide_with(&classes, &[1.0]).non_music, None);
        // Low confidence alone gives no kind of non-music.
        let doubt = EnsembleRule { none_below: Some(0.95), ..rule }.decide_with(&classes, &[0.1, 0.1]);
        assert_eq!((doubt.none, doubt.non_music), (true, None));
    }

    #[test]
    fn invalid_rules_are_rejected() {
        let default = EnsembleRule::default;
        let stack = |weights, biases| Combination::Stack(Stacking { weights, biases });
        let bad = [
            EnsembleRule { weights: vec![1.0], ..default() },
            EnsembleRule { weights: vec![0.0, 0.0], ..default() },
            EnsembleRule { weights: vec![-1.0, 2.0], ..default() },
            EnsembleRule { temperatures: vec![1.0, f32::NAN], ..default() },
            EnsembleRule { temperature: 0.0, ..default() },
            EnsembleRule { none_below: Some(1.5), ..default() },
            EnsembleRule { non_music_above: Some(-0.1), ..default() },
            rule(stack(vec![vec![1.0; 4]; 2], vec![0.0]), &[]),
            rule(stack(vec![vec![1.0; 3]; 2], vec![0.0; 2]), &[]),
            rule(stack(vec![vec![f32::INFINITY; 4]; 2], vec![0.0; 2]), &[]),
        ];
        for rule in bad {
            assert!(rule.validate(2, 2).is_err(), "{rule:?}");
        }
        default().validate(2, 2).unwrap();
        let json = serde_json::to_string(&default()).unwrap();
        assert_eq!(json, r#"{"combination":{"kind":"product"},"temperature":1.0}"#);
        assert_eq!(serde_json::from_str::<EnsembleRule>("{}").unwrap(), default());
    }

    #[test]
    fn huge_logits_do_not_overflow() {
        let p = probabilities(&log_softmax(&[1e30, -1e30, 0.0]));
        assert_eq!(p, [1.0, 0.0, 0.0]);
    }
}
