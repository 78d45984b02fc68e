//! Lists of songs for other programs: Rekordbox XML, M3U8 playlists, CSV.

use std::fmt::Write as _;

use cratedigger_protocol::csv_cell;
pub use cratedigger_protocol::tags::{ListFormat, Track};

/// A list in a format.
pub fn list(format: ListFormat, tracks: &[Track]) -> String {
    match format {
        ListFormat::Rekordbox => rekordbox(tracks),
        ListFormat::M3u8 => m3u8(tracks),
        ListFormat::Csv => csv(tracks),
    }
}

/// The title, or the file's name without extension.
fn name(track: &Track) -> String {
    let stem = || {
        let name = track.file.rsplit(['/', '\\']).next().unwrap_or_default();
        let stem = name.rsplit_once('.').map(|(stem, _)| stem).filter(|stem| !stem.is_empty());
        stem.unwrap_or(name).to_owned()
    };
    track.title.clone().unwrap_or_else(stem)
}

/// An extended M3U playlist in UTF-8.
pub fn m3u8(tracks: &[Track]) -> String {
    let mut text = "#EXTM3U\n".to_owned();
    for track in tracks {
        let by = track.artist.as_ref().map(|artist| format!("{artist} - ")).unwrap_or_default();
        let title = format!("{by}{}", name(track)).replace(['\n', '\r'], " ");
        // A String can always be written to.
        let _ = writeln!(text, "#EXTINF:{:.0},{title}\n{}", track.seconds, path(&track.file));
    }
    text
}

/// A path as an entry of a playlist.
fn path(file: &str) -> String {
    let file: String = file.chars().map(|c| if matches!(c, '\n' | '\r') { ' ' } else { c }).collect();
    // A line that starts with # would be a comment.
    if file.starts_with('#') { format!("./{file}") } else { file }
}

/// One row for each song: file, artist, title, album, genres, predicted genre, probability, seconds, tempo. Cells
/// that a spreadsheet would run as a formula are guarded.
pub fn csv(tracks: &[Track]) -> String {
    let mut text = "file,artist,title,album,genres,predicted,probability,seconds,bpm\r\n".to_owned();
    for track in tracks {
        let optional = |value: &Option<String>| csv_cell(value.as_deref().unwrap_or_default());
        let (predicted, probability) = track
            .predicted
            .as_ref()
            .map_or_else(Default::default, |(class, p)| (csv_cell(class), format!("{p:.4}")));
        let cells = [
            csv_cell(&track.file),
            optional(&track.artist),
            optional(&track.title),
            optional(&track.album),
            csv_cell(&track.genres.join("; ")),
            predicted,
            probability,
            format!("{:.2}", track.seconds),
            track.tempo.map(|tempo| format!("{tempo:.1}")).unwrap_or_default(),
        ];
        text += &cells.join(",");
        text += "\r\n";
    }
    text
}

/// A collection for *Import Collection* of rekordbox, with one playlist of all songs. The key is left out, because it
/// is not measured. Paths should be absolute.
pub fn rekordbox(tracks: &[Track]) -> String {
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<DJ_PLAYLISTS Version=\"1.0.0\">\n  \
         <PRODUCT Name=\"Cratedigger\" Version=\"{}\" Company=\"\"/>\n  <COLLECTION Entries=\"{}\">\n",
        env!("CARGO_PKG_VERSION"),
        tracks.len()
    );
    for (track, id) in tracks.iter().zip(1..) {
        let mut attributes = vec![("TrackID", id.to_string()), ("Name", name(track))];
        attributes.extend(track.artist.iter().map(|artist| ("Artist", artist.clone())));
        attributes.extend(track.album.iter().map(|album| ("Album", album.clone())));
        if !track.genres.is_empty() {
            attributes.push(("Genre", track.genres.join("; ")));
        }
        attributes.extend(kind(&track.file).map(|kind| ("Kind", kind.to_owned())));
        attributes.push(("TotalTime", format!("{:.0}", track.seconds)));
        attributes.extend(track.tempo.map(|tempo| ("AverageBpm", format!("{tempo:.2}"))));
        attributes.push(("Location", format!("file://localhost{}", url_path(&track.file))));
        text += "    <TRACK";
        for (name, value) in attributes {
            let _ = write!(text, " {name}=\"{}\"", escaped(&value));
        }
        text += "/>\n";
    }
    let _ = write!(
        text,
        "  </COLLECTION>\n  <PLAYLISTS>\n    <NODE Type=\"0\" Name=\"ROOT\" Count=\"1\">\n      \
         <NODE Name=\"Cratedigger\" Type=\"1\" KeyType=\"0\" Entries=\"{}\">\n",
        tracks.len()
    );
    for id in 1..=tracks.len() {
        let _ = writeln!(text, "        <TRACK Key=\"{id}\"/>");
    }
    text += "      </NODE>\n    </NODE>\n  </PLAYLISTS>\n</DJ_PLAYLISTS>\n";
    text
}

/// The kind of a file as rekordbox names it.
fn kind(file: &str) -> Option<&'static str> {
    let (_, extension) = file.rsplit_once('.')?;
    Some(match extension.to_ascii_lowercase().as_str() {
        "mp3" => "MP3 File",
        "m4a" | "mp4" => "M4A File",
        "flac" => "FLAC File",
        "wav" => "WAV File",
        "aiff" | "aif" => "AIFF File",
        "ogg" | "opus" => "OGG File",
        _ => return None,
    })
}

/// A path in a URL: UTF-8 bytes that are not unreserved (RFC 3986) as `%XX`, and `/` between folders.
fn url_path(path: &str) -> String {
    let text = path.replace('\\', "/");
    let rooted = if text.starts_with('/') { text } else { format!("/{text}") };
    rooted.bytes().fold(String::new(), |mut url, byte| {
        if byte.is_ascii_alphanumeric() || b"/-._~:".contains(&byte) {
            url.push(char::from(byte));
        } else {
            let _ = write!(url, "%{byte:02X}");
        }
        url
    })
}

/// A text as the value of an XML attribute. Characters that XML cannot hold are left out.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\r' | '\t' => escaped.push(' '),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {}
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_with_special_characters_survive() {
        let track = Track {
            file: "/music/a & \"b\"/ä 1%.mp3".into(),
            artist: Some("Simon & <Co>\u{1}".into()),
            title: Some("=1+1".into()),
            genres: vec!["Rock".into(), "Rock/Classic".into()],
            seconds: 61.4,
            tempo: Some(128.04),
            ..Track::default()
        };
        let xml = rekordbox(std::slice::from_ref(&track));
        assert!(
            xml.contains("Location=\"file://localhost/music/a%20%26%20%22b%22/%C3%A4%201%25.mp3\""),
            "{xml}"
        );
        assert!(
            xml.contains("Artist=\"Simon &amp; &lt;Co&gt;\"") && xml.contains("AverageBpm=\"128.04\""),
            "{xml}"
        );
        assert!(xml.contains("Genre=\"Rock; Rock/Classic\"") && xml.contains("Kind=\"MP3 File\""), "{xml}");
        let list = m3u8(std::slice::from_ref(&track));
        let lines: Vec<&str> = list.lines().collect();
        assert_eq!(lines[1..], ["#EXTINF:61,Simon & <Co>\u{1} - =1+1", "/music/a & \"b\"/ä 1%.mp3"]);
        let table = csv(&[track]);
        let mut reader = csv::Reader::from_reader(table.as_bytes());
        let row = reader.records().next().unwrap().unwrap();
        assert_eq!((&row[2], &row[4], &row[8]), ("'=1+1", "Rock; Rock/Classic", "128.0"));
    }
}
