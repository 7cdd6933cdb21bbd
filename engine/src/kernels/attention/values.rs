//! Weighted sums of the values of a chunk.

use std::ops::Range;

use super::super::lanes::{self, Lanes, Work};
use super::tile::{AHEAD, BLOCK, Chunk, DIMS, Tile};

/// Positions whose values are added to all vectors in turn: rows of a power of two long compete for few places of the nearest
/// cache, which holds no more of them.
const PART: usize = 16;

/// For each vector, the sum of the values that it sees in a chunk by their weights.
pub(super) struct Values<'a, 'b> {
    pub(super) tile: &'a Tile<'a>,
    pub(super) chunk: &'a mut Chunk<'b>,
}

impl Work for Values<'_, '_> {
    type Out = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        if L::WIDE { self.blocks::<L, 4, 4>(l) } else { self.blocks::<L, 2, 2>(l) }
    }
}

impl Values<'_, '_> {
    #[inline(always)]
    fn blocks<L: Lanes, const Q: usize, const D: usize>(self, l: L) {
        let Values { tile, chunk } = self;
        let (vectors, dim) = (tile.vectors(), tile.heads.dim);
        let groups = dim.div_ceil(DIMS);
        chunk.sums.fill(0.0);
        for (block, weights) in chunk.scores.chunks_exact(tile.all_vectors() * BLOCK).enumerate() {
            for at in (0..BLOCK).step_by(PART) {
                let start = chunk.start + block * BLOCK + at;
                for (i, sums) in chunk.sums.chunks_exact_mut(vectors * DIMS).enumerate() {
                    let (head, group) = (i / groups, i % groups);
                    let dims = group * DIMS..dim.min((group + 1) * DIMS);
                    let weights = &weights.as_chunks().0[(head * vectors * BLOCK + at) / PART..];
                    let mut part = Part { tile, start, head, weights, dims, sums };
                    for vector in (0..vectors).step_by(Q) {
                        part.vectors::<L, Q, D>(l, vector..vectors.min(vector + Q));
                    }
                }
            }
        }
    }
}

/// Some values and one group of dimensions of a key head.
struct Part<'a> {
    tile: &'a Tile<'a>,
    /// First position.
    start: usize,
    head: usize,
    /// From the first position on; those of the next vector stand `BLOCK` values on.
    weights: &'a [[f32; PART]],
    dims: Range<usize>,
    /// `[vectors, DIMS]`.
    sums: &'a mut [f32],
}

impl Part<'_> {
    /// Adds what up to `Q` vectors see: what all of them see for all together, the rest before and after for each alone.
    #[inline(always)]
    fn vectors<L: Lanes, const Q: usize, const D: usize>(&mut self, l: L, group: Range<usize>) {
        let (tile, start) = (self.tile, self.start);
        let mut shared = 0..PART;
        for vector in group.clone() {
            let seen = tile.seen(start, PART, vector);
            shared = shared.start.max(seen.start)..shared.end.min(seen.end);
        }
        let together = group.len() == Q && !shared.is_empty();
        for vector in group.clone() {
            let seen = tile.seen(start, PART, vector);
            let end = if together { shared.start } else { seen.end };
            self.add::<L, 1, D>(l, vector, seen.start..end);
        }
        if together {
            self.add::<L, Q, D>(l, group.start, shared.clone());
            for vector in group {
                self.add::<L, 1, D>(l, vector, shared.end..tile.seen(start, PART, vector).end);
            }
        }
    }

    /// Adds the values at `places` of the part to the sums of `Q` vectors.
    #[inline(always)]
    fn add<L: Lanes, const Q: usize, const D: usize>(&mut self, l: L, vector: usize, places: Range<usize>) {
        if places.is_empty() {
            return;
        }
        let mut place = places.start;
        for slots in self.tile.span.slots(self.start + places.start..self.start + places.end) {
            let mut dim = self.dims.start;
            while dim + 16 * D <= self.dims.end {
                self.columns::<L, Q, D>(l, vector, place, slots.clone(), dim);
                dim += 16 * D;
            }
            while dim < self.dims.end {
                self.columns::<L, Q, 1>(l, vector, place, slots.clone(), dim);
                dim += 16;
            }
            place += slots.len();
        }
    }

    /// The same for `D` times sixteen dimensions, or the last ones, of the values in `slots`, the first of them at `place`.
    #[inline(always)]
    fn columns<L: Lanes, const Q: usize, const D: usize>(
        &mut self,
        l: L,
        vector: usize,
        place: usize,
        slots: Range<usize>,
        dim: usize,
    ) {
        if slots.is_empty() {
            return;
        }
        let (tile, stride) = (self.tile, self.tile.heads.stride());
        let width = (self.dims.end - dim).min(16 * D);
        let column = tile.column(self.head) + dim;
        if vector == 0 && tile.whole_rows() {
            // Over all heads and dimensions, the rows that come next in the order of their addresses.
            let done = (column * slots.len()).next_multiple_of(16);
            lanes::prefetch(tile.heads.v, (slots.start + AHEAD) * stride + done, width * slots.len());
        }
        let mut weights = [&[0.0; PART]; Q];
        let mut sums = [[l.splat(0.0); D]; Q];
        let from = self.sums[vector * DIMS..][..Q * DIMS].as_chunks::<DIMS>().0;
        let first = dim - self.dims.start;
        for i in 0..Q {
            weights[i] = &self.weights[(vector + i) * BLOCK / PART];
            let from = from[i][first..][..16 * D].as_chunks().0;
            for j in 0..D {
                sums[i][j] = l.load(&from[j]);
            }
        }
        let v = tile.heads.v;
        let mut at = slots.start * stride + column;
        for key in place..PART.min(place + slots.len()) {
            let mut x = [l.splat(0.0); D];
            if D == 1 && width < 16 {
                x[0] = l.load_part(&v[at..at + width]);
            } else {
                let row = &v[at..at + 16 * D].as_chunks().0;
                for j in 0..D {
                    x[j] = l.load(&row[j]);
                }
            }
            at += stride;
            for i in 0..Q {
                let weight = l.splat(weights[i][key]);
                for j in 0..D {
                    sums[i][j] = l.fma(weight, x[j], sums[i][j]);
                }
            }
        }
        let to = self.sums[vector * DIMS..][..Q * DIMS].as_chunks_mut::<DIMS>().0;
        for i in 0..Q {
            let to = to[i][first..][..16 * D].as_chunks_mut().0;
            for j in 0..D {
                l.store(sums[i][j], &mut to[j]);
            }
        }
    }
}
