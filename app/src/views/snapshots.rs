//! Pictures of every view, compared with those in `app/tests/snapshots`. `COLLOQUY_SNAPSHOTS=write` makes them anew; they are to be
//! looked at then.

mod painter;
mod scenes;

use std::path::{Path, PathBuf};

use crossbeam_channel::unbounded;
use eframe::egui::{self, Vec2, vec2};
use egui_kittest::Harness;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder, RgbaImage, imageops};

use super::*;
use crate::preferences::{Contrast, Look, Theme};
use painter::Painter;

/// A colour channel may differ by so much: drivers round in other ways.
const NEAR: u8 = 7;
/// So many pixels may differ by more: the smallest thing with a colour of its own has more.
const STRAY: usize = 12;

/// What the library leaves free around a view.
const EDGE: f32 = 8.0;

/// How a view is shown.
#[derive(Clone, Copy)]
struct Shown {
    theme: Theme,
    contrast: Contrast,
    /// Pixels of a point.
    scale: f32,
    size: [f32; 2],
}

const LIGHT: Shown =
    Shown { theme: Theme::Light, contrast: Contrast::Normal, scale: 1.0, size: [800.0, 560.0] };
const DARK: Shown = Shown { theme: Theme::Dark, ..LIGHT };

/// The picture of a window over `state`.
fn draw(state: State, shown: Shown) -> RgbaImage {
    draw_at(state, shown, None)
}

/// The same, with the settings scrolled to `target`.
fn draw_at(state: State, shown: Shown, target: Option<settings::Target>) -> RgbaImage {
    let (sender, _commands) = unbounded();
    let look = Look { theme: shown.theme, contrast: shown.contrast, ..Look::default() };
    let painter = Painter::new();
    let theme = if shown.theme == Theme::Dark { egui::Theme::Dark } else { egui::Theme::Light };
    let mut harness = Harness::builder()
        .with_size(vec2(shown.size[0], shown.size[1]) + Vec2::splat(2.0 * EDGE))
        .with_theme(theme)
        .with_pixels_per_point(shown.scale)
        .renderer(painter.clone())
        .with_context_setup(move |context| theme::dress(context, &look))
        .build_ui_state(move |ui, state: &mut State| window_ui(ui, state, &sender), state);
    if let Some(target) = target {
        settings::seek(&harness.ctx, target);
    }
    harness.run_steps(12);
    let picture = painter.draw(&harness.ctx, harness.output());
    let [edge, width, height] = [EDGE, shown.size[0], shown.size[1]].map(|side| (side * shown.scale) as u32);
    imageops::crop_imm(&picture, edge, edge, width, height).to_image()
}

/// Compares a picture with the one that is kept as `name`.
fn check(name: &str, picture: &RgbaImage) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let kept = root.join("tests/snapshots").join(name).with_extension("png");
    if std::env::var("COLLOQUY_SNAPSHOTS").is_ok_and(|wish| wish == "write") {
        return write(&kept, picture);
    }
    let failed = root.join("../target/snapshots").join(name).with_extension("png");
    let was = image::open(&kept).unwrap_or_else(|e| panic!("{}: {e}", kept.display())).to_rgba8();
    let same_size = was.dimensions() == picture.dimensions();
    let strays = strays(&was, picture);
    if !same_size || strays > STRAY {
        write(&failed, picture);
        panic!("{name}: {strays} pixels are not as in {}; see {}", kept.display(), failed.display());
    }
}

/// How many pixels of two pictures differ.
fn strays(a: &RgbaImage, b: &RgbaImage) -> usize {
    let differ = |a: &[u8], b: &[u8]| a.iter().zip(b).any(|(a, b)| a.abs_diff(*b) > NEAR);
    a.pixels().zip(b.pixels()).filter(|(a, b)| differ(&a.0, &b.0)).count()
}

fn write(path: &PathBuf, picture: &RgbaImage) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let file = std::fs::File::create(path).unwrap();
    let encoder = PngEncoder::new_with_quality(file, CompressionType::Best, FilterType::Sub);
    // Rounded to fours: the files are smaller, and the comparison allows for it.
    let rgb: Vec<u8> = picture.pixels().flat_map(|p| [p[0], p[1], p[2]].map(|v| (v & !3) + 2)).collect();
    let (width, height) = picture.dimensions();
    encoder.write_image(&rgb, width, height, ExtendedColorType::Rgb8).unwrap();
}

/// A view in light and dark.
fn both(name: &str, scene: fn() -> State) {
    check(&format!("{name}-light"), &draw(scene(), LIGHT));
    check(&format!("{name}-dark"), &draw(scene(), DARK));
}

/// The same on a screen of twice as many pixels, in a smaller window.
fn twice(name: &str, scene: fn() -> State) {
    let twice = |shown| Shown { scale: 2.0, size: [520.0, 440.0], ..shown };
    check(&format!("{name}-light-2x"), &draw(scene(), twice(LIGHT)));
    check(&format!("{name}-dark-2x"), &draw(scene(), twice(DARK)));
}

#[test]
fn the_conversation() {
    both("conversation", scenes::conversation);
    twice("conversation", scenes::conversation);
}

#[test]
fn an_empty_window() {
    both("idle", tests::ready);
}

#[test]
fn the_first_start() {
    let large = |shown| Shown { size: [820.0, 720.0], ..shown };
    check("first-run-light", &draw(scenes::first_run(), large(LIGHT)));
    check("first-run-dark", &draw(scenes::first_run(), large(DARK)));
    twice("first-run", scenes::first_run);
}

#[test]
fn a_larger_model_is_offered() {
    both("offer", scenes::offer);
}

#[test]
fn a_model_that_is_being_loaded() {
    both("loading", scenes::loading);
    both("waiting", scenes::waiting);
    twice("waiting", scenes::waiting);
}

#[test]
fn listening() {
    both("listening", scenes::listening);
}

#[test]
fn listening_without_a_key_held() {
    both("locked", scenes::locked);
    twice("locked", scenes::locked);
}

#[test]
fn a_hands_free_conversation() {
    both("hands-free", hands_free::tests::waiting);
    twice("hands-free", hands_free::tests::listening);
}

#[test]
fn thinking() {
    both("thinking", scenes::thinking);
}

#[test]
fn speaking() {
    both("speaking", scenes::speaking);
}

#[test]
fn the_list_of_conversations() {
    both("history", scenes::history);
    both("forget", || {
        let mut state = scenes::history();
        state.history.confirms = true;
        state
    });
}

#[test]
fn a_question_about_a_picture() {
    both("picture-question", scenes::picture_question);
    twice("picture-question", scenes::picture_question);
}

#[test]
fn a_picture_that_is_shown_large() {
    both("picture", scenes::picture_opened);
}

#[test]
fn an_error() {
    both("error", scenes::error);
    twice("error", scenes::error);
}

#[test]
fn the_settings() {
    let tall = |shown| Shown { size: [680.0, 1000.0], ..shown };
    check("settings-light", &draw(scenes::settings(), tall(LIGHT)));
    check("settings-dark", &draw(scenes::settings(), tall(DARK)));
    twice("settings", scenes::settings);
}

/// The page about a machine, in light and dark, from its title on.
fn computer(machine: &str) {
    for (name, theme) in [("light", Theme::Light), ("dark", Theme::Dark)] {
        let shown = Shown { theme, size: [760.0, 900.0], ..LIGHT };
        let picture = draw_at(scenes::computer(machine), shown, Some(settings::Target::Computer));
        check(&format!("computer-{machine}-{name}"), &picture);
    }
}

#[test]
fn what_is_known_of_the_computer() {
    ["strix-halo-32", "no-graphics", "geforce-rtx-4090"].into_iter().for_each(computer);
    let twice = |shown| Shown { scale: 2.0, size: [520.0, 560.0], ..shown };
    for (name, shown) in [("light", twice(LIGHT)), ("dark", twice(DARK))] {
        let picture = draw_at(scenes::computer("strix-halo-32"), shown, Some(settings::Target::Computer));
        check(&format!("computer-{name}-2x"), &picture);
    }
}

#[test]
fn the_large_models() {
    let tall = |shown| Shown { size: [680.0, 800.0], ..shown };
    check("models-light", &draw(scenes::models(), tall(LIGHT)));
    check("models-dark", &draw(scenes::models(), tall(DARK)));
}

#[test]
fn high_contrast() {
    let high = |shown| Shown { contrast: Contrast::High, ..shown };
    check("high-contrast-light", &draw(scenes::conversation(), high(LIGHT)));
    check("high-contrast-dark", &draw(scenes::conversation(), high(DARK)));
}

/// Texts are in one language for a whole program, so German ones have a program of their own.
#[test]
fn german() {
    let tests = std::env::current_exe().unwrap();
    let run = std::process::Command::new(tests)
        .args(["--exact", "views::snapshots::german_settings", "--ignored"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
#[ignore = "run by the test `german`, in a program of its own"]
fn german_settings() {
    crate::language::choose(Some("de"));
    check("settings-german", &draw(scenes::settings(), Shown { size: [680.0, 1000.0], ..LIGHT }));
    let shown = Shown { size: [760.0, 900.0], ..LIGHT };
    let target = Some(settings::Target::Computer);
    check("computer-german", &draw_at(scenes::computer("strix-halo-32"), shown, target));
    check("conversation-german", &draw(scenes::conversation(), LIGHT));
}

#[test]
fn a_changed_colour_is_seen() {
    let picture = draw(tests::ready(), LIGHT);
    assert_eq!(strays(&picture, &picture), 0);
    let mut changed = picture.clone();
    for (x, y) in (0..4).flat_map(|x| (0..4).map(move |y| (x, y))) {
        changed.get_pixel_mut(100 + x, 100 + y).0[1] ^= 16;
    }
    assert!(strays(&picture, &changed) > STRAY);
}
