//! Whether sound is kept. Works at once.

use crossbeam_channel::Sender;
use eframe::egui::{Button, DragValue, Ui};

use super::{note_ui, row_ui};
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
    let mut limited = keeping.recording_days.is_some();
    if ui.checkbox(&mut limited, t!("Delete old recordings")).changed() {
        keeping.recording_days = limited.then_some(DAYS);
    }
    if let Some(days) = &mut keeping.recording_days {
        row_ui(ui, &t!("Recordings kept for"), |ui| {
            let suffix = format!(" {}", t!("days"));
            let field = DragValue::new(days).range(1..=3650).suffix(suffix).update_while_editing(false);
            ui.add(field).on_hover_text(t!("The words stay"))
        });
    }
    let delete = ui.add(Button::new(t!("Delete all recordings")));
    if delete.on_hover_text(t!("The words stay")).clicked() {
        send(commands, Command::DeleteSounds);
    }
}
