//! What was heard before: results, never sound. Kept in the browser's own database, if the visitor
//! lets it; and the same records, written to files.

use cratedigger_protocol::{Character, DeviceKind, MemberOutput, ModelSet};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;

use crate::state::{Outcome, Outline, Probabilities, Segment, Song, State, Status};
use crate::trouble::Notice;
use crate::{glue, settings, text};

/// One song's result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// When it was added, in milliseconds since 1970; also its key.
    added: f64,
    name: String,
    seconds: f64,
    /// Named for whoever reads an export; the probabilities say it again.
    genre: String,
    device: DeviceKind,
    milliseconds: f64,
    milliseconds_to_first: f64,
    classes: Vec<String>,
    probabilities: Vec<f32>,
    /// Whether that was too little to name a genre. Records of earlier versions don't say.
    #[serde(default)]
    none: bool,
    /// Which networks judged it.
    #[serde(default)]
    networks: ModelSet,
    members: Vec<MemberOutput>,
    segments: Vec<RecordSegment>,
    /// Records of earlier versions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    traits: Option<Character>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct RecordSegment {
    start: f64,
    end: f64,
    /// None if it is silent.
    probabilities: Option<Vec<f32>>,
    /// Probabilities of each network, in thousandths: class by class of the record's first member, then
    /// of the next. Short, because there are many of them. Records of earlier versions have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    votes: Vec<u16>,
}

impl Record {
    /// Of a song that is done.
    fn of(state: State, song: Song) -> Option<Self> {
        let outcome = song.outcome.get_untracked()?;
        let outline = song.outline.get_untracked()?;
        let classes = state.classes.get_untracked();
        let best = outcome.verdict.best()?;
        let members = outcome.verdict.members;
        let votes = |verdict: &Probabilities| -> Vec<u16> {
            let of = |name: &str| verdict.members.iter().find(|m| m.model == name).map(|m| &m.probabilities);
            // All of them or none: a vote has no name of its own.
            let all: Option<Vec<_>> = members.iter().map(|member| of(&member.model)).collect();
            // A float-to-integer `as` saturates.
            all.unwrap_or_default().into_iter().flatten().map(|p| (1000.0 * p).round() as u16).collect()
        };
        Some(Self {
            added: song.added,
            name: song.title(),
            seconds: outline.seconds,
            genre: classes.get(best).cloned().unwrap_or_default(),
            device: outcome.device,
            milliseconds: outcome.milliseconds,
            milliseconds_to_first: outcome.milliseconds_to_first,
            classes,
            probabilities: outcome.verdict.probabilities,
            none: outcome.none,
            networks: outcome.set,
            traits: song.traits.get_untracked(),
            segments: song.segments.with_untracked(|all| {
                all.iter()
                    .map(|segment| RecordSegment {
                        start: segment.start,
                        end: segment.end,
                        probabilities: segment.verdict.as_ref().map(|v| v.probabilities.clone()),
                        votes: segment.verdict.as_ref().map(votes).unwrap_or_default(),
                    })
                    .collect()
            }),
            members,
        })
    }

    /// Puts it back into the crate. The genres may have another order by now, or other names.
    fn restore(self, state: State) {
        let classes = state.classes.get_untracked();
        let order = |values: &[f32]| -> Vec<f32> {
            let share = |class: &String| {
                let at = self.classes.iter().position(|name| name == class);
                at.and_then(|at| values.get(at)).copied().unwrap_or_default()
            };
            classes.iter().map(share).collect()
        };
        let member = |name: &str, probabilities: &[f32]| MemberOutput {
            model: name.to_string(),
            probabilities: order(probabilities),
        };
        let votes = |thousandths: &[u16]| -> Vec<MemberOutput> {
            if thousandths.len() != self.members.len() * self.classes.len() {
                return Vec::new();
            }
            let shares: Vec<f32> = thousandths.iter().map(|vote| f32::from(*vote) / 1000.0).collect();
            let each = shares.chunks_exact(self.classes.len().max(1));
            self.members.iter().zip(each).map(|(m, shares)| member(&m.model, shares)).collect()
        };
        let song = state.add(self.added, self.name.clone(), false, Status::Done);
        let segments: Vec<Segment> = self
            .segments
            .iter()
            .zip(0u32..)
            .map(|(segment, index)| Segment {
                index,
                start: segment.start,
                end: segment.end,
                verdict: segment
                    .probabilities
                    .as_ref()
                    .map(|p| Probabilities { probabilities: order(p), members: votes(&segment.votes) }),
                revision: 0,
            })
            .collect();
        let count = u32::try_from(segments.len()).unwrap_or(u32::MAX);
        song.outline.set(Some(Outline { seconds: self.seconds, segments: count }));
        song.segments.set(segments);
        song.traits.set(self.traits);
        song.outcome.set(Some(Outcome {
            verdict: Probabilities {
                probabilities: order(&self.probabilities),
                members: self.members.iter().map(|m| member(&m.model, &m.probabilities)).collect(),
            },
            none: self.none,
            set: self.networks,
            device: self.device,
            milliseconds: self.milliseconds,
            milliseconds_to_first: self.milliseconds_to_first,
        }));
    }
}

/// Whether results are kept.
pub fn enabled() -> bool {
    settings::keeps_history()
}

/// The visitor's choice. Off also forgets what was kept.
pub fn enable(state: State, on: bool) {
    settings::set_keeps_history(on);
    if on {
        let done = state.songs.with_untracked(|all| all.clone());
        done.into_iter().for_each(|song| keep(state, song));
    } else {
        clear(state);
    }
}

/// Keeps a song's result.
pub fn keep(state: State, song: Song) {
    if !enabled() {
        return;
    }
    let Some(record) = Record::of(state, song) else { return };
    spawn_local(async move {
        let kept = match serde_wasm_bindgen::to_value(&record) {
            Ok(value) => glue::history_put(value).await,
            Err(error) => Err(error.into()),
        };
        if kept.is_err() {
            state.notice.set(Some(Notice::NoHistory));
        }
    });
}

/// Fills the crate with what was kept.
pub fn load(state: State) {
    if !enabled() {
        return;
    }
    spawn_local(async move {
        // A database that can't be read is an empty one: nothing of this visit is lost by it, and
        // there is nothing that the visitor could do.
        let Ok(all) = glue::history_all().await else { return };
        for value in js_sys::Array::from(&all) {
            // A record of another version of the page is left where it is.
            if let Ok(record) = serde_wasm_bindgen::from_value::<Record>(value) {
                record.restore(state);
            }
        }
    });
}

/// Forgets one song.
pub fn forget(added: f64) {
    spawn_local(async move {
        // If it can't be deleted it comes back with the next visit, where it can be tried again.
        let _ = glue::history_delete(added).await;
    });
}

/// Forgets all of them; this visit's songs stay in the crate.
pub fn clear(state: State) {
    spawn_local(async move {
        if glue::history_clear().await.is_err() {
            state.notice.set(Some(Notice::NoHistory));
        }
    });
}

/// Everything that is done, as a JSON file.
pub fn export_json(state: State) {
    let all: Vec<Record> = records(state);
    if let Ok(value) = all.serialize(&serde_wasm_bindgen::Serializer::json_compatible()) {
        glue::save_text(&glue::pretty(&value), "application/json", "cratedigger.json");
    }
}

/// Everything that is done, as a table for a spreadsheet.
pub fn export_csv(state: State) {
    glue::save_text(&csv(&state.classes.get_untracked(), &records(state)), "text/csv", "cratedigger.csv");
}

fn records(state: State) -> Vec<Record> {
    let songs = state.songs.get_untracked();
    songs.into_iter().filter_map(|song| Record::of(state, song)).collect()
}

fn csv(classes: &[String], records: &[Record]) -> String {
    let head = ["song", "genre", "sure_enough", "seconds", "added"].map(String::from);
    let mut table = head.into_iter().chain(classes.iter().cloned()).collect::<Vec<_>>().join(",") + "\r\n";
    for record in records {
        let added = js_sys::Date::new(&JsValue::from_f64(record.added)).to_iso_string();
        let cells = [
            text::csv_cell(&record.name),
            text::csv_cell(&record.genre),
            if record.none { "no".into() } else { "yes".into() },
            format!("{:.2}", record.seconds),
            String::from(added),
        ];
        let shares = record.probabilities.iter().map(|p| format!("{p:.5}"));
        table += &cells.into_iter().chain(shares).collect::<Vec<_>>().join(",");
        table += "\r\n";
    }
    table
}
