//! Classes of one's own: the fit, the accuracy by songs left out, the exported manifest.
#![cfg(feature = "fit")]
#![allow(clippy::unwrap_used)]

use burn::tensor::Device;
use cratedigger_zoo::teach::{
    Export, Lesson, NonMusic, Song, TeachError, export, fit, golden_features, outputs, teach,
};
use cratedigger_zoo::{
    Analyser, EnsembleRule, Input, InputSpec, LogPowerMel, Manifest, SegmentFeatures, Signals, golden_signal,
    of_classes, probabilities,
};

mod common;

const TINY_EAR: &str = r#"{"kind": "musicnn", "timbral": [2, 1], "temporal": [1, 1, 1],
    "middle": [2, 3, 3], "embedding": 5, "head": "embedding", "tags": ["a", "b"]}"#;

/// Numbers in −1…1.
fn random(state: &mut u32) -> f32 {
    *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    (*state >> 8) as f32 / 8_388_608.0 - 1.0
}

/// A song of `class` in six features: three segments around a place of its own near that of the class.
fn song(name: &str, label: usize, class: usize, state: &mut u32) -> Song {
    let own: Vec<f32> = (0..6).map(|x| if x == class { 2.0 } else { 0.0 } + 0.5 * random(state)).collect();
    let segments: Vec<SegmentFeatures> = (0..3)
        .map(|_| SegmentFeatures {
            values: own.iter().map(|x| x + 0.2 * random(state)).collect(),
            music: true,
        })
        .collect();
    Song::new(name.into(), label, &segments).unwrap()
}

fn songs() -> Vec<Song> {
    let mut state = 1;
    let mut songs: Vec<Song> =
        (0..15).map(|i| song(&format!("song {i}"), i % 3, i % 3, &mut state)).collect();
    // In the wrong folder.
    songs.push(song("strayed", 0, 2, &mut state));
    songs
}

fn sounds() -> NonMusic {
    let mut state = 9;
    let mut rows =
        |at: f32| (0..4 * 6).map(|x| if x % 6 > 3 { at } else { 0.0 } + 0.2 * random(&mut state)).collect();
    let kinds = vec![("other-sounds".to_owned(), rows(-2.0)), ("speech".to_owned(), rows(3.0))];
    NonMusic::new(kinds, vec![0.1; 6]).unwrap()
}

fn names() -> Vec<String> {
    ["ceilidh", "peak-time", "warm-up"].map(String::from).into()
}

#[test]
fn a_song_is_judged_by_a_head_that_has_not_heard_it() {
    let (classes, songs, non_music) = (names(), songs(), sounds());
    let lesson = Lesson { classes: &classes, songs: &songs, non_music: &non_music };
    let taught = teach(&lesson, &|_, _| true).unwrap();
    assert_eq!((taught.left_out.len(), taught.together), (16, 1));
    // Only the strayed song is taken for another class: the one that it belongs to.
    assert_eq!(taught.correct(&songs), 15);
    assert_eq!(taught.left_out[15].decision.class, 2);
    assert_eq!(taught.confusion(&songs, 3), [[5, 0, 1], [0, 5, 0], [0, 0, 5]]);
    let (accuracy, [low, high]) = taught.accuracy(&songs);
    assert!((accuracy - 15.0 / 16.0).abs() < 1e-9 && low < accuracy && accuracy < high);

    // The head without a song is the one that the other songs alone give, from another start.
    for left in [0, 7, 15] {
        let others: Vec<Song> =
            songs.iter().enumerate().filter(|(i, _)| *i != left).map(|(_, song)| song.clone()).collect();
        let head = fit(&Lesson { songs: &others, ..lesson }).unwrap();
        let all = outputs(&head, &songs[left]);
        let expected = probabilities(&taught.rule.combine(&[&of_classes(&all, 3)]));
        let found = &taught.left_out[left].probabilities;
        assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-3), "{found:?} {expected:?}");
    }

    // The order of the songs does not matter.
    let mut turned = songs.clone();
    turned.reverse();
    let again = fit(&Lesson { songs: &turned, ..lesson }).unwrap();
    assert!(taught.head.weights.iter().zip(&again.weights).all(|(a, b)| (a - b).abs() < 1e-4));
    // What is no music has outputs of its own.
    let noise = SegmentFeatures { values: vec![0.0, 0.0, 0.0, 0.0, 3.0, 3.0], music: true };
    let non_music_of = |song: &Song| outputs(&taught.head, song)[3..].iter().map(|p| p.exp()).sum::<f32>();
    let noise = non_music_of(&Song::new("noise".into(), 0, &[noise]).unwrap());
    assert!(songs.iter().all(|song| non_music_of(song) < noise), "{noise}");
}

#[test]
fn what_cannot_be_taught_is_told() {
    let (classes, songs, non_music) = (names(), songs(), sounds());
    let lesson = Lesson { classes: &classes, songs: &songs, non_music: &non_music };
    let refused = |lesson: &Lesson<'_>| teach(lesson, &|_, _| true).unwrap_err().to_string();
    assert!(refused(&Lesson { classes: &classes[..1], ..lesson }).contains("2 to 20"));
    let few: Vec<Song> = songs.iter().filter(|song| song.class != 1).chain(&songs[1..2]).cloned().collect();
    assert!(refused(&Lesson { songs: &few, ..lesson }).starts_with("peak-time has 1 songs"));
    let taken = ["speech", "b", "c"].map(String::from);
    assert!(refused(&Lesson { classes: &taken, ..lesson }).contains("speech"));
    assert!(matches!(teach(&lesson, &|_, _| false), Err(TeachError::Cancelled)));
    assert!(Song::new("silent".into(), 0, &[]).is_none());
}

#[test]
fn the_manifest_gives_what_was_taught() {
    let device = Device::flex();
    let input = Input::LogPowerMel(LogPowerMel::default());
    let spec = InputSpec { sample_rate: 16_000, ..InputSpec::new(3.0, vec![input]) };
    let (entry, weights) = common::network("ear", spec, TINY_EAR, 4, |network| network);
    let base = Manifest { ensemble: EnsembleRule::default(), ..common::manifest(4, vec![entry]) };
    let mut analyser = Analyser::load(&base, vec![weights], &device).unwrap();
    let signal = |number: usize, rate: u32| -> Vec<f32> {
        let wave = |(n, x): (usize, f32)| {
            let t = n as f32 / rate as f32;
            0.2 * x
                + 0.3 * (std::f32::consts::TAU * (150.0 * (1 + number % 3) as f32 + number as f32) * t).sin()
        };
        golden_signal(rate, 6.0).into_iter().enumerate().map(wave).collect()
    };
    let mut features = |number: usize| {
        let mut signals = Signals::empty(analyser.sample_rates());
        for rate in analyser.sample_rates().to_vec() {
            *signals.at_mut(rate).unwrap() = signal(number, rate);
        }
        let segments = analyser.segments(signals.at(analyser.sample_rate()).len());
        let found = pollster::block_on(analyser.features(&signals, &segments)).unwrap();
        (signals, found.into_iter().flatten().collect::<Vec<_>>())
    };
    let heard: Vec<_> = (0..9).map(&mut features).collect();
    let songs: Vec<Song> =
        heard.iter().enumerate().map(|(i, (_, f))| Song::new(i.to_string(), i % 3, f).unwrap()).collect();
    let golden = pollster::block_on(golden_features(analyser.ear().unwrap())).unwrap();
    let noise: Vec<f32> = golden.iter().map(|x| x + 1.0).collect();
    let made = NonMusic::new(vec![("speech".into(), noise)], golden.clone()).unwrap();
    // The file has half precision.
    let non_music = NonMusic::from_bytes(made.to_bytes().unwrap()).unwrap();
    non_music.check(&golden).unwrap();
    assert!(non_music.check(&golden.iter().map(|x| 1.1 * x + 0.1).collect::<Vec<_>>()).is_err());

    let classes = names();
    let lesson = Lesson { classes: &classes, songs: &songs, non_music: &non_music };
    let taught = teach(&lesson, &|_, _| true).unwrap();
    let about = Export { name: "mine", command: "test", data_sha256: "" };
    let ear = analyser.ear().unwrap();
    let (manifest, weights) =
        pollster::block_on(export(&base, ear, &lesson, &taught, about, &device)).unwrap();
    let json = serde_json::to_vec(&manifest).unwrap();
    let mut own = Analyser::load(&Manifest::parse(&json).unwrap(), vec![weights], &device).unwrap();
    assert_eq!(own.classes(), classes);
    for ((signals, _), song) in heard.iter().zip(&songs) {
        let segments = own.segments(signals.at(own.sample_rate()).len());
        let found = pollster::block_on(own.predict(signals, &segments)).unwrap();
        let found = own.song_prediction(found.iter().flatten()).unwrap();
        let all = outputs(&taught.head, song);
        let expected = probabilities(&taught.rule.combine(&[&of_classes(&all, 3)]));
        // The body is rounded to half precision.
        assert!(
            found.ensemble.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 0.01),
            "{found:?} {expected:?}"
        );
        assert!((found.non_music[0] - all[3].exp()).abs() < 0.01, "{found:?} {all:?}");
    }
    // The weights are those that the manifest's golden logits belong to.
    let golden = pollster::block_on(own.golden_logits()).unwrap();
    assert_eq!(golden, own.expected_golden_logits());
}
