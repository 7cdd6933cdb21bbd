//! Copies one buffer into another that outlives the recording.
//!
//! Bindings: from, f32 or u32 → to, of the same type and length.

use super::bindings::{Inputs, Outputs};
use super::{Kernel, require};
use crate::error::Result;
use crate::recording::{Buffer, Recording, check};
use crate::shape::Element;

/// Records the copying of `from` into `to`, both f32 or both u32 of equal length.
pub(crate) fn record(rec: &mut Recording, from: Buffer, to: Buffer) -> Result<()> {
    check(from.element == to.element && matches!(from.element, Element::F32 | Element::U32), "copy", || {
        format!("both sides must be f32 or u32, found {:?} and {:?}", from.element, to.element)
    })?;
    require::length("copy", "to", to, from.shape.len())?;
    require::apart("copy", ("to", to), &[("from", from)])?;
    rec.push(Kernel::Copy, &[from], &[to]);
    Ok(())
}

pub(crate) fn cpu(inputs: &Inputs<'_>, outputs: Outputs<'_>) {
    match inputs.buffer(0).element {
        Element::U32 => outputs.one().u32().copy_from_slice(inputs.u32(0)),
        _ => outputs.one().f32().copy_from_slice(inputs.f32(0)),
    }
}
