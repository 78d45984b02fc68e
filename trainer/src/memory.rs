//! Memory of a program whose allocator is mimalloc.

#![allow(unsafe_code, reason = "options of mimalloc are set by a function in C")]

use std::ffi::c_long;

use libmimalloc_sys::{mi_option_set_default, mi_option_t};

/// `mi_option_purge_delay` of mimalloc.h, versions 2 and 3.
const PURGE_DELAY: mi_option_t = 15;
const NEVER: c_long = -1;

/// Keeps freed memory until the program ends, unless the environment variable `MIMALLOC_PURGE_DELAY` is set. A training
/// step frees as much memory as the next one allocates; the system clears each page that was returned to it.
///
/// # Safety
/// No other thread of the program runs yet, because mimalloc reads its options without synchronisation.
pub unsafe fn keep() {
    // SAFETY: mimalloc checks the number of the option, and no other thread can read it.
    unsafe { mi_option_set_default(PURGE_DELAY, NEVER) }
}
