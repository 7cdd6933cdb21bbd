//! What products for few rows have in common: x, its norm, and how both and the weights are bound.

use super::teams::{Job, MOST_COLUMNS, SIZE, Teams};
use crate::error::{Error, Result};
use crate::kernels::rms_norm::Norm;
use crate::quant::BLOCK;
use crate::recording::{Buffer, Place};
use crate::shader::{Binding, Dispatch, Lowering, pitch};
use crate::shape::Element;

/// Workgroup memory for quantised rows of x: more would leave room for fewer workgroups.
const X_BYTES: usize = 40 << 10;

/// Workgroup memory for all else.
const OTHER_BYTES: usize = 12 << 10;

/// Rows of x that a workgroup takes where it has no subgroups to add up what its threads find: each needs room for all of it.
const COLUMNS_WITHOUT_SUBGROUPS: usize = 2;

/// Half of a block of x: 16 bytes once quantised.
const HALF: usize = BLOCK / 2;

/// Workgroups below which the rows are shared out further, so that none of a large device's processors is idle.
const ENOUGH: usize = 512;

/// The same for quantised weights, of which a workgroup should have many for the x that it quantises.
const ENOUGH_QUANTISED: usize = 256;

/// Rows of x and their norm, as long and as aligned as the rows of uploaded weights.
pub(super) struct Source {
    pub(super) x: Buffer,
    norm: Option<Norm>,
    /// Of the weights.
    element: Element,
    /// Elements of a row of x without padding.
    width: usize,
    /// Pieces of 16 bytes in a row of weights.
    pub(super) chunks: usize,
}

impl Source {
    pub(super) fn new(
        x: Buffer,
        norm: Option<Norm>,
        element: Element,
        low: &mut Lowering<'_>,
    ) -> Result<Source> {
        let (width, padded) = (x.row(), pitch(element, x.row()));
        let norm = match norm {
            Some(Norm { weight, eps }) => Some(Norm { weight: aligned(weight, padded, low)?, eps }),
            None => None,
        };
        let bytes = element.quant().map_or_else(|| element.bytes(1, padded), |quant| quant.quants(1, padded));
        Ok(Source { x: aligned(x, padded, low)?, norm, element, width, chunks: bytes / 16 })
    }

    /// Each `k` rows of x taken as one, for rows of weights that are put together in the same way.
    pub(super) fn joined(self, k: usize) -> Source {
        let x = self.x.reshape([self.x.rows() / k, k * self.x.row()]);
        Source { x, chunks: k * self.chunks, ..self }
    }

    /// How workgroups share `outputs` results for each row of x, with `rows_each` rows of weights behind each. Where it is done
    /// several `times` with other weights, each has one row of x.
    ///
    /// # Errors
    /// `Error::Shape` where a row of x is too long for the workgroup memory.
    pub(super) fn teams(
        &self,
        outputs: usize,
        rows_each: usize,
        times: usize,
        low: &Lowering<'_>,
    ) -> Result<Teams> {
        let room = (low.target().workgroup_bytes as usize).saturating_sub(OTHER_BYTES).min(X_BYTES);
        let fits = |columns: &usize| {
            (low.target().subgroup.is_some() || *columns <= COLUMNS_WITHOUT_SUBGROUPS)
                && (self.element.quant().is_none() || self.quantised(*columns).bytes() <= room)
        };
        let Some(most) = [MOST_COLUMNS, 4, 2, 1].into_iter().find(fits) else {
            return Err(Error::Shape {
                kernel: "matvec",
                reason: format!("rows of x {} do not fit {room} bytes of workgroup memory", self.x.shape),
            });
        };
        let columns = if times > 1 { 1 } else { self.x.rows().clamp(1, most) };
        let times = times.max(self.x.rows().div_ceil(columns));
        let (enough, lanes) = match self.element.quant() {
            // The more rows of x a workgroup quantises, the more weights it should have for them.
            Some(_) if columns > 1 => (ENOUGH_QUANTISED, 8),
            Some(_) => (ENOUGH_QUANTISED, 32),
            None => (ENOUGH, 32),
        };
        Ok(Teams::of(Job { outputs, rows_each, chunks: self.chunks, columns, times, enough, lanes }))
    }

    /// A dispatch with all that the shaders have in common.
    pub(super) fn begin(&self, shader: &'static str, teams: &Teams, low: &Lowering<'_>) -> Dispatch {
        let norm = self.norm.map_or(self.x, |norm| norm.weight);
        let dispatch = Dispatch::new(shader)
            .define(define(self.element))
            .define(low.target().subgroup_define())
            .read(self.x)
            .read(norm)
            .size(self.x.rows())
            .size(self.width)
            .size(self.chunks)
            .size(self.x.offset / 4)
            .size(norm.offset / 4)
            .float(self.norm.map_or(0.0, |norm| norm.eps));
        let dispatch = teams.constants(dispatch, self.norm.is_some(), low.target());
        match self.element.quant() {
            Some(_) => self.quantised(teams.columns).constants(dispatch),
            None => dispatch,
        }
    }

    fn quantised(&self, columns: usize) -> Quantised {
        let row = self.x.row() / HALF;
        let (all, four) = (row * columns, self.element == Element::Q4);
        let squares = if self.norm.is_some() { all } else { 1 };
        Quantised { row, all, totals: if four { all } else { 1 }, squares, four }
    }
}

/// Sizes of what `shaders/shared/row_blocks.wgsl` keeps in workgroup memory of quantised rows of x, in halves of blocks.
struct Quantised {
    row: usize,
    all: usize,
    totals: usize,
    squares: usize,
    four: bool,
}

impl Quantised {
    fn bytes(&self) -> usize {
        self.all * (HALF + size_of::<f32>()) + (self.totals + self.squares) * size_of::<f32>()
    }

    fn constants(&self, dispatch: Dispatch) -> Dispatch {
        dispatch
            .constant("X_ROW", self.row as u32)
            .constant("X_HALVES", self.all as u32)
            .constant("X_TOTALS", self.totals as u32)
            .constant("X_SQUARES", self.squares as u32)
            .constant("FOUR", u32::from(self.four))
    }
}

/// Binds a matrix, and its scales where there are any.
///
/// # Errors
/// `Error::Shape` where its rows are not laid out as uploaded ones are.
pub(super) fn matrix(dispatch: Dispatch, weight: Buffer) -> Result<Dispatch> {
    let uploaded = matches!(weight.place, Place::Resident(_));
    if !uploaded && weight.row() != pitch(weight.element, weight.row()) {
        return Err(Error::Shape {
            kernel: "matvec",
            reason: format!("weight {} must be uploaded, since its rows need padding", weight.shape),
        });
    }
    Ok(dispatch.read(weight).bind(Binding::scales(weight)))
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

/// Name of the shaders' variant.
fn define(element: Element) -> &'static str {
    match element {
        Element::F32 | Element::U32 => "F32",
        Element::F16 => "F16",
        Element::Bf16 => "BF16",
        Element::Q8_0 | Element::Q4 => "BLOCKS",
    }
}
