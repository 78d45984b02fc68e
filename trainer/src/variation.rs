//! How training windows are varied: log-mel and stacked features by masks and level, features by
//! noise, all by blending.

use anyhow::{Context as _, Result};
use cratedigger_zoo::{Input, InputSpec, LogMel};
use rand::RngExt as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Beta, Distribution as _, StandardNormal};

use crate::config::Augmentation;
use crate::material::part_ranges;

/// Varies a window's raw values in place: what is known before features are brought to one scale.
pub fn vary(window: &mut [f32], recipe: &InputSpec, how: &Augmentation, rng: &mut ChaCha8Rng) {
    for (input, range) in recipe.inputs.iter().zip(part_ranges(recipe)) {
        let Some(part) = window.get_mut(range) else { continue };
        match input {
            Input::LogMel(mel) => vary_log_mel(part, mel, how, rng),
            // Its parts have mean 0.
            Input::Stacked(stacked) => mask(part, stacked.columns, 0.0, how, rng),
            // 0 is silence.
            Input::LogPowerMel(mel) => mask(part, mel.columns, 0.0, how, rng),
            Input::Picture(_) => add_noise(part, how.noise, rng),
            Input::Features(_) | Input::Sequence(_) => {}
        }
    }
}

/// Adds noise of deviation `noise` to values; nothing for 0.
pub fn add_noise(values: &mut [f32], noise: f32, rng: &mut ChaCha8Rng) {
    if noise > 0.0 {
        for value in values {
            let normal: f32 = StandardNormal.sample(rng);
            *value += noise * normal;
        }
    }
}

/// Level, spectral tilt, low-pass, shift along the bands, SpecAugment's masks (Park et al. 2019,
/// without time warping).
fn vary_log_mel(window: &mut [f32], mel: &LogMel, how: &Augmentation, rng: &mut ChaCha8Rng) {
    const FLOOR: f32 = -1.0;
    let (bands, columns) = (mel.n_mels, mel.columns);
    // A window's values span 2 over top_db decibels.
    let unit = 2.0 / mel.top_db;
    if how.tilt_db > 0.0 || how.level_db > 0.0 {
        let tilt = rng.random_range(-how.tilt_db..=how.tilt_db) * unit;
        let level = rng.random_range(-how.level_db..=how.level_db) * unit;
        for (band, row) in window.chunks_exact_mut(columns).enumerate() {
            let gain = level + tilt * (band as f32 / (bands.max(2) - 1) as f32 - 0.5);
            // The floor stays where it is: what was cut off there cannot be lifted again.
            row.iter_mut().filter(|v| **v > FLOOR).for_each(|v| *v = (*v + gain).max(FLOOR));
        }
    }
    if how.low_pass > 0.0 && rng.random::<f32>() < how.low_pass {
        let first = rng.random_range(how.low_pass_from.min(bands)..=bands);
        window[first * columns..].fill(FLOOR);
    }
    if how.frequency_shift > 0 {
        let most = how.frequency_shift.min(bands / 2);
        let shift = rng.random_range(0..=2 * most);
        if shift >= most {
            let up = (shift - most) * columns;
            window.copy_within(..bands * columns - up, up);
        } else {
            let down = (most - shift) * columns;
            window.copy_within(down.., 0);
        }
    }
    mask(window, columns, FLOOR, how, rng);
}

fn mask(window: &mut [f32], columns: usize, fill: f32, how: &Augmentation, rng: &mut ChaCha8Rng) {
    let bands = window.len() / columns.max(1);
    for _ in 0..how.frequency_masks {
        let height = rng.random_range(0..=how.frequency_mask_bands.min(bands));
        let first = rng.random_range(0..=bands - height);
        window[first * columns..(first + height) * columns].fill(fill);
    }
    for _ in 0..how.time_masks {
        let width = rng.random_range(0..=how.time_mask_columns.min(columns));
        let first = rng.random_range(0..=columns - width);
        for row in window.chunks_exact_mut(columns) {
            row[first..first + width].fill(fill);
        }
    }
}

/// mixup (Zhang et al. 2018): each window and its target become a blend with another of the batch.
///
/// # Errors
/// An `alpha` that makes no distribution.
pub fn mix(
    inputs: &mut [Vec<f32>],
    targets: &mut [Vec<f32>],
    alpha: f32,
    rng: &mut ChaCha8Rng,
) -> Result<()> {
    if alpha <= 0.0 {
        return Ok(());
    }
    let beta = Beta::new(alpha, alpha).context("mixup")?;
    let mut partners: Vec<usize> = (0..inputs.len()).collect();
    partners.shuffle(rng);
    let (pure_inputs, pure_targets) = (inputs.to_vec(), targets.to_vec());
    let blend = |own: &mut [f32], other: &[f32], share: f32| {
        own.iter_mut().zip(other).for_each(|(a, b)| *a = share * *a + (1.0 - share) * b);
    };
    for (index, partner) in partners.into_iter().enumerate() {
        let share = beta.sample(rng);
        blend(&mut inputs[index], &pure_inputs[partner], share);
        blend(&mut targets[index], &pure_targets[partner], share);
    }
    Ok(())
}
