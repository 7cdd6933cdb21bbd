//! What the window looks like: each view draws the state and sends commands. Views know neither worker nor engine work.

mod actions;
mod composer;
mod conversation;
mod hands_free;
mod header;
mod history;
mod markdown;
mod meter;
mod picture;
mod right_to_left;
mod settings;
mod status;
mod talk_button;
mod welcome;

use crossbeam_channel::Sender;
use eframe::egui::{Button, CentralPanel, Context, Frame, Panel, Response, RichText, Ui, vec2};

use crate::command::Command;
use crate::state::State;
use crate::theme;

/// Widest that text runs.
const READING_WIDTH: f32 = 760.0;

/// The whole window.
pub(crate) fn window_ui(ui: &mut Ui, state: &State, commands: &Sender<Command>) {
    let palette = theme::palette(ui);
    let bar = Frame::new().fill(palette.bar).inner_margin(theme::MARGIN);
    Panel::top("header")
        .frame(bar)
        .show_separator_line(false)
        .show(ui, |ui| header::header_ui(ui, state, commands));
    Panel::bottom("composer")
        .frame(bar)
        .show_separator_line(false)
        .show(ui, |ui| composer::composer_ui(ui, state, commands));
    history::panel_ui(ui, state, commands);
    CentralPanel::no_frame().frame(Frame::new().fill(palette.paper).inner_margin(theme::MARGIN)).show(
        ui,
        |ui| {
            if state.shows_settings {
                settings::settings_ui(ui, state, commands);
            } else {
                conversation::conversation_ui(ui, state, commands);
            }
        },
    );
    settings::keys(ui, state, commands);
    if let Some(opened) = &state.opened {
        picture::opened_ui(ui, opened, commands);
    }
}

/// Whether the next key that is pressed is to be chosen in the settings, and does nothing else.
pub(crate) fn is_recording_key(context: &Context) -> bool {
    settings::is_recording_key(context)
}

/// A button that is there without asking for attention.
fn small_button(ui: &mut Ui, label: &str) -> Response {
    let palette = theme::palette(ui);
    ui.spacing_mut().button_padding = vec2(7.0, 2.0);
    ui.spacing_mut().interact_size.y = 22.0;
    ui.add(Button::new(RichText::new(label).small().color(palette.weak)).frame_when_inactive(false))
}

/// Sends a command. A window that is closing takes none.
fn send(commands: &Sender<Command>, command: Command) {
    let _ = commands.send(command);
}

#[cfg(test)]
mod snapshots;
#[cfg(test)]
mod tests;
