//! What other programs ask of this window, and the second start that only shows the first window.

use std::sync::PoisonError;

use anyhow::Result;
use eframe::egui::{Context, ViewportCommand};

use super::Window;
use crate::remote::{Place, Seat, Word, send};

/// What a start comes to.
pub(super) enum Claim {
    /// This is the window. Without a seat no other program can talk to it.
    First(Option<Seat>),
    /// There was a window already; it is being shown.
    Second,
}

/// Takes the seat of the one window, or shows the window that has it.
///
/// # Errors
/// Another program has the seat and does not answer.
pub(super) fn claim() -> Result<Claim> {
    let taken = Place::of_user().and_then(|place| Ok((Seat::take(&place)?, place)));
    match taken {
        Ok((Some(seat), _)) => Ok(Claim::First(Some(seat))),
        Ok((None, place)) => send(&place, Word::Show, true).map(|()| Claim::Second),
        Err(error) => {
            let reason = format!("{error:#}");
            tracing::warn!(reason, "other programs cannot talk to this window");
            Ok(Claim::First(None))
        }
    }
}

/// Brings the window to the front, as far as the desktop lets it.
pub(super) fn show(context: &Context) {
    for command in [ViewportCommand::Visible(true), ViewportCommand::Minimized(false), ViewportCommand::Focus]
    {
        context.send_viewport_cmd(command);
    }
}

impl Window {
    /// Takes commands from other programs.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub(super) fn serve(&self, seat: &Seat) -> Result<()> {
        let (commands, awake) = (self.commands_out.clone(), self.awake.clone());
        seat.serve(move |command| {
            let taken = commands.send(command).is_ok();
            awake.lock().unwrap_or_else(PoisonError::into_inner).request_repaint();
            taken
        })
    }
}
