//! Weighted sums of the values of a chunk.

use std::ops::Range;

use super::super::lanes::{self, Lanes, Work};
use super::tile::{BLOCK, Chunk, DIMS, Tile};

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
            let start = chunk.start + block * BLOCK;
            for (i, sums) in chunk.sums.chunks_exact_mut(vectors * DIMS).enumerate() {
                let (head, group) = (i / groups, i % groups);
                let dims = group * DIMS..dim.min((group + 1) * DIMS);
                let mut part = Part { tile, start, head, weights, dims, sums };
                for vector in (0..vectors).step_by(Q) {
                    part.vectors::<L, Q, D>(l, vector..vectors.min(vector + Q));
                }
            }
        }
    }
}

/// One block's values and one group of dimensions of a key head.
struct Part<'a> {
    tile: &'a Tile<'a>,
    /// First position of the block.
    start: usize,
    head: usize,
    /// `[kv_heads, vectors, BLOCK]`.
    weights: &'a [f32],
    dims: Range<usize>,
    /// `[vectors, DIMS]`.
    sums: &'a mut [f32],
}

impl Part<'_> {
    /// Adds what up to `Q` vectors see: what all of them see for all together, the rest before and after for each alone.
    #[inline(always)]
    fn vectors<L: Lanes, const Q: usize, const D: usize>(&mut self, l: L, group: Range<usize>) {
        let (tile, start) = (self.tile, self.start);
        let shared = (group.clone().map(|vector| tile.seen(start, vector)))
            .fold(0..BLOCK, |a, b| a.start.max(b.start)..a.end.min(b.end));
        let together = group.len() == Q && !shared.is_empty();
        for vector in group.clone() {
            let seen = tile.seen(start, vector);
            let end = if together { shared.start } else { seen.end };
            self.add::<L, 1, D>(l, vector, seen.start..end);
        }
        if together {
            self.add::<L, Q, D>(l, group.start, shared.clone());
            for vector in group {
                self.add::<L, 1, D>(l, vector, shared.end..tile.seen(start, vector).end);
            }
        }
    }

    /// Adds the values at `places` of the block to the sums of `Q` vectors.
    #[inline(always)]
    fn add<L: Lanes, const Q: usize, const D: usize>(&mut self, l: L, vector: usize, places: Range<usize>) {
        if places.is_empty() {
            return;
        }
        let (tile, start) = (self.tile, self.start);
        tile.span.slots(start + places.start..start + places.end, |position, slots| {
            let at = position - start;
            let mut dim = self.dims.start;
            while dim + 16 * D <= self.dims.end {
                self.columns::<L, Q, D>(l, vector, at, slots.clone(), dim);
                dim += 16 * D;
            }
            while dim < self.dims.end {
                self.columns::<L, Q, 1>(l, vector, at, slots.clone(), dim);
                dim += 16;
            }
        });
    }

    /// The same for `D` times sixteen dimensions, or the last ones, of the values in `slots`, the first at place `at`.
    #[inline(always)]
    fn columns<L: Lanes, const Q: usize, const D: usize>(
        &mut self,
        l: L,
        vector: usize,
        at: usize,
        slots: Range<usize>,
        dim: usize,
    ) {
        let (tile, stride) = (self.tile, self.tile.heads.stride());
        let v = tile.heads.v;
        let count = slots.len();
        let width = (self.dims.end - dim).min(16 * D);
        let column = tile.column(self.head) + dim;
        let empty: &[f32] = &[];
        let mut weights = [empty; Q];
        let mut sums = [[l.splat(0.0); D]; Q];
        let place = |i: usize| (vector + i) * DIMS + dim - self.dims.start;
        for i in 0..Q {
            weights[i] = &self.weights[(self.head * tile.vectors() + vector + i) * BLOCK + at..][..count];
            let from = self.sums[place(i)..][..16 * D].as_chunks().0;
            for j in 0..D {
                sums[i][j] = l.load(&from[j]);
            }
        }
        for key in 0..count {
            let row = &v[(slots.start + key) * stride + column..][..width];
            if vector == 0 && tile.whole_rows() {
                // Over all heads and dimensions, the rows of the next block in the order of their addresses.
                let done = (column * count).next_multiple_of(16) + key * width;
                lanes::prefetch(v, (slots.start + BLOCK) * stride + done, width);
            }
            let (whole, part) = row.as_chunks();
            let mut x = [l.splat(0.0); D];
            if part.is_empty() {
                let whole = &whole[..D];
                for j in 0..D {
                    x[j] = l.load(&whole[j]);
                }
            } else {
                x[0] = l.load_part(part);
            }
            for i in 0..Q {
                let weight = l.splat(weights[i][key]);
                for j in 0..D {
                    sums[i][j] = l.fma(weight, x[j], sums[i][j]);
                }
            }
        }
        for (i, sums) in sums.into_iter().enumerate() {
            let to = self.sums[place(i)..][..16 * D].as_chunks_mut().0;
            for j in 0..D {
                l.store(sums[j], &mut to[j]);
            }
        }
    }
}
