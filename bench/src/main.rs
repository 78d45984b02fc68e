//! Times every task natively, on one core, and prints the milliseconds as JSON.
//!
//! `bench-features FILE ROUNDS`: the signal goes to FILE as 32-bit floats, for the peer to read.

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a command-line program")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow};
use cratedigger_bench::{Bench, music, tasks};

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().context("a file for the signal is needed")?;
    let rounds: usize = arguments.next().context("a number of rounds is needed")?.parse()?;
    std::fs::write(&file, music().iter().flat_map(|s| s.to_le_bytes()).collect::<Vec<u8>>())?;

    let mut bench = Bench::new().map_err(|e| anyhow!(e))?;
    let mut times = BTreeMap::new();
    for task in tasks() {
        black_box(bench.run(&task).map_err(|e| anyhow!(e))?);
        let mut all = Vec::new();
        for _ in 0..rounds {
            let start = Instant::now();
            black_box(bench.run(&task).map_err(|e| anyhow!(e))?);
            all.push(start.elapsed().as_secs_f64() * 1e3);
        }
        times.insert(task, all);
    }
    println!("{}", serde_json::to_string(&times)?);
    Ok(())
}
