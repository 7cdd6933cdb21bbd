//! Moves counters or positions on between two runs of a recording.
//!
//! Bindings: none → counter, u32 or f32, updated: each element grows by a constant.

use super::bindings::Outputs;
use super::{Kernel, require};
use crate::error::Result;
use crate::recording::{Buffer, Recording};
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
