//! The WebGPU worker: ten times as large, and loaded later.

fn main() {
    #[cfg(target_arch = "wasm32")]
    cratedigger_worker::start(cratedigger_worker::Backend::GPU);
}
