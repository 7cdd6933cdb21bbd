//! The window's place on the desktop: in the tray, hidden, not looked at.

use std::sync::PoisonError;

use eframe::egui::{Context, ViewportCommand};

use super::Window;
use crate::command::Command;
use crate::notices::Notices;
use crate::tray::{self, Face, Sign, Tray};
use crate::turn::Stage;

/// What the desktop shows besides the window.
#[derive(Default)]
pub(super) struct Living {
    tray: Option<Tray>,
    face: Face,
    notices: Notices,
}

/// Hides the window. Wayland knows no hidden windows, only small ones.
pub(super) fn hide(context: &Context) {
    let is_wayland = std::env::var_os("WAYLAND_DISPLAY").is_some_and(|name| !name.is_empty());
    if is_wayland {
        minimize(context);
    } else {
        context.send_viewport_cmd(ViewportCommand::Visible(false));
    }
}

/// Makes the window small, where it can be found.
pub(super) fn minimize(context: &Context) {
    context.send_viewport_cmd(ViewportCommand::Visible(true));
    context.send_viewport_cmd(ViewportCommand::Minimized(true));
}

/// Ends the program.
pub(super) fn quit(context: &Context) {
    context.send_viewport_cmd(ViewportCommand::Close);
    context.request_repaint();
}

impl Window {
    /// Puts an icon into the tray, or takes it away.
    pub(super) fn use_tray(&mut self, wanted: bool) {
        self.living.tray = wanted.then(|| tray::start(self.deliverer()));
        self.living.face = Face::default();
        if !wanted {
            self.wish(Command::TrayIs(false));
        }
    }

    /// Shows in the tray what goes on.
    pub(super) fn show_face(&mut self) {
        let state = &self.state;
        let sign = match state.turn.stage {
            Stage::Absent | Stage::Idle => Sign::Idle,
            Stage::Attending | Stage::Opening { .. } | Stage::Listening { .. } => Sign::Listening,
            Stage::Thinking => Sign::Thinking,
            Stage::Speaking => Sign::Speaking,
        };
        let face = Face { sign, can_talk: state.can_talk(), is_hidden: state.living.is_hidden };
        if let Some(tray) = &self.living.tray
            && face != self.living.face
        {
            self.living.face = face;
            tray.show(face);
        }
    }

    /// Keeps a window that is closed in the tray, where that is wanted.
    pub(super) fn close_or_hide(&self, context: &Context) {
        if context.input(|input| input.viewport().close_requested()) && self.state.closes_to_tray() {
            context.send_viewport_cmd(ViewportCommand::CancelClose);
            self.wish(Command::Hide);
        }
    }

    /// Tells of an answer, unless the person looks at the window.
    pub(super) fn tell(&self, words: String, context: &Context) {
        let is_seen = context.input(|input| {
            let viewport = input.viewport();
            viewport.focused != Some(false) && viewport.minimized != Some(true)
        });
        if !is_seen || self.state.living.is_hidden {
            tracing::info!("an answer ended while nobody looked");
            self.living.notices.show(words, self.deliverer());
        }
    }

    /// Hands commands over from other threads.
    pub(super) fn deliverer(&self) -> impl Fn(Command) + Clone + Send + Sync + use<> + 'static {
        let (commands, awake) = (self.commands_out.clone(), self.awake.clone());
        move |command| {
            // A window that is closing takes no commands.
            let _ = commands.send(command);
            awake.lock().unwrap_or_else(PoisonError::into_inner).request_repaint();
        }
    }
}
