//! Names of the GTZAN genres, by id.

/// Declares the name of each genre in each language.
macro_rules! genres {
    ($($id:literal { en: $en:literal, de: $de:literal })*) => {
        pub(super) const ENGLISH: &[(&str, &str)] = &[$(($id, $en),)*];
        pub(super) const GERMAN: &[(&str, &str)] = &[$(($id, $de),)*];
        /// The ids, in alphabetical order.
        pub const GTZAN: &[&str] = &[$($id,)*];
    };
}

genres! {
    "blues" { en: "blues", de: "Blues" }
    "classical" { en: "classical", de: "Klassik" }
    "country" { en: "country", de: "Country" }
    "disco" { en: "disco", de: "Disco" }
    "hiphop" { en: "hip-hop", de: "Hip-Hop" }
    "jazz" { en: "jazz", de: "Jazz" }
    "metal" { en: "metal", de: "Metal" }
    "pop" { en: "pop", de: "Pop" }
    "reggae" { en: "reggae", de: "Reggae" }
    "rock" { en: "rock", de: "Rock" }
}
