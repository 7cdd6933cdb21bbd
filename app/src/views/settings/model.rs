//! Which model, and where it runs. Works when the model is loaded again; a button for that shows where it is due.

use std::borrow::Cow;

use crossbeam_channel::Sender;
use eframe::egui::{Align, Button, ComboBox, DragValue, Label, Layout, RichText, Ui};

use super::{choice_ui, note_ui, row_ui};
use crate::command::Command;
use crate::language::t;
use crate::preferences::{DeviceOption, FEWEST_CONTEXT_TOKENS, FormatOption, Placing};
use crate::state::{Model, State};
use crate::views::{send, theme};

/// The section.
pub(super) fn model_ui(ui: &mut Ui, state: &State, placing: &mut Placing, commands: &Sender<Command>) {
    row_ui(ui, &t!("Folder"), |ui| {
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let choose =
                ui.button(t!("Choose…")).on_hover_text(t!("Choose the folder of another model, and load it"));
            if choose.clicked() {
                send(commands, Command::PickModel);
            }
            let small = ui.add_enabled(placing.folder.is_some(), Button::new(t!("Small one")));
            if small.on_hover_text(small_model()).clicked() {
                placing.folder = None;
            }
            let shown = placing.folder.as_ref().map(|folder| folder.display().to_string());
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                ui.add(Label::new(shown.map_or_else(small_model, Cow::Owned)).truncate());
            });
            choose
        })
        .inner
    });
    let devices = [DeviceOption::Auto, DeviceOption::Gpu, DeviceOption::Cpu];
    choice_ui(ui, &t!("Runs on"), &mut placing.device, devices, device);
    gpu_ui(ui, state, placing);
    let all = [FormatOption::F32, FormatOption::Bf16, FormatOption::Q8_0, FormatOption::Q4];
    let formats = [None].into_iter().chain(all.map(Some));
    choice_ui(ui, &t!("Weights"), &mut placing.format, formats, format);
    context_ui(ui, state, placing);
    reload_ui(ui, state, commands);
}

/// Which graphics processor, where there are several or one was chosen.
fn gpu_ui(ui: &mut Ui, state: &State, placing: &mut Placing) {
    if state.gpus.len() < 2 && placing.gpu.is_none() {
        return;
    }
    row_ui(ui, &t!("Graphics processor"), |ui| {
        let best = t!("The best there is");
        let combo = ComboBox::from_id_salt("gpu").selected_text(placing.gpu.as_deref().unwrap_or(&best));
        let shown = combo.show_ui(ui, |ui| {
            ui.selectable_value(&mut placing.gpu, None, best.as_ref());
            for name in &state.gpus {
                ui.selectable_value(&mut placing.gpu, Some(name.clone()), name);
            }
        });
        shown.response.on_hover_text(t!("The window itself moves there at the next start"))
    });
}

/// How long a conversation may be.
fn context_ui(ui: &mut Ui, state: &State, placing: &mut Placing) {
    let most = state.info().map_or(32_768, |info| info.context_tokens).max(FEWEST_CONTEXT_TOKENS);
    let mut own = placing.context_tokens.is_none();
    if ui.checkbox(&mut own, t!("Conversations as long as the model allows")).changed() {
        placing.context_tokens = (!own).then_some(most);
    }
    let Some(tokens) = &mut placing.context_tokens else { return };
    row_ui(ui, &t!("Context length"), |ui| {
        let field =
            DragValue::new(tokens).range(FEWEST_CONTEXT_TOKENS..=1 << 20).speed(16).suffix(t!(" tokens"));
        ui.add(field).on_hover_text(t!("How much of a conversation is remembered; less takes less memory"))
    });
}

fn reload_ui(ui: &mut Ui, state: &State, commands: &Sender<Command>) {
    if !state.needs_reload() {
        note_ui(ui, &t!("Changes to the model hold when it is loaded again."));
        return;
    }
    let palette = theme::palette(ui);
    ui.horizontal(|ui| {
        ui.label(RichText::new(t!("The model must be loaded again for this.")).color(palette.accent));
        let free = !matches!(state.model, Model::Loading(..));
        let button = ui.add_enabled(free, Button::new(t!("Load it now")));
        if button.on_hover_text(t!("The conversation at hand ends")).clicked() {
            send(commands, Command::Reload);
        }
    });
}

fn small_model() -> Cow<'static, str> {
    t!("The small one that ships with the program")
}

fn device(option: DeviceOption) -> Cow<'static, str> {
    match option {
        DeviceOption::Auto => t!("The best there is"),
        DeviceOption::Gpu => t!("Graphics processor"),
        DeviceOption::Cpu => t!("Processor"),
    }
}

fn format(option: Option<FormatOption>) -> Cow<'static, str> {
    match option {
        None => t!("As stored"),
        Some(FormatOption::F32) => t!("Single precision (f32)"),
        Some(FormatOption::Bf16) => t!("Sixteen bits (bf16)"),
        Some(FormatOption::Q8_0) => t!("Eight bits (q8_0)"),
        Some(FormatOption::Q4) => t!("Four bits (q4)"),
    }
}
