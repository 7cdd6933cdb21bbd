//! Loudness as bars: a live waveform of what is heard or spoken just now, and the outline of a sound that is kept.

use eframe::egui::accesskit::Role;
use eframe::egui::{Color32, CornerRadius, Rect, Sense, Ui, WidgetInfo, pos2, vec2};

/// Width of a bar and of the gap after it.
const BAR: f32 = 4.0;
const GAP: f32 = 3.0;
const HEIGHT: f32 = 26.0;
/// Most bars of a waveform.
const MAX_BARS: usize = 40;

/// Time that one bar of the live waveform stands for.
const STEP_SECONDS: f64 = 0.05;

/// A meter as wide as `ui` that shows `level` from 0 to 1 as it was in the last seconds, the latest at the right; flat where nothing
/// is `live`.
pub(super) fn level_ui(ui: &mut Ui, level: f32, is_live: bool, label: &str, color: Color32) {
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), HEIGHT), Sense::hover());
    let mut info = WidgetInfo::labeled(Role::Meter, true, label);
    info.value = Some(f64::from(level));
    response.widget_info(|| info.clone());
    let bars = ((rect.width() + GAP) / (BAR + GAP)).floor().max(1.0) as usize;
    let time = ui.input(|i| i.time);
    let heights = ui.data_mut(|data| {
        let history: &mut History = data.get_temp_mut_or_default(response.id);
        history.take(level, is_live.then_some(time));
        history.last(bars)
    });
    bars_ui(ui, rect, heights.into_iter(), color);
}

/// Levels of the last seconds.
#[derive(Clone, Debug, Default)]
struct History {
    /// One for each step, the latest last.
    levels: Vec<f32>,
    /// When the next step begins.
    next: f64,
}

impl History {
    /// Most steps that are remembered: more than a window is wide.
    const MOST: usize = 600;

    /// Takes the level at a time in seconds, or forgets everything where there is none.
    fn take(&mut self, level: f32, time: Option<f64>) {
        let Some(time) = time else { return self.levels.clear() };
        if self.levels.is_empty() {
            self.next = time;
        }
        match self.levels.last_mut() {
            Some(last) if time < self.next => *last = last.max(level),
            _ => {
                self.levels.push(level);
                // Frames that come late begin a step of their own.
                let begun = if time - self.next > STEP_SECONDS { time } else { self.next };
                self.next = begun + STEP_SECONDS;
            }
        }
        let surplus = self.levels.len().saturating_sub(History::MOST);
        self.levels.drain(..surplus);
    }

    /// The last `bars` levels; silence before the first.
    fn last(&self, bars: usize) -> Vec<f32> {
        let missing = bars.saturating_sub(self.levels.len());
        let known = &self.levels[(self.levels.len() + missing).saturating_sub(bars)..];
        std::iter::repeat_n(0.0, missing).chain(known.iter().copied()).collect()
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_stands_for_its_time_and_its_loudest_moment() {
        let mut history = History::default();
        for (i, level) in [0.1, 0.9, 0.2, 0.3, 0.4].into_iter().enumerate() {
            history.take(level, Some(10.0 + i as f64 * 0.02));
        }
        assert_eq!(history.last(4), [0.0, 0.0, 0.9, 0.4]);
        assert_eq!(history.last(1), [0.4]);
        // Frames that come seldom make no gap and no burst.
        history.take(0.5, Some(20.0));
        history.take(0.6, Some(20.01));
        assert_eq!(history.last(3), [0.9, 0.4, 0.6]);
        history.take(0.0, None);
        assert_eq!(history.last(2), [0.0, 0.0]);
    }

    #[test]
    fn an_hour_of_levels_takes_no_more_room_than_a_window_shows() {
        let mut history = History::default();
        for i in 0..72_000 {
            history.take(0.5, Some(f64::from(i) * 0.05));
        }
        assert_eq!((history.levels.len(), history.last(700).len()), (History::MOST, 700));
    }
}
