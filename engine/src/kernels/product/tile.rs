//! What all tile products share: how a matrix is bound and counted, and how much of a result one workgroup makes.

use crate::error::{Error, Result};
use crate::recording::{Buffer, Place};
use crate::shader::{Binding, Dispatch, Target, pitch};
use crate::shape::Element;

/// A matrix, or a stack of them, as the shaders load it: units of 16 bytes.
#[derive(Clone, Copy)]
pub(super) struct Weight {
    pub(super) buffer: Buffer,
    /// Name of the element's variant.
    pub(super) define: &'static str,
    /// Units from row to row.
    pub(super) pitch: usize,
    /// The view's first row.
    pub(super) row: usize,
}

impl Weight {
    /// # Errors
    /// `Error::Shape` where its rows do not begin at multiples of 16 bytes.
    pub(super) fn new(buffer: Buffer) -> Result<Weight> {
        let (define, unit) = match buffer.element {
            Element::F32 | Element::U32 => ("F32", 4),
            Element::F16 => ("F16", 8),
            Element::Bf16 => ("BF16", 8),
            Element::Q8_0 => ("Q8_0", 16),
            Element::Q4 => ("Q4", 32),
        };
        let k = buffer.row();
        // Only uploaded matrices have padded rows.
        if matches!(buffer.place, Place::Scratch(_)) && !k.is_multiple_of(unit) {
            return Err(Error::Shape {
                kernel: "matmul",
                reason: format!(
                    "a matrix made on the way must have rows of whole 16 bytes, found {}",
                    buffer.shape
                ),
            });
        }
        Ok(Weight { buffer, define, pitch: pitch(buffer.element, k) / unit, row: buffer.offset / k })
    }

    /// Two matrices that one shader reads.
    ///
    /// # Errors
    /// As [`Weight::new`], and where their elements differ.
    pub(super) fn pair(gate: Buffer, up: Buffer) -> Result<[Weight; 2]> {
        if gate.element != up.element {
            return Err(Error::Shape {
                kernel: "matmul",
                reason: format!("gate is {:?} and up {:?}; they must be alike", gate.element, up.element),
            });
        }
        Ok([Weight::new(gate)?, Weight::new(up)?])
    }
}

/// Binds matrices, then the scales of those that have any.
pub(super) fn read(dispatch: Dispatch, weights: &[Weight]) -> Dispatch {
    let dispatch = weights.iter().fold(dispatch, |dispatch, weight| dispatch.read(weight.buffer));
    let scaled = weights.iter().filter(|weight| weight.buffer.element.quant().is_some());
    scaled.fold(dispatch, |dispatch, weight| dispatch.bind(Binding::scales(weight.buffer)))
}

/// Matrix cores that the shaders can use.
#[derive(Clone, Copy)]
pub(super) struct Cores {
    /// Name of their variant.
    define: &'static str,
    /// Rows and columns of a fragment.
    fragment: usize,
}

impl Cores {
    /// Elements of k that are taken at once.
    pub(super) const DEPTH: usize = 64;

    /// Those of an adapter. A workgroup must consist of eight subgroups at least, and its memory hold the largest tile.
    pub(super) fn of(target: &Target) -> Option<Cores> {
        let (shape, (_, largest)) = (target.coop.filter(|_| target.f16)?, target.subgroup?);
        let (define, fragment, threads) = match (shape.m, largest) {
            (16, 0..=32) => ("COOP16", 16, 256),
            (16, 64) => ("COOP16_WAVE64", 16, 512),
            (8, 0..=8) => ("COOP8", 8, 64),
            _ => return None,
        };
        // Parts of rows and of the matrix in half precision with 8 elements between rows, sums of two fragments' rows, four tables.
        let bytes = 12 * fragment * 2 * (Self::DEPTH + 8) + 16 * fragment * fragment * 4 + 20 * fragment * 4;
        let fits = threads <= target.workgroup_size && bytes as u32 <= target.workgroup_bytes;
        fits.then_some(Cores { define, fragment })
    }
}

/// How much of a result a workgroup makes.
#[derive(Clone, Copy)]
pub(super) struct Tile {
    size: Option<&'static str>,
    cores: Option<&'static str>,
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// Elements of k that are taken at once.
    pub(super) depth: usize,
}

impl Tile {
    /// For so many rows that share a matrix.
    pub(super) fn of(rows: usize, cores: Option<Cores>) -> Tile {
        let (small, large, columns, depth) = match cores {
            Some(Cores { fragment, .. }) => (2 * fragment, 4 * fragment, 8 * fragment, Cores::DEPTH),
            None => (16, 64, 64, 32),
        };
        let is_large = rows > large / 2;
        Tile {
            size: is_large.then_some("LARGE"),
            cores: cores.map(|cores| cores.define),
            rows: if is_large { large } else { small },
            columns,
            depth,
        }
    }

    /// Chooses the variant of a tile shader.
    pub(super) fn variant(self, dispatch: Dispatch, weight: Weight) -> Dispatch {
        dispatch.define(self.size).define(self.cores).define(weight.define)
    }
}
