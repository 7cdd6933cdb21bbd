//! What is kept of conversations. Works at once.

use eframe::egui::{DragValue, Ui};

use super::{note_ui, row_ui, section_ui};
use crate::preferences::Keeping;

/// Days to begin with.
const DAYS: u32 = 90;

/// The section.
pub(super) fn keeping_ui(ui: &mut Ui, keeping: &mut Keeping) {
    section_ui(ui, "Keeping");
    ui.checkbox(&mut keeping.conversations, "Keep conversations on this machine");
    note_ui(ui, "Text and small copies of pictures; no sound. Nothing is sent anywhere.");
    let mut limited = keeping.days.is_some();
    if ui.checkbox(&mut limited, "Delete old conversations").changed() {
        keeping.days = limited.then_some(DAYS);
    }
    let Some(days) = &mut keeping.days else { return };
    row_ui(ui, "Kept for", |ui| {
        let field = DragValue::new(days).range(1..=3650).suffix(" days").update_while_editing(false);
        ui.add(field).on_hover_text("Counted from the last turn of a conversation")
    });
}
