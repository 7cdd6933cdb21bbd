//! What of an import is finished: a line for the job, then one for each file of the source, each written when all that comes of the
//! file is down on the disk.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::figures::Sums;
use crate::error::{Error, Result};
use crate::files::write_error;

/// A file of the source that is finished.
#[derive(Serialize, Deserialize, Debug)]
pub(super) struct Finished {
    /// Its name.
    pub(super) file: String,
    /// Its length.
    pub(super) bytes: u64,
    /// Checksums of what was written of its parts, in the order of the file.
    pub(super) crcs: Vec<u32>,
    /// How far its weights are from what they were, for each of the planned tensors.
    pub(super) sums: Vec<(usize, Sums)>,
}

/// An open journal: no other import has it.
pub(super) struct Journal {
    file: File,
    path: PathBuf,
    /// What it was found with, where that is of the same job.
    pub(super) finished: Vec<Finished>,
}

impl Journal {
    /// Opens or begins the journal of `job`. `Err(Input)` where another import is at it; with `fresh` true where it is of no or
    /// another job.
    pub(super) fn open(path: &Path, job: &Value) -> Result<(Journal, bool)> {
        let failed = |source| write_error(path, source);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => (),
            Err(TryLockError::WouldBlock) => {
                let folder = path.parent().unwrap_or(path).display();
                return Err(Error::Input(format!(
                    "another import writes to {folder}: wait for it, or give another folder with --out"
                )));
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        // What was not written to its end does not count.
        let mut lines = bytes.split_inclusive(|&b| b == b'\n').take_while(|line| line.ends_with(b"\n"));
        let mut sound = 0;
        let mut finished = Vec::new();
        if let Some(line) = lines.next()
            && serde_json::from_slice::<Value>(line).is_ok_and(|found| found == *job)
        {
            sound = line.len();
            for line in lines {
                let Ok(entry) = serde_json::from_slice(line) else { break };
                finished.push(entry);
                sound += line.len();
            }
        }
        file.set_len(sound as u64).map_err(failed)?;
        file.seek(SeekFrom::End(0)).map_err(failed)?;
        let mut journal = Journal { file, path: path.to_owned(), finished };
        let fresh = sound == 0;
        if fresh {
            journal.append(job)?;
        }
        Ok((journal, fresh))
    }

    /// Adds a line.
    pub(super) fn append(&mut self, line: &impl Serialize) -> Result<()> {
        let written = serde_json::to_vec(line).map_err(std::io::Error::from).and_then(|mut line| {
            line.push(b'\n');
            self.file.write_all(&line)?;
            self.file.sync_all()
        });
        written.map_err(|source| write_error(&self.path, source))
    }
}
