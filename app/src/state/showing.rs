//! What can be done with a turn that was: edit and ask it again, answer it anew, hear it again, write it down, look closer.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use image::RgbaImage;

use super::{Action, Answer, Attachment, End, Exchange, Figures, Side, State};
use crate::turn::{Input, Stage};

/// A picture that is shown large.
#[derive(Clone, Debug)]
pub(crate) struct Opened {
    /// The picture, with its small copy.
    pub(crate) attachment: Attachment,
    /// The large one, as soon as it is read.
    pub(crate) large: Option<Arc<RgbaImage>>,
}

impl State {
    /// Whether `exchange` can be answered anew: it is the last, and its answer stands in the conversation.
    pub(crate) fn can_regenerate(&self, exchange: &Exchange) -> bool {
        let is_last = self.exchanges.last().is_some_and(|last| last.turn == exchange.turn);
        let is_given = matches!(exchange.answer.end, Some(End::Complete | End::Limit | End::Stopped));
        let is_free = matches!(self.turn.stage, Stage::Idle | Stage::Speaking);
        self.info().is_some() && is_last && is_given && is_free && !exchange.answer.text.is_empty()
    }

    /// Whether a turn's sound can be heard again just now.
    pub(crate) fn can_replay(&self, turn: u64, side: Side) -> bool {
        matches!(self.turn.stage, Stage::Idle | Stage::Speaking) && self.clips.has(turn, side)
    }

    /// Whether there is a conversation to write down.
    pub(crate) fn can_export(&self) -> bool {
        !self.exchanges.is_empty()
    }

    pub(super) fn edit(&mut self, turn: u64) {
        let Some(exchange) = self.exchanges.iter().find(|exchange| exchange.turn == turn) else { return };
        self.draft = exchange.text.clone().unwrap_or_default();
        if !self.is_holding() {
            self.attachments = exchange.attachments.clone();
        }
    }

    pub(super) fn regenerate(&mut self, now: Duration) -> Vec<Action> {
        if !self.exchanges.last().is_some_and(|last| self.can_regenerate(last)) {
            return vec![];
        }
        self.step(Input::Again, now)
    }

    /// The last question becomes that of `turn`.
    pub(super) fn again(&mut self, turn: u64, now: Duration) -> Option<Action> {
        let exchange = self.exchanges.last_mut()?;
        self.clips.ask_again(exchange.turn, turn);
        exchange.turn = turn;
        exchange.answer = Answer::default();
        exchange.recorded = false;
        self.notice = None;
        self.asked_at = Some(now);
        self.figures = Figures::default();
        Some(Action::Again { turn })
    }

    pub(super) fn replay(&mut self, turn: u64, side: Side, now: Duration) -> Vec<Action> {
        if !self.can_replay(turn, side) {
            return vec![];
        }
        self.notice = None;
        self.replayed = Some((turn, side));
        // The first sound of what is only repeated tells nothing about the model.
        self.asked_at = None;
        self.step(Input::Replay, now)
    }

    pub(super) fn export(&self) -> Vec<Action> {
        if !self.can_export() {
            return vec![];
        }
        let model = self.info().map_or_else(String::new, |info| info.name.clone());
        vec![Action::Export { model, exchanges: self.exchanges.clone() }]
    }

    pub(super) fn open(&mut self, attachment: Attachment) -> Vec<Action> {
        let path = attachment.path.clone();
        self.opened = Some(Opened { attachment, large: None });
        vec![Action::Enlarge(path)]
    }

    pub(super) fn enlarged(&mut self, path: &Path, picture: Result<Arc<RgbaImage>, String>) {
        match (picture, self.opened.as_mut().filter(|opened| opened.attachment.path == path)) {
            (Ok(picture), Some(opened)) => opened.large = Some(picture),
            (Err(message), Some(_)) => {
                self.opened = None;
                self.complain(message);
            }
            (_, None) => {}
        }
    }
}

#[cfg(test)]
mod tests;
