//! The sheet of similar songs.

super::texts! {
    /// Similar songs.
    Alike {
        title { en: "Similar songs", de: "Ähnliche Stücke" }
        lead {
            en: "Songs are compared by the values from which a network names genres and moods. Nothing is compared \
                 by name.",
            de: "Stücke werden nach den Werten verglichen, aus denen ein Netz Genres und Stimmungen bestimmt, nicht \
                 nach ihren Namen.",
        }
        working { en: "Songs that can be compared: {0} of {1}", de: "Vergleichbare Stücke: {0} von {1}" }
        song { en: "Song", de: "Stück" }
        choose { en: "Choose a song", de: "Wähl ein Stück" }
        none_yet {
            en: "At least two songs are needed. Add songs, or wait until they are analysed.",
            de: "Dafür sind mindestens zwei Stücke nötig. Füg Stücke hinzu, oder warte, bis sie analysiert sind.",
        }
        list_title { en: "Sounds like", de: "Klingt wie" }
        list_hint {
            en: "The number is the cosine of the two songs' values: 1 is the same direction.",
            de: "Die Zahl ist der Kosinus der Werte beider Stücke: 1 ist dieselbe Richtung.",
        }
        playlist { en: "Save as a playlist (M3U8)", de: "Als Playlist sichern (M3U8)" }
        playlist_hint {
            en: "The playlist has up to twenty similar songs, without two neighbours by the same artist. Artists are \
                 those of the tags, else of file names such as Artist - Title.",
            de: "Die Playlist enthält bis zu zwanzig ähnliche Stücke, nie zwei desselben Interpreten nacheinander. \
                 Interpreten stehen in den Tags oder in Dateinamen wie Interpret - Titel.",
        }
        map_title { en: "Map of the crate", de: "Karte der Kiste" }
        map_hint {
            en: "Each point is a song, with the pattern of its genre; a ring has none. Near points sound similar. The \
                 axes have no meaning of their own. Arrow keys move from song to song, Enter chooses one.",
            de: "Jeder Punkt ist ein Stück, mit dem Muster seines Genres; ein Ring hat keines. Nahe Punkte klingen \
                 ähnlich. Die Achsen bedeuten für sich nichts. Pfeiltasten gehen von Stück zu Stück, die \
                 Eingabetaste wählt eins.",
        }
        as_table { en: "As a table", de: "Als Tabelle" }
        genre { en: "Genre", de: "Genre" }
        across { en: "Across", de: "Waagerecht" }
        up { en: "Up", de: "Senkrecht" }
    }
}
