//! Names of files: which are sound, which are sound that is not read, and which are no one's songs.

/// Extensions of all formats that are read, in lower case and without the dot.
///
/// A name only decides which files of a folder are opened. [`Decoder::open`](crate::Decoder::open)
/// goes by the content.
pub const EXTENSIONS: [&str; 36] = [
    "wav", "wave", "bwf", "rf64", "mp3", "mp2", "mp1", "mpga", "mpa", "flac", "fla", "ogg", "oga", "ogx",
    "opus", "m4a", "m4b", "m4r", "mp4", "m4v", "mov", "3gp", "3g2", "aac", "adts", "aif", "aiff", "aifc",
    "afc", "caf", "au", "snd", "webm", "weba", "mka", "mkv",
];

/// Extensions of sound formats that are not read, with the name of the format.
const UNREAD: [(&str, &str); 43] = [
    ("wma", "Windows Media"),
    ("asf", "Windows Media"),
    ("ape", "Monkey's Audio"),
    ("wv", "WavPack"),
    ("tta", "True Audio"),
    ("mpc", "Musepack"),
    ("mp+", "Musepack"),
    ("mpp", "Musepack"),
    ("tak", "TAK"),
    ("ofr", "OptimFROG"),
    ("ofs", "OptimFROG"),
    ("shn", "Shorten"),
    ("dsf", "DSD"),
    ("dff", "DSD"),
    ("amr", "AMR"),
    ("awb", "AMR"),
    ("silk", "SILK"),
    ("spx", "Speex"),
    ("ra", "RealAudio"),
    ("ram", "RealAudio"),
    ("rm", "RealAudio"),
    ("ac3", "AC-3"),
    ("eac3", "AC-3"),
    ("dts", "DTS"),
    ("thd", "TrueHD"),
    ("mlp", "TrueHD"),
    ("m4p", "protected AAC"),
    ("aax", "protected AAC"),
    ("w64", "Wave64"),
    ("voc", "VOC"),
    ("8svx", "8SVX"),
    ("iff", "8SVX"),
    ("sph", "NIST SPHERE"),
    ("avr", "AVR"),
    ("gsm", "GSM"),
    ("mid", "MIDI"),
    ("midi", "MIDI"),
    ("kar", "MIDI"),
    ("mod", "tracker module"),
    ("xm", "tracker module"),
    ("it", "tracker module"),
    ("s3m", "tracker module"),
    ("sid", "SID"),
];

/// Folders that systems keep for themselves, in lower case: trash, thumbnails, resource forks, snapshots.
pub const SYSTEM_FOLDERS: [&str; 11] = [
    "$recycle.bin",
    "recycler",
    "recycled",
    "system volume information",
    "lost+found",
    "@eadir",
    "@recycle",
    "#recycle",
    "#snapshot",
    "@tmp",
    "__macosx",
];

/// The extension of a file's name, in lower case and without the dot. `name` has no folder.
fn extension(name: &str) -> Option<String> {
    let (stem, extension) = name.rsplit_once('.')?;
    (!stem.is_empty()).then(|| extension.to_ascii_lowercase())
}

/// Whether a file's name, without its folder, has one of [`EXTENSIONS`], in any case.
pub fn is_sound_name(name: &str) -> bool {
    extension(name).is_some_and(|extension| EXTENSIONS.contains(&extension.as_str()))
}

/// The name of the sound format that a file's extension stands for, if it is one that is not read.
pub fn unread_format(name: &str) -> Option<&'static str> {
    let extension = extension(name)?;
    UNREAD.iter().find(|(known, _)| *known == extension).map(|(_, format)| *format)
}

/// Whether a file or folder of this name, without its path, belongs to a system and not to a music
/// collection: hidden (`.git`, `._song.mp3`, `.Trash-1000`), trash, thumbnails of a network drive
/// (`@eaDir`), resource forks of a zip made by macOS (`__MACOSX`).
pub fn is_clutter(name: &str) -> bool {
    name.starts_with('.') || SYSTEM_FOLDERS.contains(&name.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart() {
        for name in ["a.wav", "A.WAV", "b.c.Opus", "x.aifc", "long name.m4b", "-.mka"] {
            assert!(is_sound_name(name) && unread_format(name).is_none() && !is_clutter(name), "{name}");
        }
        for name in ["wav", ".wav", "a.wav.part", "a.jpg", "a.", ""] {
            assert!(!is_sound_name(name) && unread_format(name).is_none(), "{name}");
        }
        assert_eq!(unread_format("Song.WMA"), Some("Windows Media"));
        for (extension, _) in UNREAD {
            assert!(!EXTENSIONS.contains(&extension), "{extension}");
        }
        for name in [".Trash-1000", "$RECYCLE.BIN", "@eaDir", "__MACOSX", "._song.mp3", ".ipynb_checkpoints"]
        {
            assert!(is_clutter(name), "{name}");
        }
        for name in ["recycle", "R.E.M.", "macosx", "$", "trash"] {
            assert!(!is_clutter(name), "{name}");
        }
    }
}
