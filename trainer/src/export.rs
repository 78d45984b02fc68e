pub fn command(_: &std::path::Path, _: &std::path::Path, _: &std::path::Path) -> anyhow::Result<()> {
    Ok(())
}
