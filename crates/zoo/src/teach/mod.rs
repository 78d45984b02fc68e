//! Classes of one's own, from a few songs of each: a head on the frozen body of the network with the embedding.
//!
//! The head is a regularised logistic regression over the segments of all songs; each song has the same weight
//! within its class, and each class the same total weight. Further outputs are the kinds of non-music, whose
//! examples come with the program ([`NonMusic`]). The problem is convex and solved to convergence, so the same
//! songs give the same weights everywhere.
//!
//! Each song is also predicted by a head that was fitted without it. These predictions give the accuracy, and
//! the temperature that calibrates the head.

mod export;
mod non_music;
mod table;

pub use export::{Export, PROTOCOL, export, golden_features};
pub use non_music::{NonMusic, NonMusicError};

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::{
    Combination, Decision, EnsembleRule, LogisticError, LogisticRegression, SegmentFeatures, combine,
    log_softmax, musical, non_music as kinds_of, of_classes, probabilities, spread_order, wilson,
};
use table::Table;

/// Fewest and most classes.
pub const CLASSES: std::ops::RangeInclusive<usize> = 2..=20;
/// Fewest songs of a class. One is left out for the accuracy, and the others must still show what varies.
pub const FEWEST_SONGS: usize = 3;
/// Most segments of a song that are used, a minute of music spread over the song: more segments of a song hardly
/// change its class, and the fit takes time for each.
pub const MOST_SEGMENTS: usize = 20;
/// Most heads that are fitted for the accuracy. With more songs, several are left out together.
const MOST_FITS: usize = 64;
/// Inverse regularisation strength, as scikit-learn's C.
const C: f64 = 0.01;
/// Limit of the solver's iterations. A hundred are usual.
const MAX_ITERATIONS: u64 = 3000;
/// A sound is none of the classes if the kinds of non-music are together more probable than the classes.
const NON_MUSIC_ABOVE: f32 = 0.5;
/// Range of the temperature.
const TEMPERATURES: [f32; 2] = [0.05, 10.0];

/// A song with its class.
#[derive(Clone, Debug, PartialEq)]
pub struct Song {
    /// Name for messages, unique among the songs.
    pub name: String,
    /// Index of the class.
    pub class: usize,
    /// Features of its segments of music, at most 20, spread over the song.
    segments: Vec<Vec<f32>>,
}

impl Song {
    /// A song from the features of its audible segments, in order of time. `None` if there are none.
    pub fn new(name: String, class: usize, segments: &[SegmentFeatures]) -> Option<Self> {
        let music = musical(segments);
        let mut places = spread_order(music.len());
        places.truncate(MOST_SEGMENTS);
        places.sort_unstable();
        let segments: Vec<_> = places.into_iter().map(|place| music[place].values.clone()).collect();
        (!segments.is_empty()).then_some(Self { name, class, segments })
    }
}

/// What is taught.
#[derive(Clone, Copy, Debug)]
pub struct Lesson<'a> {
    /// Names of the classes.
    pub classes: &'a [String],
    /// Songs of all classes. Their order has no effect on the weights beyond rounding.
    pub songs: &'a [Song],
    /// Examples of sounds that are no music.
    pub non_music: &'a NonMusic,
}

/// Why nothing can be taught.
#[derive(Debug, thiserror::Error)]
pub enum TeachError {
    /// Another number of classes than [`CLASSES`].
    #[error("there are {0} classes; {least} to {most} can be taught", least = CLASSES.start(), most = CLASSES.end())]
    Classes(usize),
    /// A class has too few songs.
    #[error("{class} has {songs} songs that can be used; a class needs at least {FEWEST_SONGS}")]
    Songs {
        /// Name of the class.
        class: String,
        /// Number of its songs.
        songs: usize,
    },
    /// A class has the name of a kind of non-music, or of another class.
    #[error("the name {0} stands for something else already; give the class another name")]
    Name(String),
    /// Songs and sounds have different numbers of features, or a class does not exist.
    #[error("the features do not fit together: {0}")]
    Features(&'static str),
    /// The regression failed.
    #[error("the head cannot be fitted: {0}")]
    Fit(#[from] LogisticError),
    /// `progress` returned false.
    #[error("cancelled")]
    Cancelled,
}

/// The prediction for a song by a head that was fitted without it.
#[derive(Clone, Debug, PartialEq)]
pub struct LeftOut {
    /// Index of the song.
    pub song: usize,
    /// Probabilities of the classes, calibrated.
    pub probabilities: Vec<f32>,
    /// The most probable class, and whether the song would be rejected as non-music.
    pub decision: Decision,
}

/// A fitted head with its measured accuracy.
#[derive(Clone, Debug, PartialEq)]
pub struct Taught {
    /// The head: outputs are the classes, then the kinds of non-music.
    pub head: LogisticRegression,
    /// The rule of the new manifest: temperature, and threshold of non-music.
    pub rule: EnsembleRule,
    /// One prediction for each song, in their order.
    pub left_out: Vec<LeftOut>,
    /// Number of songs that were left out together.
    pub together: usize,
}

impl Taught {
    /// Number of songs whose class was predicted correctly without them.
    pub fn correct(&self, songs: &[Song]) -> usize {
        self.left_out
            .iter()
            .filter(|l| songs.get(l.song).is_some_and(|s| s.class == l.decision.class))
            .count()
    }

    /// Fraction of songs whose class was predicted correctly without them, with its 95 % Wilson interval.
    pub fn accuracy(&self, songs: &[Song]) -> (f64, [f64; 2]) {
        let (correct, n) = (self.correct(songs), self.left_out.len());
        (correct as f64 / n.max(1) as f64, wilson(correct, n))
    }

    /// One row for each class, one column for each predicted class.
    pub fn confusion(&self, songs: &[Song], classes: usize) -> Vec<Vec<u32>> {
        let mut matrix = vec![vec![0; classes]; classes];
        for left in &self.left_out {
            let row = songs.get(left.song).and_then(|song| matrix.get_mut(song.class));
            if let Some(cell) = row.and_then(|row| row.get_mut(left.decision.class)) {
                *cell += 1;
            }
        }
        matrix
    }
}

/// Fits a head to all songs, and one head without each song. `progress` gets the number of fitted heads without a
/// song and of all of them, from several threads with feature `training`; it returns false to stop.
///
/// # Errors
/// Too few songs or classes, features that differ in number, no convergence, or a stop.
pub fn teach(
    lesson: &Lesson<'_>,
    progress: &(dyn Fn(usize, usize) -> bool + Sync),
) -> Result<Taught, TeachError> {
    let head = fit(lesson)?;
    let Lesson { classes, songs, non_music } = *lesson;
    let fits = songs.len().min(MOST_FITS);
    let done = AtomicUsize::new(1);
    // Songs of one class lie in different groups, as far as possible.
    let mut order: Vec<usize> = (0..songs.len()).collect();
    order.sort_by_key(|&song| songs[song].class);
    let groups: Vec<Vec<usize>> =
        (0..fits).map(|group| order.iter().copied().skip(group).step_by(fits).collect()).collect();
    let without = |group: &Vec<usize>| -> Result<Vec<(usize, Vec<f32>)>, TeachError> {
        let table = Table::new(lesson, |song| !group.contains(&song));
        let head = LogisticRegression::fit_from(table.examples(), C, MAX_ITERATIONS, Some(&head))?;
        if !progress(done.fetch_add(1, Ordering::Relaxed), fits) {
            return Err(TeachError::Cancelled);
        }
        Ok(group.iter().map(|&song| (song, outputs(&head, &songs[song]))).collect())
    };
    #[cfg(feature = "training")]
    let predicted: Vec<_> = {
        use rayon::prelude::*;
        groups.par_iter().map(without).collect::<Result<_, _>>()?
    };
    #[cfg(not(feature = "training"))]
    let predicted: Vec<_> = groups.iter().map(without).collect::<Result<_, _>>()?;
    let mut predicted: Vec<(usize, Vec<f32>)> = predicted.into_iter().flatten().collect();
    predicted.sort_by_key(|(song, _)| *song);
    let rule = EnsembleRule {
        combination: Combination::Product,
        temperature: temperature(&predicted, songs, classes.len()),
        non_music_above: (!non_music.kinds().is_empty()).then_some(NON_MUSIC_ABOVE),
        ..EnsembleRule::default()
    };
    let left_out = predicted
        .into_iter()
        .map(|(song, all)| {
            let combined = rule.combine(&[&of_classes(&all, classes.len())]);
            let kinds = kinds_of([all.as_slice()], classes.len());
            let decision = rule.decide_with(&combined, &kinds);
            LeftOut { song, probabilities: probabilities(&combined), decision }
        })
        .collect();
    Ok(Taught { head, rule, left_out, together: songs.len().div_ceil(fits) })
}

/// Fits a head to all songs, without measuring its accuracy: outputs are the classes, then the kinds of
/// non-music.
///
/// # Errors
/// As [`teach`].
pub fn fit(lesson: &Lesson<'_>) -> Result<LogisticRegression, TeachError> {
    check(lesson)?;
    Ok(LogisticRegression::fit(Table::new(lesson, |_| true).examples(), C, MAX_ITERATIONS)?)
}

/// Log-probabilities of all outputs of a head for a song: [`combine`] of its segments.
pub fn outputs(head: &LogisticRegression, song: &Song) -> Vec<f32> {
    let segments: Vec<Vec<f32>> =
        song.segments.iter().map(|segment| log_softmax(&head.logits(segment))).collect();
    combine(segments.iter().map(Vec::as_slice))
}

fn check(lesson: &Lesson<'_>) -> Result<(), TeachError> {
    let Lesson { classes, songs, non_music } = *lesson;
    if !CLASSES.contains(&classes.len()) {
        return Err(TeachError::Classes(classes.len()));
    }
    let mut names: BTreeSet<&str> = non_music.kinds().iter().map(String::as_str).collect();
    if let Some(taken) = classes.iter().find(|class| !names.insert(class)) {
        return Err(TeachError::Name(taken.clone()));
    }
    for (index, class) in classes.iter().enumerate() {
        let count = songs.iter().filter(|song| song.class == index).count();
        if count < FEWEST_SONGS {
            return Err(TeachError::Songs { class: class.clone(), songs: count });
        }
    }
    if songs.iter().any(|song| song.class >= classes.len()) {
        return Err(TeachError::Features("a song is of no class"));
    }
    let width = non_music.width();
    if songs.iter().flat_map(|song| &song.segments).any(|segment| segment.len() != width) {
        return Err(TeachError::Features("songs and non-music sounds come from different networks"));
    }
    Ok(())
}

/// The temperature that makes the songs' own classes most probable, by the predictions without them. As in
/// Platt's scaling (1999), the target of a class with n songs is (n + 1) / (n + 2), not 1, so that a few correct
/// predictions do not make the head certain.
fn temperature(predicted: &[(usize, Vec<f32>)], songs: &[Song], classes: usize) -> f32 {
    let logs: Vec<(usize, Vec<f32>)> =
        predicted.iter().map(|(song, all)| (songs[*song].class, of_classes(all, classes))).collect();
    let mut counts = vec![0.0_f64; classes];
    songs.iter().for_each(|song| counts[song.class] += 1.0);
    let loss = |log_temperature: f64| -> f64 {
        let temperature = log_temperature.exp() as f32;
        logs.iter()
            .map(|(class, log_probabilities)| {
                let calibrated = crate::at_temperature(log_probabilities, temperature);
                let rest = 1.0 / (counts[*class] + 2.0) / (classes - 1).max(1) as f64;
                let own = (counts[*class] + 1.0) / (counts[*class] + 2.0);
                let target = |index: usize| if index == *class { own } else { rest };
                let terms = calibrated.iter().enumerate().map(|(i, p)| -target(i) * f64::from(*p));
                terms.sum::<f64>()
            })
            .sum()
    };
    // The loss is convex in 1/T, so it has one minimum in T: golden-section search.
    let ratio = (5.0_f64.sqrt() - 1.0) / 2.0;
    let [mut low, mut high] = TEMPERATURES.map(|t| f64::from(t).ln());
    for _ in 0..60 {
        let (left, right) = (high - ratio * (high - low), low + ratio * (high - low));
        if loss(left) <= loss(right) { high = right } else { low = left }
    }
    (0.5 * (low + high)).exp() as f32
}
