//! Products of many rows with a matrix: a workgroup makes a tile of the result, with parts of the rows and of the matrix in
//! workgroup memory.
//!
//! `matmul.wgsl` keeps to f32: weights are widened exactly, sums run in f32; tolerance 1e-5. `matmul_coop.wgsl`, for weights of 16 bits
//! or fewer, rounds rows and weights to half precision and sums in f32 on matrix cores: a normalised mean squared error below
//! 1e-6. Each row is scaled by a power of two, so that no value of x is too large or lost ([`Rows`]); a weight beyond the range
//! of half precision gives an infinity, never a wrong number. Where there are too few tiles to fill a device, k is split into
//! parts whose sums `matmul_sum.wgsl` brings together in their order.

use super::rows::Rows;
use super::tile::{Weight, read};
use crate::error::Result;
use crate::kernels::linear::Epilogue;
use crate::kernels::projections::Matrix;
use crate::kernels::rms_norm::Norm;
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
    product(&Rows::new(x, None, &[weight], low)?, weight, epilogue, out, low)
}

/// Lowers [`crate::kernels::projections`].
pub(super) fn projections(
    x: Buffer,
    norm: Option<Norm>,
    matrices: &[Matrix],
    outputs: &[Buffer],
    low: &mut Lowering<'_>,
) -> Result<()> {
    let weights: Vec<Buffer> = matrices.iter().map(|matrix| matrix.0).collect();
    let rows = Rows::new(x, norm, &weights, low)?;
    for (&(weight, bias), &out) in matrices.iter().zip(outputs) {
        product(&rows, weight, &Epilogue { bias, ..Epilogue::default() }, out, low)?;
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
    let rows = Rows::new(x, norm, &[gate, up], low)?;
    let [gate, up] = Weight::pair(gate, up)?;
    let tile = rows.tile(rows.n);
    let dispatch = onto(rows.shader("matmul", "matmul_coop"), rows.buffer, rows.n, out).define("GATED");
    let dispatch = read(dispatch, &[gate, up])
        .size(rows.k)
        .size(rows.buffer.offset)
        .size(gate.pitch)
        .size(gate.row)
        .size(up.row)
        .grid([rows.n.div_ceil(tile.rows), out.row().div_ceil(tile.columns / 2), 1])
        .costs(2 * out.shape.len() * rows.k);
    low.push(tile.variant(dispatch, gate))
}

fn product(
    rows: &Rows,
    weight: Buffer,
    epilogue: &Epilogue,
    out: Buffer,
    low: &mut Lowering<'_>,
) -> Result<()> {
    let (n, k, o) = (rows.n, rows.k, out.row());
    let (weight, tile) = (Weight::new(weight)?, rows.tile(n));
    let tiles = [n.div_ceil(tile.rows), o.div_ceil(tile.columns)];
    let parts = (ENOUGH / (tiles[0] * tiles[1]).max(1)).min(k / PART).max(1);
    let part = k.div_ceil(parts).next_multiple_of(tile.depth);
    let parts = k.div_ceil(part);
    let sums = |epilogue: &Epilogue, out: Buffer| {
        let dispatch = onto(rows.shader("matmul", "matmul_coop"), rows.buffer, n, out);
        let dispatch = read(followed_by(epilogue, dispatch, rows.buffer), &[weight])
            .size(k)
            .size(rows.buffer.offset)
            .size(weight.pitch)
            .size(weight.row)
            .size(part)
            .grid([tiles[0], tiles[1], parts])
            .costs(n * o * k);
        tile.variant(dispatch, weight)
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
