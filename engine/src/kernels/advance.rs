//! Moves counters or positions on between two runs of a recording.
//!
//! Bindings: none → counter, u32 or f32, updated: each element grows by a constant.

use super::bindings::Outputs;
use super::{Kernel, require};
use crate::error::Result;
use crate::recording::{Buffer, Recording};
use crate::shader::{Dispatch, Lowering};
use crate::shape::Element;

#[derive(Clone, Debug)]
pub(crate) struct Params {
    by: u32,
}

/// Records the growth of each element of `counter`, u32, by `by`; it wraps around.
pub(crate) fn record(rec: &mut Recording, counter: Buffer, by: u32) -> Result<()> {
    require::u32s("advance", &[("counter", counter)])?;
    rec.push(Kernel::Advance(Params { by }), &[], &[counter]);
    Ok(())
}

/// Records the growth of each element of `positions`, f32, by `by`.
pub(crate) fn advance_f32(rec: &mut Recording, positions: Buffer, by: u32) -> Result<()> {
    require::f32s("advance", &[("positions", positions)])?;
    rec.push(Kernel::Advance(Params { by }), &[], &[positions]);
    Ok(())
}

pub(crate) fn cpu(p: &Params, outputs: Outputs<'_>) {
    let slot = outputs.one();
    match slot.buffer.element {
        Element::U32 => slot.u32().iter_mut().for_each(|v| *v = v.wrapping_add(p.by)),
        _ => slot.f32().iter_mut().for_each(|v| *v += p.by as f32),
    }
}

pub(crate) fn gpu(p: &Params, outputs: &[Buffer], low: &mut Lowering<'_>) -> Result<()> {
    let counter = outputs[0];
    let dispatch = Dispatch::new("advance")
        .define((counter.element == Element::F32).then_some("F32"))
        .write(counter)
        .size(counter.shape.len())
        .param(p.by)
        .size(counter.offset)
        .elements(counter.shape.len(), low.target());
    low.push(dispatch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::executors;

    #[test]
    fn counters_grow_with_every_run_and_wrap() {
        for mut executor in executors() {
            let counter = executor.memory().allocate([3, 1].into(), Element::U32).unwrap();
            let positions = executor.memory().allocate([3, 1].into(), Element::F32).unwrap();
            executor.memory().write_u32(counter, &[7, 5, u32::MAX]).unwrap();
            executor.memory().write_f32(positions, &[0.0, 1.5, -1.0]).unwrap();
            let mut rec = Recording::new();
            record(&mut rec, counter.slice_rows(1, 2), 2).unwrap();
            advance_f32(&mut rec, positions, 1).unwrap();
            executor.run_recording(&rec);
            executor.run_recording(&rec);
            assert_eq!(executor.memory().read_u32(counter).unwrap(), [7, 9, 3]);
            assert_eq!(executor.memory().read_f32(positions).unwrap(), [2.0, 3.5, 1.0]);
        }
    }

    #[test]
    fn more_elements_than_one_axis_of_workgroups_holds() {
        let n = 65_535 * 256 + 7;
        for mut executor in executors() {
            let counter = executor.memory().allocate([n].into(), Element::U32).unwrap();
            let mut rec = Recording::new();
            record(&mut rec, counter, 3).unwrap();
            executor.run_recording(&rec);
            assert!(executor.memory().read_u32(counter).unwrap().into_iter().all(|v| v == 3));
        }
    }

    #[test]
    fn refuses_the_other_type() {
        let mut rec = Recording::new();
        let (floats, ids) = (rec.f32([1]), rec.scratch([1], Element::U32));
        assert!(record(&mut rec, floats, 1).unwrap_err().to_string().contains("counter must be U32"));
        assert!(advance_f32(&mut rec, ids, 1).unwrap_err().to_string().contains("positions must be F32"));
    }
}
