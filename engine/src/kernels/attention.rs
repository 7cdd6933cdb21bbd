//! Scaled dot-product attention with grouped heads: `out = softmax(q·k / sqrt(head_dim)) · v` over the keys a row may see.
//!
//! Bindings: q `[n, heads·head_dim]` f32, k and v `[m, kv_heads·head_dim]`, past `[1]` or bounds `[s + 1]` u32 → out
//! `[n, heads·head_dim]` f32. Query head `h` uses key head `h / (heads / kv_heads)`.
//!
//! *Causal*: k and v are rings of m slots, f16 or f32, that already hold the new rows. Query row `i` has position `past + i` and sees
//! the last `window` positions up to its own; position p stands in slot `p mod m`. *Segments*: k and v are f32, and rows
//! `bounds[j]..bounds[j + 1]` see one another; rows outside all segments give zeros.
//!
//! Half precision is widened exactly and all sums are in f32: scores over sixteen lanes; the softmax over sixteen lanes of the
//! position and values by ascending position, both within chunks of positions, whose sums are added by ascending position. So
//! neither the ring's size nor the cut into calls changes a bit. Scores of a tile of queries are kept: memory of a thread grows
//! with the number of keys. Tolerance 1e-5.

mod gpu;
mod tile;
mod values;
mod weights;

use std::ops::Range;

use rayon::prelude::*;

use super::bindings::{Inputs, Outputs};
use super::isa::Isa;
use super::{Kernel, require};
use crate::error::Result;
use crate::recording::{Buffer, Recording, check};
use crate::shader::Lowering;
use crate::shape::Element;
use tile::{Heads, Span, Stored};

/// Products of queries and keys, times their length, from which on threads share a call.
const WORTH_SHARING: usize = 500_000;

/// Which keys a query row sees.
#[derive(Clone, Debug)]
pub(crate) enum Mask {
    /// Those before it and its own. `past` `[1]` u32: positions before the first row of q.
    Causal { past: Buffer, window: Option<usize> },
    /// Those of its segment. `bounds` `[segments + 1]` u32, ascending rows.
    Segments { bounds: Buffer },
}

#[derive(Clone, Debug)]
pub(crate) struct Params {
    pub(crate) heads: usize,
    pub(crate) kv_heads: usize,
    pub(crate) head_dim: usize,
    pub(crate) mask: Mask,
}

/// Records the attention of `q` `[n, heads·head_dim]` over `k` and `v` `[m, kv_heads·head_dim]`; the result is like `q`.
pub(crate) fn record(rec: &mut Recording, q: Buffer, k: Buffer, v: Buffer, params: Params) -> Result<Buffer> {
    let Params { heads, kv_heads, head_dim, .. } = params;
    require::f32s("attention", &[("q", q)])?;
    match params.mask {
        Mask::Causal { .. } => require::halves_or_f32s("attention", &[("k", k), ("v", v)])?,
        Mask::Segments { .. } => require::f32s("attention", &[("k", k), ("v", v)])?,
    }
    check(kv_heads > 0 && heads > 0 && heads.is_multiple_of(kv_heads) && head_dim > 0, "attention", || {
        format!("{heads} heads of {head_dim} cannot share {kv_heads} key heads")
    })?;
    let n = q.shape.axes()[0];
    let m = k.shape.axes()[0];
    require::length("attention", "q", q, n * heads * head_dim)?;
    require::length("attention", "k", k, m * kv_heads * head_dim)?;
    require::length("attention", "v", v, m * kv_heads * head_dim)?;
    let at = match params.mask {
        Mask::Causal { past, window } => {
            require::length("attention", "past", past, 1)?;
            let needed = window.map_or(n, |window| n + window.saturating_sub(1));
            check(window != Some(0) && needed <= m, "attention", || {
                format!("k must keep {needed} rows for {n} queries and window {window:?}, found {}", k.shape)
            })?;
            past
        }
        Mask::Segments { bounds } => {
            check(n == m, "attention", || {
                format!("q {} and k {} must have the same rows", q.shape, k.shape)
            })?;
            bounds
        }
    };
    require::u32s("attention", &[("past or bounds", at)])?;
    let out = rec.f32(q.shape);
    rec.push(Kernel::Attention(params), &[q, k, v, at], &[out]);
    Ok(out)
}

pub(crate) fn cpu(p: &Params, inputs: &Inputs<'_>, outputs: Outputs<'_>) {
    let (isa, q, at, out) = (Isa::best(), inputs.f32(0), inputs.u32(3), outputs.one().f32());
    match inputs.buffer(1).element {
        Element::F16 => attend(isa, p, q, inputs.f16(1), inputs.f16(2), at, out),
        _ => attend(isa, p, q, inputs.f32(1), inputs.f32(2), at, out),
    }
}

pub(crate) fn gpu(p: &Params, inputs: &[Buffer], outputs: &[Buffer], low: &mut Lowering<'_>) -> Result<()> {
    gpu::lower(p, inputs, outputs, low)
}

fn attend<T: Stored>(isa: Isa, p: &Params, q: &[f32], k: &[T], v: &[T], at: &[u32], mut out: &mut [f32]) {
    let heads = Heads { count: p.heads, kv_count: p.kv_heads, dim: p.head_dim, k, v };
    let row = p.heads * p.head_dim;
    let spans = match p.mask {
        Mask::Causal { window, .. } => {
            causal(at[0] as usize, window, q.len() / row, k.len() / heads.stride())
        }
        Mask::Segments { .. } => segments(at, q.len() / row),
    };
    // A tile is some rows of one span; each of its key heads is one piece of work.
    let mut tiles = Vec::new();
    let mut done = 0;
    for span in spans {
        for rows in pieces(span.rows.clone(), heads.tile_rows()) {
            let gap;
            (gap, out) = std::mem::take(&mut out).split_at_mut((rows.start - done) * row);
            gap.fill(0.0);
            let of_tile;
            (of_tile, out) = std::mem::take(&mut out).split_at_mut(rows.len() * row);
            done = rows.end;
            tiles.push((span.clone(), rows, of_tile));
        }
    }
    out.fill(0.0);

    let keys = tiles.iter().map(|(span, rows, _)| span.visible(rows.end - 1).len()).max().unwrap_or(0);
    let work = q.len() * keys;
    let few = tiles.len() * p.kv_heads < 2 * rayon::current_num_threads();
    tiles.into_par_iter().for_each(|(span, rows, out)| {
        let q = &q[rows.start * row..rows.end * row];
        if work < WORTH_SHARING || few && keys > tile::CHUNK {
            // All heads together: their keys and values are read once, from one end to the other.
            let out = out.chunks_exact_mut(row).collect();
            tile::attend(isa, &heads, &span, rows, q, 0..p.kv_heads, work >= WORTH_SHARING, out);
            return;
        }
        let mut of_heads: Vec<Vec<&mut [f32]>> = (0..p.kv_heads).map(|_| Vec::new()).collect();
        for out in out.chunks_exact_mut(row) {
            for (of_head, out) in of_heads.iter_mut().zip(out.chunks_exact_mut(row / p.kv_heads)) {
                of_head.push(out);
            }
        }
        of_heads.into_par_iter().enumerate().for_each(|(head, out)| {
            tile::attend(isa, &heads, &span, rows.clone(), q, head..head + 1, false, out);
        });
    });
}

/// The one span of a causal call.
fn causal(past: usize, window: Option<usize>, n: usize, capacity: usize) -> Vec<Span> {
    // Slots that later rows of this call have taken cannot be seen any more.
    let oldest = (past + n).saturating_sub(capacity);
    vec![Span { rows: 0..n, position: past, slot: 0, ring: capacity, oldest, window, causal: true }]
}

/// One span for each segment of the first `n` rows.
fn segments(bounds: &[u32], n: usize) -> Vec<Span> {
    let mut end = 0;
    let mut spans = Vec::new();
    for pair in bounds.windows(2) {
        let rows = (pair[0] as usize).clamp(end, n)..(pair[1] as usize).clamp(end, n);
        if rows.is_empty() {
            continue;
        }
        end = rows.end;
        let (slot, ring) = (rows.start, rows.len());
        spans.push(Span { rows, position: 0, slot, ring, oldest: 0, window: None, causal: false });
    }
    spans
}

/// `range` in pieces of at most `step`.
fn pieces(range: Range<usize>, step: usize) -> impl Iterator<Item = Range<usize>> {
    let end = range.end;
    range.step_by(step).map(move |start| start..end.min(start + step))
}

#[cfg(test)]
mod tests;
