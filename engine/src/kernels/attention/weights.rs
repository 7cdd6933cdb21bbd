//! Scores of a chunk, and what becomes of them in the softmax.

use super::super::lanes::{self, Lanes, Work};
use super::tile::{AHEAD, BLOCK, Chunk, Stored, Tile};

/// Products of all vectors with the keys of a chunk that they see, negative infinity for the others; and the largest.
pub(super) struct Scores<'a, 'b, T> {
    pub(super) tile: &'a Tile<'a, T>,
    pub(super) chunk: &'a mut Chunk<'b>,
}

impl<T: Stored> Work for Scores<'_, '_, T> {
    type Out = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let Scores { tile, chunk } = self;
        let vectors = tile.vectors();
        for (block, scores) in chunk.scores.chunks_exact_mut(tile.all_vectors() * BLOCK).enumerate() {
            let start = chunk.start + block * BLOCK;
            if L::WIDE {
                products::<L, T, 4, 4>(l, tile, start, scores);
            } else {
                products::<L, T, 2, 2>(l, tile, start, scores);
            }
            for (vector, scores) in scores.chunks_exact_mut(BLOCK).enumerate() {
                let seen = tile.seen(start, BLOCK, vector % vectors);
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
fn products<L: Lanes, T: Stored, const Q: usize, const K: usize>(
    l: L,
    tile: &Tile<'_, T>,
    start: usize,
    scores: &mut [f32],
) {
    let vectors = tile.vectors();
    let seen = tile.seen(start, BLOCK, 0).start..tile.seen(start, BLOCK, vectors - 1).end;
    let mut at = seen.start;
    for slots in tile.span.slots(start + seen.start..start + seen.end) {
        let mut slot = slots.start;
        while slot < slots.end {
            let keys = if slot + K <= slots.end { K } else { 1 };
            for head in 0..tile.kv_heads.len() {
                if keys == K {
                    l.call(ByKeys::<T, Q, K> { tile, head, slot, at, scores });
                } else {
                    l.call(ByKeys::<T, Q, 1> { tile, head, slot, at, scores });
                }
            }
            slot += keys;
            at += keys;
        }
    }
}

/// Products of all vectors of key head `head` with the keys in `K` slots, to place `at` of their scores.
struct ByKeys<'a, T, const Q: usize, const K: usize> {
    tile: &'a Tile<'a, T>,
    head: usize,
    slot: usize,
    at: usize,
    scores: &'a mut [f32],
}

impl<T: Stored, const Q: usize, const K: usize> Work for ByKeys<'_, T, Q, K> {
    type Out = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let ByKeys { tile, head, slot, at, scores } = self;
        let (dim, stride, vectors) = (tile.heads.dim, tile.heads.stride(), tile.vectors());
        let mut keys: [&[T]; K] = [&[]; K];
        for (j, key) in keys.iter_mut().enumerate() {
            *key = &tile.heads.k[(slot + j) * stride + tile.column(head)..][..dim];
        }
        let padded = dim.div_ceil(16);
        let q = &tile.q.as_chunks().0[head * vectors * padded..][..vectors * padded];
        let scores = &mut scores.as_chunks_mut().0[head * vectors..][..vectors];
        let (q, last_q) = q.split_at(vectors / Q * Q * padded);
        let (scores, last_scores) = scores.as_chunks_mut();
        let calls = vectors / Q;
        for (call, (q, scores)) in q.chunks_exact(padded * Q).zip(scores).enumerate() {
            if tile.whole_rows() {
                let part = (head * calls + call, tile.kv_heads.len() * calls);
                lanes::prefetch(tile.heads.k, (slot + AHEAD) * stride, K * stride, part);
            }
            dots::<L, T, Q, K>(l, q, keys, at, scores);
        }
        for (q, scores) in last_q.chunks_exact(padded).zip(last_scores.as_chunks_mut().0) {
            dots::<L, T, 1, K>(l, q, keys, at, scores);
        }
    }
}

/// Products of `Q` padded vectors with `K` keys.
#[inline(always)]
fn dots<L: Lanes, T: Stored, const Q: usize, const K: usize>(
    l: L,
    q: &[[f32; 16]],
    keys: [&[T]; K],
    at: usize,
    scores: &mut [[f32; BLOCK]; Q],
) {
    let padded = q.len() / Q;
    let mut queries: [&[[f32; 16]]; Q] = [&[]; Q];
    for (i, query) in queries.iter_mut().enumerate() {
        *query = &q[i * padded..][..padded];
    }
    let blocks = keys[0].len() / 16;
    let mut whole: [&[[T; 16]]; K] = [&[]; K];
    for (whole, key) in whole.iter_mut().zip(keys) {
        *whole = &key.as_chunks().0[..blocks];
    }
    let mut sums = [[l.splat(0.0); K]; Q];
    for block in 0..padded {
        let mut x = [l.splat(0.0); K];
        for j in 0..K {
            x[j] = if block < blocks {
                T::load(l, &whole[j][block])
            } else {
                T::load_part(l, &keys[j][blocks * 16..])
            };
        }
        for i in 0..Q {
            let q = l.load(&queries[i][block]);
            for j in 0..K {
                sums[i][j] = l.fma(q, x[j], sums[i][j]);
            }
        }
    }
    for i in 0..Q {
        let to = &mut scores[i][at..at + K];
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
pub(super) struct Weights<'a, 'b, T> {
    pub(super) tile: &'a Tile<'a, T>,
    pub(super) chunk: &'a mut Chunk<'b>,
    /// Largest score of each vector in all chunks.
    pub(super) largest: &'a [f32],
}

impl<T: Stored> Work for Weights<'_, '_, T> {
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
