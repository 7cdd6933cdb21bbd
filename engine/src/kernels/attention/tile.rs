//! Attention of some query rows over their keys, chunk by chunk of positions.
//!
//! A chunk's scores, weights and weighted sum of values are found apart from the other chunks, which therefore may go to
//! other threads; the sums of the chunks are added by ascending position. Chunks begin at multiples of their length, so
//! that the order of the sums does not depend on which rows are together in a tile.

use std::cell::Cell;
use std::ops::Range;

use half::f16;
use rayon::prelude::*;

use super::super::isa::Isa;
use super::super::lanes::{self, Lanes};
use super::values::Values;
use super::weights::{Scores, Weights};

/// Positions whose scores stand together for each vector.
pub(super) const BLOCK: usize = 64;
/// Positions in a chunk.
pub(super) const CHUNK: usize = 4 * BLOCK;
/// Dimensions of the result that are summed together.
pub(super) const DIMS: usize = 64;
/// Rows of keys or values between those in use and those that are asked for early.
pub(super) const AHEAD: usize = 32;
/// Queries that share the loading of a key, where there are so many.
const QUERIES: usize = 32;

/// What keys and values are held as.
pub(super) trait Stored: Copy + Sync {
    /// Sixteen of them.
    fn load<L: Lanes>(l: L, from: &[Self; 16]) -> L::V;
    /// Fewer than sixteen; the other lanes are zero.
    fn load_part<L: Lanes>(l: L, from: &[Self]) -> L::V;
}

impl Stored for f32 {
    #[inline(always)]
    fn load<L: Lanes>(l: L, from: &[f32; 16]) -> L::V {
        l.load(from)
    }

    #[inline(always)]
    fn load_part<L: Lanes>(l: L, from: &[f32]) -> L::V {
        l.load_part(from)
    }
}

impl Stored for f16 {
    #[inline(always)]
    fn load<L: Lanes>(l: L, from: &[f16; 16]) -> L::V {
        l.load_f16(from)
    }

    #[inline(always)]
    fn load_part<L: Lanes>(l: L, from: &[f16]) -> L::V {
        let mut padded = [f16::ZERO; 16];
        padded[..from.len()].copy_from_slice(from);
        l.load_f16(&padded)
    }
}

/// The heads and the memory of their keys and values `[slots, kv_count·dim]`.
pub(super) struct Heads<'a, T> {
    pub(super) count: usize,
    pub(super) kv_count: usize,
    pub(super) dim: usize,
    pub(super) k: &'a [T],
    pub(super) v: &'a [T],
}

impl<T> Heads<'_, T> {
    /// Elements from one slot to the next.
    pub(super) fn stride(&self) -> usize {
        self.kv_count * self.dim
    }

    /// Query heads for each key head.
    pub(super) fn group(&self) -> usize {
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
    pub(super) fn visible(&self, row: usize) -> Range<usize> {
        if !self.causal {
            return 0..self.rows.len();
        }
        let end = self.position + row - self.rows.start + 1;
        let first = end.saturating_sub(self.window.unwrap_or(end));
        first.max(self.oldest).min(end)..end
    }

    /// Slots of `positions`, which are no more than the ring has: up to its end, and again from its start on.
    #[inline(always)]
    pub(super) fn slots(&self, positions: Range<usize>) -> [Range<usize>; 2] {
        let first = positions.start % self.ring;
        let until_end = positions.len().min(self.ring - first);
        let start = self.slot + first;
        [start..start + until_end, self.slot..self.slot + positions.len() - until_end]
    }
}

/// Memory of a thread, kept from call to call.
#[derive(Default)]
struct Scratch {
    q: Vec<f32>,
    scores: Vec<f32>,
    sums: Vec<f32>,
    totals: Vec<f32>,
}

thread_local! {
    static SCRATCH: Cell<Scratch> = Cell::default();
}

/// Query vectors over some key heads: for each key head the rows in turn, for each row the query heads that share it.
pub(super) struct Tile<'a, T> {
    pub(super) heads: &'a Heads<'a, T>,
    pub(super) span: &'a Span,
    pub(super) kv_heads: Range<usize>,
    /// What each vector of a key head sees.
    pub(super) visible: Vec<Range<usize>>,
    /// Scaled vectors `[kv_heads, vectors, padded dim]`.
    pub(super) q: &'a [f32],
}

impl<T> Tile<'_, T> {
    /// Vectors of a key head.
    pub(super) fn vectors(&self) -> usize {
        self.visible.len()
    }

    /// Vectors of all key heads.
    pub(super) fn all_vectors(&self) -> usize {
        self.vectors() * self.kv_heads.len()
    }

    /// First column of key head `head` of the tile in a row of keys.
    #[inline(always)]
    pub(super) fn column(&self, head: usize) -> usize {
        (self.kv_heads.start + head) * self.heads.dim
    }

    /// Whether the tile uses whole rows of keys, so that it is worth to ask for them early.
    #[inline(always)]
    pub(super) fn whole_rows(&self) -> bool {
        self.kv_heads.len() == self.heads.kv_count
    }

    /// Which of the `len` positions from `start` on vector `vector` sees, counted from there.
    #[inline(always)]
    pub(super) fn seen(&self, start: usize, len: usize, vector: usize) -> Range<usize> {
        let clip = |position: usize| position.saturating_sub(start).min(len);
        clip(self.visible[vector].start)..clip(self.visible[vector].end)
    }
}

/// What is found of one chunk.
pub(super) struct Chunk<'a> {
    /// First position.
    pub(super) start: usize,
    /// Scores, then weights `[blocks, kv_heads, vectors, BLOCK]`.
    pub(super) scores: &'a mut [f32],
    /// Largest score, then sum of weights of each vector `[kv_heads, vectors]`.
    pub(super) totals: &'a mut [f32],
    /// Weighted sums of values `[kv_heads, dims / DIMS, vectors, DIMS]`.
    pub(super) sums: &'a mut [f32],
}

/// Attention of the query rows `rows` of `span`, whose elements are `q` `[rows, heads·dim]`, over the key heads `kv_heads`
/// into `out`: for each row the elements of the query heads that share them. `shared`: among the threads.
#[expect(clippy::too_many_arguments, reason = "one call site, which has just taken these apart")]
pub(super) fn attend<T: Stored>(
    isa: Isa,
    heads: &Heads<'_, T>,
    span: &Span,
    rows: Range<usize>,
    q: &[f32],
    kv_heads: Range<usize>,
    shared: bool,
    mut out: Vec<&mut [f32]>,
) {
    let (dim, group) = (heads.dim, heads.group());
    let padded = dim.next_multiple_of(16);
    let vectors = rows.len() * group;
    let all = vectors * kv_heads.len();
    let visible: Vec<_> = (0..vectors).map(|i| span.visible(rows.start + i / group)).collect();
    let chunks = visible[0].start / CHUNK..visible[vectors - 1].end.div_ceil(CHUNK);
    let (of_scores, of_sums) = (all * CHUNK, all * dim.next_multiple_of(DIMS));

    let mut scratch = SCRATCH.take();
    let scaled = room(&mut scratch.q, all * padded);
    let scores = room(&mut scratch.scores, chunks.len() * of_scores);
    let sums = room(&mut scratch.sums, chunks.len() * of_sums);
    let (largest, totals) = room(&mut scratch.totals, (chunks.len() + 1) * all).split_at_mut(all);
    let scale = 1.0 / (dim as f32).sqrt();
    for (i, to) in scaled.chunks_exact_mut(padded).enumerate() {
        let (kv_head, row, head) = (kv_heads.start + i / vectors, i % vectors / group, i % group);
        let from = &q[(row * heads.count + kv_head * group + head) * dim..][..dim];
        to.iter_mut().zip(from).for_each(|(to, from)| *to = from * scale);
        to[dim..].fill(0.0);
    }
    let tile = Tile { heads, span, kv_heads, visible, q: scaled };
    let mut found: Vec<Chunk<'_>> = (chunks.map(|chunk| chunk * CHUNK))
        .zip(scores.chunks_exact_mut(of_scores))
        .zip(sums.chunks_exact_mut(of_sums))
        .zip(totals.chunks_exact_mut(all))
        .map(|(((start, scores), sums), totals)| Chunk { start, scores, totals, sums })
        .collect();

    each(shared, &mut found, |chunk| lanes::run_on(isa, Scores { tile: &tile, chunk }));
    largest.fill(f32::NEG_INFINITY);
    for chunk in &found {
        largest.iter_mut().zip(&*chunk.totals).for_each(|(largest, v)| *largest = largest.max(*v));
    }
    let largest = &*largest;
    each(shared, &mut found, |chunk| {
        lanes::run_on(isa, Weights { tile: &tile, chunk, largest });
        lanes::run_on(isa, Values { tile: &tile, chunk });
    });

    // All chunks into the first.
    if let Some((first, others)) = found.split_first_mut() {
        for other in others {
            first.totals.iter_mut().zip(&*other.totals).for_each(|(total, v)| *total += v);
            first.sums.iter_mut().zip(&*other.sums).for_each(|(sum, v)| *sum += v);
        }
        for (vector, total) in first.totals.iter().enumerate() {
            let (head, vector) = (vector / vectors, vector % vectors);
            let out = &mut out[vector / group][(head * group + vector % group) * dim..][..dim];
            let sums = &first.sums[head * of_sums / tile.kv_heads.len()..];
            for (out, sums) in out.chunks_mut(DIMS).zip(sums.chunks_exact(vectors * DIMS)) {
                out.iter_mut().zip(&sums[vector * DIMS..]).for_each(|(out, sum)| *out = sum / total);
            }
        }
    }
    SCRATCH.set(scratch);
}

/// Room for `len` values, whose contents do not matter, from the start of a cache line on.
fn room(values: &mut Vec<f32>, len: usize) -> &mut [f32] {
    if values.len() < len + 16 {
        values.resize(len + 16, 0.0);
    }
    let start = values.as_ptr().align_offset(64).min(16);
    &mut values[start..start + len]
}

/// Calls `f` with each chunk.
fn each<'a>(shared: bool, chunks: &mut [Chunk<'a>], f: impl Fn(&mut Chunk<'a>) + Send + Sync) {
    if shared { chunks.par_iter_mut().for_each(f) } else { chunks.iter_mut().for_each(f) }
}
