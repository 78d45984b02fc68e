//! Training batches: random windows, augmented and mixed.

use anyhow::{Context as _, Result};
use cratedigger_zoo::Input;
use rand::RngExt as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;

use super::session::Session;
use super::step::Batch;
use crate::config::Balance;
use crate::data::augment::{add_noise, augment_window, mixup};
use crate::data::examples::preprocessed;
use crate::data::preprocess;
use crate::data::split::clips_of;

/// A window to draw.
#[derive(Clone, Copy)]
pub(super) struct Draw {
    clip: usize,
    /// The segment, or none for a random position in the clip.
    segment: Option<usize>,
}

/// The windows of an epoch in random order.
pub(super) fn draws(session: &Session<'_>, rng: &mut ChaCha8Rng) -> Result<Vec<Draw>> {
    let train = &session.split.train;
    // If the split divides clips, a crop could overlap a test segment.
    let crops = session.config.training.crops_per_clip.filter(|_| session.clips_apart);
    let mut all: Vec<Draw> = match crops {
        Some(crops) => clips_of(train)
            .into_iter()
            .flat_map(|clip| std::iter::repeat_n(Draw { clip, segment: None }, crops))
            .collect(),
        None => train.iter().map(|&(clip, segment)| Draw { clip, segment: Some(segment) }).collect(),
    };
    if session.config.data.balance == Balance::Oversample {
        let labels: Vec<usize> = all.iter().map(|draw| session.class_of[&draw.clip]).collect();
        let chosen = preprocess::oversample(&labels, session.classes.len(), rng.random())?;
        all = chosen.into_iter().filter_map(|place| all.get(place).copied()).collect();
    }
    all.shuffle(rng);
    Ok(all)
}

/// Minimum number of windows of a step of usually `at_once` windows. Skips a final step with under half the
/// usual windows; its gradient would weigh as much as a full step's.
pub(super) fn least_windows(at_once: usize, drawn: usize) -> usize {
    at_once.min(drawn).div_ceil(2).max(2)
}

/// Draws, augments and mixes the windows of a batch.
pub(super) fn make_batch(session: &Session<'_>, draws: &[Draw], rng: &mut ChaCha8Rng) -> Result<Batch> {
    let Session { config, spec, .. } = session;
    let classes = session.classes.len();
    let smoothing = config.training.label_smoothing;
    let mut inputs = Vec::with_capacity(draws.len());
    let mut targets = Vec::with_capacity(draws.len());
    for draw in draws {
        let versions = session.examples.get(&draw.clip).map_or(&[][..], |e| e.versions.as_slice());
        // A single version draws no random number, so that the random numbers of runs without added
        // versions stay the same.
        let place = if versions.len() > 1 { rng.random_range(0..versions.len()) } else { 0 };
        let version = versions.get(place).context("a clip of the split has no examples")?;
        let mut window = match draw.segment {
            None => version.draw(spec, rng),
            Some(segment) => version.segment(spec, segment),
        };
        augment_window(&mut window, spec, &config.augmentation, rng)?;
        let mut window = preprocessed(spec, &session.preparation, &window)?;
        if spec.inputs.iter().any(Input::is_prepared) {
            noise_on_features(&mut window, session, rng);
        }
        inputs.push(window);
        let mut target = vec![smoothing / classes as f32; classes];
        target[session.class_of[&draw.clip]] += 1.0 - smoothing;
        targets.push(target);
    }
    if !session.non_music.is_empty() {
        for _ in 0..(config.training.non_music * draws.len() as f32).round() as usize {
            let mut window = session.non_music[rng.random_range(0..session.non_music.len())].clone();
            augment_window(&mut window, spec, &config.augmentation, rng)?;
            inputs.push(preprocessed(spec, &session.preparation, &window)?);
            targets.push(vec![1.0 / classes as f32; classes]);
        }
    }
    mixup(&mut inputs, &mut targets, config.training.mixup, rng)?;
    let weight =
        |target: &Vec<f32>| target.iter().zip(&session.class_weights).map(|(t, w)| t * w).sum::<f32>();
    Ok(Batch {
        weights: targets.iter().map(weight).collect(),
        windows: inputs.concat(),
        shapes: session.shapes.clone(),
        targets: targets.concat(),
        classes,
    })
}

/// Adds noise to preprocessed features, because after scaling the same noise has the same effect in every
/// column.
fn noise_on_features(window: &mut [f32], session: &Session<'_>, rng: &mut ChaCha8Rng) {
    let mut first = 0;
    for (input, shape) in session.spec.inputs.iter().zip(&session.shapes) {
        let end = first + shape.iter().product::<usize>();
        if input.is_prepared()
            && let Some(part) = window.get_mut(first..end)
        {
            add_noise(part, session.config.augmentation.noise, rng);
        }
        first = end;
    }
}
