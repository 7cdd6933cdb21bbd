//! The bar at the top: which model, which voice, a new conversation.

use std::borrow::Cow;

use crossbeam_channel::Sender;
use eframe::egui::{Button, Color32, ComboBox, Label, RichText, Sides, TextStyle, Ui};

use super::{history, send, settings, theme};
use crate::command::Command;
use crate::language::t;
use crate::state::{Model, State};

/// Room for what stands beside the buttons' words.
const BESIDE_WORDS: f32 = 440.0;

/// The bar at the top. Where there is little room, the model's name gives way.
pub(super) fn header_ui(ui: &mut Ui, state: &State, commands: &Sender<Command>) {
    let palette = theme::palette(ui);
    // Where there is little room, the rarer buttons are in a menu.
    let is_wide = ui.available_width() >= BESIDE_WORDS + words_width(ui);
    let name = |ui: &mut Ui| {
        history::button_ui(ui, state, commands);
        ui.label(RichText::new("Colloquy").heading().color(palette.accent));
        let name = match &state.model {
            Model::Absent => t!("no model"),
            Model::Loading(..) => t!("loading, you can already speak"),
            Model::Ready(info) => (&info.name).into(),
        };
        ui.add(Label::new(RichText::new(name).small().color(palette.weak)).truncate());
    };
    let buttons = |ui: &mut Ui| {
        if is_wide {
            model_ui(ui, commands);
        } else {
            ui.menu_button(t!("More"), |ui| {
                export_ui(ui, state, commands);
                model_ui(ui, commands);
            });
        }
        if ui.button(t!("New")).on_hover_text(t!("Begin another conversation")).clicked() {
            send(commands, Command::NewConversation);
        }
        settings::button_ui(ui, state, commands);
        if is_wide {
            export_ui(ui, state, commands);
        }
        voice_ui(ui, state, is_wide, commands);
    };
    Sides::new().shrink_left().show(ui, name, buttons);
}

/// Width of the buttons' words, which depends on the language.
fn words_width(ui: &Ui) -> f32 {
    let words = [t!("Speak"), t!("Export…"), t!("Settings"), t!("New"), t!("Model…")];
    let font = TextStyle::Button.resolve(ui.style());
    let width = |word: Cow<'_, str>| {
        ui.painter().layout_no_wrap(word.into_owned(), font.clone(), Color32::WHITE).size().x
    };
    words.into_iter().map(width).sum()
}

fn model_ui(ui: &mut Ui, commands: &Sender<Command>) {
    if ui.button(t!("Model…")).on_hover_text(t!("Choose the folder of another model")).clicked() {
        send(commands, Command::PickModel);
    }
}

fn export_ui(ui: &mut Ui, state: &State, commands: &Sender<Command>) {
    let export = ui.add_enabled(state.can_export(), Button::new(t!("Export…")));
    if export.on_hover_text(t!("Write this conversation to a folder")).clicked() {
        send(commands, Command::Export);
    }
}

/// Whether it speaks, and how. Where there is little room, the voice is in the settings alone.
fn voice_ui(ui: &mut Ui, state: &State, is_wide: bool, commands: &Sender<Command>) {
    let Some(info) = state.info().filter(|info| !info.voices.is_empty()) else { return };
    let mut speech = state.settings.speech;
    if ui.checkbox(&mut speech, t!("Speak")).on_hover_text(t!("Speak the answers")).changed() {
        send(commands, Command::Speech(speech));
    }
    if info.voices.len() < 2 || !speech || !is_wide {
        return;
    }
    let wanted = state.settings.voice.as_deref().unwrap_or(&info.voices[0]);
    let current =
        info.voices.iter().find(|voice| voice.eq_ignore_ascii_case(wanted)).unwrap_or(&info.voices[0]);
    let combo = ComboBox::from_id_salt("voice").selected_text(title(current)).show_ui(ui, |ui| {
        for voice in &info.voices {
            if ui.selectable_label(voice == current, title(voice)).clicked() {
                send(commands, Command::Voice(voice.clone()));
            }
        }
    });
    combo.response.on_hover_text(t!("Voice"));
}

/// A name as one writes it: checkpoints have it in small letters.
pub(super) fn title(voice: &str) -> String {
    let mut letters = voice.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
