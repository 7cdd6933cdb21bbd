//! Products for few rows of x, near the speed of the memory that the weights come from: every workgroup takes some rows of weights
//! and all rows of x. The norm is applied in passing.

use super::source::{Source, matrix};
use crate::error::Result;
use crate::kernels::linear::Epilogue;
use crate::kernels::projections::Matrix;
use crate::kernels::rms_norm::Norm;
use crate::recording::{Buffer, check};
use crate::shader::Lowering;
use crate::shape::Element;

/// Lowers [`crate::kernels::linear`] with a norm before it.
pub(super) fn linear(
    x: Buffer,
    norm: Option<Norm>,
    weight: Buffer,
    epilogue: &Epilogue,
    out: Buffer,
    low: &mut Lowering<'_>,
) -> Result<()> {
    let source = Source::new(x, norm, weight.element, low)?;
    let teams = source.teams(weight.rows(), 1, 1, low)?;
    let Epilogue { bias, activation, scale, gate, residual } = *epilogue;
    let optional = [bias, scale, gate, residual];
    let given = (0..).zip(optional).map(|(bit, buffer)| u32::from(buffer.is_some()) << bit).sum();
    let mut dispatch = source.begin("matvec", &teams, low);
    dispatch = dispatch.constant("ACTIVATION", activation as u32);
    dispatch =
        matrix(dispatch, weight)?.size(weight.rows()).size(weight.offset / weight.row()).size(out.offset);
    dispatch = dispatch.param(given);
    for buffer in optional {
        let bound = buffer.unwrap_or(source.x);
        dispatch = dispatch.read(bound).size(bound.offset);
    }
    let tiles = teams.tiles(weight.rows(), x.rows());
    low.push(dispatch.write(out).groups(tiles, low.target()).costs(work(weight, x.rows())))
}

/// Lowers [`crate::kernels::projections`]: one dispatch, or one for each matrix where they are too unlike.
pub(super) fn projections(
    x: Buffer,
    norm: Option<Norm>,
    matrices: &[Matrix],
    outputs: &[Buffer],
    low: &mut Lowering<'_>,
) -> Result<()> {
    let alike =
        matrices.iter().all(|(weight, bias)| weight.element == matrices[0].0.element && bias.is_none());
    if alike && matrices.len() > 1 {
        return together(x, norm, matrices, outputs, low);
    }
    for (&(weight, bias), &out) in matrices.iter().zip(outputs) {
        linear(x, norm, weight, &Epilogue { bias, ..Epilogue::default() }, out, low)?;
    }
    Ok(())
}

/// Products with two or three matrices of one type in one dispatch.
fn together(
    x: Buffer,
    norm: Option<Norm>,
    matrices: &[Matrix],
    outputs: &[Buffer],
    low: &mut Lowering<'_>,
) -> Result<()> {
    let element = matrices[0].0.element;
    let source = Source::new(x, norm, element, low)?;
    let rows = matrices.iter().map(|(weight, _)| weight.rows());
    let teams = source.teams(rows.clone().sum(), 1, 1, low)?;
    let mut dispatch = source.begin("matvec_three", &teams, low);
    for i in 0..3 {
        // A third that is not there has no rows.
        let (weight, _) = matrices[i.min(matrices.len() - 1)];
        dispatch = matrix(dispatch, weight)?;
        match outputs.get(i) {
            Some(out) => {
                dispatch = dispatch.size(weight.rows()).size(weight.offset / weight.row()).size(out.offset)
            }
            None => dispatch = dispatch.size(0).size(0).size(0),
        }
    }
    for i in 0..3 {
        let out = outputs.get(i).copied();
        dispatch = dispatch.write(out.unwrap_or_else(|| low.scratch([1], Element::F32)));
    }
    let tiles = rows.map(|rows| teams.tiles(rows, x.rows())).sum();
    let work = matrices.iter().map(|(weight, _)| work(*weight, x.rows())).sum();
    low.push(dispatch.groups(tiles, low.target()).costs(work))
}

/// Lowers [`crate::kernels::gate_up`], and [`crate::kernels::expert_gate_up`] where there is an `index`.
pub(super) fn gated(
    x: Buffer,
    norm: Option<Norm>,
    index: Option<Buffer>,
    gate: Buffer,
    up: Buffer,
    out: Buffer,
    low: &mut Lowering<'_>,
) -> Result<()> {
    let source = Source::new(x, norm, gate.element, low)?;
    check(gate.element == up.element, "matvec_gated", || {
        format!("gate and up must be alike, found {:?} and {:?}", gate.element, up.element)
    })?;
    let experts = index.map_or(1, |_| gate.shape.axes()[0]);
    let outputs = gate.rows() / experts;
    // With experts, every row of x has weights of its own.
    let (columns, times) = index.map_or((x.rows(), 1), |index| (1, index.shape.len()));
    let teams = source.teams(outputs, 2, times, low)?;
    let mut dispatch = source.begin("matvec_gated", &teams, low);
    dispatch = matrix(matrix(dispatch, gate)?, up)?;
    let index = index.unwrap_or(Buffer { shape: [x.rows(), 0].into(), ..source.x });
    let dispatch = dispatch
        .constant("SHARE", index.row() as u32)
        .read(index)
        .write(out)
        .size(outputs)
        .size(gate.offset / gate.row())
        .size(up.offset / up.row())
        .size(experts)
        .size(index.offset)
        .size(out.offset)
        .groups(teams.tiles(outputs, columns) * times, low.target())
        .costs(2 * work(gate, out.rows()) / experts);
    low.push(dispatch)
}

/// Lowers [`crate::kernels::expert_down`].
pub(super) fn experts(
    mid: Buffer,
    index: Buffer,
    share: Buffer,
    down: Buffer,
    residual: Option<Buffer>,
    out: Buffer,
    low: &mut Lowering<'_>,
) -> Result<()> {
    let source = Source::new(mid, None, down.element, low)?;
    let (each, k, n) = (source.chunks, index.row(), index.rows());
    // A token's rows are taken as one.
    let source = source.joined(k);
    let experts = down.shape.axes()[0];
    let outputs = down.rows() / experts;
    let teams = source.teams(outputs, 1, n, low)?;
    let dispatch = source.begin("matvec_experts", &teams, low);
    let bound = residual.unwrap_or(source.x);
    let dispatch = matrix(dispatch.define("EXPERTS"), down)?
        .constant("K", k as u32)
        .constant("EACH", each as u32)
        .read(index)
        .read(share)
        .read(bound)
        .write(out)
        .size(outputs)
        .size(down.offset / down.row())
        .size(experts)
        .size(index.offset)
        .size(share.offset)
        .size(usize::from(residual.is_some()))
        .size(bound.offset)
        .size(out.offset)
        .groups(teams.tiles(outputs, 1) * n, low.target())
        .costs(work(down, n * k) / experts);
    low.push(dispatch)
}

/// What a product with a matrix costs: a multiplication may take less time than the weight that it needs.
fn work(weight: Buffer, rows: usize) -> usize {
    weight.shape.len() * rows.max(4)
}
