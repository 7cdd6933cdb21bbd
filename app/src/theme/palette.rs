//! Colours by what they are for: light and dark, each also with high contrast.

use eframe::egui::Color32;

use crate::preferences::Contrast;
use crate::state::State;
use crate::turn::Stage;

/// The colours of one theme.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Palette {
    /// What conversations and settings stand on.
    pub(crate) paper: Color32,
    /// What the bars, buttons and menus are made of.
    pub(crate) bar: Color32,
    /// What questions stand on.
    pub(crate) bubble: Color32,
    pub(crate) text: Color32,
    /// Text that is less important.
    pub(crate) weak: Color32,
    /// What is the program's own: its name, the talk button, the speaker.
    pub(crate) accent: Color32,
    /// Text on the accent and on the colours of stages.
    pub(crate) on_accent: Color32,
    pub(crate) ready: Color32,
    pub(crate) listening: Color32,
    pub(crate) locked: Color32,
    pub(crate) thinking: Color32,
    pub(crate) error: Color32,
    pub(super) link: Color32,
    /// Edges.
    pub(super) line: Color32,
    /// A button under the pointer.
    pub(crate) hovered: Color32,
}

const LIGHT: Palette = Palette {
    paper: Color32::from_rgb(250, 249, 246),
    bar: Color32::from_rgb(241, 239, 234),
    bubble: Color32::from_rgb(222, 234, 233),
    text: Color32::from_rgb(33, 37, 43),
    weak: Color32::from_rgb(90, 96, 106),
    accent: Color32::from_rgb(38, 106, 112),
    on_accent: Color32::from_rgb(255, 255, 255),
    ready: Color32::from_rgb(56, 112, 64),
    listening: Color32::from_rgb(178, 74, 48),
    locked: Color32::from_rgb(164, 36, 96),
    thinking: Color32::from_rgb(134, 98, 16),
    error: Color32::from_rgb(176, 36, 30),
    link: Color32::from_rgb(24, 88, 168),
    line: Color32::from_rgb(214, 211, 204),
    hovered: Color32::from_rgb(228, 225, 218),
};

const DARK: Palette = Palette {
    paper: Color32::from_rgb(24, 26, 29),
    bar: Color32::from_rgb(32, 35, 39),
    bubble: Color32::from_rgb(38, 62, 64),
    text: Color32::from_rgb(230, 228, 223),
    weak: Color32::from_rgb(160, 166, 172),
    accent: Color32::from_rgb(111, 184, 180),
    on_accent: Color32::from_rgb(16, 30, 31),
    ready: Color32::from_rgb(134, 187, 140),
    listening: Color32::from_rgb(232, 142, 112),
    locked: Color32::from_rgb(240, 132, 178),
    thinking: Color32::from_rgb(219, 182, 92),
    error: Color32::from_rgb(244, 138, 128),
    link: Color32::from_rgb(126, 178, 244),
    line: Color32::from_rgb(62, 66, 72),
    hovered: Color32::from_rgb(48, 52, 57),
};

const LIGHT_HIGH: Palette = Palette {
    paper: Color32::from_rgb(255, 255, 255),
    bar: Color32::from_rgb(246, 246, 246),
    bubble: Color32::from_rgb(226, 240, 240),
    text: Color32::from_rgb(0, 0, 0),
    weak: Color32::from_rgb(52, 56, 62),
    accent: Color32::from_rgb(0, 70, 76),
    on_accent: Color32::from_rgb(255, 255, 255),
    ready: Color32::from_rgb(16, 78, 26),
    listening: Color32::from_rgb(128, 36, 12),
    locked: Color32::from_rgb(122, 0, 64),
    thinking: Color32::from_rgb(90, 60, 0),
    error: Color32::from_rgb(136, 0, 0),
    link: Color32::from_rgb(0, 48, 130),
    line: Color32::from_rgb(80, 80, 80),
    hovered: Color32::from_rgb(222, 222, 222),
};

const DARK_HIGH: Palette = Palette {
    paper: Color32::from_rgb(0, 0, 0),
    bar: Color32::from_rgb(14, 15, 17),
    bubble: Color32::from_rgb(14, 40, 42),
    text: Color32::from_rgb(255, 255, 255),
    weak: Color32::from_rgb(206, 210, 214),
    accent: Color32::from_rgb(140, 222, 216),
    on_accent: Color32::from_rgb(0, 0, 0),
    ready: Color32::from_rgb(160, 225, 165),
    listening: Color32::from_rgb(255, 178, 148),
    locked: Color32::from_rgb(255, 172, 210),
    thinking: Color32::from_rgb(245, 212, 120),
    error: Color32::from_rgb(255, 176, 168),
    link: Color32::from_rgb(160, 205, 255),
    line: Color32::from_rgb(180, 180, 180),
    hovered: Color32::from_rgb(44, 46, 50),
};

impl Palette {
    /// The colours of a theme.
    pub(super) fn of(is_dark: bool, contrast: Contrast) -> Palette {
        match (is_dark, contrast) {
            (false, Contrast::Normal) => LIGHT,
            (true, Contrast::Normal) => DARK,
            (false, Contrast::High) => LIGHT_HIGH,
            (true, Contrast::High) => DARK_HIGH,
        }
    }

    /// The colour of what goes on.
    pub(crate) fn stage(&self, state: &State) -> Color32 {
        match state.turn.stage {
            Stage::Absent => self.weak,
            Stage::Idle => self.ready,
            stage if stage.is_locked() => self.locked,
            Stage::Opening { .. } | Stage::Listening { .. } | Stage::Attending => self.listening,
            Stage::Thinking => self.thinking,
            Stage::Speaking => self.accent,
        }
    }

    /// The ground of a message in this colour.
    pub(crate) fn tint(&self, color: Color32) -> Color32 {
        blend(self.bar, color, 0.08)
    }

    /// The ground of text that is selected.
    pub(super) fn selected(&self) -> Color32 {
        blend(self.paper, self.accent, 0.25)
    }
}

/// So much of `over` on `ground`, opaque.
fn blend(ground: Color32, over: Color32, share: f32) -> Color32 {
    let mix = |a: u8, b: u8| (f32::from(a) * (1.0 - share) + f32::from(b) * share).round() as u8;
    Color32::from_rgb(mix(ground.r(), over.r()), mix(ground.g(), over.g()), mix(ground.b(), over.b()))
}

/// How well two colours stand apart, from 1 to 21, as WCAG 2 counts it.
#[cfg(test)]
fn contrast(a: Color32, b: Color32) -> f32 {
    let luminance = |color: Color32| {
        let color = eframe::egui::Rgba::from(color);
        0.2126 * color.r() + 0.7152 * color.g() + 0.0722 * color.b() + 0.05
    };
    let (a, b) = (luminance(a), luminance(b));
    a.max(b) / a.min(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every text and what it stands on somewhere in the window.
    fn pairs(p: &Palette) -> Vec<(&'static str, Color32, Color32)> {
        let mut pairs = vec![];
        let grounds = [p.paper, p.bar, p.bubble, p.hovered, p.selected(), p.tint(p.text)];
        pairs.extend(grounds.map(|ground| ("text", p.text, ground)));
        pairs.extend([p.paper, p.bar, p.bubble, p.hovered].map(|ground| ("weak", p.weak, ground)));
        pairs.extend([p.paper, p.bar, p.bubble].map(|ground| ("accent", p.accent, ground)));
        pairs.extend([p.paper, p.bar, p.tint(p.error)].map(|ground| ("error", p.error, ground)));
        pairs.push(("link", p.link, p.paper));
        let stages =
            [("ready", p.ready), ("listening", p.listening), ("locked", p.locked), ("thinking", p.thinking)];
        pairs.extend(stages.map(|(name, color)| (name, color, p.bar)));
        let fills = [p.accent, p.listening, p.locked, p.thinking];
        pairs.extend(fills.map(|fill| ("on_accent", p.on_accent, fill)));
        pairs
    }

    #[test]
    fn every_text_stands_out_from_its_ground() {
        for is_dark in [false, true] {
            for (contrast_of, least) in [(Contrast::Normal, 4.5), (Contrast::High, 7.0)] {
                let palette = Palette::of(is_dark, contrast_of);
                for (name, text, ground) in pairs(&palette) {
                    let ratio = contrast(text, ground);
                    assert!(
                        ratio >= least,
                        "{name} on {ground:?} has {ratio:.2}: dark {is_dark}, {contrast_of:?}"
                    );
                }
            }
        }
        assert!((contrast(Color32::BLACK, Color32::WHITE) - 21.0).abs() < 0.01);
    }

    #[test]
    fn high_contrast_draws_edges_that_are_seen() {
        for is_dark in [false, true] {
            let palette = Palette::of(is_dark, Contrast::High);
            for ground in [palette.paper, palette.bar, palette.hovered] {
                assert!(contrast(palette.line, ground) >= 3.0, "{ground:?}, dark {is_dark}");
            }
        }
    }
}
