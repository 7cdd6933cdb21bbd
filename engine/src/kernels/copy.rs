//! Copies one buffer into another that outlives the recording.
//!
//! Bindings: from, f32, f16 or u32 → to, of the same type and length.

use super::bindings::{Inputs, Outputs};
use super::{Kernel, require};
use crate::error::Result;
use crate::recording::{Buffer, Recording, check};
use crate::shader::{Dispatch, Lowering};
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

pub(crate) fn gpu(inputs: &[Buffer], outputs: &[Buffer], low: &mut Lowering<'_>) -> Result<()> {
    words(inputs[0], outputs[0], low)
}

/// Appends the copying of `from` to `to`, of the same type and length, in words of 32 bits.
pub(super) fn words(from: Buffer, to: Buffer, low: &mut Lowering<'_>) -> Result<()> {
    let in_word = if from.element == Element::F16 { 2 } else { 1 };
    let sizes = [from.shape.len(), from.offset, to.offset];
    check(sizes.iter().all(|size| size % in_word == 0), "copy", || {
        format!("{:?} is copied in whole words, found length and offsets {sizes:?}", from.element)
    })?;
    let [count, x_offset, to_offset] = sizes.map(|size| size / in_word);
    let dispatch = Dispatch::new("copy")
        .read(from)
        .write(to)
        .size(count)
        .size(x_offset)
        .size(to_offset)
        .elements(count, low.target());
    low.push(dispatch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::executors;

    #[test]
    fn copies_into_a_view_of_a_resident_buffer() {
        for mut executor in executors() {
            let floats = executor.memory().allocate([3, 2].into(), Element::F32).unwrap();
            let ids = executor.memory().allocate([4].into(), Element::U32).unwrap();
            let mut rec = Recording::new();
            let from = rec.constant_f32([2, 2], vec![-1.0, -2.0, 1.0, 2.0]);
            record(&mut rec, from.slice_rows(1, 1), floats.slice_rows(1, 1)).unwrap();
            let from = rec.constant_u32([2, 2], vec![5, 6, u32::MAX, 8]);
            record(&mut rec, from, ids).unwrap();
            executor.run_recording(&rec);
            assert_eq!(executor.memory().read_f32(floats).unwrap(), [0.0, 0.0, 1.0, 2.0, 0.0, 0.0]);
            assert_eq!(executor.memory().read_u32(ids).unwrap(), [5, 6, u32::MAX, 8]);
        }
    }

    #[test]
    fn copies_halves() {
        for mut executor in executors() {
            let mut state = |rows| executor.memory().allocate([rows, 4].into(), Element::F16).unwrap();
            let (from, to) = (state(2), state(3));
            executor.memory().write_f32(from, &[1.0, 2.0, 3.0, 4.0, -0.5, 65504.0, 7.0, 8.0]).unwrap();
            let mut rec = Recording::new();
            record(&mut rec, from.slice_rows(1, 1), to.slice_rows(2, 1)).unwrap();
            executor.run_recording(&rec);
            let got = executor.memory().read_f32(to).unwrap();
            assert_eq!(got, [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -0.5, 65504.0, 7.0, 8.0]);
        }
    }

    #[test]
    fn halves_of_a_word_are_refused() {
        let [_, mut gpu] = executors();
        let mut rec = Recording::new();
        let (from, to) = (rec.scratch([3], Element::F16), rec.scratch([3], Element::F16));
        record(&mut rec, from, to).unwrap();
        assert!(gpu.prepare(rec).err().unwrap().to_string().contains("whole words"));
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
