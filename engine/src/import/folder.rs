//! The folder that an import makes: under another name until it is whole.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde_json::{Map, Value, json};

use super::checksums::{self, Checksum, Checksums};
use super::journal::{Finished, Journal};
use super::outputs::Output;
use super::route::Source;
use super::writer;
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

    /// What was made of each of `sources`, where that is still as it was written.
    pub(super) fn kept(
        &mut self,
        sources: &[Source],
        outputs: &[Output],
        cancel: &Cancel,
    ) -> Result<Vec<Option<Finished>>> {
        let mut kept: Vec<_> = sources.iter().map(|_| None).collect();
        for finished in std::mem::take(&mut self.journal.finished) {
            let index = sources.iter().position(|source| source.file == finished.file);
            if let Some(index) = index.filter(|index| kept[*index].is_none())
                && self.is_there(&sources[index], &finished, outputs, cancel)?
            {
                kept[index] = Some(finished);
            }
        }
        Ok(kept)
    }

    fn is_there(
        &self,
        source: &Source,
        finished: &Finished,
        outputs: &[Output],
        cancel: &Cancel,
    ) -> Result<bool> {
        if (source.bytes, source.parts.len()) != (finished.bytes, finished.crcs.len()) {
            return Ok(false);
        }
        for (part, crc) in source.parts.iter().zip(&finished.crcs) {
            let path = self.part.join(&outputs[part.output].file);
            let is_whole = fs::metadata(&path).is_ok_and(|found| found.len() == outputs[part.output].bytes);
            if !is_whole || writer::crc(&path, part.at, part.length(), cancel)? != *crc {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Makes the outputs at their full lengths, with their headers; what they hold of weights stays.
    pub(super) fn lay_out(&self, outputs: &[Output]) -> Result<()> {
        for output in outputs {
            let path = self.part.join(&output.file);
            let put = || -> std::io::Result<()> {
                let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(&path)?;
                file.set_len(output.bytes)?;
                file.write_all(&output.header)
            };
            put().map_err(|source| write_error(&path, source))?;
        }
        Ok(())
    }

    /// Takes note that a file of the source is finished.
    pub(super) fn finished(&mut self, finished: &Finished) -> Result<()> {
        sync(&self.part)?;
        self.journal.append(finished)
    }

    /// Refuses to begin where `bytes` do not fit the disk.
    pub(super) fn check_room(&self, bytes: u64) -> Result<()> {
        match free_bytes(&self.part) {
            Some(free) if free < bytes => Err(Error::Input(format!(
                "the import needs {:.1} GB in {} and {:.1} GB are free: make room, or choose a folder on another disk",
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
            let is_own = name == INDEX || name == checksums::NAME || name.to_string_lossy().starts_with('.');
            if !is_own && (SMALL.contains(&ending) || licence) {
                write_small(&self.part.join(name), &files::read(&path)?)?;
            }
        }
        if let Some(config) = config {
            write_small(&self.part.join("config.json"), format!("{config:#}\n").as_bytes())?;
        }
        Ok(())
    }

    /// Writes which file holds each tensor.
    pub(super) fn write_index(&self, outputs: &[Output], plan: &[Planned]) -> Result<()> {
        let mut places = Map::new();
        for output in outputs {
            let names = plan[output.tensors.clone()].iter().map(|planned| planned.name.clone());
            places.extend(names.map(|name| (name, output.file.clone().into())));
        }
        let total: usize = plan.iter().map(Planned::bytes).sum();
        let index = json!({"metadata": {"total_size": total}, "weight_map": places});
        write_small(&self.part.join(INDEX), format!("{index:#}\n").as_bytes())
    }

    /// Writes the checksums of all files: of the outputs as they are given, of the others as they are there.
    pub(super) fn write_checksums(&self, outputs: &[Output], crcs: &[u32]) -> Result<()> {
        let mut checksums = Checksums::default();
        for entry in fs::read_dir(&self.part).map_err(|error| io_error(&self.part, error))? {
            let path = entry.map_err(|error| io_error(&self.part, error))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name != JOURNAL && name != checksums::NAME && !name.ends_with(".safetensors") {
                let bytes = files::read(&path)?;
                let crc32 = crc32fast::hash(&bytes);
                checksums.files.insert(name, Checksum { bytes: bytes.len() as u64, crc32 });
            }
        }
        for (output, &crc32) in outputs.iter().zip(crcs) {
            checksums.files.insert(output.file.clone(), Checksum { bytes: output.bytes, crc32 });
        }
        let path = self.part.join(checksums::NAME);
        let text = serde_json::to_string_pretty(&checksums)
            .map_err(|error| write_error(&path, std::io::Error::from(error)))?;
        write_small(&path, (text + "\n").as_bytes())
    }

    /// Gives the folder its name, which it tells, when all `outputs` are on the disk.
    pub(super) fn publish(self, outputs: &[Output]) -> Result<PathBuf> {
        let Folder { out, part, journal } = self;
        for path in outputs.iter().map(|output| part.join(&output.file)) {
            let synced = File::open(&path).and_then(|file| file.sync_all());
            synced.map_err(|source| write_error(&path, source))?;
        }
        let failed = |source| write_error(&out, source);
        sync(&part)?;
        // Some systems rename no folder with an open file.
        drop(journal);
        fs::rename(&part, &out).map_err(failed)?;
        fs::remove_file(out.join(JOURNAL)).map_err(failed)?;
        sync(&out)?;
        // A folder named alone lies in the one that the program was started in.
        let above = out.parent().filter(|above| !above.as_os_str().is_empty());
        sync(above.unwrap_or(Path::new(".")))?;
        Ok(out)
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
pub(super) fn identities<'a>(paths: impl Iterator<Item = &'a Path>) -> Result<Value> {
    paths
        .map(|path| {
            let found = fs::metadata(path).map_err(|source| io_error(path, source))?;
            let changed = found.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
            let changed = changed.map(|time| [time.as_secs(), u64::from(time.subsec_nanos())]);
            Ok(json!([path, found.len(), changed]))
        })
        .collect()
}
