//! Copies one buffer into another that outlives the recording.
//!
//! Bindings: from, f32, f16 or u32 → to, of the same type and length.

use super::bindings::{Inputs, Outputs};
use super::{Kernel, require};
use crate::error::Result;
use crate::recording::{Buffer, Recording, check};
use crate::shape::Element;

/// Records the copying of `from` into `to`, both f32, both f16 or both u32, of equal length.
pub(crate) fn record(rec: &mut Recording, from: Buffer, to: Buffer) -> Result<()> {
    let state = matches!(from.element, Element::F32 | Element::F16 | Element::U32);
    check(from.element == to.element && state, "copy", || {
        format!("both sides must be f32, f16 or u32, found {:?} and {:?}", from.element, to.element)
    })?;
    require::length("copy", "to", to, from.shape.len())?;
    require::apart("copy", ("to", to), &[("from", from)])?;
    rec.push(Kernel::Copy, &[from], &[to]);
    Ok(())
}

pub(crate) fn cpu(inputs: &Inputs<'_>, outputs: Outputs<'_>) {
    match inputs.buffer(0).element {
        Element::U32 => outputs.one().u32().copy_from_slice(inputs.u32(0)),
        Element::F16 => outputs.one().f16().copy_from_slice(inputs.f16(0)),
        _ => outputs.one().f32().copy_from_slice(inputs.f32(0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::Executor;

    #[test]
    fn copies_into_a_view_of_a_resident_buffer() {
        let mut cpu = Executor::processor();
        let floats = cpu.memory().allocate([3, 2].into(), Element::F32).unwrap();
        let ids = cpu.memory().allocate([4].into(), Element::U32).unwrap();
        let mut rec = Recording::new();
        let from = rec.constant_f32([2], vec![1.0, 2.0]);
        record(&mut rec, from, floats.slice_rows(1, 1)).unwrap();
        let from = rec.constant_u32([2, 2], vec![5, 6, 7, 8]);
        record(&mut rec, from, ids).unwrap();
        cpu.run_recording(&rec);
        assert_eq!(cpu.memory().read_f32(floats).unwrap(), [0.0, 0.0, 1.0, 2.0, 0.0, 0.0]);
        assert_eq!(cpu.memory().read_u32(ids).unwrap(), [5, 6, 7, 8]);
    }

    #[test]
    fn refuses_another_type_or_length_and_itself() {
        let mut rec = Recording::new();
        let (a, b, ids) = (rec.f32([4]), rec.f32([5]), rec.scratch([4], Element::U32));
        assert!(record(&mut rec, a, b).unwrap_err().to_string().contains("must have 4"));
        assert!(record(&mut rec, a, ids).unwrap_err().to_string().contains("U32"));
        assert!(record(&mut rec, a, a).unwrap_err().to_string().contains("share memory"));
    }
}
