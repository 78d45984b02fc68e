//! Memory of a program whose allocator is mimalloc.

#![allow(unsafe_code, reason = "options of mimalloc are set by a function in C")]

use std::ffi::c_long;

use libmimalloc_sys::{mi_option_set, mi_option_t};

/// `mi_option_purge_delay` of mimalloc.h, versions 2 and 3.
const PURGE_DELAY: mi_option_t = 15;
const NEVER: c_long = -1;

/// Keeps freed memory until the program ends. A training step frees as much memory as the next one allocates; the
/// system clears each page that was returned to it.
pub fn keep() {
    // SAFETY: mimalloc checks the number of the option, and a value may be set at any time.
    unsafe { mi_option_set(PURGE_DELAY, NEVER) }
}
