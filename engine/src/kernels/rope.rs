//! Rotary position embedding, each head's first half against its second:
//! `out1 = x1 · cos - x2 · sin`, `out2 = x2 · cos + x1 · sin`.
//!
//! Bindings: x `[n, heads·head_dim]` f32, table `[n, head_dim]` f32 (cosines, then sines) → out like x. Tolerance 1e-6.

use super::bindings::{Inputs, Outputs};
use super::{Kernel, require, threads};
use crate::error::Result;
use crate::recording::{Buffer, Recording, check};
use crate::shader::{Dispatch, Lowering};

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

pub(crate) fn gpu(inputs: &[Buffer], outputs: &[Buffer], low: &mut Lowering<'_>) -> Result<()> {
    let (x, table, out) = (inputs[0], inputs[1], outputs[0]);
    let (pairs, head_dim) = (x.shape.len() / 2, table.row());
    let dispatch = Dispatch::new("rope")
        .read(x)
        .read(table)
        .write(out)
        .size(pairs)
        .size(x.shape.len() / table.shape.len())
        .size(head_dim / 2)
        .size(x.offset)
        .size(table.offset)
        .size(out.offset)
        .threads(pairs, 256, low.target());
    low.push(dispatch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::{assert_close, executors, random, run};

    /// Rotation of each pair `(j, j + head_dim / 2)`, in f64.
    fn oracle(x: &[f32], table: &[f32], heads: usize, head_dim: usize) -> Vec<f32> {
        let half = head_dim / 2;
        let at = |i: usize| f64::from(x[i]);
        (0..x.len())
            .map(|i| {
                let (row, j) = (i / head_dim / heads, i % head_dim);
                let (cos, sin) = (table[row * head_dim + j % half], table[row * head_dim + half + j % half]);
                let other = if j < half { -at(i + half) } else { at(i - half) };
                (at(i) * f64::from(cos) + other * f64::from(sin)) as f32
            })
            .collect()
    }

    #[test]
    fn matches_oracle_in_every_view_of_the_heads() {
        for (n, heads, head_dim) in [(1, 1, 2), (3, 5, 6), (2, 3, 72), (130, 32, 128)] {
            let (x, table) = (random(n * heads * head_dim, 1), random(n * head_dim, 2));
            let want = oracle(&x, &table, heads, head_dim);
            let mut rec = Recording::new();
            let bx = rec.constant_f32([n, heads * head_dim], x);
            let bt = rec.constant_f32([n, head_dim], table);
            for view in [bx, bx.reshape([n * heads, head_dim]), bx.reshape([n, heads, head_dim])] {
                let out = record(&mut rec, view, bt, head_dim).unwrap();
                assert_eq!(out.shape, view.shape);
                for mut executor in executors() {
                    assert_close(&run(&mut executor, &rec, out), &want, 1e-6);
                }
            }
        }
    }

    #[test]
    fn refuses_a_table_for_other_rows_or_heads() {
        let mut rec = Recording::new();
        let (x, two, wide) = (rec.f32([4, 16]), rec.f32([2, 8]), rec.f32([4, 16]));
        assert!(record(&mut rec, x, two, 8).unwrap_err().to_string().contains("[2, 8]"));
        assert!(record(&mut rec, x, wide, 8).unwrap_err().to_string().contains("[rows of x, 8]"));
        assert!(record(&mut rec, x, two, 5).unwrap_err().to_string().contains("found 5"));
    }
}
