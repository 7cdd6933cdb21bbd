//! The big button: held while one speaks.

use crossbeam_channel::Sender;
use eframe::egui::accesskit::Role;
use eframe::egui::{Align2, CornerRadius, PointerButton, Sense, StrokeKind, TextStyle, Ui, WidgetInfo, vec2};

use super::{send, theme};
use crate::command::Command;
use crate::state::State;

/// The big button.
pub(super) fn talk_button_ui(ui: &mut Ui, state: &State, commands: &Sender<Command>) {
    let palette = theme::palette(ui);
    let enabled = state.can_talk();
    let label = if state.is_holding() {
        "Let go to ask"
    } else if state.is_answering() {
        "Hold to interrupt"
    } else {
        "Hold to talk"
    };
    let sense = if enabled { Sense::click_and_drag() } else { Sense::hover() };
    let (rect, response) = ui.allocate_exact_size(vec2(180.0, 52.0), sense);
    response.widget_info(|| WidgetInfo::labeled(Role::Button, enabled, label));

    let is_down = response.is_pointer_button_down_on();
    let was_down = ui.data_mut(|data| std::mem::replace(data.get_temp_mut_or_default(response.id), is_down));
    if is_down != was_down {
        send(commands, if is_down { Command::Press } else { Command::Release });
    }
    // Enter, or a screen reader's click: there is no release to wait for.
    if response.clicked() && !response.clicked_by(PointerButton::Primary) {
        send(commands, Command::Toggle);
    }

    let fill = match (enabled, state.is_holding()) {
        (false, _) => palette.weak.gamma_multiply(0.4),
        (true, true) => palette.listening,
        (true, false) if response.hovered() => palette.accent.gamma_multiply(0.88),
        (true, false) => palette.accent,
    };
    let round = CornerRadius::same(26);
    ui.painter().rect_filled(rect, round, fill);
    if response.has_focus() {
        ui.painter().rect_stroke(rect.expand(2.0), round, (2.0, palette.text), StrokeKind::Outside);
    }
    let font = TextStyle::Button.resolve(ui.style());
    ui.painter().text(rect.center(), Align2::CENTER_CENTER, label, font, palette.on_accent);
    response.on_hover_text("Hold this button or the Space bar while you speak");
}
