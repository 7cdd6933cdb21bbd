//! Scores of a chunk, and what becomes of them in the softmax.

use super::super::lanes::{self, Lanes, Work};
use super::tile::{BLOCK, Chunk, Heads, Tile};

/// Keys between those in use and those that are asked for.
const AHEAD: usize = 16;

/// Products of all vectors with the keys of a chunk that they see, negative infinity for the others; and the largest.
pub(super) struct Scores<'a, 'b> {
    pub(super) tile: &'a Tile<'a>,
    pub(super) chunk: &'a mut Chunk<'b>,
}

impl Work for Scores<'_, '_> {
    type Out = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let Scores { tile, chunk } = self;
        let vectors = tile.vectors();
        for (block, scores) in chunk.scores.chunks_exact_mut(tile.all_vectors() * BLOCK).enumerate() {
            let start = chunk.start + block * BLOCK;
            if L::WIDE {
                products::<L, 4, 4>(l, tile, start, scores);
            } else {
                products::<L, 2, 2>(l, tile, start, scores);
            }
            for (vector, scores) in scores.chunks_exact_mut(BLOCK).enumerate() {
                let seen = tile.seen(start, vector % vectors);
                scores[..seen.start].fill(f32::NEG_INFINITY);
                scores[seen.end..].fill(f32::NEG_INFINITY);
            }
        }
        for (vector, largest) in chunk.totals.iter_mut().enumerate() {
            let mut lanes = l.splat(f32::NEG_INFINITY);
            for scores in chunk.scores.chunks_exact(tile.all_vectors() * BLOCK) {
                for scores in scores[vector * BLOCK..][..BLOCK].as_chunks().0 {
                    lanes = l.max(l.load(scores), lanes);
                }
            }
            let mut all = [0.0; 16];
            l.store(lanes, &mut all);
            *largest = all.into_iter().fold(f32::NEG_INFINITY, f32::max);
        }
    }
}

/// Products with the keys of the block that starts at `start` which some vector sees, `Q` vectors by `K` keys.
#[inline(always)]
fn products<L: Lanes, const Q: usize, const K: usize>(
    l: L,
    tile: &Tile<'_>,
    start: usize,
    scores: &mut [f32],
) {
    let vectors = tile.vectors();
    let seen = tile.seen(start, 0).start..tile.seen(start, vectors - 1).end;
    tile.span.slots(start + seen.start..start + seen.end, |position, slots| {
        let mut at = position - start;
        let mut slot = slots.start;
        while slot < slots.end {
            let keys = if slot + K <= slots.end { K } else { 1 };
            if tile.whole_rows() {
                let stride = tile.heads.stride();
                lanes::prefetch(tile.heads.k, (slot + AHEAD) * stride, keys * stride);
            }
            for head in 0..tile.kv_heads.len() {
                let mut vector = 0;
                while vector < vectors {
                    let queries = if vector + Q <= vectors { Q } else { 1 };
                    let first = (head, vector);
                    match (queries == Q, keys == K) {
                        (true, true) => dots::<L, Q, K>(l, tile, first, slot, at, scores),
                        (true, false) => dots::<L, Q, 1>(l, tile, first, slot, at, scores),
                        (false, true) => dots::<L, 1, K>(l, tile, first, slot, at, scores),
                        (false, false) => dots::<L, 1, 1>(l, tile, first, slot, at, scores),
                    }
                    vector += queries;
                }
            }
            slot += keys;
            at += keys;
        }
    });
}

/// Products of `Q` vectors from `vector` on, of key head `head`, with the keys in `K` slots, to place `at` of their scores.
#[inline(always)]
fn dots<L: Lanes, const Q: usize, const K: usize>(
    l: L,
    tile: &Tile<'_>,
    (head, vector): (usize, usize),
    slot: usize,
    at: usize,
    scores: &mut [f32],
) {
    let Heads { dim, k, .. } = *tile.heads;
    let (padded, stride, column) = (dim.next_multiple_of(16), tile.heads.stride(), tile.column(head));
    let first = head * tile.vectors() + vector;
    let blocks = dim / 16;
    let empty: &[[f32; 16]] = &[];
    let (mut queries, mut keys, mut tails) = ([empty; Q], [empty; K], [&[][..]; K]);
    for (i, query) in queries.iter_mut().enumerate() {
        *query = &tile.q[(first + i) * padded..][..padded].as_chunks().0[..blocks];
    }
    for j in 0..K {
        let key = &k[(slot + j) * stride + column..][..dim];
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
            let q = l.load_part(&tile.q[(first + i) * padded..][16 * blocks..dim]);
            for j in 0..K {
                sums[i][j] = l.fma(q, x[j], sums[i][j]);
            }
        }
    }
    for i in 0..Q {
        let to = &mut scores[(first + i) * BLOCK + at..][..K];
        if K == 4 {
            to.copy_from_slice(&l.sum4([sums[i][0], sums[i][1 % K], sums[i][2 % K], sums[i][3 % K]]));
        } else {
            for j in 0..K {
                to[j] = l.sum(sums[i][j]);
            }
        }
    }
}

/// Turns the scores of a chunk into weights `e^(score - largest)`, and finds their sums.
pub(super) struct Weights<'a, 'b> {
    pub(super) tile: &'a Tile<'a>,
    pub(super) chunk: &'a mut Chunk<'b>,
    /// Largest score of each vector in all chunks.
    pub(super) largest: &'a [f32],
}

impl Work for Weights<'_, '_> {
    type Out = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let Weights { tile, chunk, largest } = self;
        for (vector, total) in chunk.totals.iter_mut().enumerate() {
            let largest = l.splat(largest[vector]);
            let mut sum = l.splat(0.0);
            for scores in chunk.scores.chunks_exact_mut(tile.all_vectors() * BLOCK) {
                for scores in scores[vector * BLOCK..][..BLOCK].as_chunks_mut().0 {
                    let weight = lanes::exp(l, l.sub(l.load(scores), largest));
                    sum = l.add(weight, sum);
                    l.store(weight, scores);
                }
            }
            *total = l.sum(sum);
        }
    }
}
