//! Where models lie on this machine, and which are there.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};

use super::catalogue::Kind;
use super::journal::{Journal, partial};
use super::manifest::Manifest;
use super::{cache, convert};
use crate::folders;

/// The folders.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// Of our own models, one folder each.
    folder: PathBuf,
    /// Of the hub's own programs.
    pub(super) cache: Option<PathBuf>,
}

/// Whether a model is here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Presence {
    /// It is part of the program.
    Ships,
    /// It was fetched, into this folder.
    Here(PathBuf),
    /// Another program has fetched it, into this folder.
    Cached(PathBuf),
    /// So many of so many bytes have come.
    Partly {
        /// That have come.
        bytes: u64,
        /// That there are.
        of: u64,
    },
    /// Nothing is.
    Absent,
}

/// Nobody else changes a model while this is held.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "held for its lock")] File);

impl Place {
    /// As the desktop and the hub's variables say.
    ///
    /// # Errors
    /// There is no folder for data.
    pub(crate) fn of_user() -> Result<Place> {
        let folder = folders::models().context("there is no folder for models: set XDG_DATA_HOME or HOME")?;
        Ok(Place { folder, cache: cache::folder() })
    }

    /// The folder of all models.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where a model is, or is to be.
    pub(super) fn of(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Where it is as long as it is not whole.
    pub(super) fn unfinished(&self, name: &str) -> PathBuf {
        partial(&self.of(name))
    }

    /// Where the files of a model come to that is converted.
    pub(super) fn source(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.source"))
    }

    /// Whether a model is here.
    pub(crate) fn presence(&self, kind: Kind) -> Presence {
        let Some(repo) = &kind.entry.repo else { return Presence::Ships };
        let name = kind.name();
        let folder = self.of(&name);
        if folder.is_dir() {
            return Presence::Here(folder);
        }
        if kind.format.is_some() {
            return self.converting(kind);
        }
        if let Some(folder) = self.cache.as_deref().and_then(|cache| cache::snapshot(cache, repo)) {
            return Presence::Cached(folder);
        }
        let unfinished = self.unfinished(&name);
        match Manifest::read(&unfinished) {
            Ok(Some(manifest)) => {
                let bytes = manifest.files.iter().map(|part| come(&unfinished.join(&part.path), part.size));
                Presence::Partly { bytes: bytes.sum(), of: manifest.bytes() }
            }
            _ => Presence::Absent,
        }
    }

    /// How much has come of a model that is converted.
    fn converting(&self, kind: Kind) -> Presence {
        let source = self.source(&kind.name());
        match Manifest::read(&source) {
            Ok(Some(manifest)) => {
                let bytes = manifest.files.iter().map(|part| convert::come(&source, part));
                Presence::Partly { bytes: bytes.sum(), of: manifest.bytes() }
            }
            // Converted from files that are here.
            _ if self.unfinished(&kind.name()).is_dir() => {
                Presence::Partly { bytes: 0, of: kind.entry.bytes.bf16 }
            }
            _ => Presence::Absent,
        }
    }

    /// Takes a model for oneself.
    ///
    /// # Errors
    /// Another program has it, or there can be no lock.
    pub(super) fn lock(&self, name: &str) -> Result<Lock> {
        fs::create_dir_all(&self.folder)
            .with_context(|| format!("cannot make the folder {}", self.folder.display()))?;
        let path = self.folder.join(format!(".{name}.lock"));
        let open = File::options().create(true).truncate(false).write(true).open(&path);
        let told = || format!("cannot lock {}", path.display());
        let file = open.with_context(told)?;
        match file.try_lock() {
            Ok(()) => Ok(Lock(file)),
            Err(TryLockError::WouldBlock) => {
                Err(anyhow!("another colloquy is working on {name}: wait until it is done, or end it there"))
            }
            Err(TryLockError::Error(error)) => Err(error).with_context(told),
        }
    }

    /// Deletes what was fetched of a model, whole or not. What other programs have fetched stays.
    ///
    /// # Errors
    /// Nothing of it is here, or it cannot be deleted.
    pub(crate) fn remove(&self, kind: Kind) -> Result<()> {
        let name = kind.name();
        let _lock = self.lock(&name)?;
        let gone = self.folder.join(format!(".{name}.removed"));
        let mut found = false;
        for folder in [self.of(&name), self.unfinished(&name), self.source(&name)] {
            if !folder.exists() {
                continue;
            }
            found = true;
            // Under its own name it is there or not, never half of it.
            let delete = || -> std::io::Result<()> {
                if gone.exists() {
                    fs::remove_dir_all(&gone)?;
                }
                fs::rename(&folder, &gone)?;
                fs::remove_dir_all(&gone)
            };
            delete().with_context(|| format!("cannot delete {}", folder.display()))?;
        }
        if !found {
            bail!("nothing of {name} was fetched into {}", self.folder.display());
        }
        Ok(())
    }
}

/// Bytes that have come of a file that is to lie at `file` and to have `size` bytes.
pub(super) fn come(file: &Path, size: u64) -> u64 {
    let journal = || Journal::read(file, size).map_or(0, |journal| journal.pieces.bytes());
    if file.is_file() { size } else { journal() }
}
