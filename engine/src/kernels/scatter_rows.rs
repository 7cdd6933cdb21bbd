//! A copy of a matrix in which some rows are replaced or added to.
//!
//! Bindings: x `[n, row]` f32, rows `[m, row]` f32, index `[m]` u32 → out `[n, row]` f32. Rows go in order, so that the last of
//! those for one place wins; an index of n or more is passed over.

use super::bindings::{Inputs, Outputs};
use super::{Kernel, require};
use crate::error::Result;
use crate::recording::{Buffer, Recording, check};
use crate::shader::{Dispatch, Lowering};

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

pub(crate) fn gpu(mode: Mode, inputs: &[Buffer], outputs: &[Buffer], low: &mut Lowering<'_>) -> Result<()> {
    let (x, rows, index, out) = (inputs[0], inputs[1], inputs[2], outputs[0]);
    let dispatch = Dispatch::new("scatter_rows")
        .define((mode == Mode::Add).then_some("ADD"))
        .read(x)
        .read(rows)
        .read(index)
        .write(out)
        .size(x.rows())
        .size(x.row())
        .size(rows.rows())
        .size(x.offset)
        .size(rows.offset)
        .size(index.offset)
        .size(out.offset)
        .groups(x.rows(), low.target())
        .costs(x.rows() * (x.row() + rows.rows()));
    low.push(dispatch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::{self, executors, random};
    use crate::shape::Element;

    /// What both executors give for the numbers from 0 on, changed by multiples of 10.
    fn changed(mode: Mode, index: &[u32]) -> Vec<f32> {
        let mut rec = Recording::new();
        let x = rec.constant_f32([4, 2], (0..8).map(|v| v as f32).collect());
        let rows =
            rec.constant_f32([index.len(), 2], (0..2 * index.len()).map(|v| 10.0 * v as f32).collect());
        let bi = rec.constant_u32([index.len()], index.to_vec());
        let out = record(&mut rec, x, rows, bi, mode).unwrap();
        let [cpu, gpu] = executors().map(|mut executor| testing::run(&mut executor, &rec, out));
        assert_eq!(cpu, gpu);
        cpu
    }

    #[test]
    fn rows_are_replaced_or_added_in_order() {
        assert_eq!(changed(Mode::Replace, &[2, 0]), [20.0, 30.0, 2.0, 3.0, 0.0, 10.0, 6.0, 7.0]);
        assert_eq!(changed(Mode::Replace, &[1, 1]), [0.0, 1.0, 20.0, 30.0, 4.0, 5.0, 6.0, 7.0]);
        assert_eq!(changed(Mode::Replace, &[3, 0, 3]), [20.0, 30.0, 2.0, 3.0, 4.0, 5.0, 40.0, 50.0]);
        assert_eq!(changed(Mode::Add, &[1, 1]), [0.0, 1.0, 22.0, 43.0, 4.0, 5.0, 6.0, 7.0]);
        assert_eq!(changed(Mode::Add, &[3, 0, 3]), [20.0, 31.0, 2.0, 3.0, 4.0, 5.0, 46.0, 67.0]);
    }

    #[test]
    fn an_index_beyond_the_rows_is_passed_over() {
        let same = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0];
        assert_eq!(changed(Mode::Add, &[4, u32::MAX]), same);
        assert_eq!(changed(Mode::Replace, &[4, u32::MAX]), same);
    }

    #[test]
    fn many_rows_change_in_their_places() {
        for (n, m, row) in [(700, 600, 33), (20, 15, 2048), (3, 1000, 5)] {
            let (x, rows) = (random(n * row, 1), random(m * row, 2));
            let index: Vec<u32> = (0..m as u32).map(|i| i * 7919 % (n as u32 + 2)).collect();
            for mode in [Mode::Replace, Mode::Add] {
                let mut rec = Recording::new();
                let (bx, br) =
                    (rec.constant_f32([n, row], x.clone()), rec.constant_f32([m, row], rows.clone()));
                let bi = rec.constant_u32([m], index.clone());
                let out = record(&mut rec, bx, br, bi, mode).unwrap();
                let mut want = x.clone();
                for (j, &i) in index.iter().enumerate().filter(|(_, i)| **i < n as u32) {
                    for column in 0..row {
                        let to = &mut want[i as usize * row + column];
                        *to = rows[j * row + column] + if mode == Mode::Add { *to } else { 0.0 };
                    }
                }
                for mut executor in executors() {
                    assert_eq!(testing::run(&mut executor, &rec, out), want, "{mode:?} of {m} rows into {n}");
                }
            }
        }
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
