//! Brings a published checkpoint to the files that the engine loads as they are: see `quant/FORMAT.md`.
//!
//! What is held how is the loader's business alone: it goes through the model and notes each tensor, and the tensors are written in
//! that order, piece by piece, so that neither the checkpoint nor a tensor has to fit the memory. An import that is broken off
//! at any point goes on where it was.

mod encode;
mod figures;
mod folder;
mod journal;
mod output;
mod recode;
mod shards;
mod source;
#[cfg(test)]
pub(crate) mod tests;

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::json;

use crate::cancel::Cancel;
use crate::engine::Progress;
use crate::error::{Error, Result};
use crate::files::io_error;
use crate::memory::Tally;
use crate::model::Model;
use crate::model::config::Config;
use crate::settings::Format;
use crate::weights::{Checkpoint, Loader, Packed, Planned};

pub use figures::ErrorGroup;
use figures::Figures;
use folder::Folder;
use journal::Finished;
use shards::Shard;
use source::Source;

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

/// What an import has made.
#[derive(Clone, Debug)]
pub struct ImportReport {
    /// The folder.
    pub folder: PathBuf,
    /// Files of weights.
    pub shards: usize,
    /// Those of them that an earlier import had finished.
    pub kept_shards: usize,
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

/// Imports the checkpoint in the folder `source`, or of the file `source` where that is one of llama.cpp's. `tell` is told how far it is, in bytes that are written.
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
    let begun = Instant::now();
    let format = options.format;
    if format == Format::F32 {
        return Err(Error::Input("a checkpoint is imported as bf16, q8_0 or q4".into()));
    }
    // As the folder is really called: `.` has no name.
    let source = &source::really_called(source).map_err(|error| io_error(source, error))?;
    let with = options.with.as_ref().map(|with| with.canonicalize().map_err(|error| io_error(with, error)));
    let Source { checkpoint, config, small, rewritten, notes } =
        Source::open(source, with.transpose()?.as_deref())?;
    let plan = plan(&checkpoint, &config, format)?;
    let packed = Packed { format, source_is_f32: checkpoint.is_f32() };
    let shards = shards::split(&plan, packed, options.shard_bytes)?;
    let out = options.folder.clone().unwrap_or_else(|| beside(source, format));

    let job = json!({
        "program": env!("CARGO_PKG_VERSION"),
        "format": format.name(),
        "headers": shards.iter().map(|shard| crc32fast::hash(&shard.header)).collect::<Vec<_>>(),
        "source": folder::identities(checkpoint.files())?,
    });
    let mut folder = Folder::open(&out, job)?;
    let kept = folder.kept(&shards, cancel)?;
    let is_kept = |shard: &Shard| kept.iter().any(|finished| finished.file == shard.file);
    let total_bytes = shards.iter().filter(|shard| !is_kept(shard)).map(|shard| shard.bytes).sum();
    folder.check_room(total_bytes)?;

    let mut written = 0;
    let mut told = 0.0;
    let mut figures = Figures::default();
    for shard in &shards {
        if let Some(finished) = kept.iter().find(|finished| finished.file == shard.file) {
            figures.add_all(&finished.errors);
            continue;
        }
        let mut advance = |bytes: usize| {
            written += bytes as u64;
            let seconds = begun.elapsed().as_secs_f64();
            if seconds - told > TELL_EVERY || written == total_bytes {
                told = seconds;
                tell(Progress { bytes: written, total_bytes, seconds });
            }
        };
        let finished = write(folder.path(), shard, &plan, cancel, &mut advance)?;
        figures.add_all(&finished.errors);
        folder.finished(&finished)?;
    }
    folder.copy_small(&small, rewritten.as_ref())?;
    folder.write_index(&shards, &plan)?;
    folder.publish()?;
    Ok(ImportReport {
        folder: out,
        shards: shards.len(),
        kept_shards: kept.len(),
        source_bytes: checkpoint.total_bytes() as u64,
        bytes: shards.iter().map(|shard| shard.bytes).sum(),
        seconds: begun.elapsed().as_secs_f64(),
        errors: figures.groups(),
        notes,
    })
}

/// How often progress is told, in seconds.
const TELL_EVERY: f64 = 0.1;

/// What the model loads, in order.
fn plan(checkpoint: &Checkpoint, config: &Config, format: Format) -> Result<Vec<Planned>> {
    let list = RefCell::new(Vec::new());
    let mut tally = Tally::alone();
    Model::load(&mut Loader::plan(checkpoint.scope(""), &mut tally, format, &list), config)?;
    checkpoint.finish()?;
    Ok(list.into_inner())
}

/// Writes a shard.
fn write(
    folder: &Path,
    shard: &Shard,
    plan: &[Planned],
    cancel: &Cancel,
    advance: &mut dyn FnMut(usize),
) -> Result<Finished> {
    let mut figures = Figures::default();
    let sum = output::write(&folder.join(&shard.file), |send| {
        let mut send = |piece: Vec<u8>| {
            advance(piece.len());
            cancel.check()?;
            send(piece)
        };
        send(shard.header.clone())?;
        for planned in &plan[shard.tensors.clone()] {
            let error = encode::encode(planned, &mut send)?;
            figures.add(planned, error);
            send(vec![0; shards::padding_behind(planned.bytes())])?;
        }
        Ok(())
    })?;
    let (bytes, errors) = (shard.bytes, figures.groups());
    Ok(Finished { file: shard.file.clone(), bytes, sum, errors })
}

/// The folder that is made where none is named.
fn beside(source: &Path, format: Format) -> PathBuf {
    let name = if source.is_file() { source.file_stem() } else { source.file_name() };
    let mut name = name.unwrap_or_default().to_os_string();
    name.push(format!("-{}", format.name()));
    source.with_file_name(name)
}
