//! How answers are made. Works from the next answer on; what the assistant is told, from the next conversation on.

use crossbeam_channel::Sender;
use eframe::egui::{ComboBox, DragValue, Slider, TextEdit, Ui};

use super::{note_ui, row_ui};
use crate::command::Command;
use crate::language::t;
use crate::preferences::{Answering, Choosing, SHARES, SpokenLanguage, TEMPERATURES, presets};
use crate::state::State;
use crate::views::{header, send};

/// The section.
pub(super) fn answers_ui(ui: &mut Ui, state: &State, answer: &mut Answering, commands: &Sender<Command>) {
    ui.checkbox(&mut answer.speak, t!("Speak the answers"));
    if let Some(info) = state.info().filter(|info| !info.voices.is_empty()) {
        row_ui(ui, &t!("Voice"), |ui| {
            let current = answer.voice.clone();
            let shown = current.as_deref().map_or_else(|| t!("The model's first").into(), header::title);
            let combo = ComboBox::from_id_salt("preferred voice").selected_text(shown).show_ui(ui, |ui| {
                ui.selectable_value(&mut answer.voice, None, t!("The model's first"));
                for voice in &info.voices {
                    ui.selectable_value(&mut answer.voice, Some(voice.clone()), header::title(voice));
                }
            });
            combo.response
        });
    }
    language_ui(ui, answer);
    system_ui(ui, state, answer, commands);
    sampling_ui(ui, answer);
}

/// In which language it answers.
fn language_ui(ui: &mut Ui, answer: &mut Answering) {
    row_ui(ui, &t!("Language of answers"), |ui| {
        let as_asked = t!("That of the question");
        let shown = answer.language.map_or(as_asked.as_ref(), |language| language.name());
        let combo = ComboBox::from_id_salt("spoken language").selected_text(shown).show_ui(ui, |ui| {
            ui.selectable_value(&mut answer.language, None, as_asked.as_ref());
            for language in SpokenLanguage::ALL {
                ui.selectable_value(&mut answer.language, Some(language), language.name());
            }
        });
        combo.response.on_hover_text(t!("A hint for the model; it holds from the next conversation on"))
    });
}

/// What the assistant is told about itself.
fn system_ui(ui: &mut Ui, state: &State, answer: &mut Answering, commands: &Sender<Command>) {
    row_ui(ui, &t!("Instructions"), |ui| {
        let presets = presets();
        let preset = presets.iter().find(|(_, text)| *text == answer.system.as_deref());
        let shown = preset.map_or_else(|| t!("Own words"), |(name, _)| name.clone());
        let combo = ComboBox::from_id_salt("instructions").selected_text(shown).show_ui(ui, |ui| {
            for (name, text) in presets {
                ui.selectable_value(&mut answer.system, text.map(str::to_owned), name);
            }
        });
        combo.response
    });
    let mut text = answer.system.clone().unwrap_or_default();
    let field = TextEdit::multiline(&mut text)
        .hint_text(t!("What the assistant is told about itself; empty leaves it to the model"))
        .desired_rows(3)
        .desired_width(f32::INFINITY);
    let response = ui.add(field);
    ui.ctx().accesskit_node_builder(response.id, |node| node.set_label(t!("Text of the instructions")));
    if response.changed() {
        answer.system = Some(text).filter(|text| !text.trim().is_empty());
    }
    ui.horizontal(|ui| {
        note_ui(ui, &t!("The instructions hold from the next conversation on."));
        if ui
            .add_enabled(!state.exchanges.is_empty(), eframe::egui::Button::new(t!("New conversation")))
            .clicked()
        {
            send(commands, Command::NewConversation);
        }
    });
}

/// How text tokens are chosen.
fn sampling_ui(ui: &mut Ui, answer: &mut Answering) {
    let mut own = answer.sampling.is_none();
    if ui.checkbox(&mut own, t!("Choose words as the model recommends")).changed() {
        answer.sampling = (!own).then(Choosing::default);
    }
    let Some(sampling) = &mut answer.sampling else { return };
    row_ui(ui, &t!("Temperature"), |ui| {
        let slider = Slider::new(&mut sampling.temperature, TEMPERATURES).step_by(0.05);
        ui.add(slider).on_hover_text(t!("0 always takes the most likely word; higher is more varied"))
    });
    row_ui(ui, &t!("Top k"), |ui| {
        let field = DragValue::new(&mut sampling.top_k).range(0..=1000);
        ui.add(field).on_hover_text(t!("Choose among so many of the most likely words; 0 is all"))
    });
    row_ui(ui, &t!("Top p"), |ui| {
        let slider = Slider::new(&mut sampling.top_p, SHARES).step_by(0.01);
        ui.add(slider).on_hover_text(t!("Choose among the most likely words that together reach this share"))
    });
}
