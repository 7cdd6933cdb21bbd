//! Conversations through the engine's facade, on the checkpoint that ships with the app and on random ones.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod answers;
mod cancel;
mod kinds;
mod streaming;
mod turns;
