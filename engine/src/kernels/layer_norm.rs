//! Layer normalisation of each row: `out = (x - mean) / sqrt(variance + eps) · weight + bias`.
//!
//! Bindings: x `[rows, row]` f32, weight `[row]` f32, bias `[row]` f32 → out `[rows, row]` f32. Mean first, then the
//! variance about it, in f32 over sixteen lanes; tolerance 2e-5.

use super::bindings::{Inputs, Outputs};
use super::lanes::{self, Lanes, Work};
use super::{Kernel, require, threads};
use crate::error::Result;
use crate::recording::{Buffer, Recording, check};

#[derive(Clone, Debug)]
pub(crate) struct Params {
    pub(crate) eps: f32,
}

/// Records the normalisation of `x` `[rows, row]` by `weight` and `bias` `[row]`; the result has the shape of `x`.
pub(crate) fn record(
    rec: &mut Recording,
    x: Buffer,
    weight: Buffer,
    bias: Buffer,
    eps: f32,
) -> Result<Buffer> {
    require::f32s("layer_norm", &[("x", x), ("weight", weight), ("bias", bias)])?;
    for (name, buffer) in [("weight", weight), ("bias", bias)] {
        check(buffer.shape.len() == x.row(), "layer_norm", || {
            format!("{name} {} does not fit rows of x {}", buffer.shape, x.shape)
        })?;
    }
    let out = rec.f32(x.shape);
    rec.push(Kernel::LayerNorm(Params { eps }), &[x, weight, bias], &[out]);
    Ok(out)
}

pub(crate) fn cpu(p: &Params, inputs: &Inputs<'_>, outputs: Outputs<'_>) {
    let (x, weight, bias) = (inputs.f32(0), inputs.f32(1), inputs.f32(2));
    let row = weight.len();
    threads::rows(outputs.one().f32(), row, row / 2, |first, out| {
        let x = &x[first * row..][..out.len()];
        lanes::run(Rows { x, weight, bias, eps: p.eps, out });
    });
}

struct Rows<'a> {
    x: &'a [f32],
    weight: &'a [f32],
    bias: &'a [f32],
    eps: f32,
    out: &'a mut [f32],
}

impl Work for Rows<'_> {
    type Out = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let row = self.weight.len();
        for (x, out) in self.x.chunks_exact(row).zip(self.out.chunks_exact_mut(row)) {
            let mean = lanes::sum(l, x) / row as f32;
            let scale = 1.0 / (lanes::sum_squares(l, x, mean) / row as f32 + self.eps).sqrt();
            for (((o, v), w), b) in out.iter_mut().zip(x).zip(self.weight).zip(self.bias) {
                *o = (v - mean) * scale * w + b;
            }
        }
    }
}
