//! Adds a branch that each row opens by a gate of its own: `out = x + sigmoid(gate) · y`.
//!
//! Bindings: x `[n, width]` f32, y `[n, width]` f32, gate `[n, 1]` f32 → out `[n, width]` f32. Tolerance 1e-6.

use super::bindings::{Inputs, Outputs};
use super::{Kernel, require, threads};
use crate::error::Result;
use crate::recording::{Buffer, Recording};

/// Records `x + sigmoid(gate) · y` for `x`, `y` `[n, width]` and `gate` `[n, 1]`; the result has the shape of `x`.
pub(crate) fn record(rec: &mut Recording, x: Buffer, y: Buffer, gate: Buffer) -> Result<Buffer> {
    require::f32s("gated_add", &[("x", x), ("y", y), ("gate", gate)])?;
    require::same("gated_add", ("x", x), ("y", y))?;
    require::length("gated_add", "gate", gate, x.rows())?;
    let out = rec.f32(x.shape);
    rec.push(Kernel::GatedAdd, &[x, y, gate], &[out]);
    Ok(out)
}

pub(crate) fn cpu(inputs: &Inputs<'_>, outputs: Outputs<'_>) {
    let (x, y, gate) = (inputs.f32(0), inputs.f32(1), inputs.f32(2));
    let row = inputs.buffer(0).row();
    threads::rows(outputs.one().f32(), row, row / 4, |first, out| {
        for (i, out) in out.chunks_exact_mut(row).enumerate() {
            let i = first + i;
            let open = 1.0 / (1.0 + (-gate[i]).exp());
            for ((o, x), y) in out.iter_mut().zip(&x[i * row..]).zip(&y[i * row..]) {
                *o = x + open * y;
            }
        }
    });
}
