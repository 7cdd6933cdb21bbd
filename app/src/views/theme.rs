//! Colours, sizes and spacing, dark and light as the system says.

use eframe::egui::{
    Color32, Context, CornerRadius, FontFamily, FontId, Margin, Stroke, TextStyle, Theme, ThemePreference,
    Ui, vec2,
};

use crate::preferences::{self, Look};
use crate::state::State;
use crate::turn::Stage;

/// Space around a panel's content.
pub(crate) const MARGIN: Margin = Margin::symmetric(20, 12);
/// Roundness of bubbles and buttons.
pub(crate) const ROUND: u8 = 10;

/// The colours of one theme.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Palette {
    pub(crate) paper: Color32,
    pub(crate) bar: Color32,
    pub(crate) bubble: Color32,
    pub(crate) text: Color32,
    pub(crate) weak: Color32,
    pub(crate) accent: Color32,
    pub(crate) on_accent: Color32,
    pub(crate) ready: Color32,
    pub(crate) listening: Color32,
    pub(crate) locked: Color32,
    pub(crate) thinking: Color32,
    pub(crate) error: Color32,
    link: Color32,
    line: Color32,
    hovered: Color32,
}

const LIGHT: Palette = Palette {
    paper: Color32::from_rgb(250, 249, 246),
    bar: Color32::from_rgb(241, 239, 234),
    bubble: Color32::from_rgb(222, 234, 233),
    text: Color32::from_rgb(33, 37, 43),
    weak: Color32::from_rgb(94, 100, 110),
    accent: Color32::from_rgb(38, 106, 112),
    on_accent: Color32::from_rgb(255, 255, 255),
    ready: Color32::from_rgb(66, 122, 74),
    listening: Color32::from_rgb(178, 74, 48),
    locked: Color32::from_rgb(164, 36, 96),
    thinking: Color32::from_rgb(146, 108, 20),
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
    line: Color32::from_rgb(58, 62, 67),
    hovered: Color32::from_rgb(48, 52, 57),
};

/// The colours that hold in `ui`.
pub(crate) fn palette(ui: &Ui) -> Palette {
    if ui.visuals().dark_mode { DARK } else { LIGHT }
}

impl Palette {
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
}

/// Gives the window the colours and the size that the person chose.
pub(crate) fn dress(context: &Context, look: Look) {
    context.set_theme(match look.theme {
        preferences::Theme::System => ThemePreference::System,
        preferences::Theme::Light => ThemePreference::Light,
        preferences::Theme::Dark => ThemePreference::Dark,
    });
    context.set_zoom_factor(look.text_size);
}

/// Gives the window its fonts' sizes, spacing and colours. Once, at the start.
pub(crate) fn install(context: &Context) {
    for (theme, palette) in [(Theme::Light, LIGHT), (Theme::Dark, DARK)] {
        context.style_mut_of(theme, |style| {
            let sizes = [
                (TextStyle::Small, 13.0),
                (TextStyle::Body, 16.0),
                (TextStyle::Button, 15.0),
                (TextStyle::Monospace, 14.0),
                (TextStyle::Heading, 20.0),
            ];
            for (text_style, size) in sizes {
                let family = match text_style {
                    TextStyle::Monospace => FontFamily::Monospace,
                    _ => FontFamily::Proportional,
                };
                style.text_styles.insert(text_style, FontId::new(size, family));
            }
            style.spacing.item_spacing = vec2(10.0, 10.0);
            style.spacing.button_padding = vec2(12.0, 7.0);
            style.spacing.interact_size.y = 34.0;

            let visuals = &mut style.visuals;
            visuals.panel_fill = palette.paper;
            visuals.window_fill = palette.bar;
            visuals.extreme_bg_color = palette.paper;
            visuals.text_edit_bg_color = Some(palette.paper);
            visuals.weak_text_color = Some(palette.weak);
            visuals.error_fg_color = palette.error;
            visuals.hyperlink_color = palette.link;
            visuals.selection.bg_fill = palette.accent.gamma_multiply(0.35);
            visuals.selection.stroke = Stroke::new(1.5, palette.accent);
            let widgets = &mut visuals.widgets;
            let round = CornerRadius::same(ROUND);
            for (widget, fill, text) in [
                (&mut widgets.noninteractive, palette.bar, palette.text),
                (&mut widgets.inactive, palette.bar, palette.text),
                (&mut widgets.hovered, palette.hovered, palette.text),
                (&mut widgets.active, palette.hovered, palette.text),
                (&mut widgets.open, palette.hovered, palette.text),
            ] {
                widget.bg_fill = fill;
                widget.weak_bg_fill = fill;
                widget.bg_stroke = Stroke::new(1.0, palette.line);
                widget.fg_stroke = Stroke::new(1.0, text);
                widget.corner_radius = round;
                widget.expansion = 0.0;
            }
            widgets.inactive.bg_fill = palette.line;
        });
    }
}
