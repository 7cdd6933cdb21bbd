//! The second half of a transposed 1-D convolution with kernel `2·stride`, trimmed by `stride` on both ends; time-major.
//!
//! Each input step gives `2·stride` rows; a block of output is the second half of one step's rows plus the first half of the
//! next one's plus the bias. The last second half is carried over to the next call. The very first step has nothing before
//! it and gives no block.
//!
//! Bindings: y `[time, 2·stride·channels]` f32, bias `[channels]` f32 → carry `[stride, channels]` f32, updated, and, where
//! there is one, out `[(time - first)·stride, channels]` f32.

use super::bindings::{Inputs, Outputs, Slot};
use super::{Kernel, copy, require, threads};
use crate::error::Result;
use crate::recording::{Buffer, Recording, check};
use crate::shader::{Dispatch, Lowering};

#[derive(Clone, Debug)]
pub(crate) struct Params {
    first: bool,
}

/// Records the overlapping of `y` `[time, 2·stride·channels]`; the result is `[(time - first)·stride, channels]`, or none where
/// that has no rows. `carry` `[stride, channels]` is read unless `first`, and always written.
pub(crate) fn record(
    rec: &mut Recording,
    y: Buffer,
    bias: Buffer,
    carry: Buffer,
    stride: usize,
    first: bool,
) -> Result<Option<Buffer>> {
    require::f32s("overlap_add", &[("y", y), ("bias", bias), ("carry", carry)])?;
    let channels = bias.shape.len();
    check(stride > 0 && y.rows() > 0 && y.row() == 2 * stride * channels, "overlap_add", || {
        format!("y must be [1 or more, 2·{stride}·{channels}], found {}", y.shape)
    })?;
    require::length("overlap_add", "carry", carry, stride * channels)?;
    require::apart("overlap_add", ("carry", carry), &[("y", y), ("bias", bias)])?;
    let blocks = y.rows() - usize::from(first);
    let out = (blocks > 0).then(|| rec.f32([blocks * stride, channels]));
    let outputs: Vec<Buffer> = [carry].into_iter().chain(out).collect();
    rec.push(Kernel::OverlapAdd(Params { first }), &[y, bias], &outputs);
    Ok(out)
}

pub(crate) fn cpu(p: &Params, inputs: &Inputs<'_>, outputs: Outputs<'_>) {
    let (y, bias) = (inputs.f32(0), inputs.f32(1));
    let mut outputs = outputs.slots.into_iter().map(Slot::f32);
    let Some(carry) = outputs.next() else { return };
    let half = carry.len();
    if let Some(out) = outputs.next() {
        let old: &[f32] = carry;
        threads::rows(out, half, half, |start, out| {
            for (i, out) in out.chunks_exact_mut(half).enumerate() {
                let step = start + i + usize::from(p.first);
                let before = if step == 0 { old } else { &y[(2 * step - 1) * half..][..half] };
                let now = &y[2 * step * half..][..half];
                let rows = out.chunks_exact_mut(bias.len());
                for ((out, before), now) in
                    rows.zip(before.chunks_exact(bias.len())).zip(now.chunks_exact(bias.len()))
                {
                    for (((o, before), now), bias) in out.iter_mut().zip(before).zip(now).zip(bias) {
                        *o = before + now + bias;
                    }
                }
            }
        });
    }
    carry.copy_from_slice(&y[y.len() - half..]);
}

pub(crate) fn gpu(p: &Params, inputs: &[Buffer], outputs: &[Buffer], low: &mut Lowering<'_>) -> Result<()> {
    let (y, bias, carry) = (inputs[0], inputs[1], outputs[0]);
    let (time, half) = (y.rows(), carry.shape.len());
    let Some(&out) = outputs.get(1) else {
        return copy::words(y.reshape([2 * time, half]).slice_rows(2 * time - 1, 1), carry, low);
    };
    let dispatch = Dispatch::new("overlap_add")
        .read(y)
        .read(bias)
        .write(carry)
        .write(out)
        .size(out.shape.len())
        .size(time)
        .size(half)
        .size(bias.shape.len())
        .param(u32::from(p.first))
        .size(y.offset)
        .size(bias.offset)
        .size(carry.offset)
        .size(out.offset)
        .elements(out.shape.len(), low.target());
    low.push(dispatch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::Executor;
    use crate::kernels::testing::{assert_close, executors, random};
    use crate::recording::Constant;
    use crate::shape::Element;

    /// Rows that pieces of `y` of these lengths give, one after another.
    fn stream(executor: &mut Executor, y: &[f32], bias: &[f32], stride: usize, pieces: &[usize]) -> Vec<f32> {
        let (channels, row) = (bias.len(), 2 * stride * bias.len());
        let carry = executor.memory().allocate([stride, channels].into(), Element::F32).unwrap();
        executor.memory().write_f32(carry, &vec![f32::NAN; stride * channels]).unwrap(); // not read at first
        let (mut out, mut done) = (Vec::new(), 0);
        for &time in pieces {
            let mut rec = Recording::tapped_if(true);
            let by = rec.constant_f32([time, row], y[done * row..(done + time) * row].to_vec());
            let bb = rec.constant_f32([channels], bias.to_vec());
            if let Some(rows) = record(&mut rec, by, bb, carry, stride, done == 0).unwrap() {
                rec.tap(|| "rows".into(), rows);
            }
            executor.run_recording(&rec);
            if let Some((_, Constant::F32(rows))) = executor.take_taps().remove("rows") {
                out.extend(rows);
            }
            done += time;
        }
        out
    }

    #[test]
    fn pieces_give_the_trimmed_transposed_convolution() {
        for (time, channels, stride) in [(8, 1, 1), (8, 3, 5), (8, 40, 8), (8, 192, 4)] {
            let (y, bias) = (random(time * 2 * stride * channels, 1), random(channels, 2));
            // All rows added where they overlap, then `stride` rows cut from both ends.
            let mut want = vec![0.0; (time + 1) * stride * channels];
            for (t, y) in y.chunks(2 * stride * channels).enumerate() {
                want[t * stride * channels..].iter_mut().zip(y).for_each(|(w, y)| *w += f64::from(*y));
            }
            let want: Vec<f32> = want[stride * channels..time * stride * channels]
                .iter()
                .enumerate()
                .map(|(i, w)| (w + f64::from(bias[i % channels])) as f32)
                .collect();
            for mut executor in executors() {
                let whole = stream(&mut executor, &y, &bias, stride, &[8]);
                assert_close(&whole, &want, 1e-6);
                for pieces in [&[1, 7][..], &[1, 1, 1, 5], &[3, 1, 4], &[1; 8]] {
                    assert_eq!(stream(&mut executor, &y, &bias, stride, pieces), whole, "{pieces:?}");
                }
            }
        }
    }

    #[test]
    fn refuses_a_carry_of_another_stride() {
        let mut rec = Recording::new();
        let (y, bias, carry) = (rec.f32([4, 12]), rec.f32([2]), rec.f32([4, 2]));
        assert!(
            record(&mut rec, y, bias, carry, 3, true).unwrap_err().to_string().contains("carry must have 6")
        );
        assert!(record(&mut rec, y, bias, carry, 4, true).unwrap_err().to_string().contains("2·4·2"));
    }
}
