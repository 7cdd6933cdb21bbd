//! Products of many rows with a matrix: a workgroup makes a tile of the result, with parts of the rows and of the matrix in
//! workgroup memory.
//!
//! `matmul.wgsl` keeps to f32: weights are widened exactly, sums run in f32; tolerance 1e-5. Where there are too few tiles to fill a
//! device, k is split into parts whose sums `matmul_sum.wgsl` brings together in their order.

use super::tile::{Tile, Weight};
use crate::error::Result;
use crate::kernels::linear::Epilogue;
use crate::kernels::projections::Matrix;
use crate::kernels::rms_norm::{self, Norm};
use crate::recording::Buffer;
use crate::shader::{Dispatch, Lowering};
use crate::shape::Element;

/// Workgroups that keep a large device busy.
const ENOUGH: usize = 256;

/// Least elements of k that are worth a part of their own.
const PART: usize = 256;

/// Lowers [`crate::kernels::linear`].
pub(super) fn linear(
    x: Buffer,
    weight: Buffer,
    epilogue: &Epilogue,
    out: Buffer,
    low: &mut Lowering<'_>,
) -> Result<()> {
    product(x, weight, epilogue, out, low)
}

/// Lowers [`crate::kernels::projections`].
pub(super) fn projections(
    x: Buffer,
    norm: Option<Norm>,
    matrices: &[Matrix],
    outputs: &[Buffer],
    low: &mut Lowering<'_>,
) -> Result<()> {
    let x = normed(x, norm, low)?;
    for (&(weight, bias), &out) in matrices.iter().zip(outputs) {
        product(x, weight, &Epilogue { bias, ..Epilogue::default() }, out, low)?;
    }
    Ok(())
}

/// Lowers [`crate::kernels::gate_up`].
pub(super) fn gate_up(
    x: Buffer,
    norm: Option<Norm>,
    gate: Buffer,
    up: Buffer,
    out: Buffer,
    low: &mut Lowering<'_>,
) -> Result<()> {
    let x = normed(x, norm, low)?;
    let (gate, up) = (Weight::new(gate)?, Weight::new(up)?);
    let (tile, k) = (Tile::of(x.rows()), x.row());
    let dispatch = onto("matmul", x, x.rows(), out)
        .define("GATED")
        .define(gate.define)
        .define(tile.define)
        .read(gate.buffer)
        .read(up.buffer)
        .size(k)
        .size(x.offset)
        .size(gate.pitch)
        .size(gate.row)
        .size(up.row)
        .grid([x.rows().div_ceil(tile.rows), out.row().div_ceil(tile.columns / 2), 1])
        .costs(2 * out.shape.len() * k);
    low.push(dispatch)
}

/// The rows of `x`, normalised.
pub(super) fn normed(x: Buffer, norm: Option<Norm>, low: &mut Lowering<'_>) -> Result<Buffer> {
    let Some(norm) = norm else { return Ok(x) };
    let normed = low.scratch(x.shape, Element::F32);
    rms_norm::gpu(&rms_norm::Params { eps: norm.eps }, &[x, norm.weight], &[normed], low)?;
    Ok(normed)
}

fn product(
    x: Buffer,
    weight: Buffer,
    epilogue: &Epilogue,
    out: Buffer,
    low: &mut Lowering<'_>,
) -> Result<()> {
    let (n, k, o) = (x.rows(), x.row(), out.row());
    let (weight, tile) = (Weight::new(weight)?, Tile::of(n));
    let tiles = [n.div_ceil(tile.rows), o.div_ceil(tile.columns)];
    let parts = (ENOUGH / (tiles[0] * tiles[1]).max(1)).min(k / PART).max(1);
    let part = k.div_ceil(parts).next_multiple_of(tile.depth);
    let parts = k.div_ceil(part);
    let sums = |epilogue: &Epilogue, out: Buffer| {
        followed_by(epilogue, onto("matmul", x, n, out), x)
            .define(weight.define)
            .define(tile.define)
            .read(weight.buffer)
            .size(k)
            .size(x.offset)
            .size(weight.pitch)
            .size(weight.row)
            .size(part)
            .grid([tiles[0], tiles[1], parts])
            .costs(n * o * k)
    };
    if parts == 1 {
        return low.push(sums(epilogue, out));
    }
    let scratch = low.scratch([parts, n, o], Element::F32);
    low.push(sums(&Epilogue::default(), scratch))?;
    let dispatch = onto("matmul_sum", scratch, n, out);
    low.push(followed_by(epilogue, dispatch, scratch).size(parts).threads(n * o, 256, low.target()))
}

/// A product's shader, with what all of them begin with.
fn onto(shader: &'static str, x: Buffer, n: usize, out: Buffer) -> Dispatch {
    Dispatch::new(shader).read(x).write(out).size(n).size(out.row()).size(out.offset)
}

/// Binds what `shared/epilogue.wgsl` reads; `any` stands where there is nothing to bind.
fn followed_by(epilogue: &Epilogue, dispatch: Dispatch, any: Buffer) -> Dispatch {
    let optional = [epilogue.bias, epilogue.scale, epilogue.gate, epilogue.residual];
    let given = (0..).zip(optional).map(|(bit, buffer)| u32::from(buffer.is_some()) << bit).sum();
    let dispatch = dispatch.constant("ACTIVATION", epilogue.activation as u32).param(given);
    optional.iter().fold(dispatch, |dispatch, buffer| {
        dispatch.read(buffer.unwrap_or(any)).size(buffer.map_or(0, |b| b.offset))
    })
}

#[cfg(test)]
mod tests;
