//! Which turn is alive: the number that worker, audio thread and playback callback check before they go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The number of the turn whose answer may be worked on and heard; 0 is none. Copies share it. Never blocks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Live(Arc<AtomicU64>);

impl Live {
    /// Makes `turn` the only one alive.
    pub(crate) fn set(&self, turn: u64) {
        self.0.store(turn, Ordering::Release);
    }

    /// Whether `turn` is alive.
    pub(crate) fn is(&self, turn: u64) -> bool {
        self.0.load(Ordering::Acquire) == turn
    }
}
