//! The settings' page. Each change is sent as a whole; what it does at once and what waits for a reload is said beside it.

mod answers;
mod keeping;
mod look;
mod model;
mod talking;

use crossbeam_channel::Sender;
use eframe::egui::{
    Align, Button, ComboBox, Id, Key, KeyboardShortcut, Layout, Modifiers, Response, RichText, ScrollArea,
    Ui, UiBuilder, vec2,
};

use super::{READING_WIDTH, send, theme};
use crate::command::Command;
use crate::preferences::Preferences;
use crate::state::State;

/// Opens and closes the page.
const SHORTCUT: KeyboardShortcut = KeyboardShortcut::new(Modifiers::COMMAND, Key::Comma);
/// Room for what stands before a control.
const LABEL_WIDTH: f32 = 170.0;

/// The button of the header.
pub(super) fn button_ui(ui: &mut Ui, state: &State, commands: &Sender<Command>) {
    let button = ui.add(Button::new("Settings").selected(state.shows_settings));
    if button.on_hover_text("Show the settings (Ctrl+comma)").clicked() {
        send(commands, Command::ShowSettings(!state.shows_settings));
    }
}

/// The keys that open and close the page, where no control of it took them.
pub(super) fn keys(ui: &Ui, state: &State, commands: &Sender<Command>) {
    let shows = state.shows_settings;
    let toggled = ui.input_mut(|input| input.consume_shortcut(&SHORTCUT));
    if toggled || shows && ui.input(|input| input.key_pressed(Key::Escape)) {
        send(commands, Command::ShowSettings(!shows));
    }
}

/// The page.
pub(super) fn settings_ui(ui: &mut Ui, state: &State, commands: &Sender<Command>) {
    // While a slider is dragged its value stays here: it is chosen when it is let go.
    let id = Id::unique("settings being changed");
    let mut preferences: Preferences =
        ui.data_mut(|data| data.remove_temp(id)).unwrap_or_else(|| state.preferences.clone());
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        let side = ((ui.available_width() - READING_WIDTH) / 2.0).max(0.0);
        let column = ui.available_rect_before_wrap().shrink2(vec2(side, 0.0));
        ui.scope_builder(UiBuilder::new().max_rect(column), |ui| {
            ui.horizontal(|ui| {
                ui.heading("Settings");
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    if ui.button("Done").on_hover_text("Back to the conversation (Escape)").clicked() {
                        send(commands, Command::ShowSettings(false));
                    }
                });
            });
            if !state.given.is_empty() {
                note_ui(
                    ui,
                    &format!("The command line wins over these settings: {}.", state.given.join(", ")),
                );
            }
            answers::answers_ui(ui, state, &mut preferences.answer, commands);
            model::model_ui(ui, state, &mut preferences.model, commands);
            look::look_ui(ui, &mut preferences.look);
            talking::talking_ui(ui, &mut preferences.talking);
            keeping::keeping_ui(ui, &mut preferences.keeping);
        });
    });
    if preferences != state.preferences {
        if ui.input(|input| input.pointer.any_down()) {
            ui.data_mut(|data| data.insert_temp(id, preferences));
        } else {
            send(commands, Command::Prefer(Box::new(preferences)));
        }
    }
}

/// The title of a section.
fn section_ui(ui: &mut Ui, title: &str) {
    let palette = theme::palette(ui);
    ui.add_space(14.0);
    ui.label(RichText::new(title).strong().color(palette.accent));
    ui.separator();
}

/// A control with its name before it, which is its name for a screen reader too.
fn row_ui(ui: &mut Ui, name: &str, control: impl FnOnce(&mut Ui) -> Response) {
    ui.horizontal(|ui| {
        let height = ui.spacing().interact_size.y;
        let label = ui
            .allocate_ui_with_layout(vec2(LABEL_WIDTH, height), Layout::left_to_right(Align::Center), |ui| {
                ui.set_min_width(LABEL_WIDTH);
                ui.label(name)
            })
            .inner;
        control(ui).labelled_by(label.id);
    });
}

/// One of some options, each with a name.
fn choice_ui<T: Copy + PartialEq>(
    ui: &mut Ui,
    name: &str,
    value: &mut T,
    options: impl IntoIterator<Item = T>,
    named: fn(T) -> &'static str,
) {
    row_ui(ui, name, |ui| {
        let combo = ComboBox::from_id_salt(name).selected_text(named(*value));
        let shown = combo.show_ui(ui, |ui| {
            for option in options {
                ui.selectable_value(value, option, named(option));
            }
        });
        shown.response
    });
}

/// A remark in small letters.
fn note_ui(ui: &mut Ui, text: &str) {
    let palette = theme::palette(ui);
    ui.label(RichText::new(text).small().color(palette.weak));
}

#[cfg(test)]
mod tests;
