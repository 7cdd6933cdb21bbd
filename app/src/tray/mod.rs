//! The icon in the desktop's tray: it shows what goes on, and its menu becomes commands. Nothing here decides what follows.

#[cfg(not(target_os = "linux"))]
mod absent;
#[cfg(target_os = "linux")]
mod icon;
#[cfg(target_os = "linux")]
mod item;

#[cfg(not(target_os = "linux"))]
pub(crate) use absent::{Tray, start};
#[cfg(target_os = "linux")]
pub(crate) use item::{Tray, start};

/// What goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Sign {
    /// Nothing.
    #[default]
    Idle,
    /// The person is listened to.
    Listening,
    /// An answer is being made.
    Thinking,
    /// It is being heard.
    Speaking,
}

/// What the icon and its menu tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Face {
    /// What goes on.
    pub(crate) sign: Sign,
    /// Whether there is a model to talk to.
    pub(crate) can_talk: bool,
    /// Whether the window is hidden.
    pub(crate) is_hidden: bool,
}
