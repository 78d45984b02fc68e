//! What a song is like, in words that people use.

use cratedigger_dsp::{DspError, FeatureExtractor, FeatureParams, TABLE_COLUMNS};
use cratedigger_protocol::Character;

/// As much as the clips have that the typical ranges were measured on.
const SECONDS: usize = 30;

/// The traits of a song's middle; `None` where one of them is no number, as in a song of a
/// single frame.
pub(crate) fn of(signal: &[f32], rate: u32) -> Result<Option<Character>, DspError> {
    let length = signal.len().min(SECONDS * rate as usize);
    let start = (signal.len() - length) / 2;
    let middle = signal.get(start..start + length).unwrap_or_default();
    let mut extractor =
        FeatureExtractor::new(&FeatureParams { sample_rate: rate, ..FeatureParams::default() })?;
    let row = extractor.window(middle)?.table_row()?;
    let value = |name: &str| {
        let at = TABLE_COLUMNS.iter().position(|column| *column == name);
        at.and_then(|at| row.get(at)).copied().unwrap_or(f64::NAN)
    };
    let (harmonic, percussive) = (value("harmony_var"), value("perceptr_var"));
    let loudness = value("rms_mean");
    let traits = Character {
        tempo: value("tempo"),
        brightness: value("spectral_centroid_mean"),
        noisiness: value("zero_crossing_rate_mean"),
        harmony: harmonic / (harmonic + percussive),
        loudness,
        dynamics: value("rms_var").sqrt() / loudness,
    };
    let all =
        [traits.tempo, traits.brightness, traits.noisiness, traits.harmony, traits.loudness, traits.dynamics];
    Ok(all.iter().all(|value| value.is_finite()).then_some(traits))
}
