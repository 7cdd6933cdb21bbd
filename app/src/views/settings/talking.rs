//! How one talks hands-free. Works at once; whether it begins by itself, from the next model on.

use eframe::egui::{Slider, Ui};

use super::{note_ui, row_ui};
use crate::language::t;
use crate::preferences::{PAUSES_MS, Talking};

/// The section.
pub(super) fn talking_ui(ui: &mut Ui, talking: &mut Talking) {
    ui.checkbox(&mut talking.hands_free, t!("Begin hands-free when a model is ready"));
    note_ui(
        ui,
        &t!("The microphone is open then from the start; the button beside the talk button closes it."),
    );
    row_ui(ui, &t!("A pause ends a question"), |ui| {
        let slider = Slider::new(&mut talking.pause_ms, PAUSES_MS).step_by(50.0).suffix(" ms");
        ui.add(slider).on_hover_text(t!("How long you are silent before what you said is sent"))
    });
    ui.checkbox(&mut talking.interrupt, t!("Speaking interrupts the answer"));
    ui.checkbox(&mut talking.cancel_echo, t!("Take the answer's sound out of the microphone"))
        .on_hover_text(t!("Needed with speakers; with headphones it makes no difference"));
}
