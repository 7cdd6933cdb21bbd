//! An import whose source comes file by file.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::{Value, json};

use super::figures::{Figures, Sums};
use super::folder::Folder;
use super::journal::Finished;
use super::outputs::{self, Output};
use super::route::{self, Source};
use super::source::Origin;
use super::{ImportOptions, ImportReport, checksums, encode, writer};
use crate::cancel::Cancel;
use crate::engine::{Progress, plan};
use crate::error::{Error, Result};
use crate::files::{damaged, write_error};
use crate::settings::Format;
use crate::weights::{Packed, Planned, Shard};

/// How often progress is told, in seconds.
const TELL_EVERY: f64 = 0.1;

/// An import that takes the checkpoint's files of weights one by one, as they come. What is taken may be deleted.
pub struct Import {
    origin: Origin,
    plan: Vec<Planned>,
    outputs: Vec<Output>,
    /// One for each shard of the checkpoint.
    sources: Vec<Source>,
    /// What was made of those that are taken.
    finished: Vec<Option<Finished>>,
    folder: Folder,
    kept: usize,
    /// Whether the outputs are there at their full lengths.
    is_laid_out: bool,
    /// Bytes that are written, and that were to be written at the beginning.
    written: u64,
    total_bytes: u64,
    begun: Instant,
}

/// A file of weights of the checkpoint that is imported.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SourceFile {
    /// Its name.
    pub name: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// Bytes that it becomes.
    pub output_bytes: u64,
    /// Whether it was taken, by this import or by one that was broken off: it is not needed any more.
    pub is_taken: bool,
}

impl Import {
    /// Begins an import, or goes on with one that was broken off. The folder `source` has the checkpoint's small files; its files of
    /// weights may be cut anywhere behind their headers. `identity` says which checkpoint it is: what was begun with another one is
    /// begun anew. Reads again what was written before, to see whether it is right. Only what is published by whole files of
    /// plain weights comes so: what another program has quantised is imported from a folder, and so is anything with
    /// [`ImportOptions::with`].
    ///
    /// # Errors
    /// Those of [`import`](super::import); `Error::Checkpoint` and `Error::Input` for what does not come so.
    pub fn begin(source: &Path, identity: &str, options: &ImportOptions, cancel: &Cancel) -> Result<Import> {
        if let Some(with) = &options.with {
            return Err(Error::Input(format!(
                "files that come one by one take nothing from {}: leave it out, or import the whole folder with --with",
                with.display()
            )));
        }
        Import::open(source, Origin::outline(source)?, identity.into(), options, cancel)
    }

    pub(super) fn open(
        source: &Path,
        origin: Origin,
        identity: Value,
        options: &ImportOptions,
        cancel: &Cancel,
    ) -> Result<Import> {
        let begun = Instant::now();
        let format = options.format;
        if format == Format::F32 {
            return Err(Error::Input("a checkpoint is imported as bf16, q8_0 or q4".into()));
        }
        let checkpoint = &origin.checkpoint;
        let plan = plan(checkpoint, &origin.config, format)?;
        checkpoint.finish()?;
        let packed = Packed { format, source_is_f32: checkpoint.is_f32() };
        let outputs = outputs::split(&plan, packed, options.shard_bytes)?;
        let sources = route::route(checkpoint, &plan, &outputs);
        let job = json!({
            "program": env!("CARGO_PKG_VERSION"),
            "format": format.name(),
            "headers": outputs.iter().map(|output| crc32fast::hash(&output.header)).collect::<Vec<_>>(),
            "source": identity,
        });
        let out = options.folder.clone().unwrap_or_else(|| beside(source, format));
        let mut folder = Folder::open(&out, job)?;
        let finished = folder.kept(&sources, &outputs, cancel)?;
        let left = sources.iter().zip(&finished).filter(|(_, finished)| finished.is_none());
        let total_bytes = left.map(|(source, _)| source.output_bytes()).sum();
        Ok(Import {
            kept: finished.iter().flatten().count(),
            is_laid_out: false,
            written: 0,
            origin,
            plan,
            outputs,
            sources,
            finished,
            folder,
            total_bytes,
            begun,
        })
    }

    /// The checkpoint's files of weights, the largest first: in this order they need the least room.
    pub fn files(&self) -> Vec<SourceFile> {
        let file = |(source, finished): (&Source, &Option<Finished>)| SourceFile {
            name: source.file.clone(),
            bytes: source.bytes,
            output_bytes: source.output_bytes(),
            is_taken: finished.is_some(),
        };
        self.order().into_iter().map(|index| file((&self.sources[index], &self.finished[index]))).collect()
    }

    /// Numbers of the sources, the largest first.
    fn order(&self) -> Vec<usize> {
        let mut order: Vec<_> = (0..self.sources.len()).collect();
        order.sort_by_key(|&index| std::cmp::Reverse(self.sources[index].bytes));
        order
    }

    /// Most bytes of the disk that what is left takes at a time, where the files come one by one in the order of
    /// [`Import::files`], onto the same disk, and their room is given back.
    pub fn room(&self) -> u64 {
        let (mut most, mut written) = (0, 0);
        for file in self.files().iter().filter(|file| !file.is_taken) {
            if let Some(source) = self.sources.iter().find(|source| source.file == file.name) {
                most = most.max(written + source.room());
                written += source.output_bytes();
            }
        }
        most + self.headers()
    }

    /// Bytes of what is written besides weights.
    fn headers(&self) -> u64 {
        self.outputs.iter().map(|output| output.header.len() as u64).sum()
    }

    /// Refuses to begin where what is to be written does not fit the disk.
    pub(super) fn check_room(&self) -> Result<()> {
        self.folder.check_room(self.total_bytes + if self.total_bytes > 0 { self.headers() } else { 0 })
    }

    /// Takes the checkpoint's file `name`, which lies at `file`. With `gives_back`, that file is cut shorter and shorter while it is
    /// taken, so that it is lost when this fails: its bytes must be nobody else's. `tell` is told how far the whole import is, in
    /// bytes that are written.
    ///
    /// # Errors
    /// `Error::Io` and `Error::Checkpoint` where the file is not the one whose header was there at the beginning; `Error::Write`;
    /// `Error::Input` for a name that the checkpoint does not have; `Error::Cancelled`.
    pub fn take(
        &mut self,
        name: &str,
        file: &Path,
        gives_back: bool,
        cancel: &Cancel,
        tell: &dyn Fn(Progress),
    ) -> Result<()> {
        let Some(index) = self.sources.iter().position(|source| source.file == name) else {
            return Err(Error::Input(format!("{} names no file {name}", self.origin.small.display())));
        };
        if self.finished[index].is_some() {
            return Ok(());
        }
        let shard = Shard::open(file)?;
        let outline = &self.origin.checkpoint.shards()[index];
        if shard.header() != outline.header() || shard.length() != outline.length() {
            let reason =
                "expected the header that the import was begun with, found another; download it again";
            return Err(damaged(file, reason.into()));
        }
        let cut = gives_back.then(|| OpenOptions::new().write(true).open(file)).transpose();
        let cut = cut.map_err(|source| write_error(file, source))?;
        self.make(index, Some((&shard, cut.as_ref())), cancel, tell)
    }

    /// Takes all files, which are there as a whole.
    ///
    /// # Errors
    /// Those of [`Import::take`].
    pub(super) fn take_all(&mut self, cancel: &Cancel, tell: &dyn Fn(Progress)) -> Result<()> {
        for index in self.order() {
            if self.finished[index].is_none() {
                self.make(index, None, cancel, tell)?;
            }
        }
        Ok(())
    }

    /// Makes what comes of a source: of the file that has come for it, which is cut shorter where it may be; else of its own.
    fn make(
        &mut self,
        index: usize,
        come: Option<(&Shard, Option<&File>)>,
        cancel: &Cancel,
        tell: &dyn Fn(Progress),
    ) -> Result<()> {
        self.lay_out()?;
        let (shard, cut) = come.unwrap_or((&self.origin.checkpoint.shards()[index], None));
        let source = &self.sources[index];
        let (written, begun, total_bytes) = (&mut self.written, self.begun, self.total_bytes);
        // The first piece is told at once.
        let mut told = f64::NEG_INFINITY;
        let mut advance = |bytes: usize| {
            *written += bytes as u64;
            let seconds = begun.elapsed().as_secs_f64();
            if seconds - told > TELL_EVERY || *written == total_bytes {
                told = seconds;
                tell(Progress { bytes: *written, total_bytes, seconds });
            }
        };
        let mut order: Vec<usize> = (0..source.parts.len()).collect();
        if cut.is_some() {
            order.reverse();
        }
        let mut sums: Vec<(usize, Sums)> = Vec::new();
        let crcs = writer::write(self.folder.path(), &self.outputs, &source.parts, |send| {
            for (i, &index) in order.iter().enumerate() {
                let part = &source.parts[index];
                let next = order.get(i + 1).map(|&next| &source.parts[next]);
                let mut send = |piece: Vec<u8>| {
                    advance(piece.len());
                    cancel.check()?;
                    send(index, piece)
                };
                let sum = encode::encode(shard, part, next, &self.plan[part.planned], &mut send)?;
                send(vec![0; part.padding])?;
                match sums.iter_mut().find(|(planned, _)| *planned == part.planned) {
                    Some((_, of_tensor)) => of_tensor.merge(&sum),
                    None => sums.push((part.planned, sum)),
                }
                // Two tensors may be the same bytes.
                if let Some(cut) = cut.filter(|_| next.is_none_or(|next| next.from.end <= part.from.start)) {
                    cut.set_len(part.from.start as u64)
                        .map_err(|source| write_error(shard.path(), source))?;
                }
            }
            Ok(())
        })?;
        let finished = Finished { file: source.file.clone(), bytes: source.bytes, crcs, sums };
        self.folder.finished(&finished)?;
        self.finished[index] = Some(finished);
        Ok(())
    }

    fn lay_out(&mut self) -> Result<()> {
        if !self.is_laid_out {
            self.folder.lay_out(&self.outputs)?;
            self.is_laid_out = true;
        }
        Ok(())
    }

    /// Gives the folder its name, when all files are taken.
    ///
    /// # Errors
    /// `Error::Input` where one is not; `Error::Io` and `Error::Write` for the small files.
    pub fn finish(mut self) -> Result<ImportReport> {
        self.lay_out()?;
        let Some(finished) = self.finished.into_iter().collect::<Option<Vec<Finished>>>() else {
            return Err(Error::Input(format!(
                "not all files of {} are imported yet",
                self.origin.small.display()
            )));
        };
        let mut of_tensors = vec![Sums::default(); self.plan.len()];
        for (planned, sums) in finished.iter().flat_map(|finished| &finished.sums) {
            if let Some(of_tensor) = of_tensors.get_mut(*planned) {
                of_tensor.merge(sums);
            }
        }
        let mut figures = Figures::default();
        for (planned, sums) in self.plan.iter().zip(of_tensors) {
            figures.add(planned, sums);
        }
        let crcs = checksums::of_outputs(&self.outputs, &self.sources, &finished);
        self.folder.copy_small(&self.origin.small, self.origin.rewritten.as_ref())?;
        self.folder.write_index(&self.outputs, &self.plan)?;
        self.folder.write_checksums(&self.outputs, &crcs)?;
        let folder = self.folder.publish(&self.outputs)?;
        Ok(ImportReport {
            folder,
            shards: self.outputs.len(),
            source_files: self.sources.len(),
            kept_files: self.kept,
            source_bytes: self.origin.checkpoint.total_bytes() as u64,
            bytes: self.outputs.iter().map(|output| output.bytes).sum(),
            seconds: self.begun.elapsed().as_secs_f64(),
            errors: figures.groups(),
            notes: self.origin.notes,
        })
    }
}

/// The folder that is made where none is named.
fn beside(source: &Path, format: Format) -> PathBuf {
    let name = if source.is_file() { source.file_stem() } else { source.file_name() };
    let mut name = name.unwrap_or_default().to_os_string();
    name.push(format!("-{}", format.name()));
    source.with_file_name(name)
}
