//! Fits classes of one's own.

use cratedigger_protocol::collection::{CollectionAnswer, Confused, Lesson, LessonReport};
use cratedigger_protocol::{Event, FailureKind};
use cratedigger_zoo::teach::{self, Export, NonMusic, Song, Taught, TeachError};
use cratedigger_zoo::{AnalyseError, Model, SegmentFeatures, sha256_hex};

use super::{bad, bundle, post, rows};
use crate::queue::Job;
use crate::wire::Payload;
use crate::{ActiveModels, Failure, fetch_if_there, wire};

/// File of the features of non-music sounds, beside the manifest.
const NON_MUSIC: &str = "non-music.bpk";

impl From<TeachError> for Failure {
    fn from(error: TeachError) -> Self {
        let kind = match error {
            TeachError::Fit(_) | TeachError::Cancelled => FailureKind::Device,
            _ => FailureKind::BadRequest,
        };
        Self::new(kind, error)
    }
}

/// Posts [`CollectionAnswer::Fitting`] and [`CollectionAnswer::Taught`].
///
/// The fits do not yield to the event loop. Whoever wants to stop them ends this worker.
pub(super) async fn teach(models: &ActiveModels, job: &Job, lesson: &Lesson) -> Result<(), Failure> {
    let ear = models.analyser.ear().ok_or(AnalyseError::NoEmbedding)?;
    let non_music = non_music(models, ear).await?;
    let songs = songs(job, lesson, non_music.width())?;
    let own = teach::Lesson { classes: &lesson.classes, songs: &songs, non_music: &non_music };
    let id = job.id;
    let progress = move |done: usize, of: usize| {
        let answer = CollectionAnswer::Fitting { done: done as u32, of: of as u32 };
        wire::post(&Event::Collection { id, answer }, None);
        true
    };
    let taught = teach::teach(&own, &progress)?;
    let mut hashes: Vec<&str> = lesson.songs.iter().map(|song| song.content.as_str()).collect();
    hashes.sort_unstable();
    let about = Export {
        name: &lesson.name,
        command: "taught in the page",
        data_sha256: &sha256_hex(hashes.join("\n").as_bytes()),
    };
    let (manifest, weights) =
        teach::export(&models.manifest, ear, &own, &taught, about, &models.device).await?;
    let zip = bundle::pack(&manifest, &weights)?;
    let metric = manifest.metrics.into_iter().next().ok_or_else(|| bad("nothing was measured"))?;
    let report = LessonReport {
        classes: lesson.classes.clone(),
        metric,
        together: taught.together as u32,
        confused: confused(&taught, &songs),
    };
    post(id, CollectionAnswer::Taught { report }, Payload::Bytes(&zip));
    Ok(())
}

/// The features of non-music sounds that lie beside the manifest. Without the file, the new network tells only the
/// classes apart.
async fn non_music(models: &ActiveModels, ear: &Model) -> Result<NonMusic, Failure> {
    let golden = teach::golden_features(ear).await?;
    let file = fetch_if_there(&models.places.of(NON_MUSIC)).await?;
    let unfit = |error| Failure::new(FailureKind::Models, error);
    match file {
        Some(file) => {
            let sounds = NonMusic::from_bytes(file.to_vec()).map_err(unfit)?;
            sounds.check(&golden).map_err(unfit)?;
            Ok(sounds)
        }
        None => NonMusic::new(Vec::new(), golden).map_err(unfit),
    }
}

fn songs(job: &Job, lesson: &Lesson, width: usize) -> Result<Vec<Song>, Failure> {
    if lesson.songs.len() != job.channels.len() {
        return Err(bad("songs and features differ in number"));
    }
    let song = |(song, values): (&cratedigger_protocol::collection::LessonSong, Vec<f32>)| {
        let segments: Vec<SegmentFeatures> = values
            .chunks(width.max(1))
            .map(|row| SegmentFeatures { values: row.to_vec(), music: true })
            .collect();
        Song::new(song.name.clone(), song.class as usize, &segments)
            .ok_or_else(|| bad(format!("{} has no features", song.name)))
    };
    lesson.songs.iter().zip(rows(job)).map(song).collect()
}

/// The songs that were predicted wrongly without them.
fn confused(taught: &Taught, songs: &[Song]) -> Vec<Confused> {
    let wrong = taught.left_out.iter().filter_map(|left| {
        let song = songs.get(left.song)?;
        (song.class != left.decision.class).then(|| Confused {
            song: song.name.clone(),
            class: song.class as u32,
            predicted: left.decision.class as u32,
            probability: left.probabilities.get(left.decision.class).copied().unwrap_or_default(),
        })
    });
    wrong.collect()
}
