//! The window's look as tokens: spaces, sizes of text, roundness, and colours by what they are for. Views name tokens, never numbers
//! of their own; the library's widgets are dressed in the same ones.

mod palette;

use eframe::egui::{
    Color32, Context, CornerRadius, FontFamily, FontId, Id, Margin, Shadow, Stroke, Style, TextStyle, Theme,
    ThemePreference, Ui, vec2,
};

use crate::preferences::{self, Contrast, Look};
pub(crate) use palette::Palette;

/// Spaces, each about half as large again as the one before.
pub(crate) mod space {
    /// Between what belongs together.
    pub(crate) const TIGHT: f32 = 4.0;
    /// Inside of a control.
    pub(crate) const SMALL: f32 = 7.0;
    /// Between controls.
    pub(crate) const MEDIUM: f32 = 10.0;
    /// Between paragraphs.
    pub(crate) const LARGE: f32 = 14.0;
    /// Between sections.
    pub(crate) const WIDE: f32 = 22.0;
}

/// Sizes of text.
pub(crate) mod size {
    /// Remarks and figures.
    pub(crate) const SMALL: f32 = 13.0;
    /// Code.
    pub(crate) const CODE: f32 = 14.0;
    /// Buttons.
    pub(crate) const BUTTON: f32 = 15.0;
    /// Everything else.
    pub(crate) const BODY: f32 = 16.0;
    /// Titles.
    pub(crate) const HEADING: f32 = 20.0;
    /// What an empty page says.
    pub(crate) const GREETING: f32 = 24.0;
}

/// Height of a control that is clicked.
const CONTROL: f32 = 34.0;
/// Space around a panel's content.
pub(crate) const MARGIN: Margin = Margin::symmetric(20, 12);
/// Roundness of buttons.
pub(crate) const ROUND: u8 = 10;
/// Roundness of bubbles and cards.
pub(crate) const ROUNDER: u8 = 14;

/// The colours that hold in `ui`.
pub(crate) fn palette(ui: &Ui) -> Palette {
    let contrast = ui.data(|data| data.get_temp(contrast_id())).unwrap_or_default();
    Palette::of(ui.visuals().dark_mode, contrast)
}

/// Where the contrast that was chosen is remembered.
fn contrast_id() -> Id {
    Id::unique("contrast")
}

/// Gives the window the colours and the size that the person chose.
pub(crate) fn dress(context: &Context, look: &Look) {
    context.data_mut(|data| data.insert_temp(contrast_id(), look.contrast));
    for theme in [Theme::Light, Theme::Dark] {
        let palette = Palette::of(theme == Theme::Dark, look.contrast);
        context.style_mut_of(theme, |style| dress_style(style, &palette, look.contrast));
    }
    context.set_theme(match look.theme {
        preferences::Theme::System => ThemePreference::System,
        preferences::Theme::Light => ThemePreference::Light,
        preferences::Theme::Dark => ThemePreference::Dark,
    });
    context.set_zoom_factor(look.text_size);
}

/// Dresses the library's own widgets.
fn dress_style(style: &mut Style, palette: &Palette, contrast: Contrast) {
    let sizes = [
        (TextStyle::Small, size::SMALL),
        (TextStyle::Body, size::BODY),
        (TextStyle::Button, size::BUTTON),
        (TextStyle::Monospace, size::CODE),
        (TextStyle::Heading, size::HEADING),
    ];
    for (text_style, size) in sizes {
        let family = match text_style {
            TextStyle::Monospace => FontFamily::Monospace,
            _ => FontFamily::Proportional,
        };
        style.text_styles.insert(text_style, FontId::new(size, family));
    }
    style.spacing.item_spacing = vec2(space::MEDIUM, space::MEDIUM);
    style.spacing.button_padding = vec2(12.0, space::SMALL);
    style.spacing.interact_size.y = CONTROL;
    style.spacing.menu_margin = Margin::same(6);
    style.spacing.icon_width = 18.0;
    style.spacing.icon_width_inner = 11.0;
    style.spacing.icon_spacing = space::SMALL;

    let is_high = contrast == Contrast::High;
    let edge = Stroke::new(if is_high { 1.5 } else { 1.0 }, palette.line);
    let visuals = &mut style.visuals;
    visuals.panel_fill = palette.paper;
    visuals.window_fill = palette.bar;
    visuals.window_stroke = edge;
    visuals.window_corner_radius = CornerRadius::same(ROUNDER);
    visuals.menu_corner_radius = CornerRadius::same(ROUND);
    let shadow = Shadow { offset: [0, 4], blur: 16, spread: 0, color: Color32::from_black_alpha(60) };
    visuals.window_shadow = shadow;
    visuals.popup_shadow = shadow;
    visuals.extreme_bg_color = palette.paper;
    visuals.text_edit_bg_color = Some(palette.paper);
    visuals.faint_bg_color = palette.bar;
    visuals.code_bg_color = palette.hovered;
    visuals.weak_text_color = Some(palette.weak);
    visuals.error_fg_color = palette.error;
    visuals.warn_fg_color = palette.thinking;
    visuals.hyperlink_color = palette.link;
    visuals.text_cursor.stroke = Stroke::new(2.0, palette.accent);
    visuals.selection.bg_fill = palette.selected();
    visuals.selection.stroke = Stroke::new(1.5, palette.text);
    visuals.disabled_alpha = if is_high { 0.75 } else { 0.5 };
    let widgets = &mut visuals.widgets;
    for (widget, fill) in [
        (&mut widgets.noninteractive, palette.bar),
        (&mut widgets.inactive, palette.bar),
        (&mut widgets.hovered, palette.hovered),
        (&mut widgets.active, palette.hovered),
        (&mut widgets.open, palette.hovered),
    ] {
        widget.bg_fill = fill;
        widget.weak_bg_fill = fill;
        widget.bg_stroke = edge;
        widget.fg_stroke = Stroke::new(1.5, palette.text);
        widget.corner_radius = CornerRadius::same(ROUND);
        widget.expansion = 0.0;
    }
    // The rail of a slider and the box of a checkbox stand out from what they lie on.
    widgets.inactive.bg_fill = if is_high { palette.hovered } else { palette.line };
    if is_high {
        widgets.hovered.bg_stroke = Stroke::new(2.0, palette.text);
        widgets.active.bg_stroke = Stroke::new(2.0, palette.text);
    }
}
