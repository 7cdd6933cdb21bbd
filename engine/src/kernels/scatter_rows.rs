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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::Executor;
    use crate::shape::Element;

    fn run(mode: Mode, index: &[u32]) -> Vec<f32> {
        let mut rec = Recording::new();
        let x = rec.constant_f32([4, 2], (0..8).map(|v| v as f32).collect());
        let rows =
            rec.constant_f32([index.len(), 2], (0..2 * index.len()).map(|v| 10.0 * v as f32).collect());
        let bi = rec.constant_u32([index.len()], index.to_vec());
        let out = record(&mut rec, x, rows, bi, mode).unwrap();
        Executor::run_once(&rec, out)
    }

    #[test]
    fn rows_are_replaced_or_added_in_order() {
        assert_eq!(run(Mode::Replace, &[2, 0]), [20.0, 30.0, 2.0, 3.0, 0.0, 10.0, 6.0, 7.0]);
        assert_eq!(run(Mode::Replace, &[1, 1]), [0.0, 1.0, 20.0, 30.0, 4.0, 5.0, 6.0, 7.0]);
        assert_eq!(run(Mode::Add, &[1, 1]), [0.0, 1.0, 22.0, 43.0, 4.0, 5.0, 6.0, 7.0]);
    }

    #[test]
    fn an_index_beyond_the_rows_is_passed_over() {
        assert_eq!(run(Mode::Add, &[4, u32::MAX]), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
    }

    #[test]
    fn refuses_rows_without_an_index() {
        let mut rec = Recording::new();
        let (x, rows, wide) = (rec.f32([4, 2]), rec.f32([3, 2]), rec.f32([2, 3]));
        let index = rec.scratch([2], Element::U32);
        assert!(
            record(&mut rec, x, rows, index, Mode::Add)
                .unwrap_err()
                .to_string()
                .contains("index must have 3")
        );
        assert!(record(&mut rec, x, wide, index, Mode::Add).unwrap_err().to_string().contains("[2, 3]"));
    }
}
