//! Starts other programs, with the project's own tools on the PATH.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// The workspace's folders, and the PATH for other programs.
pub struct Shell {
    root: PathBuf,
    target: PathBuf,
    path: OsString,
}

impl Shell {
    /// Finds the workspace and the target folder.
    ///
    /// # Errors
    /// This program is not in a target folder.
    pub fn new() -> Result<Self> {
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest.parent().context("xtask is in no workspace")?.to_path_buf();
        // This program is debug/xtask in the target folder, wherever that is.
        let program = std::env::current_exe()?;
        let target = program.ancestors().nth(2).context("xtask is in no target folder")?.to_path_buf();

        let home = std::env::home_dir().unwrap_or_default();
        let cargo = std::env::var_os("CARGO_HOME").map_or_else(|| home.join(".cargo"), PathBuf::from);
        let tools = target.join("tools");
        // Tools that were installed for this project come first; ~/.cargo/bin last, in case it is not on
        // the PATH.
        let mut folders = vec![tools.join("bin"), tools.join("npm/node_modules/.bin")];
        folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
        folders.push(cargo.join("bin"));
        Ok(Self { root, target, path: std::env::join_paths(folders)? })
    }

    /// The folder in which trunk builds the site.
    pub fn dist(&self) -> PathBuf {
        self.root.join("dist")
    }

    /// The path of a native program in the dev profile; `examples/NAME` is an example.
    pub fn program(&self, name: &str) -> PathBuf {
        self.target.join("debug").join(name).with_extension(std::env::consts::EXE_EXTENSION)
    }

    /// A path in the target folder.
    pub fn target(&self, path: &str) -> PathBuf {
        self.target.join(path)
    }

    /// The folder for tools that the machine lacks.
    pub fn tools(&self) -> PathBuf {
        self.target.join("tools")
    }

    /// A path in the workspace.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The text of a file in the workspace.
    pub fn read(&self, name: &str) -> Result<String> {
        std::fs::read_to_string(self.root.join(name)).with_context(|| format!("{name} cannot be read"))
    }

    /// A command that runs a program in the workspace.
    pub fn command(&self, program: &str) -> Command {
        let program = self.find(program).unwrap_or_else(|| program.into());
        let mut command = Command::new(program);
        command.current_dir(&self.root).env("PATH", &self.path).env("CARGO_TARGET_DIR", &self.target);
        // Cargo's variables for xtask do not apply to other packages, and would cause rebuilds of some.
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
        // trunk accepts only `true` and `false` as values of NO_COLOR.
        if std::env::var_os("NO_COLOR").is_some() {
            command.env("NO_COLOR", "true");
        }
        command
    }

    /// A command that runs a program with arguments in the workspace.
    pub fn line<S: AsRef<OsStr>>(&self, program: &str, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = self.command(program);
        command.args(arguments);
        command
    }

    /// The standard output of a program; `None` if it is missing or fails.
    pub fn output(&self, program: &str, arguments: &[&str]) -> Option<String> {
        let output = self.line(program, arguments).stderr(Stdio::null()).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// The path of a program.
    pub fn find(&self, program: &str) -> Option<PathBuf> {
        std::env::split_paths(&self.path)
            .map(|folder| folder.join(program).with_extension(std::env::consts::EXE_EXTENSION))
            .chain(std::env::split_paths(&self.path).map(|folder| folder.join(format!("{program}.cmd"))))
            .find(|path| path.is_file())
    }
}

/// Runs a command.
///
/// # Errors
/// The program cannot be started, or its exit status is not 0.
pub fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("{name} cannot be started"))?;
    if !status.success() {
        bail!("{name} failed ({status})");
    }
    Ok(())
}
