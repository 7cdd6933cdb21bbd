//! How the program lives on the desktop.

use serde::{Deserialize, Serialize};

/// What was chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Desktop {
    /// Whether an icon stands in the tray, where the desktop has one.
    pub(crate) tray: bool,
    /// Whether closing the window only hides it there.
    pub(crate) close_to_tray: bool,
    /// Whether the window is hidden at the start.
    pub(crate) start_hidden: bool,
    /// Whether the desktop tells that an answer has ended, while the window is not looked at.
    pub(crate) notify: bool,
}

impl Default for Desktop {
    fn default() -> Desktop {
        Desktop { tray: true, close_to_tray: false, start_hidden: false, notify: true }
    }
}
