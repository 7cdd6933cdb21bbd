//! How the products of many rows are cut into tiles, so that weights are read from memory once, at its full speed, and what is
//! read again stays in the caches.

use std::cell::RefCell;

use crate::kernels::bindings::Weight;

use super::Isa;
use super::tile::{Ahead, LANES, Lanes, MOST_X, ROWS, Rows, len, spread, tiles};

/// Elements of packed x up to which weights are widened as they are read; beyond, a panel of weights is packed first.
const FEW: usize = 48 * 1024;

/// Columns of a panel: a tile's rows of x then stay in a core's first cache, 64 weight rows in the second.
const PART: usize = 1024;

/// Rows of x whose lanes are kept from one part of the columns to the next.
const KEPT: usize = 96;

impl Isa {
    /// [`Isa::products`] with weights that are not quantised. `weight` `[rows, k]`, x rows `[k]`.
    pub(super) fn plain_products(
        self,
        weight: Weight<'_>,
        x: &[&[f32]],
        mut sink: impl FnMut(usize, &[f32]),
    ) {
        let Some(k) = x.first().map(|x| x.len()).filter(|&k| k > 0 && len(weight) >= k) else { return };
        assert!(x.iter().all(|row| row.len() == k) && len(weight).is_multiple_of(k), "rows of x and weights");
        if x.len() <= MOST_X || x.len() * k <= FEW {
            self.products_of_few(weight, x, sink);
        } else if k <= PART {
            self.products_of_many(weight, x, sink);
        } else {
            for (chunk, x) in x.chunks(KEPT).enumerate() {
                self.products_of_many(weight, x, |c, sums| sink(chunk * KEPT + c, sums));
            }
        }
    }

    /// Walks groups of weight rows, and for each of them the tiles of x; meanwhile the next group is fetched from memory.
    fn products_of_few(self, weight: Weight<'_>, x: &[&[f32]], mut sink: impl FnMut(usize, &[f32])) {
        let k = x[0].len();
        let mut totals = [[0.0; ROWS]; MOST_X];
        let (rows, padded) = (len(weight) / k, k.next_multiple_of(LANES));
        with_scratch(&SCRATCH, x.len() * (padded + rows), |memory| {
            let (packed, sums) = memory.split_at_mut(x.len() * padded);
            for tile in tiles(x.len(), MOST_X) {
                self.pack_x(&x[tile.clone()], &(0..k), &mut packed[tile.start * padded..tile.end * padded]);
            }
            for first in (0..rows).step_by(ROWS) {
                let weight = weight.slice(first * k, ROWS.min(rows - first) * k);
                for (i, tile) in tiles(x.len(), MOST_X).enumerate() {
                    let ahead = Ahead::new(weight, k, i, tiles(x.len(), MOST_X).len());
                    let packed = &packed[tile.start * padded..tile.end * padded];
                    let group = Rows::Stored { weight, k, ahead };
                    self.multiply(&group, packed, tile.len(), Lanes::Only, &mut totals);
                    spread(&totals, &mut sums[tile.start * rows..tile.end * rows], rows, first);
                }
            }
            sums.chunks_exact(rows).enumerate().for_each(|(c, sums)| sink(c, sums));
        });
    }

    /// Packs some columns of all weight rows, and for each tile of x walks the groups of rows.
    fn products_of_many(self, weight: Weight<'_>, x: &[&[f32]], mut sink: impl FnMut(usize, &[f32])) {
        /// Lanes of a tile.
        const TILE: usize = MOST_X * ROWS * LANES;
        let k = x[0].len();
        let mut totals = [[0.0; ROWS]; MOST_X];
        let (rows, parts) = (len(weight) / k, k.div_ceil(PART));
        let part = k.div_ceil(parts).next_multiple_of(LANES);
        let groups = rows.div_ceil(ROWS);
        // Nothing is kept where one part is all of k.
        let kept = if parts == 1 { 0 } else { tiles(x.len(), MOST_X).len() };
        let sizes = [groups * ROWS * part, MOST_X * part, kept * groups * TILE];
        with_scratch(&SCRATCH, sizes.iter().sum::<usize>() + MOST_X * rows, |memory| {
            let (panel, memory) = memory.split_at_mut(sizes[0]);
            let (packed, memory) = memory.split_at_mut(sizes[1]);
            let (lanes, sums) = memory.split_at_mut(sizes[2]);
            for from in (0..k).step_by(part) {
                let columns = from..k.min(from + part);
                let padded = columns.len().next_multiple_of(LANES);
                let panel = &mut panel[..groups * ROWS * padded];
                self.pack(weight, k, columns.clone(), panel);
                for (i, tile) in tiles(x.len(), MOST_X).enumerate() {
                    let packed = &mut packed[..tile.len() * padded];
                    self.pack_x(&x[tile.clone()], &columns, packed);
                    for (group, panel) in panel.chunks_exact(ROWS * padded).enumerate() {
                        let at = (i * groups + group) * TILE;
                        let lanes = lanes.get_mut(at..at + TILE).unwrap_or_default();
                        let lanes = Lanes::of(from == 0, columns.end == k, lanes);
                        self.multiply(&Rows::Packed(panel), packed, tile.len(), lanes, &mut totals);
                        if columns.end == k {
                            spread(&totals, &mut sums[..tile.len() * rows], rows, group * ROWS);
                        }
                    }
                    if columns.end == k {
                        tile.zip(sums.chunks_exact(rows)).for_each(|(c, sums)| sink(c, sums));
                    }
                }
            }
        });
    }
}

thread_local! {
    /// A thread's own memory for one call of `products`.
    static SCRATCH: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Lends `size` elements of a thread's own memory on a cache line's boundary, contents undefined.
pub(crate) fn with_scratch<R>(
    memory: &'static std::thread::LocalKey<RefCell<Vec<f32>>>,
    size: usize,
    work: impl FnOnce(&mut [f32]) -> R,
) -> R {
    memory.with_borrow_mut(|values| {
        if values.len() < size + LANES {
            values.resize(size + LANES, 0.0);
        }
        let start = values.as_ptr().align_offset(64).min(LANES);
        work(&mut values[start..][..size])
    })
}
