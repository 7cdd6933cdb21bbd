//! An executor that runs nothing: it notes which pipelines a graphics processor would make for what it is given to run.

use std::collections::HashSet;

use super::Executor;
use super::lowered::Lowered;
use super::meter::{Meter, expected_bytes};
use crate::error::Result;
use crate::memory::Memory;
use crate::recording::{Buffer, Place, Recording};
use crate::shader::{Blueprint, Target};
use crate::shape::{Bytes, Element, Shape};

/// The first place that it gives out: far above those of executors whose weights may be used together with its states.
const FIRST_PLACE: u32 = 1 << 31;

/// What one run of a recording takes.
pub(crate) struct Cost {
    weight_bytes: u64,
    dispatches: u64,
}

/// What was given to it so far. Its memory takes no room, and every value read from it is zero.
pub(crate) struct Outline {
    target: Target,
    next_place: u32,
    pipelines: Vec<Blueprint>,
    noted: HashSet<Blueprint>,
    /// Sums over what would run, where somebody wants them.
    pub(super) meter: Option<Meter>,
}

impl Outline {
    /// For an adapter that can do so much.
    pub(crate) fn new(target: Target) -> Outline {
        Outline { target, next_place: FIRST_PLACE, pipelines: Vec::new(), noted: HashSet::new(), meter: None }
    }

    /// The pipelines that `work` takes on an adapter that can do so much, in the order of their first use.
    ///
    /// # Errors
    /// Those of `work`.
    pub(crate) fn of(
        target: Target,
        work: impl FnOnce(&mut Executor) -> Result<()>,
    ) -> Result<Vec<Blueprint>> {
        let mut executor = Executor::Outline(Outline::new(target));
        work(&mut executor)?;
        match executor {
            Executor::Outline(outline) => Ok(outline.pipelines),
            Executor::Cpu(_) | Executor::Gpu(_) => Ok(Vec::new()),
        }
    }

    /// Notes what running `recording` takes; returns what a run of it would add to a meter.
    ///
    /// # Errors
    /// `Error::Shape` where sizes are beyond what the shaders take.
    pub(crate) fn prepare(&mut self, recording: &Recording) -> Result<Cost> {
        let dispatches = Lowered::new(&self.target, recording)?.dispatches;
        let cost = Cost {
            weight_bytes: recording.commands.iter().map(expected_bytes).sum(),
            dispatches: dispatches.len() as u64,
        };
        for dispatch in dispatches {
            let pipeline = dispatch.blueprint();
            if self.noted.insert(pipeline.clone()) {
                self.pipelines.push(pipeline);
            }
        }
        Ok(cost)
    }

    /// Adds a run to the meter, if there is one.
    pub(super) fn note(&mut self, cost: &Cost) {
        if let Some(meter) = &mut self.meter {
            meter.weight_bytes += cost.weight_bytes;
            meter.dispatches += cost.dispatches;
        }
    }

    fn place(&mut self, shape: Shape, element: Element) -> Buffer {
        let place = Place::Resident(self.next_place);
        self.next_place += 1;
        Buffer { place, offset: 0, shape, element }
    }
}

impl Memory for Outline {
    fn upload(&mut self, shape: Shape, element: Element, _: Vec<Bytes>) -> Result<Buffer> {
        Ok(self.place(shape, element))
    }

    fn allocate(&mut self, shape: Shape, element: Element) -> Result<Buffer> {
        Ok(self.place(shape, element))
    }

    fn free(&mut self, _: Buffer) {}

    fn write_f32(&mut self, _: Buffer, _: &[f32]) -> Result<()> {
        Ok(())
    }

    fn write_u32(&mut self, _: Buffer, _: &[u32]) -> Result<()> {
        Ok(())
    }

    fn read_f32(&mut self, buffer: Buffer) -> Result<Vec<f32>> {
        Ok(vec![0.0; buffer.shape.len()])
    }

    fn read_u32(&mut self, buffer: Buffer) -> Result<Vec<u32>> {
        Ok(vec![0; buffer.shape.len()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::rms_norm;

    fn target(subgroup: Option<(u32, u32)>) -> Target {
        Target {
            subgroup,
            f16: false,
            coop: None,
            int8: true,
            workgroup_bytes: 16_384,
            workgroup_size: 256,
            groups: 65_535,
        }
    }

    fn pipelines(subgroup: Option<(u32, u32)>) -> Vec<Blueprint> {
        let norms = |executor: &mut Executor| {
            let weight = executor.memory().allocate([64].into(), Element::F32)?;
            for rows in [1, 7] {
                let mut rec = Recording::new();
                let x = rec.f32([rows, 64]);
                rms_norm::record(&mut rec, x, weight, 1e-6)?;
                executor.prepare(rec)?;
            }
            Ok(())
        };
        Outline::of(target(subgroup), norms).unwrap()
    }

    #[test]
    fn a_pipeline_is_listed_once_and_as_the_adapter_takes_it() {
        let [plain] = pipelines(None).try_into().unwrap();
        let [grouped] = pipelines(Some((8, 8))).try_into().unwrap();
        assert_eq!((plain.variant.shader, grouped.variant.shader), ("rms_norm", "rms_norm"));
        assert_eq!((plain.variant.defines, grouped.variant.defines), (vec![], vec!["SUBGROUPS"]));
    }
}
