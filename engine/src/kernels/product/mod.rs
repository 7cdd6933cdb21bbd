//! Products with weight matrices on a graphics processor: which shader suits how many rows.

mod grouped;
mod matmul;
mod matvec;
mod teams;
mod tile;

use super::linear::Epilogue;
use super::projections::Matrix;
use super::rms_norm::Norm;
use crate::error::Result;
use crate::recording::Buffer;
use crate::shader::Lowering;

/// Rows up to which the weights are read once and the rows kept at hand; more go tile by tile.
const FEW_ROWS: usize = 8;

/// Lowers [`super::linear`].
pub(super) fn linear(
    x: Buffer,
    weight: Buffer,
    epilogue: &Epilogue,
    out: Buffer,
    low: &mut Lowering<'_>,
) -> Result<()> {
    if x.rows() > FEW_ROWS {
        return matmul::linear(x, weight, epilogue, out, low);
    }
    matvec::linear(x, None, weight, epilogue, out, low)
}

/// Lowers [`super::projections`].
pub(super) fn projections(
    x: Buffer,
    norm: Option<Norm>,
    matrices: &[Matrix],
    outputs: &[Buffer],
    low: &mut Lowering<'_>,
) -> Result<()> {
    if x.rows() > FEW_ROWS {
        return matmul::projections(x, norm, matrices, outputs, low);
    }
    if matvec::fits_together(matrices) {
        return matvec::together(x, norm, matrices, outputs, low);
    }
    for (&(weight, bias), &out) in matrices.iter().zip(outputs) {
        matvec::linear(x, norm, weight, &Epilogue { bias, ..Epilogue::default() }, out, low)?;
    }
    Ok(())
}

/// Lowers [`super::gate_up`].
pub(super) fn gate_up(
    x: Buffer,
    norm: Option<Norm>,
    gate: Buffer,
    up: Buffer,
    out: Buffer,
    low: &mut Lowering<'_>,
) -> Result<()> {
    if x.rows() > FEW_ROWS {
        return matmul::gate_up(x, norm, gate, up, out, low);
    }
    matvec::gated(x, norm, None, [gate, up], out, low)
}

/// Lowers [`super::expert_gate_up`].
pub(super) fn expert_gate_up(
    x: Buffer,
    norm: Option<Norm>,
    index: Buffer,
    [gate, up]: [Buffer; 2],
    out: Buffer,
    low: &mut Lowering<'_>,
) -> Result<()> {
    if x.rows() > FEW_ROWS {
        return grouped::gate_up(x, norm, index, gate, up, out, low);
    }
    matvec::gated(x, norm, Some(index), [gate, up], out, low)
}

/// Lowers [`super::expert_down`].
pub(super) fn expert_down(
    mid: Buffer,
    chosen: Chosen,
    down: Buffer,
    residual: Option<Buffer>,
    out: Buffer,
    low: &mut Lowering<'_>,
) -> Result<()> {
    if chosen.index.rows() > FEW_ROWS {
        return grouped::down(mid, chosen.index, chosen.share, down, residual, out, low);
    }
    matvec::experts(mid, chosen, down, residual, out, low)
}

/// The experts that each row takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chosen {
    /// `[n, k]` u32
    pub(super) index: Buffer,
    /// `[n, k]` f32
    pub(super) share: Buffer,
}
