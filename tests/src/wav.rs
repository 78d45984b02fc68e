//! Songs that no one has the rights to: made up, the same every time, different for every seed.

use std::f64::consts::TAU;

/// Sixteen-bit samples, channel by channel within each frame, ready for a WAV file.
pub struct Song {
    /// Frames a second.
    pub rate: u32,
    /// Interleaved channels.
    pub channels: u16,
    /// Samples, interleaved.
    pub samples: Vec<i16>,
}

impl Song {
    /// A band of bass, chords, a lead and drums that plays for `seconds`. Every bar is another
    /// chord, so that segments differ; with two channels the lead wanders from side to side.
    pub fn band(seed: u32, seconds: f64, rate: u32, channels: u16) -> Self {
        let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9) | 1);
        let tempo = 1.6 + dice.share() * 0.8; // beats a second
        let chords: Vec<f64> =
            (0..8).map(|_| 55.0 * 2_f64.powf((dice.share() * 12.0).floor() / 12.0)).collect();
        let tune: Vec<f64> = (0..32).map(|_| 2_f64.powf((dice.share() * 24.0).floor() / 12.0)).collect();
        let mut samples = Vec::new();
        for n in 0..(seconds * f64::from(rate)) as usize {
            let t = n as f64 / f64::from(rate);
            let beat = t * tempo;
            let root = chords[(beat / 4.0) as usize % chords.len()];
            let since = beat.fract() / tempo;
            let bass = (TAU * root * t).sin() * (-4.0 * since).exp();
            let chord: f64 = [4.0, 5.04, 5.993].iter().map(|k| (TAU * root * k * t).sin()).sum();
            let note = root * 8.0 * tune[(beat * 2.0) as usize % tune.len()] / 2.0;
            let lead = (TAU * note * t + 2.0 * (TAU * 5.0 * t).sin()).sin();
            let snare = if beat as usize % 2 == 1 {
                dice.noise() * (-18.0 * since).exp()
            } else {
                dice.noise() * 0.02
            };
            let hat = dice.noise() * (-60.0 * ((beat * 2.0).fract() / tempo)).exp();
            let middle = 0.28 * bass + 0.07 * chord + 0.22 * snare + 0.06 * hat;
            for channel in 0..channels {
                let side = if channel == 0 { (TAU * 0.21 * t).sin() } else { -(TAU * 0.21 * t).sin() };
                let value = middle + 0.1 * lead * (1.0 + 0.6 * side);
                samples.push((value * 32_000.0).clamp(-32_768.0, 32_767.0).round() as i16);
            }
        }
        Self { rate, channels, samples }
    }

    /// Digital silence.
    pub fn silence(seconds: f64, rate: u32) -> Self {
        Self { rate, channels: 1, samples: vec![0; (seconds * f64::from(rate)) as usize] }
    }

    /// White noise.
    pub fn hiss(seed: u32, seconds: f64, rate: u32) -> Self {
        let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9) | 1);
        let samples =
            (0..(seconds * f64::from(rate)) as usize).map(|_| (dice.noise() * 12_000.0) as i16).collect();
        Self { rate, channels: 1, samples }
    }

    /// The song as a WAV file.
    pub fn wav(&self) -> Vec<u8> {
        let bytes = (self.samples.len() * 2) as u32;
        let frame = self.channels * 2;
        let mut file = Vec::with_capacity(44 + self.samples.len() * 2);
        file.extend(b"RIFF");
        file.extend((36 + bytes).to_le_bytes());
        file.extend(b"WAVEfmt ");
        file.extend(16_u32.to_le_bytes());
        file.extend(1_u16.to_le_bytes()); // integer samples
        file.extend(self.channels.to_le_bytes());
        file.extend(self.rate.to_le_bytes());
        file.extend((self.rate * u32::from(frame)).to_le_bytes());
        file.extend(frame.to_le_bytes());
        file.extend(16_u16.to_le_bytes());
        file.extend(b"data");
        file.extend(bytes.to_le_bytes());
        file.extend(self.samples.iter().flat_map(|sample| sample.to_le_bytes()));
        file
    }
}

/// A linear congruential generator.
struct Dice(u32);

impl Dice {
    fn share(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(self.0 >> 8) / f64::from(1_u32 << 24)
    }

    fn noise(&mut self) -> f64 {
        self.share() * 2.0 - 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_song_is_its_seed_and_not_clipped() {
        let song = Song::band(3, 2.0, 22_050, 2);
        assert_eq!(song.samples.len(), 2 * 2 * 22_050);
        assert_eq!(song.samples, Song::band(3, 2.0, 22_050, 2).samples);
        assert_ne!(song.samples, Song::band(4, 2.0, 22_050, 2).samples);
        assert!(song.samples.iter().all(|s| s.unsigned_abs() < 32_767));
        assert_eq!(song.wav().len(), 44 + 2 * song.samples.len());
    }
}
