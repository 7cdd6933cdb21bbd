//! Sharing the rows of a result among the threads, where the work is worth it.

use rayon::prelude::*;

/// Work below this time stays on one thread.
const WORTH_NS: usize = 20_000;

/// Calls `f` with the number of its first row and the rows themselves, for pieces that together make up `out`
/// `[rows, row]`; `row_ns` is roughly what a row costs on one thread. `f` must not depend on where it is cut.
pub(super) fn rows<T: Send>(out: &mut [T], row: usize, row_ns: usize, f: impl Fn(usize, &mut [T]) + Sync) {
    let piece = piece_of(out.len() / row.max(1), row_ns);
    if piece * row >= out.len() {
        f(0, out);
    } else {
        out.par_chunks_mut(piece * row).enumerate().for_each(|(i, rows)| f(i * piece, rows));
    }
}

/// Rows that one thread should take at a time.
pub(super) fn piece_of(rows: usize, row_ns: usize) -> usize {
    let worth = WORTH_NS.div_ceil(row_ns.max(1));
    worth.max(rows.div_ceil(4 * rayon::current_num_threads())).max(1)
}
