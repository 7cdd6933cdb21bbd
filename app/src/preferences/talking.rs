//! How one talks hands-free.

use serde::{Deserialize, Serialize};

/// Shortest and longest silence that ends a question, in milliseconds.
pub(crate) const PAUSES_MS: std::ops::RangeInclusive<u32> = 300..=3000;

/// How one talks hands-free. Works at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Talking {
    /// Whether a conversation is hands-free from when a model is ready.
    pub(crate) hands_free: bool,
    /// The silence that ends a question, in milliseconds.
    pub(crate) pause_ms: u32,
    /// Whether a voice interrupts an answer.
    pub(crate) interrupt: bool,
    /// Whether the program's own speech is taken out of the microphone.
    pub(crate) cancel_echo: bool,
}

impl Default for Talking {
    fn default() -> Self {
        Talking { hands_free: false, pause_ms: 800, interrupt: true, cancel_echo: true }
    }
}

impl Talking {
    /// Numbers that make no sense, as near as they can be to what makes sense.
    pub(super) fn sensible(mut self) -> Talking {
        self.pause_ms = self.pause_ms.clamp(*PAUSES_MS.start(), *PAUSES_MS.end());
        self
    }
}
