//! A spoken question, from the order to listen to its end. A microphone that goes away on the way is followed by another one.

use std::time::{Duration, Instant};

use anyhow::Result;
use engine::Audio;

use super::capture::Capture;
use super::device::Direction;
use super::question::Question;
use super::search::Search;
use super::{Desk, Hearing, Report};
use crate::clips::Side;
use crate::event::Event;
use crate::language::t;

/// Sound that is still taken after the key went up: what the device and its driver hold.
const TAIL: Duration = Duration::from_millis(60);

/// The question so far, and what it comes from.
pub(super) struct Microphone {
    source: Source,
    question: Question,
    started: bool,
    /// It was opened once more.
    again: bool,
    /// When to close, and whether the question counts.
    closing: Option<(Instant, bool)>,
}

enum Source {
    Open(Box<Capture>),
    /// The ear of a hands-free conversation.
    Ear,
    Lost(Search),
    /// Given up; what was heard waits for the end of the question.
    Gone,
}

impl Desk {
    /// Opens the microphone for a turn; what is heard is only kept where it is for later.
    pub(super) fn listen(&mut self, turn: u64, aside: bool) {
        self.level.clear();
        let source = match &mut self.ear {
            Some(ear) => {
                self.overheard = ear.before();
                Ok(Source::Ear)
            }
            None => self.open_microphone().map(|(capture, _)| Source::Open(Box::new(capture))),
        };
        match source {
            Ok(source) => {
                let question = Question::new(turn, aside);
                self.microphone =
                    Some(Microphone { source, question, started: false, again: false, closing: None });
            }
            Err(error) => self.lose_microphone(turn, aside, error.to_string()),
        }
    }

    /// Ends the question of a turn, in a moment where it counts.
    pub(super) fn end_question(&mut self, turn: u64, keep: bool) {
        if let Some(microphone) = self.microphone.as_mut().filter(|m| m.question.turn() == turn) {
            let tail = if keep { TAIL } else { Duration::ZERO };
            microphone.closing = Some((Instant::now() + tail, keep));
        }
    }

    /// The wanted microphone, or the one that stands in for it, and its name.
    pub(super) fn open_microphone(&mut self) -> Result<(Capture, String)> {
        let (device, name) = self.find(Direction::In)?;
        Ok((Capture::open(&device)?, name))
    }

    /// Opens the microphone once more, and tells that it is another one where the old one went away.
    pub(super) fn reopen_microphone(&mut self, is_loss: bool) -> Result<Box<Capture>> {
        let (capture, name) = self.open_microphone()?;
        if is_loss {
            let told = t!("The microphone went away. It goes on with %{name}.", name = name);
            self.events.send(Event::Sound(Report::Hint(told.into())));
        }
        Ok(Box::new(capture))
    }

    /// Another microphone was chosen: what is said from now on comes from there.
    pub(super) fn change_microphone(&mut self) {
        if let Some(microphone) = &mut self.microphone
            && !matches!(microphone.source, Source::Ear)
        {
            let old = std::mem::replace(&mut microphone.source, Source::Lost(Search::new(None)));
            if let Source::Open(capture) = old {
                self.take_rest(*capture);
            }
        }
    }

    /// What an open microphone still holds belongs to the question.
    fn take_rest(&mut self, capture: Capture) {
        let mut last = Vec::new();
        let Some(microphone) = &mut self.microphone else { return };
        let turn = microphone.question.turn();
        match capture.finish(&mut last) {
            Ok(0) => {}
            Ok(lost) => {
                tracing::warn!(turn, lost, "the machine was too busy to take every sample of the microphone")
            }
            Err(error) => tracing::warn!(turn, %error, "the last of the question was lost"),
        }
        self.clips.push(turn, Side::Question, Audio::SAMPLE_RATE_HZ, &last);
        microphone.question.take(&last, &self.hearing);
    }

    fn lose_microphone(&mut self, turn: u64, aside: bool, message: String) {
        self.level.clear();
        self.clips.forget(turn, Side::Question);
        self.end_hearing(turn, aside, false);
        self.events.send(Event::CaptureFailed { turn, message });
    }

    fn end_hearing(&self, turn: u64, aside: bool, keep: bool) {
        if aside {
            return;
        }
        // A worker that is gone takes no questions any more.
        let _ = self.hearing.send(Hearing::End { turn, keep });
    }

    /// Takes in what was heard since the last call.
    pub(super) fn poll_microphone(&mut self) {
        let Some(microphone) = &mut self.microphone else { return };
        match &mut microphone.source {
            Source::Open(_) | Source::Ear => self.hear(),
            Source::Lost(_) => self.look_for_microphone(),
            Source::Gone => {}
        }
        let closing = self.microphone.as_ref().and_then(|microphone| microphone.closing);
        if let Some((at, keep)) = closing
            && Instant::now() >= at
        {
            self.close(keep);
        }
    }

    fn hear(&mut self) {
        let Some(microphone) = &mut self.microphone else { return };
        let turn = microphone.question.turn();
        let mut new = Vec::new();
        let polled = match &mut microphone.source {
            Source::Open(capture) => capture.poll(&mut new),
            Source::Ear => {
                new.append(&mut self.overheard);
                Ok(!new.is_empty())
            }
            _ => return,
        };
        match polled {
            Err(error) => {
                let Source::Open(capture) = &microphone.source else { return };
                // One that gives nothing is opened once more, as after a sleep of the machine, and then given up.
                let hopeless = microphone.again && !capture.has_given();
                let search = Source::Lost(Search::new(Some(error.to_string())));
                tracing::warn!(turn, %error, "the microphone was lost");
                self.level.clear();
                let old = std::mem::replace(&mut microphone.source, search);
                if let Source::Open(capture) = old {
                    self.take_rest(*capture);
                }
                if hopeless {
                    self.give_up_microphone(error.to_string());
                }
                return;
            }
            Ok(true) if !microphone.started => {
                microphone.started = true;
                self.events.send(Event::CaptureStarted { turn });
            }
            Ok(_) => {}
        }
        if !new.is_empty() {
            self.level.take(&new);
        }
        self.clips.push(turn, Side::Question, Audio::SAMPLE_RATE_HZ, &new);
        microphone.question.take(&new, &self.hearing);
        if let Some(left) = microphone.question.limit() {
            self.events.send(Event::Limit { turn, left });
        }
    }

    fn look_for_microphone(&mut self) {
        let Some(microphone) = &mut self.microphone else { return };
        let Source::Lost(search) = &mut microphone.source else { return };
        if !search.is_due() {
            return;
        }
        let (is_loss, is_over) = (search.is_loss(), search.is_over());
        match self.reopen_microphone(is_loss) {
            Ok(capture) => {
                if let Some(microphone) = &mut self.microphone {
                    microphone.source = Source::Open(capture);
                    microphone.again = is_loss;
                }
            }
            Err(error) if is_over => {
                let microphone = self.microphone.as_mut();
                let source = microphone.map(|m| std::mem::replace(&mut m.source, Source::Gone));
                if let Some(Source::Lost(search)) = source {
                    self.give_up_microphone(search.into_fault(&error));
                }
            }
            Err(_) => {}
        }
    }

    /// There is no microphone any more. What was heard can still be asked.
    fn give_up_microphone(&mut self, fault: String) {
        let Some(mut microphone) = self.microphone.take() else { return };
        if microphone.question.has_speech() {
            microphone.source = Source::Gone;
            self.microphone = Some(microphone);
            let told = t!("The microphone went away. What was heard before can still be sent.");
            self.events.send(Event::Sound(Report::Hint(told.into())));
        } else {
            self.lose_microphone(microphone.question.turn(), microphone.question.is_aside(), fault);
        }
    }

    fn close(&mut self, keep: bool) {
        let Some(microphone) = &mut self.microphone else { return };
        if let Source::Open(capture) = std::mem::replace(&mut microphone.source, Source::Gone) {
            self.take_rest(*capture);
        }
        let Some(Microphone { mut question, .. }) = self.microphone.take() else { return };
        let (turn, aside) = (question.turn(), question.is_aside());
        self.level.clear();
        question.flush(&self.hearing);
        if let Some(message) = question.fault().filter(|_| keep) {
            self.end_hearing(turn, aside, false);
            self.clips.forget(turn, Side::Question);
            return self.events.send(Event::NothingHeard { turn, message: message.into() });
        }
        self.end_hearing(turn, aside, keep);
        if !keep {
            self.clips.forget(turn, Side::Question);
        }
        if keep {
            let seconds = question.seconds();
            self.events.send(Event::Heard { turn, seconds, waveform: question.into_waveform() });
        }
    }
}
