//! Where the program keeps its files: in the folders that the desktop names for that.

use std::path::PathBuf;

/// What it could make again.
pub(crate) fn cache() -> Option<PathBuf> {
    folder("XDG_CACHE_HOME", "LOCALAPPDATA", ".cache")
}

/// What the person chose.
pub(crate) fn config() -> Option<PathBuf> {
    folder("XDG_CONFIG_HOME", "APPDATA", ".config")
}

/// What the person said and was told.
pub(crate) fn data() -> Option<PathBuf> {
    folder("XDG_DATA_HOME", "LOCALAPPDATA", ".local/share")
}

/// The first of these that is set: a variable of the desktop, one of Windows, a folder at home.
fn folder(desktop: &str, windows: &str, at_home: &str) -> Option<PathBuf> {
    // What is not an absolute path counts as not set.
    let set = |name| std::env::var_os(name).map(PathBuf::from).filter(|folder| folder.is_absolute());
    let base = set(desktop).or_else(|| set(windows)).or_else(|| set("HOME").map(|home| home.join(at_home)));
    base.map(|base| base.join("colloquy"))
}
