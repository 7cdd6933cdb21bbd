//! Whether sound is kept. Works at once.

use crossbeam_channel::Sender;
use eframe::egui::{Button, Ui};

use super::keeping::days_ui;
use super::{limit_ui, note_ui};
use crate::command::Command;
use crate::language::t;
use crate::preferences::Keeping;
use crate::views::send;

/// Days to begin with.
const DAYS: u32 = 30;

/// Rows of the section about what is kept.
pub(super) fn recordings_ui(ui: &mut Ui, keeping: &mut Keeping, commands: &Sender<Command>) {
    ui.add_enabled_ui(keeping.conversations, |ui| {
        let check = ui.checkbox(&mut keeping.recordings, t!("Keep recordings of what is said too"));
        if check.changed() {
            keeping.recording_days = keeping.recordings.then_some(DAYS);
        }
    });
    note_ui(ui, &t!("Without this, sound is only in memory, for the last minutes."));
    if !keeping.recordings {
        return;
    }
    limit_ui(ui, &mut keeping.recording_days, DAYS, &t!("Delete old recordings"), |ui, days| {
        days_ui(ui, days, &t!("Recordings kept for"), &t!("The words stay"));
    });
    let delete = ui.add(Button::new(t!("Delete all recordings")));
    if delete.on_hover_text(t!("The words stay")).clicked() {
        send(commands, Command::DeleteSounds);
    }
}
