//! Configurations: keys, overrides, presets, recipes.

use super::*;

#[test]
fn unknown_keys_and_invalid_values_are_refused_by_name() {
    let parse = |text: &str, changes: &[&str]| {
        let overrides = Overrides::of(changes).map_err(|error| format!("{error:#}"))?;
        Config::parse(text, &overrides).map_err(|error| format!("{error:#}"))
    };
    for (from, to, word) in [
        ("epochs = 12", "epochs = 12\nepochz = 7", "\"epochs\""),
        ("epochs = 12", "epochs = 0", "epochs"),
        ("split = \"track\"", "split = \"tracks\"", "\"track\""),
        ("kind = \"log-mel\"", "kind = \"log-mel\"\nn_mells = 64", "\"n_mels\""),
        ("channels = 16, pool = [2, 2]", "channels = 16, pool = [200, 2]", "block 1"),
        ("name = \"tiny\"", "name = \"../tiny\"", "name"),
        ("test_fraction = 0.1", "test_fraction = 0.95", "fraction"),
    ] {
        assert!(CONFIG.contains(from), "{from}");
        // Whether the network fits the window is checked with the input spec.
        let error = match parse(&CONFIG.replace(from, to), &[]) {
            Err(error) => error,
            Ok(config) => config.network.validate(&config.input_spec().shapes()).unwrap_err(),
        };
        assert!(error.contains(word), "{error}");
    }
    // Every key can be set at any depth, but only known keys.
    let changed = parse(
        CONFIG,
        &[
            "training.epochs=7",
            "inputs.0.columns=30",
            "name=other",
            "network.blocks.1.channels=24",
            "data.folds=5",
        ],
    )
    .unwrap();
    assert_eq!((changed.training.epochs, changed.name.as_str(), changed.data.folds), (7, "other", Some(5)));
    assert_eq!(changed.input_spec().shapes(), [[1, 128, 30]]);
    for bad in ["training.epocs=7", "inputs.3.columns=3", "name.x=1", "nothing"] {
        assert!(parse(CONFIG, &[bad]).is_err(), "{bad}");
    }
    // A path in a configuration file is relative to that file.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tiny.toml");
    fs::write(&file, CONFIG.replace("[data]", "[data]\nindex = \"parts.json\"")).unwrap();
    let config = Config::read(&file, &Overrides::default()).unwrap();
    assert_eq!(config.data.index, Some(folder.path().join("parts.json")));
    let config = Config::read(&file, &Overrides::of(&["data.index=here.json"]).unwrap()).unwrap();
    assert_eq!(config.data.index, Some(std::env::current_dir().unwrap().join("here.json")));
    // A typed override is the same as the key that it overrides, and wins over it.
    let typed = Overrides { seed: Some(9), folds: Some(4), audio: true, ..Overrides::default() };
    let keys = Overrides::of(&["seed=9", "data.folds=4", "data.source=audio"]).unwrap();
    let [typed, keys] = [typed, keys].map(|overrides| Config::parse(CONFIG, &overrides).unwrap());
    assert_eq!(typed, keys);
    let both = Overrides { seed: Some(8), ..Overrides::of(&["seed=7"]).unwrap() };
    assert_eq!(Config::parse(CONFIG, &both).unwrap().seed, 8);
    assert_eq!(both.to_string(), " --set seed=7 --seed 8");
    // Keys of old versions still load.
    let old =
        CONFIG.replace("test_fraction", "test_share").replace("mixup = 0.1", "mixup = 0.1\nother = 0.2");
    let old = Config::parse(&old, &Overrides::default()).unwrap();
    assert_eq!((old.data.test_fraction, old.training.non_music), (0.1, 0.2));
    // A preset is the design of a recipe; dropout rates of 0 stay 0.
    let with = |network: &str| -> Config {
        let text = format!("name = \"x\"\n[[inputs]]\nkind = \"log-mel\"\n[network]\n{network}");
        Config::parse(&text, &Overrides::default()).unwrap_or_else(|e| panic!("{e:#}"))
    };
    for name in presets() {
        let recipe = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("recipes/{name}.toml"));
        let recipe = Config::read(&recipe, &Overrides::default()).unwrap();
        assert_eq!(with(&format!("preset = \"{name}\"")).network, recipe.network, "{name}");
    }
    let changed = serde_json::to_value(with("preset = \"bilstm\"\ndropout = 0.1").network).unwrap();
    assert_eq!((&changed["branches"][0]["dropout"], &changed["head"]["dropout"]), (&0.1.into(), &0.1.into()));
    assert_eq!(changed["head"]["input_dropout"], 0.0);
    // The shipped recipes are valid, and a written configuration reads back the same.
    for entry in
        fs::read_dir(Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("recipes")).unwrap()
    {
        let path = entry.unwrap().path();
        let config = Config::read(&path, &Overrides::default()).unwrap_or_else(|e| panic!("{e:#}"));
        config.network.validate(&config.input_spec().shapes()).unwrap();
        assert_eq!(
            Config::parse(&toml::to_string(&config).unwrap(), &Overrides::default()).unwrap(),
            config,
            "{}",
            path.display()
        );
    }
}
