//! The worker for collections: the CPU worker, with what teaches and compares. Fetched when it is first needed.

fn main() {
    #[cfg(target_arch = "wasm32")]
    cratedigger_worker::start(cratedigger_worker::Backend::COLLECTION);
}
