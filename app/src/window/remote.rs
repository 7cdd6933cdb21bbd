//! What other programs ask of this window, and the second start that only shows the first window.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, PoisonError};

use anyhow::Result;
use eframe::egui::{Context, ViewportCommand};

use super::Window;
use crate::command::Command;
use crate::remote::{Place, Seat, Word, send};
use crate::state::{Model, State};

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

/// Why nobody can be listened to just now, for the thread that answers other programs. Copies share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Deafness(Arc<AtomicU8>);

impl Deafness {
    /// In the order of their numbers; the last is none.
    const REASONS: [Option<&'static str>; 3] = [
        Some("no model is loaded; choose one in the window"),
        Some("this model takes no sound; type the question"),
        None,
    ];

    /// Takes over what the state says now.
    pub(super) fn follow(&self, state: &State) {
        self.0.store(
            match &state.model {
                Model::Absent => 0,
                _ if !state.can_talk() => 1,
                _ => 2,
            },
            Ordering::Release,
        );
    }

    /// Why this command cannot be followed.
    fn refuses(&self, command: &Command) -> Option<&'static str> {
        let talks = matches!(command, Command::Start | Command::Toggle);
        Deafness::REASONS.into_iter().nth(self.0.load(Ordering::Acquire).into()).flatten().filter(|_| talks)
    }
}

impl Window {
    /// Takes commands from other programs.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub(super) fn serve(&self, seat: &Seat) -> Result<()> {
        let (commands, awake, deafness) =
            (self.commands_out.clone(), self.awake.clone(), self.deafness.clone());
        seat.serve(move |command| {
            deafness.refuses(&command).map_or(Ok(()), Err)?;
            let taken = commands.send(command).map_err(|_| "the window is closing");
            awake.lock().unwrap_or_else(PoisonError::into_inner).request_repaint();
            taken
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use engine::{Cancel, Settings};

    use super::*;
    use crate::audio::Level;
    use crate::event::Event;
    use crate::state::tests::info;

    #[test]
    fn who_cannot_be_listened_to_is_told_why() {
        let deafness = Deafness::default();
        let mut state = State::new(Settings::default(), Level::default());
        let loaded = |hears| Event::Loaded(info(hears), Cancel::new());
        for (event, reason) in
            [(Event::LoadFailed("No.".into()), "no model"), (loaded(false), "takes no sound")]
        {
            state.apply(event, Duration::ZERO);
            deafness.follow(&state);
            for command in [Command::Start, Command::Toggle] {
                assert!(deafness.refuses(&command).is_some_and(|told| told.contains(reason)), "{reason}");
            }
            assert_eq!(deafness.refuses(&Command::Show), None);
        }
        // Of a model that is being loaded it is not known; what is said is kept.
        for event in [Event::Loading("x".into()), loaded(true)] {
            state.apply(event, Duration::ZERO);
            deafness.follow(&state);
            assert_eq!(deafness.refuses(&Command::Start), None);
        }
    }
}
