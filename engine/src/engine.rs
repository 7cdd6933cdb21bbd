//! A loaded checkpoint.

use std::path::Path;

use crate::error::Result;
use crate::settings::Options;

/// What a loaded checkpoint is and can do.
#[derive(Clone, Debug)]
pub struct Info {
    /// Folder's name.
    pub name: String,
    /// `cpu (2 threads, avx512)` or the adapter's name.
    pub device: String,
    /// Names of the voices, the default first; empty when it cannot speak.
    pub voices: Vec<String>,
    /// Whether it takes sound.
    pub hears: bool,
    /// Whether it takes pictures and video.
    pub sees: bool,
    /// Rate of its speech.
    pub sample_rate_hz: u32,
    /// Bytes of weights.
    pub weight_bytes: u64,
    /// Most tokens of a conversation.
    pub context_tokens: usize,
    /// Time that loading took.
    pub load_ms: f64,
}

/// A loaded checkpoint: weights in place on a device, tokenizer and chat template.
pub struct Engine {
    info: Info,
}

impl Engine {
    /// Opens a checkpoint folder in the published layout.
    ///
    /// # Errors
    /// `Error::Io`, `Error::Checkpoint`, `Error::Tensor` and `Error::Config` name the file and what is wrong with it.
    pub fn load(_folder: &Path, _options: &Options) -> Result<Engine> {
        todo!()
    }

    /// What it is and can do.
    pub fn info(&self) -> &Info {
        &self.info
    }
}
