//! What can be imported though it cannot be run as it is: files of llama.cpp's, and checkpoints that another program has quantised.

use std::path::{Path, PathBuf};

use super::checkpoint::{Checkpoint, Reach, SINGLE, open_shard};
use super::index::{INDEX, Index};
use super::packs::Scheme;
use super::shard::Shard;
use crate::error::{Error, Result};
use crate::files::{damaged, io_error, read_json_optional};

/// How the names of files with encoders begin.
const ENCODERS: &str = "mmproj";

impl Checkpoint {
    /// Opens what is to be imported: a published folder, one with weights that another program has quantised, or a file of
    /// llama.cpp's or a folder with such files. Tensors that are missing there come from the published folder `with`.
    ///
    /// # Errors
    /// As [`Checkpoint::open`]; also `Error::Config` for a scheme that the engine does not read, and `Error::Input` where there is more
    /// than one file to choose from.
    pub(crate) fn open_source(source: &Path, with: Option<&Path>) -> Result<Self> {
        let mut checkpoint = match gguf_files(source)? {
            Some(files) => {
                let mut checkpoint = Self::empty(source, Reach::Places);
                let mut thinker = None;
                for file in files {
                    checkpoint.add(Shard::open_gguf(&file, &mut thinker)?)?;
                }
                checkpoint.cure =
                    "; put the mmproj file beside it, or give a published folder that has it with --with";
                checkpoint
            }
            None => {
                let mut checkpoint = Self::read(source, Reach::Places)?;
                checkpoint.scheme = Scheme::read(source)?;
                checkpoint
            }
        };
        if let Some(with) = with {
            for shard in published_shards(with)? {
                if shard.packed.is_some() {
                    let reason = "is imported already: give the published folder with --with";
                    return Err(Error::Input(format!("{} {reason}", with.display())));
                }
                checkpoint.fill_up(shard);
            }
        }
        Ok(checkpoint)
    }
}

/// Whether only an import can read `path`: a file of llama.cpp's, or a folder with no other weights.
pub(crate) fn is_gguf(path: &Path) -> Result<bool> {
    Ok(gguf_files(path)?.is_some())
}

/// Refuses to run what must be imported first, and to import by headers alone what must be there as a whole.
///
/// # Errors
/// `Error::Checkpoint`, with the command.
pub(crate) fn refuse_gguf(path: &Path, reach: Reach) -> Result<()> {
    if path.exists() && is_gguf(path)? {
        Err(import_first(path, reach, "these are files of llama.cpp's"))
    } else {
        Ok(())
    }
}

pub(super) fn import_first(path: &Path, reach: Reach, reason: &str) -> Error {
    let cure = match reach {
        Reach::Headers => {
            "these are not imported file by file: download all of it, then `colloquy import` that folder"
                .into()
        }
        Reach::Values | Reach::Places => {
            format!("import it first: colloquy import {} --format q4", path.display())
        }
    };
    damaged(path, format!("{reason}; {cure}"))
}

/// The files of llama.cpp's that belong to `source`; `None` where it is a published folder.
fn gguf_files(source: &Path) -> Result<Option<Vec<PathBuf>>> {
    if source.is_file() {
        return if is_named_gguf(source) { Ok(Some(beside(source)?)) } else { Ok(None) };
    }
    if source.join(INDEX).exists() || source.join(SINGLE).exists() {
        return Ok(None);
    }
    let (encoders, thinkers): (Vec<_>, Vec<_>) =
        listed(source)?.into_iter().partition(|file| is_encoders(file));
    let Some(first) = thinkers.first().or(encoders.first()) else { return Ok(None) };
    let rest: Vec<&PathBuf> = thinkers.iter().filter(|file| !parts(first).contains(file)).collect();
    match rest.first() {
        Some(other) => Err(Error::Input(format!(
            "{} and {} are two models: import one of the files itself",
            first.display(),
            other.display()
        ))),
        None => Ok(Some(beside(first)?)),
    }
}

/// A thinker's file, the other parts of it, and the encoders' file beside it.
fn beside(file: &Path) -> Result<Vec<PathBuf>> {
    let mut files = parts(file);
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut encoders =
        listed(folder)?.into_iter().filter(|other| is_encoders(other) && !files.contains(other));
    let (first, second) = (encoders.next(), encoders.next());
    if let (Some(first), Some(second)) = (&first, second) {
        return Err(Error::Input(format!(
            "{} and {} are both for encoders: move one of them to another folder",
            first.display(),
            second.display()
        )));
    }
    files.extend(first.filter(|_| !is_encoders(file)));
    Ok(files)
}

/// All parts of a file that was split, which is named as `NAME-00001-of-00003.gguf`; else the file.
fn parts(file: &Path) -> Vec<PathBuf> {
    let split = file.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| {
        let (stem, count) = stem.rsplit_once("-of-")?;
        let (stem, number) = stem.rsplit_once('-')?;
        number.parse::<usize>().ok()?;
        Some((stem, count, count.parse::<usize>().ok().filter(|count| (1..=1000).contains(count))?))
    });
    match split {
        Some((stem, digits, count)) => (1..=count)
            .map(|i| {
                file.with_file_name(format!("{stem}-{i:0width$}-of-{digits}.gguf", width = digits.len()))
            })
            .collect(),
        None => vec![file.to_owned()],
    }
}

/// The files of llama.cpp's in a folder, sorted.
fn listed(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |source| io_error(folder, source);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_file() && is_named_gguf(&path) {
            files.push(path);
        }
    }
    files.sort_unstable();
    Ok(files)
}

fn is_named_gguf(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("gguf"))
}

fn is_encoders(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().to_lowercase().starts_with(ENCODERS))
}

/// The weights of a published folder, as far as they are there.
fn published_shards(folder: &Path) -> Result<Vec<Shard>> {
    let path = folder.join(INDEX);
    let index = read_json_optional(&path)?;
    let names: Vec<String> = match &index {
        Some(index) => Index::parse(&path, index)?.files.into_iter().map(str::to_owned).collect(),
        None => vec![SINGLE.into()],
    };
    let paths = names.into_iter().map(|name| folder.join(name)).filter(|path| path.exists());
    paths.map(|path| open_shard(&path, Reach::Places, "it was there")).collect()
}
