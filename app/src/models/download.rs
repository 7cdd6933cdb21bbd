//! Fetches a model from the hub: files in pieces, over several connections. Whatever ends it, the next time goes on.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use engine::Cancel;

use super::cache;
use super::catalogue::Kind;
use super::convert::convert;
use super::fault::Fault;
use super::fetch::{Crew, remove};
use super::hub::Hub;
use super::journal::{Journal, beside, partial, unwritten};
use super::manifest::{Manifest, Part};
use super::place::{Place, Presence};
use super::speed::{Speed, bytes};
use super::work::Work;
use crate::folders;

/// Between two looks at how far it is.
const TICK: Duration = Duration::from_millis(200);

/// How a download is done.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Branch, tag or commit; settled when a download begins.
    pub(crate) revision: String,
    /// Requests at a time.
    pub(crate) connections: usize,
    /// Bytes of a piece.
    pub(crate) piece_bytes: u64,
    /// Time without a byte after which a connection is given up.
    pub(crate) stall: Duration,
    /// For tests: whether files are given back while they are converted even where there is room for both.
    pub(crate) gives_back: bool,
}

impl Default for Options {
    fn default() -> Options {
        let (connections, piece_bytes, stall) = (4, 32 << 20, Duration::from_secs(30));
        Options { revision: "main".into(), connections, piece_bytes, stall, gives_back: false }
    }
}

/// How far a download is.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct Progress {
    /// Bytes that are there.
    pub(crate) bytes: u64,
    /// Bytes of the whole model.
    pub(crate) of: u64,
    /// Bytes a second.
    pub(crate) rate: f64,
    /// Bytes of these that are converted; `None` where nothing is to be.
    pub(crate) converted: Option<u64>,
    /// What goes on.
    pub(crate) stage: Stage,
}

/// What goes on in a download.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Stage {
    /// Bytes come.
    #[default]
    Fetching,
    /// All is there, and its hashes are compared.
    Checking,
    /// What has come is converted.
    Converting,
}

impl Progress {
    /// How much of the work is done, from 0 to 1.
    pub(crate) fn share(&self) -> f32 {
        let (done, of) = match self.converted {
            Some(converted) => (self.bytes + converted, 2 * self.of),
            None => (self.bytes, self.of),
        };
        if of > 0 { (done as f32 / of as f32).min(1.0) } else { 0.0 }
    }

    /// How long it still takes, as it goes now.
    pub(crate) fn left(&self) -> Option<Duration> {
        let seconds = self.of.saturating_sub(self.bytes) as f64 / self.rate;
        Duration::try_from_secs_f64(seconds).ok().filter(|left| left.as_secs() < 100 * 3600)
    }
}

/// Stops a download, from any thread.
#[derive(Debug, Default)]
pub(crate) struct Switch {
    is_off: AtomicBool,
    /// Stops what the engine does.
    pub(super) cancel: Cancel,
    hub: Mutex<Option<Hub>>,
}

impl Switch {
    /// Stops it. What has come stays.
    pub(crate) fn off(&self) {
        self.is_off.store(true, Ordering::Release);
        self.cancel.fire();
        if let Some(hub) = self.hub.lock().unwrap_or_else(PoisonError::into_inner).take() {
            hub.shut_down();
        }
    }

    pub(super) fn is_off(&self) -> bool {
        self.is_off.load(Ordering::Acquire)
    }

    fn guard(&self, hub: &Hub) {
        *self.hub.lock().unwrap_or_else(PoisonError::into_inner) = Some(hub.clone());
    }
}

/// How often something is tried, and kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// Times in a row without a single byte.
    pub(super) tries: u32,
    first: Duration,
    /// Between two times that journals are written.
    journals: Duration,
}

impl Patience {
    fn new(stall: Duration) -> Patience {
        Patience { tries: 6, first: stall / 60, journals: stall / 30 }
    }

    /// Waits before a try, longer each time. False where `goes_on` said no.
    pub(super) fn pause(&self, tries: u32, asked: Option<Duration>, goes_on: impl Fn() -> bool) -> bool {
        let until = Instant::now() + asked.unwrap_or(self.first * 2_u32.saturating_pow(tries.min(6) - 1));
        while let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            if !goes_on() {
                return false;
            }
            sleep(left.min(Duration::from_millis(100)));
        }
        goes_on()
    }

    /// Asks until there is an answer; `None` where it was stopped.
    pub(super) fn ask<T>(
        &self,
        switch: &Switch,
        mut question: impl FnMut() -> Result<T, Fault>,
    ) -> Result<Option<T>> {
        let mut tries = 0;
        loop {
            let (error, after) = match question() {
                Ok(answer) => return Ok(Some(answer)),
                Err(_) if switch.is_off() => return Ok(None),
                Err(Fault::Again(error, after)) => (error, after),
                Err(Fault::Anew(error) | Fault::Never(error)) => return Err(error),
                Err(Fault::Whole | Fault::Stopped) => return Ok(None),
            };
            tries += 1;
            if tries > self.tries {
                return Err(error);
            }
            if !self.pause(tries, after, || !switch.is_off()) {
                return Ok(None);
            }
        }
    }
}

/// Fetches a model, converts it where that is wanted, and gives its folder; `None` where `switch` stopped it. `told` hears how far it
/// is, several times a second. Blocks; works in threads of its own.
///
/// # Errors
/// A sentence: what failed, and what to do. What has come stays, and the next time goes on from there.
pub(crate) fn download(
    kind: Kind,
    place: &Place,
    options: &Options,
    switch: &Switch,
    told: &mut dyn FnMut(&Progress),
) -> Result<Option<PathBuf>> {
    let entry = kind.entry;
    let Some(repo) = &entry.repo else { bail!("{} ships with the program", entry.name) };
    let name = kind.name();
    let _lock = place.lock(&name)?;
    if let Some(format) = kind.format {
        return convert(kind, repo, format, place, options, switch, told);
    }
    if let Presence::Here(folder) = place.presence(kind) {
        return Ok(Some(folder));
    }
    let line = Line::open(place, options, switch)?;
    let folder = place.unfinished(&name);
    let Some(manifest) = line.manifest(repo, &folder)? else { return Ok(None) };
    let work = line.survey(&manifest, &manifest.files, &folder, true)?;
    line.check_room(&name, work.to_write())?;
    if !line.fetch(&manifest, work, told)? {
        return Ok(None);
    }
    let whole = place.of(&name);
    fs::rename(&folder, &whole)
        .with_context(|| format!("cannot rename {} to {}", folder.display(), whole.display()))?;
    Ok(Some(whole))
}

/// The way to a hub, and how it is used.
pub(super) struct Line<'a> {
    pub(super) hub: Hub,
    pub(super) patience: Patience,
    pub(super) place: &'a Place,
    pub(super) options: &'a Options,
    pub(super) switch: &'a Switch,
}

impl<'a> Line<'a> {
    /// To the hub that the environment names.
    ///
    /// # Errors
    /// Those of [`Hub::from_environment`].
    pub(super) fn open(place: &'a Place, options: &'a Options, switch: &'a Switch) -> Result<Line<'a>> {
        let hub = Hub::from_environment(options.stall)?;
        switch.guard(&hub);
        Ok(Line { hub, patience: Patience::new(options.stall), place, options, switch })
    }

    /// What belongs to the model that comes into `folder`; `None` where it was stopped. One that was begun is gone on with, whatever
    /// the branch names by now.
    ///
    /// # Errors
    /// A sentence.
    pub(super) fn manifest(&self, repo: &str, folder: &Path) -> Result<Option<Manifest>> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
        let begun = Manifest::read(folder).ok().flatten().filter(|manifest| manifest.repo == *repo);
        if let Some(manifest) = begun {
            return manifest.checked().map(Some);
        }
        let ask = || {
            let commit = self.hub.commit(repo, &self.options.revision)?;
            let files = self.hub.files(repo, &commit)?;
            Ok(Manifest { repo: repo.to_owned(), commit, files })
        };
        let Some(manifest) = self.patience.ask(self.switch, ask)? else { return Ok(None) };
        let manifest = manifest.checked()?;
        manifest.write(folder)?;
        Ok(Some(manifest))
    }

    /// Refuses to write more than there is room for.
    ///
    /// # Errors
    /// There is less room.
    pub(super) fn check_room(&self, name: &str, needed: u64) -> Result<()> {
        let folder = self.place.folder();
        if let Some(free) = folders::free_bytes(folder).filter(|free| *free < needed) {
            bail!(
                "{name} needs {} more in {}, where {} are free: make room there, or let XDG_DATA_HOME name another disk",
                bytes(needed),
                folder.display(),
                bytes(free)
            );
        }
        Ok(())
    }

    /// What is there of `parts` in `folder`, and what is to be done. Other programs' files become files of the model where it
    /// `adopts` them.
    ///
    /// # Errors
    /// What is left of a break cannot be deleted.
    pub(super) fn survey<'p>(
        &self,
        manifest: &Manifest,
        parts: impl IntoIterator<Item = &'p Part>,
        folder: &Path,
        adopts: bool,
    ) -> Result<Work> {
        let mut work = Work::new(self.options.piece_bytes);
        for part in parts {
            let path = folder.join(&part.path);
            remove(&unwritten(&beside(&path)))?;
            if path.is_file() {
                work.add_done(part.clone(), path);
                continue;
            }
            let journal = Journal::read(&path, part.size);
            if journal.is_none() {
                remove(&beside(&path))?;
                remove(&partial(&path))?;
            }
            let found = if journal.is_none() && adopts { self.found(manifest, part) } else { None };
            work.add(part.clone(), path, journal, found);
        }
        Ok(work)
    }

    /// What another program has fetched of this name and size.
    pub(super) fn found(&self, manifest: &Manifest, part: &Part) -> Option<PathBuf> {
        cache::blob(self.place.cache.as_ref()?, &manifest.repo, part.digest.hex(), part.size)
    }

    /// Does what is to be done; false where it was stopped.
    ///
    /// # Errors
    /// A sentence: what failed, and what to do.
    pub(super) fn fetch(
        &self,
        manifest: &Manifest,
        work: Work,
        told: &mut dyn FnMut(&Progress),
    ) -> Result<bool> {
        let (work, bell, fault) = (Mutex::new(work), Condvar::new(), Mutex::new(None));
        let Line { hub, patience, switch, .. } = self;
        let crew = Crew { hub, manifest, patience: *patience, switch, work, bell, fault };
        run(&crew, self.options.connections, told)?;
        match crew.fault.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(error),
            None => Ok(!switch.is_off()),
        }
    }
}

/// Lets threads work, and tells how far they are.
fn run(crew: &Crew<'_>, connections: usize, told: &mut dyn FnMut(&Progress)) -> Result<()> {
    thread::scope(|scope| {
        let threads: Vec<_> = (0..connections.max(1)).map(|_| scope.spawn(|| crew.labour())).collect();
        let (mut speed, mut written, mut failure) = (Speed::default(), Instant::now(), None);
        let (mut is_over, mut shown) = (false, None);
        while !is_over {
            // Looked at before the journals are written, so that the last bytes are in them.
            is_over = threads.iter().all(thread::ScopedJoinHandle::is_finished);
            if is_over || written.elapsed() >= crew.patience.journals {
                written = Instant::now();
                if let Err(error) = write_journals(crew) {
                    crew.fault.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                }
            }
            let mut progress = {
                let work = crew.work();
                let stage = if work.is_checking() { Stage::Checking } else { Stage::Fetching };
                Progress { bytes: work.bytes(), of: work.of(), rate: 0.0, converted: None, stage }
            };
            progress.rate = speed.at(Instant::now(), progress.bytes);
            if is_over || shown.is_none_or(|shown: Instant| shown.elapsed() >= TICK) {
                shown = Some(Instant::now());
                told(&progress);
            }
            if !is_over {
                let waited = crew.bell.wait_timeout(crew.work(), TICK);
                drop(waited.unwrap_or_else(PoisonError::into_inner));
            }
        }
        for thread in threads {
            if thread.join().is_err() {
                failure = Some("a thread of the download stopped by a fault of the program");
            }
        }
        failure.map_or(Ok(()), |failure| bail!(failure))
    })
}

/// Writes the journals of files of which more has come. Their bytes are on the disk before.
fn write_journals(crew: &Crew<'_>) -> Result<()> {
    let dirty: Vec<_> = {
        let mut work = crew.work();
        let files = work.files.iter_mut().enumerate().filter(|(_, file)| file.is_dirty);
        files
            .map(|(index, file)| {
                file.is_dirty = false;
                (index, file.time, file.path.clone(), file.journal.clone())
            })
            .collect()
    };
    for (index, time, path, journal) in dirty {
        // A file that was begun anew or is done meanwhile has no such name any more.
        let Ok(bytes) = fs::File::open(partial(&path)) else { continue };
        bytes.sync_data().with_context(|| format!("cannot write {}", partial(&path).display()))?;
        // Under the lock, so that no journal is written of what is begun anew.
        let work = crew.work();
        if work.files[index].time == time && partial(&path).exists() {
            journal.write(&path)?;
        }
    }
    Ok(())
}
