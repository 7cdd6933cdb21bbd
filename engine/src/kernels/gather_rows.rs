//! Picks rows of a matrix: `out[i] = x[index[i]]`.
//!
//! Bindings: x `[n, row]` f32, index `[m]` u32 → out `[m, row]` f32. An index of n or more takes the last row. For weights as
//! stored there is the embedding kernel.

use super::bindings::{Inputs, Outputs};
use super::{Kernel, require, threads};
use crate::error::Result;
use crate::recording::{Buffer, Recording, check};

/// Records the rows of `x` `[n, row]` named by `index` `[m]` u32; the result is `[m, row]`.
pub(crate) fn record(rec: &mut Recording, x: Buffer, index: Buffer) -> Result<Buffer> {
    require::f32s("gather_rows", &[("x", x)])?;
    require::u32s("gather_rows", &[("index", index)])?;
    check(x.rows() > 0, "gather_rows", || format!("x {} has no rows", x.shape))?;
    let out = rec.f32([index.shape.len(), x.row()]);
    rec.push(Kernel::GatherRows, &[x, index], &[out]);
    Ok(out)
}

pub(crate) fn cpu(inputs: &Inputs<'_>, outputs: Outputs<'_>) {
    let (x, index) = (inputs.f32(0), inputs.u32(1));
    let (n, row) = (inputs.buffer(0).rows(), inputs.buffer(0).row());
    threads::rows(outputs.one().f32(), row, row / 8, |first, out| {
        for (out, &i) in out.chunks_exact_mut(row).zip(&index[first..]) {
            out.copy_from_slice(&x[(i as usize).min(n - 1) * row..][..row]);
        }
    });
}
