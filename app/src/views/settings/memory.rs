//! When the model's memory is given back. Works at once.

use eframe::egui::Ui;

use super::{limit_ui, number_ui, row_ui};
use crate::language::t;
use crate::preferences::{MINUTES, Memory};

/// Minutes to begin with.
const TO_BEGIN_WITH: u32 = 15;

/// Rows of the model's section.
pub(super) fn memory_ui(ui: &mut Ui, memory: &mut Memory) {
    let check = t!("Give the model's memory back when it is not used");
    let field_ui = |ui: &mut Ui, minutes: &mut u32| {
        row_ui(ui, &t!("Not used for"), |ui| number_ui(ui, minutes, MINUTES, &t!(" minutes")));
    };
    limit_ui(ui, &mut memory.free_after_minutes, TO_BEGIN_WITH, &check, field_ui)
        .on_hover_text(t!("It is loaded again with the next question; you can speak meanwhile"));
}
