//! The headers of a model's files of weights, fetched before the files: they say what the model becomes in another format.

use std::io::Read;
use std::path::Path;

use anyhow::{Error, Result, anyhow};

use super::download::Line;
use super::fault::Fault;
use super::fetch::remove;
use super::journal;
use super::manifest::{Manifest, Part};

/// Bytes that are asked for first; most headers are shorter.
const FIRST: u64 = 1 << 20;

/// Longest header.
const LONGEST: u64 = 100_000_000;

/// Sees to it that `folder` has the header of `part` as a file of its name; false where it was stopped.
///
/// # Errors
/// A sentence: what failed, and what to do.
pub(super) fn fetch(line: &Line<'_>, manifest: &Manifest, part: &Part, folder: &Path) -> Result<bool> {
    let path = folder.join(&part.path);
    if path.is_file() {
        return Ok(true);
    }
    let header = line.patience.ask(line.switch, || {
        let mut bytes = range(line, manifest, part, 0, FIRST.min(part.size))?;
        let length = bytes.first_chunk::<8>().map(|length| u64::from_le_bytes(*length));
        let end = length.filter(|length| *length <= LONGEST).map(|length| length + 8);
        let Some(end) = end.filter(|end| *end <= part.size) else {
            return Err(Fault::Never(anyhow!("{} at {} is no safetensors file", part.path, manifest.repo)));
        };
        if end > FIRST {
            bytes.extend(range(line, manifest, part, FIRST, end)?);
        }
        bytes.truncate(usize::try_from(end).unwrap_or(usize::MAX));
        Ok(bytes)
    })?;
    let Some(header) = header else { return Ok(false) };
    journal::put(&path, &header)?;
    Ok(true)
}

/// The bytes of `part` from `start` to the one before `end`.
fn range(line: &Line<'_>, manifest: &Manifest, part: &Part, start: u64, end: u64) -> Result<Vec<u8>, Fault> {
    let open = |range| line.hub.open(&manifest.repo, &manifest.commit, part, range);
    let (stream, skipped) = match open(Some((start, end))) {
        // What comes behind them is not read.
        Err(Fault::Whole) => (open(None)?, start),
        opened => (opened?, 0),
    };
    let mut stream = stream.bytes.take(skipped + end - start);
    let broken = |error: std::io::Error| {
        Fault::Again(Error::new(error).context(format!("{} broke off", part.path)), None)
    };
    std::io::copy(&mut stream.by_ref().take(skipped), &mut std::io::sink()).map_err(broken)?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).map_err(broken)?;
    if bytes.len() as u64 != end - start {
        return Err(Fault::Again(anyhow!("{} broke off in its header", part.path), None));
    }
    Ok(bytes)
}

/// Deletes the headers in `folder`, so that they are fetched again.
///
/// # Errors
/// One cannot be deleted.
pub(super) fn forget<'p>(parts: impl IntoIterator<Item = &'p Part>, folder: &Path) -> Result<()> {
    parts.into_iter().try_for_each(|part| remove(&folder.join(&part.path)))
}
