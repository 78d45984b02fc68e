//! Decodes files and prints the speed (seconds of sound per second), the peak memory and the notes.
//!
//! `cargo run --release -p cratedigger-decode --example decode_speed -- song.mp3 …`; with `--mono 22050`
//! before the files, also mixes and resamples.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::fs::File;
use std::time::Instant;

use cratedigger_decode::Decoder;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut rate = None;
    if arguments.first().is_some_and(|first| first == "--mono") {
        rate = Some(arguments.get(1).ok_or("--mono needs a rate")?.parse::<u32>()?);
        arguments.drain(..2);
    }
    for path in &arguments {
        let begin = Instant::now();
        let extension = path.rsplit('.').next();
        let mut decoder = Decoder::open(File::open(path)?, extension)?;
        let format = decoder.format();
        let notes;
        let seconds;
        if let Some(rate) = rate {
            let mut reader = decoder.into_mono(&[rate])?;
            let mut out = vec![Vec::new()];
            while reader.read(&mut out)? {
                out.iter_mut().for_each(Vec::clear);
            }
            (seconds, notes) = (reader.decoder().seconds(), reader.notes().to_vec());
        } else {
            while decoder.next_block()?.is_some() {}
            (seconds, notes) = (decoder.seconds(), decoder.notes().to_vec());
        }
        let took = begin.elapsed().as_secs_f64();
        println!(
            "{path}: {format}, {seconds:.2} s in {took:.2} s, {:.0} × real time, peak memory {}",
            seconds / took,
            peak_memory().map_or("unknown".to_owned(), |kib| format!("{:.1} MB", kib as f64 / 1024.0))
        );
        for note in notes {
            println!("  {note}");
        }
    }
    Ok(())
}

/// Peak resident memory of this process in KiB; only known on Linux.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
