//! Sum of two tensors, element by element.
//!
//! Bindings: a f32, b f32 of the same shape → out f32 of that shape. Exact in f32.

use super::bindings::{Inputs, Outputs};
use super::{Kernel, require, threads};
use crate::error::Result;
use crate::recording::{Buffer, Recording};
use crate::shader::{Dispatch, Lowering};

/// Records `a + b` for `a` and `b` `[n, width]`; the result has the shape of `a`.
pub(crate) fn record(rec: &mut Recording, a: Buffer, b: Buffer) -> Result<Buffer> {
    require::f32s("add", &[("a", a), ("b", b)])?;
    require::same("add", ("a", a), ("b", b))?;
    let out = rec.f32(a.shape);
    rec.push(Kernel::Add, &[a, b], &[out]);
    Ok(out)
}

pub(crate) fn cpu(inputs: &Inputs<'_>, outputs: Outputs<'_>) {
    let (a, b) = (inputs.f32(0), inputs.f32(1));
    threads::rows(outputs.one().f32(), 16, 4, |first, out| {
        let range = first * 16..first * 16 + out.len();
        for ((o, a), b) in out.iter_mut().zip(&a[range.clone()]).zip(&b[range]) {
            *o = a + b;
        }
    });
}

pub(crate) fn gpu(inputs: &[Buffer], outputs: &[Buffer], low: &mut Lowering<'_>) -> Result<()> {
    let (a, b, out) = (inputs[0], inputs[1], outputs[0]);
    let dispatch = Dispatch::new("add")
        .read(a)
        .read(b)
        .write(out)
        .size(out.shape.len())
        .size(a.offset)
        .size(b.offset)
        .size(out.offset)
        .elements(out.shape.len(), low.target());
    low.push(dispatch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::{executors, random, run};

    #[test]
    fn adds_every_element() {
        for n in [1, 33, 2048, 200_003] {
            let (a, b) = (random(n, 1), random(n, 2));
            let mut rec = Recording::new();
            let (ba, bb) = (rec.constant_f32([1, n], a.clone()), rec.constant_f32([1, n], b.clone()));
            let out = record(&mut rec, ba, bb).unwrap();
            let want: Vec<f32> = a.iter().zip(&b).map(|(a, b)| a + b).collect();
            for mut executor in executors() {
                assert_eq!(run(&mut executor, &rec, out), want);
            }
        }
    }

    #[test]
    fn refuses_another_shape() {
        let mut rec = Recording::new();
        let (a, b) = (rec.f32([2, 4]), rec.f32([2, 5]));
        assert!(record(&mut rec, a, b).unwrap_err().to_string().contains("[2, 5]"));
    }
}
