//! Where the program keeps its files: in the folders that the desktop names for that.

use std::path::{Path, PathBuf};

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

/// Where fetched models lie.
pub(crate) fn models() -> Option<PathBuf> {
    Some(data()?.join("models"))
}

/// Bytes that are free for a person where `folder` is or would be made, as far as that can be told.
#[cfg(unix)]
pub(crate) fn free_bytes(folder: &Path) -> Option<u64> {
    let found = folder.ancestors().find_map(|folder| rustix::fs::statvfs(folder).ok())?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

/// The system is not asked.
#[cfg(not(unix))]
pub(crate) fn free_bytes(_: &Path) -> Option<u64> {
    None
}

/// The first of these that is set: a variable of the desktop, one of Windows, a folder at home.
fn folder(desktop: &str, windows: &str, at_home: &str) -> Option<PathBuf> {
    // What is not an absolute path counts as not set.
    let set = |name| std::env::var_os(name).map(PathBuf::from).filter(|folder| folder.is_absolute());
    let base = set(desktop).or_else(|| set(windows)).or_else(|| set("HOME").map(|home| home.join(at_home)));
    base.map(|base| base.join("colloquy"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn a_folder_that_is_not_there_yet_has_the_room_of_the_one_above() {
        let folder = tempfile::tempdir().unwrap();
        let free = free_bytes(folder.path()).unwrap();
        let below = free_bytes(&folder.path().join("not/there")).unwrap();
        assert!(free > 0 && below > 0);
    }
}
