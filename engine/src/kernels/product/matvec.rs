//! Products for few rows of x, near the speed of the memory that the weights come from: every workgroup takes some rows of weights
//! and all rows of x. The norm is applied in passing.

use super::Chosen;
use super::teams::{Job, SIZE, Teams};
use crate::error::{Error, Result};
use crate::kernels::linear::Epilogue;
use crate::kernels::projections::Matrix;
use crate::kernels::rms_norm::Norm;
use crate::recording::{Buffer, Place};
use crate::shader::{Binding, Dispatch, Lowering, pitch};
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
    let teams = Teams::of(Job {
        outputs: weight.rows(),
        rows_each: 1,
        chunks: source.chunks,
        columns: x.rows(),
        times: 1,
    });
    let Epilogue { bias, activation, scale, gate, residual } = *epilogue;
    let optional = [("BIAS", bias), ("SCALE", scale), ("GATE", gate), ("RESIDUAL", residual)];
    let mut dispatch = source.begin("matvec", weight.element, &teams, low);
    dispatch = dispatch.constant("ACTIVATION", activation.number());
    dispatch =
        matrix(dispatch, weight)?.size(weight.rows()).size(weight.offset / weight.row()).size(out.offset);
    for (name, buffer) in optional {
        let bound = buffer.unwrap_or(source.x);
        dispatch = dispatch.constant(name, u32::from(buffer.is_some())).read(bound).size(bound.offset);
    }
    let tiles = teams.tiles(weight.rows(), x.rows());
    low.push(dispatch.write(out).groups(tiles, low.target()).costs(work(weight, x.rows())))
}

/// Whether these matrices can share a dispatch.
pub(super) fn fits_together(matrices: &[Matrix]) -> bool {
    let alike = matrices.iter().all(|(weight, _)| weight.element == matrices[0].0.element);
    matrices.len() > 1 && alike && matrices.iter().all(|(_, bias)| bias.is_none())
}

/// Lowers [`crate::kernels::projections`] with two or three matrices that [`fits_together`].
pub(super) fn together(
    x: Buffer,
    norm: Option<Norm>,
    matrices: &[Matrix],
    outputs: &[Buffer],
    low: &mut Lowering<'_>,
) -> Result<()> {
    let element = matrices[0].0.element;
    let source = Source::new(x, norm, element, low)?;
    let rows = matrices.iter().map(|(weight, _)| weight.rows());
    let teams = Teams::of(Job {
        outputs: rows.clone().sum(),
        rows_each: 1,
        chunks: source.chunks,
        columns: x.rows(),
        times: 1,
    });
    let mut dispatch = source.begin("matvec_three", element, &teams, low);
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
    [gate, up]: [Buffer; 2],
    out: Buffer,
    low: &mut Lowering<'_>,
) -> Result<()> {
    let source = Source::new(x, norm, gate.element, low)?;
    let experts = index.map_or(1, |_| gate.shape.axes()[0]);
    let outputs = gate.rows() / experts;
    let (columns, times) = index.map_or((x.rows(), 1), |index| (1, index.shape.len()));
    let teams = Teams::of(Job { outputs, rows_each: 2, chunks: source.chunks, columns, times });
    let mut dispatch = source.begin("matvec_gated", gate.element, &teams, low);
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
    Chosen { index, share }: Chosen,
    down: Buffer,
    residual: Option<Buffer>,
    out: Buffer,
    low: &mut Lowering<'_>,
) -> Result<()> {
    let source = Source::new(mid, None, down.element, low)?;
    let (each, k, n) = (source.chunks, index.row(), index.rows());
    // A token's rows are taken as one.
    let source = Source { x: source.x.reshape([n, k * source.x.row()]), chunks: k * each, ..source };
    let experts = down.shape.axes()[0];
    let outputs = down.rows() / experts;
    let teams = Teams::of(Job { outputs, rows_each: 1, chunks: source.chunks, columns: 1, times: n });
    let dispatch = source.begin("matvec_experts", down.element, &teams, low);
    let bound = residual.unwrap_or(source.x);
    let dispatch = matrix(dispatch.define("EXPERTS"), down)?
        .constant("K", k as u32)
        .constant("EACH", each as u32)
        .constant("RESIDUAL", u32::from(residual.is_some()))
        .read(index)
        .read(share)
        .read(bound)
        .write(out)
        .size(outputs)
        .size(down.offset / down.row())
        .size(experts)
        .size(index.offset)
        .size(share.offset)
        .size(bound.offset)
        .size(out.offset)
        .groups(teams.tiles(outputs, 1) * n, low.target())
        .costs(work(down, n * k) / experts);
    low.push(dispatch)
}

/// Rows of x and their norm, as long and as aligned as the rows of uploaded weights.
struct Source {
    x: Buffer,
    norm: Option<Norm>,
    /// Elements of a row of x.
    width: usize,
    /// Pieces of 16 bytes in a row of weights.
    chunks: usize,
}

impl Source {
    fn new(x: Buffer, norm: Option<Norm>, element: Element, low: &mut Lowering<'_>) -> Result<Source> {
        let (width, padded) = (x.row(), pitch(element, x.row()));
        let norm = match norm {
            Some(Norm { weight, eps }) => Some(Norm { weight: aligned(weight, padded, low)?, eps }),
            None => None,
        };
        let chunks = element.bytes(1, padded) / 16;
        Ok(Source { x: aligned(x, padded, low)?, norm, width, chunks })
    }

    /// A dispatch with all that the shaders of few rows have in common.
    fn begin(&self, shader: &'static str, element: Element, teams: &Teams, low: &Lowering<'_>) -> Dispatch {
        let norm = self.norm.map_or(self.x, |norm| norm.weight);
        let dispatch = Dispatch::new(shader)
            .define(define(element))
            .define(low.target().subgroup_define())
            .read(self.x)
            .read(norm)
            .size(self.x.rows())
            .size(self.width)
            .size(self.chunks)
            .size(self.x.offset / 4)
            .size(norm.offset / 4)
            .float(self.norm.map_or(0.0, |norm| norm.eps));
        teams.constants(dispatch, self.norm.is_some(), low.target())
    }
}

/// `x` with rows of `padded` elements that begin at multiples of 16 bytes: itself, or a copy.
fn aligned(x: Buffer, padded: usize, low: &mut Lowering<'_>) -> Result<Buffer> {
    if x.row() == padded && x.offset.is_multiple_of(4) {
        return Ok(x);
    }
    let out = low.scratch([x.rows(), padded], Element::F32);
    let dispatch = Dispatch::new("pad_rows").read(x).write(out);
    let dispatch = dispatch.size(x.rows()).size(x.row()).size(padded).size(x.offset);
    low.push(dispatch.threads(out.shape.len(), SIZE, low.target()))?;
    Ok(out)
}

/// Binds a matrix.
///
/// # Errors
/// `Error::Shape` where its rows are not laid out as uploaded ones are.
fn matrix(dispatch: Dispatch, weight: Buffer) -> Result<Dispatch> {
    let uploaded = matches!(weight.place, Place::Resident(_));
    if !uploaded && weight.row() != pitch(weight.element, weight.row()) {
        return Err(Error::Shape {
            kernel: "matvec",
            reason: format!("weight {} must be uploaded, since its rows need padding", weight.shape),
        });
    }
    Ok(dispatch.read(weight).bind(Binding::scales(weight)))
}

fn define(element: Element) -> &'static str {
    match element {
        Element::F32 | Element::U32 => "F32",
        Element::F16 => "F16",
        Element::Bf16 => "BF16",
        Element::Q8_0 => "Q8_0",
        Element::Q4 => "Q4",
    }
}

/// What a product with a matrix costs.
fn work(weight: Buffer, rows: usize) -> usize {
    weight.element.bytes(weight.rows(), weight.row()) * rows.max(1)
}
