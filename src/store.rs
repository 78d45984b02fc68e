//! Small choices that outlast a visit. Storage may be blocked, full or absent; a choice is then
//! only good for this visit, which is why nothing here can fail.

use web_sys::Storage;

fn storage() -> Option<Storage> {
    web_sys::window()?.local_storage().ok()?
}

/// What was chosen.
pub fn get(key: &str) -> Option<String> {
    storage()?.get_item(key).ok()?
}

/// Remembers a choice.
pub fn set(key: &str, value: &str) {
    if let Some(storage) = storage() {
        let _ = storage.set_item(key, value);
    }
}
