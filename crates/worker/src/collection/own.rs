//! A network with classes of one's own.

use cratedigger_protocol::FailureKind;
use cratedigger_protocol::collection::{OwnNetwork, OwnPrediction};
use cratedigger_zoo::{AnalyseError, Analyser, GOLDEN_TOLERANCE, Manifest, teach};

use super::bundle;
use crate::{ActiveModels, Failure};

/// A network that was taught, on the same body as the network that computes features.
pub(super) struct Own {
    manifest: Manifest,
    analyser: Analyser,
}

impl Own {
    /// Reads a zip file, and checks that the network gives its golden logits from the features of this worker's
    /// network.
    pub(super) async fn open(models: &ActiveModels, zip: &[u8]) -> Result<Self, Failure> {
        let unfit = |what: &dyn std::fmt::Display| Failure::new(FailureKind::Models, what);
        let (manifest, weights) = bundle::unpack(zip)?;
        let analyser = Analyser::load(&manifest, vec![weights], &models.device).map_err(|e| unfit(&e))?;
        let ear = models.analyser.ear().ok_or(AnalyseError::NoEmbedding)?;
        let own = analyser.ear().ok_or_else(|| unfit(&"its network has no embedding"))?;
        let logits = own.logits_of_features(teach::golden_features(ear).await?).await;
        let logits = logits.map_err(|e| unfit(&e))?;
        let near = |(a, b): (&f32, f32)| (a - b).abs() <= GOLDEN_TOLERANCE;
        let expected = analyser.expected_golden_logits();
        if logits.len() != expected.len() || !logits.iter().zip(expected).all(near) {
            return Err(unfit(&"it was taught with another version of the network"));
        }
        Ok(Self { manifest, analyser })
    }

    /// What it is.
    pub(super) fn network(&self) -> OwnNetwork {
        OwnNetwork {
            name: self.manifest.models.first().map(|model| model.name.clone()).unwrap_or_default(),
            classes: self.manifest.classes.clone(),
            metric: self.manifest.metrics.first().cloned(),
        }
    }

    /// The prediction for a song from its features.
    pub(super) async fn recognise(&self, features: Vec<f32>) -> Result<Option<OwnPrediction>, Failure> {
        let song = self.analyser.song_of_features(features).await?;
        Ok(song.map(|song| OwnPrediction {
            class: song.decision.class as u32,
            none: song.decision.none,
            non_music: self.analyser.non_music(&song.non_music),
            probabilities: song.ensemble,
        }))
    }
}
