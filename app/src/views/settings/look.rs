//! How the window looks. Works at once.

use std::borrow::Cow;

use eframe::egui::{ComboBox, Slider, Ui};

use super::{choice_ui, row_ui};
use crate::language::{self, t};
use crate::preferences::{Contrast, Look, TEXT_SIZES, Theme};

/// The section.
pub(super) fn look_ui(ui: &mut Ui, look: &mut Look) {
    choice_ui(ui, &t!("Theme"), &mut look.theme, [Theme::System, Theme::Light, Theme::Dark], name);
    choice_ui(ui, &t!("Contrast"), &mut look.contrast, [Contrast::Normal, Contrast::High], contrast);
    language_ui(ui, &mut look.language);
    row_ui(ui, &t!("Text size"), |ui| {
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

/// The language of the window, by its own name.
fn language_ui(ui: &mut Ui, chosen: &mut Option<String>) {
    row_ui(ui, &t!("Language"), |ui| {
        let named = |code: Option<&str>| code.map_or_else(|| t!("As the desktop"), language::name);
        let combo = ComboBox::from_id_salt("language").selected_text(named(chosen.as_deref()));
        let shown = combo.show_ui(ui, |ui| {
            ui.selectable_value(chosen, None, named(None));
            for code in language::all() {
                let name = named(Some(&code));
                ui.selectable_value(chosen, Some(code.into_owned()), name);
            }
        });
        shown.response
    });
}

fn name(theme: Theme) -> Cow<'static, str> {
    match theme {
        Theme::System => t!("As the desktop"),
        Theme::Light => t!("Light"),
        Theme::Dark => t!("Dark"),
    }
}

fn contrast(contrast: Contrast) -> Cow<'static, str> {
    match contrast {
        Contrast::Normal => t!("Normal"),
        Contrast::High => t!("High"),
    }
}
