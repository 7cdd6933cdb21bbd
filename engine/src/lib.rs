//! The engine of Colloquy: Qwen3-Omni from speech, pictures and text to text and speech.
#![warn(missing_docs)]

mod error;

pub use error::{Error, Result};
