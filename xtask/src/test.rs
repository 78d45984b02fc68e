//! Every check and every test, in one command.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::setup::{self, Tool};
use crate::shell::{self, Shell};
use crate::{browser, build};

/// Builds for WebAssembly only.
const WORKER: &str = "cratedigger-worker";
/// Every native command names the same packages: then dependencies get the same features in all
/// of them, and are built once.
const NATIVE: [&str; 3] = ["--workspace", "--exclude", WORKER];
/// The page and both workers at once, for the same reason; each worker's code stands under a
/// feature of its own.
const BROWSER: [&str; 6] = [
    "--package",
    "cratedigger-web",
    "--package",
    WORKER,
    "--features",
    "cratedigger-worker/cpu,cratedigger-worker/gpu",
];
const WASM: [&str; 2] = ["--target", "wasm32-unknown-unknown"];

/// What a stage came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    passed: u64,
    failed: u64,
}

struct Stage {
    name: &'static str,
    time: Duration,
    ok: bool,
    count: Count,
}

/// The stages so far.
struct Report<'a> {
    shell: &'a Shell,
    stages: Vec<Stage>,
}

impl Report<'_> {
    /// Runs one stage and tells whether it went well.
    fn stage(&mut self, name: &'static str, act: impl FnOnce(&Shell) -> Result<Count>) -> bool {
        println!("\n=== {name}");
        let start = Instant::now();
        let outcome = act(self.shell);
        let time = start.elapsed();
        let (ok, count) = match outcome {
            Ok(count) => (count.failed == 0, count),
            Err(error) => {
                println!("{error:#}");
                // So that the last line can't say that nothing failed.
                (false, Count { passed: 0, failed: 1 })
            }
        };
        println!("=== {name}: {} in {time:.1?}", if ok { "ok" } else { "FAILED" });
        self.stages.push(Stage { name, time, ok, count });
        ok
    }

    /// Runs one program as a stage.
    fn check(&mut self, name: &'static str, line: &[&[&str]]) -> bool {
        self.stage(name, |shell| {
            shell::run(&mut shell.line("cargo", line.concat()))?;
            Ok(Count::default())
        })
    }

    fn skip(&mut self, name: &'static str, why: &str) {
        println!("\n=== {name}: skipped, {why}");
    }

    fn end(self) -> ExitCode {
        println!("\n=== Summary");
        let mut total = Count::default();
        let mut time = Duration::ZERO;
        for stage in &self.stages {
            total.passed += stage.count.passed;
            total.failed += stage.count.failed;
            time += stage.time;
            let tests = match stage.count {
                Count { passed: 0, failed: 0 } => String::new(),
                Count { passed, failed } => format!("{passed} passed, {failed} failed"),
            };
            let verdict = if stage.ok { "ok" } else { "FAILED" };
            println!("{:<28}{verdict:<8}{:>9.1} s  {tests}", stage.name, stage.time.as_secs_f64());
        }
        println!("{:<36}{:>9.1} s", "all", time.as_secs_f64());
        println!("{} passed, {} failed", total.passed, total.failed);
        if self.stages.iter().all(|stage| stage.ok) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// Runs every check, or only what needs neither a browser nor WebAssembly; `all` adds what takes a
/// software GPU too long.
pub fn run(shell: &Shell, quick: bool, all: bool) -> Result<ExitCode> {
    let mut report = Report { shell, stages: Vec::new() };
    let ready = report.stage("set-up", |shell| {
        let more: &[Tool] =
            if quick { &[] } else { &[Tool::Target, Tool::Browser, Tool::Trunk, Tool::WasmBindgen] };
        setup::ensure(shell, [Tool::Lints].iter().chain(more).copied())?;
        Ok(Count::default())
    });
    if !ready {
        return Ok(report.end());
    }

    report.check("formatting", &[&["fmt", "--all", "--check"]]);
    const DENY: [&str; 3] = ["--", "-D", "warnings"];
    report.check("clippy, native", &[&["clippy"], &NATIVE, &["--all-targets"], &DENY]);
    if !quick {
        report.check("clippy, wasm", &[&["clippy"], &BROWSER, &WASM, &DENY]);
    }
    report.stage("rustdoc", |shell| {
        let doc = |line: &[&[&str]]| {
            let mut command = shell.line("cargo", ["doc", "--no-deps"]);
            shell::run(command.args(line.concat()).env("RUSTDOCFLAGS", "-D warnings"))
        };
        doc(&[&NATIVE])?;
        if !quick {
            // The same packages as for clippy: what it has checked is not checked again.
            doc(&[&BROWSER, &WASM])?;
        }
        Ok(Count::default())
    });
    let native = report.check("native build", &[&["test"], &NATIVE, &["--no-run"]]);
    if native {
        report.stage("native tests", |shell| {
            test(&mut shell.line("cargo", [&["test"], &NATIVE[..], &["--no-fail-fast"]].concat()))
        });
    }
    if quick {
        return Ok(report.end());
    }

    // In the dev profile, which optimises dsp: the numbers are what is tested, and they are the
    // same in every profile.
    report.stage("features in Chromium", |shell| {
        let driver = shell.find("chromedriver").context("chromedriver is not installed")?;
        test(
            shell
                .line("cargo", ["test", "--package", "cratedigger-dsp", "--tests", "--no-fail-fast"])
                .args(WASM)
                .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", "wasm-bindgen-test-runner")
                .env("CHROMEDRIVER", driver),
        )
    });
    let site = report.stage("site", |shell| {
        build::site(shell, None)?;
        Ok(Count::default())
    });
    if site {
        report.stage("page in Chromium", |shell| test(&mut browser::tests(shell)?));
    } else {
        report.skip("page in Chromium", "since there is nothing to test");
    }
    match (native, site) {
        (true, true) => {
            report.stage("browser tests", |shell| {
                let program = shell.program("cratedigger");
                if !program.is_file() {
                    bail!("{} was not built", program.display());
                }
                let ignored: &[&str] = if all { &["--", "--include-ignored"] } else { &[] };
                let line = [&["test"], &NATIVE[..], &["--test", "e2e"], ignored].concat();
                test(
                    shell
                        .line("cargo", line)
                        .env("CRATEDIGGER_DIST", shell.dist())
                        .env("CRATEDIGGER_BIN", program)
                        // A case fails with a sentence; where in this program it was made is noise.
                        .env("RUST_LIB_BACKTRACE", "0"),
                )
            });
        }
        _ => report.skip("browser tests", "since there is nothing to test"),
    }
    Ok(report.end())
}

/// Runs `cargo test` or `node --test`, passes its output on and adds up what it says.
fn test(command: &mut Command) -> Result<Count> {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child =
        command.stdout(Stdio::piped()).spawn().with_context(|| format!("{name} cannot be started"))?;
    let output = child.stdout.take().with_context(|| format!("{name} has no output"))?;
    let mut total = Count::default();
    for line in BufReader::new(output).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        if let Some(count) = parse(&line) {
            total.passed += count.passed;
            total.failed += count.failed;
        }
    }
    let status = child.wait()?;
    if !status.success() && total.failed == 0 {
        bail!("{name} failed ({status}) without a failed test");
    }
    Ok(total)
}

/// Reads cargo's `test result: ok. 5 passed; 0 failed; …`, or Node's `ℹ pass 5` and `ℹ fail 0`.
fn parse(line: &str) -> Option<Count> {
    if let Some(line) = line.strip_prefix("ℹ ") {
        let (what, number) = line.split_once(' ')?;
        let number = number.trim().parse().ok()?;
        return match what {
            "pass" => Some(Count { passed: number, failed: 0 }),
            // A test that was cancelled has not passed either.
            "fail" | "cancelled" => Some(Count { passed: 0, failed: number }),
            _ => None,
        };
    }
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let number =
        |what: &str| counts.split("; ").find_map(|part| part.strip_suffix(what)?.trim().parse::<u64>().ok());
    Some(Count { passed: number("passed")?, failed: number("failed")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_read() {
        let line = "test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s";
        assert_eq!(parse(line), Some(Count { passed: 12, failed: 3 }));
        assert_eq!(parse("test tests::results_are_read ... ok"), None);
        assert_eq!(parse("ℹ pass 7"), Some(Count { passed: 7, failed: 0 }));
        assert_eq!(parse("ℹ fail 2"), Some(Count { passed: 0, failed: 2 }));
        assert_eq!(parse("ℹ duration_ms 2000.1"), None);
    }
}
