//! Stopping work from another thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, Result};

/// A generation number that every step checks: work begun under an older number stops.
#[derive(Clone, Debug, Default)]
pub struct Cancel {
    current: Arc<AtomicU64>,
    mine: u64,
}

impl Cancel {
    /// A signal that nobody has fired.
    pub fn new() -> Cancel {
        Cancel::default()
    }

    /// Stops all work that was begun so far under this signal or a copy of it. Any thread; does not block.
    pub fn fire(&self) {
        self.current.fetch_add(1, Ordering::Relaxed);
    }

    /// A copy for work that begins now: only a later `fire` stops it.
    pub fn renewed(&self) -> Cancel {
        Cancel { current: self.current.clone(), mine: self.current.load(Ordering::Relaxed) }
    }

    /// # Errors
    /// `Error::Cancelled` when the signal has been fired since this copy was renewed.
    pub(crate) fn check(&self) -> Result<()> {
        if self.current.load(Ordering::Relaxed) == self.mine { Ok(()) } else { Err(Error::Cancelled) }
    }
}
