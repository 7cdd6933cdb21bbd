//! Attention on a graphics processor: which shader, in how many workgroups.
//!
//! The query rows of all heads that share a key head are *query vectors* of it. Few of them are a matter of reading keys and
//! values at the memory's rate, many of multiplying tiles. Where tiles and key heads alone would leave most of the processor idle,
//! several workgroups share the keys of a tile (*splits*), and one more dispatch puts their results together. How many keys there
//! are is known only on the device, so that the splits divide among themselves what they find there.
//!
//! Softmax goes along with the sums, tile by tile of keys; all arithmetic is in f32. Tolerance 1e-5, as on the processor.

use super::{Mask, Params};
use crate::error::Result;
use crate::recording::{Buffer, check};
use crate::shader::{Dispatch, Lowering};
use crate::shape::Element;

/// Query vectors up to which reading the keys is what takes time.
const FEW: usize = 64;

/// Keys that one workgroup reads in less time than another dispatch takes.
const KEYS_UNSPLIT: usize = 256;

/// What a shader does in one workgroup and turn.
#[derive(Clone, Copy)]
struct Tile {
    shader: &'static str,
    /// Query vectors.
    vectors: usize,
    /// Keys.
    keys: usize,
    /// Fewest tiles of keys that are worth a split.
    turns: usize,
    /// Workgroups that occupy a large processor.
    enough: usize,
}

const DECODE: Tile = Tile { shader: "attention_decode", vectors: 8, keys: 32, turns: 1, enough: 512 };
/// For heads of more than 128 elements.
const DECODE_LONG: Tile = Tile { keys: 16, ..DECODE };
const PREFILL: Tile = Tile { shader: "attention_prefill", vectors: 64, keys: 32, turns: 4, enough: 256 };

pub(super) fn lower(p: &Params, inputs: &[Buffer], outputs: &[Buffer], low: &mut Lowering<'_>) -> Result<()> {
    let (q, k, at, out) = (inputs[0], inputs[1], inputs[3], outputs[0]);
    check(p.head_dim <= 256, "attention", || format!("heads of {} are longer than 256", p.head_dim))?;
    let (rows, capacity) = (q.shape.axes()[0], k.shape.axes()[0]);
    if rows == 0 {
        return Ok(());
    }
    let vectors = rows * p.heads / p.kv_heads;
    // About so many keys are seen at most.
    let (window, keys) = match p.mask {
        Mask::Causal { window, .. } => {
            let window = window.unwrap_or(capacity).min(capacity);
            (window, capacity.min(window + rows - 1))
        }
        Mask::Segments { .. } => (rows, (2 * rows).div_ceil(at.shape.len())),
    };
    let causal = matches!(p.mask, Mask::Causal { .. });
    let tile = match causal && vectors <= FEW {
        true if p.head_dim > 128 => DECODE_LONG,
        true => DECODE,
        false => PREFILL,
    };
    let groups = [vectors.div_ceil(tile.vectors), p.kv_heads];
    let splits = if causal && keys > KEYS_UNSPLIT {
        (tile.enough / (groups[0] * groups[1])).clamp(1, keys.div_ceil(tile.keys * tile.turns))
    } else {
        1
    };

    let sized = |dispatch: Dispatch, out: Buffer| {
        dispatch
            .size(rows)
            .size(p.heads)
            .size(p.kv_heads)
            .size(capacity)
            .size(window)
            .size(at.shape.len())
            .size(splits)
            .float(std::f32::consts::LOG2_E / (p.head_dim as f32).sqrt())
            .size(q.offset)
            .size(k.offset)
            .size(inputs[2].offset)
            .size(at.offset)
            .size(out.offset)
            .size(p.head_dim)
    };
    let attend = |out: Buffer| {
        let dispatch = Dispatch::new(tile.shader)
            .define((k.element == Element::F16).then_some("F16"))
            .define(is_wide(p, &[q, k, inputs[2], out]).then_some("WIDE"))
            .define((!causal).then_some("SEGMENTS"))
            .define((splits > 1).then_some("SPLIT"))
            .define(columns(p.head_dim));
        let dispatch = dispatch.read(q).read(k).read(inputs[2]).read(at).write(out);
        // What a cache holds is known on the device only: these rows or a quarter of its room are a fair guess.
        let guess = keys.min(rows.max(capacity / 4));
        sized(dispatch, out).grid([groups[0], groups[1], splits]).costs(2 * q.shape.len() * guess)
    };
    if splits == 1 {
        return low.push(attend(out));
    }
    let parts = low.scratch([splits, rows * p.heads, p.head_dim.next_multiple_of(4)], Element::F32);
    let logs = low.scratch([splits, rows * p.heads], Element::F32);
    low.push(attend(parts).write(logs))?;
    let merge = Dispatch::new("attention_merge")
        .constant("VECTORS", tile.vectors as u32)
        .constant("KEYS", tile.keys as u32)
        .read(parts)
        .read(logs)
        .read(at)
        .write(out);
    low.push(sized(merge, out).groups(rows * p.heads, low.target()))
}

/// Whether heads begin at multiples of eight elements, so that 16-byte loads reach them all.
fn is_wide(p: &Params, buffers: &[Buffer]) -> bool {
    p.head_dim.is_multiple_of(8) && buffers.iter().all(|buffer| buffer.offset.is_multiple_of(8))
}

/// The variant that holds heads of this length.
fn columns(head_dim: usize) -> &'static str {
    match head_dim {
        ..=64 => "ONE",
        65..=128 => "TWO",
        _ => "FOUR",
    }
}
