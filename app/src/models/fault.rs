//! What can go wrong with a request, by what is to be done about it.

use std::io::ErrorKind;
use std::time::Duration;

use anyhow::Error;

/// A request or a file that failed.
#[derive(Debug)]
pub(super) enum Fault {
    /// It may work when it is tried again, not before this time.
    Again(Error, Option<Duration>),
    /// The file on the hub is not the one that was begun: it has to be begun anew.
    Anew(Error),
    /// The server sends files only as a whole.
    Whole,
    /// It will not work.
    Never(Error),
    /// The person stopped it.
    Stopped,
}

/// Whether a file could not be written because there is no room left for it.
pub(super) fn is_full(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

impl From<Error> for Fault {
    fn from(error: Error) -> Fault {
        Fault::Never(error)
    }
}
