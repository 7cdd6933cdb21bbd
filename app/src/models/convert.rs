//! Converts a model while it comes: file by file, each dropped when it is done, so that the disk never holds the whole of it.
//!
//! The folder `NAME-FORMAT.source` has the list of files, the small files and the headers of the files of weights, and in `weights`
//! the one that comes; the engine makes `NAME-FORMAT` meanwhile. What is converted is the engine's to know.

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Error, Result, bail};
use engine::{Cancel, Format, Import, ImportOptions, SourceFile};

use super::catalogue::Kind;
use super::download::{Line, Options, Progress, Stage, Switch};
use super::fault::is_full;
use super::fetch::remove;
use super::headers;
use super::manifest::{Manifest, Part};
use super::place::{Place, Presence, come as come_to};
use crate::folders;

/// Room beyond a file's own above which a file stays whole while it is converted.
const AMPLE: u64 = 1 << 30;

/// Bytes that have come of a model that is converted in `source`.
pub(super) fn come(source: &Path, part: &Part) -> u64 {
    if !part.is_weights() {
        return come_to(&source.join(&part.path), part.size);
    }
    let file = weights(source).join(&part.path);
    if taken(&file).exists() { part.size } else { come_to(&file, part.size) }
}

fn weights(source: &Path) -> PathBuf {
    source.join("weights")
}

/// What says that a file is converted.
fn taken(file: &Path) -> PathBuf {
    file.with_extension("taken")
}

/// Fetches and converts a model and gives its folder; `None` where `switch` stopped it.
///
/// # Errors
/// A sentence: what failed, and what to do.
pub(super) fn convert(
    kind: Kind,
    repo: &str,
    format: Format,
    place: &Place,
    options: &Options,
    switch: &Switch,
    told: &mut dyn FnMut(&Progress),
) -> Result<Option<PathBuf>> {
    let name = kind.name();
    let (whole, source) = (place.of(&name), place.source(&name));
    let clear = || match fs::remove_dir_all(&source) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot delete {}", source.display()))
        }
        _ => Ok(()),
    };
    if whole.is_dir() {
        clear()?;
        return Ok(Some(whole));
    }
    let wanted = ImportOptions {
        format,
        folder: Some(whole.clone()),
        shard_bytes: ImportOptions::SHARD_BYTES,
        with: None,
    };
    let published = Kind { format: None, ..kind };
    let is_made = match place.presence(published) {
        Presence::Here(folder) | Presence::Cached(folder) => {
            let _lock = place.lock(&published.name())?;
            from(&folder, &wanted, switch, told)?
        }
        _ => {
            let line = Line::open(place, options, switch)?;
            let Some(manifest) = line.manifest(repo, &source)? else { return Ok(None) };
            Conversion { name: &name, line, manifest, source: &source, told: RefCell::new(told) }
                .run(&wanted)?
        }
    };
    if !is_made {
        return Ok(None);
    }
    clear()?;
    Ok(Some(whole))
}

/// Converts a model that is here; false where it was stopped.
fn from(
    folder: &Path,
    wanted: &ImportOptions,
    switch: &Switch,
    told: &mut dyn FnMut(&Progress),
) -> Result<bool> {
    let told = RefCell::new(told);
    let tell = |progress: engine::Progress| {
        let engine::Progress { bytes, total_bytes: of, .. } = progress;
        let (rate, stage) = (progress.rate(), Stage::Converting);
        (told.borrow_mut())(&Progress { bytes, of, rate, converted: Some(bytes), stage });
    };
    match engine::import(folder, wanted, &switch.cancel, &tell) {
        Ok(_) => Ok(true),
        Err(engine::Error::Cancelled) => Ok(false),
        Err(error) => Err(failed(error)),
    }
}

/// A model on its way into another format.
struct Conversion<'a, 'b> {
    name: &'a str,
    line: Line<'a>,
    manifest: Manifest,
    source: &'a Path,
    told: RefCell<&'b mut dyn FnMut(&Progress)>,
}

impl Conversion<'_, '_> {
    /// Fetches and converts; false where it was stopped.
    fn run(&self, wanted: &ImportOptions) -> Result<bool> {
        let (weights, small): (Vec<_>, Vec<_>) =
            self.manifest.files.iter().partition(|part| part.is_weights());
        let work = self.line.survey(&self.manifest, small.iter().copied(), self.source, true)?;
        if !self.line.fetch(&self.manifest, work, &mut |_| ())? {
            return Ok(false);
        }
        for part in &weights {
            if !headers::fetch(&self.line, &self.manifest, part, self.source)? {
                return Ok(false);
            }
        }
        match self.import(wanted, &weights) {
            Err(error) if error.downcast_ref().is_some_and(is_damaged) => {
                // A header may have come wrong: they have no hash of their own.
                headers::forget(weights, self.source)?;
                Err(error.context(format!(
                    "{} cannot be converted; the next time its headers are fetched again",
                    self.name
                )))
            }
            other => other,
        }
    }

    fn import(&self, wanted: &ImportOptions, weights: &[&Part]) -> Result<bool> {
        let switch = self.line.switch;
        let identity = format!("{} {}", self.manifest.repo, self.manifest.commit);
        let mut import = match Import::begin(self.source, &identity, wanted, &switch.cancel) {
            Ok(import) => import,
            Err(engine::Error::Cancelled) => return Ok(false),
            Err(error) => return Err(failed(error)),
        };
        let files = import.files();
        let mut parts = Vec::new();
        for file in &files {
            match weights.iter().find(|part| part.path == file.name) {
                Some(part) if part.size == file.bytes => parts.push(*part),
                Some(part) => bail!(
                    "{} has {} bytes by its header, and {} by the hub's list",
                    part.path,
                    file.bytes,
                    part.size
                ),
                None => bail!("{} is not in the hub's list of files", file.name),
            }
        }
        let folder = self::weights(self.source);
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        self.tidy(&files, &parts, &folder)?;
        let here: u64 = parts.iter().map(|part| come_to(&folder.join(&part.path), part.size)).sum();
        self.line.check_room(self.name, import.room().saturating_sub(here))?;
        for (file, part) in files.iter().zip(&parts).filter(|(file, _)| !file.is_taken) {
            if !self.one(&mut import, file, part, &folder)? {
                return Ok(false);
            }
        }
        import.finish().map_err(failed)?;
        Ok(true)
    }

    /// Takes away what a break has left: files that were cut while they were converted, and those that are converted.
    fn tidy(&self, files: &[SourceFile], parts: &[&Part], folder: &Path) -> Result<()> {
        for (file, part) in files.iter().zip(parts) {
            let path = folder.join(&part.path);
            let is_cut = fs::metadata(&path).is_ok_and(|found| found.len() != part.size);
            if file.is_taken {
                self.drop_file(&path)?;
                continue;
            }
            remove(&taken(&path))?;
            if is_cut {
                remove(&path)?;
            }
        }
        Ok(())
    }

    /// A file is converted, and not needed any more.
    fn drop_file(&self, path: &Path) -> Result<()> {
        let mark = taken(path);
        fs::write(&mark, "").with_context(|| format!("cannot write {}", mark.display()))?;
        remove(path)
    }

    /// Fetches one file and converts it; false where it was stopped.
    fn one(&self, import: &mut Import, file: &SourceFile, part: &Part, folder: &Path) -> Result<bool> {
        let switch = self.line.switch;
        let (base, of) = (self.so_far(part), self.manifest.bytes());
        let progress = |bytes, converted, rate, stage| Progress {
            bytes: base.0 + bytes,
            of,
            converted: Some(base.1 + converted),
            rate,
            stage,
        };
        let path = folder.join(&part.path);
        let is_right =
            |found: &PathBuf| part.digest.fits(found, &|| !switch.is_off()).ok().flatten() == Some(true);
        let found = self.line.found(&self.manifest, part).filter(|_| !path.exists()).filter(is_right);
        if found.is_none() {
            let work = self.line.survey(&self.manifest, [part], folder, false)?;
            let came = self.line.fetch(&self.manifest, work, &mut |now| {
                (self.told.borrow_mut())(&progress(now.bytes, 0, now.rate, now.stage));
            })?;
            if !came {
                return Ok(false);
            }
        }
        if switch.is_off() {
            return Ok(false);
        }
        let free = folders::free_bytes(folder);
        let is_short = free.is_some_and(|free| free < file.output_bytes + AMPLE);
        let gives_back = found.is_none() && (is_short || self.line.options.gives_back);
        // A file that is cut is converted to its end first: it would have to be fetched again.
        let cancel = if gives_back { Cancel::new() } else { switch.cancel.clone() };
        let before = RefCell::new(None);
        let tell = |now: engine::Progress| {
            let before = *before.borrow_mut().get_or_insert(now.bytes);
            let share = (now.bytes - before) as f64 / file.output_bytes.max(1) as f64;
            let converted = (share * part.size as f64) as u64;
            (self.told.borrow_mut())(&progress(part.size, converted.min(part.size), 0.0, Stage::Converting));
        };
        match import.take(&file.name, found.as_ref().unwrap_or(&path), gives_back, &cancel, &tell) {
            Ok(()) => self.drop_file(&path)?,
            Err(engine::Error::Cancelled) => return Ok(false),
            Err(error) => {
                if gives_back {
                    remove(&path)?;
                }
                return Err(failed(error));
            }
        }
        Ok(true)
    }

    /// Bytes of all files but `part` that have come, and of those that are converted.
    fn so_far(&self, part: &Part) -> (u64, u64) {
        let others = || self.manifest.files.iter().filter(|other| *other != part);
        let is_taken = |other: &&Part| taken(&weights(self.source).join(&other.path)).exists();
        let small = |other: &&Part| !other.is_weights() || is_taken(other);
        (
            others().map(|other| come(self.source, other)).sum(),
            others().filter(small).map(|other| other.size).sum(),
        )
    }
}

fn is_damaged(error: &engine::Error) -> bool {
    matches!(error, engine::Error::Checkpoint { .. } | engine::Error::Tensor { .. })
}

/// An error of the engine, with what to do where the disk is full.
fn failed(error: engine::Error) -> Error {
    let has_no_room = matches!(&error, engine::Error::Write { source, .. } if is_full(source));
    let error = Error::new(error);
    if has_no_room {
        error.context("the disk is full: make room there, and go on with the same command")
    } else {
        error
    }
}
