//! Typed settings: stable ids for storage and for URLs, and a key-value store to keep them in.

use cratedigger_protocol::{ModelSet, Rule};

use crate::policy::Mode;

/// A key-value store of text. Storage may be blocked, full or absent; a setting then lasts for this
/// visit only, so no method fails.
pub trait Store {
    /// The stored value, if there is one.
    fn get(&self, key: &str) -> Option<String>;
    /// Stores a value.
    fn set(&self, key: &str, value: &str);
}

/// The browser's `localStorage`.
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalStorage;

impl Store for LocalStorage {
    fn get(&self, key: &str) -> Option<String> {
        web_sys::window()?.local_storage().ok()??.get_item(key).ok()?
    }

    fn set(&self, key: &str, value: &str) {
        if let Some(storage) = web_sys::window().and_then(|window| window.local_storage().ok()?) {
            let _ = storage.set_item(key, value);
        }
    }
}

/// A setting that takes one of a fixed list of values. Ids and keys never change: they are in the
/// storage of earlier visits.
pub trait Choice: Copy + 'static {
    /// Key of the setting in a [`Store`].
    const KEY: &'static str;
    /// All values, in display order.
    const VALUES: &'static [Self];

    /// Stable id of this value.
    fn id(self) -> &'static str;

    /// The value with this id.
    fn from_id(id: &str) -> Option<Self> {
        Self::VALUES.iter().copied().find(|value| value.id() == id)
    }

    /// The stored value; `None` if nothing valid is stored.
    fn load(store: &impl Store) -> Option<Self> {
        Self::from_id(&store.get(Self::KEY)?)
    }

    /// Stores this value.
    fn save(self, store: &impl Store) {
        store.set(Self::KEY, self.id());
    }
}

impl Choice for Mode {
    const KEY: &'static str = "cratedigger.device";
    const VALUES: &'static [Self] = &Self::ALL;

    fn id(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::WebGpu => "gpu",
            Self::Cpu => "cpu",
        }
    }
}

impl Choice for ModelSet {
    const KEY: &'static str = "cratedigger.networks";
    const VALUES: &'static [Self] = &[Self::Fast, Self::Full];

    fn id(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Full => "full",
        }
    }
}

/// All rules, the manifest's own (`None`) first.
pub const RULES: [Option<Rule>; 4] = [None, Some(Rule::Sum), Some(Rule::Product), Some(Rule::Vote)];

/// `None` is the rule that the manifest names, which was fitted to validation songs.
impl Choice for Option<Rule> {
    const KEY: &'static str = "cratedigger.rule";
    const VALUES: &'static [Self] = &RULES;

    fn id(self) -> &'static str {
        match self {
            None => "measured",
            Some(Rule::Sum) => "sum",
            Some(Rule::Product) => "product",
            Some(Rule::Vote) => "vote",
        }
    }
}

/// Which networks analyse songs, and how they decide together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelChoice {
    /// Which set. The full one is used only where the manifest names one.
    pub set: ModelSet,
    /// How they decide; `None` for the manifest's rule.
    pub rule: Option<Rule>,
}

/// What the client lets the user choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Which device.
    pub mode: Mode,
    /// Which networks.
    pub models: ModelChoice,
}

impl Default for Settings {
    fn default() -> Self {
        Self { mode: Mode::default(), models: ModelChoice { set: ModelSet::Full, rule: None } }
    }
}

impl Settings {
    /// The stored settings; defaults where nothing valid is stored.
    pub fn load(store: &impl Store) -> Self {
        let default = Self::default();
        Self {
            mode: Mode::load(store).unwrap_or(default.mode),
            models: ModelChoice {
                set: ModelSet::load(store).unwrap_or(default.models.set),
                rule: Option::load(store).unwrap_or(default.models.rule),
            },
        }
    }

    /// Stores all settings.
    pub fn save(&self, store: &impl Store) {
        self.mode.save(store);
        self.models.set.save(store);
        self.models.rule.save(store);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Default)]
    struct Memory(RefCell<BTreeMap<String, String>>);

    impl Store for Memory {
        fn get(&self, key: &str) -> Option<String> {
            self.0.borrow().get(key).cloned()
        }

        fn set(&self, key: &str, value: &str) {
            self.0.borrow_mut().insert(key.into(), value.into());
        }
    }

    #[test]
    fn settings_survive_storage() {
        let store = Memory::default();
        assert_eq!(Settings::load(&store), Settings::default());
        for mode in Mode::ALL {
            for set in ModelSet::VALUES.iter().copied() {
                for rule in RULES {
                    let settings = Settings { mode, models: ModelChoice { set, rule } };
                    settings.save(&store);
                    assert_eq!(Settings::load(&store), settings);
                }
            }
        }
    }

    #[test]
    fn unknown_ids_give_the_default() {
        let store = Memory::default();
        for key in [Mode::KEY, ModelSet::KEY, <Option<Rule> as Choice>::KEY] {
            store.set(key, "abacus");
        }
        assert_eq!(Settings::load(&store), Settings::default());
    }

    /// The ids are in the storage of every earlier visitor.
    #[test]
    fn ids_are_stable() {
        let store = Memory::default();
        Settings::default().save(&store);
        let stored: Vec<(String, String)> = store.0.into_inner().into_iter().collect();
        let expected = [("device", "auto"), ("networks", "full"), ("rule", "measured")];
        let expected = expected.map(|(key, id)| (format!("cratedigger.{key}"), id.to_owned()));
        assert_eq!(stored, expected);
    }
}
