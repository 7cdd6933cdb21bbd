//! The little that model code needs of an executor's memory: to place weights and states, and to exchange small values.

mod tally;

pub(crate) use tally::Tally;

use crate::error::Result;
use crate::recording::Buffer;
use crate::shape::{Bytes, Element, Shape};

/// Resident memory of an executor.
pub(crate) trait Memory {
    /// Places a weight. `parts` follow each other along the first axis and are aligned for `element`.
    fn upload(&mut self, shape: Shape, element: Element, parts: Vec<Bytes>) -> Result<Buffer>;

    /// Places a matrix or stack of random weights, where this memory can make them itself: `None` asks for an upload.
    fn random(&mut self, _shape: Shape, _element: Element) -> Result<Option<Buffer>> {
        Ok(None)
    }

    /// Places a state of f32, f16 or u32: zeros.
    fn allocate(&mut self, shape: Shape, element: Element) -> Result<Buffer>;

    /// Gives the memory back. The handle and its views must not be used again.
    fn free(&mut self, buffer: Buffer);

    /// Replaces the elements of a view of f32, or of f16, to which they are rounded.
    fn write_f32(&mut self, buffer: Buffer, values: &[f32]) -> Result<()>;

    /// Replaces the elements of a view.
    fn write_u32(&mut self, buffer: Buffer, values: &[u32]) -> Result<()>;

    /// Copies the elements of a view of f32 or f16 to the host.
    fn read_f32(&mut self, buffer: Buffer) -> Result<Vec<f32>>;

    /// Copies the elements of a view to the host.
    fn read_u32(&mut self, buffer: Buffer) -> Result<Vec<u32>>;
}
