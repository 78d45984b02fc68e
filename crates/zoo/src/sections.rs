//! Sections of a song: segments smoothed in time by a hidden Markov model.
//!
//! The states are the classes, the kinds of non-music, and silence. A state continues with one probability
//! ([`SectionModel::stay`]); any other state follows with the same probability each. The path through the
//! states is the most probable one, by the Viterbi algorithm (Rabiner 1989, "A tutorial on hidden Markov
//! models and selected applications in speech recognition").

use cratedigger_protocol::{Section, SectionLabel};
use serde::{Deserialize, Serialize};

/// Probability of a silent segment inside music or other sound. Music has pauses, so that one or two silent
/// segments of 3 s do not end a section; three do.
const SILENT_INSIDE: f64 = 0.01;
/// Smallest probability of an observation, so that one segment can never exclude a state.
const FLOOR: f64 = 1e-6;

/// Parameters of the hidden Markov model.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SectionModel {
    /// Probability that the next segment has the same state, in 0…1.
    pub stay: f64,
    /// Exponent of the observed probabilities. The larger it is, the fewer segments outweigh the cost of a
    /// change of state.
    pub evidence: f64,
}

impl Default for SectionModel {
    /// Chosen on mixes of validation clips; docs/results.md has the figures.
    fn default() -> Self {
        Self { stay: 0.9, evidence: 1.5 }
    }
}

/// A segment as the model sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// Start in seconds.
    pub start: f64,
    /// End in seconds.
    pub end: f64,
    /// The prediction; `None` for a silent segment.
    pub sound: Option<Sound>,
}

/// The prediction for an audible segment.
#[derive(Clone, Debug, PartialEq)]
pub struct Sound {
    /// Probabilities of the classes. They sum to 1.
    pub classes: Vec<f32>,
    /// Probability of each kind of non-music; with that of music, they sum to 1. Empty if no network
    /// predicts kinds.
    pub non_music: Vec<f32>,
}

impl Observation {
    /// Evidence for each state: classes, kinds of non-music, silence.
    ///
    /// The probability of music is shared by many classes. To compare these one by one with non-music would
    /// favour non-music. So the most probable class has all of the music's probability, and the others a
    /// part of it in proportion to their own; the same holds for the kinds.
    fn states(&self, classes: usize, kinds: usize) -> Vec<f64> {
        let Some(sound) = &self.sound else {
            return std::iter::repeat_n(SILENT_INSIDE, classes + kinds).chain([1.0]).collect();
        };
        let non_music = sound.total_non_music();
        in_proportion(&sound.classes, classes, 1.0 - non_music)
            .chain(in_proportion(&sound.non_music, kinds, non_music))
            .chain([0.0])
            .map(|evidence| evidence.max(FLOOR))
            .collect()
    }

    /// Probability of a state, as the segment itself shows it: of the class among the classes, or of all
    /// kinds of non-music together.
    fn probability(&self, state: usize, classes: usize) -> f32 {
        match &self.sound {
            None => 0.0,
            Some(sound) if state < classes => sound.classes.get(state).copied().unwrap_or_default(),
            Some(sound) => sound.total_non_music() as f32,
        }
    }
}

impl Sound {
    fn total_non_music(&self) -> f64 {
        self.non_music.iter().map(|probability| f64::from(*probability)).sum()
    }

    /// The most probable state without regard to other segments: a class or, behind the classes, a kind of
    /// non-music.
    pub fn top(&self) -> usize {
        let non_music = self.total_non_music();
        if non_music > 0.5 {
            self.classes.len() + crate::argmax(&self.non_music)
        } else {
            crate::argmax(&self.classes)
        }
    }
}

/// `count` values in proportion to `values`, of which the largest is `largest`.
fn in_proportion(values: &[f32], count: usize, largest: f64) -> impl Iterator<Item = f64> {
    let scale = largest / f64::from(values.iter().copied().fold(f32::MIN_POSITIVE, f32::max));
    (0..count).map(move |index| scale * f64::from(values.get(index).copied().unwrap_or_default()))
}

impl SectionModel {
    /// Whether the parameters make sense: `stay` between 0 and 1, `evidence` positive and finite.
    pub fn is_valid(&self) -> bool {
        self.stay > 0.0 && self.stay < 1.0 && self.evidence > 0.0 && self.evidence.is_finite()
    }

    /// The sections of a song. `observations` are its segments in order of time; `classes` is the number of
    /// classes, `kinds` the names of the kinds of non-music. Sections have no gaps between them.
    pub fn sections(&self, observations: &[Observation], classes: usize, kinds: &[String]) -> Vec<Section> {
        let states: Vec<Vec<f64>> = observations.iter().map(|o| o.states(classes, kinds.len())).collect();
        let path = self.path(&states, classes + kinds.len() + 1);
        let mut sections: Vec<(usize, Section)> = Vec::new();
        let mut segments = 0.0_f32;
        for (observation, state) in observations.iter().zip(path) {
            let silent = state == classes + kinds.len();
            let probability = if silent { 1.0 } else { observation.probability(state, classes) };
            match sections.last_mut() {
                Some((same, section)) if *same == state => {
                    segments += 1.0;
                    section.probability += (probability - section.probability) / segments;
                    section.end = observation.end;
                }
                before => {
                    if let Some((_, before)) = before {
                        before.end = observation.start;
                    }
                    segments = 1.0;
                    let label = match kinds.get(state.wrapping_sub(classes)) {
                        _ if silent => SectionLabel::Silence,
                        Some(name) => SectionLabel::NonMusic { name: name.clone() },
                        None => SectionLabel::Class { class: state as u32 },
                    };
                    let (start, end) = (observation.start, observation.end);
                    sections.push((state, Section { start, end, label, probability }));
                }
            }
        }
        sections.into_iter().map(|(_, section)| section).collect()
    }

    /// The most probable path: one state for each row of `probabilities`, which have `count` values each.
    fn path(&self, probabilities: &[Vec<f64>], count: usize) -> Vec<usize> {
        let others = count.saturating_sub(1).max(1) as f64;
        let (stay, change) = (self.stay.ln(), ((1.0 - self.stay) / others).ln());
        let mut scores: Vec<f64> = Vec::new();
        let mut origins: Vec<Vec<usize>> = Vec::with_capacity(probabilities.len());
        for row in probabilities {
            let seen = row.iter().map(|probability| self.evidence * probability.ln());
            let (new, origin): (Vec<f64>, Vec<usize>) = if scores.is_empty() {
                (seen.collect(), (0..count).collect())
            } else {
                let step = |from: usize, to: usize| if from == to { stay } else { change };
                seen.enumerate()
                    .map(|(to, seen)| {
                        let arriving: Vec<f64> =
                            scores.iter().enumerate().map(|(from, score)| score + step(from, to)).collect();
                        let origin = argmax(&arriving);
                        (arriving.get(origin).copied().unwrap_or_default() + seen, origin)
                    })
                    .unzip()
            };
            scores = new;
            origins.push(origin);
        }
        let mut state = argmax(&scores);
        let mut path: Vec<usize> = Vec::with_capacity(origins.len());
        for origin in origins.iter().rev() {
            path.push(state);
            state = origin.get(state).copied().unwrap_or(state);
        }
        path.reverse();
        path
    }
}

/// Index of the largest value, the first of equal ones; 0 if there are none.
fn argmax(values: &[f64]) -> usize {
    let mut best = 0;
    for (index, value) in values.iter().enumerate() {
        if values.get(best).is_some_and(|largest| value > largest) {
            best = index;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const MODEL: SectionModel = SectionModel { stay: 0.9, evidence: 1.0 };

    fn random(state: &mut u32) -> f64 {
        *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(*state >> 8) / f64::from(1_u32 << 24)
    }

    /// The logarithm of a path's joint probability, by its definition.
    fn score(model: &SectionModel, rows: &[Vec<f64>], path: &[usize]) -> f64 {
        let others = (rows[0].len() - 1) as f64;
        let seen: f64 = rows.iter().zip(path).map(|(row, state)| model.evidence * row[*state].ln()).sum();
        let step = |pair: &[usize]| {
            if pair[0] == pair[1] { model.stay.ln() } else { ((1.0 - model.stay) / others).ln() }
        };
        seen + path.windows(2).map(step).sum::<f64>()
    }

    #[test]
    fn the_path_is_the_best_of_all_paths() {
        let mut state = 7;
        for trial in 0..200_usize {
            let (count, length) = (2 + trial % 3, 1 + trial % 6);
            let stay = 0.05 + 0.9 * random(&mut state);
            let model = SectionModel { stay, evidence: 0.2 + random(&mut state) };
            let rows: Vec<Vec<f64>> =
                (0..length).map(|_| (0..count).map(|_| 0.001 + random(&mut state)).collect()).collect();
            let all = (0..count.pow(length as u32)).map(|code| {
                (0..length).map(|step| code / count.pow(step as u32) % count).collect::<Vec<_>>()
            });
            let best = all.map(|path| score(&model, &rows, &path)).fold(f64::MIN, f64::max);
            let found = score(&model, &rows, &model.path(&rows, count));
            assert!((found - best).abs() < 1e-9, "{trial}: {found} {best}");
        }
    }

    fn sound(classes: [f32; 2], speech: f32) -> Option<Sound> {
        Some(Sound { classes: classes.to_vec(), non_music: vec![speech] })
    }

    fn labels(sounds: &[Option<Sound>]) -> Vec<(f64, f64, SectionLabel)> {
        let observations: Vec<_> = sounds
            .iter()
            .enumerate()
            .map(|(index, sound)| Observation {
                start: 3.0 * index as f64,
                end: 3.0 * index as f64 + 3.0,
                sound: sound.clone(),
            })
            .collect();
        let sections = MODEL.sections(&observations, 2, &["speech".into()]);
        sections.into_iter().map(|section| (section.start, section.end, section.label)).collect()
    }

    #[test]
    fn a_flicker_is_smoothed_and_speech_and_silence_are_sections() {
        let (rock, pop, speech) =
            (sound([0.8, 0.2], 0.02), sound([0.35, 0.65], 0.02), sound([0.5, 0.5], 0.97));
        let mut song = vec![rock.clone(); 10];
        song[4] = pop;
        song.extend(vec![speech; 4]);
        song.extend(vec![None; 4]);
        song.extend(vec![rock; 6]);
        song[21] = None;
        let class = || SectionLabel::Class { class: 0 };
        assert_eq!(
            labels(&song),
            [
                (0.0, 30.0, class()),
                (30.0, 42.0, SectionLabel::NonMusic { name: "speech".into() }),
                (42.0, 54.0, SectionLabel::Silence),
                (54.0, 72.0, class()),
            ]
        );
    }

    #[test]
    fn a_probability_is_the_mean_over_the_section_and_no_segment_has_no_section() {
        assert!(labels(&[]).is_empty());
        let observation = |p: f32| Observation { start: 0.0, end: 3.0, sound: sound([p, 1.0 - p], 0.0) };
        let sections = MODEL.sections(&[observation(0.9), observation(0.7)], 2, &["speech".into()]);
        assert_eq!(sections.len(), 1);
        assert!((sections[0].probability - 0.8).abs() < 1e-6);
    }
}
