//! Files from real encoders, decoded by this crate and by ffmpeg.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod common;

use std::f64::consts::TAU;
use std::fs;
use std::path::Path;
use std::process::Command;

use common::*;
use cratedigger_decode::Decoder;

/// Rate at which both decoders are compared, in Hz.
const RATE: u32 = 22_050;

/// A synthetic song: changing chords and drums, which depend on the seed.
fn song(seconds: f64, rate: u32, seed: u64, channels: usize) -> Vec<Vec<f32>> {
    let frames = (seconds * f64::from(rate)) as usize;
    let mut noise = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = move || {
        noise ^= noise << 13;
        noise ^= noise >> 7;
        noise ^= noise << 17;
        (noise >> 11) as f64 / (1_u64 << 53) as f64
    };
    let beat = (0.4 + 0.02 * seed as f64 % 0.1) * f64::from(rate);
    let mut out = vec![Vec::with_capacity(frames); channels];
    let (mut root, mut last) = (220.0, usize::MAX);
    for n in 0..frames {
        let (number, place) = ((n as f64 / beat) as usize, n as f64 % beat / f64::from(rate));
        if number != last {
            last = number;
            root = 110.0 * 2_f64.powf((next() * 24.0).floor() / 12.0);
        }
        let t = n as f64 / f64::from(rate);
        let hit = (next() * 2.0 - 1.0) * (-place * 30.0).exp();
        for (index, channel) in out.iter_mut().enumerate() {
            let side = 0.7 + 0.3 * index as f64;
            let tone: f64 = [1.0, 1.25, 1.5, 2.0].iter().map(|ratio| (TAU * root * ratio * t).sin()).sum();
            channel.push((0.09 * tone * side + 0.25 * hit) as f32);
        }
    }
    out
}

fn sh(folder: &Path, line: &str) {
    let done = Command::new("sh").arg("-ec").arg(line).current_dir(folder).status().unwrap();
    assert!(done.success(), "{line}");
}

/// Writes all files; returns their names with their length in seconds.
fn make(folder: &Path) -> Vec<(String, f64)> {
    let wav =
        |name: &str, sound: &[Vec<f32>], rate| fs::write(folder.join(name), wav16(sound, rate)).unwrap();
    wav("a.wav", &song(6.0, 44_100, 1, 2), 44_100);
    wav("b.wav", &song(9.0, 44_100, 2, 2), 44_100);
    wav("m.wav", &song(5.0, 44_100, 5, 1), 44_100);
    wav("k.wav", &song(4.0, 48_000, 12, 2), 48_000);
    let mut dense = song(20.0, 44_100, 3, 2);
    for channel in &mut dense {
        let loud = song(4.0, 44_100, 77, 1).remove(0);
        channel.iter_mut().for_each(|s| *s *= 0.5);
        channel.iter_mut().zip(&loud).for_each(|(s, l)| *s += 2.0 * l.abs() - 0.1);
    }
    wav("dense.wav", &dense, 44_100);
    sh(folder, "for n in a b; do lame --quiet -V2 $n.wav $n.mp3; done; cat a.mp3 b.mp3 > joined.mp3
        lame --quiet -V2 -t dense.wav vbr-without-xing.mp3
        lame --quiet -b 64 -m m -t m.wav m.mp3; lame --quiet -b 192 -m j -t b.wav j.mp3; cat m.mp3 j.mp3 > mono-then-stereo.mp3
        cat j.mp3 m.mp3 > stereo-then-mono.mp3
        oggenc -Q -q 4 -s 1 -o k.ogg k.wav; oggenc -Q -q 4 -s 2 -o b.ogg b.wav; cat k.ogg b.ogg > chained-rates.ogg
        flac -s -f -o fine.flac a.wav
        f='ffmpeg -v error -y -i a.wav'
        $f a.m4a; $f a.aiff; $f a.opus; $f a.webm; $f -c:a alac alac.m4a; $f -c:a adpcm_ms ms.wav; $f -c:a adpcm_ima_wav ima.wav
        $f a.caf; $f -c:a mp2 a.mp2; $f a.aac; $f -c:a libvorbis a.mka; $f -c:a flac flac.mka; $f -c:a pcm_s24le s24.mkv; $f -c:a pcm_s16le pcm.mov
        $f -c:a pcm_f32le f32.wav; $f -c:a pcm_f64le f64.wav; $f -c:a pcm_alaw alaw.wav; $f -c:a pcm_mulaw mulaw.au; $f -c:a pcm_u8 u8.wav; $f -rf64 always rf64.wav
        $f -c:a aac -movflags frag_keyframe+empty_moov fragmented.mp4; $f -c:a flac -f ogg flac.oga; $f -c:a pcm_f32be -f aiff a.aifc
        $f -c:a libopus -frame_duration 60 long-frames.opus; $f -c:a libopus -b:a 16k -application voip speech.opus
        $f -ac 6 -c:a flac six.flac; $f -ac 6 -c:a libopus six.opus; $f -ac 6 -c:a libvorbis six.ogg; $f -ac 6 -c:a pcm_s16le six.wav; $f -ac 6 -c:a alac six.m4a
        $f -c:a libmp3lame mp3.mp4; $f -c:a libmp3lame mp3.mkv; $f -ar 8000 -ac 1 -c:a libmp3lame low.mp3; $f -ar 96000 -c:a flac -sample_fmt s32 high.flac");
    for (name, claim) in [("xing-claims-0.mp3", 0_u32), ("xing-claims-a-third.mp3", 70)] {
        let mut mp3 = fs::read(folder.join("a.mp3")).unwrap();
        let at = mp3.windows(4).position(|word| word == b"Xing").unwrap();
        mp3[at + 8..at + 12].copy_from_slice(&claim.to_be_bytes());
        fs::write(folder.join(name), mp3).unwrap();
    }
    let mut flac = fs::read(folder.join("fine.flac")).unwrap();
    flac[8..10].fill(0);
    fs::write(folder.join("min-block-0.flac"), flac).unwrap();
    let lengths = [
        ("joined.mp3", 15.0),
        ("vbr-without-xing.mp3", 20.0),
        ("xing-claims-0.mp3", 6.0),
        ("xing-claims-a-third.mp3", 6.0),
        ("mono-then-stereo.mp3", 14.0),
        ("stereo-then-mono.mp3", 14.0),
        ("chained-rates.ogg", 13.0),
        ("min-block-0.flac", 6.0),
    ];
    let six = "a.mp3 fine.flac a.m4a a.aiff a.opus a.webm alac.m4a ms.wav ima.wav a.caf a.mp2 a.aac a.mka flac.mka \
        s24.mkv pcm.mov f32.wav f64.wav alaw.wav mulaw.au u8.wav rf64.wav fragmented.mp4 flac.oga a.aifc \
        long-frames.opus speech.opus six.flac six.opus six.ogg six.wav six.m4a mp3.mp4 mp3.mkv low.mp3 high.flac";
    lengths
        .iter()
        .map(|(name, seconds)| ((*name).to_owned(), *seconds))
        .chain(six.split_whitespace().map(|name| (name.to_owned(), 6.0)))
        .collect()
}

fn here(path: &Path) -> (Vec<f32>, String) {
    let extension = path.extension().and_then(|e| e.to_str());
    let decoder = Decoder::open(fs::File::open(path).unwrap(), extension)
        .unwrap_or_else(|error| panic!("{} {error}", path.display()));
    let mut reader = decoder.into_mono(&[RATE]).unwrap();
    let mut out = vec![Vec::new()];
    while reader.read(&mut out).unwrap() {}
    (out.remove(0), reader.notes().iter().map(|note| format!("{note} ")).collect())
}

/// Decodes with ffmpeg. Its mix of more than two channels has weights, so equal weights are given here.
fn ffmpeg(path: &Path) -> Vec<f32> {
    let six = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("six"));
    let mix =
        if six { "pan=mono|c0=.16667*c0+.16667*c1+.16667*c2+.16667*c3+.16667*c4+.16667*c5" } else { "anull" };
    let rate = RATE.to_string();
    // The reference implementation of Opus.
    let opus = path.extension().is_some_and(|e| e == "opus" || e == "webm");
    let decoder: &[&str] = if opus { &["-c:a", "libopus"] } else { &[] };
    let out = Command::new("ffmpeg")
        .args(["-v", "quiet"])
        .args(decoder)
        .arg("-i")
        .arg(path)
        .args(["-map", "0:a:0", "-af", mix, "-ac", "1", "-ar", &rate, "-f", "f32le", "-"])
        .output()
        .unwrap();
    out.stdout.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
}

/// Lowest correlation over the seconds of `a`, each with its own shift of up to 0.1 s, without the `skipped`
/// lowest ones.
fn compare(a: &[f32], b: &[f32], skipped: usize) -> f64 {
    let (second, reach) = (RATE as usize, RATE as usize / 10);
    let mut shift = 0_i64;
    let mut all = Vec::new();
    for start in (0..a.len().saturating_sub(second)).step_by(second) {
        let window = &a[start..start + second];
        let near = |shift: i64, reach: usize| {
            let at = start as i64 - shift - reach as i64;
            let skip = (-at).max(0) as usize;
            let from = at.max(0) as usize;
            let other = b.get(from..(from + second + 2 * reach).min(b.len())).unwrap_or_default();
            // `other` begins `reach` samples before the expected position of the window.
            let places = other.len().saturating_sub(second.min(other.len())) + 1;
            (0..places)
                .map(|place| (correlation(window, &other[place..], 0).0, place + skip))
                .max_by(|a, b| a.0.total_cmp(&b.0))
                .map_or((0.0, 0), |(close, place)| (close, shift + reach as i64 - place as i64))
        };
        let mut best = near(shift, 1);
        if best.0 < 0.99 {
            let wide = near(0, reach);
            if wide.0 > best.0 {
                best = wide;
            }
        }
        shift = best.1;
        all.push(best.0);
    }
    all.sort_by(f64::total_cmp);
    all.get(skipped).copied().unwrap_or(0.0)
}

/// The WAV files that a file was encoded from.
fn sources(name: &str) -> &'static [&'static str] {
    match name {
        "joined.mp3" => &["a.wav", "b.wav"],
        "mono-then-stereo.mp3" => &["m.wav", "b.wav"],
        "stereo-then-mono.mp3" => &["b.wav", "m.wav"],
        "chained-rates.ogg" => &["k.wav", "b.wav"],
        "vbr-without-xing.mp3" => &["dense.wav"],
        _ => &["a.wav"],
    }
}

#[test]
#[ignore = "needs ffmpeg, lame, flac, oggenc"]
fn as_ffmpeg_decodes() {
    let folder = tempfile::tempdir().unwrap();
    let mut wrong = Vec::new();
    println!("| file | seconds | here | ffmpeg | correlation with ffmpeg | with the original | notes |");
    println!("|---|---|---|---|---|---|---|");
    for (name, seconds) in make(folder.path()) {
        let path = folder.path().join(&name);
        let ((ours, notes), theirs) = (here(&path), ffmpeg(&path));
        let original: Vec<f32> =
            sources(&name).iter().flat_map(|name| ffmpeg(&folder.path().join(name))).collect();
        let length = |x: &[f32]| x.len() as f64 / f64::from(RATE);
        // The second that contains the joint of two parts.
        let seams = sources(&name).len() - 1;
        let (close, true_to) = (compare(&ours, &theirs, seams), compare(&ours, &original, seams));
        println!(
            "| {name} | {seconds} | {:.3} | {:.3} | {close:.5} | {true_to:.5} | {notes}|",
            length(&ours),
            length(&theirs)
        );
        // ffmpeg removes padding in the middle if the declared length is too short.
        let close = if name.contains("third") { true_to } else { close };
        // ffmpeg keeps delay and padding at the joint; the correct length is known here.
        let reference = if name.contains("joined") { seconds } else { length(&theirs) };
        if (length(&ours) - reference).abs() > 0.05 || close < 0.99 || (length(&ours) - seconds).abs() > 0.11
        {
            wrong.push(format!("{name}: {:.3} s for {reference:.3}, correlation {close:.4}", length(&ours)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
