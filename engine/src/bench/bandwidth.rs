//! The rate at which all threads together read memory: what bounds every step that uses each weight once.

use std::hint::black_box;
use std::time::Instant;

use rayon::ThreadPoolBuilder;
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::executor::available_bytes;

/// Bytes to read: more than the last cache of any processor.
const BYTES: u64 = 1 << 30;

/// Passes over all of them.
const PASSES: usize = 12;

/// Words that are timed at once, 64 MiB; the fastest count, since others that use the machine only slow it down.
const TIMED: usize = 1 << 23;

/// Words that a thread reads at a time: 1 MiB.
const PIECE: usize = 1 << 17;

/// Places that a thread reads from by turns.
const STREAMS: usize = 8;

/// Words of a cache line.
const LINE: usize = 8;

/// Bytes a second of so many threads; 0 takes one for each core.
///
/// # Errors
/// `Error::Input` when the system refuses the threads.
pub(super) fn measure(threads: usize) -> Result<f64> {
    let pool = ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|e| Error::Input(format!("cannot start {threads} threads: {e}")))?;
    // Never a large part of what is left.
    let bytes = available_bytes().map_or(BYTES, |available| BYTES.min(available / 4));
    let words = vec![1u64; bytes as usize / size_of::<u64>()];
    let passes = (0..PASSES).flat_map(|_| words.chunks_exact(TIMED.min(words.len()).max(1)));
    Ok(pool.install(|| passes.map(rate).fold(0.0, f64::max)))
}

/// Bytes a second at which `words` are read.
fn rate(words: &[u64]) -> f64 {
    let begun = Instant::now();
    let sum: u64 = words.par_chunks(PIECE).map(sum).reduce(|| 0, u64::wrapping_add);
    black_box(sum);
    size_of_val(words) as f64 / begun.elapsed().as_secs_f64()
}

/// Sums in lanes, which compilers turn into vector instructions, over several places at once: one stream of loads alone does not
/// keep a core's share of the memory busy.
fn sum(words: &[u64]) -> u64 {
    let each = words.len() / STREAMS;
    let streams: [&[u64]; STREAMS] = std::array::from_fn(|i| &words[i * each..(i + 1) * each]);
    let mut lanes = [0u64; LINE];
    for at in (0..each / LINE * LINE).step_by(LINE) {
        for stream in streams {
            lanes
                .iter_mut()
                .zip(&stream[at..at + LINE])
                .for_each(|(lane, word)| *lane = lane.wrapping_add(*word));
        }
    }
    lanes.iter().copied().fold(0, u64::wrapping_add)
}
