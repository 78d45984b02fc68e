//! Data sets as they lie on shared disks.

use super::*;
use cratedigger_trainer::data::small_classes::{check_artists, check_classes};

fn put(folder: &Path, files: &[&str]) {
    for (number, file) in files.iter().enumerate() {
        let path = folder.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, wav(RATE, &song(number % 10, number, 1.0))).unwrap();
    }
}

fn six(class: &str) -> Vec<String> {
    (0..6).map(|clip| format!("{class}/t{clip}.wav")).collect()
}

fn put_all(folder: &Path, files: &[Vec<String>]) {
    let files: Vec<&str> = files.iter().flatten().map(String::as_str).collect();
    put(folder, &files);
}

#[test]
fn hidden_folders_and_trash_are_no_classes() {
    let folder = tempfile::tempdir().unwrap();
    put_all(folder.path(), &[six("dub"), six("swing")]);
    put(
        folder.path(),
        &[
            ".ipynb_checkpoints/a.wav",
            ".Trash-1000/files/b.wav",
            "$RECYCLE.BIN/S-1-5/c.wav",
            "@eaDir/d.wav/thumb.wav",
            "__MACOSX/swing/e.wav",
            "swing/.ipynb_checkpoints/f.wav",
            "dub/._t0.wav",
            "System Volume Information/g.wav",
        ],
    );
    fs::write(folder.path().join("dub/old.wma"), b"x").unwrap();
    let data = Dataset::open(folder.path()).unwrap();
    assert_eq!(data.classes, ["dub", "swing"]);
    assert_eq!((data.clips.len(), data.skipped.len()), (12, 0));
    assert!(data.clips.iter().all(|clip| clip.artist.is_none()));
    assert!(data.remarks.iter().any(|remark| remark.contains("Windows Media (1)")), "{:?}", data.remarks);
    let path = folder.path().to_str().unwrap();
    let (_, out, err) = run(&["inspect", path]);
    assert!(out.contains("12 clips in 2 classes") && out.contains("Windows Media (1)"), "{out} {err}");
    let (_, out, err) = run(&["classify", "--json", path]);
    assert_eq!(out.lines().count(), 12, "{err}");
    assert!(err.contains("Windows Media (1)"), "{err}");
}

#[test]
fn labels_are_trimmed_and_told_apart_by_case() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), &["Dub/a.wav", "dub/b.wav", "swing/c.wav", "swing /d.wav"]);
    let data = Dataset::open(folder.path()).unwrap();
    assert_eq!(data.classes, ["Dub", "dub", "swing"]);
    let told: Vec<&String> = data.remarks.iter().filter(|remark| remark.contains("case")).collect();
    assert_eq!(told.len(), 1, "{:?}", data.remarks);
    assert!(told[0].contains("Dub and dub"), "{}", told[0]);

    // Labels of a table, with spaces and a byte order mark.
    let folder = tempfile::tempdir().unwrap();
    let row = |name: &str, label: &str| format!("{name},1,{},{label}\n", vec!["0.5"; 57].join(","));
    let table = format!("\u{feff}filename,length,{}, label\n", cratedigger_dsp::TABLE_COLUMNS.join(","))
        + &row("blues.00000.wav", "blues ")
        + &row("blues.00001.wav", "blues")
        + &row("'-rock.00000.wav", " rock");
    fs::write(folder.path().join("features_30_sec.csv"), table).unwrap();
    let data = Dataset::open(folder.path()).unwrap();
    assert_eq!(data.classes, ["blues", "rock"]);
    assert_eq!(data.clips[0].id, "-rock.00000");
}

#[test]
fn artists_match_with_and_without_extension_or_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    put_all(folder.path(), &[six("dub"), six("swing")]);
    let table = folder.path().join("artists.csv");
    let artists = |name: &dyn Fn(&str, usize) -> String| {
        let mut text = String::from("clip,artist\n");
        for class in ["dub", "swing"] {
            (0..6).for_each(|clip| text += &format!("{},{class} band {}\n", name(class, clip), clip / 2));
        }
        fs::write(&table, text).unwrap();
        Dataset::open(folder.path()).map(|data| {
            let artists: Vec<Option<String>> = data.clips.iter().map(|clip| clip.artist.clone()).collect();
            (artists, data.remarks)
        })
    };
    let (wanted, remarks) = artists(&|class, clip| format!("{class}/t{clip}")).unwrap();
    assert_eq!(wanted[..2], [Some("dub band 0".into()), Some("dub band 0".into())]);
    assert!(wanted.iter().all(Option::is_some) && remarks.is_empty());
    for name in [
        &(|class: &str, clip: usize| format!("{class}/t{clip}.wav")) as &dyn Fn(&str, usize) -> String,
        &|class, clip| format!("./{class}/t{clip}.mp3"),
        &|class, clip| format!(" {class}\\t{clip}.wav "),
    ] {
        assert_eq!(artists(name).unwrap(), (wanted.clone(), Vec::new()));
    }
    // What does not match is counted.
    let (some, remarks) = artists(&|class, clip| format!("{class}/t{}.wav", clip + 2)).unwrap();
    assert_eq!(some.iter().flatten().count(), 8);
    assert!(remarks.iter().any(|remark| remark.contains("4 of 12 rows")), "{remarks:?}");
    // A file name alone is ambiguous here.
    let error = artists(&|_, clip| format!("t{clip}.wav")).unwrap_err().to_string();
    assert!(error.contains("none of its 12 rows") && error.contains("dub/t0"), "{error}");
    let error = artists(&|class, clip| format!("music/{class}{clip}.wav")).unwrap_err().to_string();
    assert!(error.contains("none of its 12 rows"), "{error}");
    let path = folder.path().to_str().unwrap();
    let (code, _, err) =
        run(&["split", path, "--by-artist", "--out", folder.path().join("s").to_str().unwrap()]);
    assert!(code == 1 && err.contains("none of its 12 rows"), "{err}");
    // Without a table, there is no artist to keep together.
    fs::remove_file(&table).unwrap();
    let (code, _, err) =
        run(&["split", path, "--by-artist", "--out", folder.path().join("s").to_str().unwrap()]);
    assert!(code == 1 && err.contains("no clip has an artist"), "{err}");
}

#[test]
fn a_class_with_too_few_clips_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    put_all(folder.path(), &[six("many")]);
    put(
        folder.path(),
        &["single/0.wav", "pair/0.wav", "pair/1.wav", "three/0.wav", "three/1.wav", "three/2.wav"],
    );
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (path, out) = (at("."), at("split.json"));
    let (code, _, err) = run(&["split", &path, "--out", &out]);
    assert_eq!(code, 1, "{err}");
    for says in ["single has 1 clip, and needs 3", "pair has 2 clips, and needs 3", "--allow-small"] {
        assert!(err.contains(says), "{says}: {err}");
    }
    assert!(!err.contains("many") && !err.contains("three"), "{err}");
    assert!(!Path::new(&out).exists());
    let (code, _, err) = run(&["split", &path, "--out", &out, "--allow-small"]);
    assert_eq!(code, 0, "{err}");
    // Every fold needs a test clip of each class.
    let (code, _, err) = run(&["split", &path, "--out", &out, "--folds", "5"]);
    assert!(code == 1 && err.contains("three has 3 clips, and needs 5") && !err.contains("many"), "{err}");

    fs::write(at("tiny.toml"), CONFIG).unwrap();
    for command in ["train", "crossval"] {
        let (code, _, err) = run(&[command, &at("tiny.toml"), "--data", &path, "--out", &at(command)]);
        assert!(code == 1 && err.contains("single has 1 clip, and needs"), "{command}: {err}");
        assert!(!Path::new(&at(command)).join("run.json").exists());
    }

    // By artist, it is artists that count.
    let data = Dataset::open(folder.path()).unwrap();
    let by_artist = SplitPlan { group: Group::Artist, ..SplitPlan::of(Protocol::Track, 1) };
    assert!(check_artists(&by_artist, &data).is_err());
    let mut named = data.clone();
    named.clips.iter_mut().for_each(|clip| clip.artist = Some(format!("{} band", clip.class)));
    let error = check_classes(&by_artist, &named).unwrap_err().to_string();
    assert!(error.contains("many has 1 artist, and needs 3"), "{error}");
    // What is enough passes, for any number of folds.
    let clips: Vec<_> = data.clips.iter().filter(|clip| clip.class == 0).cloned().collect();
    for folds in 2..=6 {
        let plan = SplitPlan { folds: Some((folds, 0)), ..SplitPlan::of(Protocol::Track, 1) };
        let enough = Dataset { classes: vec!["many".into()], clips: clips.clone(), ..Dataset::default() };
        check_classes(&plan, &enough).unwrap();
    }
}
