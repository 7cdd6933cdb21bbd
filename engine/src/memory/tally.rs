//! Counts the weights that pass through to an executor's memory, or only counts them.

use super::Memory;
use crate::error::Result;
use crate::recording::{Buffer, Place};
use crate::shape::Bytes;
use crate::shape::{Element, Shape};

/// Weights seen so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sums {
    /// Of matrices.
    pub(crate) bytes: u64,
    /// Of vectors, tables, caches and states.
    states: u64,
    /// Type of the largest matrix.
    pub(crate) element: Option<Element>,
    largest: u64,
}

impl Sums {
    /// Bytes of everything.
    pub(crate) fn all(&self) -> u64 {
        self.bytes + self.states
    }
}

/// A memory that counts.
pub(crate) struct Tally<'a> {
    memory: Option<&'a mut dyn Memory>,
    sums: Sums,
    tell: Option<&'a dyn Fn(u64)>,
    /// Buffers that it has made up.
    nowhere: u32,
}

impl<'a> Tally<'a> {
    /// Passes everything on to `memory`.
    pub(crate) fn over(memory: &'a mut dyn Memory) -> Tally<'a> {
        Tally { memory: Some(memory), sums: Sums::default(), tell: None, nowhere: 0 }
    }

    /// Keeps nothing: its buffers can only be recorded with.
    pub(crate) fn alone() -> Tally<'a> {
        Tally { memory: None, sums: Sums::default(), tell: None, nowhere: 0 }
    }

    /// Has `tell` called with the bytes so far, after each weight.
    pub(crate) fn telling(self, tell: &'a dyn Fn(u64)) -> Tally<'a> {
        Tally { tell: Some(tell), ..self }
    }

    pub(crate) fn sums(&self) -> Sums {
        self.sums
    }

    /// A buffer that can be recorded with, and no more.
    fn nowhere(&mut self, shape: Shape, element: Element) -> Buffer {
        self.nowhere += 1;
        Buffer { place: Place::Resident(self.nowhere), offset: 0, shape, element }
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
        let placed = match &mut self.memory {
            Some(memory) => memory.upload(shape, element, parts)?,
            None => self.nowhere(shape, element),
        };
        if let Some(tell) = self.tell {
            tell(self.sums.bytes);
        }
        Ok(placed)
    }

    fn random(&mut self, shape: Shape, element: Element) -> Result<Option<Buffer>> {
        let made = self.memory.as_mut().map_or(Ok(None), |memory| memory.random(shape, element))?;
        if made.is_some() {
            self.count(shape, element);
        }
        Ok(made)
    }

    fn allocate(&mut self, shape: Shape, element: Element) -> Result<Buffer> {
        self.sums.states += element.bytes(shape.rows(), shape.row()) as u64;
        match &mut self.memory {
            Some(memory) => memory.allocate(shape, element),
            None => Ok(self.nowhere(shape, element)),
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
