//! The folder that an import makes: under another name until it is whole.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde_json::{Map, Value, json};

use super::journal::{Finished, Journal};
use super::output;
use super::shards::Shard;
use crate::cancel::Cancel;
use crate::error::{Error, Result};
use crate::files::{self, io_error, write_error};
use crate::weights::Planned;

/// The journal's name in the folder.
const JOURNAL: &str = "import.journal";

const INDEX: &str = "model.safetensors.index.json";

/// Endings of the small files that belong to a checkpoint.
const SMALL: [&str; 5] = ["json", "jinja", "txt", "md", "model"];

/// Where an import writes.
pub(super) struct Folder {
    /// What it is called at the end.
    out: PathBuf,
    /// What it is called until then.
    part: PathBuf,
    journal: Journal,
}

impl Folder {
    /// Begins or goes on with the import `job` to the folder `out`.
    ///
    /// # Errors
    /// `Error::Input` where there is such a folder already or another import is at it; `Error::Write`.
    pub(super) fn open(out: &Path, job: Value) -> Result<Folder> {
        let mut name = out.file_name().unwrap_or_default().to_os_string();
        name.push(".part");
        let part = out.with_file_name(name);
        if out.join(JOURNAL).is_file() && !part.exists() {
            // It was whole, but the journal was still in it.
            fs::rename(out, &part).map_err(|source| write_error(out, source))?;
        }
        if out.exists() {
            let reason = "is there already: delete it, or give another folder with --out";
            return Err(Error::Input(format!("{} {reason}", out.display())));
        }
        let foreign = fs::read_dir(&part).is_ok_and(|mut entries| entries.next().is_some())
            && !part.join(JOURNAL).is_file();
        if foreign {
            let reason = "is there already and of no import: delete it, or give another folder with --out";
            return Err(Error::Input(format!("{} {reason}", part.display())));
        }
        fs::create_dir_all(&part).map_err(|source| write_error(&part, source))?;
        let (journal, fresh) = Journal::open(&part.join(JOURNAL), &job)?;
        let folder = Folder { out: out.to_owned(), part, journal };
        if fresh {
            folder.clear()?;
        }
        Ok(folder)
    }

    /// Deletes what another import has left.
    fn clear(&self) -> Result<()> {
        let failed = |source| write_error(&self.part, source);
        for entry in fs::read_dir(&self.part).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.file_name().is_some_and(|name| name != JOURNAL) {
                fs::remove_file(&path).map_err(|source| write_error(&path, source))?;
            }
        }
        Ok(())
    }

    /// Where files are written to.
    pub(super) fn path(&self) -> &Path {
        &self.part
    }

    /// The files of `shards` that are finished and still as they were written.
    pub(super) fn kept(&mut self, shards: &[Shard], cancel: &Cancel) -> Result<Vec<Finished>> {
        let mut kept = Vec::new();
        for finished in std::mem::take(&mut self.journal.finished) {
            let path = self.part.join(&finished.file);
            let is_whole =
                shards.iter().any(|shard| (&shard.file, shard.bytes) == (&finished.file, finished.bytes))
                    && fs::metadata(&path).is_ok_and(|found| found.len() == finished.bytes)
                    && output::sum(&path, cancel)? == finished.sum;
            if is_whole {
                kept.push(finished);
            }
        }
        Ok(kept)
    }

    /// Takes note that a file is finished.
    pub(super) fn finished(&mut self, finished: &Finished) -> Result<()> {
        sync(&self.part)?;
        self.journal.append(finished)
    }

    /// Refuses to begin where `bytes` do not fit the disk.
    pub(super) fn check_room(&self, bytes: u64) -> Result<()> {
        match free_bytes(&self.part) {
            Some(free) if free < bytes => Err(Error::Input(format!(
                "the import needs {:.1} GB in {} and {:.1} GB are free: make room, or give a folder on another disk with --out",
                bytes as f64 / 1e9,
                self.part.display(),
                free as f64 / 1e9
            ))),
            _ => Ok(()),
        }
    }

    /// Copies configs, tokenizer, templates and what else a person may read; `config` in place of config.json.
    pub(super) fn copy_small(&self, source: &Path, config: Option<&Value>) -> Result<()> {
        let failed = |error| io_error(source, error);
        for entry in fs::read_dir(source).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let Some(name) = path.file_name().filter(|_| path.is_file()) else { continue };
            let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
            let licence = name.to_string_lossy().to_uppercase().starts_with("LICENSE");
            if name != INDEX && (SMALL.contains(&ending) || licence) {
                write_small(&self.part.join(name), &files::read(&path)?)?;
            }
        }
        if let Some(config) = config {
            write_small(&self.part.join("config.json"), format!("{config:#}\n").as_bytes())?;
        }
        Ok(())
    }

    /// Writes which file holds each tensor.
    pub(super) fn write_index(&self, shards: &[Shard], plan: &[Planned]) -> Result<()> {
        let mut places = Map::new();
        for shard in shards {
            let names = plan[shard.tensors.clone()].iter().map(|planned| planned.name.clone());
            places.extend(names.map(|name| (name, shard.file.clone().into())));
        }
        let total: usize = plan.iter().map(Planned::bytes).sum();
        let index = json!({"metadata": {"total_size": total}, "weight_map": places});
        write_small(&self.part.join(INDEX), format!("{index:#}\n").as_bytes())
    }

    /// Gives the folder its name.
    pub(super) fn publish(self) -> Result<()> {
        let Folder { out, part, journal } = self;
        let failed = |source| write_error(&out, source);
        sync(&part)?;
        // Some systems rename no folder with an open file.
        drop(journal);
        fs::rename(&part, &out).map_err(failed)?;
        fs::remove_file(out.join(JOURNAL)).map_err(failed)?;
        sync(&out)?;
        // A folder named alone lies in the one that the program was started in.
        let above = out.parent().filter(|above| !above.as_os_str().is_empty());
        sync(above.unwrap_or(Path::new(".")))
    }
}

/// Writes a small file down to the disk.
fn write_small(path: &Path, bytes: &[u8]) -> Result<()> {
    let written = fs::write(path, bytes).and_then(|()| File::open(path)?.sync_all());
    written.map_err(|source| write_error(path, source))
}

/// Brings a folder's list of files down to the disk.
fn sync(folder: &Path) -> Result<()> {
    #[cfg(unix)]
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|source| write_error(folder, source))?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

/// Bytes that this person may still write to the disk that `folder` is on, where the system tells.
fn free_bytes(folder: &Path) -> Option<u64> {
    #[cfg(unix)]
    {
        let disk = rustix::fs::statvfs(folder).ok()?;
        disk.f_bavail.checked_mul(disk.f_frsize)
    }
    #[cfg(not(unix))]
    {
        let _ = folder;
        None
    }
}

/// Name, length and time of each file: a file that was changed has others.
pub(super) fn identities<'a>(paths: impl Iterator<Item = &'a Path>) -> Result<Vec<Value>> {
    paths
        .map(|path| {
            let found = fs::metadata(path).map_err(|source| io_error(path, source))?;
            let changed = found.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
            let changed = changed.map(|time| [time.as_secs(), u64::from(time.subsec_nanos())]);
            Ok(json!([path, found.len(), changed]))
        })
        .collect()
}
