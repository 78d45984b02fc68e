//! The built-in example: 36 seconds of synthetic music in three styles, so that a visitor can try the
//! page without a file and see a timeline with several genres. It is the same every time, and free of
//! other people's rights.

use std::f64::consts::TAU;
use std::time::Duration;

use cratedigger_client::live::wav_file;
use js_sys::Float32Array;
use leptos::prelude::set_timeout;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use web_sys::File;

/// Sample rate in Hz: that of the networks, so that no resampling is needed.
const RATE: u32 = 22_050;
/// Seconds of each style.
const STYLE: f64 = 12.0;
const STYLES: usize = 3;
/// Seconds of sound computed before the event loop gets a turn.
const PIECE: f64 = 0.5;

/// The example as a WAV file with this name.
pub async fn file(name: &str) -> File {
    let total = (STYLE * STYLES as f64 * f64::from(RATE)) as u32;
    let samples = Float32Array::new_with_length(total);
    let mut band = Band::new(20_26);
    let piece = (PIECE * f64::from(RATE)) as u32;
    let mut at = 0;
    while at < total {
        let end = (at + piece).min(total);
        let part: Vec<f32> = (at..end).map(|n| band.sample(n)).collect();
        samples.subarray(at, end).copy_from(&part);
        at = end;
        next_turn().await;
    }
    wav_file(&samples, RATE, name)
}

/// Waits for one turn of the event loop.
async fn next_turn() {
    let turn = js_sys::Promise::new(&mut |resolve, _| {
        set_timeout(
            move || {
                let _ = resolve.call0(&JsValue::NULL);
            },
            Duration::ZERO,
        );
    });
    // It is never rejected.
    let _ = JsFuture::from(turn).await;
}

/// Plays strings, then disco, then distorted guitars.
struct Band {
    dice: u32,
    /// Last output of the low-pass filter.
    smooth: f64,
}

/// Roots of a cadence, in semitones from A.
const CADENCE: [f64; 4] = [0.0, -4.0, 3.0, -2.0];

impl Band {
    fn new(seed: u32) -> Self {
        Self { dice: seed.wrapping_mul(0x9E37_79B9) | 1, smooth: 0.0 }
    }

    /// White noise in −1…1.
    fn noise(&mut self) -> f64 {
        self.dice = self.dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(self.dice >> 8) / f64::from(1_u32 << 23) - 1.0
    }

    fn sample(&mut self, n: u32) -> f32 {
        let time = f64::from(n) / f64::from(RATE);
        let style = (time / STYLE) as usize;
        let inside = time - style as f64 * STYLE;
        let value = match style {
            0 => strings(inside),
            1 => self.disco(inside),
            _ => self.guitars(inside),
        };
        // Fades at the borders of a style avoid clicks.
        let edge = (inside / 0.15).min((STYLE - inside) / 0.15).clamp(0.0, 1.0);
        (value * edge).clamp(-1.0, 1.0) as f32
    }

    /// Four-on-the-floor kick at 118 beats per minute, hi-hats, octave bass and short chords.
    fn disco(&mut self, time: f64) -> f64 {
        let beat = time * 118.0 / 60.0;
        let since = beat.fract() * 60.0 / 118.0;
        let root = pitch(chord_at(beat), 55.0);
        let kick = (TAU * (48.0 * since + 6.0 * (1.0 - (-30.0 * since).exp()))).sin() * (-9.0 * since).exp();
        let half = (beat + 0.5).fract() * 60.0 / 118.0;
        let hat = self.noise() * (-38.0 * half).exp();
        let clap = if beat as u32 % 2 == 1 { self.noise() * (-16.0 * since).exp() } else { 0.0 };
        let eighth = (beat * 2.0).fract() * 30.0 / 118.0;
        let octave = if (beat * 2.0) as u32 % 2 == 1 { 2.0 } else { 1.0 };
        let bass = saw(root * octave, time, 9) * (-5.0 * eighth).exp();
        let sixteenth = (beat * 4.0).fract() * 15.0 / 118.0;
        let chop = if matches!((beat * 4.0) as u32 % 8, 2 | 5 | 7) { (-22.0 * sixteenth).exp() } else { 0.0 };
        let chord: f64 = [4.0, 4.757, 5.993, 8.0].iter().map(|k| saw(root * k, time, 5)).sum();
        0.5 * kick + 0.16 * hat + 0.2 * clap + 0.22 * bass + 0.07 * chord * chop
    }

    /// Power chords in eighth notes with strong distortion, and double bass drum.
    fn guitars(&mut self, time: f64) -> f64 {
        let beat = time * 168.0 / 60.0;
        let eighth = (beat * 2.0).fract() * 30.0 / 168.0;
        let root = pitch(chord_at(beat / 2.0), 82.4);
        let chord = saw(root, time, 8) + saw(root * 1.498, time, 6) + 0.6 * saw(root * 2.004, time, 5);
        let driven = (7.0 * chord * (-3.0 * eighth).exp()).tanh();
        self.smooth += 0.45 * (driven - self.smooth);
        let sixteenth = (beat * 4.0).fract() * 15.0 / 168.0;
        let kick = (TAU * 62.0 * sixteenth).sin() * (-26.0 * sixteenth).exp();
        let since = beat.fract() * 60.0 / 168.0;
        let snare = if beat as u32 % 2 == 1 { self.noise() * (-13.0 * since).exp() } else { 0.0 };
        let cymbal = self.noise() * (-6.0 * eighth).exp();
        0.42 * self.smooth + 0.3 * kick + 0.3 * snare + 0.07 * cymbal
    }
}

/// Slow chords of strings with a melody above them.
fn strings(time: f64) -> f64 {
    let bar = time / 3.0;
    let since = bar.fract() * 3.0;
    let root = pitch(chord_at(bar * 4.0), 110.0);
    let swell = (since / 0.7).min(1.0) * (1.0 - (since - 2.5).max(0.0) / 0.5);
    let vibrato = 0.004 * (TAU * 5.2 * time).sin();
    let voices: f64 = [1.0, 1.5, 2.0, 2.52, 3.0].iter().map(|k| soft(root * k, time + vibrato / k)).sum();
    const LINE: [f64; 8] = [12.0, 14.0, 16.0, 19.0, 17.0, 16.0, 14.0, 11.0];
    let step = time / 0.75;
    let note = LINE.get(step as usize % LINE.len()).copied().unwrap_or_default();
    let in_note = step.fract();
    let line = soft(pitch(note, 220.0), time + vibrato) * (in_note * 6.0).min(1.0) * (1.0 - in_note * 0.6);
    0.11 * voices * swell + 0.2 * line
}

fn chord_at(beat: f64) -> f64 {
    CADENCE.get((beat / 4.0) as usize % CADENCE.len()).copied().unwrap_or_default()
}

fn pitch(semitones: f64, from: f64) -> f64 {
    from * 2_f64.powf(semitones / 12.0)
}

/// The first harmonics of a sawtooth: bright, without aliasing.
fn saw(frequency: f64, time: f64, harmonics: u32) -> f64 {
    let phase = TAU * frequency * time;
    (1..=harmonics).map(|k| (phase * f64::from(k)).sin() / f64::from(k)).sum::<f64>() * 0.6
}

/// Three harmonics of quickly falling amplitude.
fn soft(frequency: f64, time: f64) -> f64 {
    let phase = TAU * frequency * time;
    phase.sin() + 0.35 * (2.0 * phase).sin() + 0.12 * (3.0 * phase).sin()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_reproducible_and_no_style_is_silent() {
        let whole = || {
            let mut band = Band::new(1);
            (0..(STYLE * STYLES as f64) as u32 * RATE)
                .step_by(7)
                .map(|n| band.sample(n))
                .collect::<Vec<f32>>()
        };
        let song = whole();
        assert_eq!(song, whole());
        assert!(song.iter().all(|s| s.is_finite() && s.abs() <= 1.0));
        for style in song.chunks(song.len() / STYLES) {
            let power = style.iter().map(|s| s * s).sum::<f32>() / style.len() as f32;
            assert!(power > 1e-3, "{power}");
        }
    }
}
