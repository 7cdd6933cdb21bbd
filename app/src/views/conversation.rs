//! The list of questions and answers.

use std::borrow::Cow;

use crossbeam_channel::Sender;
use eframe::egui::{
    Align, CornerRadius, Frame, Label, Layout, Margin, RichText, ScrollArea, Ui, UiBuilder, vec2,
};

use super::{
    READING_WIDTH, actions, markdown, meter, picture, right_to_left, send, small_button, theme, welcome,
};
use crate::command::Command;
use crate::language::t;
use crate::state::{Answer, End, Exchange, Model, Side, State};
use crate::turn::Stage;

/// The list, scrolled to its end; a greeting where it is empty.
pub(super) fn conversation_ui(ui: &mut Ui, state: &State, commands: &Sender<Command>) {
    if state.welcome.shown {
        return welcome::welcome_ui(ui, state, commands);
    }
    if state.exchanges.is_empty() {
        return greeting_ui(ui, state);
    }
    ScrollArea::vertical().auto_shrink(false).stick_to_bottom(true).show(ui, |ui| {
        let side = ((ui.available_width() - READING_WIDTH) / 2.0).max(0.0);
        let column = ui.available_rect_before_wrap().shrink2(vec2(side, 0.0));
        ui.scope_builder(UiBuilder::new().max_rect(column), |ui| {
            for exchange in &state.exchanges {
                ui.push_id(exchange.turn, |ui| exchange_ui(ui, state, exchange, commands));
            }
            welcome::offer_ui(ui, state, commands);
        });
    });
}

fn exchange_ui(ui: &mut Ui, state: &State, exchange: &Exchange, commands: &Sender<Command>) {
    ui.spacing_mut().item_spacing.y = theme::space::TIGHT;
    let question = ui.scope(|ui| question_ui(ui, exchange, commands)).response.rect;
    actions::question_ui(ui, question, state, exchange, commands);
    let is_coming = exchange.turn == state.turn.number && state.is_answering();
    let answer = ui.scope(|ui| {
        if state.waits(exchange.turn) {
            waiting_ui(ui, state, commands);
        } else {
            answer_ui(ui, state, exchange, is_coming);
        }
    });
    let answer = answer.response.rect;
    actions::answer_ui(ui, answer, state, exchange, commands);
    ui.add_space(theme::space::SMALL);
}

/// In place of an answer to a question that was not asked yet.
fn waiting_ui(ui: &mut Ui, state: &State, commands: &Sender<Command>) {
    let palette = theme::palette(ui);
    let text = match state.turn.waits {
        true => t!("waits for the model"),
        false => t!("is asked next"),
    };
    ui.horizontal(|ui| {
        ui.label(RichText::new(text).small().color(palette.weak));
        if small_button(ui, &t!("Cancel")).on_hover_text(t!("Do not ask what waits (Escape)")).clicked() {
            send(commands, Command::Stop);
        }
    });
}

fn greeting_ui(ui: &mut Ui, state: &State) {
    let palette = theme::palette(ui);
    let (title, text) = match &state.model {
        Model::Absent => {
            (t!("There is no model yet"), t!("Choose its folder with “Model…”, or drop the folder here."))
        }
        _ if state.is_waiting() => {
            (t!("I am listening"), t!("Ask your question aloud; a pause sends it. Or type below."))
        }
        _ if state.turn.stage == Stage::Attending => (t!("I hear you"), t!("A pause sends what you say.")),
        _ if state.turn.stage.is_locked() => {
            (t!("I am listening"), t!("Ask your question aloud; then tap the button, or press Enter."))
        }
        Model::Ready(info) if info.hears => (
            t!("What would you like to know?"),
            t!("Hold Space, ask, and let go; or tap it, ask, and tap again. Or type below."),
        ),
        Model::Ready(_) => (t!("What would you like to know?"), t!("Type your question below.")),
        Model::Loading(..) => (
            t!("One moment"),
            t!("The model is being loaded. You can ask already: it is answered when the model is ready."),
        ),
    };
    ui.vertical_centered(|ui| {
        ui.add_space(ui.available_height() * 0.38);
        ui.label(RichText::new(title).size(theme::size::GREETING).color(palette.text));
        ui.label(RichText::new(text).color(palette.weak));
    });
}

fn question_ui(ui: &mut Ui, exchange: &Exchange, commands: &Sender<Command>) {
    let palette = theme::palette(ui);
    // A column that hugs the right edge: the bubble is as wide as its content.
    ui.with_layout(Layout::top_down(Align::RIGHT), |ui| {
        let bubble = Frame::new()
            .fill(palette.bubble)
            .corner_radius(CornerRadius::same(theme::ROUNDER))
            .inner_margin(Margin::symmetric(14, 10));
        bubble.show(ui, |ui| {
            ui.set_max_width(ui.available_width() * 0.8);
            for attachment in &exchange.attachments {
                picture::attachment_ui(ui, attachment, 160.0, commands);
            }
            if let Some(spoken) = &exchange.spoken {
                // From right to left, as the column is.
                ui.horizontal(|ui| {
                    let text = match spoken.seconds {
                        0.0 => t!("spoken question"),
                        seconds => t!("spoken question, %{seconds} s", seconds = format!("{seconds:.1}")),
                    };
                    ui.label(RichText::new(text).small().color(palette.weak));
                    meter::waveform_ui(ui, &spoken.waveform, palette.accent);
                });
            }
            if let Some(text) = exchange.text.as_ref().filter(|text| right_to_left::has_some(text)) {
                right_to_left::text_ui(ui, text, palette.text);
            } else if let Some(text) = &exchange.text {
                ui.add(Label::new(RichText::new(text).color(palette.text)).wrap().halign(Align::LEFT));
            }
        });
    });
}

fn answer_ui(ui: &mut Ui, state: &State, exchange: &Exchange, is_coming: bool) {
    let palette = theme::palette(ui);
    let answer = &exchange.answer;
    if !answer.reasoning.is_empty() {
        ui.collapsing(RichText::new(t!("Reasoning")).small(), |ui| {
            ui.label(RichText::new(&answer.reasoning).small().color(palette.weak));
        });
    }
    if !answer.text.is_empty() {
        markdown::markdown_ui(ui, &answer.text);
    } else if is_coming {
        ui.label(RichText::new("…").size(theme::size::HEADING).color(palette.weak));
    }
    if !answer.calls.is_empty() {
        let title = match answer.calls.len() {
            1 => t!("A function call"),
            n => t!("%{n} function calls", n = n),
        };
        ui.collapsing(RichText::new(title).small(), |ui| {
            for call in &answer.calls {
                ui.label(RichText::new(call).monospace().color(palette.weak));
            }
        });
    }
    if let Some((seconds, waveform)) = state.clips.outline(exchange.turn, Side::Answer) {
        ui.horizontal(|ui| {
            meter::waveform_ui(ui, &waveform, palette.accent);
            let text = t!("spoken, %{seconds} s", seconds = format!("{seconds:.1}"));
            ui.label(RichText::new(text).small().color(palette.weak));
        });
    }
    if let Some(note) = note(answer) {
        ui.label(RichText::new(note).small().color(palette.weak));
    }
}

/// What is said beneath an answer that is not simply complete.
fn note(answer: &Answer) -> Option<Cow<'static, str>> {
    match answer.end? {
        End::Complete if answer.text.is_empty() && answer.calls.is_empty() => {
            Some(t!("The model had nothing to say."))
        }
        End::Complete => None,
        End::Stopped => Some(t!("stopped")),
        End::Limit => Some(t!("cut off at the limit of the answer's length")),
        End::Failed => Some(t!("failed")),
    }
}
