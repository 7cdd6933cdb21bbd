//! When the model's memory is given back.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Minutes that can be chosen.
pub(crate) const MINUTES: RangeInclusive<u32> = 1..=24 * 60;

/// When the model's memory is given back.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Memory {
    /// After so many minutes without a question; never where `None`.
    pub(crate) free_after_minutes: Option<u32>,
}

impl Memory {
    /// The same as a time.
    pub(crate) fn free_after(self) -> Option<Duration> {
        self.free_after_minutes.map(|minutes| Duration::from_secs(60 * u64::from(minutes)))
    }

    /// As near as can be to what makes sense.
    pub(super) fn sensible(self) -> Memory {
        let nearest = |minutes: u32| minutes.clamp(*MINUTES.start(), *MINUTES.end());
        Memory { free_after_minutes: self.free_after_minutes.map(nearest) }
    }
}
