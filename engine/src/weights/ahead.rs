//! Reads from disk what a model is about to load, on threads of its own, a bounded way ahead of the loader.

use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use memmap2::Mmap;

use super::tensor::forget;
use crate::cancel::Cancel;
use crate::error::Result;

/// Threads that read: enough that the disk has a request while another one is mapped.
const THREADS: usize = 4;

/// Most bytes that a thread reads at a time.
const CHUNK: usize = 8 << 20;

/// Bytes between two pieces that cost less than another request.
const GAP: usize = 64 << 10;

/// How long a stop may go unnoticed by who waits for the disk.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// For whom it is read, and how far ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// For a loader that uses the bytes where they lie: so many of them, and nobody waits.
    InPlace(u64),
    /// For one that copies them, and waits for them: at most so many bytes beyond what it has copied.
    Copied(u64, Behind),
}

/// What becomes of bytes that were copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behind {
    /// They stay: some may be used where they lie.
    Stay,
    /// They leave this process's memory; the system may keep them for the next start.
    Leave,
    /// They leave the system's memory too.
    Drop,
}

/// Bytes of a mapped file.
pub(super) struct Piece {
    pub(super) path: Arc<Path>,
    pub(super) map: Arc<Mmap>,
    pub(super) range: Range<usize>,
}

/// The threads that read. They stop when this is dropped.
pub(crate) struct ReadAhead {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    reading: Reading,
    cancel: Cancel,
}

struct Shared {
    chunks: Vec<Chunk>,
    /// Where each piece ends, in bytes from the first piece on.
    ends: Vec<u64>,
    at: Mutex<At>,
    changed: Condvar,
}

/// What is read at once.
struct Chunk {
    piece: Piece,
    /// Which bytes of the pieces it has, counted from the first piece on.
    start: u64,
    end: u64,
}

/// How far reading is.
struct At {
    /// The chunk that is read next.
    next: usize,
    /// Which are read.
    read: Vec<bool>,
    /// Chunks up to the first that is not read.
    front: usize,
    /// Chunks that the loader has copied.
    behind: usize,
    /// Bytes that the loader has asked for.
    asked: u64,
    /// Bytes that may be read.
    until: u64,
    stopped: bool,
}

impl ReadAhead {
    /// Begins to read `pieces` in this order. Where the system gives no thread, fewer read, or none.
    pub(super) fn start(pieces: Vec<Piece>, reading: Reading, cancel: Cancel) -> ReadAhead {
        let (mut ends, mut end) = (Vec::with_capacity(pieces.len()), 0);
        for piece in &pieces {
            end += piece.range.len() as u64;
            ends.push(end);
        }
        let chunks = chunks(pieces);
        let until = match reading {
            Reading::InPlace(bytes) | Reading::Copied(bytes, _) => bytes,
        };
        let read = vec![false; chunks.len()];
        let at = At { next: 0, read, front: 0, behind: 0, asked: 0, until, stopped: false };
        let shared = Arc::new(Shared { chunks, ends, at: Mutex::new(at), changed: Condvar::new() });
        let thread = |_| {
            let shared = shared.clone();
            std::thread::Builder::new().name("read ahead".into()).spawn(move || shared.read()).ok()
        };
        let threads = (0..THREADS).filter_map(thread).collect();
        ReadAhead { shared, threads, reading, cancel }
    }

    /// Takes note that the loader wants piece `i`.
    pub(super) fn ask(&self, i: usize) {
        let mut at = self.shared.lock();
        let end = self.shared.ends.get(i).copied().unwrap_or_default();
        at.asked = at.asked.max(end);
    }

    /// Waits until everything that was asked for is in memory, where it is to be copied.
    ///
    /// # Errors
    /// `Error::Cancelled`.
    pub(super) fn wait(&self) -> Result<()> {
        self.cancel.check()?;
        if matches!(self.reading, Reading::InPlace(_)) || self.threads.is_empty() {
            return Ok(());
        }
        let mut at = self.shared.lock();
        if at.asked > at.until {
            at.until = at.asked;
            self.shared.changed.notify_all();
        }
        while self.shared.chunks.get(at.front).is_some_and(|chunk| chunk.start < at.asked) {
            at = self
                .shared
                .changed
                .wait_timeout(at, LOOK_EVERY)
                .map_or_else(|error| error.into_inner().0, |(at, _)| at);
            self.cancel.check()?;
        }
        Ok(())
    }

    /// Takes note that everything that was asked for has been copied.
    pub(super) fn passed(&self) {
        let Reading::Copied(window, behind) = self.reading else { return };
        let shared = &self.shared;
        let mut at = shared.lock();
        at.until = at.until.max(at.asked + window);
        let (first, asked) = (at.behind, at.asked);
        let passed = |chunk: &&Chunk| chunk.end <= asked;
        at.behind += shared.chunks[first..].iter().take_while(passed).count();
        let passed = first..at.behind;
        drop(at);
        shared.changed.notify_all();
        if behind == Behind::Stay {
            return;
        }
        for Chunk { piece, .. } in &shared.chunks[passed] {
            forget(&piece.map, piece.range.clone());
            if behind == Behind::Drop {
                drop_cached(piece);
            }
        }
    }

    /// Waits until everything has been read that is to be read.
    pub(crate) fn finish(&self) {
        let mut at = self.shared.lock();
        let all = |at: &At| self.shared.chunks.get(at.front).is_none_or(|chunk| chunk.start >= at.until);
        while !self.threads.is_empty() && !all(&at) {
            at = self.shared.changed.wait(at).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for ReadAhead {
    fn drop(&mut self) {
        self.shared.lock().stopped = true;
        self.shared.changed.notify_all();
        for thread in self.threads.drain(..) {
            // A thread that failed has read less than it should, which costs time and no more.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, At> {
        self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What each thread does.
    fn read(&self) {
        let mut at = self.lock();
        loop {
            let Some(chunk) = self.chunks.get(at.next) else { return };
            if at.stopped {
                return;
            }
            if chunk.start >= at.until {
                at = self.changed.wait(at).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let taken = at.next;
            at.next += 1;
            drop(at);
            bring(&chunk.piece);
            at = self.lock();
            at.read[taken] = true;
            while at.read.get(at.front) == Some(&true) {
                at.front += 1;
            }
            self.changed.notify_all();
        }
    }
}

/// The pieces in chunks: what lies close behind each other in a file is read together.
fn chunks(pieces: Vec<Piece>) -> Vec<Chunk> {
    let mut chunks: Vec<Chunk> = Vec::new();
    let mut start = 0;
    for Piece { path, map, mut range } in pieces {
        while !range.is_empty() {
            let until = match chunks.last_mut() {
                Some(Chunk { piece: last, end, .. })
                    if Arc::ptr_eq(&last.map, &map)
                        && (last.range.end..last.range.end + GAP).contains(&range.start)
                        && range.start < last.range.start + CHUNK =>
                {
                    let until = range.end.min(last.range.start + CHUNK);
                    last.range.end = until;
                    *end += (until - range.start) as u64;
                    until
                }
                _ => {
                    let until = range.end.min(range.start + CHUNK);
                    let end = start + (until - range.start) as u64;
                    let piece = Piece { path: path.clone(), map: map.clone(), range: range.start..until };
                    chunks.push(Chunk { piece, start, end });
                    until
                }
            };
            start += (until - range.start) as u64;
            range.start = until;
        }
    }
    chunks
}

/// Has the bytes in memory and mapped when it returns.
fn bring(piece: &Piece) {
    let Piece { map, range, .. } = piece;
    // One large request first: mapping alone reads little by little.
    #[cfg(unix)]
    let _ = map.advise_range(memmap2::Advice::WillNeed, range.start, range.len());
    #[cfg(target_os = "linux")]
    match map.advise_range(memmap2::Advice::PopulateRead, range.start, range.len()) {
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::INVAL.raw_os_error()) => {}
        // What a disk does not give is an error for the loader, not here.
        Ok(()) | Err(_) => return,
    }
    // An older system, or another, maps what is touched.
    const PAGE: usize = 4096;
    for at in range.clone().step_by(PAGE) {
        std::hint::black_box(map[at]);
    }
}

/// Has the system forget the bytes too. What cannot be dropped stays until the memory is needed.
fn drop_cached(piece: &Piece) {
    #[cfg(target_os = "linux")]
    if let Ok(file) = std::fs::File::open(&piece.path) {
        let (start, length) = (piece.range.start as u64, std::num::NonZeroU64::new(piece.range.len() as u64));
        let _ = rustix::fs::fadvise(&file, start, length, rustix::fs::Advice::DontNeed);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::error::Error;

    const NEVER: Duration = Duration::from_secs(30);

    /// A file of so many bytes, in pieces that begin a gap apart.
    fn pieces(lengths: &[usize], gap: usize) -> Vec<Piece> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let length: usize = lengths.iter().map(|length| length + gap).sum();
        file.write_all(&vec![7; length]).unwrap();
        // SAFETY: nobody else writes to the file.
        let map = Arc::new(unsafe { Mmap::map(file.as_file()) }.unwrap());
        let path: Arc<Path> = file.path().into();
        let mut start = 0;
        let piece = |length: &usize| {
            let range = start..start + length;
            start += length + gap;
            Piece { path: path.clone(), map: map.clone(), range }
        };
        lengths.iter().map(piece).collect()
    }

    #[test]
    fn chunks_hold_every_byte_once_in_order() {
        let lengths = [10, 0, CHUNK, 3 * CHUNK + 5, 1, 4096];
        for gap in [0, 4000, GAP + 1] {
            let chunks = chunks(pieces(&lengths, gap));
            let (mut end, mut read) = (0, 0);
            for chunk in &chunks {
                assert_eq!(chunk.start, end, "gap {gap}");
                assert!(chunk.piece.range.len() <= CHUNK);
                (end, read) = (chunk.end, read + chunk.piece.range.len());
            }
            let bytes: usize = lengths.iter().sum();
            assert_eq!(end, bytes as u64);
            assert!(read >= bytes && read <= bytes + lengths.len() * gap);
            for piece in pieces(&lengths, gap) {
                let covers = |at| chunks.iter().any(|chunk| chunk.piece.range.contains(&at));
                assert!(piece.range.is_empty() || covers(piece.range.start) && covers(piece.range.end - 1));
            }
        }
    }

    /// The last chunk that was taken to be read, once nothing moves any more.
    fn settled(ahead: &ReadAhead) -> usize {
        let shared = &ahead.shared;
        let (at, _) = shared
            .changed
            .wait_timeout_while(shared.lock(), NEVER, |at| {
                at.front < at.next || shared.chunks.get(at.next).is_some_and(|chunk| chunk.start < at.until)
            })
            .unwrap();
        at.next
    }

    #[test]
    fn readers_stay_within_their_window_and_serve_what_is_larger() {
        let (window, large) = (2 * CHUNK, 5 * CHUNK);
        let pieces = pieces(&[CHUNK, large, CHUNK, CHUNK, CHUNK], 0);
        let reading = Reading::Copied(window as u64, Behind::Drop);
        let ahead = ReadAhead::start(pieces, reading, Cancel::new());
        assert_eq!(settled(&ahead), 2);
        for (piece, taken) in [(0, 3), (1, 8), (2, 9), (3, 9), (4, 9)] {
            ahead.ask(piece);
            ahead.wait().unwrap();
            ahead.passed();
            assert_eq!(settled(&ahead), taken, "after piece {piece}");
        }
        assert_eq!(ahead.shared.lock().behind, 9);
    }

    #[test]
    fn who_waits_is_told_of_a_stop_and_who_uses_the_files_does_not_wait() {
        let cancel = Cancel::new();
        let ahead = ReadAhead::start(pieces(&[CHUNK], 0), Reading::Copied(1, Behind::Leave), cancel.clone());
        cancel.fire();
        ahead.ask(0);
        assert!(matches!(ahead.wait(), Err(Error::Cancelled)));

        let none = ReadAhead::start(pieces(&[CHUNK, CHUNK], 0), Reading::InPlace(0), Cancel::new());
        none.ask(1);
        none.wait().unwrap();
        assert_eq!(none.shared.lock().next, 0);
        let all = ReadAhead::start(pieces(&[CHUNK, CHUNK], 0), Reading::InPlace(u64::MAX), Cancel::new());
        all.finish();
        assert_eq!(all.shared.lock().front, 2);
    }
}
