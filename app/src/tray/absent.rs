//! Systems without a tray of this kind.

use super::Face;
use crate::command::Command;

/// There is none.
#[derive(Debug)]
pub(crate) struct Tray;

impl Tray {
    /// There is nothing to show it on.
    pub(crate) fn show(&self, _face: Face) {}
}

/// Says that there is none.
pub(crate) fn start(deliver: impl Fn(Command) + Clone + Send + 'static) -> Tray {
    deliver(Command::TrayIs(false));
    Tray
}
