//! Tiles: what one step of the inner loops works on, and the layouts of what it reads and writes.

use std::ops::Range;

use crate::kernels::bindings::Weight;

/// Partial sums of a dot product.
pub(super) const LANES: usize = 16;

/// Rows of weights of a tile, the piece of work that the inner loops finish at once.
pub(super) const ROWS: usize = 4;

/// Most rows of x of a tile.
pub(super) const MOST_X: usize = 6;

/// How a row of weights is stored, for use as a const parameter.
#[cfg(target_arch = "x86_64")]
pub(super) struct Stored;

#[cfg(target_arch = "x86_64")]
impl Stored {
    pub(super) const F32: u8 = 0;
    pub(super) const F16: u8 = 1;
    pub(super) const BF16: u8 = 2;

    /// Bytes of an element.
    pub(super) const fn size(stored: u8) -> usize {
        if stored == Stored::F32 { 4 } else { 2 }
    }
}

/// A group of weight rows.
pub(super) enum Rows<'a> {
    /// One to four rows of `k`, as they lie in memory.
    Stored { weight: Weight<'a>, k: usize, ahead: Ahead },
    /// Four rows from `Isa::pack`.
    Packed(&'a [f32]),
}

/// What becomes of the lanes of a tile, `[x, weight row, 16]`, when k is walked in parts.
pub(super) enum Lanes<'a> {
    /// All of k at once.
    Only,
    /// They start from zero and are kept.
    First(&'a mut [f32]),
    /// They go on and are kept.
    Middle(&'a mut [f32]),
    /// They go on and are summed.
    Last(&'a mut [f32]),
}

impl<'a> Lanes<'a> {
    /// For a part of k that begins it, ends it, or both.
    pub(super) fn of(begins: bool, ends: bool, kept: &'a mut [f32]) -> Lanes<'a> {
        match (begins, ends) {
            (true, true) => Lanes::Only,
            (true, false) => Lanes::First(kept),
            (false, false) => Lanes::Middle(kept),
            (false, true) => Lanes::Last(kept),
        }
    }
}

/// Sums of a tile, by row of x and weight row.
pub(super) type Totals = [[f32; ROWS]; MOST_X];

/// What to fetch from memory while weights are read: so many bytes for each lane block.
#[derive(Clone, Copy)]
pub(super) struct Ahead {
    pub(super) start: *const u8,
    pub(super) step: usize,
}

impl Ahead {
    /// For tile `i` of `tiles` that read the group `weight` in turn: its share of the group after it, or, where one tile reads
    /// at the speed of memory, a steady distance.
    pub(super) fn new(weight: Weight<'_>, k: usize, i: usize, tiles: usize) -> Ahead {
        const DISTANCE: usize = 8192;
        let (start, size) = pointer(weight);
        let group = ROWS * k * size;
        let distance = if tiles == 1 { DISTANCE } else { group + group / tiles * i };
        Ahead { start: start.wrapping_add(distance), step: ROWS * LANES * size / tiles }
    }
}

/// First byte of a weight, and bytes of an element.
pub(super) fn pointer(weight: Weight<'_>) -> (*const u8, usize) {
    match weight {
        Weight::F32(w) => (w.as_ptr().cast(), 4),
        Weight::F16(w) | Weight::Bf16(w) => (w.as_ptr().cast(), 2),
    }
}

/// Where the rows of a group begin. Rows beyond the last repeat it; their sums are dropped.
#[cfg(target_arch = "x86_64")]
pub(super) fn row_pointers(weight: Weight<'_>, k: usize) -> [*const u8; ROWS] {
    let (start, size) = pointer(weight);
    let last = len(weight) / k - 1;
    std::array::from_fn(|r| start.wrapping_add(r.min(last) * k * size))
}

/// Splits `n` rows into tiles of at most `most`, of about equal size: seven rows are four and three, not six and one.
pub(super) fn tiles(n: usize, most: usize) -> impl ExactSizeIterator<Item = Range<usize>> {
    let tiles = n.div_ceil(most);
    (0..tiles).map(move |i| i * n / tiles..(i + 1) * n / tiles)
}

/// See [`super::Isa::pack_x`]; inlined into each level's own function, for its copies.
#[inline(always)]
pub(super) fn pack_rows(x: &[&[f32]], columns: &Range<usize>, packed: &mut [f32]) {
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
pub(super) fn packed_row(
    panel: &mut [f32],
    row: usize,
    columns: usize,
) -> impl Iterator<Item = &mut [f32; LANES]> {
    let group = ROWS * columns.next_multiple_of(LANES);
    let blocks = panel[row / ROWS * group..][..group].as_chunks_mut::<LANES>().0;
    blocks.iter_mut().skip(row % ROWS).step_by(ROWS)
}

/// Copies a tile's sums to `sums` `[x, rows]`, from weight row `first` on, as far as there are rows.
pub(super) fn spread(totals: &Totals, sums: &mut [f32], rows: usize, first: usize) {
    for (totals, sums) in totals.iter().zip(sums.chunks_exact_mut(rows)) {
        match sums[first..].first_chunk_mut::<ROWS>() {
            Some(four) => *four = *totals,
            None => sums[first..].iter_mut().zip(totals).for_each(|(s, t)| *s = *t),
        }
    }
}

pub(super) fn len(weight: Weight<'_>) -> usize {
    match weight {
        Weight::F32(w) => w.len(),
        Weight::F16(w) | Weight::Bf16(w) => w.len(),
    }
}
