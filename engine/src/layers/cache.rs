//! Keys and values of the tokens read so far, for every layer of a decoder.

use crate::error::Result;
use crate::kernels::copy;
use crate::memory::Memory;
use crate::recording::{Buffer, Recording};
use crate::shape::Element;

/// Keys and values of one layer, `[capacity, kv_heads · head_dim]` f16 or f32 each.
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
    format: CacheFormat,
    capacity: usize,
}

/// What a row of keys or values is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CacheFormat {
    /// Elements of a row.
    pub(crate) width: usize,
    /// F16, or F32 where every bit counts.
    pub(crate) element: Element,
}

impl Cache {
    /// Room for `capacity` rows in each of `layers` layers.
    pub(crate) fn new(
        memory: &mut dyn Memory,
        layers: usize,
        format: CacheFormat,
        capacity: usize,
    ) -> Result<Cache> {
        let past = memory.allocate([1].into(), Element::U32)?;
        let layers = (0..layers).map(|_| allocate(memory, format, capacity)).collect::<Result<_>>()?;
        Ok(Cache { layers, past, format, capacity })
    }

    /// Rows that fit.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Sets the rows in use; later rows are forgotten.
    pub(crate) fn set_past(&self, memory: &mut dyn Memory, rows: usize) -> Result<()> {
        memory.write_u32(self.past, &[rows as u32])
    }

    /// Makes room for `capacity` rows in one layer. The returned recording copies the old rows: run it, then `free` the returned
    /// buffers. One layer at a time, since old and new rows of all layers together are much memory. [`Cache::grown`] ends it.
    pub(crate) fn grow_layer(
        &mut self,
        memory: &mut dyn Memory,
        layer: usize,
        capacity: usize,
    ) -> Result<(Recording, [Buffer; 2])> {
        let old = self.layers[layer];
        let new = allocate(memory, self.format, capacity)?;
        let mut rec = Recording::new();
        for (from, to) in [(old.keys, new.keys), (old.values, new.values)] {
            copy::record(&mut rec, from.slice_rows(0, self.capacity), to.slice_rows(0, self.capacity))?;
        }
        self.layers[layer] = new;
        Ok((rec, [old.keys, old.values]))
    }

    /// Takes note that every layer has room for `capacity` rows.
    pub(crate) fn grown(&mut self, capacity: usize) {
        self.capacity = capacity;
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

fn allocate(memory: &mut dyn Memory, format: CacheFormat, capacity: usize) -> Result<LayerCache> {
    Ok(LayerCache {
        keys: memory.allocate([capacity, format.width].into(), format.element)?,
        values: memory.allocate([capacity, format.width].into(), format.element)?,
    })
}
