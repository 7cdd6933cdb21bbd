//! Attention of some query rows over the keys of one key head, block by block of positions.

use std::cell::Cell;
use std::ops::Range;

use rayon::prelude::*;

use super::super::lanes::{self, Isa, Lanes, Work};

/// Positions in a block: a block's values stay in the nearest cache while all queries of the tile use them.
const BLOCK: usize = 64;
/// Dimensions of the result that are summed together.
const DIMS: usize = 64;
/// Queries that share the loading of a key, where there are so many.
const QUERIES: usize = 32;
/// Blocks for one thread, where a few queries over many keys are shared among threads.
const BLOCKS_AT_ONCE: usize = 8;

/// The heads and the memory of their keys and values `[slots, kv_count·dim]`.
pub(super) struct Heads<'a> {
    pub(super) count: usize,
    pub(super) kv_count: usize,
    pub(super) dim: usize,
    pub(super) k: &'a [f32],
    pub(super) v: &'a [f32],
}

impl Heads<'_> {
    /// Elements from one slot to the next.
    pub(super) fn stride(&self) -> usize {
        self.kv_count * self.dim
    }

    /// Query heads for each key head.
    fn group(&self) -> usize {
        self.count / self.kv_count
    }

    /// Query rows in a tile.
    pub(super) fn tile_rows(&self) -> usize {
        (QUERIES / self.group()).max(1)
    }
}

/// Query rows that see keys of one sequence of positions, in the ring of slots that holds it.
#[derive(Clone)]
pub(super) struct Span {
    pub(super) rows: Range<usize>,
    /// Position of the first row.
    pub(super) position: usize,
    /// First slot and number of slots: position p stands in `slot + p mod ring`.
    pub(super) slot: usize,
    pub(super) ring: usize,
    /// First position that is still in the ring.
    pub(super) oldest: usize,
    pub(super) window: Option<usize>,
    pub(super) causal: bool,
}

impl Span {
    /// Positions that query row `row` sees; both ends ascend with the row.
    fn visible(&self, row: usize) -> Range<usize> {
        if !self.causal {
            return 0..self.rows.len();
        }
        let end = self.position + row - self.rows.start + 1;
        let first = end.saturating_sub(self.window.unwrap_or(end));
        first.max(self.oldest).min(end)..end
    }

    /// Calls `f` with the first position and the slots of each unbroken piece of `positions`.
    #[inline(always)]
    fn slots(&self, positions: Range<usize>, mut f: impl FnMut(usize, Range<usize>)) {
        let mut at = positions.start;
        while at < positions.end {
            let in_ring = at % self.ring;
            let count = (positions.end - at).min(self.ring - in_ring);
            f(at, self.slot + in_ring..self.slot + in_ring + count);
            at += count;
        }
    }
}

/// Memory of a thread, kept from call to call.
#[derive(Default)]
struct Scratch {
    /// Scaled queries `[vectors, padded dim]`.
    q: Vec<f32>,
    /// Scores, then weights `[blocks, vectors, BLOCK]`.
    scores: Vec<f32>,
    /// Sums of values `[dims / DIMS, vectors, DIMS]`.
    sums: Vec<f32>,
}

thread_local! {
    static SCRATCH: Cell<Scratch> = Cell::default();
}

/// Query vectors of a tile (row after row, the heads of a row one after another) and the blocks they see.
struct Tile<'a> {
    heads: &'a Heads<'a>,
    span: &'a Span,
    /// First column of the key head.
    column: usize,
    /// What each vector sees.
    visible: Vec<Range<usize>>,
    first_block: usize,
}

impl Tile<'_> {
    /// The part of block `block` of the tile that vector `vector` sees, counted from the block's start.
    #[inline(always)]
    fn seen(&self, block: usize, vector: usize) -> Range<usize> {
        let start = (self.first_block + block) * BLOCK;
        let clip = |position: usize| position.saturating_sub(start).min(BLOCK);
        clip(self.visible[vector].start)..clip(self.visible[vector].end)
    }
}

/// Attention of the query rows `rows` of `span`, whose elements are `q` `[rows, heads·dim]`, over key head `kv_head` into
/// `out`, for each row the elements of the query heads that share it. `alone`: there are fewer tiles than threads.
#[expect(clippy::too_many_arguments, reason = "one call site, which has just taken these apart")]
pub(super) fn attend(
    isa: Isa,
    heads: &Heads<'_>,
    span: &Span,
    rows: Range<usize>,
    q: &[f32],
    kv_head: usize,
    alone: bool,
    mut out: Vec<&mut [f32]>,
) {
    let (dim, group) = (heads.dim, heads.group());
    let padded = dim.next_multiple_of(16);
    let vectors = rows.len() * group;
    let visible: Vec<_> = (0..vectors).map(|i| span.visible(rows.start + i / group)).collect();
    let (first, end) = (visible[0].start, visible[vectors - 1].end);
    let first_block = first / BLOCK;
    let blocks = end.div_ceil(BLOCK) - first_block;
    let tile = Tile { heads, span, column: kv_head * dim, visible, first_block };

    let mut scratch = SCRATCH.take();
    let Scratch { q: scaled, scores, sums } = &mut scratch;
    let scale = 1.0 / (dim as f32).sqrt();
    scaled.clear();
    scaled.resize(vectors * padded, 0.0);
    for (i, to) in scaled.chunks_exact_mut(padded).enumerate() {
        let from = &q[((i / group) * heads.count + kv_head * group + i % group) * dim..][..dim];
        to.iter_mut().zip(from).for_each(|(to, from)| *to = from * scale);
    }
    let scaled = &scaled[..];
    if scores.len() < blocks * vectors * BLOCK {
        scores.resize(blocks * vectors * BLOCK, 0.0);
    }
    let scores = &mut scores[..blocks * vectors * BLOCK];
    sums.clear();
    sums.resize(dim.div_ceil(DIMS) * vectors * DIMS, 0.0);

    let shared = alone && blocks > 2 * BLOCKS_AT_ONCE;
    let some_blocks = if shared { BLOCKS_AT_ONCE } else { blocks };
    let score = |(i, scores): (usize, &mut [f32])| {
        lanes::run_on(isa, Scores { tile: &tile, q: scaled, first: i * some_blocks, scores });
    };
    let pieces = scores.par_chunks_mut(some_blocks * vectors * BLOCK).enumerate();
    pieces.for_each(score);

    let shares = lanes::run_on(isa, Softmax { tile: &tile, scores });

    let some_dims = if shared { vectors * DIMS } else { sums.len() };
    let add = |(i, sums): (usize, &mut [f32])| {
        let first = i * some_dims / vectors;
        lanes::run_on(isa, Values { tile: &tile, weights: scores, first, sums });
    };
    sums.par_chunks_mut(some_dims).enumerate().for_each(add);

    for (vector, share) in shares.into_iter().enumerate() {
        let out = &mut out[vector / group][vector % group * dim..][..dim];
        for (out, sums) in out.chunks_mut(DIMS).zip(sums.chunks_exact(vectors * DIMS)) {
            out.iter_mut().zip(&sums[vector * DIMS..]).for_each(|(out, sum)| *out = sum * share);
        }
    }
    SCRATCH.set(scratch);
}

/// Products of all vectors with the keys of some blocks.
struct Scores<'a> {
    tile: &'a Tile<'a>,
    q: &'a [f32],
    /// First of the blocks.
    first: usize,
    scores: &'a mut [f32],
}

impl Work for Scores<'_> {
    type Out = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        if L::WIDE { self.blocks::<L, 4, 4>(l) } else { self.blocks::<L, 2, 2>(l) }
    }
}

impl Scores<'_> {
    #[inline(always)]
    fn blocks<L: Lanes, const Q: usize, const K: usize>(self, l: L) {
        let vectors = self.tile.visible.len();
        for (block, scores) in self.scores.chunks_exact_mut(vectors * BLOCK).enumerate() {
            let block = self.first + block;
            let start = (self.tile.first_block + block) * BLOCK;
            let seen = self.tile.seen(block, 0).start..self.tile.seen(block, vectors - 1).end;
            let positions = start + seen.start..start + seen.end;
            self.tile.span.slots(positions, |position, slots| {
                let mut at = position - start;
                let mut slot = slots.start;
                while slot < slots.end {
                    let keys = if slot + K <= slots.end { K } else { 1 };
                    for vector in (0..vectors).step_by(Q) {
                        let full = vector + Q <= vectors;
                        match (full, keys == K) {
                            (true, true) => dots::<L, Q, K>(l, self.tile, self.q, vector, slot, at, scores),
                            (true, false) => dots::<L, Q, 1>(l, self.tile, self.q, vector, slot, at, scores),
                            (false, whole) => {
                                for vector in vector..vectors {
                                    if whole {
                                        dots::<L, 1, K>(l, self.tile, self.q, vector, slot, at, scores);
                                    } else {
                                        dots::<L, 1, 1>(l, self.tile, self.q, vector, slot, at, scores);
                                    }
                                }
                            }
                        }
                    }
                    slot += keys;
                    at += keys;
                }
            });
        }
    }
}

/// Products of `Q` vectors with the keys in `K` slots, to place `at` of each vector's scores.
#[inline(always)]
fn dots<L: Lanes, const Q: usize, const K: usize>(
    l: L,
    tile: &Tile<'_>,
    q: &[f32],
    vector: usize,
    slot: usize,
    at: usize,
    scores: &mut [f32],
) {
    let Heads { dim, k, .. } = *tile.heads;
    let (padded, stride) = (dim.next_multiple_of(16), tile.heads.stride());
    let blocks = dim / 16;
    let empty: &[[f32; 16]] = &[];
    let (mut queries, mut keys, mut tails) = ([empty; Q], [empty; K], [&[][..]; K]);
    for i in 0..Q {
        queries[i] = q[(vector + i) * padded..][..padded].as_chunks().0;
    }
    for j in 0..K {
        let key = &k[(slot + j) * stride + tile.column..][..dim];
        (keys[j], tails[j]) = key.as_chunks();
        keys[j] = &keys[j][..blocks];
    }
    let mut sums = [[l.splat(0.0); K]; Q];
    let mut x = [l.splat(0.0); K];
    for block in 0..blocks {
        for j in 0..K {
            x[j] = l.load(&keys[j][block]);
        }
        for i in 0..Q {
            let q = l.load(&queries[i][block]);
            for j in 0..K {
                sums[i][j] = l.fma(q, x[j], sums[i][j]);
            }
        }
    }
    if blocks * 16 < dim {
        for j in 0..K {
            x[j] = l.load_part(tails[j]);
        }
        for i in 0..Q {
            let q = l.load(&queries[i][blocks]);
            for j in 0..K {
                sums[i][j] = l.fma(q, x[j], sums[i][j]);
            }
        }
    }
    for i in 0..Q {
        let to = &mut scores[(vector + i) * BLOCK + at..][..K];
        if K == 4 {
            to.copy_from_slice(&l.sum4([sums[i][0], sums[i][1 % K], sums[i][2 % K], sums[i][3 % K]]));
        } else {
            for j in 0..K {
                to[j] = l.sum(sums[i][j]);
            }
        }
    }
}

/// Turns scores into weights `e^(score - largest)` and returns, for each vector, one over the sum of its weights.
struct Softmax<'a> {
    tile: &'a Tile<'a>,
    scores: &'a mut [f32],
}

impl Work for Softmax<'_> {
    type Out = Vec<f32>;

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) -> Vec<f32> {
        let vectors = self.tile.visible.len();
        let mut shares = Vec::with_capacity(vectors);
        for vector in 0..vectors {
            let mut largest = l.splat(f32::NEG_INFINITY);
            for (block, scores) in self.scores.chunks_exact_mut(vectors * BLOCK).enumerate() {
                let scores = &mut scores[vector * BLOCK..][..BLOCK];
                let seen = self.tile.seen(block, vector);
                scores[..seen.start].fill(f32::NEG_INFINITY);
                scores[seen.end..].fill(f32::NEG_INFINITY);
                for scores in scores.as_chunks::<16>().0 {
                    largest = l.max(l.load(scores), largest);
                }
            }
            let mut lane = [0.0; 16];
            l.store(largest, &mut lane);
            let largest = l.splat(lane.into_iter().fold(f32::NEG_INFINITY, f32::max));
            let mut sum = l.splat(0.0);
            for scores in self.scores.chunks_exact_mut(vectors * BLOCK) {
                for scores in scores[vector * BLOCK..][..BLOCK].as_chunks_mut::<16>().0 {
                    let weight = lanes::exp(l, l.sub(l.load(scores), largest));
                    sum = l.add(weight, sum);
                    l.store(weight, scores);
                }
            }
            shares.push(1.0 / l.sum(sum));
        }
        shares
    }
}

/// Weighted sums of the values, for some groups of dimensions.
struct Values<'a> {
    tile: &'a Tile<'a>,
    weights: &'a [f32],
    /// First of the dimensions.
    first: usize,
    sums: &'a mut [f32],
}

impl Work for Values<'_> {
    type Out = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        if L::WIDE { self.blocks::<L, 4, 4>(l) } else { self.blocks::<L, 2, 2>(l) }
    }
}

impl Values<'_> {
    #[inline(always)]
    fn blocks<L: Lanes, const Q: usize, const D: usize>(self, l: L) {
        let Values { tile, weights, first, sums } = self;
        let vectors = tile.visible.len();
        for (block, weights) in weights.chunks_exact(vectors * BLOCK).enumerate() {
            for (i, sums) in sums.chunks_exact_mut(vectors * DIMS).enumerate() {
                let dims = first + i * DIMS..tile.heads.dim.min(first + (i + 1) * DIMS);
                let mut part = Part { tile, block, weights, dims, sums };
                for vector in (0..vectors).step_by(Q) {
                    let group = vector..vectors.min(vector + Q);
                    // What all of the group see is added for all together, the rest before and after for each alone.
                    let shared = group
                        .clone()
                        .map(|i| tile.seen(block, i))
                        .fold(0..BLOCK, |a, b| a.start.max(b.start)..a.end.min(b.end));
                    let together = group.len() == Q && !shared.is_empty();
                    for vector in group.clone() {
                        let seen = tile.seen(block, vector);
                        let end = if together { shared.start } else { seen.end };
                        part.add::<L, 1, D>(l, vector, seen.start..end);
                    }
                    if together {
                        part.add::<L, Q, D>(l, vector, shared.clone());
                        for vector in group {
                            part.add::<L, 1, D>(l, vector, shared.end..tile.seen(block, vector).end);
                        }
                    }
                }
            }
        }
    }
}

/// One block's values and one group of dimensions.
struct Part<'a> {
    tile: &'a Tile<'a>,
    block: usize,
    /// `[vectors, BLOCK]`.
    weights: &'a [f32],
    dims: Range<usize>,
    /// `[vectors, DIMS]`.
    sums: &'a mut [f32],
}

impl Part<'_> {
    /// Adds the values at `places` of the block to the sums of `Q` vectors.
    #[inline(always)]
    fn add<L: Lanes, const Q: usize, const D: usize>(&mut self, l: L, vector: usize, places: Range<usize>) {
        if places.is_empty() {
            return;
        }
        let tile = self.tile;
        let start = (tile.first_block + self.block) * BLOCK;
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
        let (v, stride) = (self.tile.heads.v, self.tile.heads.stride());
        let count = slots.len();
        let width = (self.dims.end - dim).min(16 * D);
        let column = self.tile.column + dim;
        let empty: &[f32] = &[];
        let mut weights = [empty; Q];
        let mut sums = [[l.splat(0.0); D]; Q];
        let place = |i: usize| (vector + i) * DIMS + dim - self.dims.start;
        for i in 0..Q {
            weights[i] = &self.weights[(vector + i) * BLOCK + at..][..count];
            let from = self.sums[place(i)..][..16 * D].as_chunks().0;
            for j in 0..D {
                sums[i][j] = l.load(&from[j]);
            }
        }
        for key in 0..count {
            let row = &v[(slots.start + key) * stride + column..][..width];
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
