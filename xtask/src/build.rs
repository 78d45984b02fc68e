//! The site: built, made small, weighed.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result};
use brotli::enc::BrotliEncoderParams;

use crate::shell::{Shell, run};

/// What rustc emits for the browsers that .cargo/config.toml aims at. Named one by one: with all
/// features wasm-opt would write what those browsers can't read.
const WASM_FEATURES: [&str; 8] = [
    "--enable-bulk-memory",
    "--enable-bulk-memory-opt",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
    "--enable-simd",
];

/// Has trunk build everything into dist/.
pub fn site(shell: &Shell) -> Result<()> {
    let start = Instant::now();
    println!("Building the site…");
    run(&mut shell.line("trunk", ["build", "--release"]))?;
    println!("The site is in {} after {:.0?}.", shell.dist().display(), start.elapsed());
    Ok(())
}

/// Every file below a folder, sorted.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries =
            fs::read_dir(&folder).with_context(|| format!("{} cannot be read", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    Ok(found)
}

/// Runs wasm-opt over every module in dist/. Results are kept, since a large module takes minutes
/// and most builds change only some of them.
pub fn optimise(shell: &Shell) -> Result<()> {
    let kept = shell.tools().join("wasm-opt");
    fs::create_dir_all(&kept)?;
    let version = shell.output("wasm-opt", &["--version"]).unwrap_or_default();
    for module in files(&shell.dist())? {
        if module.extension().is_none_or(|extension| extension != "wasm") {
            continue;
        }
        let before = fs::read(&module)?;
        let mut hasher = DefaultHasher::new();
        (&version, WASM_FEATURES, &before).hash(&mut hasher);
        let result = kept.join(format!("{:016x}.wasm", hasher.finish()));
        let name = module.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !result.is_file() {
            println!("wasm-opt {name} ({})…", bytes(before.len()));
            let start = Instant::now();
            let part = kept.join("part.wasm");
            run(shell
                .line("wasm-opt", ["-Os", "--strip-debug", "--strip-producers"])
                .args(WASM_FEATURES)
                .arg(&module)
                .arg("-o")
                .arg(&part))?;
            fs::rename(&part, &result)?;
            println!(
                "wasm-opt {name}: {} after {:.0?}",
                bytes(fs::metadata(&result)?.len() as usize),
                start.elapsed()
            );
        }
        fs::copy(&result, &module)?;
    }
    Ok(())
}

/// What a file in dist/ belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Page,
    CpuWorker,
    GpuWorker,
    Networks,
}

impl Part {
    fn of(path: &str) -> Self {
        if path.starts_with("models/") {
            Self::Networks
        } else if path.starts_with("worker-cpu") {
            Self::CpuWorker
        } else if path.starts_with("worker-gpu") {
            Self::GpuWorker
        } else {
            Self::Page
        }
    }
}

/// Prints what everything weighs, as it lies there and as a host would send it.
pub fn print_sizes(shell: &Shell) -> Result<()> {
    println!("Weighing…");
    let dist = shell.dist();
    let mut weights = Vec::new();
    for file in files(&dist)? {
        let path = file.strip_prefix(&dist)?.to_string_lossy().replace('\\', "/");
        let contents = fs::read(&file)?;
        weights.push((Part::of(&path), contents.len(), compressed(&contents)?));
    }
    let row = |name: &str, parts: &[Part]| {
        let (raw, sent) = weights
            .iter()
            .filter(|(part, ..)| parts.contains(part))
            .fold((0, 0), |(raw, sent), (_, r, s)| (raw + r, sent + s));
        println!("{name:<32}{:>12}{:>12}", bytes(raw), bytes(sent));
    };
    println!("\n{:<32}{:>12}{:>12}", "", "raw", "brotli");
    row("page", &[Part::Page]);
    row("worker for the CPU", &[Part::CpuWorker]);
    row("worker for WebGPU", &[Part::GpuWorker]);
    row("networks", &[Part::Networks]);
    row("to the first answer (no WebGPU)", &[Part::Page, Part::CpuWorker, Part::Networks]);
    row("all", &[Part::Page, Part::CpuWorker, Part::GpuWorker, Part::Networks]);
    Ok(())
}

/// Bytes after brotli at its strongest, as for files compressed once and sent often.
fn compressed(contents: &[u8]) -> Result<usize> {
    let parameters = BrotliEncoderParams { quality: 11, lgwin: 22, ..BrotliEncoderParams::default() };
    let mut sent = Vec::new();
    brotli::BrotliCompress(&mut &contents[..], &mut sent, &parameters)?;
    Ok(sent.len())
}

/// Bytes in the unit that reads best (powers of ten).
fn bytes(n: usize) -> String {
    match n as f64 {
        n if n < 1e3 => format!("{n} B"),
        n if n < 1e6 => format!("{:.1} kB", n / 1e3),
        n => format!("{:.2} MB", n / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_well() {
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(12_345), "12.3 kB");
        assert_eq!(bytes(2_300_000), "2.30 MB");
    }

    #[test]
    fn compression_is_lossless_in_length() {
        assert!(compressed(&[7; 10_000]).is_ok_and(|n| n < 100));
        assert!(compressed(&[]).is_ok());
    }
}
