//! Splitting a kernel's work among the threads of the executor's pool. Not here: what is computed. A split never changes a
//! result, since every piece writes elements of its own.

use std::marker::PhantomData;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

/// Multiply-adds that a thread must get for its waking to pay; with fewer than two shares, work stays on the calling thread.
const SHARE: usize = 1 << 15;

/// Calls `piece(i)` once for every `i` in `0..pieces`, on this thread and on idle ones of the pool, in no certain order.
/// `work` is the number of multiply-adds in all.
pub(crate) fn for_each_piece(pieces: usize, work: usize, piece: impl Fn(usize) + Sync) {
    let threads = rayon::current_num_threads().min(pieces).min(work / SHARE);
    if threads <= 1 {
        return (0..pieces).for_each(piece);
    }
    let next = AtomicUsize::new(0);
    let take = || {
        while let i = next.fetch_add(1, Ordering::Relaxed)
            && i < pieces
        {
            piece(i);
        }
    };
    fork(threads, &take);
}

/// Runs `take` on at most so many threads; it returns at once where nothing is left to take.
fn fork(threads: usize, take: &(impl Fn() + Sync)) {
    match threads {
        0 | 1 => take(),
        _ => {
            rayon::join(|| fork(threads / 2, take), || fork(threads - threads / 2, take));
        }
    }
}

/// A block of a row-major matrix, lent to one piece of work.
pub(crate) struct Tile<'a> {
    matrix: *mut f32,
    stride: usize,
    rows: Range<usize>,
    columns: Range<usize>,
    lent: PhantomData<&'a mut [f32]>,
}

impl Tile<'_> {
    /// Rows of the matrix that the tile has.
    pub(crate) fn rows(&self) -> Range<usize> {
        self.rows.clone()
    }

    /// Columns of the matrix that the tile has.
    pub(crate) fn columns(&self) -> Range<usize> {
        self.columns.clone()
    }

    /// The tile's part of row `row` of the matrix.
    pub(crate) fn row(&mut self, row: usize) -> &mut [f32] {
        assert!(self.rows.contains(&row), "row {row} of {:?}", self.rows);
        // SAFETY: the range lies inside the matrix, tiles do not overlap, and `&mut self` keeps other rows' borrows out.
        unsafe {
            std::slice::from_raw_parts_mut(
                self.matrix.add(row * self.stride + self.columns.start),
                self.columns.len(),
            )
        }
    }
}

/// Calls `piece` with every tile of at most `height` x `width` of a matrix of rows of `stride`, shared among the threads.
pub(crate) fn for_each_tile(
    matrix: &mut [f32],
    stride: usize,
    (height, width): (usize, usize),
    work: usize,
    piece: impl Fn(Tile<'_>) + Sync,
) {
    struct Shared(*mut f32);
    // SAFETY: the pointer is only used through tiles, and each tile is lent to one thread.
    unsafe impl Sync for Shared {}
    let rows = matrix.len() / stride;
    let shared = Shared(matrix.as_mut_ptr());
    let across = stride.div_ceil(width);
    for_each_piece(across * rows.div_ceil(height), work, |i| {
        let shared = &shared;
        let (top, left) = (i / across * height, i % across * width);
        piece(Tile {
            matrix: shared.0,
            stride,
            rows: top..rows.min(top + height),
            columns: left..stride.min(left + width),
            lent: PhantomData,
        });
    });
}

/// Height and width of tiles for a product of `n` rows of x with `o` rows of weights: narrow enough that every thread gets
/// several, wide enough that a tile's weights are worth a walk.
pub(crate) fn product_tile(n: usize, o: usize) -> (usize, usize) {
    /// Multiples that the inner loops like.
    const ROWS: usize = 4;
    const X_ROWS: usize = 6;
    let pieces = 4 * rayon::current_num_threads();
    let width = o.div_ceil(pieces).clamp(ROWS, 64).next_multiple_of(ROWS);
    let across = o.div_ceil(width);
    let height = if across < pieces { n.div_ceil(pieces / across).next_multiple_of(X_ROWS) } else { n };
    (height.max(1), width)
}

/// Work below this time stays on one thread.
const WORTH_NS: usize = 20_000;

/// Calls `f` with the number of its first row and the rows themselves, for pieces that together make up `out`
/// `[rows, row]`; `row_ns` is roughly what a row costs on one thread. `f` must not depend on where it is cut.
pub(crate) fn rows<T: Send>(out: &mut [T], row: usize, row_ns: usize, f: impl Fn(usize, &mut [T]) + Sync) {
    let piece = piece_of(out.len() / row.max(1), row_ns);
    if piece * row >= out.len() {
        f(0, out);
    } else {
        out.par_chunks_mut(piece * row).enumerate().for_each(|(i, rows)| f(i * piece, rows));
    }
}

/// Rows that one thread should take at a time.
pub(crate) fn piece_of(rows: usize, row_ns: usize) -> usize {
    let worth = WORTH_NS.div_ceil(row_ns.max(1));
    worth.max(rows.div_ceil(4 * rayon::current_num_threads())).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_is_lent_exactly_once() {
        for (rows, stride, tile) in [(1, 1, (1, 1)), (5, 7, (2, 3)), (3, 64, (3, 16)), (9, 4, (1, 100))] {
            for work in [0, usize::MAX] {
                let mut matrix = vec![0.0; rows * stride];
                for_each_tile(&mut matrix, stride, tile, work, |mut tile| {
                    for row in tile.rows() {
                        tile.row(row).iter_mut().for_each(|v| *v += 1.0);
                    }
                });
                assert!(matrix.iter().all(|&v| v == 1.0), "{rows} x {stride} in {tile:?}");
            }
        }
    }
}
