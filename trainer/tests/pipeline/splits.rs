//! Properties of splits.

use super::*;
use cratedigger_trainer::data::Clip;
use proptest::prelude::*;

fn clips(of: &[usize]) -> Vec<Clip> {
    of.iter()
        .enumerate()
        .flat_map(|(class, &n)| {
            (0..n).map(move |i| Clip {
                id: format!("{}.{i:05}", GTZAN_GENRES[class]),
                class,
                artist: (i % 3 > 0).then(|| format!("artist {}", i / 4)),
                ..Clip::default()
            })
        })
        .collect()
}

proptest! {
    /// A clip that cannot be decoded must not move the others to other parts, because that would be a leak
    /// between training and evaluation.
    #[test]
    fn hardly_change_when_a_clip_is_missing(n in 20_usize..40, gone in 0_usize..20, seed: u64) {
        let all = clips(&[n]);
        let mut fewer = all.clone();
        fewer.remove(gone);
        let test = |clips: &[Clip]| -> std::collections::BTreeSet<String> {
            let split = Split::new(&SplitPlan::of(Protocol::Track, seed), clips, &vec![1; clips.len()]).unwrap();
            clips_of(&split.test).into_iter().map(|c| clips[c].id.clone()).collect()
        };
        prop_assert!(test(&all).symmetric_difference(&test(&fewer)).count() <= 2);
    }

    /// Parts are disjoint, complete, stratified and reproducible, and keep clips whole if the protocol
    /// says so.
    #[test]
    fn are_disjoint_and_complete(of in prop::collection::vec(10_usize..40, 2..10), segments in 1_usize..11, seed: u64) {
        let clips = clips(&of);
        let counts = vec![segments; clips.len()];
        for protocol in [Protocol::Track, Protocol::Segment] {
            let plan = SplitPlan::of(protocol, seed);
            let split = Split::new(&plan, &clips, &counts).unwrap();
            prop_assert_eq!(&split, &Split::new(&plan, &clips, &counts).unwrap());
            let mut all: Vec<_> =
                [&split.train, &split.valid, &split.test].into_iter().flatten().copied().collect();
            all.sort_unstable();
            let expected: Vec<_> = (0..clips.len()).flat_map(|c| (0..segments).map(move |s| (c, s))).collect();
            prop_assert_eq!(all, expected);
            prop_assert_eq!(split.check_clips_apart(&clips).is_ok(), protocol == Protocol::Track || segments == 1);
            if protocol == Protocol::Track {
                for (class, n) in of.iter().enumerate() {
                    let of_class = |part| clips_of(part).iter().filter(|&&c| clips[c].class == class).count();
                    prop_assert_eq!(of_class(&split.test), n.div_ceil(5));
                    prop_assert!(of_class(&split.valid) > 0 && of_class(&split.train) > 0);
                }
            }
            // An index file of the split gives the same split.
            let file = tempfile::NamedTempFile::new().unwrap();
            fs::write(file.path(), serde_json::to_vec(&IndexFile::of(&split, &clips)).unwrap()).unwrap();
            let plan = SplitPlan { protocol: Protocol::Index, index: Some(file.path().into()), ..plan };
            prop_assert_eq!(&split, &Split::new(&plan, &clips, &counts).unwrap());
        }
    }

    /// Each clip is a test clip in exactly one fold. Artists stay in one part if requested. Folds have
    /// similar sizes.
    #[test]
    fn folds_cover_everything_once(of in prop::collection::vec(12_usize..40, 2..6), folds in 2_usize..6, seed: u64) {
        let clips = clips(&of);
        for group in [Group::Track, Group::Artist] {
            let mut tested = vec![0; clips.len()];
            for fold in 0..folds {
                let plan =
                    SplitPlan { folds: Some((folds, fold)), group, ..SplitPlan::of(Protocol::Track, seed) };
                let split = Split::new(&plan, &clips, &vec![1; clips.len()]).unwrap();
                clips_of(&split.test).into_iter().for_each(|c| tested[c] += 1);
                prop_assert!(!split.valid.is_empty() && !split.train.is_empty());
                if group == Group::Artist {
                    split.check_artists_apart(&clips).unwrap();
                } else {
                    let even = of.iter().map(|n| n.div_ceil(folds)).sum::<usize>();
                    prop_assert!(split.test.len() <= even);
                }
            }
            prop_assert_eq!(tested, vec![1; clips.len()]);
        }
    }
}

/// A split that divides clips or artists although it must not is rejected, with a message that names one.
#[test]
fn leaks_are_errors() {
    let clips = clips(&[8, 8]);
    let counts = vec![3; clips.len()];
    let file = tempfile::NamedTempFile::new().unwrap();
    let plan = SplitPlan { index: Some(file.path().into()), ..SplitPlan::of(Protocol::Index, 1) };
    let refused = |index: &IndexFile| {
        fs::write(file.path(), serde_json::to_vec(index).unwrap()).unwrap();
        Split::new(&plan, &clips, &counts).map_err(|error| format!("{error:#}"))
    };
    let names = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
    let mut index = IndexFile {
        train: names(&["blues.00000", "classical.00001#0"]),
        valid: names(&["blues.00003"]),
        test: names(&["classical.00001#2"]),
        segments_apart: false,
    };
    let error = refused(&index).unwrap_err();
    assert!(error.contains("leak") && error.contains("classical.00001"), "{error}");
    index.segments_apart = true;
    assert_eq!(refused(&index).unwrap().train.len(), 4);
    index.valid = names(&["classical.00001#2"]);
    assert!(refused(&index).unwrap_err().contains("leak"), "one segment in two parts");
    index.valid = names(&["nobody.00001"]);
    assert!(refused(&index).unwrap_err().contains("nobody.00001"));
    let split = Split { train: vec![(4, 0)], valid: vec![], test: vec![(5, 0)] };
    let error = split.check_artists_apart(&clips).unwrap_err().to_string();
    assert!(error.contains("artist 1"), "{error}");
}
