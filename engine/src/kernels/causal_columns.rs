//! The windows of a causal 1-D convolution, laid out as rows for a matrix product; time-major.
//!
//! Bindings: x `[time, channels]` f32, history `[(kernel_size - 1)·dilation, channels]` f32, the inputs before x, the oldest
//! first → out `[time, channels·kernel_size]` f32 with column `channel·kernel_size + tap`; the last tap is the present input.

use super::bindings::{Inputs, Outputs};
use super::{Kernel, require, threads};
use crate::error::Result;
use crate::recording::{Buffer, Recording, check};
use crate::shader::{Dispatch, Lowering};

#[derive(Clone, Debug)]
pub(crate) struct Params {
    kernel_size: usize,
    dilation: usize,
}

/// Records the windows of `x` `[time, channels]` after `history`: `[time, channels·kernel_size]`.
pub(crate) fn record(
    rec: &mut Recording,
    x: Buffer,
    history: Buffer,
    kernel_size: usize,
    dilation: usize,
) -> Result<Buffer> {
    require::f32s("causal_columns", &[("x", x), ("history", history)])?;
    check(kernel_size > 0 && dilation > 0, "causal_columns", || {
        format!("kernel_size and dilation must be at least 1, found {kernel_size} and {dilation}")
    })?;
    let before = (kernel_size - 1).checked_mul(dilation);
    check(history.row() == x.row() && Some(history.rows()) == before, "causal_columns", || {
        format!("history must be [({kernel_size} - 1)·{dilation}, {}], found {}", x.row(), history.shape)
    })?;
    let out = rec.f32([x.rows(), x.row() * kernel_size]);
    rec.push(Kernel::CausalColumns(Params { kernel_size, dilation }), &[x, history], &[out]);
    Ok(out)
}

pub(crate) fn cpu(p: &Params, inputs: &Inputs<'_>, outputs: Outputs<'_>) {
    let (x, history) = (inputs.f32(0), inputs.f32(1));
    let channels = inputs.buffer(0).row();
    let width = channels * p.kernel_size;
    threads::rows(outputs.one().f32(), width, width, |first, out| {
        for (i, out) in out.chunks_exact_mut(width).enumerate() {
            for tap in 0..p.kernel_size {
                let row = row_of(x, history, channels, first + i + tap * p.dilation);
                for (o, v) in out[tap..].iter_mut().step_by(p.kernel_size).zip(row) {
                    *o = *v;
                }
            }
        }
    });
}

pub(crate) fn gpu(p: &Params, inputs: &[Buffer], outputs: &[Buffer], low: &mut Lowering<'_>) -> Result<()> {
    let (x, history, out) = (inputs[0], inputs[1], outputs[0]);
    let dispatch = Dispatch::new("causal_columns")
        .read(x)
        .read(history)
        .write(out)
        .size(out.shape.len())
        .size(x.row())
        .size(p.kernel_size)
        .size(p.dilation)
        .size(history.shape.len())
        .size(x.offset)
        .size(history.offset)
        .size(out.offset)
        .elements(out.shape.len(), low.target());
    low.push(dispatch)
}

/// Row `at` of `history` followed by `x`.
pub(super) fn row_of<'a>(x: &'a [f32], history: &'a [f32], channels: usize, at: usize) -> &'a [f32] {
    let start = at * channels;
    match start.checked_sub(history.len()) {
        Some(start) => &x[start..start + channels],
        None => &history[start..start + channels],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::{executors, random, run};

    #[test]
    fn columns_hold_the_present_input_last() {
        for (time, channels, kernel_size, dilation) in
            [(1, 1, 2, 1), (5, 3, 7, 1), (4, 2, 7, 9), (40, 33, 3, 3), (8, 1024, 3, 1)]
        {
            let before = (kernel_size - 1) * dilation;
            let all = random((before + time) * channels, 1);
            let (history, x) = all.split_at(before * channels);
            let mut rec = Recording::new();
            let bh = rec.constant_f32([before, channels], history.to_vec());
            let bx = rec.constant_f32([time, channels], x.to_vec());
            let out = record(&mut rec, bx, bh, kernel_size, dilation).unwrap();
            assert_eq!((out.rows(), out.row()), (time, channels * kernel_size));
            let [got, gpu] = executors().map(|mut executor| run(&mut executor, &rec, out));
            assert_eq!(got, gpu);
            for (i, got) in got.into_iter().enumerate() {
                let (t, channel, tap) =
                    (i / (channels * kernel_size), i / kernel_size % channels, i % kernel_size);
                let at = before + t - (kernel_size - 1 - tap) * dilation;
                assert_eq!(got, all[at * channels + channel], "time {t} channel {channel} tap {tap}");
            }
        }
    }

    #[test]
    fn refuses_a_history_of_another_length() {
        let mut rec = Recording::new();
        let (x, history) = (rec.f32([4, 2]), rec.f32([5, 2]));
        let mut error = |k, d| record(&mut rec, x, history, k, d).unwrap_err().to_string();
        assert!(error(7, 1).contains("[5, 2]"));
        assert!(error(0, 1).contains("found 0"));
        assert!(error(usize::MAX, 3).contains("history"));
    }
}
