//! What the window looks like: each view draws the state and sends commands. Views know neither worker nor engine work.

mod composer;
mod conversation;
mod header;
mod history;
mod meter;
mod settings;
mod status;
mod talk_button;
pub(crate) mod theme;

use crossbeam_channel::Sender;
use eframe::egui::{CentralPanel, Frame, Panel, Ui};

use crate::command::Command;
use crate::state::State;

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
                conversation::conversation_ui(ui, state);
            }
        },
    );
    settings::keys(ui, state, commands);
}

/// Sends a command. A window that is closing takes none.
fn send(commands: &Sender<Command>, command: Command) {
    let _ = commands.send(command);
}

#[cfg(test)]
mod tests;
