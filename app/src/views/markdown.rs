//! An answer's text as Markdown. It is laid out anew with each frame, so that a text that is still coming shows as far as it has come.
//!
//! Nothing is loaded to show it, no picture either; a link opens in the browser when it is clicked.

mod pieces;

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use eframe::egui::{
    Align, CornerRadius, FontFamily, FontId, Frame, Id, Label, Layout, Margin, RichText, ScrollArea,
    TextStyle, Ui, vec2,
};
use egui_commonmark::{CommonMarkCache, CommonMarkViewer};

use super::{small_button, theme};
use crate::language::t;
use pieces::{Piece, pieces};

/// What the library remembers from frame to frame.
static CACHE_ID: LazyLock<Id> = LazyLock::new(|| Id::unique("markdown"));

/// Sizes of an answer's text: it is what one reads here.
const SIZES: [(TextStyle, f32, FontFamily); 4] = [
    (TextStyle::Body, 18.0, FontFamily::Proportional),
    (TextStyle::Heading, 25.0, FontFamily::Proportional),
    (TextStyle::Monospace, 15.5, FontFamily::Monospace),
    (TextStyle::Small, 14.0, FontFamily::Proportional),
];

/// A text of an answer.
pub(super) fn markdown_ui(ui: &mut Ui, text: &str) {
    let cache: Arc<Mutex<CommonMarkCache>> = ui.data_mut(|data| {
        let cache: &mut Arc<Mutex<CommonMarkCache>> = data.get_temp_mut_or_default(*CACHE_ID);
        cache.clone()
    });
    let mut cache = cache.lock().unwrap_or_else(PoisonError::into_inner);
    for (i, piece) in pieces(text).iter().enumerate() {
        ui.push_id(("piece", i), |ui| match piece {
            Piece::Text(text) => text_ui(ui, &mut cache, text),
            Piece::Code { language, code } => code_ui(ui, language, code),
        });
    }
}

fn text_ui(ui: &mut Ui, cache: &mut CommonMarkCache, text: &str) {
    for (style, size, family) in SIZES {
        ui.style_mut().text_styles.insert(style, FontId::new(size, family));
    }
    // There is no bold font: what is strong has a colour of its own.
    ui.visuals_mut().widgets.active.fg_stroke.color = theme::palette(ui).accent;
    ui.style_mut().url_in_tooltip = true;
    ui.spacing_mut().item_spacing = vec2(8.0, 6.0);
    ui.spacing_mut().interact_size.y = 22.0;
    CommonMarkViewer::new().show(ui, cache, text.trim_matches('\n'));
}

/// A block of code with a button that copies it.
fn code_ui(ui: &mut Ui, language: &str, code: &str) {
    let palette = theme::palette(ui);
    let frame = Frame::new()
        .fill(palette.bar)
        .corner_radius(CornerRadius::same(theme::ROUND))
        .inner_margin(Margin::symmetric(12, 8));
    frame.show(ui, |ui| {
        ui.set_min_width(ui.available_width());
        ui.spacing_mut().item_spacing.y = 2.0;
        ui.horizontal(|ui| {
            ui.label(RichText::new(language).small().color(palette.weak));
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                if small_button(ui, &t!("Copy code")).clicked() {
                    ui.copy_text(code.to_owned());
                }
            });
        });
        ScrollArea::horizontal().show(ui, |ui| {
            ui.add(Label::new(RichText::new(code).monospace().color(palette.text)).extend());
        });
    });
}
