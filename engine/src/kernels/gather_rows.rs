//! Picks rows of a matrix: `out[i] = x[index[i]]`.
//!
//! Bindings: x `[n, row]` f32, index `[m]` u32 → out `[m, row]` f32. An index of n or more takes the last row. For weights as
//! stored there is the embedding kernel.

use super::bindings::{Inputs, Outputs};
use super::{Kernel, require, threads};
use crate::error::Result;
use crate::recording::{Buffer, Recording, check};
use crate::shader::{Dispatch, Lowering};

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

pub(crate) fn gpu(inputs: &[Buffer], outputs: &[Buffer], low: &mut Lowering<'_>) -> Result<()> {
    let (x, index, out) = (inputs[0], inputs[1], outputs[0]);
    let dispatch = Dispatch::new("gather_rows")
        .read(x)
        .read(index)
        .write(out)
        .size(out.shape.len())
        .size(x.rows())
        .size(x.row())
        .size(x.offset)
        .size(index.offset)
        .size(out.offset)
        .elements(out.shape.len(), low.target());
    low.push(dispatch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::{executors, random, run};
    use crate::shape::Element;

    #[test]
    fn picks_rows_and_never_leaves_the_matrix() {
        let mut rec = Recording::new();
        let x = rec.constant_f32([4, 2], (-2..6).map(|v| v as f32).collect()).slice_rows(1, 3);
        let index = rec.constant_u32([5], vec![2, 0, 0, 3, u32::MAX]);
        let out = record(&mut rec, x, index).unwrap();
        for mut executor in executors() {
            let got = run(&mut executor, &rec, out);
            assert_eq!(got, [4.0, 5.0, 0.0, 1.0, 0.0, 1.0, 4.0, 5.0, 4.0, 5.0]);
        }
    }

    #[test]
    fn many_rows_keep_their_order_among_threads() {
        for (row, m) in [(64, 50_000), (2048, 40), (129, 400)] {
            let x = random(1000 * row, 1);
            let index: Vec<u32> = (0..m as u32).map(|i| i * 7 % 1000).collect();
            let mut rec = Recording::new();
            let (bx, bi) = (rec.constant_f32([1000, row], x.clone()), rec.constant_u32([m], index.clone()));
            let out = record(&mut rec, bx, bi).unwrap();
            for mut executor in executors() {
                let got = run(&mut executor, &rec, out);
                for (i, got) in index.iter().zip(got.chunks(row)) {
                    assert_eq!(got, &x[*i as usize * row..][..row]);
                }
            }
        }
    }

    #[test]
    fn refuses_an_empty_matrix() {
        let mut rec = Recording::new();
        let (x, index) = (rec.f32([0, 2]), rec.scratch([1], Element::U32));
        assert!(record(&mut rec, x, index).unwrap_err().to_string().contains("no rows"));
    }
}
