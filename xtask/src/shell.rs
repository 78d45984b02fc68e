//! Starting other programs, with the project's own tools in reach.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// Where everything is.
pub struct Shell {
    root: PathBuf,
    target: PathBuf,
    path: OsString,
}

impl Shell {
    /// Finds the workspace and the target folder.
    pub fn new() -> Result<Self> {
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest.parent().context("xtask lies in no workspace")?.to_path_buf();
        // This program is target/debug/xtask, whoever chose the target folder and however.
        let program = std::env::current_exe()?;
        let target = program.ancestors().nth(2).context("xtask lies in no target folder")?.to_path_buf();

        let home = std::env::home_dir().unwrap_or_default();
        let cargo = std::env::var_os("CARGO_HOME").map_or_else(|| home.join(".cargo"), PathBuf::from);
        let tools = target.join("tools");
        // What was installed for this project comes first; ~/.cargo/bin last, for those who have
        // it without having it on their PATH.
        let mut folders = vec![tools.join("bin"), tools.join("npm/node_modules/.bin")];
        folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
        folders.push(cargo.join("bin"));
        Ok(Self { root, target, path: std::env::join_paths(folders)? })
    }

    /// Where trunk puts the site.
    pub fn dist(&self) -> PathBuf {
        self.root.join("dist")
    }

    /// Where the native build puts a program.
    pub fn program(&self, name: &str) -> PathBuf {
        self.target.join("debug").join(name).with_extension(std::env::consts::EXE_EXTENSION)
    }

    /// Something in the target folder.
    pub fn target(&self, path: &str) -> PathBuf {
        self.target.join(path)
    }

    /// Where tools are installed that this machine lacks.
    pub fn tools(&self) -> PathBuf {
        self.target.join("tools")
    }

    /// Something in the workspace.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// A file of the workspace, as text.
    pub fn read(&self, name: &str) -> Result<String> {
        std::fs::read_to_string(self.root.join(name)).with_context(|| format!("{name} cannot be read"))
    }

    /// A program, to be run in the workspace.
    pub fn command(&self, program: &str) -> Command {
        let program = self.find(program).unwrap_or_else(|| program.into());
        let mut command = Command::new(program);
        command.current_dir(&self.root).env("PATH", &self.path).env("CARGO_TARGET_DIR", &self.target);
        // What cargo told about xtask is no news for other packages, and would make some of them
        // build again.
        for (name, _) in std::env::vars_os() {
            let mine = name.to_str().is_some_and(|name| {
                ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"]
                    .iter()
                    .any(|p| name.starts_with(p))
            });
            if mine {
                command.env_remove(name);
            }
        }
        // trunk takes only the words `true` and `false` for it.
        if std::env::var_os("NO_COLOR").is_some() {
            command.env("NO_COLOR", "true");
        }
        command
    }

    /// A program with its arguments.
    pub fn line<S: AsRef<OsStr>>(&self, program: &str, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = self.command(program);
        command.args(arguments);
        command
    }

    /// What a program prints; `None` if it is not there or fails.
    pub fn output(&self, program: &str, arguments: &[&str]) -> Option<String> {
        let output = self.line(program, arguments).stderr(Stdio::null()).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Where a program lies.
    pub fn find(&self, program: &str) -> Option<PathBuf> {
        std::env::split_paths(&self.path)
            .map(|folder| folder.join(program).with_extension(std::env::consts::EXE_EXTENSION))
            .chain(std::env::split_paths(&self.path).map(|folder| folder.join(format!("{program}.cmd"))))
            .find(|path| path.is_file())
    }
}

/// Runs a program to its end.
pub fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("{name} cannot be started"))?;
    if !status.success() {
        bail!("{name} failed ({status})");
    }
    Ok(())
}
