//! Layouts of data sets, and their inspection.

use super::*;

#[test]
fn the_array_layout_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(
        at("clips.csv"),
        "clip,genre,fault_filtered_split,audio,seconds,note\n\
         rock.00001,rock,test,,30,\nblues.00000,blues,train,,30,\njazz.00054,jazz,valid,yes,3.5,\nmetal.00009,metal,,,30,\n",
    )
    .unwrap();
    fs::write(at("mel128.csv"), "row,clip,genre\n0,blues.00000,blues\n1,rock.00001,rock\n").unwrap();
    let (bands, columns) = (128_usize, 60_usize);
    let mut npy = b"\x93NUMPY\x01\x00".to_vec();
    let mut header =
        format!("{{'descr': '|u1', 'fortran_order': False, 'shape': (2, {bands}, {columns}), }}");
    header += &" ".repeat(63 - (10 + header.len()) % 64);
    header.push('\n');
    npy.extend_from_slice(&(header.len() as u16).to_le_bytes());
    npy.extend_from_slice(header.as_bytes());
    npy.extend((0..2 * bands * columns).map(|i| (i % 251) as u8));
    let mut archive = zip::ZipWriter::new(fs::File::create(at("mel128.npz")).unwrap());
    archive.start_file("mel.npy", zip::write::SimpleFileOptions::default()).unwrap();
    archive.write_all(&npy).unwrap();
    archive.finish().unwrap();
    fs::create_dir_all(at("audio/jazz")).unwrap();
    fs::write(at("audio/jazz/jazz.00054.wav"), wav(RATE, &song(5, 0, 3.5))).unwrap();

    let mut data = Dataset::open(folder.path()).unwrap();
    let found: Vec<(&str, usize, Option<Part>)> =
        data.clips.iter().map(|c| (c.id.as_str(), c.class, c.part)).collect();
    assert_eq!(data.classes, ["blues", "jazz", "metal", "rock"]);
    assert_eq!(
        found,
        [
            ("blues.00000", 0, Some(Part::Train)),
            ("jazz.00054", 1, Some(Part::Valid)),
            ("metal.00009", 2, None),
            ("rock.00001", 3, Some(Part::Test))
        ]
    );
    let recipe = InputSpec::log_mel_3s();
    let cache = tempfile::tempdir().unwrap();
    let loader = Loader {
        input_spec: &recipe,
        origin: Origin::Auto,
        cache: Some(cache.path().to_path_buf()),
        cancelled: Arc::new(AtomicBool::new(false)),
    };
    let examples = loader.load(&mut data, &[0, 1, 2, 3], |_| ()).unwrap();
    assert_eq!(data.skipped.len(), 1, "metal.00009 has neither array nor audio");
    let Version::Columns(rock) = &examples[&3].versions[0] else { panic!("an array") };
    assert_eq!((examples[&3].origin, rock.bands, rock.columns), ("arrays", bands, columns));
    // 0 is −80 dB and 255 is 0 dB.
    let value = ((bands * columns) % 251) as f32;
    assert!((rock.db[0] - (value / 255.0 * 80.0 - 80.0)).abs() < 1e-4);
    let Version::Columns(jazz) = &examples[&1].versions[0] else { panic!("decoded audio") };
    assert_eq!((examples[&1].origin, jazz.columns), ("audio", 46)); // 1 + 77175/512 = 151 frames, one column every 3.34
    // The cache has the computed values, and a damaged cache file is computed again.
    let again = || {
        let mut data = Dataset::open(folder.path()).unwrap();
        let Version::Columns(again) = loader.load(&mut data, &[1], |_| ()).unwrap()[&1].versions[0].clone()
        else {
            panic!("audio")
        };
        again.db.clone()
    };
    assert_eq!(again(), jazz.db);
    let kept: Vec<PathBuf> = walkdir::WalkDir::new(cache.path())
        .into_iter()
        .map(|entry| entry.unwrap().into_path())
        .filter(|path| path.is_file())
        .collect();
    assert_eq!(kept.len(), 1);
    let bytes = fs::read(&kept[0]).unwrap();
    fs::write(&kept[0], &bytes[..bytes.len() / 2]).unwrap();
    assert_eq!(again(), jazz.db);
    // A truncated array is reported.
    fs::write(at("mel128.npz"), &fs::read(at("mel128.npz")).unwrap()[..400]).unwrap();
    assert!(Dataset::open(folder.path()).unwrap_err().to_string().contains("mel128.npz"));
}

/// A music library: a folder per class, with artists below, and the same title twice.
#[test]
fn any_folder_of_folders() {
    let folder = tempfile::tempdir().unwrap();
    let files =
        ["polka/Anna/one.wav", "polka/Bert/one.wav", "polka/two.wav", "waltz/Anna/one.wav", "waltz/.x.wav"];
    for file in files {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, wav(RATE, &song(0, 0, 1.0))).unwrap();
    }
    fs::write(folder.path().join("artists.csv"), "clip,artist\npolka/two,Carl\n").unwrap();
    let data = Dataset::open(folder.path()).unwrap();
    assert_eq!(data.classes, ["polka", "waltz"]);
    let found: Vec<(&str, usize, Option<&str>)> =
        data.clips.iter().map(|c| (c.id.as_str(), c.class, c.artist.as_deref())).collect();
    assert_eq!(
        found,
        [
            ("polka/Anna/one", 0, Some("Anna")),
            ("polka/Bert/one", 0, Some("Bert")),
            ("polka/two", 0, Some("Carl")),
            ("waltz/Anna/one", 1, Some("Anna")),
        ]
    );
}

/// Kaggle's folder: audio, pictures and both tables, matched by name. Missing values are reported.
#[test]
fn kaggles_folder() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (class, number) in [("blues", 0), ("blues", 1), ("rock", 0)] {
        fs::create_dir_all(at(&format!("genres_original/{class}"))).unwrap();
        fs::create_dir_all(at(&format!("images_original/{class}"))).unwrap();
        let audio = wav(RATE, &song(number, 0, 1.0));
        fs::write(at(&format!("genres_original/{class}/{class}.{number:05}.wav")), audio).unwrap();
        let picture = image::RgbImage::from_pixel(432, 288, image::Rgb([number as u8, 80, 200]));
        picture.save(at(&format!("images_original/{class}/{class}{number:05}.png"))).unwrap();
    }
    let header = format!("filename,length,{},label\n", cratedigger_dsp::TABLE_COLUMNS.join(","));
    let row = |name: &str, value: f32, label: &str| {
        format!("{name},1,{},{label}\n", vec![value.to_string(); 57].join(","))
    };
    let gap = row("blues.00001.wav", 2.0, "blues").replacen("2,", ",", 2);
    let whole = [&header, &row("blues.00000.wav", 1.5, "blues"), &gap, &row("rock.00000.wav", 3.0, "rock")];
    fs::write(at("features_30_sec.csv"), whole.map(String::as_str).concat()).unwrap();
    let segments: String = (0..10).map(|s| row(&format!("rock.00000.{s}.wav"), s as f32, "rock")).collect();
    fs::write(at("features_3_sec.csv"), header + &segments).unwrap();

    let mut data = Dataset::open(folder.path()).unwrap();
    assert_eq!(data.skipped.len(), 1);
    assert!(
        data.skipped[0].1.contains("length") || data.skipped[0].1.contains("chroma_stft_mean"),
        "{:?}",
        data.skipped
    );
    assert!(data.clips.iter().all(|c| c.audio.is_some() && c.picture.is_some()));
    let load = |data: &mut Dataset, text: &str, origin: Origin| {
        let config = format!("name = \"x\"\n[network]\npreset = \"ann\"\n{text}");
        let recipe = Config::parse(&config, &Overrides::default()).unwrap().input_spec();
        let loader =
            Loader { input_spec: &recipe, origin, cache: None, cancelled: Arc::new(AtomicBool::new(false)) };
        let all: Vec<usize> = (0..data.clips.len()).collect();
        let examples = loader.load(data, &all, |_| ()).unwrap();
        examples
            .into_iter()
            .map(|(place, m)| (place, m.origin, m.versions[0].segment(&recipe, 0)))
            .collect::<Vec<_>>()
    };
    // Rows of the table; where a value is missing, features of the audio.
    let rows = load(&mut data, "[data]\nwindow = 30.0\n[[inputs]]\nkind = \"features\"", Origin::Auto);
    assert_eq!(rows.iter().map(|r| r.1).collect::<Vec<_>>(), ["tables", "audio", "tables"]);
    assert_eq!(rows[0].2, vec![1.5; 57]);
    let sequence = load(&mut data, "[data]\nwindow = 30.0\n[[inputs]]\nkind = \"sequence\"", Origin::Tables);
    let expected: Vec<f32> = (0..10).flat_map(|s| vec![s as f32; 57]).collect();
    assert_eq!(sequence, [(2, "tables", expected)]);
    let pictures =
        load(&mut data, "[data]\nwindow = 30.0\n[[inputs]]\nkind = \"picture\"\nsize = 16", Origin::Pictures);
    assert_eq!(pictures.len(), 3);
    assert!(pictures[1].2[..256].iter().all(|v| (v - 1.0 / 255.0).abs() < 1e-6), "one level of red");
}

/// Inserted faults are found, and nothing else. Duplicates can be dropped.
#[test]
fn faults_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, samples: &[i16]| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, wav(RATE, samples)).unwrap();
    };
    let tune = |seed: usize, seconds: f64| -> Vec<i16> {
        let mut state = seed as u32 * 7919 + 1;
        let mut note = 0.0;
        (0..(seconds * f64::from(RATE)) as usize)
            .map(|n| {
                if n % 2500 == 0 {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    note = 150.0 * 2.0_f64.powf(f64::from(state >> 27) / 12.0);
                }
                let t = n as f64 / f64::from(RATE);
                let fade = 1.0 - (n % 2500) as f64 / 2500.0;
                let tones: f64 = (1..5)
                    .map(|k| (std::f64::consts::TAU * note * f64::from(k) * t).sin() / f64::from(k))
                    .sum();
                (4000.0 * fade * tones) as i16
            })
            .collect()
    };
    for clip in 0..6 {
        write(&format!("a/{clip}.wav"), &tune(clip, 12.0));
        write(&format!("b/{clip}.wav"), &tune(100 + clip, 12.0));
    }
    write("a/copy.wav", &tune(2, 12.0));
    // The same recording with an offset, at a lower level, in another class.
    let shifted: Vec<i16> = tune(3, 14.0)[2 * RATE as usize..].iter().map(|s| s / 2).collect();
    write("b/taken.wav", &shifted);
    write("b/loud.wav", &tune(77, 12.0).iter().map(|s| s.saturating_mul(20)).collect::<Vec<_>>());
    write("a/empty.wav", &vec![0; 12 * RATE as usize]);
    write("a/short.wav", &tune(50, 4.0));
    fs::write(folder.path().join("b/broken.wav"), b"RIFF").unwrap();

    let path = folder.path().to_str().unwrap();
    let (code, out, err) = run(&["inspect", path, "--json"]);
    assert_eq!(code, 1, "{err}");
    let found: Value = serde_json::from_str(&out).unwrap();
    let names = |kind: &str| -> Vec<&str> {
        found[kind].as_array().unwrap().iter().map(|f| f["clip"].as_str().unwrap()).collect()
    };
    assert_eq!(names("unreadable"), ["b/broken"]);
    assert_eq!(names("short"), ["a/short"]);
    assert_eq!(names("silent"), ["a/empty"]);
    assert_eq!(names("clipped"), ["b/loud"]);
    assert_eq!(found["exact"][0]["clips"], serde_json::json!(["a/2", "a/copy"]));
    let near: Vec<&Value> = found["near"].as_array().unwrap().iter().map(|g| &g["clips"]).collect();
    assert_eq!(near, [&serde_json::json!(["a/3", "b/taken"])]);
    assert_eq!(
        (&found["exact"][0]["classes_differ"], &found["near"][0]["classes_differ"]),
        (&false.into(), &true.into())
    );
    assert_eq!(found["sample_rates"], serde_json::json!({ "11025": 17 }));
    assert_eq!(found["classes"], serde_json::json!([["a", 9], ["b", 9]]));

    let mut data = Dataset::open(folder.path()).unwrap();
    let before = data.clips.len();
    cratedigger_trainer::data::inspect::drop_duplicates(&mut data, None, &Arc::new(AtomicBool::new(false)))
        .unwrap();
    let gone: Vec<&str> = data.skipped.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!((gone, before - data.clips.len()), (vec!["a/3", "a/copy", "b/taken"], 3));
}
