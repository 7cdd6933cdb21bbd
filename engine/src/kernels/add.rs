//! Sum of two tensors, element by element.
//!
//! Bindings: a f32, b f32 of the same shape → out f32 of that shape. Exact in f32.

use super::bindings::{Inputs, Outputs};
use super::{Kernel, require, threads};
use crate::error::Result;
use crate::recording::{Buffer, Recording};

/// Records `a + b` for `a` and `b` `[n, width]`; the result has the shape of `a`.
pub(crate) fn record(rec: &mut Recording, a: Buffer, b: Buffer) -> Result<Buffer> {
    require::f32s("add", &[("a", a), ("b", b)])?;
    require::same("add", ("a", a), ("b", b))?;
    let out = rec.f32(a.shape);
    rec.push(Kernel::Add, &[a, b], &[out]);
    Ok(out)
}

pub(crate) fn cpu(inputs: &Inputs<'_>, outputs: Outputs<'_>) {
    let (a, b) = (inputs.f32(0), inputs.f32(1));
    threads::rows(outputs.one().f32(), 16, 4, |first, out| {
        let range = first * 16..first * 16 + out.len();
        for ((o, a), b) in out.iter_mut().zip(&a[range.clone()]).zip(&b[range]) {
            *o = a + b;
        }
    });
}
