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
