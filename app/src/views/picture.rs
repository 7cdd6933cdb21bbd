//! Pictures: small ones in the composer and the conversation, and one that is shown large.

use crossbeam_channel::Sender;
use eframe::egui::{
    ColorImage, CornerRadius, CursorIcon, Id, Image, Modal, RichText, Sense, TextureHandle, TextureOptions,
    Ui, WidgetInfo, accesskit::Role, vec2,
};
use image::RgbaImage;

use super::{send, theme};
use crate::command::Command;
use crate::language::t;
use crate::state::{Attachment, Opened};

/// A picture that opens when it is clicked, or a sound's name; no higher than `height`.
pub(super) fn attachment_ui(ui: &mut Ui, attachment: &Attachment, height: f32, commands: &Sender<Command>) {
    let palette = theme::palette(ui);
    let Some(picture) = &attachment.thumbnail else {
        ui.label(RichText::new(t!("sound: %{name}", name = attachment.name())).small().color(palette.weak));
        return;
    };
    let texture = texture(ui, "thumbnail", attachment, picture);
    let image = Image::from_texture(&texture)
        .max_size(vec2(height * 1.6, height))
        .corner_radius(CornerRadius::same(6))
        .sense(Sense::click());
    let response = ui.add(image).on_hover_cursor(CursorIcon::ZoomIn);
    let name = attachment.name();
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &name));
    if response.has_focus() {
        let stroke = (2.0, palette.accent);
        ui.painter().rect_stroke(response.rect, 6.0, stroke, eframe::egui::StrokeKind::Outside);
    }
    if response.on_hover_text(t!("%{name}: click to see it large", name = name)).clicked() {
        send(commands, Command::OpenPicture(attachment.clone()));
    }
}

/// The picture that is shown large, over everything else. Escape or a click beside it closes it.
pub(super) fn opened_ui(ui: &Ui, opened: &Opened, commands: &Sender<Command>) {
    let attachment = &opened.attachment;
    let modal = Modal::new(Id::unique("picture")).show(ui.ctx(), |ui| {
        let room = ui.ctx().content_rect().size() - vec2(80.0, 140.0);
        let (key, picture) = match (&opened.large, &attachment.thumbnail) {
            (Some(large), _) => ("large", large),
            (None, Some(small)) => ("thumbnail", small),
            (None, None) => return,
        };
        let texture = texture(ui, key, attachment, picture);
        // As large as it is, or as the window is.
        let size = texture.size_vec2();
        let scale = (room.x / size.x).min(room.y / size.y);
        let scale = if key == "large" { scale.min(1.0) } else { scale.min(3.0) };
        let label = t!("%{name}, large", name = attachment.name());
        ui.vertical_centered(|ui| {
            ui.set_max_width(size.x * scale);
            ui.add(Image::from_texture((texture.id(), size * scale)).alt_text(label));
            if ui.button(t!("Close")).clicked() {
                ui.close();
            }
        });
    });
    if modal.should_close() {
        ui.data_mut(|data| data.remove::<TextureHandle>(texture_id("large", attachment)));
        send(commands, Command::ClosePicture);
    }
}

fn texture_id(key: &str, attachment: &Attachment) -> Id {
    Id::unique((key, &attachment.path))
}

/// The picture's texture, uploaded once.
fn texture(ui: &Ui, key: &str, attachment: &Attachment, picture: &RgbaImage) -> TextureHandle {
    let id = texture_id(key, attachment);
    if let Some(texture) = ui.data(|data| data.get_temp(id)) {
        return texture;
    }
    let size = [picture.width() as usize, picture.height() as usize];
    let pixels = ColorImage::from_rgba_unmultiplied(size, picture.as_raw());
    let texture = ui.ctx().load_texture(attachment.name(), pixels, TextureOptions::LINEAR);
    ui.data_mut(|data| data.insert_temp(id, texture.clone()));
    texture
}
