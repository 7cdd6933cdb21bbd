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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::Executor;
    use crate::kernels::testing::{assert_close, random};

    #[test]
    fn matches_oracle_on_odd_rows() {
        for (n, row) in [(1, 1), (3, 5), (700, 129)] {
            let (x, y) = (random(n * row, 1), random(n * row, 2));
            let gate: Vec<f32> = random(n, 3).into_iter().map(|v| v * 40.0).collect();
            let mut rec = Recording::new();
            let (bx, by) = (rec.constant_f32([n, row], x.clone()), rec.constant_f32([n, row], y.clone()));
            let bg = rec.constant_f32([n, 1], gate.clone());
            let out = record(&mut rec, bx, by, bg).unwrap();
            let open = |i: usize| 1.0 / (1.0 + (-f64::from(gate[i / row])).exp());
            let want: Vec<f32> =
                (0..n * row).map(|i| (f64::from(x[i]) + open(i) * f64::from(y[i])) as f32).collect();
            assert_close(&Executor::run_once(&rec, out), &want, 1e-6);
        }
    }

    #[test]
    fn refuses_a_gate_for_each_element() {
        let mut rec = Recording::new();
        let (x, gate) = (rec.f32([2, 4]), rec.f32([2, 4]));
        assert!(record(&mut rec, x, x, gate).unwrap_err().to_string().contains("gate must have 2 elements"));
    }
}
