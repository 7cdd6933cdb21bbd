//! The engine of Colloquy: Qwen3-Omni from speech, pictures and text to text and speech.
#![warn(missing_docs)]

mod cancel;
mod error;
mod executor;
mod kernels;
mod memory;
mod recording;
mod shape;

pub use cancel::Cancel;
pub use error::{Error, Result};
