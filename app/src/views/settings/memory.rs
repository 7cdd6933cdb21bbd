//! When the model's memory is given back. Works at once.

use eframe::egui::{DragValue, Ui};

use super::row_ui;
use crate::language::t;
use crate::preferences::{MINUTES, Memory};

/// Minutes to begin with.
const TO_BEGIN_WITH: u32 = 15;

/// Rows of the model's section.
pub(super) fn memory_ui(ui: &mut Ui, memory: &mut Memory) {
    let mut frees = memory.free_after_minutes.is_some();
    let check = ui.checkbox(&mut frees, t!("Give the model's memory back when it is not used"));
    if check.on_hover_text(t!("It is loaded again with the next question; you can speak meanwhile")).changed()
    {
        memory.free_after_minutes = frees.then_some(TO_BEGIN_WITH);
    }
    let Some(minutes) = &mut memory.free_after_minutes else { return };
    row_ui(ui, &t!("Not used for"), |ui| {
        let suffix = format!(" {}", t!("minutes"));
        ui.add(DragValue::new(minutes).range(MINUTES).suffix(suffix).update_while_editing(false))
    });
}
