//! How the window looks. Works at once.

use eframe::egui::{Slider, Ui};

use super::{choice_ui, row_ui, section_ui};
use crate::preferences::{Look, TEXT_SIZES, Theme};

/// The section.
pub(super) fn look_ui(ui: &mut Ui, look: &mut Look) {
    section_ui(ui, "Look");
    choice_ui(ui, "Theme", &mut look.theme, [Theme::System, Theme::Light, Theme::Dark], name);
    row_ui(ui, "Text size", |ui| {
        let mut percent = (look.text_size * 100.0).round();
        let range = TEXT_SIZES.start() * 100.0..=TEXT_SIZES.end() * 100.0;
        let slider = Slider::new(&mut percent, range).step_by(5.0).suffix(" %");
        let response = ui.add(slider);
        if response.changed() {
            look.text_size = percent / 100.0;
        }
        response
    });
}

fn name(theme: Theme) -> &'static str {
    match theme {
        Theme::System => "As the desktop",
        Theme::Light => "Light",
        Theme::Dark => "Dark",
    }
}
