//! Any start of a file, and any name: each gets a decoder or a reason.
#![no_main]

use std::io::Cursor;

use cratedigger_decode::{Decoder, is_clutter, is_sound_name, unread_format};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &[u8])| {
    let (name, bytes) = input;
    assert!(!(is_sound_name(name) && unread_format(name).is_some()));
    let _ = is_clutter(name);
    match Decoder::open(Cursor::new(bytes.to_vec()), Some(name)) {
        Ok(decoder) => assert!(!decoder.format().is_empty()),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
