//! What concerns the songs of a crate together: features, classes of one's own, similar songs.

mod bundle;
mod compare;
mod features;
mod own;
mod teach;

use std::cell::RefCell;

use cratedigger_protocol::collection::{CollectionAnswer, CollectionTask};
use cratedigger_protocol::{Event, FailureKind};
use cratedigger_zoo::AnalyseError;
use js_sys::{Float32Array, Uint8Array};

use crate::queue::{Job, Shared};
use crate::wire::Payload;
use crate::{ActiveModels, Failure, wire};

/// Does a task and posts its answer; false if it was cancelled.
pub(crate) async fn run(
    models: &mut ActiveModels,
    job: &Job,
    task: &CollectionTask,
    shared: &RefCell<Shared>,
) -> Result<bool, Failure> {
    match task {
        CollectionTask::Ear => {
            let ear = models.analyser.ear().ok_or(AnalyseError::NoEmbedding)?;
            post(job.id, CollectionAnswer::Ear { network: ear.entry().sha256.clone() }, Payload::None);
        }
        CollectionTask::Features { .. } => {
            return features::features(&mut models.analyser, models.batch, job, shared).await;
        }
        CollectionTask::Teach(lesson) => teach::teach(models, job, lesson).await?,
        CollectionTask::Open => {
            let own = own::Own::open(models, &zip_file(job)?).await?;
            post(job.id, CollectionAnswer::Opened { network: own.network() }, Payload::None);
        }
        CollectionTask::Recognise => {
            let own = own::Own::open(models, &zip_file(job)?).await?;
            let mut songs = Vec::with_capacity(job.channels.len());
            for features in &job.channels {
                songs.push(own.recognise(features.to_vec()).await?);
            }
            post(job.id, CollectionAnswer::Recognised { songs }, Payload::None);
        }
        CollectionTask::Compare { song, artists, count } => {
            let answer = compare::compare(&rows(job), *song as usize, artists, *count as usize)?;
            post(job.id, answer, Payload::None);
        }
        CollectionTask::Map => {
            let places = cratedigger_zoo::alike::map(&rows(job)).map_err(bad)?;
            post(job.id, CollectionAnswer::Mapped, Payload::Floats(&places.concat()));
        }
    }
    Ok(true)
}

fn post(id: u32, answer: CollectionAnswer, payload: Payload<'_>) {
    wire::post_with(&Event::Collection { id, answer }, payload);
}

fn bad(error: impl std::fmt::Display) -> Failure {
    Failure::new(FailureKind::BadRequest, error)
}

/// The values of each array of the payload.
fn rows(job: &Job) -> Vec<Vec<f32>> {
    job.channels.iter().map(Float32Array::to_vec).collect()
}

/// The zip file of the payload.
fn zip_file(job: &Job) -> Result<Vec<u8>, Failure> {
    job.bytes.as_ref().map(Uint8Array::to_vec).ok_or_else(|| bad("there is no file"))
}
