//! The bar at the bottom: message, attachments, talk button, text field, state line.

use std::sync::LazyLock;

use crossbeam_channel::Sender;
use eframe::egui::{
    Align, CornerRadius, Frame, Id, Key, Label, Layout, Margin, RichText, TextEdit, Ui, vec2,
};

use super::{hands_free, meter, picture, send, small_button, status, talk_button, theme};
use crate::command::Command;
use crate::language::t;
use crate::state::{Notice, State};
use crate::turn::Stage;

/// Where there is less room, the text field gets a line of its own.
const NARROW: f32 = 620.0;

/// A window lower than this is low.
const LOW: f32 = 600.0;
/// Height of the text field.
const FIELD_HEIGHT: f32 = 40.0;

/// The text field.
pub(super) static DRAFT_ID: LazyLock<Id> = LazyLock::new(|| Id::unique("draft"));

/// The bar at the bottom.
pub(super) fn composer_ui(ui: &mut Ui, state: &State, commands: &Sender<Command>) {
    if let Some(notice) = &state.notice {
        notice_ui(ui, notice, commands);
    }
    if !state.attachments.is_empty() {
        attachments_ui(ui, state, commands);
    }
    // The settings need the room, and so does the first page in a low window, unless something goes on.
    let is_low = ui.ctx().content_rect().height() < LOW;
    let is_needed = state.shows_settings || state.welcome.shown && is_low;
    if !is_needed || state.is_holding() || state.is_answering() || state.is_waiting() {
        controls_ui(ui, state, commands);
    }
    status::status_ui(ui, state);
}

/// Meter, talk button and text field.
fn controls_ui(ui: &mut Ui, state: &State, commands: &Sender<Command>) {
    let palette = theme::palette(ui);
    let (level, label) = match state.turn.stage {
        Stage::Listening { .. } | Stage::Attending => (state.level.get(), t!("Microphone level")),
        Stage::Speaking => (state.level.get(), t!("Speaker level")),
        Stage::Idle if state.is_waiting() => (state.level.get(), t!("Microphone level")),
        _ => (0.0, t!("Level")),
    };
    let is_live = state.is_waiting()
        || matches!(state.turn.stage, Stage::Listening { .. } | Stage::Attending | Stage::Speaking);
    let color = if is_live { palette.stage(state) } else { palette.weak.gamma_multiply(0.35) };
    meter::level_ui(ui, level, is_live, &label, color);
    let is_narrow = ui.available_width() < NARROW;
    ui.horizontal(|ui| {
        talk_button::talk_button_ui(ui, state, commands);
        hands_free::button_ui(ui, state, commands);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if state.turn.stage.is_locked() {
                if ui.button(t!("Cancel")).on_hover_text(t!("Forget what was said (Escape)")).clicked() {
                    send(commands, Command::Stop);
                }
            } else if state.is_answering() {
                if ui.button(t!("Stop")).on_hover_text(t!("Stop the answer (Escape)")).clicked() {
                    send(commands, Command::Stop);
                }
            } else if ui.add_enabled(state.can_submit(), eframe::egui::Button::new(t!("Send"))).clicked() {
                send(commands, Command::Submit);
            }
            if !is_narrow {
                typing_ui(ui, state, commands);
            }
        });
    });
    if is_narrow {
        let row = vec2(ui.available_width(), FIELD_HEIGHT);
        let layout = Layout::right_to_left(Align::Center);
        ui.allocate_ui_with_layout(row, layout, |ui| typing_ui(ui, state, commands));
    }
}

/// The text field and what can go with it, from the right.
fn typing_ui(ui: &mut Ui, state: &State, commands: &Sender<Command>) {
    if ui.button(t!("File…")).on_hover_text(t!("Add a picture or a sound to the question")).clicked() {
        send(commands, Command::PickFile);
    }
    draft_ui(ui, state, commands);
}

fn draft_ui(ui: &mut Ui, state: &State, commands: &Sender<Command>) {
    let mut draft = state.draft.clone();
    let field = TextEdit::singleline(&mut draft)
        .id(*DRAFT_ID)
        .hint_text(t!("Type a question"))
        .desired_width(f32::INFINITY)
        .margin(Margin::symmetric(14, 10));
    let response = ui.add(field);
    // The field has no visible label: its hint is its name.
    ui.ctx().accesskit_node_builder(response.id, |node| node.set_label(t!("Question")));
    if response.changed() {
        send(commands, Command::Draft(draft));
    }
    if response.lost_focus() && ui.input(|i| i.key_pressed(Key::Enter)) {
        send(commands, Command::Submit);
        response.request_focus();
    }
}

fn notice_ui(ui: &mut Ui, notice: &Notice, commands: &Sender<Command>) {
    let palette = theme::palette(ui);
    let color = if notice.is_error { palette.error } else { palette.text };
    let frame = Frame::new()
        .fill(palette.tint(color))
        .corner_radius(CornerRadius::same(theme::ROUND))
        .inner_margin(Margin::symmetric(12, 8));
    frame.show(ui, |ui| {
        ui.horizontal(|ui| {
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                if ui.button(t!("OK")).on_hover_text(t!("Close this message")).clicked() {
                    send(commands, Command::Dismiss);
                }
                ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                    ui.add(Label::new(RichText::new(&notice.text).color(color)).wrap());
                });
            });
        });
    });
}

fn attachments_ui(ui: &mut Ui, state: &State, commands: &Sender<Command>) {
    ui.horizontal_wrapped(|ui| {
        for (i, attachment) in state.attachments.iter().enumerate() {
            picture::attachment_ui(ui, attachment, 64.0, commands);
            let remove = ui.add_enabled_ui(!state.is_holding(), |ui| small_button(ui, &t!("Remove"))).inner;
            if remove.on_hover_text(t!("Do not send %{name}", name = attachment.name())).clicked() {
                send(commands, Command::Detach(i));
            }
        }
    });
}
