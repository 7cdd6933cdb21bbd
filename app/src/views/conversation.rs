//! The list of questions and answers.

use eframe::egui::{
    Align, ColorImage, CornerRadius, Frame, Id, Image, Label, Layout, Margin, RichText, ScrollArea,
    TextureHandle, TextureOptions, Ui, UiBuilder, vec2,
};

use super::theme::{self, Palette};
use super::{READING_WIDTH, meter};
use crate::state::{Answer, Attachment, End, Exchange, Model, State};

/// The list, scrolled to its end; a greeting where it is empty.
pub(super) fn conversation_ui(ui: &mut Ui, state: &State) {
    if state.exchanges.is_empty() {
        return greeting_ui(ui, state);
    }
    ScrollArea::vertical().auto_shrink(false).stick_to_bottom(true).show(ui, |ui| {
        let side = ((ui.available_width() - READING_WIDTH) / 2.0).max(0.0);
        let column = ui.available_rect_before_wrap().shrink2(vec2(side, 0.0));
        ui.scope_builder(UiBuilder::new().max_rect(column), |ui| {
            for exchange in &state.exchanges {
                question_ui(ui, exchange);
                let is_last = exchange.turn == state.turn.number && state.is_answering();
                answer_ui(ui, &exchange.answer, is_last);
                ui.add_space(10.0);
            }
        });
    });
}

fn greeting_ui(ui: &mut Ui, state: &State) {
    let palette = theme::palette(ui);
    let (title, text) = match &state.model {
        Model::Ready(info) if info.hears => (
            "What would you like to know?",
            "Hold Space, ask, and let go; or tap it, ask, and tap again. Or type below.",
        ),
        Model::Ready(_) => ("What would you like to know?", "Type your question below."),
        Model::Loading(..) => ("One moment", "The model is being loaded."),
        Model::Absent => {
            ("There is no model yet", "Choose its folder with “Model…”, or drop the folder here.")
        }
    };
    ui.vertical_centered(|ui| {
        ui.add_space(ui.available_height() * 0.38);
        ui.label(RichText::new(title).size(24.0).color(palette.text));
        ui.label(RichText::new(text).color(palette.weak));
    });
}

fn question_ui(ui: &mut Ui, exchange: &Exchange) {
    let palette = theme::palette(ui);
    // A column that hugs the right edge: the bubble is as wide as its content.
    ui.with_layout(Layout::top_down(Align::RIGHT), |ui| {
        let bubble = Frame::new()
            .fill(palette.bubble)
            .corner_radius(CornerRadius::same(theme::ROUND + 4))
            .inner_margin(Margin::symmetric(14, 10));
        bubble.show(ui, |ui| {
            ui.set_max_width(ui.available_width() * 0.8);
            for attachment in &exchange.attachments {
                attachment_ui(ui, attachment, 160.0);
            }
            if let Some(spoken) = &exchange.spoken {
                // From right to left, as the column is.
                ui.horizontal(|ui| {
                    let text = match spoken.seconds {
                        0.0 => "spoken question".to_owned(),
                        seconds => format!("spoken question, {seconds:.1} s"),
                    };
                    ui.label(RichText::new(text).small().color(palette.weak));
                    meter::waveform_ui(ui, &spoken.waveform, palette.accent);
                });
            }
            if let Some(text) = &exchange.text {
                ui.add(Label::new(RichText::new(text).color(palette.text)).wrap().halign(Align::LEFT));
            }
        });
    });
}

fn answer_ui(ui: &mut Ui, answer: &Answer, is_coming: bool) {
    let palette = theme::palette(ui);
    if !answer.reasoning.is_empty() {
        ui.collapsing(RichText::new("Reasoning").small(), |ui| {
            ui.label(RichText::new(&answer.reasoning).small().color(palette.weak));
        });
    }
    if !answer.text.is_empty() {
        ui.add(Label::new(RichText::new(&answer.text).size(18.0).color(palette.text)).wrap());
    } else if is_coming {
        ui.label(RichText::new("…").size(18.0).color(palette.weak));
    }
    for call in &answer.calls {
        ui.label(RichText::new(format!("wants to call {call}")).monospace().color(palette.weak));
    }
    if let Some(note) = note(answer) {
        ui.label(RichText::new(note).small().color(palette.weak));
    }
}

/// What is said beneath an answer that is not simply complete.
fn note(answer: &Answer) -> Option<&'static str> {
    match answer.end? {
        End::Complete if answer.text.is_empty() && answer.calls.is_empty() => {
            Some("The model had nothing to say.")
        }
        End::Complete => None,
        End::Stopped => Some("stopped"),
        End::Limit => Some("cut off at the limit of the answer's length"),
        End::Failed => Some("failed"),
    }
}

/// A picture, or a sound's name, no higher than `height`.
pub(super) fn attachment_ui(ui: &mut Ui, attachment: &Attachment, height: f32) {
    let palette: Palette = theme::palette(ui);
    match texture(ui, attachment) {
        Some(texture) => {
            let image = Image::from_texture(&texture)
                .max_size(vec2(height * 1.6, height))
                .alt_text(attachment.name());
            ui.add(image.corner_radius(CornerRadius::same(6)));
        }
        None => {
            ui.label(RichText::new(format!("sound: {}", attachment.name())).small().color(palette.weak));
        }
    }
}

/// The picture's texture, uploaded once.
fn texture(ui: &Ui, attachment: &Attachment) -> Option<TextureHandle> {
    let picture = attachment.thumbnail.as_ref()?;
    let id = Id::unique(("thumbnail", &attachment.path));
    if let Some(texture) = ui.data(|data| data.get_temp(id)) {
        return Some(texture);
    }
    let size = [picture.width() as usize, picture.height() as usize];
    let pixels = ColorImage::from_rgba_unmultiplied(size, picture.as_raw());
    let texture = ui.ctx().load_texture(attachment.name(), pixels, TextureOptions::LINEAR);
    ui.data_mut(|data| data.insert_temp(id, texture.clone()));
    Some(texture)
}
