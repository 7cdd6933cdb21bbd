//! The second half of a transposed 1-D convolution with kernel `2·stride`, trimmed by `stride` on both ends; time-major.
//!
//! Each input step gives `2·stride` rows; a block of output is the second half of one step's rows plus the first half of the
//! next one's plus the bias. The last second half is carried over to the next call. The very first step has nothing before
//! it and gives no block.
//!
//! Bindings: y `[time, 2·stride·channels]` f32, bias `[channels]` f32 → carry `[stride, channels]` f32, updated, and, where
//! there is one, out `[(time - first)·stride, channels]` f32.

use super::bindings::{Inputs, Outputs, Slot};
use super::{Kernel, require, threads};
use crate::error::Result;
use crate::recording::{Buffer, Recording, check};

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
