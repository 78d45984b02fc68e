//! Conditions under which networks are evaluated: what happens to recordings between a studio and a
//! listener.
//!
//! Each condition has a name and fixed parameters, and draws from a generator that the clip's id seeds, so
//! that everybody measures the same. The training's augmentation has other parameters: its rooms are
//! decaying noise, here they are reflections in a box.

use anyhow::Result;
use cratedigger_dsp::augment::{gain, generator};
use cratedigger_dsp::degrade;
use cratedigger_zoo::sha256_hex;
use rand::{Rng, RngExt as _};

use super::codec;

/// A change of recordings before they are evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Condition {
    /// MP3 at 48 kbit/s, mono, by LAME.
    Mp3,
    /// A telephone: 300 to 3400 Hz, 8000 Hz, 8 bits of µ-law.
    Telephone,
    /// 12 dB above full scale, and clipped.
    Clipped,
    /// A microphone in a room, with pink noise 15 dB below the music.
    Room,
    /// 6 % faster and higher.
    Faster,
    /// 30 dB quieter.
    Quieter,
}

/// Bit rate of [`Condition::Mp3`] in kbit/s.
const KBPS: u32 = 48;
/// Gain of [`Condition::Clipped`] above full scale in dB.
const CLIPPED_DB: f32 = 12.0;
/// Signal-to-noise ratio of [`Condition::Room`] in dB.
const SNR_DB: f64 = 15.0;
/// Factor of [`Condition::Faster`].
const FASTER: f64 = 1.06;
/// Change of level of [`Condition::Quieter`] in dB.
const QUIETER_DB: f32 = -30.0;

impl Condition {
    /// All conditions.
    pub const ALL: [Self; 6] =
        [Self::Mp3, Self::Telephone, Self::Clipped, Self::Room, Self::Faster, Self::Quieter];

    /// Name in manifests and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mp3 => "mp3-48k",
            Self::Telephone => "telephone",
            Self::Clipped => "clipped",
            Self::Room => "room",
            Self::Faster => "faster",
            Self::Quieter => "quieter",
        }
    }

    /// Description for people.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Mp3 => "mp3 at 48 kbit/s",
            Self::Telephone => "telephone band, 8 kHz µ-law",
            Self::Clipped => "12 dB too loud and clipped",
            Self::Room => "room with echo, noise at 15 dB",
            Self::Faster => "6 % faster",
            Self::Quieter => "30 dB quieter",
        }
    }

    /// The description of the condition with a name; the name itself for one of another version.
    pub fn describe_name(name: &str) -> &str {
        let known = Self::ALL.into_iter().find(|condition| condition.name() == name);
        known.map_or(name, |condition| condition.describe())
    }

    /// A mono signal with sample rate `rate` (Hz) under this condition. `id` is the clip's id, which seeds
    /// random parts.
    ///
    /// # Errors
    /// A sample is not finite.
    pub fn apply(self, mut signal: Vec<f32>, rate: u32, id: &str) -> Result<Vec<f32>> {
        match self {
            Self::Mp3 => return codec::mp3(&signal, rate, KBPS),
            Self::Telephone => return codec::telephone(&signal, rate),
            Self::Clipped => {
                let peak = signal.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
                if peak > 0.0 {
                    signal.iter_mut().for_each(|sample| *sample /= peak);
                }
                degrade::clip(&mut signal, CLIPPED_DB)?;
            }
            Self::Room => {
                let mut rng = generator(seed(self.name(), id));
                let response = Walls::draw(&mut rng).response(rate);
                signal = degrade::convolve(&signal, &response)?;
                degrade::add_pink_noise(&mut signal, SNR_DB, &mut rng)?;
            }
            Self::Faster => return Ok(degrade::speed(&signal, rate, FASTER)?),
            Self::Quieter => gain(&mut signal, QUIETER_DB)?,
        }
        Ok(signal)
    }
}

/// The seed of a clip's random numbers.
fn seed(condition: &str, id: &str) -> u64 {
    let hash = sha256_hex(format!("condition {condition} {id}").as_bytes());
    u64::from_str_radix(hash.get(..16).unwrap_or_default(), 16).unwrap_or_default()
}

/// A rectangular room with a loudspeaker and a microphone in it; all lengths in metres.
pub struct Walls {
    /// Length, width and height.
    pub size: [f64; 3],
    /// Place of the loudspeaker, from the same corner as that of the microphone.
    pub speaker: [f64; 3],
    /// Place of the microphone.
    pub microphone: [f64; 3],
    /// Fraction of the amplitude that a wall reflects.
    pub reflected: f64,
}

/// Speed of sound in metres per second.
pub const SOUND: f64 = 343.0;
/// Length of an impulse response in seconds.
const RESPONSE_SECONDS: f64 = 0.5;

impl Walls {
    /// A living room with its reverberation time of about 0.4 to 0.7 s; the microphone 1 to 3 m from the
    /// loudspeaker in each direction of the floor.
    pub fn draw<R: Rng + ?Sized>(rng: &mut R) -> Self {
        let size = [rng.random_range(4.0..7.0), rng.random_range(3.0..5.0), rng.random_range(2.4..3.2)];
        let place = |rng: &mut R, from: f64, to: f64| {
            [0, 1, 2].map(|axis: usize| size[axis] * rng.random_range(from..to))
        };
        let speaker = place(rng, 0.15, 0.4);
        let microphone = place(rng, 0.55, 0.85);
        Self { size, speaker, microphone, reflected: rng.random_range(0.78..0.86) }
    }

    /// The impulse response by the image method: every reflection is a mirrored loudspeaker (Allen and
    /// Berkley 1979, "Image method for efficiently simulating small-room acoustics"). The direct sound has
    /// amplitude 1 and no delay.
    pub fn response(&self, rate: u32) -> Vec<f32> {
        let rate = f64::from(rate);
        let mut response = vec![0.0_f64; (RESPONSE_SECONDS * rate) as usize + 1];
        let direct = distance(self.speaker, self.microphone).max(0.1);
        let reach = self.size.map(|length| (RESPONSE_SECONDS * SOUND / (2.0 * length)) as i32 + 1);
        // The image of axis `axis` with number n, on the mirrored side if `mirrored`, and its reflections.
        let image = |axis: usize, n: i32, mirrored: bool| {
            let shift = 2.0 * f64::from(n) * self.size[axis];
            let place = if mirrored { -self.speaker[axis] } else { self.speaker[axis] };
            (shift + place, (2 * n - i32::from(mirrored)).unsigned_abs())
        };
        for x in -reach[0]..=reach[0] {
            for y in -reach[1]..=reach[1] {
                for z in -reach[2]..=reach[2] {
                    for sides in 0..8_u8 {
                        let axes = [(x, sides & 1), (y, sides & 2), (z, sides & 4)];
                        let images =
                            [0, 1, 2].map(|axis: usize| image(axis, axes[axis].0, axes[axis].1 != 0));
                        let far = distance(images.map(|image| image.0), self.microphone).max(0.1);
                        let place = ((far - direct) / SOUND * rate).round();
                        let reflections: u32 = images.iter().map(|image| image.1).sum();
                        if let Some(sum) = response.get_mut(place.max(0.0) as usize) {
                            *sum += direct / far * self.reflected.powi(reflections as i32);
                        }
                    }
                }
            }
        }
        response.into_iter().map(|value| value as f32).collect()
    }
}

fn distance(a: [f64; 3], b: [f64; 3]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}
