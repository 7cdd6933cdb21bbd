//! A copy of a matrix in which some rows are replaced or added to.
//!
//! Bindings: x `[n, row]` f32, rows `[m, row]` f32, index `[m]` u32 → out `[n, row]` f32. Rows go in order, so that the last of
//! those for one place wins; an index of n or more is passed over.

use super::bindings::{Inputs, Outputs};
use super::{Kernel, require};
use crate::error::Result;
use crate::recording::{Buffer, Recording, check};

/// What a row does to the one at its place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    Replace,
    Add,
}

/// Records a copy of `x` `[n, row]` with `rows` `[m, row]` put at `index` `[m]` u32; the result has the shape of `x`.
pub(crate) fn record(
    rec: &mut Recording,
    x: Buffer,
    rows: Buffer,
    index: Buffer,
    mode: Mode,
) -> Result<Buffer> {
    require::f32s("scatter_rows", &[("x", x), ("rows", rows)])?;
    require::u32s("scatter_rows", &[("index", index)])?;
    require::length("scatter_rows", "index", index, rows.rows())?;
    check(x.row() == rows.row(), "scatter_rows", || {
        format!("rows {} must be as long as those of x {}", rows.shape, x.shape)
    })?;
    let out = rec.f32(x.shape);
    rec.push(Kernel::ScatterRows(mode), &[x, rows, index], &[out]);
    Ok(out)
}

pub(crate) fn cpu(mode: Mode, inputs: &Inputs<'_>, outputs: Outputs<'_>) {
    let (rows, index) = (inputs.f32(1), inputs.u32(2));
    let row = inputs.buffer(1).row();
    let out = outputs.one().f32();
    out.copy_from_slice(inputs.f32(0));
    for (from, &i) in rows.chunks_exact(row).zip(index) {
        let Some(to) = out.chunks_exact_mut(row).nth(i as usize) else { continue };
        match mode {
            Mode::Replace => to.copy_from_slice(from),
            Mode::Add => to.iter_mut().zip(from).for_each(|(to, from)| *to += from),
        }
    }
}
