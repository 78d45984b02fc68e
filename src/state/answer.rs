//! The answer about a song or a segment, as the page shows it.

use cratedigger_protocol::{NonMusic, SectionLabel};

/// A kind of non-music sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sound {
    /// Speech.
    Speech,
    /// Any other sounds.
    Other,
    /// A kind that this version of the page does not know.
    Unknown,
}

impl Sound {
    /// The sound of a manifest's kind.
    pub fn of(kind: &str) -> Self {
        match kind {
            "speech" => Self::Speech,
            "other-sounds" => Self::Other,
            _ => Self::Unknown,
        }
    }

    /// Name in styles and tests: that of the manifest.
    pub fn id(self) -> &'static str {
        match self {
            Self::Speech => "speech",
            Self::Other => "other-sounds",
            Self::Unknown => "unknown",
        }
    }
}

/// The answer about a song or a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A genre, by its index.
    Genre(usize),
    /// Music, but the confidence is too low to name a genre.
    NoneOfThese,
    /// No music.
    NonMusic(Sound),
}

impl Answer {
    /// The answer from the most probable class, from the answer *None of these*, and from the probability
    /// that the sound is not music. A rejection as non-music comes first, because it says more than
    /// *None of these*. `None` if nothing is known.
    pub fn of(best: Option<usize>, none: bool, non_music: Option<&NonMusic>) -> Option<Self> {
        match non_music {
            Some(NonMusic { kind, rejected: true, .. }) => Some(Self::NonMusic(Sound::of(kind))),
            _ => best.map(|class| if none { Self::NoneOfThese } else { Self::Genre(class) }),
        }
    }

    /// The answer that a section stands for; `None` for silence.
    pub fn of_section(label: &SectionLabel) -> Option<Self> {
        match label {
            SectionLabel::Class { class } => Some(Self::Genre(*class as usize)),
            SectionLabel::NonMusic { name } => Some(Self::NonMusic(Sound::of(name))),
            SectionLabel::Silence => None,
        }
    }

    /// The genre, if the answer is one.
    pub fn class(self) -> Option<usize> {
        match self {
            Self::Genre(class) => Some(class),
            Self::NoneOfThese | Self::NonMusic(_) => None,
        }
    }

    /// The kind of sound, if the answer is *No music*.
    pub fn sound(self) -> Option<Sound> {
        match self {
            Self::NonMusic(sound) => Some(sound),
            Self::Genre(_) | Self::NoneOfThese => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn non_music(kind: &str, rejected: bool) -> NonMusic {
        NonMusic { kind: kind.into(), probability: 0.9, rejected }
    }

    #[test]
    fn a_rejection_comes_before_none_of_these_and_that_before_a_genre() {
        let speech = non_music("speech", true);
        let rejected = Some(Answer::NonMusic(Sound::Speech));
        assert_eq!(Answer::of(Some(3), false, Some(&speech)), rejected);
        assert_eq!(Answer::of(Some(3), true, Some(&speech)), rejected);
        let accepted = non_music("speech", false);
        assert_eq!(Answer::of(Some(3), true, Some(&accepted)), Some(Answer::NoneOfThese));
        assert_eq!(Answer::of(Some(3), false, Some(&accepted)), Some(Answer::Genre(3)));
        assert_eq!(Answer::of(Some(3), true, None), Some(Answer::NoneOfThese));
        assert_eq!(Answer::of(None, true, None), None);
    }

    #[test]
    fn an_unknown_kind_is_still_no_music() {
        let answer = Answer::of(Some(0), false, Some(&non_music("whale", true)));
        assert_eq!(answer, Some(Answer::NonMusic(Sound::Unknown)));
        for kind in ["speech", "other-sounds"] {
            assert_eq!(Sound::of(kind).id(), kind);
        }
    }
}
