//! What is still to be done of a download, shared by its threads: plain data behind one lock.

use std::path::PathBuf;

use anyhow::{Error, anyhow};

use super::journal::Journal;
use super::manifest::Part;
use super::pieces::Pieces;

/// How often a file may be begun anew because the hub's is another than before.
const MOST_RESTARTS: u32 = 2;

/// A file.
#[derive(Debug)]
pub(super) struct Target {
    /// What it is to become.
    pub(super) part: Part,
    /// Where it is to lie when it is whole.
    pub(super) path: PathBuf,
    /// What is there of it.
    pub(super) journal: Journal,
    /// How often it was begun anew, for whatever reason: bytes of an earlier time do not count.
    pub(super) time: u32,
    /// Whether the journal has to be written.
    pub(super) is_dirty: bool,
    stage: Stage,
    taken: Vec<bool>,
    is_single: bool,
    restarts: u32,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Stage {
    /// Another program has it there.
    Found(PathBuf),
    Fetching,
    Checking,
    Done,
}

/// Something that a thread can do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Task {
    /// Fetch what a piece lacks.
    Piece(Slot),
    /// See whether a file has the right bytes; another program's where there is a path.
    Check(usize, Option<PathBuf>),
}

/// A piece of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Slot {
    /// Which file.
    pub(super) file: usize,
    /// Which piece of it.
    pub(super) piece: usize,
    /// As of the file when it was taken.
    pub(super) time: u32,
    /// Whether it is all of a file that the server gives only as a whole.
    pub(super) is_single: bool,
}

/// What a thread finds when it looks for something to do.
#[derive(Debug)]
pub(super) enum Next {
    /// This.
    Do(Task),
    /// Others are at it; there may be more later.
    Wait,
    /// All is done.
    Nothing,
}

/// All files.
#[derive(Debug)]
pub(super) struct Work {
    /// In the order in which they are fetched.
    pub(super) files: Vec<Target>,
    piece_bytes: u64,
}

impl Work {
    /// Nothing yet. Pieces have `piece_bytes` bytes.
    pub(super) fn new(piece_bytes: u64) -> Work {
        Work { files: Vec::new(), piece_bytes }
    }

    /// Adds a file that is to lie at `path`: known by its journal, found elsewhere, or neither.
    pub(super) fn add(
        &mut self,
        part: Part,
        path: PathBuf,
        journal: Option<Journal>,
        found: Option<PathBuf>,
    ) {
        let fresh = || Journal { pieces: Pieces::new(part.size, self.piece_bytes), etag: None };
        let journal = journal.unwrap_or_else(fresh);
        let taken = vec![false; journal.pieces.count()];
        let stage = found.map_or(Stage::Fetching, Stage::Found);
        let (time, is_dirty, is_single, restarts) = (0, false, false, 0);
        self.files.push(Target { part, path, journal, time, is_dirty, stage, taken, is_single, restarts });
    }

    /// Adds a file that is there.
    pub(super) fn add_done(&mut self, part: Part, path: PathBuf) {
        self.add(part, path, None, None);
        if let Some(file) = self.files.last_mut() {
            file.stage = Stage::Done;
        }
    }

    /// Takes the next task; it is the caller's until it is given back.
    pub(super) fn take(&mut self) -> Next {
        for (index, file) in self.files.iter_mut().enumerate() {
            match &file.stage {
                Stage::Found(path) => {
                    let task = Task::Check(index, Some(path.clone()));
                    file.stage = Stage::Checking;
                    return Next::Do(task);
                }
                Stage::Fetching if file.journal.pieces.is_whole() => {
                    if file.taken.contains(&true) {
                        continue;
                    }
                    file.stage = Stage::Checking;
                    return Next::Do(Task::Check(index, None));
                }
                Stage::Fetching => {
                    let free = |piece: &usize| {
                        let (start, end) = file.journal.pieces.missing(*piece);
                        start < end && !file.taken[*piece]
                    };
                    let Some(piece) = (0..file.taken.len()).find(free) else { continue };
                    file.taken[piece] = true;
                    let (time, is_single) = (file.time, file.is_single);
                    return Next::Do(Task::Piece(Slot { file: index, piece, time, is_single }));
                }
                Stage::Checking | Stage::Done => {}
            }
        }
        if self.files.iter().all(|file| file.stage == Stage::Done) { Next::Nothing } else { Next::Wait }
    }

    /// The file of `slot`, unless it was begun anew since.
    pub(super) fn file(&mut self, slot: Slot) -> Option<&mut Target> {
        self.files.get_mut(slot.file).filter(|file| file.time == slot.time)
    }

    /// `slot` is no longer worked on.
    pub(super) fn give_back(&mut self, slot: Slot) {
        if let Some(file) = self.file(slot) {
            file.taken[slot.piece] = false;
        }
    }

    /// Nothing of a file is there, because of `why`. What others still fetch of it does not count.
    ///
    /// # Errors
    /// It happened too often.
    pub(super) fn restart(&mut self, file: usize, why: Error) -> Result<(), Error> {
        let piece_bytes = self.piece_bytes;
        let file = &mut self.files[file];
        if file.restarts == MOST_RESTARTS {
            let often = file.restarts + 1;
            let path = &file.part.path;
            return Err(why.context(format!(
                "{path} came wrong {often} times: try again later, or another HF_ENDPOINT"
            )));
        }
        tracing::warn!(file = %file.part.path, error = format!("{why:#}"), "begun anew");
        file.restarts += 1;
        file.begin(if file.is_single { file.part.size } else { piece_bytes });
        Ok(())
    }

    /// The server gives a file only as a whole.
    pub(super) fn make_single(&mut self, slot: Slot) {
        if let Some(file) = self.file(slot) {
            file.is_single = true;
            file.begin(file.part.size);
        }
    }

    /// What was found elsewhere is no good.
    pub(super) fn forget_found(&mut self, file: usize) {
        let piece_bytes = self.piece_bytes;
        self.files[file].begin(piece_bytes);
    }

    /// A file lies where it should.
    pub(super) fn finish(&mut self, file: usize) {
        self.files[file].stage = Stage::Done;
        self.files[file].is_dirty = false;
    }

    /// Bytes that are there.
    pub(super) fn bytes(&self) -> u64 {
        self.files.iter().map(Target::bytes).sum()
    }

    /// Bytes that there are to be.
    pub(super) fn of(&self) -> u64 {
        self.files.iter().map(|file| file.part.size).sum()
    }

    /// Bytes that will be written.
    pub(super) fn to_write(&self) -> u64 {
        let fetched = self.files.iter().filter(|file| file.stage == Stage::Fetching);
        fetched.map(|file| file.part.size - file.bytes()).sum()
    }

    /// Whether what goes on is only a check.
    pub(super) fn is_checking(&self) -> bool {
        let fetching = |file: &Target| file.stage == Stage::Fetching;
        !self.files.iter().any(fetching) && self.files.iter().any(|file| file.stage == Stage::Checking)
    }
}

impl Target {
    fn begin(&mut self, piece_bytes: u64) {
        self.journal = Journal { pieces: Pieces::new(self.part.size, piece_bytes), etag: None };
        self.taken = vec![false; self.journal.pieces.count()];
        self.stage = Stage::Fetching;
        self.time += 1;
        self.is_dirty = false;
    }

    fn bytes(&self) -> u64 {
        if self.stage == Stage::Fetching { self.journal.pieces.bytes() } else { self.part.size }
    }

    /// The version that the server names must be the one that was begun.
    ///
    /// # Errors
    /// It is another.
    pub(super) fn compare(&mut self, etag: Option<String>) -> Result<(), Error> {
        match (&self.journal.etag, etag) {
            (Some(begun), Some(now)) if *begun != now => {
                Err(anyhow!("{} changed on the hub: {begun} became {now}", self.part.path))
            }
            (None, Some(now)) => {
                self.journal.etag = Some(now);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::digest::Digest;

    fn work() -> Work {
        let mut work = Work::new(4);
        for name in ["a", "b"] {
            let part = Part { path: name.into(), size: 6, digest: Digest::Git(String::new()) };
            work.add(part, name.into(), None, None);
        }
        work
    }

    fn piece(work: &mut Work) -> Slot {
        match work.take() {
            Next::Do(Task::Piece(slot)) => slot,
            other => panic!("{other:?}"),
        }
    }

    fn fetch(work: &mut Work, slot: Slot) {
        if let Some(file) = work.file(slot) {
            file.journal.pieces.advance(slot.piece, 4);
        }
        work.give_back(slot);
    }

    #[test]
    fn a_file_is_checked_once_when_its_last_piece_is_there() {
        let mut work = work();
        let (first, second, third) = (piece(&mut work), piece(&mut work), piece(&mut work));
        assert_eq!((first.file, second.file, third.file), (0, 0, 1));
        fetch(&mut work, second);
        fetch(&mut work, first);
        assert!(matches!(work.take(), Next::Do(Task::Check(0, None))));
        work.finish(0);
        let last = piece(&mut work);
        fetch(&mut work, last);
        assert!(matches!(work.take(), Next::Wait));
        fetch(&mut work, third);
        assert!(matches!(work.take(), Next::Do(Task::Check(1, None))));
        work.finish(1);
        assert!(matches!(work.take(), Next::Nothing));
    }

    #[test]
    fn bytes_of_a_file_before_it_was_begun_anew_do_not_count() {
        let mut work = work();
        let old = piece(&mut work);
        work.restart(0, anyhow!("changed")).unwrap();
        fetch(&mut work, old);
        assert_eq!(work.bytes(), 0);
        let new = piece(&mut work);
        assert_eq!((new.file, new.piece, new.time), (0, 0, 1));
        work.restart(0, anyhow!("changed")).unwrap();
        let error = work.restart(0, anyhow!("changed")).unwrap_err();
        assert!(format!("{error:#}").starts_with("a came wrong 3 times"), "{error:#}");
    }
}
