//! How a talk key is written on the command line.

use global_hotkey::hotkey::HotKey;

/// Keys that nothing is typed with, by the beginning of their names.
const ALONE: [&str; 8] =
    ["Media", "Audio", "Launch", "Browser", "Pause", "ScrollLock", "PrintScreen", "ContextMenu"];

/// Reads modifiers and a key, such as `ctrl+alt+t` or `F9`.
///
/// # Errors
/// A sentence: it is no key, or one that could no longer be typed with.
pub(crate) fn parse(text: &str) -> Result<HotKey, String> {
    let key: HotKey = text.parse().map_err(|_| {
        "modifiers (ctrl, alt, shift, super) come first, then one key, such as ctrl+alt+t or F9".to_owned()
    })?;
    let name = key.key.to_string();
    let is_function = name.strip_prefix('F').is_some_and(|number| number.parse::<u8>().is_ok());
    if key.mods.is_empty() && !is_function && !ALONE.iter().any(|start| name.starts_with(start)) {
        return Err(format!("{text} alone could not be typed any more: add a modifier, such as ctrl+alt+t"));
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_talk_key_has_a_modifier_or_is_not_for_typing() {
        for good in ["F9", "ctrl+alt+t", "super+space", "Pause", "MediaPlayPause", "shift+F1"] {
            assert!(parse(good).is_ok(), "{good}: {:?}", parse(good));
        }
        for bad in ["", "t", "space", "ctrl", "ctrl+", "t+ctrl", "ctrl+nokey", "Enter", "5"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert!(parse("t").unwrap_err().contains("add a modifier"));
    }
}
