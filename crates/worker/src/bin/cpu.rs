//! The worker that answers first: small, on one core.

fn main() {
    #[cfg(target_arch = "wasm32")]
    cratedigger_worker::start(cratedigger_worker::Backend::CPU);
}
