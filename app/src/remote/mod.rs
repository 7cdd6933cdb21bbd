//! One window for each person, which other programs can talk to: one word a connection, over a socket that only this person can
//! reach. This is how a desktop binds a key, and how a second start finds the first window.
//!
//! What comes in is not trusted: a line has a length, a connection has a time, and a word that is not known is answered
//! with an error. Nothing here decides what a word does to a turn.

#[cfg(unix)]
mod client;
#[cfg(not(unix))]
mod elsewhere;
#[cfg(unix)]
mod place;
#[cfg(unix)]
mod seat;

use clap::ValueEnum;

use crate::command::Command;
#[cfg(unix)]
pub(crate) use client::send;
#[cfg(not(unix))]
pub(crate) use elsewhere::{Place, Seat, send};
#[cfg(unix)]
pub(crate) use place::Place;
#[cfg(unix)]
pub(crate) use seat::Seat;

/// What can be asked of the window.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Word {
    /// Begin to listen, hands-free; interrupts an answer.
    Start,
    /// End the question and send it.
    Stop,
    /// Begin to listen, or end the question and send it: a tap on the talk key.
    Toggle,
    /// Forget the question, or stop the answer: Escape.
    Cancel,
    /// Bring the window to the front.
    Show,
    /// Begin another conversation.
    New,
    /// End the program.
    Quit,
}

impl Word {
    /// What the window is to do.
    fn command(self) -> Command {
        match self {
            Word::Start => Command::Start,
            Word::Stop => Command::Finish,
            Word::Toggle => Command::Toggle,
            Word::Cancel => Command::Stop,
            Word::Show => Command::Show,
            Word::New => Command::NewConversation,
            Word::Quit => Command::Quit,
        }
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
