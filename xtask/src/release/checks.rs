//! What must be true before a release.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::shell::Shell;

/// The packages of the workspace, as `cargo metadata` describes them.
///
/// # Errors
/// cargo fails.
pub fn packages(shell: &Shell) -> Result<Vec<Value>> {
    let text = shell
        .output("cargo", &["metadata", "--format-version", "1", "--no-deps", "--locked"])
        .context("cargo metadata failed; does Cargo.lock fit the manifests?")?;
    let mut metadata: Value = serde_json::from_str(&text)?;
    match metadata["packages"].take() {
        Value::Array(packages) => Ok(packages),
        _ => anyhow::bail!("cargo metadata names no packages"),
    }
}

/// Checks that all packages have one version, that those to be published have what crates.io asks for, and that
/// they ask for that version of each other. Returns the version.
///
/// # Errors
/// A package fails a check; the message says what to change.
pub fn versions(packages: &[Value]) -> Result<String> {
    let version = text(packages.first().context("the workspace is empty")?, "version").to_string();
    for package in packages {
        let name = text(package, "name");
        ensure!(
            text(package, "version") == version,
            "{name} has version {}, another package {version}",
            text(package, "version")
        );
        if package["publish"].is_null() {
            publishable(package, &version)?;
        }
    }
    Ok(version)
}

/// Checks one package that can be published.
fn publishable(package: &Value, version: &str) -> Result<()> {
    let name = text(package, "name");
    for field in ["description", "license", "readme", "documentation"] {
        ensure!(!text(package, field).is_empty(), "{name} has no {field} in its Cargo.toml");
    }
    for field in ["keywords", "categories"] {
        let entries = package[field].as_array().map_or(0, Vec::len);
        ensure!((1..=5).contains(&entries), "{name} needs 1 to 5 {field}, and has {entries}");
    }
    for dependency in package["dependencies"].as_array().into_iter().flatten() {
        if !dependency["path"].is_null() && dependency["kind"] != "dev" {
            let (of, asked) = (text(dependency, "name"), text(dependency, "req"));
            ensure!(
                asked == format!("^{version}"),
                "{name} asks for {of} {asked}; write version = \"{version}\" in [workspace.dependencies]"
            );
        }
    }
    Ok(())
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

/// The changes of a version: its own section of the changelog, or *Unreleased* if it has none yet.
///
/// # Errors
/// There is no such section, or it is empty.
pub fn notes(changelog: &str, version: &str) -> Result<String> {
    let section = |name: &str| {
        let heading = format!("## [{name}]");
        let mut lines = changelog.lines().skip_while(|line| !line.starts_with(&heading));
        lines.next()?;
        let lines: Vec<&str> = lines.take_while(|line| !line.starts_with("## ")).collect();
        let text = lines.join("\n").trim().to_string();
        (!text.is_empty()).then_some(text + "\n")
    };
    section(version).or_else(|| section("Unreleased")).with_context(|| {
        format!("CHANGELOG.md has no changes under [{version}] or [Unreleased]; write what users get")
    })
}

/// The name of this system, such as `x86_64-unknown-linux-gnu`.
///
/// # Errors
/// rustc cannot be started.
pub fn host(shell: &Shell) -> Result<String> {
    let words = shell.output("rustc", &["-vV"]).context("rustc cannot be started")?;
    let host = words.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc names no host")?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_those_of_the_version_or_the_unreleased_ones() {
        let log = "# Changelog\n\n## [Unreleased]\n\n* new\n\n## [0.1.0] - 2026-01-01\n\n* old\n";
        assert_eq!(notes(log, "0.1.0").ok().as_deref(), Some("* old\n"));
        assert_eq!(notes(log, "0.2.0").ok().as_deref(), Some("* new\n"));
        assert!(notes("# Changelog\n\n## [Unreleased]\n\n## [0.1.0]\n\n* old\n", "0.2.0").is_err());
    }

    #[test]
    fn a_package_that_crates_io_would_refuse_is_refused() {
        let package = |req: &str, readme: &str| {
            serde_json::json!({
                "name": "a", "description": "d", "license": "MIT", "readme": readme, "documentation": "d",
                "keywords": ["k"], "categories": ["c"],
                "dependencies": [{ "name": "b", "path": "/b", "req": req, "kind": null }],
            })
        };
        assert!(publishable(&package("^0.1.0", "README.md"), "0.1.0").is_ok());
        assert!(publishable(&package("*", "README.md"), "0.1.0").is_err());
        assert!(publishable(&package("^0.1.0", ""), "0.1.0").is_err());
    }
}
