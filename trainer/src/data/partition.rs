//! The fault-filtered, artist-disjoint partition of GTZAN.
//!
//! GTZAN has repeated recordings, distorted clips and many clips by the same artist. A random split
//! puts the same artist, sometimes the same recording, into training and test part, so its accuracy is
//! too high for new songs. Kereliuk, Sturm and Larsen ("Deep learning and music adversaries", 2015)
//! published a partition without the faulty clips and with each artist in one part only: 443 training,
//! 197 validation and 290 test clips. 70 of the 1000 clips are in no part.
//!
//! Most later papers use this partition, so accuracies on it are comparable.

/// A part of a split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// Training: 443 clips.
    Train,
    /// Validation, for selection and tuning: 197 clips.
    Valid,
    /// Test, for reported figures only: 290 clips.
    Test,
}

/// Clips per genre in GTZAN.
const CLIPS_A_GENRE: u32 = 100;

/// Genre, part, and clip numbers; ranges include both ends.
const RANGES: [(&str, Part, &str); 30] = [
    ("blues", Part::Train, "29-49,73-97"),
    ("blues", Part::Valid, "0-11,50-60"),
    ("blues", Part::Test, "12-28,61-72,98-99"),
    ("classical", Part::Train, "30-33,43-48,50-67,80-99"),
    ("classical", Part::Valid, "0-10,68-76"),
    ("classical", Part::Test, "11-29,34-41,49,77-79"),
    ("country", Part::Train, "19-26,28-29,65-99"),
    ("country", Part::Valid, "0-7,9-18,27,41-42,45,49"),
    ("country", Part::Test, "30-40,43-44,46-48,50-51,53-64"),
    ("disco", Part::Train, "5,15-20,22-37,39-45,47,49,53-54,56-57,59,61,70,73-74,89"),
    ("disco", Part::Valid, "0,2-4,6-14,46,48,52,67-68,72,75,90,95"),
    ("disco", Part::Test, "1,21,58,62-66,69,76-88,91-94,96-97,99"),
    ("hiphop", Part::Train, "2-25,28-29,31-38,41-42,55-61,77-80"),
    ("hiphop", Part::Valid, "81-98"),
    ("hiphop", Part::Test, "0,26-27,30,40,43-45,51-54,62-75,99"),
    ("jazz", Part::Train, "0-1,11-24,41,47-72"),
    ("jazz", Part::Valid, "2-10,25-32"),
    ("jazz", Part::Test, "73-99"),
    ("metal", Part::Train, "2-3,5,21,24,35,46-57,59-66,69,71-72,79-80,84,86,89-99"),
    ("metal", Part::Valid, "0-1,6-11,16-20,36-37,68,76-77,81-82"),
    ("metal", Part::Test, "12-15,22-23,25-33,38-39,67,70,73-75,78,83,85,87-88"),
    ("pop", Part::Train, "2-9,11-12,16-20,23-29,31-36,38-42,44,46,49-50,80,97-99"),
    ("pop", Part::Valid, "10,53,55,58-62,81,83-86"),
    ("pop", Part::Test, "0-1,13-14,43,63-66,69-79,82,88-96"),
    ("reggae", Part::Train, "0-2,4,6,9,11-12,14-32,42-45,49-51,54-60,63,69"),
    ("reggae", Part::Valid, "61-62,70,72,74,76-78,85,92-99"),
    ("reggae", Part::Test, "34-40,46-48,52-53,64-68,71,79,82-84,87-90"),
    ("rock", Part::Train, "0-9,16-26,57-70,91-99"),
    ("rock", Part::Valid, "38,49-56,71-85"),
    ("rock", Part::Test, "10-15,27-37,39-48,86-90"),
];

/// Whether `number` is in ranges written like `"1,4-9"`.
fn within(ranges: &str, number: u32) -> bool {
    ranges.split(',').any(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        match (first.parse::<u32>(), last.parse::<u32>()) {
            (Ok(first), Ok(last)) => (first..=last).contains(&number),
            _ => false, // never happens, as the tests show
        }
    })
}

/// The part of a clip named like `blues.00012`. `None` for clips that are in no part and for names that
/// are not GTZAN clips.
///
/// ```
/// use cratedigger_trainer::data::partition::{Part, fault_filtered};
///
/// assert_eq!(fault_filtered("blues.00012"), Some(Part::Test));
/// assert_eq!(fault_filtered("country.00008"), None); // a faulty or repeated clip
/// ```
pub fn fault_filtered(clip: &str) -> Option<Part> {
    let (genre, digits) = clip.split_once('.')?;
    if digits.len() != 5 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let number = digits.parse().ok()?;
    RANGES.iter().find(|(name, _, ranges)| *name == genre && within(ranges, number)).map(|(_, part, _)| *part)
}

/// All clips of a part, sorted by genre and number.
pub fn clips(part: Part) -> Vec<String> {
    RANGES
        .iter()
        .filter(|(_, of, _)| *of == part)
        .flat_map(|(genre, _, ranges)| {
            (0..CLIPS_A_GENRE)
                .filter(|number| within(ranges, *number))
                .map(move |number| format!("{genre}.{number:05}"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use std::collections::BTreeSet;

    const PARTS: [Part; 3] = [Part::Train, Part::Valid, Part::Test];

    #[test]
    fn the_published_sizes() {
        assert_eq!(PARTS.map(|part| clips(part).len()), [443, 197, 290]);
    }

    #[test]
    fn no_clip_is_in_two_parts() {
        let all: Vec<_> = PARTS.into_iter().flat_map(clips).collect();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
    }

    #[test]
    fn lists_and_look_up_agree_over_the_whole_data_set() {
        let genres: BTreeSet<_> = RANGES.iter().map(|(genre, _, _)| *genre).collect();
        assert_eq!(genres.len(), 10);
        let lists = PARTS.map(|part| (part, clips(part)));
        let mut named = 0;
        for genre in genres {
            for number in 0..CLIPS_A_GENRE {
                let clip = format!("{genre}.{number:05}");
                let by_list: Vec<_> =
                    lists.iter().filter(|(_, list)| list.contains(&clip)).map(|(part, _)| *part).collect();
                assert_eq!(by_list, Vec::from_iter(fault_filtered(&clip)), "{clip}");
                named += by_list.len();
            }
        }
        assert_eq!(named, 930);
    }

    #[test]
    fn ranges_are_well_formed_sorted_and_below_a_hundred() {
        for (genre, part, ranges) in RANGES {
            let mut next = 0;
            for range in ranges.split(',') {
                let (first, last) = range.split_once('-').unwrap_or((range, range));
                let (first, last): (u32, u32) = (first.parse().unwrap(), last.parse().unwrap());
                assert!(first <= last && last < CLIPS_A_GENRE, "{genre} {part:?} {range}");
                assert!(first >= next, "{genre} {part:?} {range} comes too late");
                next = last + 1;
            }
        }
    }

    #[test]
    fn other_names_belong_nowhere() {
        let names = [
            "",
            ".",
            "blues",
            "blues.",
            "blues.12",
            "blues.000012",
            "blues.+0012",
            "Blues.00012",
            "blues.00100",
            "polka.00001",
            "blues.00012.wav",
            "blues.0001²",
            "blues.99999",
        ];
        for name in names {
            assert_eq!(fault_filtered(name), None, "{name}");
        }
    }
}
