//! Where the socket and its lock lie: a folder that only this person can open.

use std::fs::{DirBuilder, symlink_metadata};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The names of one person's socket and lock.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(super) socket: PathBuf,
    /// Held by the program that owns the socket, as long as it runs.
    pub(super) lock: PathBuf,
}

impl Place {
    /// In `XDG_RUNTIME_DIR`, or in a folder of one's own below the temporary folder.
    ///
    /// # Errors
    /// There is no such folder, or another person can write there.
    pub(crate) fn of_user() -> Result<Place> {
        let given = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        let folder = match given.filter(|folder| folder.is_absolute() && folder.is_dir()) {
            Some(folder) => folder,
            None => {
                let user = rustix::process::getuid().as_raw();
                private(std::env::temp_dir().join(format!("colloquy-{user}")))?
            }
        };
        Ok(Place::within(&folder))
    }

    /// In this folder.
    pub(super) fn within(folder: &Path) -> Place {
        Place { socket: folder.join("colloquy.sock"), lock: folder.join("colloquy.lock") }
    }
}

/// Makes the folder where it is not there yet, and refuses one that others can enter or that is not ours.
pub(super) fn private(folder: PathBuf) -> Result<PathBuf> {
    if let Err(error) = DirBuilder::new().mode(0o700).create(&folder)
        && error.kind() != std::io::ErrorKind::AlreadyExists
    {
        return Err(error).with_context(|| format!("cannot make the folder {}", folder.display()));
    }
    let found = symlink_metadata(&folder).with_context(|| format!("cannot look at {}", folder.display()))?;
    let user = rustix::process::getuid().as_raw();
    if !found.is_dir() || found.uid() != user || found.mode() & 0o077 != 0 {
        bail!(
            "{} is not a folder of this user alone: remove it, or set XDG_RUNTIME_DIR to a private folder",
            folder.display()
        );
    }
    Ok(folder)
}
