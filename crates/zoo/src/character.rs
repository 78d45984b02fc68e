//! The character of a song: audio features with everyday names, such as tempo and brightness.

use cratedigger_dsp::{DspError, FeatureExtractor, FeatureParams, TABLE_COLUMNS};
use cratedigger_protocol::{Character, Descriptor, Quantiles, TypicalCharacter};

/// Maximum duration in seconds that is measured: the duration of the clips behind the typical ranges.
const SECONDS: usize = 30;

/// Measures the middle of a mono signal at `sample_rate` Hz, at most 30 seconds of it. `None` if a
/// descriptor is not a finite number, as in a signal of one frame.
///
/// # Errors
/// No samples, one that is NaN or infinite, or a sample rate that has no features.
pub fn measure(signal: &[f32], sample_rate: u32) -> Result<Option<Character>, DspError> {
    let length = signal.len().min(SECONDS * sample_rate as usize);
    let start = (signal.len() - length) / 2;
    let middle = signal.get(start..start + length).unwrap_or_default();
    let mut extractor = FeatureExtractor::new(&FeatureParams { sample_rate, ..FeatureParams::default() })?;
    Ok(from_table_row(&extractor.window(middle)?.table_row()?))
}

/// The character that a row of the feature tables ([`TABLE_COLUMNS`]) describes. `None` if a descriptor
/// is not a finite number.
pub fn from_table_row(row: &[f64]) -> Option<Character> {
    let value = |name: &str| {
        let column = TABLE_COLUMNS.iter().position(|column| *column == name);
        column.and_then(|column| row.get(column)).copied().unwrap_or(f64::NAN)
    };
    let (harmonic, percussive) = (value("harmony_var"), value("perceptr_var"));
    let loudness = value("rms_mean");
    let character = Character {
        tempo: value("tempo"),
        brightness: value("spectral_centroid_mean"),
        noisiness: value("zero_crossing_rate_mean"),
        harmony: harmonic / (harmonic + percussive),
        loudness,
        dynamics: value("rms_var").sqrt() / loudness,
    };
    Descriptor::ALL.iter().all(|d| character.get(*d).is_finite()).then_some(character)
}

/// The typical character of clips, each with the index of its class. `None` if a class has no clip or a
/// clip's class is not below `classes`.
///
/// Values are rounded for display: to one decimal from 10 upwards, to four below.
pub fn typical(
    classes: usize,
    clips: impl IntoIterator<Item = (usize, Character)>,
) -> Option<TypicalCharacter> {
    let mut all = Vec::new();
    let mut by_class = vec![Vec::new(); classes];
    for (class, character) in clips {
        by_class.get_mut(class)?.push(character);
        all.push(character);
    }
    Some(TypicalCharacter {
        clips: u32::try_from(all.len()).ok()?,
        all: ranges(&all)?,
        classes: by_class.iter().map(|clips| ranges(clips)).collect::<Option<_>>()?,
    })
}

/// Quantiles of each descriptor; `None` for no clips.
fn ranges(clips: &[Character]) -> Option<Vec<Quantiles>> {
    let descriptor = |descriptor| {
        let mut values: Vec<f64> = clips.iter().map(|clip| clip.get(descriptor)).collect();
        values.sort_by(f64::total_cmp);
        Some(Quantiles {
            low: quantile(&values, 0.1)?,
            median: quantile(&values, 0.5)?,
            high: quantile(&values, 0.9)?,
        })
    };
    Descriptor::ALL.into_iter().map(descriptor).collect()
}

/// A quantile of sorted values, interpolated as by Python's `statistics.quantiles(…,
/// method="inclusive")` and rounded for display. `None` for no values.
fn quantile(sorted: &[f64], fraction: f64) -> Option<f64> {
    let position = fraction * sorted.len().checked_sub(1)? as f64;
    let (below, rest) = (position as usize, position.fract());
    let low = sorted.get(below)?;
    let high = sorted.get(below + 1).unwrap_or(low);
    let value = low + rest * (high - low);
    let scale = if value < 10.0 { 1e4 } else { 10.0 };
    Some((value * scale).round() / scale)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Each descriptor equals the feature that its documentation names, as the extractor gives it.
    #[test]
    fn descriptors_are_the_extractors_features() {
        let rate = 22_050;
        let signal = crate::golden_signal(rate, 4.0);
        let found = measure(&signal, rate).unwrap().unwrap();
        let mut extractor = FeatureExtractor::new(&FeatureParams::default()).unwrap();
        let mut window = extractor.window(&signal).unwrap();
        let mean = |values: &[f32]| values.iter().map(|v| f64::from(*v)).sum::<f64>() / values.len() as f64;
        let centroid = mean(window.spectral_centroid());
        let crossings = mean(window.zero_crossing_rate());
        let rms = window.rms().to_vec();
        let loudness = mean(&rms);
        let variance = rms.iter().map(|v| (f64::from(*v) - loudness).powi(2)).sum::<f64>() / rms.len() as f64;
        let close = |a: f64, b: f64| assert!((a - b).abs() <= 1e-9 * b.abs(), "{a} {b}");
        close(found.brightness, centroid);
        close(found.noisiness, crossings);
        close(found.loudness, loudness);
        close(found.dynamics, variance.sqrt() / loudness);
        // The golden signal has 120 beats per minute.
        assert!((found.tempo - 120.0).abs() < 5.0, "{}", found.tempo);
        assert!((0.0..=1.0).contains(&found.harmony));
    }

    /// Only the middle of a long song is measured.
    #[test]
    fn only_the_middle_of_a_long_song_counts() {
        let rate = 22_050;
        let middle = crate::golden_signal(rate, SECONDS as f64);
        let noise: Vec<f32> = crate::golden_signal(rate, 2.0).iter().map(|v| 0.1 * v * v).collect();
        let song = [noise.as_slice(), &middle, &noise].concat();
        assert_eq!(measure(&song, rate).unwrap(), measure(&middle, rate).unwrap());
        assert!(measure(&[], rate).is_err());
        assert_eq!(measure(&vec![0.0; 4096], rate).unwrap(), None);
    }

    #[test]
    fn typical_ranges_are_inclusive_quantiles() {
        let clip = |value: f64| Character {
            tempo: 10.0 * value,
            brightness: 1000.0 * value,
            noisiness: value,
            harmony: value,
            loudness: value,
            dynamics: -value,
        };
        // Python: statistics.quantiles([1, 2, 3, 4, 5], n=10, method="inclusive")
        let clips = [3.0, 1.0, 5.0, 2.0, 4.0].map(|value| (0, clip(value)));
        let typical = typical(2, clips.into_iter().chain([(1, clip(1.0 / 3.0))])).unwrap();
        assert_eq!(typical.clips, 6);
        assert_eq!(typical.classes[0][2], Quantiles { low: 1.4, median: 3.0, high: 4.6 });
        assert_eq!(typical.classes[0][0], Quantiles { low: 14.0, median: 30.0, high: 46.0 });
        assert_eq!(typical.classes[0][5], Quantiles { low: -4.6, median: -3.0, high: -1.4 });
        // One clip is its own range, rounded.
        assert_eq!(typical.classes[1][1], Quantiles { low: 333.3, median: 333.3, high: 333.3 });
        assert_eq!(typical.classes[1][2], Quantiles { low: 0.3333, median: 0.3333, high: 0.3333 });
        assert_eq!(typical.all[2], Quantiles { low: 0.6667, median: 2.5, high: 4.5 });
    }

    #[test]
    fn a_class_without_clips_has_no_ranges() {
        let clip = measure(&crate::golden_signal(22_050, 3.0), 22_050).unwrap().unwrap();
        assert!(typical(2, [(0, clip)]).is_none());
        assert!(typical(1, [(1, clip)]).is_none());
        assert!(typical(1, []).is_none());
    }
}
