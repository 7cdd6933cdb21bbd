//! The rate at which a device reads its memory: what bounds every step that uses each weight once. On the processor, all threads
//! together; on a graphics processor, one product with a matrix that is larger than its caches.

use std::hint::black_box;
use std::time::{Duration, Instant};

use rayon::ThreadPoolBuilder;
use rayon::prelude::*;

use crate::cancel::Cancel;
use crate::error::{Error, Result};
use crate::executor::{Executor, available_bytes};
use crate::kernels::linear::{self, Epilogue};
use crate::recording::Recording;
use crate::shape::Element;

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

/// Bytes a second of `executor`, which has so many threads.
///
/// # Errors
/// Those of the device, and of [`measure`].
pub(super) fn of(executor: &mut Executor, threads: usize) -> Result<f64> {
    /// Runs in a row, of which the fastest counts.
    const RUNS: usize = 5;
    /// No more are begun after so long, on a device that is slow.
    const LIMIT: Duration = Duration::from_secs(2);
    let columns = 1 << 13;
    let most_rows = executor.largest_binding().map_or(usize::MAX, |most| most as usize / (2 * columns));
    let shape = [most_rows.min(1 << 16), columns];
    let Some(weight) = executor.memory().random(shape.into(), Element::Bf16)? else {
        return measure(threads);
    };
    let mut rec = Recording::new();
    let x = rec.constant_f32([1, shape[1]], vec![1.0; shape[1]]);
    for _ in 0..PASSES {
        linear::record(&mut rec, x, weight, Epilogue::default())?;
    }
    let counter = executor.memory().allocate([1].into(), Element::U32)?;
    let mut program = executor.prepare(rec)?;
    let mut fastest = 0.0f64;
    let first = Instant::now();
    for _ in 0..RUNS {
        let begun = Instant::now();
        let fetch = executor.run_fetching(&mut program, &Cancel::new(), &[counter])?;
        executor.collect(fetch)?;
        let bytes = (PASSES * Element::Bf16.bytes(shape[0], shape[1])) as f64;
        fastest = fastest.max(bytes / begun.elapsed().as_secs_f64());
        if first.elapsed() > LIMIT {
            break;
        }
    }
    executor.memory().free(counter);
    executor.memory().free(weight);
    Ok(fastest)
}

/// Bytes a second of so many threads; 0 takes one for each core.
///
/// # Errors
/// `Error::Input` when the system refuses the threads.
fn measure(threads: usize) -> Result<f64> {
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
