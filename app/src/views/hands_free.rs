//! The button beside the talk button, which begins and ends a hands-free conversation.

use crossbeam_channel::Sender;
use eframe::egui::{Button, CornerRadius, Rect, RichText, Stroke, Ui, vec2};

use super::{send, theme};
use crate::command::Command;
use crate::language::t;
use crate::state::State;

/// The button.
pub(super) fn button_ui(ui: &mut Ui, state: &State, commands: &Sender<Command>) {
    let palette = theme::palette(ui);
    if state.turn.ear.is_wanted() {
        // What ends something has corners and a square, as the talk button has.
        let color = palette.stage(state);
        let label = RichText::new(format!("    {}", t!("End hands-free"))).color(color);
        let button = Button::new(label).corner_radius(CornerRadius::same(3)).stroke(Stroke::new(1.5, color));
        let response = ui.add(button);
        let square = Rect::from_center_size(response.rect.left_center() + vec2(16.0, 0.0), vec2(9.0, 9.0));
        ui.painter().rect_filled(square, CornerRadius::same(1), color);
        ui.ctx().accesskit_node_builder(response.id, |node| node.set_label(t!("End hands-free")));
        if response.on_hover_text(t!("Close the microphone (Escape)")).clicked() {
            send(commands, Command::HandsFree(false));
        }
    } else {
        let enabled = state.can_talk() && !state.is_holding();
        let response = ui.add_enabled(enabled, Button::new(t!("Hands-free")));
        let hint = t!("Talk without a key: the microphone stays open, and a pause sends what you said");
        if response.on_hover_text(hint).clicked() {
            send(commands, Command::HandsFree(true));
        }
    }
}

/// What goes on in a hands-free conversation; `None` where it is nothing special there.
pub(super) fn words(state: &State) -> Option<String> {
    use crate::turn::{Ear, Stage};
    Some(match (state.turn.ear, state.turn.stage) {
        (Ear::Opening(_), Stage::Idle) => t!("Opening the microphone…").into(),
        (Ear::Open(_), Stage::Idle) => t!("Waiting for you to speak; Escape ends hands-free").into(),
        (_, Stage::Attending) => t!("Listening: a pause sends it; Escape ends hands-free").into(),
        (Ear::Open(_), Stage::Speaking) if state.preferences.talking.interrupt => {
            t!("Speaking: talk to interrupt; Escape ends hands-free").into()
        }
        _ => return None,
    })
}

#[cfg(test)]
pub(super) mod tests;
