//! Reorders the axes of a tensor of four.
//!
//! Bindings: x, seen as `axes`, f32 → out, whose axis `i` is axis `order[i]` of x, f32.

use super::bindings::{Inputs, Outputs};
use super::{Kernel, require, threads};
use crate::error::Result;
use crate::recording::{Buffer, Recording, check};
use crate::shader::{Dispatch, Lowering};

#[derive(Clone, Debug)]
pub(crate) struct Params {
    axes: [usize; 4],
    order: [usize; 4],
}

impl Params {
    /// Distance in `x` from one element to the next along each axis of the result.
    fn steps(&self) -> [usize; 4] {
        let [_, b, c, d] = self.axes;
        let strides = [b * c * d, c * d, d, 1];
        self.order.map(|axis| strides[axis])
    }
}

/// Records a copy of `x`, seen as `axes`, whose axis `i` is axis `order[i]` of `x`.
pub(crate) fn record(rec: &mut Recording, x: Buffer, axes: [usize; 4], order: [usize; 4]) -> Result<Buffer> {
    require::f32s("permute", &[("x", x)])?;
    let len = axes.iter().try_fold(1usize, |len, &axis| len.checked_mul(axis));
    check(len == Some(x.shape.len()) && !axes.contains(&0), "permute", || {
        format!("x {} cannot be seen as {axes:?}", x.shape)
    })?;
    check((0..4).all(|axis| order.contains(&axis)), "permute", || {
        format!("order must name each of the axes 0 to 3 once, found {order:?}")
    })?;
    let out = rec.f32(order.map(|axis| axes[axis]));
    rec.push(Kernel::Permute(Params { axes, order }), &[x], &[out]);
    Ok(out)
}

pub(crate) fn cpu(p: &Params, inputs: &Inputs<'_>, outputs: Outputs<'_>) {
    let x = inputs.f32(0);
    let [_, len1, len2, len3] = p.order.map(|axis| p.axes[axis]);
    let [step0, step1, step2, step3] = p.steps();
    threads::rows(outputs.one().f32(), len3, len3 / 2, |first, out| {
        for (i, out) in out.chunks_exact_mut(len3).enumerate() {
            let i = first + i;
            let start = i / (len1 * len2) * step0 + i / len2 % len1 * step1 + i % len2 * step2;
            if step3 == 1 {
                out.copy_from_slice(&x[start..start + len3]);
            } else {
                out.iter_mut().zip(x[start..].iter().step_by(step3)).for_each(|(o, v)| *o = *v);
            }
        }
    });
}

pub(crate) fn gpu(p: &Params, inputs: &[Buffer], outputs: &[Buffer], low: &mut Lowering<'_>) -> Result<()> {
    let (x, out) = (inputs[0], outputs[0]);
    let (lens, steps) = (p.order.map(|axis| p.axes[axis]), p.steps());
    let mut dispatch = Dispatch::new("permute").read(x).write(out).size(x.shape.len());
    for size in lens.into_iter().skip(1).chain(steps) {
        dispatch = dispatch.size(size);
    }
    low.push(dispatch.size(x.offset).size(out.offset).elements(x.shape.len(), low.target()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::{executors, run};

    #[test]
    fn every_order_puts_each_element_in_its_place() {
        let axes = [2, 3, 5, 7];
        let x: Vec<f32> = (0..210).map(|v| v as f32).collect();
        for code in 0..256 {
            let order = [code / 64, code / 16 % 4, code / 4 % 4, code % 4];
            let mut rec = Recording::new();
            let bx = rec.constant_f32([6, 35], x.clone());
            let Ok(out) = record(&mut rec, bx, axes, order) else {
                assert!((0..4).any(|axis| !order.contains(&axis)), "{order:?} refused");
                continue;
            };
            let [got, gpu] = executors().map(|mut executor| run(&mut executor, &rec, out));
            assert_eq!(got, gpu, "{order:?}");
            let lens = order.map(|axis| axes[axis]);
            assert_eq!(out.shape.axes(), lens);
            for (i, got) in got.into_iter().enumerate() {
                let mut rest = i;
                let mut at = [0; 4];
                for axis in (0..4).rev() {
                    at[order[axis]] = rest % lens[axis];
                    rest /= lens[axis];
                }
                assert_eq!(got as usize, ((at[0] * 3 + at[1]) * 5 + at[2]) * 7 + at[3], "{order:?} at {i}");
            }
        }
    }

    #[test]
    fn refuses_axes_of_another_size() {
        let mut rec = Recording::new();
        let x = rec.f32([6, 4]);
        let mut error = |axes| record(&mut rec, x, axes, [0, 1, 2, 3]).unwrap_err().to_string();
        assert!(error([2, 3, 2, 3]).contains("[2, 3, 2, 3]"));
        assert!(error([usize::MAX, 2, 2, 2]).contains("cannot be seen"));
    }
}
