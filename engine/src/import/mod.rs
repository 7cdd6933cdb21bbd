//! Brings a published checkpoint to the files that the engine loads as they are: see `quant/FORMAT.md`.
//!
//! What is held how is the loader's business alone: it goes through the model and notes each tensor, for which headers suffice, and
//! so every byte's place is known before anything is written. The checkpoint's files are then taken one after the other,
//! each piece by piece, so that neither the checkpoint nor a tensor has to fit the memory, nor the whole checkpoint the disk.
//! An import that is broken off at any point goes on where it was.

mod checksums;
mod encode;
mod figures;
mod folder;
mod journal;
mod outputs;
mod recode;
mod route;
mod source;
mod stages;
#[cfg(test)]
pub(crate) mod tests;
mod writer;

use std::path::{Path, PathBuf};

use crate::cancel::Cancel;
use crate::engine::Progress;
use crate::error::Result;
use crate::files::io_error;
use crate::settings::Format;
use crate::weights::Shard;

pub use checksums::{CheckedFile, check_import};
pub use figures::ErrorGroup;
use source::Origin;
pub use stages::{Import, SourceFile};

/// How a checkpoint is imported.
#[derive(Clone, Debug)]
pub struct ImportOptions {
    /// How matrices are held: [`Format::Bf16`], [`Format::Q8_0`] or [`Format::Q4`].
    pub format: Format,
    /// The folder to make; the checkpoint's with the format's name behind it where `None`.
    pub folder: Option<PathBuf>,
    /// Most bytes of a file; one with a single tensor may be longer.
    pub shard_bytes: u64,
    /// A published folder for what the checkpoint lacks: small files and, of files of llama.cpp's, weights.
    pub with: Option<PathBuf>,
}

impl ImportOptions {
    /// Most bytes of a file where nobody chose.
    pub const SHARD_BYTES: u64 = 4_000_000_000;
}

/// What an import has made.
#[derive(Clone, Debug)]
pub struct ImportReport {
    /// The folder.
    pub folder: PathBuf,
    /// Files of weights.
    pub shards: usize,
    /// Files of weights that the checkpoint has.
    pub source_files: usize,
    /// Those of them that an earlier import had finished.
    pub kept_files: usize,
    /// Bytes of weights as the checkpoint stores them.
    pub source_bytes: u64,
    /// Bytes of the files of weights.
    pub bytes: u64,
    /// Time that it took.
    pub seconds: f64,
    /// How far what is stored is from what was, in the order of loading.
    pub errors: Vec<ErrorGroup>,
    /// What the model cannot do that the published one can, and why, in sentences.
    pub notes: Vec<String>,
}

/// Imports the checkpoint in the folder `source`, or of the file `source` where that is one of llama.cpp's. `tell` is told how far it is,
/// in bytes that are written.
///
/// # Errors
/// `Error::Io`, `Error::Checkpoint`, `Error::Tensor` and `Error::Config` for what is wrong with the checkpoint, as when it is loaded;
/// `Error::Input` where it is imported already, for a format or folder that cannot be used and where there is too little room;
/// `Error::Write` for a file that cannot be written; `Error::Cancelled`. What is finished by then is kept and used by the next import
/// to that folder.
pub fn import(
    source: &Path,
    options: &ImportOptions,
    cancel: &Cancel,
    tell: &dyn Fn(Progress),
) -> Result<ImportReport> {
    // As the folder is really called: `.` has no name.
    let source = &source::really_called(source).map_err(|error| io_error(source, error))?;
    let with = options.with.as_ref().map(|with| with.canonicalize().map_err(|error| io_error(with, error)));
    let origin = Origin::open(source, with.transpose()?.as_deref())?;
    let identities = folder::identities(origin.checkpoint.shards().iter().map(Shard::path))?;
    let mut import = Import::open(source, origin, identities, options, cancel)?;
    import.check_room()?;
    import.take_all(cancel, tell)?;
    import.finish()
}
