//! What is kept of conversations. Works at once.

use eframe::egui::{DragValue, Ui};

use super::{note_ui, row_ui};
use crate::language::t;
use crate::preferences::Keeping;

/// Days to begin with.
const DAYS: u32 = 90;

/// The section.
pub(super) fn keeping_ui(ui: &mut Ui, keeping: &mut Keeping) {
    ui.checkbox(&mut keeping.conversations, t!("Keep conversations on this machine"));
    note_ui(ui, &t!("Text and small copies of pictures; no sound. Nothing is sent anywhere."));
    let mut limited = keeping.days.is_some();
    if ui.checkbox(&mut limited, t!("Delete old conversations")).changed() {
        keeping.days = limited.then_some(DAYS);
    }
    let Some(days) = &mut keeping.days else { return };
    row_ui(ui, &t!("Kept for"), |ui| {
        let field = DragValue::new(days).range(1..=3650).suffix(t!(" days")).update_while_editing(false);
        ui.add(field).on_hover_text(t!("Counted from the last turn of a conversation"))
    });
}
