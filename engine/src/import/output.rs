//! A file that is written by a thread of its own, while the next pieces are made.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use crc32fast::Hasher;

use crate::cancel::Cancel;
use crate::error::{Error, Result};
use crate::files::{io_error, write_error};

/// Takes a piece of a file.
pub(super) type Send<'a> = &'a mut dyn FnMut(Vec<u8>) -> Result<()>;

/// Pieces that wait to be written.
const WAITING: usize = 4;

/// Bytes of small pieces that are written together, and of a file that are read at a time.
const BUFFER: usize = 1 << 20;

/// Writes the file `path` of what `fill` sends, down to the disk. Gives the checksum of its bytes.
///
/// # Errors
/// `Error::Write`, and those of `fill`; an unfinished file stays then.
pub(super) fn write(path: &Path, fill: impl FnOnce(Send<'_>) -> Result<()>) -> Result<u32> {
    let failed = |source| write_error(path, source);
    let file = File::create(path).map_err(failed)?;
    thread::scope(|scope| {
        let (sender, pieces) = sync_channel::<Vec<u8>>(WAITING);
        let writer = thread::Builder::new()
            .name("import writer".into())
            .spawn_scoped(scope, move || append(file, &pieces))
            .map_err(failed)?;
        // The writer has gone only where it failed, and its own error is told below.
        let filled = fill(&mut |piece| sender.send(piece).map_err(|_| Error::Cancelled));
        drop(sender);
        let (file, sum) = writer
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the thread that writes has stopped")))
            .map_err(failed)?;
        filled?;
        file.sync_all().map_err(failed)?;
        Ok(sum)
    })
}

fn append(file: File, pieces: &Receiver<Vec<u8>>) -> io::Result<(File, u32)> {
    let (mut file, mut sum) = (BufWriter::with_capacity(BUFFER, file), Hasher::new());
    for piece in pieces {
        sum.update(&piece);
        file.write_all(&piece)?;
    }
    Ok((file.into_inner().map_err(io::IntoInnerError::into_error)?, sum.finalize()))
}

/// The checksum of a file, read piece by piece.
///
/// # Errors
/// `Error::Io`; `Error::Cancelled`.
pub(super) fn sum(path: &Path, cancel: &Cancel) -> Result<u32> {
    let failed = |source| io_error(path, source);
    let mut file = File::open(path).map_err(failed)?;
    let (mut buffer, mut sum) = (vec![0; BUFFER], Hasher::new());
    loop {
        cancel.check()?;
        match file.read(&mut buffer).map_err(failed)? {
            0 => return Ok(sum.finalize()),
            read => sum.update(&buffer[..read]),
        }
    }
}
