//! What is kept of conversations. Works at once.

use std::ops::RangeInclusive;

use eframe::egui::Ui;

use super::{limit_ui, note_ui, number_ui, row_ui};
use crate::language::t;
use crate::preferences::Keeping;

/// Days to begin with.
const TO_BEGIN_WITH: u32 = 90;
/// Days that can be chosen.
const DAYS: RangeInclusive<u32> = 1..=3650;

/// The section.
pub(super) fn keeping_ui(ui: &mut Ui, keeping: &mut Keeping) {
    ui.checkbox(&mut keeping.conversations, t!("Keep conversations on this machine"));
    note_ui(ui, &t!("Text and small copies of pictures. Nothing is sent anywhere."));
    limit_ui(ui, &mut keeping.days, TO_BEGIN_WITH, &t!("Delete old conversations"), |ui, days| {
        days_ui(ui, days, &t!("Kept for"), &t!("Counted from the last turn of a conversation"));
    });
}

/// The row of a number of days.
pub(super) fn days_ui(ui: &mut Ui, days: &mut u32, name: &str, explanation: &str) {
    row_ui(ui, name, |ui| number_ui(ui, days, DAYS, &t!(" days")).on_hover_text(explanation));
}
