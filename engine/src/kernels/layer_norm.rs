//! Layer normalisation of each row: `out = (x - mean) / sqrt(variance + eps) · weight + bias`.
//!
//! Bindings: x `[rows, row]` f32, weight `[row]` f32, bias `[row]` f32 → out `[rows, row]` f32. Mean first, then the
//! variance about it, in f32 over sixteen lanes or the threads of a workgroup; tolerance 2e-5.

use super::bindings::{Inputs, Outputs};
use super::lanes::{self, Lanes, Work};
use super::{Kernel, require, threads};
use crate::error::Result;
use crate::recording::{Buffer, Recording, check};
use crate::shader::{Dispatch, Lowering};

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

pub(crate) fn gpu(p: &Params, inputs: &[Buffer], outputs: &[Buffer], low: &mut Lowering<'_>) -> Result<()> {
    let (x, weight, bias, out) = (inputs[0], inputs[1], inputs[2], outputs[0]);
    let dispatch = Dispatch::new("layer_norm")
        .define(low.target().subgroup_define())
        .read(x)
        .read(weight)
        .read(bias)
        .write(out)
        .size(x.rows())
        .size(x.row())
        .float(p.eps)
        .size(x.offset)
        .size(weight.offset)
        .size(bias.offset)
        .size(out.offset)
        .groups(x.rows(), low.target());
    low.push(dispatch)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::Executor;
    use crate::kernels::testing::{self, assert_close, executors, random};

    /// Plain loops in f64.
    fn oracle(x: &[f32], weight: &[f32], bias: &[f32], eps: f64) -> Vec<f32> {
        let row = weight.len();
        let mut out = Vec::new();
        for x in x.chunks(row) {
            let mean = x.iter().map(|&v| f64::from(v)).sum::<f64>() / row as f64;
            let variance = x.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / row as f64;
            for (i, v) in x.iter().enumerate() {
                let normal = (f64::from(*v) - mean) / (variance + eps).sqrt();
                out.push((normal * f64::from(weight[i]) + f64::from(bias[i])) as f32);
            }
        }
        out
    }

    fn run(executor: &mut Executor, x: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f32> {
        let row = weight.len();
        let mut rec = Recording::new();
        let bx = rec.constant_f32([x.len() / row, row], x.to_vec());
        let (bw, bb) = (rec.constant_f32([row], weight.to_vec()), rec.constant_f32([row], bias.to_vec()));
        let out = record(&mut rec, bx, bw, bb, 1e-6).unwrap();
        testing::run(executor, &rec, out)
    }

    #[test]
    fn matches_oracle_on_odd_rows_far_from_zero() {
        for (rows, row) in [(1, 1), (3, 5), (2, 24), (300, 48), (7, 1153), (65, 1280), (1, 3072)] {
            let x: Vec<f32> = random(rows * row, 1).into_iter().map(|v| v + 30.0).collect();
            let (w, b) = (random(row, 2), random(row, 3));
            for mut executor in executors() {
                let got = run(&mut executor, &x, &w, &b);
                assert_close(&got, &oracle(&x, &w, &b, 1e-6), 2e-5);
            }
        }
    }

    #[test]
    fn split_rows_change_no_bit() {
        let (x, w, b) = (random(200 * 531, 1), random(531, 2), random(531, 3));
        for mut executor in executors() {
            let parts: Vec<f32> = x.chunks(531 * 7).flat_map(|x| run(&mut executor, x, &w, &b)).collect();
            assert_eq!(parts, run(&mut executor, &x, &w, &b));
        }
    }

    #[test]
    fn refuses_a_bias_of_another_length() {
        let mut rec = Recording::new();
        let (x, w, b) = (rec.f32([2, 4]), rec.f32([4]), rec.f32([5]));
        assert!(record(&mut rec, x, w, b, 1e-6).unwrap_err().to_string().contains("bias [5]"));
    }
}
