//! How the program lives on the desktop. Works at once.

use eframe::egui::Ui;

use super::note_ui;
use crate::language::t;
use crate::preferences::Desktop;
use crate::state::State;

/// The section.
pub(super) fn desktop_ui(ui: &mut Ui, state: &State, desktop: &mut Desktop) {
    ui.checkbox(&mut desktop.tray, t!("Icon in the tray"));
    ui.add_enabled_ui(desktop.tray, |ui| {
        ui.checkbox(&mut desktop.close_to_tray, t!("Closing the window keeps it in the tray"));
    });
    ui.checkbox(&mut desktop.start_hidden, t!("Start hidden"));
    if !state.living.has_tray {
        note_ui(
            ui,
            &t!(
                "There is no tray icon here: closing the window quits, and a hidden start only minimises it."
            ),
        );
    }
    ui.checkbox(&mut desktop.notify, t!("Tell me when an answer ends while I look elsewhere"));
    note_ui(ui, &t!("The desktop shows the first words of the answer, and may keep them in its own list."));
}
