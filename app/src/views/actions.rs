//! What can be done with a question and with an answer: small buttons that show themselves under the pointer or the keyboard's focus.

use crossbeam_channel::Sender;
use eframe::egui::{Align, Id, Layout, Rect, Ui};

use super::composer::DRAFT_ID;
use super::{send, small_button};
use crate::command::Command;
use crate::language::t;
use crate::state::{Exchange, Side, State};

/// How well buttons are seen that nobody points at.
const HIDDEN: f32 = 0.0;

/// Buttons under a question that takes `rect`.
pub(super) fn question_ui(
    ui: &mut Ui,
    rect: Rect,
    state: &State,
    exchange: &Exchange,
    commands: &Sender<Command>,
) {
    let turn = exchange.turn;
    row_ui(ui, "question", rect, Layout::right_to_left(Align::Center), |ui| {
        if exchange.text.is_some() && small_button(ui, &t!("Edit")).clicked() {
            send(commands, Command::Edit(turn));
            ui.memory_mut(|memory| memory.request_focus(*DRAFT_ID));
        }
        if state.can_replay(turn, Side::Question) && small_button(ui, &t!("Play question")).clicked() {
            send(commands, Command::Replay { turn, side: Side::Question });
        }
    });
}

/// Buttons under an answer that takes `rect`.
pub(super) fn answer_ui(
    ui: &mut Ui,
    rect: Rect,
    state: &State,
    exchange: &Exchange,
    commands: &Sender<Command>,
) {
    let turn = exchange.turn;
    row_ui(ui, "answer", rect, Layout::left_to_right(Align::Center), |ui| {
        if !exchange.answer.text.is_empty() && small_button(ui, &t!("Copy")).clicked() {
            ui.copy_text(exchange.answer.text.clone());
        }
        if state.can_replay(turn, Side::Answer) && small_button(ui, &t!("Speak again")).clicked() {
            send(commands, Command::Replay { turn, side: Side::Answer });
        }
        if exchange.answer.end.is_some()
            && state.clips.has(turn, Side::Answer)
            && small_button(ui, &t!("Save as WAV…")).clicked()
        {
            send(commands, Command::SaveSpeech(turn));
        }
        if state.can_regenerate(exchange) && small_button(ui, &t!("Regenerate")).clicked() {
            send(commands, Command::Regenerate);
        }
    });
}

/// A row of buttons beneath what takes `rect`. Its height is always there, so that nothing jumps.
fn row_ui(ui: &mut Ui, name: &str, rect: Rect, layout: Layout, buttons: impl FnOnce(&mut Ui)) {
    let id: Id = ui.scope_id().with(name);
    let had_focus: bool = ui.data(|data| data.get_temp(id)).unwrap_or_default();
    let row = ui.available_rect_before_wrap().with_max_y(ui.cursor().top() + 26.0);
    let shown = had_focus || ui.rect_contains_pointer(rect.union(row));
    let response = ui.allocate_ui_with_layout(row.size(), layout, |ui| {
        ui.set_min_height(row.height());
        ui.spacing_mut().item_spacing.x = 2.0;
        if !shown {
            ui.multiply_opacity(HIDDEN);
        }
        ui.scope(buttons).response
    });
    let focused = ui.memory(|memory| memory.focused());
    let has_focus = focused
        .and_then(|focused| ui.ctx().read_response(focused))
        .is_some_and(|focused| response.response.rect.contains_rect(focused.rect));
    if has_focus != had_focus {
        ui.data_mut(|data| data.insert_temp(id, has_focus));
        ui.ctx().request_repaint();
    }
}
