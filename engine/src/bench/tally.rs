//! Counts the weights that pass through to an executor's memory, or only counts them.

use crate::error::Result;
use crate::memory::Memory;
use crate::recording::{Buffer, Place};
use crate::shape::Bytes;
use crate::shape::{Element, Shape};

/// Weights seen so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sums {
    pub(super) bytes: u64,
    /// Type of the largest.
    pub(super) element: Option<Element>,
    largest: u64,
}

/// A memory that counts.
pub(super) struct Tally<'a> {
    memory: Option<&'a mut dyn Memory>,
    sums: Sums,
}

impl<'a> Tally<'a> {
    /// Passes everything on to `memory`.
    pub(super) fn over(memory: &'a mut dyn Memory) -> Tally<'a> {
        Tally { memory: Some(memory), sums: Sums::default() }
    }

    /// Keeps nothing: its buffers cannot be used.
    pub(super) fn alone() -> Tally<'a> {
        Tally { memory: None, sums: Sums::default() }
    }

    pub(super) fn sums(&self) -> Sums {
        self.sums
    }

    fn count(&mut self, shape: Shape, element: Element) {
        let bytes = element.bytes(shape.rows(), shape.row()) as u64;
        self.sums.bytes += bytes;
        if bytes > self.sums.largest {
            (self.sums.largest, self.sums.element) = (bytes, Some(element));
        }
    }
}

impl Memory for Tally<'_> {
    fn upload(&mut self, shape: Shape, element: Element, parts: Vec<Bytes>) -> Result<Buffer> {
        self.count(shape, element);
        match &mut self.memory {
            Some(memory) => memory.upload(shape, element, parts),
            None => Ok(nowhere(shape, element)),
        }
    }

    fn random(&mut self, shape: Shape, element: Element) -> Result<Option<Buffer>> {
        let made = self.memory.as_mut().map_or(Ok(None), |memory| memory.random(shape, element))?;
        if made.is_some() {
            self.count(shape, element);
        }
        Ok(made)
    }

    fn allocate(&mut self, shape: Shape, element: Element) -> Result<Buffer> {
        match &mut self.memory {
            Some(memory) => memory.allocate(shape, element),
            None => Ok(nowhere(shape, element)),
        }
    }

    fn free(&mut self, buffer: Buffer) {
        if let Some(memory) = &mut self.memory {
            memory.free(buffer);
        }
    }

    fn write_f32(&mut self, buffer: Buffer, values: &[f32]) -> Result<()> {
        self.memory.as_mut().map_or(Ok(()), |memory| memory.write_f32(buffer, values))
    }

    fn write_u32(&mut self, buffer: Buffer, values: &[u32]) -> Result<()> {
        self.memory.as_mut().map_or(Ok(()), |memory| memory.write_u32(buffer, values))
    }

    fn read_f32(&mut self, buffer: Buffer) -> Result<Vec<f32>> {
        self.memory.as_mut().map_or(Ok(Vec::new()), |memory| memory.read_f32(buffer))
    }

    fn read_u32(&mut self, buffer: Buffer) -> Result<Vec<u32>> {
        self.memory.as_mut().map_or(Ok(Vec::new()), |memory| memory.read_u32(buffer))
    }
}

fn nowhere(shape: Shape, element: Element) -> Buffer {
    Buffer { place: Place::Resident(u32::MAX), offset: 0, shape, element }
}
