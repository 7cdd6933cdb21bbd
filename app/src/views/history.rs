//! The list of kept conversations at the side.

use crossbeam_channel::Sender;
use eframe::egui::{
    Align, Button, Frame, Id, Label, Layout, Panel, RichText, ScrollArea, Stroke, TextEdit, Ui, vec2,
};

use super::{send, theme};
use crate::command::Command;
use crate::language::t;
use crate::state::State;
use crate::store::Line;

/// The button of the header.
pub(super) fn button_ui(ui: &mut Ui, state: &State, commands: &Sender<Command>) {
    let side = ui.spacing().interact_size.y;
    let button = ui.add(Button::selectable(state.history.shown, "").min_size(vec2(side, side)));
    // The three lines of a list, which the font does not have.
    let color = theme::palette(ui).text;
    for row in [-5.0, 0.0, 5.0] {
        let middle = button.rect.center() + vec2(0.0, row);
        ui.painter().hline(middle.x - 7.0..=middle.x + 7.0, middle.y, Stroke::new(1.5, color));
    }
    ui.ctx().accesskit_node_builder(button.id, |node| node.set_label(t!("Conversations")));
    if button.on_hover_text(t!("Show the conversations that are kept")).clicked() {
        send(commands, Command::ShowHistory(!state.history.shown));
    }
}

/// The list.
pub(super) fn panel_ui(ui: &mut Ui, state: &State, commands: &Sender<Command>) {
    if !state.history.shown {
        return;
    }
    let palette = theme::palette(ui);
    let frame = Frame::new().fill(palette.bar).inner_margin(theme::MARGIN);
    let panel = Panel::left("history").frame(frame).default_size(250.0).size_range(200.0..=400.0);
    panel.show(ui, |ui| {
        if state.history.off {
            weak_ui(ui, &t!("Nothing is kept in this run: it was started with --no-history."));
            return;
        }
        search_ui(ui, state, commands);
        Panel::bottom("forget")
            .frame(Frame::new())
            .show_separator_line(false)
            .show(ui, |ui| forget_ui(ui, state, commands));
        if !state.preferences.keeping.conversations {
            weak_ui(ui, &t!("New conversations are not kept: the settings say so."));
        }
        if state.history.lines.is_empty() {
            let searched = !state.history.query.trim().is_empty();
            let text = match searched {
                true => t!("No conversation has these words."),
                false => t!("No conversation is kept yet."),
            };
            weak_ui(ui, &text);
        }
        ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            for line in &state.history.lines {
                line_ui(ui, state, line, commands);
            }
        });
    });
}

fn search_ui(ui: &mut Ui, state: &State, commands: &Sender<Command>) {
    let mut query = state.history.query.clone();
    let field = TextEdit::singleline(&mut query)
        .id(Id::unique("search conversations"))
        .hint_text(t!("Search"))
        .desired_width(f32::INFINITY);
    let response = ui.add(field);
    ui.ctx().accesskit_node_builder(response.id, |node| node.set_label(t!("Search the conversations")));
    if response.changed() {
        send(commands, Command::SearchKept(query));
    }
}

fn line_ui(ui: &mut Ui, state: &State, line: &Line, commands: &Sender<Command>) {
    let palette = theme::palette(ui);
    let is_open = state.history.open == Some(line.id);
    ui.push_id(line.id, |ui| {
        ui.horizontal(|ui| {
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let delete = ui.add(Button::new("×").frame_when_inactive(false));
                let name = t!("Delete %{title}", title = line.title);
                ui.ctx().accesskit_node_builder(delete.id, |node| node.set_label(name));
                if delete.on_hover_text(t!("Delete this conversation for good")).clicked() {
                    send(commands, Command::DeleteKept(line.id));
                }
                ui.with_layout(Layout::top_down_justified(Align::LEFT), |ui| {
                    ui.spacing_mut().item_spacing.y = 0.0;
                    let title = Button::selectable(is_open, &line.title).truncate();
                    if ui.add(title).on_hover_text(&line.title).clicked() {
                        send(commands, Command::OpenKept(line.id));
                    }
                    ui.spacing_mut().interact_size.y = 0.0;
                    ui.horizontal(|ui| {
                        ui.add_space(ui.spacing().button_padding.x);
                        ui.add(Label::new(RichText::new(&line.when).small().color(palette.weak)).truncate());
                    });
                });
            });
        });
    });
}

/// Deletes everything, when it was said twice.
fn forget_ui(ui: &mut Ui, state: &State, commands: &Sender<Command>) {
    let palette = theme::palette(ui);
    ui.add_space(theme::space::MEDIUM);
    if !state.history.confirms {
        if ui.button(t!("Forget everything…")).clicked() {
            send(commands, Command::AskToForget(true));
        }
        return;
    }
    let question = t!("Delete every conversation for good? This cannot be undone.");
    ui.add(Label::new(RichText::new(question).color(palette.error)).wrap());
    ui.horizontal_wrapped(|ui| {
        if ui.button(RichText::new(t!("Delete all")).color(palette.error)).clicked() {
            send(commands, Command::ForgetEverything);
        }
        if ui.button(t!("Keep them")).clicked() {
            send(commands, Command::AskToForget(false));
        }
    });
}

fn weak_ui(ui: &mut Ui, text: &str) {
    let palette = theme::palette(ui);
    ui.add(Label::new(RichText::new(text).small().color(palette.weak)).wrap());
}

#[cfg(test)]
mod tests;
