//! Lossy coding and the conditions of evaluation.
#![allow(clippy::unwrap_used)]

use std::f64::consts::TAU;

use cratedigger_dsp::augment::generator;
use cratedigger_trainer::data::codec::{MP3_BIT_RATES, mp3, mu_law, telephone};
use cratedigger_trainer::data::conditions::{Condition, SOUND, Walls};
use rand::RngExt as _;

const RATE: u32 = 22_050;

/// Tones at 440, 2000 and 9000 Hz of the same level, with a click that shows the position.
fn chord() -> Vec<f32> {
    (0..2 * RATE as usize)
        .map(|n| {
            let tone = |hz: f64| (TAU * hz * n as f64 / f64::from(RATE)).sin() * 0.05;
            (tone(440.0) + tone(2000.0) + tone(9000.0)) as f32 + if n == 20_000 { 0.5 } else { 0.0 }
        })
        .collect()
}

/// Amplitude of a tone by correlation with it, whatever its phase.
fn level(signal: &[f32], hz: f64) -> f64 {
    let (mut re, mut im) = (0.0, 0.0);
    for (n, sample) in signal.iter().enumerate() {
        let angle = TAU * hz * n as f64 / f64::from(RATE);
        re += f64::from(*sample) * angle.cos();
        im += f64::from(*sample) * angle.sin();
    }
    2.0 * re.hypot(im) / signal.len() as f64
}

fn loudest(signal: &[f32]) -> usize {
    (0..signal.len()).max_by(|a, b| signal[*a].abs().total_cmp(&signal[*b].abs())).unwrap()
}

#[test]
fn mp3_loses_high_tones_first_and_keeps_length_level_and_position() {
    let song = chord();
    for kbps in MP3_BIT_RATES {
        let heard = mp3(&song, RATE, kbps).unwrap();
        assert_eq!(heard.len(), song.len());
        assert_ne!(heard, song);
        assert!(loudest(&heard).abs_diff(20_000) <= 2, "{kbps}: {}", loudest(&heard));
        for hz in [440.0, 2000.0] {
            assert!((level(&heard, hz) / 0.05 - 1.0).abs() < 0.1, "{kbps}, {hz}: {}", level(&heard, hz));
        }
    }
    assert!(level(&mp3(&song, RATE, 24).unwrap(), 9000.0) < 0.005);
    assert!(mp3(&song, RATE, 57).is_err());
}

#[test]
fn a_rate_that_mp3_does_not_have_is_coded_at_another() {
    let heard = mp3(&chord(), 19_000, 48).unwrap();
    assert_eq!(heard.len(), chord().len());
}

#[test]
fn a_telephone_keeps_its_band_only() {
    let heard = telephone(&chord(), RATE).unwrap();
    assert_eq!(heard.len(), chord().len());
    assert!((level(&heard, 2000.0) / 0.05 - 1.0).abs() < 0.1);
    assert!(level(&heard, 9000.0) < 1e-4);
}

#[test]
fn mu_law_has_255_values_and_small_relative_errors() {
    let mut values: Vec<u32> = (-5000..=5000).map(|n| mu_law(n as f32 / 5000.0).to_bits()).collect();
    values.sort_unstable();
    values.dedup();
    // 127 steps of each sign, and zero.
    assert_eq!(values.len(), 255);
    for x in [0.01_f32, 0.1, 0.7, -0.3] {
        assert!((mu_law(x) / x - 1.0).abs() < 0.08, "{x}");
    }
    assert_eq!(mu_law(2.0), 1.0);
}

fn noise(samples: usize) -> Vec<f32> {
    let mut rng = generator(5);
    (0..samples).map(|_| rng.random_range(-0.2..0.2)).collect()
}

fn rms(signal: &[f32]) -> f64 {
    (signal.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / signal.len() as f64).sqrt()
}

#[test]
fn each_condition_has_its_effect_and_repeats_itself() {
    let song = noise(44_100);
    for condition in Condition::ALL {
        let heard = condition.apply(song.clone(), 22_050, "rock.00001").unwrap();
        assert_eq!(heard, condition.apply(song.clone(), 22_050, "rock.00001").unwrap(), "{condition:?}");
        assert!(heard.iter().all(|sample| sample.is_finite()));
        match condition {
            Condition::Faster => assert!(heard.len().abs_diff(41_604) < 3, "{}", heard.len()),
            _ => assert_eq!(heard.len(), song.len(), "{condition:?}"),
        }
        match condition {
            Condition::Quieter => {
                assert!((20.0 * (rms(&heard) / rms(&song)).log10() + 30.0).abs() < 0.01);
            }
            // Uniform noise with a peak of 4: three quarters of the samples are above 1.
            Condition::Clipped => {
                let clipped = heard.iter().filter(|s| s.abs() == 1.0).count();
                assert!((clipped as f64 / 44_100.0 - 0.75).abs() < 0.01, "{clipped}");
            }
            Condition::Room => {
                let other = condition.apply(song.clone(), 22_050, "rock.00002").unwrap();
                assert_ne!(heard, other, "another clip is in another room");
            }
            _ => {}
        }
    }
}

#[test]
fn a_room_starts_with_the_direct_sound_and_decays() {
    let response = Walls::draw(&mut generator(3)).response(22_050);
    assert!((response[0] - 1.0).abs() < 1e-6, "{}", response[0]);
    let energy = |from: f64, to: f64| {
        response[(from * 22_050.0) as usize..(to * 22_050.0) as usize]
            .iter()
            .map(|x| f64::from(*x).powi(2))
            .sum::<f64>()
    };
    let fall = 10.0 * (energy(0.05, 0.1) / energy(0.25, 0.3)).log10();
    // 60 dB within 0.3 to 0.9 s.
    assert!((13.0..40.0).contains(&fall), "{fall} dB within 0.2 s");
    // The floor's reflection arrives when the way over its image says so.
    let room = Walls {
        size: [5.0, 4.0, 3.0],
        speaker: [1.0, 2.0, 1.5],
        microphone: [4.0, 2.0, 1.5],
        reflected: 0.5,
    };
    let late = ((18.0_f64.sqrt() - 3.0) / SOUND * 22_050.0).round() as usize;
    let found = f64::from(room.response(22_050)[late]);
    // Floor and ceiling are equally far, and no other way is as long.
    assert!((found - 2.0 * 0.5 * 3.0 / 18.0_f64.sqrt()).abs() < 1e-5, "{found}");
}
