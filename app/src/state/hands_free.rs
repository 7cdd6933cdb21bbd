//! A hands-free conversation: when it begins, and what its microphone reports.

use std::time::Duration;

use super::{Action, State};
use crate::event::EarReport;
use crate::language::t;
use crate::turn::{Ear, Input, Stage};

impl State {
    /// Whether the conversation is hands-free and waits for a voice.
    pub(crate) fn is_waiting(&self) -> bool {
        matches!(self.turn.ear, Ear::Open(_)) && self.turn.stage == Stage::Idle
    }

    /// Begins a hands-free conversation, or ends it.
    pub(super) fn hands_free(&mut self, wanted: bool, now: Duration) -> Vec<Action> {
        if wanted && !self.can_talk() {
            self.complain(t!("This model takes no sound. Type your question."));
            return vec![];
        }
        if wanted {
            self.notice = None;
        }
        self.step(Input::HandsFree(wanted), now)
    }

    /// A model is ready: the conversation is hands-free at once where that is preferred.
    pub(super) fn begin_hands_free(&mut self, now: Duration) -> Vec<Action> {
        let wanted = self.preferences.talking.hands_free && self.can_talk();
        if wanted { self.step(Input::HandsFree(true), now) } else { vec![] }
    }

    pub(super) fn ear(&mut self, ear: u64, report: EarReport, now: Duration) -> Vec<Action> {
        let input = match report {
            EarReport::Opened => Input::EarOpened(ear),
            EarReport::Failed(message) => {
                if self.turn.ear == Ear::Opening(ear) || self.turn.ear == Ear::Open(ear) {
                    self.complain(message);
                }
                Input::EarFailed(ear)
            }
            EarReport::Began => Input::VoiceBegan { ear, interrupts: self.preferences.talking.interrupt },
            EarReport::Ended => Input::VoiceEnded(ear),
        };
        self.step(input, now)
    }

    /// A question that goes on by itself is soon as long as it may be, or is so now.
    pub(super) fn limit(&mut self, turn: u64, left: Duration, now: Duration) -> Vec<Action> {
        if turn == self.turn.number && self.is_holding() && (self.turn.stage.is_locked() || self.turn.aside) {
            self.hint(if left.is_zero() {
                t!("The question was sent: it was as long as a question may be.")
            } else {
                t!("The question is sent by itself in %{seconds} seconds.", seconds = left.as_secs())
            });
        }
        if left.is_zero() { self.step(Input::Full(turn), now) } else { vec![] }
    }
}

#[cfg(test)]
mod tests;
