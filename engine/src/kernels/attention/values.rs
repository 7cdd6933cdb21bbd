//! Weighted sums of the values of a chunk.

use std::ops::Range;

use super::super::lanes::{self, Lanes, Work};
use super::tile::{AHEAD, BLOCK, Chunk, DIMS, Stored, Tile};

/// Positions whose values are added to all vectors in turn: rows of a power of two long compete for few places of the nearest
/// cache, which holds no more of them.
const PART: usize = 16;

/// For each vector, the sum of the values that it sees in a chunk by their weights.
pub(super) struct Values<'a, 'b, T> {
    pub(super) tile: &'a Tile<'a, T>,
    pub(super) chunk: &'a mut Chunk<'b>,
}

impl<T: Stored> Work for Values<'_, '_, T> {
    type Out = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let Values { tile, chunk } = self;
        chunk.sums.fill(0.0);
        let vectors = tile.vectors();
        for (block, weights) in chunk.scores.chunks_exact(tile.all_vectors() * BLOCK).enumerate() {
            for at in (0..BLOCK).step_by(PART) {
                let start = chunk.start + block * BLOCK + at;
                let some = tile.seen(start, PART, 0).start..tile.seen(start, PART, vectors - 1).end;
                if some.is_empty() {
                    continue;
                }
                let all = tile.seen(start, PART, vectors - 1).start..tile.seen(start, PART, 0).end;
                let weights = &weights.as_chunks().0[at / PART..];
                let mut place = some.start;
                for slots in tile.span.slots(start + some.start..start + some.end) {
                    let places = place..place + slots.len();
                    place = places.end;
                    let mut part = Part {
                        tile,
                        start,
                        slot: slots.start,
                        place: places.start,
                        weights,
                        sums: chunk.sums,
                    };
                    if places.is_empty() {
                        continue;
                    }
                    if all.start <= places.start && places.end <= all.end {
                        if L::WIDE {
                            part.add_all::<L, 4, 4>(l, places)
                        } else {
                            part.add_all::<L, 2, 2>(l, places)
                        }
                    } else {
                        part.add_each::<L>(l, places);
                    }
                }
            }
        }
    }
}

/// Some values in slots one after another.
struct Part<'a, T> {
    tile: &'a Tile<'a, T>,
    /// First position that the places are counted from.
    start: usize,
    /// Slot of the first place.
    slot: usize,
    place: usize,
    /// Those of a vector; those of the next one stand `BLOCK` values on.
    weights: &'a [[f32; PART]],
    /// `[kv_heads, dims / DIMS, vectors, DIMS]`.
    sums: &'a mut [f32],
}

impl<T: Stored> Part<'_, T> {
    /// Adds the values at `places` to the sums of all vectors, `Q` vectors and `D` times sixteen dimensions at a time.
    #[inline(always)]
    fn add_all<L: Lanes, const Q: usize, const D: usize>(&mut self, l: L, places: Range<usize>) {
        let vectors = self.tile.vectors();
        for head in 0..self.tile.kv_heads.len() {
            let mut vector = 0;
            while vector < vectors {
                if vector + Q <= vectors {
                    if self.tile.whole_rows() {
                        let (v, stride) = (self.tile.heads.v, self.tile.heads.stride());
                        let part = (head * vectors + vector) / Q;
                        let part = (part, (self.tile.all_vectors() / Q).max(1));
                        lanes::prefetch(v, (self.slot + AHEAD) * stride, places.len() * stride, part);
                    }
                    self.add::<L, Q, D>(l, head, vector, places.clone());
                    vector += Q;
                } else {
                    self.add::<L, 1, D>(l, head, vector, places.clone());
                    vector += 1;
                }
            }
        }
    }

    /// The same where each vector sees places of its own.
    #[inline(always)]
    fn add_each<L: Lanes>(&mut self, l: L, places: Range<usize>) {
        for vector in 0..self.tile.vectors() {
            let seen = self.tile.seen(self.start, PART, vector);
            let seen = seen.start.max(places.start)..seen.end.min(places.end);
            if !seen.is_empty() {
                for head in 0..self.tile.kv_heads.len() {
                    self.add::<L, 1, 2>(l, head, vector, seen.clone());
                }
            }
        }
    }

    /// Adds the values of key head `head` at `places` to the sums of `Q` vectors.
    #[inline(always)]
    fn add<L: Lanes, const Q: usize, const D: usize>(
        &mut self,
        l: L,
        head: usize,
        vector: usize,
        places: Range<usize>,
    ) {
        let Part { tile, weights, .. } = *self;
        let (dim, stride, vectors) = (tile.heads.dim, tile.heads.stride(), tile.vectors());
        let groups = dim.div_ceil(DIMS);
        let first = (self.slot + places.start - self.place) * stride + tile.column(head);
        let weights = &weights[(head * vectors + vector) * (BLOCK / PART)..];
        let sums = self.sums.as_chunks_mut().0;
        let mut at = 0;
        while at < dim {
            let group = &mut sums[(head * groups + at / DIMS) * vectors + vector..][..Q];
            let v = &tile.heads.v[first + at..];
            let (places, width) = (places.clone(), dim - at);
            if width >= 16 * D {
                l.call(Columns::<T, Q, D> {
                    weights,
                    places,
                    v,
                    stride,
                    width: 16 * D,
                    first: at % DIMS,
                    sums: group,
                });
                at += 16 * D;
            } else {
                let width = width.min(16);
                l.call(Columns::<T, Q, 1> {
                    weights,
                    places,
                    v,
                    stride,
                    width,
                    first: at % DIMS,
                    sums: group,
                });
                at += 16;
            }
        }
    }
}

/// Adds to `D` times sixteen sums, or `width` of sixteen, of each of `Q` vectors.
struct Columns<'a, T, const Q: usize, const D: usize> {
    weights: &'a [[f32; PART]],
    places: Range<usize>,
    /// From the first value on; those of the next place stand `stride` values on.
    v: &'a [T],
    stride: usize,
    width: usize,
    /// First of the sums.
    first: usize,
    sums: &'a mut [[f32; DIMS]],
}

impl<T: Stored, const Q: usize, const D: usize> Work for Columns<'_, T, Q, D> {
    type Out = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let Columns { weights: all, places, v, stride, width, first, sums: to } = self;
        let mut weights = [&[0.0; PART]; Q];
        let mut sums = [[l.splat(0.0); D]; Q];
        for i in 0..Q {
            weights[i] = &all[i * (BLOCK / PART)];
            let from = to[i][first..][..16 * D].as_chunks().0;
            for j in 0..D {
                sums[i][j] = l.load(&from[j]);
            }
        }
        let (mut place, mut at) = (places.start, 0);
        while place < places.end.min(PART) {
            let mut x = [l.splat(0.0); D];
            if D == 1 && width < 16 {
                x[0] = T::load_part(l, &v[at..at + width]);
            } else {
                let row = &v[at..at + 16 * D].as_chunks().0;
                for j in 0..D {
                    x[j] = T::load(l, &row[j]);
                }
            }
            at += stride;
            for i in 0..Q {
                let weight = l.splat(weights[i][place]);
                for j in 0..D {
                    sums[i][j] = l.fma(weight, x[j], sums[i][j]);
                }
            }
            place += 1;
        }
        for i in 0..Q {
            let to = to[i][first..][..16 * D].as_chunks_mut().0;
            for j in 0..D {
                l.store(sums[i][j], &mut to[j]);
            }
        }
    }
}
