//! Questions that were asked before the model was there. They are kept, and asked one after the other as soon as it is.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use engine::{Audio, Progress, Trimmer};

use super::{Action, Attachment, End, Exchange, Figures, Model, Side, State, Weights};
use crate::cli::prompt::Part;
use crate::clips::Clip;
use crate::language::t;
use crate::turn::{Input, Stage};

/// Seconds of speech after which no other question is listened to until the model is there. The last one may be as long itself,
/// so that at most ten minutes are kept: 38 MB.
const MOST_SPEECH: f32 = 300.0;

/// What waits for the model.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    /// Turns whose questions were not asked yet, in order.
    turns: VecDeque<u64>,
    /// The conversation with the model that is being loaded has begun.
    begun: bool,
    /// The conversation that the worker is still to forget is already another one here.
    forgotten: bool,
}

impl State {
    /// Whether the question of this turn was not asked yet.
    pub(crate) fn waits(&self, turn: u64) -> bool {
        self.waiting.turns.contains(&turn)
    }

    /// Whether a question was not asked yet.
    pub(crate) fn has_waiting(&self) -> bool {
        !self.waiting.turns.is_empty()
    }

    /// Another model is on its way.
    pub(super) fn expect(&mut self, name: String, now: Duration) -> Vec<Action> {
        self.model = Model::Loading(name, Progress::default());
        self.weights = Weights::There;
        self.notice = None;
        self.step(Input::Coming, now)
    }

    /// The conversation with the loaded model begins, unless it has begun while that was on its way.
    pub(super) fn begin_with_model(&mut self) {
        if !std::mem::take(&mut self.waiting.begun) {
            // What is being said just now belongs to the new one.
            self.clear_before(if self.is_holding() { self.turn.number } else { u64::MAX });
            self.begin_another();
        }
    }

    /// Keeps a question that came before the model.
    pub(super) fn put_aside(&mut self, exchange: Exchange) {
        if matches!(self.model, Model::Loading(..)) && !self.waiting.begun {
            self.clear_before(exchange.turn);
            self.begin_another();
            self.waiting.begun = true;
        }
        self.notice = None;
        self.waiting.turns.push_back(exchange.turn);
        self.exchanges.push(exchange);
    }

    /// Has the model loaded again whose memory was given back.
    pub(super) fn wake(&mut self) -> Option<Action> {
        let is_freed = self.weights == Weights::Freed;
        is_freed.then(|| {
            self.weights = Weights::Coming(Progress::default());
            Action::Wake
        })
    }

    /// Asks the next question that waits, once the model is there and has nothing else to do.
    pub(super) fn ask_next(&mut self, now: Duration) -> Vec<Action> {
        let Some(&turn) = self.waiting.turns.front().filter(|_| !self.turn.waits) else { return vec![] };
        let is_idle = self.turn.stage == Stage::Idle;
        let spoken =
            self.exchange(turn).map(|exchange| exchange.spoken.as_ref().map(|spoken| spoken.seconds));
        match spoken {
            // It is still coming in.
            Some(Some(0.0)) => vec![],
            Some(Some(_)) if !self.clips.has(turn, Side::Question) => {
                self.unwait(turn);
                self.extend(turn, |answer| answer.end = Some(End::Failed));
                self.ask_next(now)
            }
            Some(_) if is_idle => self.step(Input::Next, now),
            Some(_) => vec![],
            None => {
                self.unwait(turn);
                self.ask_next(now)
            }
        }
    }

    /// The first question that waits becomes that of `turn`.
    pub(super) fn ask_waiting(&mut self, turn: u64, now: Duration) -> Option<Action> {
        let old = self.waiting.turns.pop_front()?;
        self.clips.ask_again(old, turn);
        let sound = self.clips.get(turn, Side::Question);
        self.asked_at = Some(now);
        self.figures = Figures::default();
        let exchange = self.exchange(old)?;
        exchange.turn = turn;
        let mut parts: Vec<_> = exchange.attachments.iter().map(Attachment::part).collect();
        parts.extend(exchange.text.clone().map(Part::Text));
        if exchange.spoken.is_some() {
            parts.extend(sound.map(|clip| Part::Sound(Arc::new(speech(&clip)))));
        }
        Some(Action::Ask { turn, parts })
    }

    /// A model that takes no sound cannot be asked what was said.
    pub(super) fn refuse_spoken(&mut self, now: Duration) -> Vec<Action> {
        if self.can_talk() {
            return vec![];
        }
        let waiting = self.exchanges.iter().filter(|exchange| self.waits(exchange.turn));
        let spoken: Vec<_> = waiting.filter(|e| e.spoken.is_some()).map(|exchange| exchange.turn).collect();
        if !spoken.is_empty() || self.is_holding() {
            self.complain(t!("This model takes no sound. Type your question."));
        }
        for turn in spoken {
            self.unwait(turn);
            self.extend(turn, |answer| answer.end = Some(End::Failed));
        }
        let mut actions = if self.is_holding() { self.step(Input::Stop, now) } else { vec![] };
        actions.extend(self.step(Input::HandsFree(false), now));
        actions
    }

    /// Whether more can be said before the model is there; where not, that is told.
    pub(super) fn has_room_for_speech(&mut self) -> bool {
        let spoken = self.exchanges.iter().filter(|exchange| self.waits(exchange.turn));
        let seconds: f32 = spoken.filter_map(|exchange| Some(exchange.spoken.as_ref()?.seconds)).sum();
        let has_room = !self.turn.waits || seconds < MOST_SPEECH;
        if !has_room {
            self.hint(t!("Five minutes of speech wait for the model already. Wait until it is ready."));
        }
        has_room
    }

    /// Drops what waits; it can still be read, edited and heard.
    pub(super) fn drop_waiting(&mut self) {
        for turn in std::mem::take(&mut self.waiting.turns) {
            self.extend(turn, |answer| answer.end = Some(End::Stopped));
        }
    }

    /// Forgets what waits.
    pub(super) fn forget_waiting(&mut self) {
        self.waiting.turns.clear();
    }

    /// The question of a turn is none.
    pub(super) fn unwait(&mut self, turn: u64) {
        self.waiting.turns.retain(|waiting| *waiting != turn);
    }

    /// The model does not come: what was typed goes back to the composer, what was said is kept for another try. Returns what is to
    /// be told.
    pub(super) fn give_back(&mut self, fault: String) -> String {
        let mut told = fault;
        if self.is_holding() && self.turn.aside {
            told = format!("{told} {}", t!("What you were saying is lost."));
        }
        let mut typed = vec![];
        for turn in self.waiting.turns.clone() {
            let Some(at) = self.exchanges.iter().position(|exchange| exchange.turn == turn) else { continue };
            if self.exchanges[at].spoken.is_none() {
                self.unwait(turn);
                typed.push(self.exchanges.remove(at));
            }
        }
        self.waiting.begun &= self.has_waiting();
        if self.has_waiting() {
            let kept = t!("What you said is kept, and asked as soon as a model is ready; Escape drops it.");
            told = format!("{told} {kept}");
        }
        let draft = std::mem::take(&mut self.draft);
        let texts = typed.iter().filter_map(|exchange| exchange.text.clone()).chain([draft]);
        self.draft = texts.filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ");
        let attachments = typed.into_iter().flat_map(|exchange| exchange.attachments);
        self.attachments = attachments.chain(std::mem::take(&mut self.attachments)).collect();
        told
    }

    /// Begins another conversation. While the model is on its way it begins here at once, as the worker takes its time.
    pub(super) fn start_over(&mut self, now: Duration) -> Vec<Action> {
        let mut actions = self.step(Input::Stop, now);
        self.drop_waiting();
        if self.turn.waits {
            self.clear();
            self.begin_another();
            self.waiting.begun = matches!(self.model, Model::Loading(..));
            self.waiting.forgotten = true;
        }
        actions.push(Action::Reset);
        actions
    }

    /// The worker has no conversation to forget.
    pub(super) fn never_forgotten(&mut self) {
        self.waiting.forgotten = false;
    }

    /// The worker forgot the conversation.
    pub(super) fn forgotten(&mut self) {
        if !std::mem::take(&mut self.waiting.forgotten) {
            self.clear();
            self.begin_another();
        }
    }
}

/// What is speech of a recording.
fn speech(clip: &Clip) -> Clip {
    let (mut trimmer, mut samples) = (Trimmer::new(), Vec::new());
    trimmer.push(&clip.samples, &mut samples);
    trimmer.finish(&mut samples);
    Clip { rate_hz: Audio::SAMPLE_RATE_HZ, samples }
}

#[cfg(test)]
mod tests;
