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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::Executor;
    use crate::kernels::testing::random;
    use crate::shape::Element;

    #[test]
    fn picks_rows_and_never_leaves_the_matrix() {
        let mut rec = Recording::new();
        let x = rec.constant_f32([3, 2], (0..6).map(|v| v as f32).collect());
        let index = rec.constant_u32([5], vec![2, 0, 0, 3, u32::MAX]);
        let out = record(&mut rec, x, index).unwrap();
        assert_eq!(Executor::run_once(&rec, out), [4.0, 5.0, 0.0, 1.0, 0.0, 1.0, 4.0, 5.0, 4.0, 5.0]);
    }

    #[test]
    fn many_rows_keep_their_order_among_threads() {
        let x = random(1000 * 64, 1);
        let index: Vec<u32> = (0..50_000).map(|i| i * 7 % 1000).collect();
        let mut rec = Recording::new();
        let (bx, bi) = (rec.constant_f32([1000, 64], x.clone()), rec.constant_u32([50_000], index.clone()));
        let out = record(&mut rec, bx, bi).unwrap();
        let got = Executor::run_once(&rec, out);
        for (i, got) in index.iter().zip(got.chunks(64)) {
            assert_eq!(got, &x[*i as usize * 64..][..64]);
        }
    }

    #[test]
    fn refuses_an_empty_matrix() {
        let mut rec = Recording::new();
        let (x, index) = (rec.f32([0, 2]), rec.scratch([1], Element::U32));
        assert!(record(&mut rec, x, index).unwrap_err().to_string().contains("no rows"));
    }
}
