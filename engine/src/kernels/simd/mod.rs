//! Dot products of weight rows with rows of activations: the inner loop of every matrix product, for each instruction set.
//!
//! One order for all of them: sixteen f32 lanes (lane = index mod 16, blocks of sixteen ascending, fused multiply-add), then
//! lanes i and i+8, +4, +2, +1. AVX-512 and AVX2 give the same bits; without fused steps the last bits may differ. The result
//! for a pair of rows never depends on what else the call computes. Not here: threads, and what follows a product.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
pub(crate) mod math;
mod portable;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::ops::Range;
use std::sync::OnceLock;

use super::bindings::Weight;

/// Partial sums of a dot product.
pub(crate) const LANES: usize = 16;

/// Rows of weights of a tile, the piece of work that the inner loops finish at once.
const ROWS: usize = 4;

/// Most rows of x of a tile.
const MOST_X: usize = 6;

/// Elements of packed x up to which weights are widened as they are read; beyond, a panel of weights is packed first.
const FEW: usize = 48 * 1024;

/// Columns of a panel: a tile's rows of x then stay in a core's first cache, 64 weight rows in the second.
const PART: usize = 1024;

/// Rows of x whose lanes are kept from one part of the columns to the next.
const KEPT: usize = 96;

/// How a row of weights is stored, for use as a const parameter.
#[cfg(target_arch = "x86_64")]
struct Stored;

#[cfg(target_arch = "x86_64")]
impl Stored {
    const F32: u8 = 0;
    const F16: u8 = 1;
    const BF16: u8 = 2;

    /// Bytes of an element.
    const fn size(stored: u8) -> usize {
        if stored == Stored::F32 { 4 } else { 2 }
    }
}

/// An instruction set that this processor has: there is no other way to come by one than to detect it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Level(Set);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Level {
    /// The best one, found once per process.
    pub(crate) fn best() -> Level {
        static BEST: OnceLock<Level> = OnceLock::new();
        *BEST.get_or_init(|| Level::all().into_iter().next_back().unwrap_or(Level(Set::Portable)))
    }

    /// All that this processor has, best last.
    fn all() -> Vec<Level> {
        let mut all = vec![Level(Set::Portable)];
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::is_x86_feature_detected as has;
            let avx2 = has!("avx2") && has!("fma") && has!("f16c");
            if avx2 {
                all.push(Level(Set::Avx2));
            }
            if avx2 && has!("avx512f") && has!("avx512bw") && has!("avx512vl") {
                all.push(Level(Set::Avx512));
            }
        }
        all
    }

    /// Gives `sink(c, sums)` for each row `c` of x, ascending, where `sums[r] = Σ weight[r, i] · x[c][i]`.
    /// `weight` `[rows, k]`, x rows `[k]`. The sink must not call the thread pool.
    pub(crate) fn products(self, weight: Weight<'_>, x: &[&[f32]], mut sink: impl FnMut(usize, &[f32])) {
        let Some(k) = x.first().map(|x| x.len()).filter(|&k| k > 0 && len(weight) >= k) else { return };
        assert!(x.iter().all(|row| row.len() == k) && len(weight) % k == 0, "rows of x and weights");
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
            for tile in tiles(x.len()) {
                self.pack_x(&x[tile.clone()], &(0..k), &mut packed[tile.start * padded..tile.end * padded]);
            }
            for first in (0..rows).step_by(ROWS) {
                let weight = weight.slice(first * k, ROWS.min(rows - first) * k);
                for (i, tile) in tiles(x.len()).enumerate() {
                    let ahead = Ahead::new(weight, k, i, tiles(x.len()).len());
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
        let k = x[0].len();
        let mut totals = [[0.0; ROWS]; MOST_X];
        let (rows, parts) = (len(weight) / k, k.div_ceil(PART));
        let part = k.div_ceil(parts).next_multiple_of(LANES);
        let groups = rows.div_ceil(ROWS);
        let kept = if parts == 1 { 0 } else { tiles(x.len()).len() };
        const TILE: usize = MOST_X * ROWS * LANES;
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
                for (i, tile) in tiles(x.len()).enumerate() {
                    let packed = &mut packed[..tile.len() * padded];
                    self.pack_x(&x[tile.clone()], &columns, packed);
                    for (group, panel) in panel.chunks_exact(ROWS * padded).enumerate() {
                        let lanes = match (from == 0, columns.end == k) {
                            (true, true) => Lanes::Only,
                            (first, last) => {
                                let lanes = &mut lanes[(i * groups + group) * TILE..][..TILE];
                                if first {
                                    Lanes::First(lanes)
                                } else if last {
                                    Lanes::Last(lanes)
                                } else {
                                    Lanes::Middle(lanes)
                                }
                            }
                        };
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

    /// The products of a tile: one group of weight rows times `count` rows of x, packed.
    #[inline]
    fn multiply(self, rows: &Rows<'_>, x: &[f32], count: usize, lanes: Lanes<'_>, totals: &mut Totals) {
        match self.0 {
            Set::Portable => portable::multiply(rows, x, count, lanes, totals),
            // SAFETY: a `Level` is only made where the processor has been found to have these instructions.
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => unsafe { avx2::multiply(rows, x, count, lanes, totals) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => unsafe { avx512::multiply(rows, x, count, lanes, totals) },
        }
    }

    /// Packs columns of a tile's rows of x: for each lane block, the rows' sixteen elements one after the other; zeros beyond
    /// the last column.
    fn pack_x(self, x: &[&[f32]], columns: &Range<usize>, packed: &mut [f32]) {
        match self.0 {
            Set::Portable => pack_rows(x, columns, packed),
            // SAFETY: a `Level` is only made where the processor has been found to have these instructions.
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => unsafe { avx2::pack_x(x, columns, packed) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => unsafe { avx512::pack_x(x, columns, packed) },
        }
    }

    /// Widens some columns of weights `[rows, k]` to f32: for each group of rows, for each lane block, the rows' sixteen
    /// elements one after the other; zeros beyond the last column.
    fn pack(self, weight: Weight<'_>, k: usize, columns: Range<usize>, panel: &mut [f32]) {
        match self.0 {
            Set::Portable => portable::pack(weight, k, columns, panel),
            // SAFETY: a `Level` is only made where the processor has been found to have these instructions.
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => unsafe { avx2::pack(weight, k, columns, panel) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => unsafe { avx512::pack(weight, k, columns, panel) },
        }
    }

    /// Replaces each value by `f` of it; with the functions of [`math`], a vector at a time.
    pub(crate) fn map(self, values: &mut [f32], f: impl Fn(f32) -> f32) {
        match self.0 {
            Set::Portable => portable::map(values, f),
            // SAFETY: a `Level` is only made where the processor has been found to have these instructions.
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => unsafe { avx2::map(values, f) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => unsafe { avx512::map(values, f) },
        }
    }
}

/// A group of weight rows.
enum Rows<'a> {
    /// One to four rows of `k`, as they lie in memory.
    Stored { weight: Weight<'a>, k: usize, ahead: Ahead },
    /// Four rows from `Level::pack`.
    Packed(&'a [f32]),
}

/// What becomes of the lanes of a tile, `[x, weight row, 16]`, when k is walked in parts.
enum Lanes<'a> {
    /// All of k at once.
    Only,
    /// They start from zero and are kept.
    First(&'a mut [f32]),
    /// They go on and are kept.
    Middle(&'a mut [f32]),
    /// They go on and are summed.
    Last(&'a mut [f32]),
}

/// Sums of a tile, by row of x and weight row.
type Totals = [[f32; ROWS]; MOST_X];

/// What to fetch from memory while weights are read: so many bytes for each lane block.
#[derive(Clone, Copy)]
struct Ahead {
    start: *const u8,
    step: usize,
}

impl Ahead {
    /// For tile `i` of `tiles` that read the group `weight` in turn: its share of the group after it, or, where one tile reads
    /// at the speed of memory, a steady distance.
    fn new(weight: Weight<'_>, k: usize, i: usize, tiles: usize) -> Ahead {
        const DISTANCE: usize = 8192;
        let (start, size) = pointer(weight);
        let group = ROWS * k * size;
        let distance = if tiles == 1 { DISTANCE } else { group + group / tiles * i };
        Ahead { start: start.wrapping_add(distance), step: ROWS * LANES * size / tiles }
    }
}

/// First byte of a weight, and bytes of an element.
fn pointer(weight: Weight<'_>) -> (*const u8, usize) {
    match weight {
        Weight::F32(w) => (w.as_ptr().cast(), 4),
        Weight::F16(w) | Weight::Bf16(w) => (w.as_ptr().cast(), 2),
    }
}

/// Where the rows of a group begin. Rows beyond the last repeat it; their sums are dropped.
#[cfg(target_arch = "x86_64")]
fn row_pointers(weight: Weight<'_>, k: usize) -> [*const u8; ROWS] {
    let (start, size) = pointer(weight);
    let last = len(weight) / k - 1;
    std::array::from_fn(|r| start.wrapping_add(r.min(last) * k * size))
}

/// Splits `n` rows into tiles of about equal size: seven rows are four and three, not six and one.
fn tiles(n: usize) -> impl ExactSizeIterator<Item = Range<usize>> {
    let tiles = n.div_ceil(MOST_X);
    (0..tiles).map(move |i| i * n / tiles..(i + 1) * n / tiles)
}

/// See [`Level::pack_x`]; inlined into each level's own function, for its copies.
#[inline(always)]
fn pack_rows(x: &[&[f32]], columns: &Range<usize>, packed: &mut [f32]) {
    let blocks = packed.as_chunks_mut::<LANES>().0;
    for (c, row) in x.iter().enumerate() {
        let (whole, tail) = row[columns.clone()].as_chunks::<LANES>();
        let mut to = blocks.iter_mut().skip(c).step_by(x.len());
        // The row first: a zip takes from its first iterator before it finds the other one at its end.
        whole.iter().zip(&mut to).for_each(|(from, to)| *to = *from);
        if let (false, Some(to)) = (tail.is_empty(), to.next()) {
            to[..tail.len()].copy_from_slice(tail);
            to[tail.len()..].fill(0.0);
        }
    }
}

/// The lane blocks of row `row` in a panel of so many columns.
fn packed_row(panel: &mut [f32], row: usize, columns: usize) -> impl Iterator<Item = &mut [f32; LANES]> {
    let group = ROWS * columns.next_multiple_of(LANES);
    let blocks = panel[row / ROWS * group..][..group].as_chunks_mut::<LANES>().0;
    blocks.iter_mut().skip(row % ROWS).step_by(ROWS)
}

/// Copies a tile's sums to `sums` `[x, rows]`, from weight row `first` on, as far as there are rows.
fn spread(totals: &Totals, sums: &mut [f32], rows: usize, first: usize) {
    for (totals, sums) in totals.iter().zip(sums.chunks_exact_mut(rows)) {
        match sums[first..].first_chunk_mut::<ROWS>() {
            Some(four) => *four = *totals,
            None => sums[first..].iter_mut().zip(totals).for_each(|(s, t)| *s = *t),
        }
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

fn len(weight: Weight<'_>) -> usize {
    match weight {
        Weight::F32(w) => w.len(),
        Weight::F16(w) | Weight::Bf16(w) => w.len(),
    }
}
