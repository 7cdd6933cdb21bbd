//! Products with weight matrices on a graphics processor: which shader suits how many rows.

mod grouped;
mod matmul;
mod matvec;
mod rows;
mod source;
mod teams;
#[cfg(test)]
mod tests;
mod tile;

use super::linear::Epilogue;
use super::projections::Matrix;
use super::rms_norm::Norm;
use crate::error::Result;
use crate::recording::Buffer;
use crate::shader::Lowering;

/// Rows up to which all that a matrix costs is reading it: they are kept at hand, some at a time, and more go tile by tile.
const FEW_ROWS: usize = 4 * teams::MOST_COLUMNS;

/// The same where each row chooses matrices of its own, so that what some rows have chosen alike is read again.
const FEW_CHOOSING: usize = teams::MOST_COLUMNS;

/// Whether rows `x` are few enough, at most `few`, for the shaders that only read a matrix; these take x in eight bits where weights are
/// quantised.
fn suit_reading(x: Buffer, few: usize, weight: Buffer, low: &Lowering<'_>) -> bool {
    x.rows() <= few && (low.target().int8 || weight.element.quant().is_none())
}

/// Lowers [`super::linear`].
pub(super) fn linear(
    x: Buffer,
    weight: Buffer,
    epilogue: &Epilogue,
    out: Buffer,
    low: &mut Lowering<'_>,
) -> Result<()> {
    match suit_reading(x, FEW_ROWS, weight, low) {
        true => matvec::linear(x, None, weight, epilogue, out, low),
        false => matmul::linear(x, weight, epilogue, out, low),
    }
}

/// Lowers [`super::projections`].
pub(super) fn projections(
    x: Buffer,
    norm: Option<Norm>,
    matrices: &[Matrix],
    outputs: &[Buffer],
    low: &mut Lowering<'_>,
) -> Result<()> {
    match suit_reading(x, FEW_ROWS, matrices[0].0, low) {
        true => matvec::projections(x, norm, matrices, outputs, low),
        false => matmul::projections(x, norm, matrices, outputs, low),
    }
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
    match suit_reading(x, FEW_ROWS, gate, low) {
        true => matvec::gated(x, norm, None, gate, up, out, low),
        false => matmul::gate_up(x, norm, gate, up, out, low),
    }
}

/// Lowers [`super::expert_gate_up`].
pub(super) fn expert_gate_up(
    x: Buffer,
    norm: Option<Norm>,
    index: Buffer,
    gate: Buffer,
    up: Buffer,
    out: Buffer,
    low: &mut Lowering<'_>,
) -> Result<()> {
    match suit_reading(x, FEW_CHOOSING, gate, low) {
        true => matvec::gated(x, norm, Some(index), gate, up, out, low),
        false => grouped::gate_up(x, norm, index, gate, up, out, low),
    }
}

/// Lowers [`super::expert_down`].
pub(super) fn expert_down(
    mid: Buffer,
    index: Buffer,
    weight: Buffer,
    down: Buffer,
    residual: Option<Buffer>,
    out: Buffer,
    low: &mut Lowering<'_>,
) -> Result<()> {
    match suit_reading(index, FEW_CHOOSING, down, low) {
        true => matvec::experts(mid, index, weight, down, residual, out, low),
        false => grouped::down(mid, index, weight, down, residual, out, low),
    }
}
