//! Every text of the page, in every language. The translations of a text stand side by side; a text
//! that lacks a language does not compile.
//!
//! Texts are grouped by the part of the page that shows them.

mod about;
mod alike;
mod deck;
mod frame;
mod genres;
mod hero;
mod library;
mod live;
mod notes;
mod settings;
mod tags;
mod teach;
mod trouble;
mod votes;
mod why;

pub use genres::GTZAN;
pub use notes::format_name;

/// Declares a group of texts: a struct with one `&'static str` for each text, and one constant for
/// each language. `{0}`, `{1}` … are placeholders for [`crate::text::fill`].
macro_rules! texts {
    (
        $(#[$about:meta])*
        $name:ident {
            $($(#[$note:meta])* $key:ident { en: $en:literal, de: $de:literal $(,)? })*
        }
    ) => {
        $(#[$about])*
        pub struct $name {
            $($(#[$note])* pub $key: &'static str,)*
        }

        impl $name {
            pub(super) const ENGLISH: Self = Self { $($key: $en,)* };
            pub(super) const GERMAN: Self = Self { $($key: $de,)* };
            /// Key, English and German of each text.
            #[cfg(test)]
            pub(super) const ALL: &[(&str, &str, &str)] = &[$((stringify!($key), $en, $de),)*];
        }
    };
}
use texts;

/// A language of the page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// German.
    German,
}

impl Language {
    /// All languages, in the order in which the settings list them.
    pub const ALL: [Self; 2] = [Self::English, Self::German];

    /// ISO 639-1 code.
    pub fn id(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
        }
    }

    /// The inverse of [`Language::id`].
    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.id() == id)
    }

    /// The language of a browser's language tag, such as `de-AT`.
    pub fn of(tag: &str) -> Option<Self> {
        Self::from_id(&tag.split('-').next()?.to_ascii_lowercase())
    }

    /// All texts in this language.
    pub fn words(self) -> &'static Words {
        match self {
            Self::English => &ENGLISH,
            Self::German => &GERMAN,
        }
    }
}

/// All texts in one language.
pub struct Words {
    /// Masthead, footer and announcements.
    pub frame: frame::Frame,
    /// The large area at the top.
    pub hero: hero::Hero,
    /// Live listening.
    pub live: live::Live,
    /// Timeline of a song.
    pub deck: deck::Deck,
    /// Predictions of the single networks.
    pub votes: votes::Votes,
    /// Crate and table of songs.
    pub library: library::Library,
    /// Explanation and character of a song.
    pub why: why::Why,
    /// The sheet about the model.
    pub about: about::About,
    /// Classes of one's own.
    pub teach: teach::Teach,
    /// Similar songs.
    pub alike: alike::Alike,
    /// Tags in the files.
    pub tags: tags::Tags,
    /// The settings sheet.
    pub settings: settings::Settings,
    /// What was left out or mended while a file was decoded.
    pub notes: notes::Notes,
    /// Errors and notices.
    pub trouble: trouble::Messages,
    genres: &'static [(&'static str, &'static str)],
}

static ENGLISH: Words = Words {
    frame: frame::Frame::ENGLISH,
    hero: hero::Hero::ENGLISH,
    live: live::Live::ENGLISH,
    deck: deck::Deck::ENGLISH,
    votes: votes::Votes::ENGLISH,
    library: library::Library::ENGLISH,
    why: why::Why::ENGLISH,
    about: about::About::ENGLISH,
    teach: teach::Teach::ENGLISH,
    alike: alike::Alike::ENGLISH,
    tags: tags::Tags::ENGLISH,
    settings: settings::Settings::ENGLISH,
    notes: notes::Notes::ENGLISH,
    trouble: trouble::Messages::ENGLISH,
    genres: genres::ENGLISH,
};

static GERMAN: Words = Words {
    frame: frame::Frame::GERMAN,
    hero: hero::Hero::GERMAN,
    live: live::Live::GERMAN,
    deck: deck::Deck::GERMAN,
    votes: votes::Votes::GERMAN,
    library: library::Library::GERMAN,
    why: why::Why::GERMAN,
    about: about::About::GERMAN,
    teach: teach::Teach::GERMAN,
    alike: alike::Alike::GERMAN,
    tags: tags::Tags::GERMAN,
    settings: settings::Settings::GERMAN,
    notes: notes::Notes::GERMAN,
    trouble: trouble::Messages::GERMAN,
    genres: genres::GERMAN,
};

impl Words {
    /// Name of the genre with this id, as written inside a sentence. For an unknown id, the id with spaces.
    pub fn genre(&self, id: &str) -> String {
        let known = self.genres.iter().find(|(known, _)| *known == id);
        known.map_or_else(|| id.replace(['_', '-'], " "), |(_, name)| (*name).to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_language_of_a_browser_tag() {
        assert_eq!(Language::of("de-AT"), Some(Language::German));
        assert_eq!(Language::of("EN"), Some(Language::English));
        assert_eq!(Language::of("fr"), None);
        for language in Language::ALL {
            assert_eq!(Language::from_id(language.id()), Some(language));
        }
    }

    #[test]
    fn translations_have_the_same_placeholders() {
        let groups = [
            frame::Frame::ALL,
            hero::Hero::ALL,
            live::Live::ALL,
            deck::Deck::ALL,
            votes::Votes::ALL,
            library::Library::ALL,
            why::Why::ALL,
            about::About::ALL,
            teach::Teach::ALL,
            alike::Alike::ALL,
            tags::Tags::ALL,
            settings::Settings::ALL,
            notes::Notes::ALL,
            trouble::Messages::ALL,
        ];
        let placeholders =
            |text: &str| (0..9).filter(|n| text.contains(&format!("{{{n}}}"))).collect::<Vec<_>>();
        for (key, english, german) in groups.concat() {
            assert_eq!(placeholders(english), placeholders(german), "{key}");
            assert!(!english.is_empty() && !german.is_empty(), "{key}");
        }
    }

    #[test]
    fn names_known_and_unknown_genres() {
        for language in Language::ALL {
            let words = language.words();
            assert_eq!(words.genre("some_other-one"), "some other one");
            assert!(words.genre("hiphop").to_lowercase().contains("hip-hop"));
        }
    }
}
