//! The state machine of the client, without a browser: the situations that matter one by one, and any
//! sequence of inputs.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "tests")]

mod any_sequence;
mod situations;
mod streams;
mod world;
