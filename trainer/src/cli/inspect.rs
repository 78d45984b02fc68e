//! `cratedigger inspect`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use super::cancelled_by_ctrl_c;
use super::output::line;
use crate::data::Dataset;
use crate::data::inspect::{Inspection, inspect};

/// Arguments of `cratedigger inspect`.
#[derive(clap::Args)]
pub(super) struct Command {
    /// Folder of the data set; or an audio file, a pipe or - (standard input)
    data: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Command {
    /// Inspects a data set. The exit code is 1 if there are faults.
    pub(super) fn run(self) -> Result<ExitCode> {
        let cancelled = cancelled_by_ctrl_c()?;
        let data = if self.data.is_dir() { Dataset::open(&self.data)? } else { Dataset::of_file(&self.data) };
        let found = inspect(&data, &cancelled)?;
        if self.json {
            line(serde_json::to_string_pretty(&found)?)?;
        } else {
            line(as_text(&found, data.clips.len()))?;
        }
        Ok(if found.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Maximum number of listed findings per kind; JSON has all of them.
const LISTED: usize = 30;

/// An inspection as text.
fn as_text(found: &Inspection, clips: usize) -> String {
    let mut text = format!("{clips} clips in {} classes\n", found.classes.len());
    let most = found.classes.iter().map(|(_, n)| *n).max().unwrap_or(1).max(1);
    for (class, n) in &found.classes {
        text += &format!("  {class:14} {n:>6}  {}\n", "█".repeat((30 * n).div_ceil(most)));
    }
    if let Some([shortest, median, longest]) = found.seconds {
        text += &format!("\nlength        {shortest:.1} s to {longest:.1} s, median {median:.1} s\n");
    }
    let counted = |what: &str, counts: Vec<(String, usize)>| {
        let each: Vec<String> = counts.into_iter().map(|(value, n)| format!("{value} ({n})")).collect();
        if each.is_empty() { String::new() } else { format!("{what:13} {}\n", each.join(", ")) }
    };
    for remark in &found.remarks {
        text += &format!("\n{remark}\n");
    }
    text +=
        &counted("sample rates", found.sample_rates.iter().map(|(r, n)| (format!("{r} Hz"), *n)).collect());
    text += &counted("channels", found.channels.iter().map(|(c, n)| (c.to_string(), *n)).collect());
    let lists = [
        ("unusable", &found.unreadable),
        ("short", &found.short),
        ("silent", &found.silent),
        ("clipped", &found.clipped),
        ("without high frequencies", &found.band_limited),
        ("decoded, with a note", &found.notes),
    ];
    for (name, findings) in lists {
        text += &format!("\n{name}: {}\n", findings.len());
        for finding in findings.iter().take(LISTED) {
            text += &format!("  {}: {}\n", finding.clip, finding.what);
        }
        if findings.len() > LISTED {
            text += &format!("  … and {} more (--json has all)\n", findings.len() - LISTED);
        }
    }
    for (name, groups) in [("identical clips", &found.exact), ("same recording", &found.near)] {
        text += &format!("\n{name}: {} groups\n", groups.len());
        for group in groups {
            text += &format!(
                "  {}{}{}\n",
                group.clips.join(" = "),
                if name == "same recording" { format!("  ({:.2})", group.similarity) } else { String::new() },
                if group.classes_differ { "  in different classes" } else { "" }
            );
        }
    }
    text
}
