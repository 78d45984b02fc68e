//! The worker for browsers with a GPU: ten times as large, loaded later.

fn main() {
    #[cfg(target_arch = "wasm32")]
    cratedigger_worker::start(cratedigger_worker::Backend::GPU);
}
