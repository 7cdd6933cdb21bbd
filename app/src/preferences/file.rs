//! The settings' file: read at the start, written whole. One that cannot be read is kept aside.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::Preferences;
use crate::folders;
use crate::language::t;

/// What was found at the start.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stored {
    /// Where it is, if the desktop has a folder for it.
    pub(crate) path: Option<PathBuf>,
    /// What it says.
    pub(crate) preferences: Preferences,
    /// Whether there was no file.
    pub(crate) is_new: bool,
    /// A sentence, where it could not be used.
    pub(crate) fault: Option<String>,
}

impl Stored {
    /// Looks for the file.
    pub(crate) fn find() -> Stored {
        let path = folders::config().map(|folder| folder.join("settings.toml"));
        let is_new = !path.as_deref().is_some_and(Path::exists);
        let (preferences, fault) = path.as_deref().map(read).unwrap_or_default();
        Stored { path, preferences, is_new, fault }
    }
}

/// What the file at `path` says, and a sentence for the person where it says nothing that can be used. Such a file is renamed to
/// `settings.toml.broken`. Keys that are not known are logged and left out.
pub(crate) fn read(path: &Path) -> (Preferences, Option<String>) {
    let shown = path.display();
    let text = match std::fs::read(path) {
        Ok(bytes) => String::from_utf8(bytes).map_err(|_| t!("it is not UTF-8 text").into()),
        Err(error) if error.kind() == ErrorKind::NotFound => return (Preferences::default(), None),
        Err(error) => {
            let told = t!(
                "The settings in %{file} cannot be read: %{error}. Defaults are used.",
                file = shown,
                error = error
            );
            return (Preferences::default(), Some(told.into()));
        }
    };
    match text.and_then(|text| parse(&text, path)) {
        Ok(preferences) => (preferences.sensible(), None),
        Err(reason) => {
            let mut aside = path.as_os_str().to_owned();
            aside.push(".broken");
            let kept = match std::fs::rename(path, &aside) {
                Ok(()) => t!("It is kept as %{file}.", file = Path::new(&aside).display()),
                Err(error) => t!("It cannot be kept aside: %{error}.", error = error),
            };
            let told = t!(
                "The settings in %{file} are broken: %{reason}. %{kept} Defaults are used.",
                file = shown,
                reason = reason,
                kept = kept
            );
            (Preferences::default(), Some(told.into()))
        }
    }
}

fn parse(text: &str, path: &Path) -> Result<Preferences, String> {
    let first_line = |error: toml::de::Error| {
        let line = error.span().map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        let place = line.map_or_else(String::new, |line| t!("line %{line}: ", line = line).into());
        format!("{place}{}", error.message().lines().next().unwrap_or_default())
    };
    let deserializer = toml::Deserializer::parse(text).map_err(first_line)?;
    let unknown = |key: serde_ignored::Path<'_>| {
        tracing::warn!(file = %path.display(), %key, "a setting that is not known");
    };
    serde_ignored::deserialize(deserializer, unknown).map_err(first_line)
}

/// Writes the file, and its folder where that is missing. Whoever reads it meanwhile finds what was there before.
///
/// # Errors
/// A sentence that names the file; what was there before stays.
pub(crate) fn write(path: &Path, preferences: &Preferences) -> Result<()> {
    let text = toml::to_string(preferences)?;
    let put = || -> std::io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        let mut beside = tempfile::NamedTempFile::new_in(folder)?;
        beside.write_all(text.as_bytes())?;
        beside.as_file().sync_all()?;
        beside.persist(path)?;
        Ok(())
    };
    put().with_context(|| format!("cannot write {}", path.display()))
}
