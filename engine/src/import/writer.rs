//! Parts of the outputs, written at their places by a thread of its own while the next pieces are made.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use crc32fast::Hasher;

use super::outputs::Output;
use super::route::Part;
use crate::cancel::Cancel;
use crate::error::{Error, Result};
use crate::files::{io_error, write_error};

/// Takes the next piece of the part of this number.
pub(super) type Send<'a> = &'a mut dyn FnMut(usize, Vec<u8>) -> Result<()>;

/// Pieces that wait to be written.
const WAITING: usize = 4;

/// Bytes of a file that are read at a time.
const BUFFER: usize = 1 << 20;

/// Writes `parts` of what `fill` sends into the `outputs` in `folder`, down to the disk. Gives the checksums of the parts.
///
/// # Errors
/// `Error::Write`, and those of `fill`.
pub(super) fn write(
    folder: &Path,
    outputs: &[Output],
    parts: &[Part],
    fill: impl FnOnce(Send<'_>) -> Result<()>,
) -> Result<Vec<u32>> {
    thread::scope(|scope| {
        let (sender, pieces) = sync_channel::<(usize, Vec<u8>)>(WAITING);
        let writer = thread::Builder::new()
            .name("import writer".into())
            .spawn_scoped(scope, move || place(folder, outputs, parts, &pieces))
            .map_err(|source| write_error(folder, source))?;
        // The writer has gone only where it failed, and its own error is told below.
        let filled = fill(&mut |part, piece| sender.send((part, piece)).map_err(|_| Error::Cancelled));
        drop(sender);
        let stopped = || write_error(folder, io::Error::other("the thread that writes has stopped"));
        let crcs = writer.join().unwrap_or_else(|_| Err(stopped()))?;
        filled?;
        for output in parts.iter().map(|part| part.output).collect::<BTreeSet<_>>() {
            let path = folder.join(&outputs[output].file);
            let synced = File::open(&path).and_then(|file| file.sync_all());
            synced.map_err(|source| write_error(&path, source))?;
        }
        Ok(crcs)
    })
}

/// Writes pieces until there are no more.
fn place(
    folder: &Path,
    outputs: &[Output],
    parts: &[Part],
    pieces: &Receiver<(usize, Vec<u8>)>,
) -> Result<Vec<u32>> {
    let mut crcs = vec![Hasher::new(); parts.len()];
    let mut written = vec![0; parts.len()];
    let mut open: Option<(usize, File)> = None;
    for (index, piece) in pieces {
        let part = &parts[index];
        let path = folder.join(&outputs[part.output].file);
        let mut put = || -> io::Result<()> {
            let file = match &mut open {
                Some((output, file)) if *output == part.output => file,
                other => &mut other.insert((part.output, OpenOptions::new().write(true).open(&path)?)).1,
            };
            file.seek(SeekFrom::Start(part.at + written[index]))?;
            file.write_all(&piece)
        };
        put().map_err(|source| write_error(&path, source))?;
        crcs[index].update(&piece);
        written[index] += piece.len() as u64;
    }
    Ok(crcs.into_iter().map(Hasher::finalize).collect())
}

/// The checksum of `length` bytes from `start` on of the file `path`, as far as there are so many, read piece by piece.
///
/// # Errors
/// `Error::Io`; `Error::Cancelled`.
pub(super) fn crc(path: &Path, start: u64, length: u64, cancel: &Cancel) -> Result<u32> {
    let failed = |source| io_error(path, source);
    let mut file = File::open(path).map_err(failed)?;
    file.seek(SeekFrom::Start(start)).map_err(failed)?;
    let mut file = file.take(length);
    let (mut buffer, mut crc) = (vec![0; BUFFER.min(length as usize)], Hasher::new());
    loop {
        cancel.check()?;
        match file.read(&mut buffer).map_err(failed)? {
            0 => return Ok(crc.finalize()),
            read => crc.update(&buffer[..read]),
        }
    }
}
