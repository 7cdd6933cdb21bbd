//! The last lines of the program's log, and a report to go with a question to other people.

use crossbeam_channel::Sender;
use eframe::egui::{CollapsingHeader, Id, Label, RichText, ScrollArea, Ui};
use tracing::Level;

use super::note_ui;
use crate::command::Command;
use crate::language::t;
use crate::state::State;
use crate::views::{send, theme};

/// Height of the lines.
const HEIGHT: f32 = 260.0;

/// The section.
pub(super) fn log_ui(ui: &mut Ui, state: &State, commands: &Sender<Command>) {
    if ui.button(t!("Copy diagnostic report")).clicked() {
        send(commands, Command::Diagnose);
    }
    note_ui(
        ui,
        &t!("System, devices, settings and log, as text to paste. Nothing that was said, typed or answered."),
    );
    CollapsingHeader::new(t!("Log")).id_salt("log").show(ui, |ui| lines_ui(ui, state, commands));
}

fn lines_ui(ui: &mut Ui, state: &State, commands: &Sender<Command>) {
    let palette = theme::palette(ui);
    let id = Id::unique("level of the log");
    let mut level = ui.data(|data| data.get_temp(id)).unwrap_or(Level::INFO);
    ui.horizontal_wrapped(|ui| {
        let names = [t!("Everything"), t!("Warnings and errors"), t!("Errors")];
        for (value, name) in [Level::INFO, Level::WARN, Level::ERROR].into_iter().zip(names) {
            ui.selectable_value(&mut level, value, name);
        }
        if ui.button(t!("Copy the log")).clicked() {
            send(commands, Command::CopyLog(level));
        }
    });
    ui.data_mut(|data| data.insert_temp(id, level));
    let lines = state.logbook.lines(level);
    if lines.is_empty() {
        note_ui(ui, &t!("There is nothing of that kind."));
    }
    ScrollArea::both().max_height(HEIGHT).stick_to_bottom(true).id_salt("lines of the log").show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = 2.0;
        for line in &lines {
            let color = match line.level {
                Level::ERROR => palette.error,
                Level::WARN => palette.thinking,
                _ => palette.text,
            };
            ui.add(Label::new(RichText::new(line.to_string()).monospace().size(12.0).color(color)).extend());
        }
    });
}
