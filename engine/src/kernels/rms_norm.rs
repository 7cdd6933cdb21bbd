//! Root-mean-square normalisation of each row: `out = x / sqrt(mean(x²) + eps) · weight`.
//!
//! Bindings: x `[rows, row]` f32, weight `[row]` f32 → out `[rows, row]` f32. Sums in f32 over sixteen lanes; tolerance 1e-5.

use super::bindings::{Inputs, Outputs, Storage};
use super::lanes::{self, Lanes, Work};
use super::{Kernel, require, threads};
use crate::error::Result;
use crate::recording::{Buffer, Recording, check};
use crate::shader::{Dispatch, Lowering};

#[derive(Clone, Debug)]
pub(crate) struct Params {
    pub(crate) eps: f32,
}

/// A norm that another kernel applies to the rows that it reads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Norm {
    /// `[row]` f32
    pub(crate) weight: Buffer,
    pub(crate) eps: f32,
}

/// `Err` where `norm` does not fit rows of `x`.
pub(super) fn check_norm(kernel: &'static str, norm: Option<Norm>, x: Buffer) -> Result<()> {
    let Some(norm) = norm else { return Ok(()) };
    require::f32s(kernel, &[("norm", norm.weight)])?;
    require::length(kernel, "norm", norm.weight, x.row())
}

/// Records the normalisation of `x` `[rows, row]` by `weight` `[row]`; the result has the shape of `x`.
pub(crate) fn record(rec: &mut Recording, x: Buffer, weight: Buffer, eps: f32) -> Result<Buffer> {
    require::f32s("rms_norm", &[("x", x), ("weight", weight)])?;
    check(weight.shape.len() == x.row(), "rms_norm", || {
        format!("weight {} does not fit rows of x {}", weight.shape, x.shape)
    })?;
    let out = rec.f32(x.shape);
    rec.push(Kernel::RmsNorm(Params { eps }), &[x, weight], &[out]);
    Ok(out)
}

pub(crate) fn cpu(p: &Params, inputs: &Inputs<'_>, outputs: Outputs<'_>) {
    let (x, weight) = (inputs.f32(0), inputs.f32(1));
    let row = weight.len();
    threads::rows(outputs.one().f32(), row, row / 4, |first, out| {
        let x = &x[first * row..][..out.len()];
        lanes::run(Rows { x, weight, eps: p.eps, out });
    });
}

/// The rows of x `[rows, row]`, normalised, for kernels that begin with that.
pub(super) fn normalised(x: &[f32], weight: &[f32], eps: f32) -> Storage {
    let row = weight.len();
    let mut out = vec![0.0; x.len()];
    threads::rows(&mut out, row, row / 4, |first, out| {
        lanes::run(Rows { x: &x[first * row..][..out.len()], weight, eps, out });
    });
    Storage::F32(out)
}

pub(crate) fn gpu(p: &Params, inputs: &[Buffer], outputs: &[Buffer], low: &mut Lowering<'_>) -> Result<()> {
    let (x, weight, out) = (inputs[0], inputs[1], outputs[0]);
    let dispatch = Dispatch::new("rms_norm")
        .define(low.target().subgroup_define())
        .read(x)
        .read(weight)
        .write(out)
        .size(x.rows())
        .size(x.row())
        .float(p.eps)
        .size(x.offset)
        .size(weight.offset)
        .size(out.offset)
        .groups(x.rows(), low.target());
    low.push(dispatch)
}

struct Rows<'a> {
    x: &'a [f32],
    weight: &'a [f32],
    eps: f32,
    out: &'a mut [f32],
}

impl Work for Rows<'_> {
    type Out = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let row = self.weight.len();
        for (x, out) in self.x.chunks_exact(row).zip(self.out.chunks_exact_mut(row)) {
            let scale = 1.0 / (lanes::sum_squares(l, x, 0.0) / row as f32 + self.eps).sqrt();
            for ((o, v), w) in out.iter_mut().zip(x).zip(self.weight) {
                *o = v * scale * w;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::Executor;
    use crate::kernels::testing::{assert_close, executors, random, run};

    /// Plain loops in f64.
    fn oracle(x: &[f32], weight: &[f32], eps: f64) -> Vec<f32> {
        let row = weight.len();
        let mut out = Vec::new();
        for x in x.chunks(row) {
            let mean = x.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / row as f64;
            out.extend(
                x.iter()
                    .zip(weight)
                    .map(|(&v, &w)| (f64::from(v) / (mean + eps).sqrt() * f64::from(w)) as f32),
            );
        }
        out
    }

    #[test]
    fn matches_oracle_on_odd_rows() {
        for (rows, row) in [(1, 1), (3, 5), (2, 24), (5, 48), (1, 2048)] {
            let (x, w) = (random(rows * row, 1), random(row, 2));
            let mut rec = Recording::new();
            let (bx, bw) = (rec.constant_f32([rows, row], x.clone()), rec.constant_f32([row], w.clone()));
            let out = record(&mut rec, bx, bw, 1e-6).unwrap();
            for mut executor in executors() {
                assert_close(&run(&mut executor, &rec, out), &oracle(&x, &w, 1e-6), 1e-5);
            }
        }
    }

    #[test]
    fn split_rows_change_no_bit() {
        let (x, w) = (random(300 * 531, 1), random(531, 2));
        let run = |x: &[f32]| {
            let mut rec = Recording::new();
            let bx = rec.constant_f32([x.len() / 531, 531], x.to_vec());
            let bw = rec.constant_f32([531], w.clone());
            let out = record(&mut rec, bx, bw, 1e-6).unwrap();
            Executor::run_once(&rec, out)
        };
        let parts: Vec<f32> = x.chunks(531 * 7).flat_map(run).collect();
        assert_eq!(parts, run(&x));
    }

    #[test]
    fn refuses_a_weight_of_another_length() {
        let mut rec = Recording::new();
        let (x, w) = (rec.f32([2, 4]), rec.f32([5]));
        assert!(record(&mut rec, x, w, 1e-6).unwrap_err().to_string().contains("[5]"));
    }
}
