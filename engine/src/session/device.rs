//! An executor in use: what the session's parts run their recordings on.

use crate::cancel::Cancel;
use crate::engine::Engine;
use crate::error::Result;
use crate::executor::{Executor, Fetch, Program};
use crate::kernels::copy;
use crate::layers::cache::Cache;
use crate::memory::Memory;
use crate::recording::{Buffer, Recording};
use crate::shape::Element;

/// The executor, and the signal that stops the work at hand.
pub(crate) struct Device<'a> {
    pub(crate) executor: &'a mut Executor,
    pub(crate) cancel: &'a Cancel,
}

impl<'a> Device<'a> {
    /// The executor of `engine`, whose work `cancel` stops.
    pub(crate) fn of(engine: &'a mut Engine, cancel: &'a Cancel) -> Device<'a> {
        Device { executor: &mut engine.executor, cancel }
    }

    /// Where weights and states live.
    pub(crate) fn memory(&mut self) -> &mut dyn Memory {
        self.executor.memory()
    }

    /// Makes a recording ready to be run, again and again.
    pub(crate) fn prepare(&mut self, recording: Recording) -> Result<Program> {
        self.executor.prepare(recording)
    }

    /// Runs all commands in order.
    pub(crate) fn run(&mut self, program: &mut Program) -> Result<()> {
        self.executor.run(program, self.cancel)
    }

    /// Runs all commands in order, and has `wanted`, of u32 or the bits of f32, brought to the host meanwhile.
    pub(crate) fn run_fetching(&mut self, program: &mut Program, wanted: &[Buffer]) -> Result<Fetch> {
        self.executor.run_fetching(program, self.cancel, wanted)
    }

    /// Runs a recording that is run only once.
    pub(crate) fn run_once(&mut self, recording: Recording) -> Result<()> {
        let mut program = self.prepare(recording)?;
        self.run(&mut program)
    }

    /// Makes room for `rows` rows, at least doubling. Returns whether the cache moved: recordings over it are then void.
    pub(crate) fn reserve(&mut self, cache: &mut Cache, rows: usize) -> Result<bool> {
        if rows <= cache.capacity() {
            return Ok(false);
        }
        let capacity = rows.max(2 * cache.capacity());
        for layer in 0..cache.layers.len() {
            let (copies, old) = cache.grow_layer(self.memory(), layer, capacity)?;
            // Never cancelled: half a copy would lose the conversation.
            let mut copies = self.prepare(copies)?;
            self.executor.run(&mut copies, &Cancel::new())?;
            old.into_iter().for_each(|buffer| self.memory().free(buffer));
        }
        cache.grown(capacity);
        Ok(true)
    }

    /// Runs `recording` and keeps `results` of it, f32, in resident buffers of their own.
    pub(crate) fn run_keeping(
        &mut self,
        mut recording: Recording,
        results: &[Buffer],
    ) -> Result<Vec<Buffer>> {
        let mut kept = Vec::new();
        for &result in results {
            let buffer = self.memory().allocate(result.shape, Element::F32)?;
            kept.push(buffer);
            copy::record(&mut recording, result, buffer)?;
        }
        if let Err(error) = self.run_once(recording) {
            kept.into_iter().for_each(|buffer| self.memory().free(buffer));
            return Err(error);
        }
        Ok(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::cache::CacheFormat;
    use crate::settings::Options;

    #[test]
    fn rows_of_every_layer_survive_a_cache_that_grows_twice() {
        let mut executor = Executor::open(&Options::default(), None).unwrap().0;
        let cancel = Cancel::new();
        let mut device = Device { executor: &mut executor, cancel: &cancel };
        let mut cache =
            Cache::new(device.memory(), 2, CacheFormat { width: 3, element: Element::F16 }, 2).unwrap();
        let rows = |layer: usize, values: bool| {
            let first = (100 * layer + 10 * usize::from(values)) as f32;
            (0..6).map(|i| first + i as f32).collect::<Vec<_>>()
        };
        for (i, layer) in cache.layers.clone().into_iter().enumerate() {
            device.memory().write_f32(layer.keys, &rows(i, false)).unwrap();
            device.memory().write_f32(layer.values, &rows(i, true)).unwrap();
        }
        assert!(!device.reserve(&mut cache, 2).unwrap());
        for (wanted, capacity) in [(3, 4), (50, 50)] {
            assert!(device.reserve(&mut cache, wanted).unwrap());
            assert_eq!(cache.capacity(), capacity);
        }
        for (i, layer) in cache.layers.iter().enumerate() {
            assert_eq!(layer.keys.rows(), 50);
            assert_eq!(device.memory().read_f32(layer.keys.slice_rows(0, 2)).unwrap(), rows(i, false));
            assert_eq!(device.memory().read_f32(layer.values.slice_rows(0, 2)).unwrap(), rows(i, true));
        }
    }
}
