//! Causal 1-D convolution of each channel by itself; time-major.
//!
//! `out[t, c] = bias[c] + Σ_tap weight[c, tap] · x[t - (taps - 1) + tap, c]`, taps ascending.
//!
//! Bindings: x `[time, channels]` f32, history `[taps - 1, channels]` f32, the inputs before x, weight `[channels, taps]` f32,
//! bias `[channels]` f32 → out `[time, channels]` f32. Sums in f32; tolerance 1e-5.

use super::bindings::{Inputs, Outputs};
use super::causal_columns::row_of;
use super::{Kernel, require, threads};
use crate::error::Result;
use crate::recording::{Buffer, Recording, check};
use crate::shader::{Dispatch, Lowering};

/// Records the convolution of `x` `[time, channels]` after `history` `[taps - 1, channels]` with `weight`
/// `[channels, taps]` and `bias` `[channels]`; the result has the shape of `x`.
pub(crate) fn record(
    rec: &mut Recording,
    x: Buffer,
    history: Buffer,
    weight: Buffer,
    bias: Buffer,
) -> Result<Buffer> {
    require::f32s("depthwise_conv", &[("x", x), ("history", history), ("weight", weight), ("bias", bias)])?;
    let (channels, taps) = (x.row(), history.rows() + 1);
    check(history.row() == channels, "depthwise_conv", || {
        format!("history {} must have rows like x {}", history.shape, x.shape)
    })?;
    check(
        weight.shape.axes()[0] == channels && weight.shape.len() == channels * taps,
        "depthwise_conv",
        || {
            format!(
                "weight must be [{channels}, {taps}] for history {}, found {}",
                history.shape, weight.shape
            )
        },
    )?;
    require::length("depthwise_conv", "bias", bias, channels)?;
    let out = rec.f32(x.shape);
    rec.push(Kernel::DepthwiseConv, &[x, history, weight, bias], &[out]);
    Ok(out)
}

pub(crate) fn cpu(inputs: &Inputs<'_>, outputs: Outputs<'_>) {
    let (x, history, weight, bias) = (inputs.f32(0), inputs.f32(1), inputs.f32(2), inputs.f32(3));
    let channels = bias.len();
    let taps = weight.len() / channels;
    threads::rows(outputs.one().f32(), channels, channels * taps, |first, out| {
        for (i, out) in out.chunks_exact_mut(channels).enumerate() {
            out.copy_from_slice(bias);
            for tap in 0..taps {
                let row = row_of(x, history, channels, first + i + tap);
                for ((o, v), w) in out.iter_mut().zip(row).zip(weight[tap..].iter().step_by(taps)) {
                    *o += v * w;
                }
            }
        }
    });
}

pub(crate) fn gpu(inputs: &[Buffer], outputs: &[Buffer], low: &mut Lowering<'_>) -> Result<()> {
    let (x, history, weight, bias, out) = (inputs[0], inputs[1], inputs[2], inputs[3], outputs[0]);
    let taps = history.rows() + 1;
    let dispatch = Dispatch::new("depthwise_conv")
        .read(x)
        .read(history)
        .read(weight)
        .read(bias)
        .write(out)
        .size(x.shape.len())
        .size(x.row())
        .size(taps)
        .size(history.shape.len())
        .size(x.offset)
        .size(history.offset)
        .size(weight.offset)
        .size(bias.offset)
        .size(out.offset)
        .elements(x.shape.len(), low.target())
        .costs(x.shape.len() * taps);
    low.push(dispatch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::Executor;
    use crate::kernels::testing::{self, assert_close, executors, random};

    fn run(executor: &mut Executor, x: &[f32], history: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f32> {
        let channels = bias.len();
        let mut rec = Recording::new();
        let bx = rec.constant_f32([x.len() / channels, channels], x.to_vec());
        let bh = rec.constant_f32([history.len() / channels, channels], history.to_vec());
        let bw = rec.constant_f32([channels, weight.len() / channels], weight.to_vec());
        let bb = rec.constant_f32([channels], bias.to_vec());
        let out = record(&mut rec, bx, bh, bw, bb).unwrap();
        testing::run(executor, &rec, out)
    }

    #[test]
    fn matches_oracle_and_pieces_change_no_bit() {
        for (time, channels, taps) in [(1, 1, 1), (9, 3, 7), (40, 130, 7), (4, 1024, 7)] {
            let all = random((taps - 1 + time) * channels, 1);
            let (weight, bias) = (random(channels * taps, 2), random(channels, 3));
            let want: Vec<f32> = (0..time * channels)
                .map(|i| {
                    let (t, c) = (i / channels, i % channels);
                    let products = (0..taps).map(|tap| {
                        f64::from(weight[c * taps + tap]) * f64::from(all[(t + tap) * channels + c])
                    });
                    (f64::from(bias[c]) + products.sum::<f64>()) as f32
                })
                .collect();
            for mut executor in executors() {
                let (history, x) = all.split_at((taps - 1) * channels);
                let whole = run(&mut executor, x, history, &weight, &bias);
                assert_close(&whole, &want, 1e-5);
                let step_by_step: Vec<f32> = (0..time)
                    .flat_map(|t| {
                        let (history, x) =
                            all[t * channels..(t + taps) * channels].split_at((taps - 1) * channels);
                        run(&mut executor, x, history, &weight, &bias)
                    })
                    .collect();
                assert_eq!(step_by_step, whole);
            }
        }
    }

    #[test]
    fn refuses_a_weight_for_other_taps() {
        let mut rec = Recording::new();
        let (x, history, weight, bias) = (rec.f32([4, 2]), rec.f32([6, 2]), rec.f32([2, 6]), rec.f32([2]));
        assert!(record(&mut rec, x, history, weight, bias).unwrap_err().to_string().contains("[2, 7]"));
    }
}
