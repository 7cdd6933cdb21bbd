//! Rotary position embedding, each head's first half against its second:
//! `out1 = x1 · cos - x2 · sin`, `out2 = x2 · cos + x1 · sin`.
//!
//! Bindings: x `[n, heads·head_dim]` f32, table `[n, head_dim]` f32 (cosines, then sines) → out like x. Tolerance 1e-6.

use super::bindings::{Inputs, Outputs};
use super::{Kernel, require, threads};
use crate::error::Result;
use crate::recording::{Buffer, Recording, check};

/// Records the rotation of `x` `[n, heads·head_dim]` by `table` `[n, head_dim]`; the result has the shape of `x`.
pub(crate) fn record(rec: &mut Recording, x: Buffer, table: Buffer, head_dim: usize) -> Result<Buffer> {
    require::f32s("rope", &[("x", x), ("table", table)])?;
    check(
        head_dim > 0 && head_dim.is_multiple_of(2) && x.shape.len().is_multiple_of(head_dim),
        "rope",
        || format!("head_dim must be even and divide the rows of x {}, found {head_dim}", x.shape),
    )?;
    check(
        table.row() == head_dim
            && table.rows() > 0
            && x.shape.len().is_multiple_of(table.shape.len())
            && (x.rows() == table.rows() || x.row() == head_dim),
        "rope",
        || format!("table {} must be [rows of x, {head_dim}] for x {}", table.shape, x.shape),
    )?;
    let out = rec.f32(x.shape);
    rec.push(Kernel::Rope, &[x, table], &[out]);
    Ok(out)
}

pub(crate) fn cpu(inputs: &Inputs<'_>, outputs: Outputs<'_>) {
    let (x, table) = (inputs.f32(0), inputs.f32(1));
    let head_dim = inputs.buffer(1).row();
    let row = x.len() / inputs.buffer(1).rows();
    threads::rows(outputs.one().f32(), row, row / 2, |first, out| {
        for (i, out) in out.chunks_exact_mut(row).enumerate() {
            let x = &x[(first + i) * row..][..row];
            let (cos, sin) = table[(first + i) * head_dim..][..head_dim].split_at(head_dim / 2);
            for (x, out) in x.chunks_exact(head_dim).zip(out.chunks_exact_mut(head_dim)) {
                let (x1, x2) = x.split_at(head_dim / 2);
                let (out1, out2) = out.split_at_mut(head_dim / 2);
                for j in 0..head_dim / 2 {
                    out1[j] = x1[j] * cos[j] - x2[j] * sin[j];
                    out2[j] = x2[j] * cos[j] + x1[j] * sin[j];
                }
            }
        }
    });
}
