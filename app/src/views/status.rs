//! The line at the bottom: what goes on, in words and colour, and what the last answer cost.

use eframe::egui::{Align, Layout, RichText, Sense, Ui, vec2};

use super::{hands_free, theme};
use crate::language::t;
use crate::progress;
use crate::state::{Model, State, Weights};
use crate::turn::Stage;

/// The line at the bottom.
pub(super) fn status_ui(ui: &mut Ui, state: &State) {
    let palette = theme::palette(ui);
    ui.horizontal(|ui| {
        let failed =
            matches!(state.model, Model::Absent) && state.notice.as_ref().is_some_and(|n| n.is_error);
        let color = if failed { palette.error } else { palette.stage(state) };
        let (dot, _) = ui.allocate_exact_size(vec2(10.0, 10.0), Sense::hover());
        ui.painter().circle_filled(dot.center(), 5.0, color);
        ui.label(RichText::new(words(state)).small().color(color));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let figures = ui.label(RichText::new(figures(state)).small().color(palette.weak));
            if let Some(reason) = state.info().and_then(|info| info.fallback.as_ref()) {
                figures.on_hover_text(t!("No graphics processor is used: %{reason}", reason = reason));
            }
        });
    });
}

/// What goes on.
fn words(state: &State) -> String {
    match (&state.model, state.turn.stage) {
        (Model::Loading(name, progress), Stage::Idle) => progress::loading(name, progress),
        (Model::Absent, _) | (_, Stage::Absent) => t!("No model is loaded").into(),
        (_, _) if let Some(words) = hands_free::words(state) => words,
        (_, Stage::Idle) if state.weights == Weights::Freed => {
            t!("Ready; the model's memory is free until you ask").into()
        }
        (_, Stage::Idle | Stage::Thinking) if let Weights::Coming(progress) = &state.weights => {
            progress::loading(state.info().map_or("", |info| info.name.as_str()), progress)
        }
        (_, Stage::Idle) => t!("Ready").into(),
        (_, Stage::Opening { .. }) => t!("Opening the microphone…").into(),
        (_, Stage::Listening { locked: false, .. }) => t!("Listening: let go to send").into(),
        (_, Stage::Attending | Stage::Listening { locked: true, .. }) => {
            t!("Listening: tap to send, Escape to cancel").into()
        }
        (_, Stage::Thinking) => t!("Thinking…").into(),
        (_, Stage::Speaking) => t!("Speaking…").into(),
    }
}

/// Device, tokens a second, time to the first sound.
fn figures(state: &State) -> String {
    let device = state.info().map(|info| info.device.clone());
    let rate = state
        .figures
        .tokens_per_second
        .map(|rate| t!("%{rate} tokens/s", rate = format!("{rate:.0}")).into_owned());
    let sound = state.figures.first_sound.map(|time| {
        t!("first sound after %{seconds} s", seconds = format!("{:.1}", time.as_secs_f32())).into_owned()
    });
    device.into_iter().chain(rate).chain(sound).collect::<Vec<_>>().join("  ·  ")
}
