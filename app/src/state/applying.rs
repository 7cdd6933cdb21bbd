//! What a report of the worker or of the devices changes.

use std::time::Duration;

use engine::{Ending, Progress, Summary};

use super::{Action, End, Model, Spoken, State, Weights, name};
use crate::cli::report::tokens_per_second;
use crate::event::Event;
use crate::logbook::CONVERSATION;
use crate::turn::Input;

impl State {
    /// Takes in a report at `now`.
    pub(crate) fn apply(&mut self, event: Event, now: Duration) -> Vec<Action> {
        let mut actions = self.take(event, now);
        actions.extend(self.ask_next(now));
        actions.extend(self.examine());
        actions
    }

    fn take(&mut self, event: Event, now: Duration) -> Vec<Action> {
        match event {
            Event::Loading(folder) => {
                let name = name(&folder);
                self.folder = Some(folder);
                return self.expect(name, now);
            }
            Event::Placed(placed) => {
                if let Model::Loading(_, progress) = &mut self.model {
                    *progress = placed;
                }
                if let Weights::Coming(progress) = &mut self.weights {
                    *progress = placed;
                }
            }
            Event::Loaded(info, _) => {
                self.model = Model::Ready(info);
                self.weights = Weights::There;
                self.begin_with_model();
                if let Some(untold) = self.untold.take() {
                    self.complain(untold);
                }
                let mut actions = self.settle();
                actions.extend(self.step(Input::Loaded, now));
                actions.extend(self.refuse_spoken(now));
                actions.extend(self.begin_hands_free(now));
                return actions;
            }
            Event::Rebuilding => {
                self.weights = Weights::Coming(Progress::default());
                return self.step(Input::Coming, now);
            }
            Event::Freed => {
                self.weights = Weights::Freed;
                return self.step(Input::Freed, now);
            }
            Event::NotWoken(message) => {
                self.weights = Weights::Freed;
                let told = self.give_back(message);
                self.complain(told);
            }
            Event::Waking => self.weights = Weights::Coming(Progress::default()),
            Event::Rebuilt(info) => {
                self.model = Model::Ready(info);
                self.weights = Weights::There;
                let mut actions = self.step(Input::Loaded, now);
                actions.extend(self.begin_hands_free(now));
                return actions;
            }
            Event::LoadFailed(message) => {
                self.model = Model::Absent;
                self.chosen = None;
                self.weights = Weights::There;
                let told = self.give_back(message);
                self.never_forgotten();
                self.complain(told);
                return self.step(Input::Unloaded, now);
            }
            Event::SettingsRefused(message) => self.complain(message),
            Event::Cleared => self.forgotten(),
            Event::CaptureStarted { turn } => return self.step(Input::CaptureStarted(turn), now),
            Event::CaptureFailed { turn, message } => {
                self.take_back(turn);
                return self.fail(turn, Input::CaptureFailed(turn), message, now);
            }
            Event::Heard { turn, seconds, waveform } => {
                if let Some(exchange) = self.exchange(turn) {
                    exchange.spoken = Some(Spoken { seconds, waveform });
                }
            }
            Event::Text { turn, piece } => self.extend(turn, |answer| answer.text.push_str(&piece)),
            Event::Reasoning { turn, piece } => self.extend(turn, |answer| answer.reasoning.push_str(&piece)),
            Event::ToolCall { turn, call } => self.extend(turn, |answer| answer.calls.push(call)),
            Event::Written { turn, summary } => return self.written(turn, &summary, now),
            Event::SpeechStarted { turn } => {
                if turn == self.turn.number
                    && let Some(asked) = self.asked_at
                {
                    self.figures.first_sound = Some(now.saturating_sub(asked));
                }
                return self.step(Input::SpeechStarted(turn), now);
            }
            Event::SpeechEnded { turn } => {
                let mut actions = self.step(Input::SpeechEnded(turn), now);
                actions.extend(self.record(turn));
                actions.extend(self.finished(turn));
                return actions;
            }
            Event::SpeakerFailed { turn, message } => {
                if turn == self.turn.number {
                    self.complain(message);
                }
            }
            Event::Failed { turn, message } => return self.fail(turn, Input::Failed(turn), message, now),
            Event::NothingHeard { turn, message } => {
                self.take_back(turn);
                if turn == self.turn.number {
                    self.hint(message);
                }
                return self.step(Input::CaptureFailed(turn), now);
            }
            Event::NotKept(message) if self.info().is_none() => {
                let earlier = self.untold.take().map_or_else(String::new, |told| told + "\n");
                self.untold = Some(earlier + &message);
            }
            Event::NotKept(message) => self.complain(message),
            Event::Listed(lines) => self.history.lines = lines,
            Event::Recalled(id, turns) => return self.recalled(id, turns, now),
            Event::Models(report) => self.model_told(report),
            Event::Sound(report) => self.sound_told(report),
            Event::Examined(report) => self.examined(report),
            Event::Ear(ear, report) => return self.ear(ear, report, now),
            Event::Limit { turn, left } => return self.limit(turn, left, now),
        }
        vec![]
    }

    fn fail(&mut self, turn: u64, input: Input, message: String, now: Duration) -> Vec<Action> {
        if turn != self.turn.number {
            return vec![];
        }
        self.complain(message);
        self.extend(turn, |answer| answer.end = Some(End::Failed));
        self.step(input, now)
    }

    fn written(&mut self, turn: u64, summary: &Summary, now: Duration) -> Vec<Action> {
        tracing::info!(turn, samples = summary.samples, "answer written");
        tracing::debug!(target: CONVERSATION, turn, text = summary.text, samples = summary.samples, "answer");
        let end = match summary.ending {
            Ending::Stop => End::Complete,
            Ending::Limit => End::Limit,
            Ending::Cancelled => End::Stopped,
        };
        self.extend(turn, |answer| answer.end = Some(end));
        if turn == self.turn.number {
            self.figures.tokens_per_second = tokens_per_second(summary);
        }
        let spoken = self.settings.speech && summary.samples > 0;
        let mut actions = self.step(Input::Written { number: turn, spoken }, now);
        actions.extend(self.keep_turn(turn));
        // What is still heard is recorded when it ends.
        if !spoken || end == End::Stopped {
            actions.extend(self.record(turn));
        }
        actions.extend(self.finished(turn).filter(|_| !spoken));
        actions
    }

    /// A spoken question of which nothing was heard is none: what was attached to it stays for the next.
    fn take_back(&mut self, turn: u64) {
        self.unwait(turn);
        if let Some(index) = self.exchanges.iter().position(|exchange| exchange.turn == turn) {
            self.attachments.extend(self.exchanges.remove(index).attachments);
        }
    }
}
