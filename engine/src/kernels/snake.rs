//! The periodic activation of the vocoder, per channel: `out = x + sin²(x · e^alpha) / (e^beta + 1e-9)`; time-major.
//!
//! Bindings: x `[time, channels]` f32, alpha `[channels]` f32, beta `[channels]` f32 → out `[time, channels]` f32. The square
//! of the sine is off by at most 4e-7.

use super::bindings::{Inputs, Outputs};
use super::lanes::{self, Lanes, Work};
use super::{Kernel, require, threads};
use crate::error::Result;
use crate::recording::{Buffer, Recording, check};
use crate::shader::{Dispatch, Lowering};

/// Records the activation of `x` `[time, channels]` by `alpha` and `beta` `[channels]`; the result has the shape of `x`.
pub(crate) fn record(rec: &mut Recording, x: Buffer, alpha: Buffer, beta: Buffer) -> Result<Buffer> {
    require::f32s("snake", &[("x", x), ("alpha", alpha), ("beta", beta)])?;
    check(alpha.shape.len() == x.row() && beta.shape.len() == x.row(), "snake", || {
        format!("alpha {} and beta {} must fit rows of x {}", alpha.shape, beta.shape, x.shape)
    })?;
    let out = rec.f32(x.shape);
    rec.push(Kernel::Snake, &[x, alpha, beta], &[out]);
    Ok(out)
}

pub(crate) fn cpu(inputs: &Inputs<'_>, outputs: Outputs<'_>) {
    let x = inputs.f32(0);
    let pitch: Vec<f32> = inputs.f32(1).iter().map(|a| a.exp()).collect();
    let depth: Vec<f32> = inputs.f32(2).iter().map(|b| 1.0 / (b.exp() + 1e-9)).collect();
    let row = pitch.len();
    threads::rows(outputs.one().f32(), row, row, |first, out| {
        let x = &x[first * row..][..out.len()];
        lanes::run(Rows { x, pitch: &pitch, depth: &depth, out });
    });
}

pub(crate) fn gpu(inputs: &[Buffer], outputs: &[Buffer], low: &mut Lowering<'_>) -> Result<()> {
    let (x, alpha, beta, out) = (inputs[0], inputs[1], inputs[2], outputs[0]);
    let dispatch = Dispatch::new("snake")
        .read(x)
        .read(alpha)
        .read(beta)
        .write(out)
        .size(x.shape.len())
        .size(x.row())
        .size(x.offset)
        .size(alpha.offset)
        .size(beta.offset)
        .size(out.offset)
        .elements(x.shape.len(), low.target());
    low.push(dispatch)
}

struct Rows<'a> {
    x: &'a [f32],
    pitch: &'a [f32],
    depth: &'a [f32],
    out: &'a mut [f32],
}

impl Work for Rows<'_> {
    type Out = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let row = self.pitch.len();
        let (pitch, last_pitch) = self.pitch.as_chunks::<16>();
        let (depth, last_depth) = self.depth.as_chunks::<16>();
        for (x, out) in self.x.chunks_exact(row).zip(self.out.chunks_exact_mut(row)) {
            let (x, last) = x.as_chunks::<16>();
            let (out, last_out) = out.as_chunks_mut::<16>();
            for (((x, out), pitch), depth) in x.iter().zip(out).zip(pitch).zip(depth) {
                l.store(lanes16(l, l.load(x), l.load(pitch), l.load(depth)), out);
            }
            if !last.is_empty() {
                let mut padded = [0.0; 16];
                let (pitch, depth) = (l.load_part(last_pitch), l.load_part(last_depth));
                l.store(lanes16(l, l.load_part(last), pitch, depth), &mut padded);
                last_out.copy_from_slice(&padded[..last.len()]);
            }
        }
    }
}

#[inline(always)]
fn lanes16<L: Lanes>(l: L, x: L::V, pitch: L::V, depth: L::V) -> L::V {
    let angle = l.mul(x, pitch);
    l.fma(lanes::sine_squared(l, angle), depth, x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::{assert_close, executors, random, run};

    #[test]
    fn matches_oracle_on_odd_channels() {
        for (time, channels) in [(1, 1), (5, 3), (2, 96), (400, 33)] {
            let (x, alpha, beta) = (random(time * channels, 1), random(channels, 2), random(channels, 3));
            let mut rec = Recording::new();
            let bx = rec.constant_f32([time, channels], x.clone());
            let (ba, bb) =
                (rec.constant_f32([channels], alpha.clone()), rec.constant_f32([channels], beta.clone()));
            let out = record(&mut rec, bx, ba, bb).unwrap();
            let want: Vec<f32> = x
                .iter()
                .enumerate()
                .map(|(i, &x)| {
                    let (alpha, beta) = (f64::from(alpha[i % channels]), f64::from(beta[i % channels]));
                    let x = f64::from(x);
                    (x + (x * alpha.exp()).sin().powi(2) / (beta.exp() + 1e-9)) as f32
                })
                .collect();
            for mut executor in executors() {
                assert_close(&run(&mut executor, &rec, out), &want, 2e-6);
            }
        }
    }

    #[test]
    fn the_square_of_the_sine_holds_far_out() {
        let x: Vec<f32> = (-10_000..10_000).map(|v| v as f32 * 0.997).collect();
        let beta = -13.0;
        let mut rec = Recording::new();
        let bx = rec.constant_f32([x.len(), 1], x.clone());
        // An alpha of 0 leaves x as it is; the small beta makes the sine large beside x.
        let (ba, bb) = (rec.constant_f32([1], vec![0.0]), rec.constant_f32([1], vec![beta]));
        let out = record(&mut rec, bx, ba, bb).unwrap();
        let depth = 1.0 / (f64::from(beta).exp() + 1e-9);
        let want: Vec<f32> =
            x.iter().map(|&x| (f64::from(x) + f64::from(x).sin().powi(2) * depth) as f32).collect();
        for mut executor in executors() {
            // 4e-7 for the square, the rest for the depth and the rounding of the sum.
            assert_close(&run(&mut executor, &rec, out), &want, 9e-7);
        }
    }

    #[test]
    fn refuses_a_beta_of_another_length() {
        let mut rec = Recording::new();
        let (x, alpha, beta) = (rec.f32([2, 4]), rec.f32([4]), rec.f32([3]));
        assert!(record(&mut rec, x, alpha, beta).unwrap_err().to_string().contains("beta [3]"));
    }
}
