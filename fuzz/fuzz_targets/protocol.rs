//! Any message between page and worker: what is accepted is written and read again unchanged.
#![no_main]

use cratedigger_protocol::{Event, Request};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(request) = serde_json::from_slice::<Request>(bytes) {
        let text = serde_json::to_string(&request).expect("a request is written");
        let again: Request = serde_json::from_str(&text).expect("a written request is read");
        assert_eq!(serde_json::to_string(&again).expect("a request is written"), text);
    }
    if let Ok(event) = serde_json::from_slice::<Event>(bytes) {
        let text = serde_json::to_string(&event).expect("an event is written");
        let again: Event = serde_json::from_str(&text).expect("a written event is read");
        assert_eq!(serde_json::to_string(&again).expect("an event is written"), text);
    }
});
