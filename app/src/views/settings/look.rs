//! How the window looks. Works at once.

use eframe::egui::{ComboBox, Slider, Ui};

use super::{row_ui, section_ui};
use crate::preferences::{Look, TEXT_SIZES, Theme};

/// The section.
pub(super) fn look_ui(ui: &mut Ui, look: &mut Look) {
    section_ui(ui, "Look");
    row_ui(ui, "Theme", |ui| {
        let combo = ComboBox::from_id_salt("theme").selected_text(name(look.theme));
        let shown = combo.show_ui(ui, |ui| {
            for theme in [Theme::System, Theme::Light, Theme::Dark] {
                ui.selectable_value(&mut look.theme, theme, name(theme));
            }
        });
        shown.response
    });
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
