//! Keys and values of the tokens read so far, for every layer of a decoder.

use crate::error::Result;
use crate::kernels::copy;
use crate::memory::Memory;
use crate::recording::{Buffer, Recording};
use crate::shape::Element;

/// Keys and values of one layer, `[capacity, kv_heads · head_dim]` each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LayerCache {
    pub(crate) keys: Buffer,
    pub(crate) values: Buffer,
}

/// A decoder's memory of its sequence. Rows at or after `past` hold nothing of use.
#[derive(Debug)]
pub(crate) struct Cache {
    pub(crate) layers: Vec<LayerCache>,
    /// Rows in use, u32 `[1]`, on the device.
    pub(crate) past: Buffer,
    width: usize,
    capacity: usize,
}

impl Cache {
    /// Room for `capacity` rows of `width` elements in each of `layers` layers.
    pub(crate) fn new(
        memory: &mut dyn Memory,
        layers: usize,
        width: usize,
        capacity: usize,
    ) -> Result<Cache> {
        let past = memory.allocate([1].into(), Element::U32)?;
        let layers = allocate(memory, layers, width, capacity)?;
        Ok(Cache { layers, past, width, capacity })
    }

    /// Rows that fit.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Sets the rows in use; later rows are forgotten.
    pub(crate) fn set_past(&self, memory: &mut dyn Memory, rows: usize) -> Result<()> {
        memory.write_u32(self.past, &[rows as u32])
    }

    /// Makes room for `capacity` rows. The returned recording copies the old rows: run it, then `free` the returned buffers.
    pub(crate) fn grow(
        &mut self,
        memory: &mut dyn Memory,
        capacity: usize,
    ) -> Result<(Recording, Vec<Buffer>)> {
        let grown = allocate(memory, self.layers.len(), self.width, capacity)?;
        let mut rec = Recording::new();
        let mut old = Vec::new();
        for (from, to) in self.layers.iter().zip(&grown) {
            for (from, to) in [(from.keys, to.keys), (from.values, to.values)] {
                copy::record(&mut rec, from, to.slice_rows(0, self.capacity))?;
                old.push(from);
            }
        }
        self.layers = grown;
        self.capacity = capacity;
        Ok((rec, old))
    }

    /// Gives the memory back.
    pub(crate) fn free(self, memory: &mut dyn Memory) {
        for layer in self.layers {
            memory.free(layer.keys);
            memory.free(layer.values);
        }
        memory.free(self.past);
    }
}

fn allocate(
    memory: &mut dyn Memory,
    layers: usize,
    width: usize,
    capacity: usize,
) -> Result<Vec<LayerCache>> {
    (0..layers)
        .map(|_| {
            Ok(LayerCache {
                keys: memory.allocate([capacity, width].into(), Element::F32)?,
                values: memory.allocate([capacity, width].into(), Element::F32)?,
            })
        })
        .collect()
}
