//! The engine of Colloquy: Qwen3-Omni from speech, pictures and text to text and speech.
#![warn(missing_docs)]

mod error;
#[allow(dead_code, unused_imports, reason = "its callers, the loaders of the model's parts, come above it")]
mod files;
#[allow(dead_code, unused_imports, reason = "its callers, the model's parts, come above it")]
mod model;
#[allow(dead_code, unused_imports, reason = "its callers, the loaders of the model's parts, come above it")]
mod text;
#[allow(dead_code, unused_imports, reason = "its callers, the loaders of the model's parts, come above it")]
mod weights;

pub use error::{Error, Result};
