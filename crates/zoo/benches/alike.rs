//! Time of a search of similar songs among 10,000, on one core; prints milliseconds as JSON.
//!
//! `cargo bench --bench alike`

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout)]

use std::hint::black_box;
use std::time::Instant;

use cratedigger_zoo::alike::Songs;

const SONGS: usize = 10_000;
const WIDTH: usize = 200;
const ROUNDS: usize = 101;

fn main() {
    let mut state = 1_u32;
    let mut song = || -> Vec<f32> {
        let mut value = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 8_388_608.0 - 1.0
        };
        (0..WIDTH).map(|_| value()).collect()
    };
    let rows: Vec<Vec<f32>> = (0..SONGS).map(|_| song()).collect();
    let Ok(songs) = Songs::new(&rows) else { return };
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|round| {
            let start = Instant::now();
            let _ = black_box(songs.ranked(black_box(&rows[round]), |song| song != round));
            1000.0 * start.elapsed().as_secs_f64()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!("{{\"songs\":{SONGS},\"least\":{:.3},\"median\":{:.3}}}", times[0], times[ROUNDS / 2]);
}
