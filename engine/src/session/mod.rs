//! One conversation's timeline: caches, positions, sampler.

use crate::cancel::Cancel;
use crate::engine::Engine;
use crate::error::Result;
use crate::event::Event;
use crate::message::{Content, Message};
use crate::settings::Settings;

/// One conversation on a loaded checkpoint.
///
/// Build the user's message with `push` and `push_audio`, start the answer with `respond`, then call `step` until it returns
/// `None`. All methods work on the calling thread; `cancel` gives a handle that stops them from another.
pub struct Session {
    engine: Engine,
    settings: Settings,
    cancel: Cancel,
}

impl Session {
    /// An empty conversation.
    ///
    /// # Errors
    /// `Error::Input` for a voice that the checkpoint does not have or a setting out of range.
    pub fn new(engine: Engine, settings: Settings) -> Result<Session> {
        Ok(Session { engine, settings, cancel: Cancel::new() })
    }

    /// The loaded checkpoint.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Gives the loaded checkpoint back; the conversation ends.
    pub fn into_engine(self) -> Engine {
        self.engine
    }

    /// Replaces the settings; they hold from the next answer on. A new system text holds from the next `reset` on.
    ///
    /// # Errors
    /// As [`Session::new`]; the old settings stay.
    pub fn set_settings(&mut self, settings: Settings) -> Result<()> {
        self.settings = settings;
        Ok(())
    }

    /// Appends a whole earlier turn.
    ///
    /// # Errors
    /// `Error::Input` for media that the checkpoint cannot take.
    pub fn push_message(&mut self, _message: Message) -> Result<()> {
        todo!()
    }

    /// Appends a part to the user's message.
    ///
    /// # Errors
    /// `Error::Input` for media that the checkpoint cannot take, `Error::Context` when it does not fit.
    pub fn push(&mut self, _content: Content) -> Result<()> {
        todo!()
    }

    /// Appends live speech, mono at 16 kHz, to the user's message; what is complete is encoded and read at once.
    ///
    /// # Errors
    /// As [`Session::push`], and `Error::Cancelled`.
    pub fn push_audio(&mut self, _samples: &[f32]) -> Result<()> {
        todo!()
    }

    /// Drops the user's message as far as it was built.
    pub fn discard(&mut self) {
        todo!()
    }

    /// Ends the user's message and begins the answer; `step` does the work.
    ///
    /// # Errors
    /// `Error::Input` for an empty message.
    pub fn respond(&mut self) -> Result<()> {
        todo!()
    }

    /// Does the next piece of work: one text token, one speech frame, or one stretch of the prompt. `None` when the
    /// answer is complete (after [`Event::Finished`]) or none was begun.
    ///
    /// # Errors
    /// The answer has failed; what was said before stays and the session can go on. A cancel is no error: the answer ends with
    /// [`crate::Ending::Cancelled`].
    pub fn step(&mut self) -> Result<Option<Vec<Event>>> {
        todo!()
    }

    /// Speech that is ready, at [`crate::Info::sample_rate_hz`], mono; each sample is given out once.
    pub fn take_samples(&mut self) -> Vec<f32> {
        todo!()
    }

    /// Stops `push_audio` and `step` from another thread, within one kernel.
    pub fn cancel(&self) -> Cancel {
        self.cancel.clone()
    }

    /// Forgets the conversation.
    ///
    /// # Errors
    /// `Error::Input` when a setting no longer fits.
    pub fn reset(&mut self) -> Result<()> {
        todo!()
    }
}
