//! The rows of a product as the tile shaders read them: f32 as they are, or packed for matrix cores.

use super::tile::{Cores, Tile};
use crate::error::Result;
use crate::kernels::rms_norm::{self, Norm};
use crate::recording::Buffer;
use crate::shader::{Dispatch, Lowering};
use crate::shape::Element;

/// Rows `[n, k]`, normalised where there is a norm.
pub(super) struct Rows {
    pub(super) buffer: Buffer,
    pub(super) n: usize,
    pub(super) k: usize,
    cores: Option<Cores>,
}

impl Rows {
    /// Prepares the rows of `x` for products with `weights`. Those of f32 are multiplied in f32, all others on matrix cores
    /// where there are any.
    pub(super) fn new(
        x: Buffer,
        norm: Option<Norm>,
        weights: &[Buffer],
        low: &mut Lowering<'_>,
    ) -> Result<Rows> {
        let narrow = weights.iter().all(|weight| weight.element != Element::F32);
        let cores = Cores::of(low.target()).filter(|_| narrow);
        let buffer = match (cores, norm) {
            (Some(_), _) => pack(x, norm, low)?,
            (None, Some(norm)) => {
                let normed = low.scratch(x.shape, Element::F32);
                rms_norm::gpu(&rms_norm::Params { eps: norm.eps }, &[x, norm.weight], &[normed], low)?;
                normed
            }
            (None, None) => x,
        };
        Ok(Rows { buffer, n: x.rows(), k: x.row(), cores })
    }

    /// The tile for so many rows that share a matrix.
    pub(super) fn tile(&self, rows: usize) -> Tile {
        Tile::of(rows, self.cores)
    }

    /// Which of two shaders reads such rows.
    pub(super) fn shader(&self, exact: &'static str, on_cores: &'static str) -> &'static str {
        if self.cores.is_some() { on_cores } else { exact }
    }
}

/// Rows in half precision, each with a scale that keeps it in range.
fn pack(x: Buffer, norm: Option<Norm>, low: &mut Lowering<'_>) -> Result<Buffer> {
    let words = (8 + x.row().next_multiple_of(Cores::DEPTH)) / 2;
    let packed = low.scratch([x.rows(), words], Element::U32);
    let dispatch = Dispatch::new("pack_rows")
        .define(low.target().subgroup_define())
        .define(norm.map(|_| "NORM"))
        .read(x)
        .write(packed)
        .size(x.rows())
        .size(x.row())
        .size(x.offset)
        .size(norm.map_or(0, |norm| norm.weight.offset))
        .float(norm.map_or(0.0, |norm| norm.eps))
        .groups(x.rows(), low.target());
    let dispatch = norm.iter().fold(dispatch, |dispatch, norm| dispatch.read(norm.weight));
    low.push(dispatch)?;
    Ok(packed)
}
