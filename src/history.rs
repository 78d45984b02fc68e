//! Results of earlier visits, never sound: kept in the browser's database if the visitor allows it, and
//! exported as files.

use cratedigger_protocol::{
    Character, Condition, DeviceKind, MemberOutput, ModelSet, NonMusic, Section, SectionLabel, Tag, csv_cell,
};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;

use crate::probabilities::Probabilities;
use crate::state::{Answer, OwnAnswer, Segment, Song, SongInfo, SongResult, State, Status};
use crate::trouble::Notice;
use crate::{glue, settings};

/// Result of one song, as stored and exported.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Time when the song was added, in milliseconds since 1970; the key.
    added: f64,
    name: String,
    seconds: f64,
    /// The most probable class, for readers of an export.
    genre: String,
    device: DeviceKind,
    milliseconds: f64,
    milliseconds_to_first: f64,
    classes: Vec<String>,
    probabilities: Vec<f32>,
    /// Whether the result was *None of these*. Missing in records of earlier versions.
    #[serde(default)]
    none: bool,
    /// Kind and probability of non-music. Missing in records of earlier versions, and if no network predicted
    /// it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    non_music: Option<NonMusic>,
    /// Tags, the strongest first. Missing in records of earlier versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<Tag>,
    /// Sections. Missing in records of earlier versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    sections: Vec<Section>,
    /// Conditions under which the networks are less accurate. Missing in records of earlier versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    conditions: Vec<Condition>,
    /// The networks that analysed the song.
    #[serde(default)]
    networks: ModelSet,
    members: Vec<MemberOutput>,
    segments: Vec<RecordSegment>,
    /// Missing in records of earlier versions.
    #[serde(rename = "traits", default, skip_serializing_if = "Option::is_none")]
    character: Option<Character>,
    /// Hash of the file. Missing in records of earlier versions, and of songs whose features were not computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content: Option<String>,
    /// The answer with the visitor's own classes, if there are some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    own: Option<OwnAnswer>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RecordSegment {
    start: f64,
    end: f64,
    /// `None` for a silent segment.
    probabilities: Option<Vec<f32>>,
    /// Kind and probability of non-music. Missing in records of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    non_music: Option<NonMusic>,
    /// Probabilities of each network in thousandths, to save space: all classes of the record's first
    /// member, then of the next. Missing in records of earlier versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    votes: Vec<u16>,
}

impl Record {
    /// The record of a song that is done.
    fn of(state: State, song: Song) -> Option<Self> {
        let result = song.result.get_untracked()?;
        let info = song.info.get_untracked()?;
        let classes = state.models.classes.get_untracked();
        let best = result.probabilities.best()?;
        let members = result.probabilities.members;
        Some(Self {
            added: song.added,
            name: song.title(),
            seconds: info.seconds,
            genre: classes.get(best).cloned().unwrap_or_default(),
            device: result.device,
            milliseconds: result.milliseconds,
            milliseconds_to_first: result.milliseconds_to_first,
            classes,
            probabilities: result.probabilities.ensemble,
            none: result.none,
            non_music: result.non_music,
            tags: result.tags,
            sections: result.sections,
            conditions: result.conditions,
            networks: result.set,
            character: song.character.get_untracked(),
            content: song.content.get_untracked(),
            own: song.own.get_untracked(),
            segments: song.segments.with_untracked(|all| {
                all.iter().map(|segment| RecordSegment::of(segment, &members)).collect()
            }),
            members,
        })
    }

    /// Adds the song to the crate.
    fn restore(self, state: State) {
        let order = Order { old: &self.classes, new: &state.models.classes.get_untracked() };
        let song = state.add(self.added, self.name.clone(), false, Status::Done);
        let segments: Vec<Segment> = self
            .segments
            .iter()
            .zip(0u32..)
            .map(|(segment, index)| Segment {
                index,
                start: segment.start,
                end: segment.end,
                probabilities: segment.probabilities.as_ref().map(|ensemble| Probabilities {
                    ensemble: order.apply(ensemble),
                    members: segment.members(&self.members, &order),
                }),
                non_music: segment.non_music.clone(),
                revision: 0,
            })
            .collect();
        let count = u32::try_from(segments.len()).unwrap_or(u32::MAX);
        song.info.set(Some(SongInfo { seconds: self.seconds, segments: count }));
        song.segments.set(segments);
        song.character.set(self.character);
        if let Some(content) = &self.content {
            state.collection.assign_expected(song.id, content);
        }
        song.content.set(self.content);
        // An answer of classes that are not in use any more is out of date.
        let classes = state.collection.own.with_untracked(|own| own.as_ref().map(|own| own.classes.clone()));
        song.own.set(self.own.filter(|own| Some(&own.classes) == classes.as_ref()));
        song.result.set(Some(SongResult {
            probabilities: Probabilities {
                ensemble: order.apply(&self.probabilities),
                members: self.members.iter().map(|m| order.member(&m.model, &m.probabilities)).collect(),
            },
            none: self.none,
            non_music: self.non_music,
            tags: self.tags,
            sections: self.sections.into_iter().map(|section| order.section(section)).collect(),
            conditions: self.conditions,
            set: self.networks,
            device: self.device,
            milliseconds: self.milliseconds,
            milliseconds_to_first: self.milliseconds_to_first,
            workers: 0,
            memory: 0.0,
        }));
    }
}

impl Record {
    /// Whether the answer is a genre.
    fn is_sure(&self) -> bool {
        let class = self.classes.iter().position(|class| *class == self.genre);
        matches!(Answer::of(class, self.none, self.non_music.as_ref()), Some(Answer::Genre(_)))
    }

    /// The cells of a table that follow the probabilities; see [`LAST_COLUMNS`].
    fn last_cells(&self) -> [String; 4] {
        let kind = self.non_music.as_ref().filter(|non_music| non_music.rejected).map(|n| n.kind.as_str());
        let probability = self.non_music.as_ref().map(|non_music| format!("{:.5}", non_music.probability));
        let tags: Vec<_> = self.tags.iter().map(|tag| format!("{} {:.3}", tag.name, tag.strength)).collect();
        let conditions: Vec<_> = self.conditions.iter().map(|condition| condition_id(*condition)).collect();
        [
            csv_cell(kind.unwrap_or_default()),
            probability.unwrap_or_default(),
            csv_cell(&tags.join("; ")),
            conditions.join("; "),
        ]
    }
}

/// Names of the last columns of a table: the kind of non-music, its probability, the tags with their strengths,
/// the conditions.
const LAST_COLUMNS: [&str; 4] = ["non_music", "non_music_probability", "tags", "conditions"];

/// Name of a condition in a table: that of the JSON export.
fn condition_id(condition: Condition) -> &'static str {
    match condition {
        Condition::Telephone => "telephone",
        Condition::Clipped => "clipped",
    }
}

impl RecordSegment {
    fn of(segment: &Segment, members: &[MemberOutput]) -> Self {
        let probabilities = segment.probabilities.as_ref();
        Self {
            start: segment.start,
            end: segment.end,
            probabilities: probabilities.map(|p| p.ensemble.clone()),
            non_music: segment.non_music.clone(),
            votes: probabilities.map(|p| votes(p, members)).unwrap_or_default(),
        }
    }

    /// The probabilities of each network. Empty if the record does not have all of them.
    fn members(&self, members: &[MemberOutput], order: &Order<'_>) -> Vec<MemberOutput> {
        if self.votes.len() != members.len() * order.old.len() {
            return Vec::new();
        }
        let fractions: Vec<f32> = self.votes.iter().map(|vote| f32::from(*vote) / 1000.0).collect();
        let each = fractions.chunks_exact(order.old.len().max(1));
        members.iter().zip(each).map(|(m, probabilities)| order.member(&m.model, probabilities)).collect()
    }
}

/// The probabilities of each network, in the order of `members`, in thousandths. Empty unless all
/// networks have some, because an entry carries no name.
fn votes(probabilities: &Probabilities, members: &[MemberOutput]) -> Vec<u16> {
    let of = |name: &str| {
        probabilities.members.iter().find(|member| member.model == name).map(|m| &m.probabilities)
    };
    let all: Option<Vec<_>> = members.iter().map(|member| of(&member.model)).collect();
    // A float-to-integer `as` saturates.
    all.unwrap_or_default().into_iter().flatten().map(|p| (1000.0 * p).round() as u16).collect()
}

/// Brings the probabilities of a record into the current order of the classes. The classes may have
/// another order by now, or other names.
struct Order<'a> {
    old: &'a [String],
    new: &'a [String],
}

impl Order<'_> {
    fn apply(&self, values: &[f32]) -> Vec<f32> {
        let value = |class: &String| {
            let at = self.old.iter().position(|name| name == class);
            at.and_then(|at| values.get(at)).copied().unwrap_or_default()
        };
        self.new.iter().map(value).collect()
    }

    /// A section with the current index of its class.
    fn section(&self, mut section: Section) -> Section {
        if let SectionLabel::Class { class } = &mut section.label {
            let name = self.old.get(*class as usize);
            let now = name.and_then(|name| self.new.iter().position(|new| new == name));
            *class = now.and_then(|now| u32::try_from(now).ok()).unwrap_or(u32::MAX);
        }
        section
    }

    fn member(&self, name: &str, probabilities: &[f32]) -> MemberOutput {
        MemberOutput { model: name.to_string(), probabilities: self.apply(probabilities) }
    }
}

/// Whether results are kept.
pub fn enabled() -> bool {
    settings::keeps_history()
}

/// Turns the history on or off. Off also deletes all records.
pub fn enable(state: State, on: bool) {
    settings::set_keeps_history(on);
    if on {
        let done = state.songs.with_untracked(|all| all.clone());
        done.into_iter().for_each(|song| keep(state, song));
    } else {
        clear(state);
    }
}

/// Stores the result of a song, if the history is on.
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

/// Adds the songs of earlier visits to the crate.
pub async fn load(state: State) {
    if !enabled() {
        return;
    }
    // An unreadable database counts as empty: this visit loses nothing, and the visitor cannot repair it.
    let Ok(all) = glue::history_all().await else { return };
    for value in js_sys::Array::from(&all) {
        // A record that this version cannot read stays in the database.
        if let Ok(record) = serde_wasm_bindgen::from_value::<Record>(value) {
            record.restore(state);
        }
    }
}

/// Deletes the record of one song.
pub fn forget(added: f64) {
    spawn_local(async move {
        // A record that could not be deleted appears again on the next visit; the visitor can retry then.
        let _ = glue::history_delete(added).await;
    });
}

/// Deletes all records, and the features of songs. The songs of this visit stay in the crate.
pub fn clear(state: State) {
    spawn_local(async move {
        if glue::history_clear().await.is_err() || glue::clear_kept("features").await.is_err() {
            state.notice.set(Some(Notice::NoHistory));
        }
    });
}

/// Saves all results as a JSON file.
pub fn export_json(state: State) {
    let all: Vec<Record> = records(state);
    if let Ok(value) = all.serialize(&serde_wasm_bindgen::Serializer::json_compatible()) {
        glue::save_text(&glue::pretty(&value), "application/json", "cratedigger.json");
    }
}

/// Saves all results as a CSV table.
pub fn export_csv(state: State) {
    glue::save_text(
        &csv(&state.models.classes.get_untracked(), &records(state)),
        "text/csv",
        "cratedigger.csv",
    );
}

fn records(state: State) -> Vec<Record> {
    let songs = state.songs.get_untracked();
    songs.into_iter().filter_map(|song| Record::of(state, song)).collect()
}

fn csv(classes: &[String], records: &[Record]) -> String {
    let head = ["song", "genre", "sure_enough", "seconds", "added"].map(String::from);
    let head = head.into_iter().chain(classes.iter().cloned()).chain(LAST_COLUMNS.map(String::from));
    let mut table = head.collect::<Vec<_>>().join(",") + "\r\n";
    for record in records {
        let added = js_sys::Date::new(&JsValue::from_f64(record.added)).to_iso_string();
        let cells = [
            csv_cell(&record.name),
            csv_cell(&record.genre),
            if record.is_sure() { "yes".into() } else { "no".into() },
            format!("{:.2}", record.seconds),
            String::from(added),
        ];
        let probabilities = record.probabilities.iter().map(|p| format!("{p:.5}"));
        let cells = cells.into_iter().chain(probabilities).chain(record.last_cells());
        table += &cells.collect::<Vec<_>>().join(",");
        table += "\r\n";
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(all: &[&str]) -> Vec<String> {
        all.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn probabilities_follow_their_classes_into_another_order() {
        let (old, new) = (names(&["blues", "jazz", "rock"]), names(&["rock", "pop", "blues"]));
        let order = Order { old: &old, new: &new };
        assert_eq!(order.apply(&[0.2, 0.3, 0.5]), [0.5, 0.0, 0.2]);
    }

    #[test]
    fn votes_survive_a_record_and_are_left_out_if_one_is_missing() {
        let member = |name: &str, probabilities: [f32; 2]| MemberOutput {
            model: name.into(),
            probabilities: probabilities.to_vec(),
        };
        let members = vec![member("a", [0.25, 0.75]), member("b", [0.5, 0.5])];
        let segment = |members: &[MemberOutput]| Segment {
            index: 0,
            start: 0.0,
            end: 3.0,
            probabilities: Some(Probabilities { ensemble: vec![0.4, 0.6], members: members.to_vec() }),
            non_music: None,
            revision: 0,
        };
        let classes = names(&["blues", "jazz"]);
        let order = Order { old: &classes, new: &classes };
        assert_eq!(RecordSegment::of(&segment(&members), &members).members(&members, &order), members);
        let one = RecordSegment::of(&segment(&members[..1]), &members);
        assert!(one.members(&members, &order).is_empty() && one.probabilities.is_some());
    }

    /// A record as the first version wrote it.
    fn earliest() -> serde_json::Value {
        serde_json::json!({
            "added": 1.0, "name": "a.wav", "seconds": 6.0, "genre": "jazz", "device": "cpu",
            "milliseconds": 10.0, "millisecondsToFirst": 5.0, "classes": ["blues", "jazz"],
            "probabilities": [0.25, 0.75], "members": [],
            "segments": [
                {"start": 0.0, "end": 3.0, "probabilities": [0.25, 0.75]},
                {"start": 3.0, "end": 6.0, "probabilities": null},
            ],
        })
    }

    #[test]
    fn a_record_of_an_earlier_version_opens_without_the_newer_fields() {
        let record = serde_json::from_value::<Record>(earliest()).ok();
        let newer = record.as_ref().map(|r| (r.non_music.is_some(), r.tags.len(), r.conditions.len()));
        assert_eq!(newer, Some((false, 0, 0)));
        assert!(record.as_ref().is_some_and(Record::is_sure));
        let written = record.and_then(|record| serde_json::to_value(record).ok()).unwrap_or_default();
        for field in ["nonMusic", "tags", "conditions"] {
            assert_eq!(written.get(field), None, "{field}");
        }
    }

    #[test]
    fn non_music_tags_and_conditions_survive_a_record() {
        let mut value = earliest();
        value["nonMusic"] = serde_json::json!({"kind": "speech", "probability": 0.5, "rejected": true});
        value["segments"][0]["nonMusic"] = value["nonMusic"].clone();
        value["tags"] = serde_json::json!([{"name": "female, vocals", "strength": 0.5}]);
        value["conditions"] = serde_json::json!(["telephone", "clipped"]);
        let record = serde_json::from_value::<Record>(value.clone()).ok();
        assert!(record.as_ref().is_some_and(|record| !record.is_sure()));
        let cells = record.as_ref().map(Record::last_cells).unwrap_or_default();
        assert_eq!(cells, ["speech", "0.50000", "\"female, vocals 0.500\"", "telephone; clipped"]);
        let written = record.and_then(|record| serde_json::to_value(record).ok()).unwrap_or_default();
        assert_eq!(written["nonMusic"], value["nonMusic"]);
        assert_eq!(written["segments"][0]["nonMusic"], value["nonMusic"]);
        assert_eq!((&written["tags"], &written["conditions"]), (&value["tags"], &value["conditions"]));
    }
}
