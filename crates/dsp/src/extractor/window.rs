//! The features of one window.

use super::{Caches, FeatureExtractor, FeatureParams, Frames};
use crate::rhythm::onset_strength;
use crate::spectral::{rms, zero_crossing_rate};
use crate::{
    Aggregate, CHROMA, CONTRAST_BANDS, DspError, SpectralShape, Spectrogram, TONNETZ, power_to_db_ref,
    spectral_flatness, tonnetz,
};

/// The features of one window. Each is computed at the first request.
pub struct Window<'a> {
    pub(super) plan: &'a mut FeatureExtractor,
    pub(super) signal: &'a [f32],
}

impl Window<'_> {
    /// Frames: `1 + n / hop_length`.
    ///
    /// ```
    /// use cratedigger_dsp::{FeatureExtractor, FeatureParams};
    ///
    /// let tone: Vec<f32> = (0..22_050).map(|i| (0.125_38 * i as f32).sin()).collect(); // 440 Hz
    /// let mut extractor = FeatureExtractor::new(&FeatureParams::default())?;
    /// let window = extractor.window(&tone)?;
    /// assert_eq!(window.frames(), 1 + 22_050 / 512);
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    pub fn frames(&self) -> usize {
        self.plan.spectra.frames()
    }

    /// The power spectrum of one frame, a column of the linear spectrogram: `1 + n_fft / 2` values. Frames
    /// past the end return the last frame.
    ///
    /// ```
    /// use cratedigger_dsp::{FeatureExtractor, FeatureParams};
    ///
    /// let tone: Vec<f32> = (0..22_050).map(|i| (0.125_38 * i as f32).sin()).collect(); // 440 Hz
    /// let mut extractor = FeatureExtractor::new(&FeatureParams::default())?;
    /// let window = extractor.window(&tone)?;
    /// let power = window.power(20);
    /// assert_eq!(power.len(), 1025);
    /// let loudest = (0..power.len()).max_by(|a, b| power[*a].total_cmp(&power[*b]));
    /// assert_eq!(loudest, Some(41)); // 41 · 22050 Hz / 2048 = 441 Hz
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    pub fn power(&self, frame: usize) -> &[f32] {
        let spectra = &self.plan.spectra;
        &spectra.power_frame(frame.min(spectra.frames() - 1))[..spectra.bins()]
    }

    fn bin_hz(&self) -> f64 {
        f64::from(self.plan.params.sample_rate) / self.plan.params.n_fft as f64
    }

    /// The mel power spectrogram (`librosa.feature.melspectrogram`).
    ///
    /// ```
    /// use cratedigger_dsp::{FeatureExtractor, FeatureParams};
    ///
    /// let tone: Vec<f32> = (0..22_050).map(|i| (0.125_38 * i as f32).sin()).collect(); // 440 Hz
    /// let mut extractor = FeatureExtractor::new(&FeatureParams::default())?;
    /// let mut window = extractor.window(&tone)?;
    /// let mel = window.mel();
    /// assert_eq!((mel.bands, mel.frames()), (128, 44));
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    pub fn mel(&mut self) -> Frames<'_> {
        let plan = &mut *self.plan;
        let (bands, mel) = (plan.bank.bands(), &mut plan.cache.mel);
        if mel.is_empty() {
            mel.resize(bands * plan.spectra.frames(), 0.0);
            for (frame, out) in mel.chunks_exact_mut(bands).enumerate() {
                plan.bank.sum(plan.spectra.power_frame(frame), out);
            }
        }
        Frames { bands, data: mel }
    }

    /// The mel spectrogram in decibels above a power of 1, clipped 80 dB below the loudest value
    /// (`librosa.power_to_db` of it).
    ///
    /// ```
    /// use cratedigger_dsp::{FeatureExtractor, FeatureParams};
    ///
    /// let tone: Vec<f32> = (0..22_050).map(|i| (0.125_38 * i as f32).sin()).collect(); // 440 Hz
    /// let mut extractor = FeatureExtractor::new(&FeatureParams::default())?;
    /// let mut window = extractor.window(&tone)?;
    /// let loudest = window.mel_db().data.iter().copied().fold(f32::MIN, f32::max);
    /// let quietest = window.mel_db().data.iter().copied().fold(f32::MAX, f32::min);
    /// assert!(loudest - quietest <= 80.001);
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    pub fn mel_db(&mut self) -> Frames<'_> {
        self.mel();
        let Caches { mel, mel_db, .. } = &mut self.plan.cache;
        if mel_db.is_empty() {
            mel_db.extend_from_slice(mel);
            power_to_db_ref(mel_db, 1.0, 80.0);
        }
        Frames { bands: self.plan.bank.bands(), data: mel_db }
    }

    /// Mel-frequency cepstral coefficients (`librosa.feature.mfcc`).
    ///
    /// ```
    /// use cratedigger_dsp::{FeatureExtractor, FeatureParams};
    ///
    /// let tone: Vec<f32> = (0..22_050).map(|i| (0.125_38 * i as f32).sin()).collect(); // 440 Hz
    /// let mut extractor = FeatureExtractor::new(&FeatureParams::default())?;
    /// let mut window = extractor.window(&tone)?;
    /// let mfcc = window.mfcc()?;
    /// assert_eq!((mfcc.bands, mfcc.frames()), (20, 44));
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    ///
    /// # Errors
    /// Unreachable for a valid window.
    pub fn mfcc(&mut self) -> Result<Frames<'_>, DspError> {
        self.mel_db();
        let plan = &mut *self.plan;
        let Caches { mel_db, mfcc, .. } = &mut plan.cache;
        let bands = plan.dct.coefficients();
        if mfcc.is_empty() {
            mfcc.resize(bands * plan.spectra.frames(), 0.0);
            for (decibels, out) in mel_db.chunks_exact(plan.bank.bands()).zip(mfcc.chunks_exact_mut(bands)) {
                plan.dct.apply(decibels, out)?;
            }
        }
        Ok(Frames { bands, data: mfcc })
    }

    /// Root mean square of each frame's samples (`librosa.feature.rms`).
    ///
    /// ```
    /// use cratedigger_dsp::{FeatureExtractor, FeatureParams};
    ///
    /// let tone: Vec<f32> = (0..22_050).map(|i| (0.125_38 * i as f32).sin()).collect(); // 440 Hz
    /// let mut extractor = FeatureExtractor::new(&FeatureParams::default())?;
    /// let mut window = extractor.window(&tone)?;
    /// assert!((window.rms()[20] - 0.5_f32.sqrt()).abs() < 1e-2);
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    pub fn rms(&mut self) -> &[f32] {
        let FeatureParams { n_fft, hop_length, .. } = self.plan.params;
        let out = &mut self.plan.cache.rms;
        if out.is_empty() {
            rms(self.signal, n_fft, hop_length, out);
        }
        out
    }

    /// Fraction of neighbouring samples that differ in sign (`librosa.feature.zero_crossing_rate`).
    ///
    /// ```
    /// use cratedigger_dsp::{FeatureExtractor, FeatureParams};
    ///
    /// let tone: Vec<f32> = (0..22_050).map(|i| (0.125_38 * i as f32).sin()).collect(); // 440 Hz
    /// let mut extractor = FeatureExtractor::new(&FeatureParams::default())?;
    /// let mut window = extractor.window(&tone)?;
    /// assert!((window.zero_crossing_rate()[20] - 2.0 * 440.0 / 22_050.0).abs() < 1e-3);
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    pub fn zero_crossing_rate(&mut self) -> &[f32] {
        let FeatureParams { n_fft, hop_length, .. } = self.plan.params;
        let out = &mut self.plan.cache.crossings;
        if out.is_empty() {
            zero_crossing_rate(self.signal, n_fft, hop_length, out);
        }
        out
    }

    /// Computes centroid, bandwidth and rolloff.
    fn shape(&mut self) {
        let bin_hz = self.bin_hz();
        let spectra = &self.plan.spectra;
        let Caches { magnitudes, centroid, bandwidth, rolloff, .. } = &mut self.plan.cache;
        if !centroid.is_empty() {
            return;
        }
        for frame in 0..spectra.frames() {
            magnitudes.clear();
            magnitudes.extend(spectra.power_frame(frame).iter().map(|p| p.sqrt()));
            let shape = SpectralShape::of(magnitudes, bin_hz);
            centroid.push(shape.centroid);
            bandwidth.push(shape.bandwidth);
            rolloff.push(shape.rolloff);
        }
    }

    /// Mean frequency in Hz of each frame; see [`SpectralShape::centroid`].
    ///
    /// ```
    /// use cratedigger_dsp::{FeatureExtractor, FeatureParams};
    ///
    /// let tone: Vec<f32> = (0..22_050).map(|i| (0.125_38 * i as f32).sin()).collect(); // 440 Hz
    /// let mut extractor = FeatureExtractor::new(&FeatureParams::default())?;
    /// let mut window = extractor.window(&tone)?;
    /// assert!((window.spectral_centroid()[20] - 440.0).abs() < 5.0);
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    pub fn spectral_centroid(&mut self) -> &[f32] {
        self.shape();
        &self.plan.cache.centroid
    }

    /// Spread in Hz of each frame; see [`SpectralShape::bandwidth`].
    ///
    /// ```
    /// use cratedigger_dsp::{FeatureExtractor, FeatureParams};
    ///
    /// let tone: Vec<f32> = (0..22_050).map(|i| (0.125_38 * i as f32).sin()).collect(); // 440 Hz
    /// let mut extractor = FeatureExtractor::new(&FeatureParams::default())?;
    /// let mut window = extractor.window(&tone)?;
    /// assert!(window.spectral_bandwidth()[20] < 100.0);
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    pub fn spectral_bandwidth(&mut self) -> &[f32] {
        self.shape();
        &self.plan.cache.bandwidth
    }

    /// Rolloff frequency in Hz of each frame; see [`SpectralShape::rolloff`].
    ///
    /// ```
    /// use cratedigger_dsp::{FeatureExtractor, FeatureParams};
    ///
    /// let tone: Vec<f32> = (0..22_050).map(|i| (0.125_38 * i as f32).sin()).collect(); // 440 Hz
    /// let mut extractor = FeatureExtractor::new(&FeatureParams::default())?;
    /// let mut window = extractor.window(&tone)?;
    /// assert!((window.spectral_rolloff()[20] - 440.0).abs() < 2.0 * 22_050.0 / 2048.0); // two bins
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    pub fn spectral_rolloff(&mut self) -> &[f32] {
        self.shape();
        &self.plan.cache.rolloff
    }

    /// Flatness of each frame, from 0 (tone) to 1 (noise); see [`spectral_flatness`].
    ///
    /// ```
    /// use cratedigger_dsp::{FeatureExtractor, FeatureParams};
    ///
    /// let tone: Vec<f32> = (0..22_050).map(|i| (0.125_38 * i as f32).sin()).collect(); // 440 Hz
    /// let mut extractor = FeatureExtractor::new(&FeatureParams::default())?;
    /// let mut window = extractor.window(&tone)?;
    /// assert!(window.spectral_flatness()[20] < 1e-3); // a tone
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    pub fn spectral_flatness(&mut self) -> &[f32] {
        let spectra = &self.plan.spectra;
        let out = &mut self.plan.cache.flatness;
        if out.is_empty() {
            let flatness = |frame| spectral_flatness(&spectra.power_frame(frame)[..spectra.bins()]);
            out.extend((0..spectra.frames()).map(flatness));
        }
        out
    }

    /// Spectral contrast in decibels; see [`SpectralContrast`](crate::SpectralContrast). As in librosa, peaks
    /// and valleys are each clipped 80 dB below their maximum in the window.
    ///
    /// ```
    /// use cratedigger_dsp::{FeatureExtractor, FeatureParams};
    ///
    /// let tone: Vec<f32> = (0..22_050).map(|i| (0.125_38 * i as f32).sin()).collect(); // 440 Hz
    /// let mut extractor = FeatureExtractor::new(&FeatureParams::default())?;
    /// let mut window = extractor.window(&tone)?;
    /// let contrast = window.spectral_contrast()?;
    /// let frame = contrast.iter().nth(20).unwrap_or_default();
    /// assert!(frame[2] > 20.0); // the octave from 400 to 800 Hz has a peak
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    ///
    /// # Errors
    /// A sample rate or an `n_fft` that is too low for it.
    pub fn spectral_contrast(&mut self) -> Result<Frames<'_>, DspError> {
        let plan = &mut *self.plan;
        let bands = plan.contrast.as_mut().map_err(|error| error.clone())?;
        let Caches { valleys, contrast, .. } = &mut plan.cache;
        if contrast.is_empty() {
            for frame in 0..plan.spectra.frames() {
                let (low, high) =
                    bands.valleys_and_peaks(&plan.spectra.power_frame(frame)[..plan.spectra.bins()]);
                valleys.extend(low);
                contrast.extend(high);
            }
            power_to_db_ref(valleys, 1.0, 80.0);
            power_to_db_ref(contrast, 1.0, 80.0);
            contrast.iter_mut().zip(valleys).for_each(|(peak, valley)| *peak -= *valley);
        }
        Ok(Frames { bands: CONTRAST_BANDS, data: contrast })
    }

    /// Tuning of the recording in semitones above 440 Hz, −0.5…0.49; see [`Tuning`](crate::Tuning).
    ///
    /// ```
    /// use cratedigger_dsp::{FeatureExtractor, FeatureParams};
    ///
    /// let tone: Vec<f32> = (0..22_050).map(|i| (0.125_38 * i as f32).sin()).collect(); // 440 Hz
    /// let mut extractor = FeatureExtractor::new(&FeatureParams::default())?;
    /// let mut window = extractor.window(&tone)?;
    /// assert!(window.tuning().abs() < 0.03);
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    pub fn tuning(&mut self) -> f64 {
        let bin_hz = self.bin_hz();
        let plan = &mut *self.plan;
        *plan.cache.tuning.get_or_insert_with(|| {
            plan.tuning.clear();
            for frame in 0..plan.spectra.frames() {
                plan.tuning.add(&plan.spectra.power_frame(frame)[..plan.spectra.bins()], bin_hz);
            }
            plan.tuning.estimate()
        })
    }

    /// The twelve pitch classes from C to B, scaled to a maximum of 1 in each frame, tuned to the recording
    /// (`librosa.feature.chroma_stft`).
    ///
    /// ```
    /// use cratedigger_dsp::{FeatureExtractor, FeatureParams};
    ///
    /// let tone: Vec<f32> = (0..22_050).map(|i| (0.125_38 * i as f32).sin()).collect(); // 440 Hz
    /// let mut extractor = FeatureExtractor::new(&FeatureParams::default())?;
    /// let mut window = extractor.window(&tone)?;
    /// let chroma = window.chroma();
    /// let frame = chroma.iter().nth(20).unwrap_or_default();
    /// assert_eq!(frame[9], 1.0); // A
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    pub fn chroma(&mut self) -> Frames<'_> {
        let tuning = self.tuning();
        let plan = &mut *self.plan;
        let out = &mut plan.cache.chroma;
        if out.is_empty() {
            if plan.tuned_to != tuning {
                plan.chroma_bank.tune(f64::from(plan.params.sample_rate), plan.params.n_fft, tuning);
                plan.tuned_to = tuning;
            }
            for frame in 0..plan.spectra.frames() {
                out.extend(plan.chroma_bank.apply(plan.spectra.power_frame(frame)));
            }
        }
        Frames { bands: CHROMA, data: out }
    }

    /// Tonal centroids: `librosa.feature.tonnetz(chroma=…)` of [`Window::chroma`]. (Without `chroma`,
    /// librosa uses a constant-Q chroma.)
    ///
    /// ```
    /// use cratedigger_dsp::{FeatureExtractor, FeatureParams};
    ///
    /// let tone: Vec<f32> = (0..22_050).map(|i| (0.125_38 * i as f32).sin()).collect(); // 440 Hz
    /// let mut extractor = FeatureExtractor::new(&FeatureParams::default())?;
    /// let mut window = extractor.window(&tone)?;
    /// assert_eq!(window.tonnetz().bands, 6);
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    pub fn tonnetz(&mut self) -> Frames<'_> {
        self.chroma();
        let Caches { chroma, tonnetz: out, .. } = &mut self.plan.cache;
        if out.is_empty() {
            let (chroma, _) = chroma.as_chunks::<CHROMA>();
            out.extend(chroma.iter().flat_map(tonnetz));
        }
        Frames { bands: TONNETZ, data: out }
    }

    /// Increase of level from frame to frame, in decibels
    /// (`librosa.onset.onset_strength`, with `aggregate`).
    ///
    /// ```
    /// use cratedigger_dsp::{FeatureExtractor, FeatureParams, Aggregate};
    ///
    /// // A click every half second: 120 beats per minute.
    /// let clicks: Vec<f32> = (0..220_500).map(|i| if i % 11_025 == 0 { 1.0 } else { 0.0 }).collect();
    /// let mut extractor = FeatureExtractor::new(&FeatureParams::default())?;
    /// let mut window = extractor.window(&clicks)?;
    /// let onsets = window.onset_strength(Aggregate::Mean);
    /// let strongest = (0..50).max_by(|a, b| onsets[*a].total_cmp(&onsets[*b])).unwrap_or_default();
    /// assert!(strongest.abs_diff(21) <= 2 || strongest.abs_diff(43) <= 2); // at 0.5 s or 1 s
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    pub fn onset_strength(&mut self, aggregate: Aggregate) -> &[f32] {
        self.mel_db();
        let plan = &mut *self.plan;
        let Caches { mel_db, onsets, onsets_of, scratch, .. } = &mut plan.cache;
        if *onsets_of != Some(aggregate) {
            let lengths = (plan.params.n_fft, plan.params.hop_length);
            onset_strength(mel_db, plan.bank.bands(), lengths, aggregate, scratch, onsets);
            *onsets_of = Some(aggregate);
        }
        onsets
    }

    /// Tempo in beats per minute, from onsets aggregated by their median, as in
    /// `librosa.beat.beat_track`; 0 without onsets.
    ///
    /// ```
    /// use cratedigger_dsp::{FeatureExtractor, FeatureParams};
    ///
    /// // A click every half second: 120 beats per minute.
    /// let clicks: Vec<f32> = (0..220_500).map(|i| if i % 11_025 == 0 { 1.0 } else { 0.0 }).collect();
    /// let mut extractor = FeatureExtractor::new(&FeatureParams::default())?;
    /// let mut window = extractor.window(&clicks)?;
    /// let tempo = window.tempo()?;
    /// assert!((tempo - 120.0).abs() < 4.0); // in steps of one frame of 23 ms
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    ///
    /// # Errors
    /// Unreachable for a valid window.
    pub fn tempo(&mut self) -> Result<f64, DspError> {
        self.onset_strength(Aggregate::Median);
        self.plan.tempo.tempo(&self.plan.cache.onsets)
    }

    /// Tempo in beats per minute and the frames of the beats (`librosa.beat.beat_track`).
    ///
    /// ```
    /// use cratedigger_dsp::{FeatureExtractor, FeatureParams};
    ///
    /// // A click every half second: 120 beats per minute.
    /// let clicks: Vec<f32> = (0..220_500).map(|i| if i % 11_025 == 0 { 1.0 } else { 0.0 }).collect();
    /// let mut extractor = FeatureExtractor::new(&FeatureParams::default())?;
    /// let mut window = extractor.window(&clicks)?;
    /// let (tempo, beats) = window.beats()?;
    /// assert!(beats.windows(2).all(|pair| (21..=22).contains(&(pair[1] - pair[0]))));
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    ///
    /// # Errors
    /// Unreachable for a valid window.
    pub fn beats(&mut self) -> Result<(f64, Vec<usize>), DspError> {
        let bpm = self.tempo()?;
        Ok((bpm, self.plan.tempo.beats(&self.plan.cache.onsets, bpm)?))
    }

    /// The autocorrelation of onset strength over time; see
    /// [`TempoEstimator::tempogram`](crate::TempoEstimator::tempogram).
    ///
    /// ```
    /// use cratedigger_dsp::{FeatureExtractor, FeatureParams};
    ///
    /// // A click every half second: 120 beats per minute.
    /// let clicks: Vec<f32> = (0..220_500).map(|i| if i % 11_025 == 0 { 1.0 } else { 0.0 }).collect();
    /// let mut extractor = FeatureExtractor::new(&FeatureParams::default())?;
    /// let mut window = extractor.window(&clicks)?;
    /// let tempogram = window.tempogram()?;
    /// assert_eq!(tempogram.frames, 431);
    /// assert!((tempogram.data[200] - 1.0).abs() < 1e-3); // lag 0
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    ///
    /// # Errors
    /// Unreachable for a valid window.
    pub fn tempogram(&mut self) -> Result<Spectrogram, DspError> {
        self.onset_strength(Aggregate::Mean);
        self.plan.tempo.tempogram(&self.plan.cache.onsets)
    }

    /// The harmonic and the percussive signal; see [`crate::Hpss`].
    ///
    /// ```
    /// use cratedigger_dsp::{FeatureExtractor, FeatureParams};
    ///
    /// let tone: Vec<f32> = (0..22_050).map(|i| (0.125_38 * i as f32).sin()).collect(); // 440 Hz
    /// let mut extractor = FeatureExtractor::new(&FeatureParams::default())?;
    /// let mut window = extractor.window(&tone)?;
    /// let (harmonic, percussive) = window.harmonic_percussive()?;
    /// let energy = |part: &[f32]| part.iter().map(|sample| sample * sample).sum::<f32>();
    /// assert!(energy(percussive) < 0.01 * energy(harmonic));
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    ///
    /// # Errors
    /// Unreachable for a valid window.
    pub fn harmonic_percussive(&mut self) -> Result<(&[f32], &[f32]), DspError> {
        self.plan.separator.separate(self.signal, &self.plan.spectra)
    }
}
