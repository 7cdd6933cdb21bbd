//! What is known of a file that is on its way, kept beside it: which pieces are there, and of which version.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::pieces::Pieces;

/// The journal of one file.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Journal {
    /// What is there.
    pub(super) pieces: Pieces,
    /// The version that the server names.
    pub(super) etag: Option<String>,
}

/// The name of what is on its way to become `file`.
pub(super) fn partial(file: &Path) -> PathBuf {
    with_extension(file, ".part")
}

/// The name of its journal.
pub(super) fn beside(file: &Path) -> PathBuf {
    with_extension(file, ".journal")
}

fn with_extension(file: &Path, extension: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(extension);
    name.into()
}

impl Journal {
    /// The journal of `file`, which has `size` bytes when it is whole; `None` where there is none that can be believed.
    pub(super) fn read(file: &Path, size: u64) -> Option<Journal> {
        let journal: Journal = read(&beside(file)).ok().flatten()?;
        (partial(file).exists() && journal.pieces.fits(size)).then_some(journal)
    }

    /// Writes it.
    ///
    /// # Errors
    /// A sentence that names the file.
    pub(super) fn write(&self, file: &Path) -> Result<()> {
        write(&beside(file), self)
    }
}

/// Reads a file of JSON; `None` where there is none.
///
/// # Errors
/// It cannot be read, or says something else.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let told = || format!("cannot read {}", path.display());
    match fs::read(path) {
        Ok(text) => Ok(Some(serde_json::from_slice(&text).with_context(told)?)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(told),
    }
}

/// The name of a file until it is written whole. Only one program writes at a time, so that one that was killed leaves
/// no more than this.
pub(super) fn unwritten(path: &Path) -> PathBuf {
    with_extension(path, ".new")
}

/// Writes a file of JSON. Whoever reads it meanwhile finds what was there before.
///
/// # Errors
/// A sentence that names the file; what was there before stays.
pub(super) fn write<T: Serialize>(path: &Path, value: &T) -> Result<()> {
    let json =
        serde_json::to_vec_pretty(value).with_context(|| format!("cannot write {}", path.display()))?;
    put(path, &json)
}

/// Writes a file down to the disk, as [`write`].
///
/// # Errors
/// A sentence that names the file; what was there before stays.
pub(super) fn put(path: &Path, bytes: &[u8]) -> Result<()> {
    let put = || -> std::io::Result<()> {
        let new = unwritten(path);
        let mut file = File::create(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    put().with_context(|| format!("cannot write {}", path.display()))
}
