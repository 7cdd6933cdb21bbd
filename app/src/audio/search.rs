//! A device that went away in the middle of its work is looked for again, for a while: its server may be starting anew.

use std::time::{Duration, Instant};

/// How often, and for how long.
const EVERY: Duration = Duration::from_millis(250);
const FOR: Duration = Duration::from_secs(4);

/// The search for a device.
pub(super) struct Search {
    begun: Instant,
    next: Instant,
    /// What is wrong; `None` where the person chose another device.
    fault: Option<String>,
}

impl Search {
    /// A search that begins at once.
    pub(super) fn new(fault: Option<String>) -> Search {
        let begun = Instant::now();
        Search { begun, next: begun, fault }
    }

    /// Whether it is time for the next try.
    pub(super) fn is_due(&mut self) -> bool {
        let now = Instant::now();
        let is_due = now >= self.next;
        if is_due {
            self.next = now + EVERY;
        }
        is_due
    }

    /// Whether it was long enough.
    pub(super) fn is_over(&self) -> bool {
        self.begun.elapsed() > FOR
    }

    /// Whether the device went away by itself.
    pub(super) fn is_loss(&self) -> bool {
        self.fault.is_some()
    }

    /// What is wrong: with the device that went away, or with the one that cannot be opened.
    pub(super) fn into_fault(self, error: &anyhow::Error) -> String {
        self.fault.unwrap_or_else(|| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_try_is_made_at_once_and_the_next_one_later() {
        let mut search = Search::new(Some("Gone.".into()));
        assert!(search.is_due() && search.is_loss() && !search.is_over());
        search.next = Instant::now() + EVERY;
        assert!(!search.is_due());
        assert_eq!(search.into_fault(&anyhow::anyhow!("None.")), "Gone.");
        assert_eq!(Search::new(None).into_fault(&anyhow::anyhow!("None.")), "None.");
    }
}
