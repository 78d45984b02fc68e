//! The CPU worker: small, runs on one core, and answers first.

fn main() {
    #[cfg(target_arch = "wasm32")]
    cratedigger_worker::start(cratedigger_worker::Backend::CPU);
}
