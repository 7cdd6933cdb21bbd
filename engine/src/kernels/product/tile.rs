//! What all tile products share: how a matrix is bound and counted, and how much of a result one workgroup makes.

use crate::error::{Error, Result};
use crate::recording::{Buffer, Place};
use crate::shader::pitch;
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
}

/// How much of a result a workgroup makes.
#[derive(Clone, Copy)]
pub(super) struct Tile {
    /// Name of the size's variant.
    pub(super) define: Option<&'static str>,
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// Elements of k that are taken at once.
    pub(super) depth: usize,
}

impl Tile {
    /// For so many rows that share a matrix.
    pub(super) fn of(rows: usize) -> Tile {
        let large = rows > 32;
        Tile { define: large.then_some("LARGE"), rows: if large { 64 } else { 16 }, columns: 64, depth: 32 }
    }
}
