//! One thread of a download: takes tasks until there are none.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Error, Result, anyhow};

use super::download::{Patience, Switch};
use super::fault::{Fault, is_full};
use super::hub::Hub;
use super::journal::{beside, partial};
use super::manifest::{Manifest, Part};
use super::work::{Next, Slot, Task, Work};

/// What the threads of one download share.
pub(super) struct Crew<'a> {
    pub(super) hub: &'a Hub,
    pub(super) manifest: &'a Manifest,
    pub(super) patience: Patience,
    pub(super) switch: &'a Switch,
    pub(super) work: Mutex<Work>,
    /// Rung when there may be something new to do.
    pub(super) bell: Condvar,
    /// What ended the download.
    pub(super) fault: Mutex<Option<Error>>,
}

impl Crew<'_> {
    pub(super) fn work(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fault(&self) -> MutexGuard<'_, Option<Error>> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn goes_on(&self) -> bool {
        !self.switch.is_off() && self.fault().is_none()
    }

    /// Works until all is done, something fails for good or the person stops it.
    pub(super) fn labour(&self) {
        while self.goes_on() {
            let next = self.work().take();
            let done = match next {
                Next::Nothing => break,
                Next::Wait => {
                    let waited = self.bell.wait_timeout(self.work(), Duration::from_millis(100));
                    drop(waited.unwrap_or_else(PoisonError::into_inner));
                    continue;
                }
                Next::Do(Task::Piece(slot)) => self.piece(slot),
                Next::Do(Task::Check(file, Some(found))) => self.adopt(file, &found),
                Next::Do(Task::Check(file, None)) => self.check(file),
            };
            if let Err(error) = done {
                self.fault().get_or_insert(error);
            }
            self.bell.notify_all();
        }
    }

    /// Fetches what a piece lacks, patiently.
    fn piece(&self, slot: Slot) -> Result<()> {
        let mut tries = 0;
        let result = loop {
            let before = self.lacks(slot);
            let (error, after) = match self.attempt(slot) {
                Err(Fault::Again(error, after)) => (error, after),
                other => break other,
            };
            // Where something came, the server is not dead.
            tries = if self.lacks(slot) < before { 1 } else { tries + 1 };
            if tries > self.patience.tries {
                break Err(Fault::Never(error));
            }
            tracing::info!(error = format!("{error:#}"), tries, "tried again");
            if !self.patience.pause(tries, after, || self.goes_on()) {
                break Err(Fault::Stopped);
            }
        };
        self.work().give_back(slot);
        match result {
            Ok(()) | Err(Fault::Again(..) | Fault::Stopped) => Ok(()),
            Err(Fault::Anew(why)) => self.restart(slot, why),
            Err(Fault::Whole) => self.anew(slot.file, |work| {
                work.make_single(slot);
                Ok(())
            }),
            Err(Fault::Never(error)) => Err(error),
        }
    }

    /// Bytes that a piece lacks; none where its file was begun anew.
    fn lacks(&self, slot: Slot) -> u64 {
        let mut work = self.work();
        let missing = work.file(slot).map(|file| file.journal.pieces.missing(slot.piece));
        missing.map_or(0, |(start, end)| end - start)
    }

    fn attempt(&self, slot: Slot) -> Result<(), Fault> {
        let (part, path, range) = {
            let mut work = self.work();
            let Some(file) = work.file(slot) else { return Ok(()) };
            if slot.is_single {
                file.journal.pieces.forget(slot.piece);
            }
            (file.part.clone(), partial(&file.path), file.journal.pieces.missing(slot.piece))
        };
        let (mut at, end) = range;
        if at == end {
            return Ok(());
        }
        let asked = (!slot.is_single).then_some(range);
        let mut stream = self.hub.open(&self.manifest.repo, &self.manifest.commit, &part, asked)?;
        let mut file = {
            let mut work = self.work();
            let Some(target) = work.file(slot) else { return Ok(()) };
            target.compare(stream.etag.take()).map_err(Fault::Anew)?;
            // Opened under the lock: when the file is begun anew this one has no name any more.
            File::options()
                .create(true)
                .truncate(false)
                .write(true)
                .open(&path)
                .map_err(|e| unwritten(&path, e))?
        };
        file.seek(SeekFrom::Start(at)).map_err(|error| unwritten(&path, error))?;
        let mut buffer = vec![0; 256 << 10];
        while at < end {
            if !self.goes_on() {
                return Err(Fault::Stopped);
            }
            let most = usize::try_from(end - at).unwrap_or(usize::MAX).min(buffer.len());
            let count = match stream.bytes.read(&mut buffer[..most]) {
                Ok(0) => return Err(cut(&part, end - at)),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => {
                    return Err(Fault::Again(
                        Error::new(error).context(format!("{} broke off", part.path)),
                        None,
                    ));
                }
            };
            file.write_all(&buffer[..count]).map_err(|error| unwritten(&path, error))?;
            at += count as u64;
            let mut work = self.work();
            let Some(target) = work.file(slot) else { return Ok(()) };
            target.journal.pieces.advance(slot.piece, count as u64);
            target.is_dirty = true;
        }
        Ok(())
    }

    /// Takes another program's file, where it has the right bytes.
    fn adopt(&self, file: usize, found: &Path) -> Result<()> {
        let (part, path) = self.target(file);
        match part.digest.fits(found, &|| self.goes_on()) {
            Ok(None) => return Ok(()),
            Ok(Some(true)) => {}
            Ok(Some(false)) | Err(_) => {
                tracing::warn!(file = %found.display(), "is not what the hub says; it is left as it is");
                return self.anew(file, |work| {
                    work.forget_found(file);
                    Ok(())
                });
            }
        }
        // Finished files are never written to, so that both names may mean the same bytes.
        if fs::hard_link(found, &path).is_err() {
            let copy = partial(&path);
            fs::copy(found, &copy).map_err(|error| full(&copy, error))?;
            fs::rename(&copy, &path).with_context(|| format!("cannot rename {}", copy.display()))?;
        }
        self.work().finish(file);
        Ok(())
    }

    /// Gives a whole file its name, where it has the right bytes.
    fn check(&self, file: usize) -> Result<()> {
        let (part, path) = self.target(file);
        let whole = partial(&path);
        if part.size == 0 {
            File::create(&whole).map_err(|error| full(&whole, error))?;
        }
        match part.digest.fits(&whole, &|| self.goes_on())? {
            None => Ok(()),
            Some(true) => {
                let named = File::open(&whole).and_then(|whole| whole.sync_all());
                named.and_then(|()| fs::rename(&whole, &path)).map_err(|error| full(&whole, error))?;
                self.work().finish(file);
                remove(&beside(&path))
            }
            Some(false) => {
                let why = anyhow!("{} has other bytes than the hub's list says: its hash differs", part.path);
                self.anew(file, |work| work.restart(file, why))
            }
        }
    }

    fn target(&self, file: usize) -> (Part, PathBuf) {
        let work = self.work();
        (work.files[file].part.clone(), work.files[file].path.clone())
    }

    /// Begins the file of `slot` anew, unless another thread has done so.
    fn restart(&self, slot: Slot, why: Error) -> Result<()> {
        self.anew(
            slot.file,
            |work| if work.file(slot).is_some() { work.restart(slot.file, why) } else { Ok(()) },
        )
    }

    /// Does `change`, which lets a file begin anew, and takes away what is there of it.
    fn anew(&self, file: usize, change: impl FnOnce(&mut Work) -> Result<()>) -> Result<()> {
        let mut work = self.work();
        let before = work.files[file].time;
        let changed = change(&mut work);
        if changed.is_err() || work.files[file].time != before {
            let path = &work.files[file].path;
            remove(&beside(path))?;
            // Whoever still writes to it writes to a file without a name.
            remove(&partial(path))?;
        }
        changed
    }
}

/// Deletes a file that may be there.
pub(super) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot delete {}", path.display()))
        }
        _ => Ok(()),
    }
}

fn cut(part: &Part, left: u64) -> Fault {
    Fault::Again(anyhow!("{} broke off with {left} bytes to come", part.path), None)
}

fn unwritten(path: &Path, error: std::io::Error) -> Fault {
    Fault::Never(full(path, error))
}

/// An error of writing, with what to do where the disk is full.
fn full(path: &Path, error: std::io::Error) -> Error {
    let told = if is_full(&error) { "; make room there, and go on with the same command" } else { "" };
    Error::new(error).context(format!("cannot write {}{told}", path.display()))
}
