//! The gate of a SwiGLU block, element by element: `out = gate / (1 + e^-gate) · up`.
//!
//! Bindings: gate f32, up f32 of the same shape → out f32 of that shape. Tolerance 1e-6.

use super::bindings::{Inputs, Outputs};
use super::lanes::{self, Function, Lanes, Work};
use super::{Kernel, require, threads};
use crate::error::Result;
use crate::recording::{Buffer, Recording};

/// Records `silu(gate) · up` for `gate` and `up` `[n, width]`; the result has the shape of `gate`.
pub(crate) fn record(rec: &mut Recording, gate: Buffer, up: Buffer) -> Result<Buffer> {
    require::f32s("silu_mul", &[("gate", gate), ("up", up)])?;
    require::same("silu_mul", ("gate", gate), ("up", up))?;
    let out = rec.f32(gate.shape);
    rec.push(Kernel::SiluMul, &[gate, up], &[out]);
    Ok(out)
}

pub(crate) fn cpu(inputs: &Inputs<'_>, outputs: Outputs<'_>) {
    let (gate, up) = (inputs.f32(0), inputs.f32(1));
    threads::rows(outputs.one().f32(), 16, 16, |first, out| {
        let range = first * 16..first * 16 + out.len();
        lanes::run(Gate { gate: &gate[range.clone()], up: &up[range], out });
    });
}

struct Silu;

impl Function for Silu {
    #[inline(always)]
    fn of<L: Lanes>(&self, l: L, x: L::V) -> L::V {
        let e = lanes::exp(l, l.sub(l.splat(0.0), x));
        l.div(x, l.add(l.splat(1.0), e))
    }
}

struct Gate<'a> {
    gate: &'a [f32],
    up: &'a [f32],
    out: &'a mut [f32],
}

impl Work for Gate<'_> {
    type Out = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        self.out.copy_from_slice(self.gate);
        lanes::map(l, self.out, Silu);
        for (o, up) in self.out.iter_mut().zip(self.up) {
            *o *= up;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::Executor;
    use crate::kernels::testing::random;

    #[test]
    fn matches_oracle_to_the_tails() {
        for n in [1, 7, 16, 40, 10_007] {
            let mut gate: Vec<f32> = random(n, 1).into_iter().map(|v| v * 20.0).collect();
            gate[0] = if n == 7 { -200.0 } else { 200.0 };
            let up = random(n, 2);
            let mut rec = Recording::new();
            let (bg, bu) = (rec.constant_f32([1, n], gate.clone()), rec.constant_f32([1, n], up.clone()));
            let out = record(&mut rec, bg, bu).unwrap();
            for (i, got) in Executor::run_once(&rec, out).into_iter().enumerate() {
                let (g, u) = (f64::from(gate[i]), f64::from(up[i]));
                let want = g / (1.0 + (-g).exp()) * u;
                assert!((f64::from(got) - want).abs() <= 1e-6 * want.abs().max(1e-30), "silu {g} {u}: {got}");
            }
        }
    }

    #[test]
    fn refuses_another_shape() {
        let mut rec = Recording::new();
        let (gate, up) = (rec.f32([2, 4]), rec.f32([4, 2]));
        assert!(record(&mut rec, gate, up).unwrap_err().to_string().contains("[4, 2]"));
    }
}
