//! `cargo xtask test`: all checks and tests.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::setup::{self, Tool};
use crate::shell::{self, Shell};
use crate::{browser, build, package};

/// The package that compiles only for WebAssembly.
const WORKER: &str = "cratedigger-worker";
/// All native commands name the same packages. Then cargo enables the same features of dependencies in all
/// of them, and builds each dependency once.
const NATIVE: [&str; 3] = ["--workspace", "--exclude", WORKER];
/// The page, the npm package's bindings and all workers together, for the same reason; the code of each analysing worker has its own
/// feature.
const BROWSER: [&str; 12] = [
    "--package",
    "cratedigger-web",
    "--package",
    "cratedigger-npm",
    "--package",
    "cratedigger-decode-worker",
    "--package",
    "cratedigger-tags-worker",
    "--package",
    WORKER,
    "--features",
    "cratedigger-worker/cpu,cratedigger-worker/gpu",
];
const WASM: [&str; 2] = ["--target", "wasm32-unknown-unknown"];

/// The programs that write the files of the decoder's test `encoders`.
const ENCODERS: [&str; 4] = ["ffmpeg", "lame", "flac", "oggenc"];

/// The rules are in deny.toml, which also says why security advisories are not among the checks.
const DEPENDENCIES: [&str; 8] = [
    "--offline",
    "--workspace",
    "--all-features",
    "check",
    "--hide-inclusion-graph",
    "bans",
    "licenses",
    "sources",
];

/// Numbers of tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    passed: u64,
    failed: u64,
    skipped: u64,
}

impl std::ops::AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

struct Stage {
    name: &'static str,
    time: Duration,
    ok: bool,
    count: Count,
}

/// The stages that have run.
struct Report<'a> {
    shell: &'a Shell,
    stages: Vec<Stage>,
}

impl Report<'_> {
    /// Runs one stage and returns whether it succeeded.
    fn stage(&mut self, name: &'static str, act: impl FnOnce(&Shell) -> Result<Count>) -> bool {
        println!("\n=== {name}");
        let start = Instant::now();
        let result = act(self.shell);
        let time = start.elapsed();
        let (ok, count) = match result {
            Ok(count) => (count.failed == 0, count),
            Err(error) => {
                println!("{error:#}");
                // An error counts as a failed test, so that the last line reports a failure.
                (false, Count { failed: 1, ..Count::default() })
            }
        };
        println!("=== {name}: {} in {time:.1?}", if ok { "ok" } else { "FAILED" });
        self.stages.push(Stage { name, time, ok, count });
        ok
    }

    /// Runs cargo as a stage without tests.
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
            total += stage.count;
            time += stage.time;
            let tests = match stage.count {
                count if count == Count::default() => String::new(),
                count => count.to_string(),
            };
            let outcome = if stage.ok { "ok" } else { "FAILED" };
            println!("{:<28}{outcome:<8}{:>9.1} s  {tests}", stage.name, stage.time.as_secs_f64());
        }
        println!("{:<36}{:>9.1} s", "all", time.as_secs_f64());
        println!("{total}");
        if self.stages.iter().all(|stage| stage.ok) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// Runs all checks and tests. `quick` leaves out those that need a browser or WebAssembly; `all` adds those
/// that take minutes on a software GPU.
pub fn run(shell: &Shell, quick: bool, all: bool) -> Result<ExitCode> {
    let mut report = Report { shell, stages: Vec::new() };
    let ready = report.stage("setup", |shell| {
        let more: &[Tool] = if quick {
            &[]
        } else {
            &[Tool::Target, Tool::Browser, Tool::Engines, Tool::Trunk, Tool::WasmBindgen, Tool::Deny]
        };
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
    if !quick {
        report.stage("dependencies", |shell| {
            shell::run(&mut shell.line("cargo-deny", DEPENDENCIES))?;
            Ok(Count::default())
        });
    }
    report.stage("rustdoc", |shell| {
        let doc = |line: &[&[&str]]| {
            let mut command = shell.line("cargo", ["doc", "--no-deps"]);
            shell::run(command.args(line.concat()).env("RUSTDOCFLAGS", "-D warnings"))
        };
        doc(&[&NATIVE])?;
        if !quick {
            // The same packages as for clippy, whose results cargo can use again.
            doc(&[&BROWSER, &WASM])?;
        }
        Ok(Count::default())
    });
    let native = report.check("native build", &[&["test"], &NATIVE, &["--no-run"]]);
    if native {
        native_tests(&mut report);
    }
    if quick {
        return Ok(report.end());
    }

    // In the dev profile, which optimises dsp. The tests compare numbers, which are the same in all profiles.
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
    let mut tarball = None;
    let packed = site
        && report.stage("npm package", |shell| {
            tarball = Some(package::package(shell, false)?);
            Ok(Count::default())
        });
    if let Some(tarball) = tarball.filter(|_| native && packed) {
        report.stage("browser tests", |shell| test(&mut browser::tests(shell, &tarball, all)?));
    } else {
        report.skip("browser tests", "because there is nothing to test");
    }
    Ok(report.end())
}

/// Runs the native tests, which are built.
fn native_tests(report: &mut Report<'_>) {
    report.stage("native tests", |shell| {
        test(&mut shell.line("cargo", [&["test"], &NATIVE[..], &["--no-fail-fast"]].concat()))
    });
    // Cargo ignores these tests, because they fail without the encoders.
    if ENCODERS.iter().all(|encoder| report.shell.find(encoder).is_some()) {
        const LINE: [&str; 4] = ["--test", "encoders", "--", "--ignored"];
        report.stage("decoder and ffmpeg", |shell| {
            test(&mut shell.line("cargo", [&["test"], &NATIVE[..], &LINE].concat()))
        });
    }
}

/// Runs `cargo test` or `node --test`, prints its output and adds up its results.
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
            total += count;
        }
    }
    let status = child.wait()?;
    if !status.success() && total.failed == 0 {
        bail!("{name} failed ({status}) without a failed test");
    }
    Ok(total)
}

/// Parses cargo's `test result: ok. 5 passed; 0 failed; 1 ignored; …`, or a line of Node.js' summary such as
/// `ℹ pass 5`.
fn parse(line: &str) -> Option<Count> {
    if let Some(line) = line.strip_prefix("ℹ ") {
        let (kind, number) = line.split_once(' ')?;
        let number = number.trim().parse().ok()?;
        let none = Count::default();
        return match kind {
            "pass" => Some(Count { passed: number, ..none }),
            "fail" | "cancelled" => Some(Count { failed: number, ..none }),
            "skipped" | "todo" => Some(Count { skipped: number, ..none }),
            _ => None,
        };
    }
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let number =
        |kind: &str| counts.split("; ").find_map(|part| part.strip_suffix(kind)?.trim().parse::<u64>().ok());
    Some(Count { passed: number("passed")?, failed: number("failed")?, skipped: number("ignored")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_read() {
        let line = "test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s";
        assert_eq!(parse(line), Some(Count { passed: 12, failed: 3, skipped: 1 }));
        assert_eq!(parse("test tests::results_are_read ... ok"), None);
        assert_eq!(parse("ℹ pass 7"), Some(Count { passed: 7, ..Count::default() }));
        assert_eq!(parse("ℹ fail 2"), Some(Count { failed: 2, ..Count::default() }));
        assert_eq!(parse("ℹ skipped 4"), Some(Count { skipped: 4, ..Count::default() }));
        assert_eq!(parse("ℹ duration_ms 2000.1"), None);
    }
}
