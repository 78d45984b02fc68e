//! What is measured, natively and in WebAssembly alike.

#![forbid(unsafe_code)]

use cratedigger_dsp::{FeatureExtractor, FeatureParams, MelParams, MelSpectrogram, power_to_db_ref};
use wasm_bindgen::prelude::wasm_bindgen;

/// Samples a second.
pub const RATE: u32 = 22050;

/// Half a minute of chords, a bass and a drum of noise, all of it synthetic.
pub fn music() -> Vec<f32> {
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

/// The plans, made once, and the signal.
#[wasm_bindgen]
pub struct Bench {
    signal: Vec<f32>,
    extractor: FeatureExtractor,
    mel: MelSpectrogram,
}

#[wasm_bindgen]
impl Bench {
    /// Plans everything.
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

    /// Computes one of [`tasks`] once and returns a number that depends on all of it.
    ///
    /// # Errors
    /// No such task.
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

/// What is measured, the two with a goal first. Each one but the first is timed alone, its share
/// of the transform included.
#[wasm_bindgen]
pub fn tasks() -> Vec<String> {
    [
        "57 features",
        "log-mel",
        "HPSS",
        "MFCC",
        "chroma",
        "centroid, bandwidth, rolloff",
        "contrast",
        "tempo and beats",
    ]
    .map(String::from)
    .to_vec()
}
