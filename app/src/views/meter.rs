//! Loudness as bars: a live meter, and the waveform of a spoken question.

use eframe::egui::accesskit::Role;
use eframe::egui::{Color32, CornerRadius, Rect, Sense, Ui, WidgetInfo, pos2, vec2};

/// Width of a bar and of the gap after it.
const BAR: f32 = 4.0;
const GAP: f32 = 3.0;
const HEIGHT: f32 = 26.0;
/// Most bars of a waveform.
const MAX_BARS: usize = 40;

/// A meter as wide as `ui` that shows `level` from 0 to 1; flat at 0.
pub(super) fn level_ui(ui: &mut Ui, level: f32, label: &str, color: Color32) {
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), HEIGHT), Sense::hover());
    let mut info = WidgetInfo::labeled(Role::Meter, true, label);
    info.value = Some(f64::from(level));
    response.widget_info(|| info.clone());
    let bars = ((rect.width() + GAP) / (BAR + GAP)).floor().max(1.0) as usize;
    let time = ui.input(|i| i.time);
    let middle = (bars - 1) as f64 / 2.0;
    let heights = (0..bars).map(|i| {
        // Louder in the middle, with a ripple, so that it looks alive: the height is the level, the shape an ornament.
        let away = (i as f64 - middle) / middle.max(1.0);
        let ripple = 0.6 + 0.4 * (i as f64 * 1.7 + time * 9.0).sin();
        level * ((1.0 - away * away) * ripple) as f32
    });
    bars_ui(ui, rect, heights, color);
}

/// A waveform of loudnesses from 0 to 1.
pub(super) fn waveform_ui(ui: &mut Ui, loudness: &[f32], color: Color32) {
    let group = loudness.len().div_ceil(MAX_BARS).max(1);
    let bars = loudness.len().div_ceil(group);
    let width = bars as f32 * (BAR + GAP);
    let (rect, _) = ui.allocate_exact_size(vec2(width, HEIGHT), Sense::hover());
    bars_ui(ui, rect, loudness.chunks(group).map(|group| group.iter().copied().fold(0.0, f32::max)), color);
}

fn bars_ui(ui: &Ui, rect: Rect, heights: impl Iterator<Item = f32>, color: Color32) {
    for (i, height) in heights.enumerate() {
        let height = (height.clamp(0.0, 1.0) * rect.height()).max(BAR);
        let x = rect.left() + i as f32 * (BAR + GAP) + BAR / 2.0;
        let bar = Rect::from_center_size(pos2(x, rect.center().y), vec2(BAR, height));
        ui.painter().rect_filled(bar, CornerRadius::same(2), color);
    }
}
