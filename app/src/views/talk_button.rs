//! The big button: held while one speaks, or tapped before and after.

use crossbeam_channel::Sender;
use eframe::egui::accesskit::Role;
use eframe::egui::{
    Align2, CornerRadius, PointerButton, Rect, Sense, StrokeKind, TextStyle, Ui, WidgetInfo, vec2,
};

use super::{send, theme};
use crate::command::Command;
use crate::language::t;
use crate::state::State;

/// The big button.
pub(super) fn talk_button_ui(ui: &mut Ui, state: &State, commands: &Sender<Command>) {
    let palette = theme::palette(ui);
    let enabled = state.can_talk();
    let is_locked = state.turn.stage.is_locked();
    let label = if is_locked {
        t!("Tap to send")
    } else if state.is_holding() {
        t!("Let go to send")
    } else if state.is_answering() {
        t!("Press to interrupt")
    } else if state.is_waiting() {
        t!("Just speak")
    } else {
        t!("Hold or tap to talk")
    };
    let sense = if enabled { Sense::click_and_drag() } else { Sense::hover() };
    let (rect, response) = ui.allocate_exact_size(vec2(180.0, 52.0), sense);
    response.widget_info(|| WidgetInfo::labeled(Role::Button, enabled, &label));

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
        (false, _) => palette.hovered,
        (true, true) => palette.stage(state),
        (true, false) if state.is_waiting() => palette.paper,
        (true, false) if response.hovered() => palette.accent.gamma_multiply(0.88),
        (true, false) => palette.accent,
    };
    // Hands-free looks like the button that ends a recording: corners, a square, and a line around it.
    let round = CornerRadius::same(if is_locked { theme::ROUND } else { 26 });
    ui.painter().rect_filled(rect, round, fill);
    if state.is_waiting() {
        // An open ring: nothing is recorded yet.
        ui.painter().rect_stroke(rect, round, (2.0, palette.stage(state)), StrokeKind::Inside);
        ui.painter().circle_stroke(rect.left_center() + vec2(26.0, 0.0), 7.0, (2.0, palette.stage(state)));
    } else if is_locked {
        ui.painter().rect_stroke(rect.shrink(4.0), round, (1.5, palette.on_accent), StrokeKind::Inside);
        let square = Rect::from_center_size(rect.left_center() + vec2(26.0, 0.0), vec2(14.0, 14.0));
        ui.painter().rect_filled(square, CornerRadius::same(2), palette.on_accent);
    } else if state.is_holding() {
        ui.painter().circle_filled(rect.left_center() + vec2(26.0, 0.0), 7.0, palette.on_accent);
    }
    if response.has_focus() {
        ui.painter().rect_stroke(rect.expand(2.0), round, (2.0, palette.text), StrokeKind::Outside);
    }
    let font = TextStyle::Button.resolve(ui.style());
    let color = match enabled {
        true if state.is_waiting() => palette.text,
        true => palette.on_accent,
        false => palette.weak,
    };
    ui.painter().text(rect.center(), Align2::CENTER_CENTER, label, font, color);
    response.on_hover_text(t!(
        "Hold this button or the Space bar while you speak; or tap it, speak hands-free, and tap it again"
    ));
}
