//! Which sound devices are used, and how loud answers are.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

/// Softest and loudest, in percent.
pub(crate) const VOLUMES: RangeInclusive<u32> = 0..=150;

/// Sound devices and volume. Works at once.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Sound {
    /// The sound system's lasting name for the microphone; the desktop's default where `None`.
    pub(crate) microphone: Option<String>,
    /// The same for the speaker.
    pub(crate) speaker: Option<String>,
    /// How loud answers are, in percent.
    pub(crate) volume: u32,
}

impl Default for Sound {
    fn default() -> Self {
        Sound { microphone: None, speaker: None, volume: 100 }
    }
}

impl Sound {
    /// A volume that makes no sense, as near as it can be to what makes sense.
    pub(super) fn sensible(&mut self) {
        self.volume = self.volume.clamp(*VOLUMES.start(), *VOLUMES.end());
    }
}
