//! Letters that no font has. The window's library looks for a font of the system when a text first needs one; where there is none,
//! the log says which to install.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use eframe::egui::Context;
use eframe::epaint::text::{FallbackRequest, FontInsert, FontProvider};

/// Has the log say once for each package of fonts that it is missing.
pub(crate) fn install(context: &Context) {
    context.add_font_provider(Arc::new(Missing::default()));
}

/// The last that is asked for a font: it has none.
#[derive(Default)]
struct Missing(Mutex<BTreeSet<&'static str>>);

impl FontProvider for Missing {
    fn font_for(&self, request: &FallbackRequest<'_>) -> Option<FontInsert> {
        let letter = request.cluster.chars().next()?;
        let package = package(letter);
        if self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(package) {
            tracing::warn!(
                letter = %letter.escape_unicode(),
                package,
                "no font has this letter, so it shows as a box: install the fonts of this package (Debian's name)"
            );
        }
        None
    }
}

/// The package of fonts that has a letter, as Debian and Ubuntu call it.
fn package(letter: char) -> &'static str {
    match u32::from(letter) {
        0x1100..=0x11FF
        | 0x2E80..=0x9FFF
        | 0xA960..=0xA97F
        | 0xAC00..=0xD7FF
        | 0xF900..=0xFAFF
        | 0xFE30..=0xFE4F
        | 0xFF00..=0xFFEF
        | 0x20000..=0x3FFFF => "fonts-noto-cjk",
        0x2600..=0x27BF | 0x1F000..=0x1FAFF => "fonts-noto-color-emoji",
        _ => "fonts-noto-core",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eframe::egui::FontFamily;

    #[test]
    fn each_script_is_told_once_with_the_package_that_has_it() {
        let missing = Missing::default();
        for cluster in ["日", "本", "한", "ア", "م", "ש", "न", "😀"] {
            let request = FallbackRequest { cluster, family: &FontFamily::Proportional };
            assert!(missing.font_for(&request).is_none());
        }
        let told: Vec<_> = missing.0.lock().unwrap().iter().copied().collect();
        assert_eq!(told, ["fonts-noto-cjk", "fonts-noto-color-emoji", "fonts-noto-core"]);
        assert_eq!((package('語'), package('ع'), package('☂')), (told[0], told[2], told[1]));
    }
}
