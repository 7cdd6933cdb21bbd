//! The language of the window's texts. The program names each text by its English words; a file in `assets/languages` gives
//! them in another language, and adding one is all that it takes to add a language.

use std::borrow::Cow;

pub(crate) use rust_i18n::t;

/// The language that the texts are written in.
const ENGLISH: &str = "en";

/// All languages that there are texts in, by their codes.
pub(crate) fn all() -> Vec<Cow<'static, str>> {
    let mut all = rust_i18n::available_locales!();
    all.push(Cow::Borrowed(ENGLISH));
    all.sort();
    all.dedup();
    all
}

/// What a language calls itself.
pub(crate) fn name(code: &str) -> Cow<'static, str> {
    t!("English", locale = code)
}

/// Shows texts in this language from now on: in the desktop's where `None`, and in English where there are none in it.
pub(crate) fn choose(wanted: Option<&str>) {
    let wanted = wanted.map(str::to_owned).or_else(sys_locale::get_locale).unwrap_or_default();
    rust_i18n::set_locale(&known(&wanted));
}

/// The language to show texts in for someone who wants this one: `de` for `de-AT`.
fn known(wanted: &str) -> Cow<'static, str> {
    let base = wanted.split(['-', '_', '.']).next().unwrap_or_default();
    all().into_iter().find(|code| code == base).unwrap_or(Cow::Borrowed(ENGLISH))
}

#[cfg(test)]
mod tests;
