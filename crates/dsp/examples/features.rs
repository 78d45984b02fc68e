//! Measures the time of the features, natively and in WebAssembly, on one core.
//!
//! Natively, `features FILE ROUNDS` writes the signal to FILE as 32-bit floats and prints the milliseconds of
//! each task as JSON. In WebAssembly, features.mjs calls [`Bench`] from Node.js. features.py measures the same
//! tasks with librosa; `cargo xtask bench features` runs all three and prints a table.

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a command-line program")]

use std::collections::BTreeMap;
use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

use cratedigger_dsp::{FeatureExtractor, FeatureParams, MelParams, MelSpectrogram, power_to_db_ref};
use wasm_bindgen::prelude::wasm_bindgen;

/// Sample rate in Hz.
const RATE: u32 = 22050;

/// The tasks. Each task except the first is measured separately, including its transform.
const TASKS: [&str; 8] = [
    "57 features",
    "log-mel",
    "HPSS",
    "MFCC",
    "chroma",
    "centroid, bandwidth, rolloff",
    "contrast",
    "tempo and beats",
];

/// 30 seconds of synthetic chords, bass and noise drum.
fn music() -> Vec<f32> {
    let rate = f64::from(RATE);
    let beat = rate * 60.0 / 118.0;
    let chords = [[220.0, 261.63, 329.63], [174.61, 220.0, 261.63], [196.0, 246.94, 293.66]];
    let mut state = 1_u32;
    (0..30 * RATE)
        .map(|i| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = f64::from(state >> 8) / 8_388_608.0 - 1.0;
            let (number, since) = ((f64::from(i) / beat) as usize, f64::from(i) % beat / rate);
            let chord = chords[number / 4 % chords.len()];
            let tone = |hz: f64| (std::f64::consts::TAU * hz * f64::from(i) / rate).sin();
            let held: f64 =
                chord.iter().flat_map(|f| [tone(*f), 0.5 * tone(2.0 * f), 0.3 * tone(3.0 * f)]).sum();
            let bass = 2.0 * tone(chord[0] / 4.0);
            let drum = if number % 2 == 0 { 1.0 } else { 0.6 } * (-40.0 * since).exp() * noise;
            (0.05 * (-since).exp() * (held + bass) + 0.4 * drum + 0.001 * noise) as f32
        })
        .collect()
}

/// The signal, and the extractors with their FFT plans.
#[wasm_bindgen]
pub struct Bench {
    signal: Vec<f32>,
    extractor: FeatureExtractor,
    mel: MelSpectrogram,
}

#[wasm_bindgen]
impl Bench {
    /// Creates the extractors.
    ///
    /// # Errors
    /// None with these parameters.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Result<Self, String> {
        let params = FeatureParams::default();
        let mel = MelParams {
            sample_rate: RATE,
            n_fft: params.n_fft,
            hop_length: params.hop_length,
            n_mels: params.n_mels,
            fmin: 0.0,
            fmax: f64::from(RATE) / 2.0,
        };
        Ok(Self {
            signal: music(),
            extractor: FeatureExtractor::new(&params).map_err(|e| e.to_string())?,
            mel: MelSpectrogram::new(&mel).map_err(|e| e.to_string())?,
        })
    }

    /// Runs one of [`tasks`] once. Returns a number that depends on the whole result, so that the compiler
    /// removes no part of the task.
    ///
    /// # Errors
    /// The task is unknown.
    pub fn run(&mut self, task: &str) -> Result<f64, String> {
        let sum = |values: &[f32]| values.iter().map(|v| f64::from(*v)).sum::<f64>();
        let text = |e: cratedigger_dsp::DspError| e.to_string();
        if task == "log-mel" {
            let mut mel = self.mel.spectrogram(&self.signal).map_err(text)?;
            power_to_db_ref(&mut mel.data, 1.0, 80.0);
            return Ok(sum(&mel.data));
        }
        let mut window = self.extractor.window(&self.signal).map_err(text)?;
        Ok(match task {
            "57 features" => window.table_row().map_err(text)?.iter().sum(),
            "HPSS" => {
                let (harmonic, percussive) = window.harmonic_percussive().map_err(text)?;
                sum(harmonic) + 2.0 * sum(percussive)
            }
            "MFCC" => sum(window.mfcc().map_err(text)?.data),
            "chroma" => sum(window.chroma().data),
            "centroid, bandwidth, rolloff" => {
                sum(window.spectral_centroid())
                    + sum(window.spectral_bandwidth())
                    + sum(window.spectral_rolloff())
            }
            "contrast" => sum(window.spectral_contrast().map_err(text)?.data),
            "tempo and beats" => {
                let (tempo, beats) = window.beats().map_err(text)?;
                tempo + beats.len() as f64
            }
            _ => return Err(format!("there is no task {task}")),
        })
    }
}

/// The names of all tasks.
#[wasm_bindgen]
pub fn tasks() -> Vec<String> {
    TASKS.map(String::from).to_vec()
}

/// The native program. In a browser or Node.js there are no arguments and it does nothing.
fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(file), Some(rounds)) = (arguments.next(), arguments.next()) else { return Ok(()) };
    let rounds: usize = rounds.parse()?;
    std::fs::write(&file, music().iter().flat_map(|s| s.to_le_bytes()).collect::<Vec<u8>>())?;

    let mut bench = Bench::new()?;
    let mut times: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for task in TASKS {
        black_box(bench.run(task)?);
        for _ in 0..rounds {
            let start = Instant::now();
            black_box(bench.run(task)?);
            times.entry(task).or_default().push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    println!("{}", serde_json::to_string(&times)?);
    Ok(())
}
