//! From which file each part of the outputs comes, and where it goes.

use std::ops::Range;

use super::outputs::{Output, padding_behind};
use crate::weights::{Checkpoint, Planned};

/// A file of the checkpoint.
pub(super) struct Source {
    /// Its name; with its folder where another one has the same.
    pub(super) file: String,
    /// Its length.
    pub(super) bytes: u64,
    /// What of the plan it holds, in the order of the file.
    pub(super) parts: Vec<Part>,
}

/// A tensor, or one matrix of a stack.
pub(super) struct Part {
    /// Which of the planned tensors it is of.
    pub(super) planned: usize,
    /// Its number in a stack.
    pub(super) matrix: usize,
    /// Its bytes in the source; of a matrix that is made of several tensors, those of the first.
    pub(super) from: Range<usize>,
    /// Which output it goes to.
    pub(super) output: usize,
    /// Where its bytes begin there.
    pub(super) at: u64,
    /// How many they are.
    pub(super) bytes: usize,
    /// Zeros that follow them.
    pub(super) padding: usize,
}

impl Part {
    /// Bytes that are written.
    pub(super) fn length(&self) -> u64 {
        (self.bytes + self.padding) as u64
    }
}

impl Source {
    /// Bytes that it becomes.
    pub(super) fn output_bytes(&self) -> u64 {
        self.parts.iter().map(Part::length).sum()
    }

    /// Most bytes that it and what it becomes take at a time, where it is taken from its end and cut shorter.
    pub(super) fn room(&self) -> u64 {
        let (mut now, mut most) = (self.bytes, self.bytes);
        for part in self.parts.iter().rev() {
            now += part.length();
            most = most.max(now);
            now = now.saturating_sub(part.from.len() as u64);
        }
        most
    }
}

/// The sources of a checkpoint whose tensors have places, one for each of its shards.
pub(super) fn route(checkpoint: &Checkpoint, plan: &[Planned], outputs: &[Output]) -> Vec<Source> {
    let mut sources: Vec<Source> = Vec::new();
    for shard in checkpoint.shards() {
        let name = shard.path().file_name().unwrap_or_default().to_string_lossy();
        let is_taken = sources.iter().any(|source| source.file == name);
        let file = if is_taken { shard.path().to_string_lossy() } else { name };
        sources.push(Source { file: file.into_owned(), bytes: shard.length(), parts: Vec::new() });
    }
    for (output, shard) in outputs.iter().enumerate() {
        let mut at = shard.header.len() as u64;
        for planned in shard.tensors.clone() {
            let whole = plan[planned].bytes();
            let places = plan[planned].places();
            let bytes = whole / places.len().max(1);
            for (matrix, (source, from)) in places.iter().enumerate() {
                let padding = if matrix + 1 == places.len() { padding_behind(whole) } else { 0 };
                let part = Part { planned, matrix, from: from.clone(), output, at, bytes, padding };
                at += part.length();
                sources[*source].parts.push(part);
            }
        }
    }
    for source in &mut sources {
        source.parts.sort_by_key(|part| (part.from.start, part.from.end, part.output, part.at));
    }
    sources
}
