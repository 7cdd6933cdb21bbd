//! The settings' page. Each change is sent as a whole; what it does at once and what waits for a reload is said beside it.

mod answers;
mod computer;
mod desktop;
mod formats;
mod keeping;
mod keys;
mod log;
mod look;
mod memory;
mod model;
mod models;
mod recordings;

use std::borrow::Cow;
use std::ops::RangeInclusive;
mod sound;
mod talking;

use crossbeam_channel::Sender;
use eframe::egui::{
    Align, Button, ComboBox, Context, DragValue, Id, Key, Layout, Response, RichText, ScrollArea, Ui,
    UiBuilder, vec2,
};

pub(super) use keys::is_recording as is_recording_key;

use super::{READING_WIDTH, send, theme};
use crate::command::Command;
use crate::language::t;
use crate::preferences::{Deed, Preferences};
use crate::state::State;

/// Room for what stands before a control.
const LABEL_WIDTH: f32 = 170.0;

/// Width of a list of options.
const COMBO_WIDTH: f32 = 230.0;

/// The button of the header.
pub(super) fn button_ui(ui: &mut Ui, state: &State, commands: &Sender<Command>) {
    let button = ui.add(Button::new(t!("Settings")).selected(state.shows_settings));
    let key = state.preferences.keys.of(Deed::Settings).map(|key| format!(" ({key})")).unwrap_or_default();
    if button.on_hover_text(format!("{}{key}", t!("Show the settings"))).clicked() {
        send(commands, Command::ShowSettings(!state.shows_settings));
    }
}

/// Escape closes the page, where no control of it took the key.
pub(super) fn keys(ui: &Ui, state: &State, commands: &Sender<Command>) {
    if !state.shows_settings {
        keys::stop(ui);
    } else if ui.input(|input| input.key_pressed(Key::Escape)) {
        send(commands, Command::ShowSettings(false));
    }
}

/// A part of the page.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Answers,
    Model,
    Computer,
    Sound,
    Talking,
    Look,
    Keeping,
    Keys,
    Desktop,
    Log,
}

impl Section {
    /// All of them, from the top.
    const ALL: [Section; 10] = [
        Section::Answers,
        Section::Model,
        Section::Computer,
        Section::Sound,
        Section::Talking,
        Section::Look,
        Section::Keeping,
        Section::Keys,
        Section::Desktop,
        Section::Log,
    ];

    fn title(self) -> Cow<'static, str> {
        match self {
            Section::Answers => t!("Answers"),
            Section::Model => t!("Model"),
            Section::Computer => t!("This computer"),
            Section::Sound => t!("Sound"),
            Section::Talking => t!("Talking"),
            Section::Look => t!("Look"),
            Section::Keeping => t!("Keeping"),
            Section::Keys => t!("Keys"),
            Section::Desktop => t!("Desktop"),
            Section::Log => t!("Log"),
        }
    }

    fn show(self, ui: &mut Ui, state: &State, preferences: &mut Preferences, commands: &Sender<Command>) {
        match self {
            Section::Answers => answers::answers_ui(ui, state, &mut preferences.answer, commands),
            Section::Model => {
                model::model_ui(ui, state, &mut preferences.model, commands);
                if sought(ui, Target::Models) {
                    ui.scroll_to_cursor(Some(Align::TOP));
                }
                models::models_ui(ui, state, commands);
                if ui.button(t!("What fits this computer?")).clicked() {
                    seek(ui.ctx(), Target::Computer);
                }
                memory::memory_ui(ui, &mut preferences.memory);
            }
            Section::Computer => computer::computer_ui(ui, state, commands),
            Section::Sound => sound::sound_ui(ui, state, &mut preferences.sound, commands),
            Section::Talking => talking::talking_ui(ui, &mut preferences.talking),
            Section::Look => look::look_ui(ui, &mut preferences.look),
            Section::Keeping => {
                keeping::keeping_ui(ui, &mut preferences.keeping);
                recordings::recordings_ui(ui, &mut preferences.keeping, commands);
            }
            Section::Keys => keys::keys_ui(ui, state, &mut preferences.keys),
            Section::Desktop => desktop::desktop_ui(ui, state, &mut preferences.desktop),
            Section::Log => log::log_ui(ui, state, commands),
        }
    }
}

/// A place of the page that a button elsewhere leads to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// The list of larger models.
    Models,
    /// What is known of this machine.
    Computer,
}

fn target_id() -> Id {
    Id::unique("wanted place of the settings")
}

/// Has the page scrolled to a place when it is shown next.
pub(super) fn seek(context: &Context, target: Target) {
    context.data_mut(|data| data.insert_temp(target_id(), target));
}

/// Whether the page is to be scrolled to this place; told once.
fn sought(ui: &Ui, target: Target) -> bool {
    ui.data_mut(|data| {
        let is_sought = data.get_temp(target_id()) == Some(target);
        if is_sought {
            data.remove::<Target>(target_id());
        }
        is_sought
    })
}

/// The page.
pub(super) fn settings_ui(ui: &mut Ui, state: &State, commands: &Sender<Command>) {
    // While a slider is dragged its value stays here: it is chosen when it is let go.
    let id = Id::unique("settings being changed");
    let mut preferences: Preferences =
        ui.data_mut(|data| data.remove_temp(id)).unwrap_or_else(|| state.preferences.clone());
    let side = ((ui.available_width() - READING_WIDTH) / 2.0).max(0.0);
    let mut wanted = None;
    ui.horizontal(|ui| {
        ui.add_space(side);
        wanted = head_ui(ui, side, commands);
    });
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        let column = ui.available_rect_before_wrap().shrink2(vec2(side, 0.0));
        ui.scope_builder(UiBuilder::new().max_rect(column), |ui| {
            ui.spacing_mut().combo_width = COMBO_WIDTH;
            if !state.given.is_empty() {
                let given = state.given.join(", ");
                note_ui(ui, &t!("The command line wins over these settings: %{given}.", given = given));
            }
            for section in Section::ALL {
                let is_sought = section == Section::Computer && sought(ui, Target::Computer);
                section_ui(ui, &section.title(), is_sought || wanted == Some(section));
                section.show(ui, state, &mut preferences, commands);
            }
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

/// What stays above the page: its sections, one of which may be wanted, and the way back.
fn head_ui(ui: &mut Ui, side: f32, commands: &Sender<Command>) -> Option<Section> {
    let mut wanted = None;
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
        ui.add_space(side);
        if ui.button(t!("Done")).on_hover_text(t!("Back to the conversation (Escape)")).clicked() {
            send(commands, Command::ShowSettings(false));
        }
        ui.with_layout(Layout::left_to_right(Align::Center).with_main_wrap(true), |ui| {
            ui.spacing_mut().item_spacing = vec2(0.0, 0.0);
            for section in Section::ALL {
                let to = ui.add(Button::new(section.title()).frame_when_inactive(false));
                if to.on_hover_text(t!("Go to this part of the settings")).clicked() {
                    wanted = Some(section);
                }
            }
        });
    });
    wanted
}

/// The title of a section, which is scrolled to where it is wanted.
fn section_ui(ui: &mut Ui, title: &str, is_wanted: bool) {
    let palette = theme::palette(ui);
    ui.add_space(theme::space::LARGE);
    let label = ui.label(RichText::new(title).strong().color(palette.accent));
    if is_wanted {
        label.scroll_to_me(Some(Align::TOP));
    }
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
    named: fn(T) -> Cow<'static, str>,
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

/// A check box that sets a limit, and below it the field of a limit that is set.
fn limit_ui(
    ui: &mut Ui,
    limit: &mut Option<u32>,
    to_begin_with: u32,
    check: &str,
    field_ui: impl FnOnce(&mut Ui, &mut u32),
) -> Response {
    let mut is_set = limit.is_some();
    let response = ui.checkbox(&mut is_set, check);
    if response.changed() {
        *limit = is_set.then_some(to_begin_with);
    }
    if let Some(limit) = limit {
        field_ui(ui, limit);
    }
    response
}

/// A number with its unit, such as ` days`, which is taken over when the field is left.
fn number_ui(ui: &mut Ui, number: &mut u32, range: RangeInclusive<u32>, unit: &str) -> Response {
    ui.add(DragValue::new(number).range(range).suffix(unit).update_while_editing(false))
}

/// A remark in small letters.
fn note_ui(ui: &mut Ui, text: &str) {
    let palette = theme::palette(ui);
    ui.label(RichText::new(text).small().color(palette.weak));
}

#[cfg(test)]
mod tests;
