//! Kept conversations: what is kept of a turn, and what follows when an old conversation is opened again.

use std::time::Duration;

use engine::Role;

use super::{Action, Answer, Attachment, End, Exchange, Side, Spoken, State};
use crate::cli::prompt::{self, Part};
use crate::clips::Clip;
use crate::language::t;
use crate::preferences::Preferences;
use crate::store::{Attached, Line, Turn};
use crate::turn::Input;

/// What is to be kept for good, or looked up there.
#[derive(Clone, Debug)]
pub(crate) enum Keep {
    /// The settings.
    Preferences(Box<Preferences>),
    /// A turn that is over.
    Turn {
        /// Which of this window's conversations it belongs to.
        place: u64,
        /// The kept conversation that this one goes on with.
        continues: Option<i64>,
        /// Its number in this window.
        number: u64,
        /// What was said.
        turn: Box<Turn>,
    },
    /// How a turn sounded, after the turn itself.
    Sounds {
        /// Which of this window's conversations it belongs to.
        place: u64,
        /// The turn's number in this window.
        number: u64,
        /// Who is heard, and what.
        sounds: Vec<(Side, Clip)>,
    },
    /// Delete all recordings.
    DeleteSounds,
    /// List conversations that hold these words.
    Search(String),
    /// Look up a conversation.
    Recall(i64),
    /// Delete a conversation.
    Delete(i64),
    /// Delete all conversations.
    Forget,
}

/// What the list of conversations shows.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// Conversations that hold what is searched for, the newest first.
    pub(crate) lines: Vec<Line>,
    /// What is searched for.
    pub(crate) query: String,
    /// Whether the list is shown.
    pub(crate) shown: bool,
    /// Whether it is asked if everything is to be deleted.
    pub(crate) confirms: bool,
    /// The kept conversation that is open.
    pub(crate) open: Option<i64>,
    /// Nothing may be kept in this run.
    pub(crate) off: bool,
    /// Counts this window's conversations.
    place: u64,
}

/// What stands for the words of a question that was only spoken.
const SPOKEN: &str = "(a spoken question)";

impl State {
    /// Opens a kept conversation, once it is looked up.
    pub(super) fn open_kept(&mut self, id: i64, now: Duration) -> Vec<Action> {
        if self.info().is_none() {
            self.complain(t!("A conversation can be opened when a model is loaded."));
            return vec![];
        }
        let mut actions = self.step(Input::Stop, now);
        actions.push(Action::Keep(Keep::Recall(id)));
        actions
    }

    /// Shows a kept conversation, and has the model read it.
    pub(super) fn recalled(&mut self, id: i64, turns: Vec<Turn>, now: Duration) -> Vec<Action> {
        let mut actions = self.step(Input::Stop, now);
        self.clear();
        self.shows_settings = false;
        self.begin_another();
        self.history.open = Some(id);
        let mut messages = vec![];
        // Numbers that no turn of this window will have.
        let first = u64::MAX - turns.len() as u64;
        for (turn, number) in turns.into_iter().zip(first..) {
            for (side, clip) in turn.sounds() {
                self.clips.push(number, side, clip.rate_hz, &clip.samples);
            }
            let sound = turn.question_sound.clone();
            let mut exchange = exchange(turn, number);
            if let (Some(spoken), Some((_, waveform))) =
                (&mut exchange.spoken, self.clips.outline(number, Side::Question))
            {
                spoken.waveform = waveform;
            }
            let mut parts: Vec<_> = exchange.attachments.iter().map(Attachment::part).collect();
            parts.push(match (exchange.text.clone(), sound) {
                (Some(text), _) => Part::Text(text),
                (None, Some(sound)) => Part::Sound(sound),
                (None, None) => Part::Text(SPOKEN.into()),
            });
            messages.push(prompt::Turn::new(Role::User, parts));
            let parts = vec![Part::Text(exchange.answer.text.clone())];
            messages.push(prompt::Turn::new(Role::Assistant, parts));
            self.exchanges.push(exchange);
        }
        actions.push(Action::Resume(messages));
        actions
    }

    /// The conversation ended; the next turn begins another.
    pub(super) fn begin_another(&mut self) {
        self.history.place += 1;
        self.history.open = None;
    }

    /// Has a turn kept, where that is wanted.
    pub(super) fn keep_turn(&mut self, number: u64) -> Option<Action> {
        if self.history.off || !self.preferences.keeping.conversations {
            return None;
        }
        let exchange = self.exchanges.iter_mut().rev().find(|exchange| exchange.turn == number)?;
        let again = std::mem::replace(&mut exchange.kept, true);
        let attached = |attachment: &Attachment| Attached {
            path: attachment.path.clone(),
            thumbnail: attachment.thumbnail.clone(),
        };
        let is_newest = number == self.turn.number;
        let turn = Turn {
            question: exchange.text.clone(),
            spoken_seconds: exchange.spoken.as_ref().map(|spoken| spoken.seconds),
            attached: exchange.attachments.iter().map(attached).collect(),
            answer: exchange.answer.text.clone(),
            ending: exchange.answer.end.map_or("", name).into(),
            tokens_per_second: self.figures.tokens_per_second.filter(|_| is_newest),
            first_sound_ms: self
                .figures
                .first_sound
                .filter(|_| is_newest)
                .map(|time| time.as_millis() as u64),
            again,
            ..Turn::default()
        };
        let (place, continues) = (self.history.place, self.history.open);
        Some(Action::Keep(Keep::Turn { place, continues, number, turn: Box::new(turn) }))
    }

    /// Has a turn's sound kept, where that is wanted. Once, after the turn itself.
    pub(super) fn record(&mut self, number: u64) -> Option<Action> {
        let wanted = self.preferences.keeping.recordings;
        let clips = self.clips.clone();
        let place = self.history.place;
        let exchange = self.exchange(number).filter(|exchange| exchange.kept && !exchange.recorded)?;
        exchange.recorded = true;
        let sides = [Side::Question, Side::Answer].into_iter();
        let sounds: Vec<_> = sides.filter_map(|side| Some((side, clips.get(number, side)?))).collect();
        let any = wanted && !sounds.is_empty();
        any.then_some(Action::Keep(Keep::Sounds { place, number, sounds }))
    }

    /// Deletes every recording; the words stay.
    pub(super) fn delete_sounds(&mut self) -> Vec<Action> {
        self.hint(t!("All recordings are deleted."));
        vec![Action::Keep(Keep::DeleteSounds)]
    }

    /// Deletes every kept conversation, and what the window shows.
    pub(super) fn forget_everything(&mut self, now: Duration) -> Vec<Action> {
        self.history.confirms = false;
        self.history.query.clear();
        let mut actions = vec![Action::Keep(Keep::Forget)];
        actions.extend(self.start_over(now));
        // A turn that is still ending belongs to what is forgotten.
        self.clear();
        self.begin_another();
        actions
    }
}

fn exchange(turn: Turn, number: u64) -> Exchange {
    let attachment = |attached: Attached| Attachment { path: attached.path, thumbnail: attached.thumbnail };
    Exchange {
        turn: number,
        attachments: turn.attached.into_iter().map(attachment).collect(),
        spoken: turn.spoken_seconds.map(|seconds| Spoken { seconds, ..Spoken::default() }),
        text: turn.question,
        answer: Answer { text: turn.answer, end: Some(end(&turn.ending)), ..Answer::default() },
        kept: true,
        recorded: true,
    }
}

/// Names in the file, both ways.
const ENDS: [(End, &str); 4] =
    [(End::Complete, "complete"), (End::Stopped, "stopped"), (End::Limit, "limit"), (End::Failed, "failed")];

fn name(end: End) -> &'static str {
    ENDS.iter().find(|(known, _)| *known == end).map_or("", |(_, name)| name)
}

fn end(name: &str) -> End {
    ENDS.iter().find(|(_, known)| *known == name).map_or(End::Complete, |(end, _)| *end)
}

#[cfg(test)]
mod tests;
