pub fn command(
    _: &[std::path::PathBuf],
    _: bool,
    _: Option<&std::path::Path>,
) -> anyhow::Result<std::process::ExitCode> {
    Ok(std::process::ExitCode::SUCCESS)
}
