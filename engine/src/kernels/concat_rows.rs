//! The rows of one matrix followed by those of another.
//!
//! Bindings: a `[n, row]` f32, b `[m, row]` f32 → out `[n + m, row]` f32.

use super::bindings::{Inputs, Outputs};
use super::{Kernel, copy, require};
use crate::error::Result;
use crate::recording::{Buffer, Recording, check};
use crate::shader::Lowering;

/// Records `a` `[n, row]` followed by `b` `[m, row]`; the result is `[n + m, row]`.
pub(crate) fn record(rec: &mut Recording, a: Buffer, b: Buffer) -> Result<Buffer> {
    require::f32s("concat_rows", &[("a", a), ("b", b)])?;
    check(a.row() == b.row(), "concat_rows", || {
        format!("rows of a {} and b {} must have the same length", a.shape, b.shape)
    })?;
    let out = rec.f32([a.rows() + b.rows(), a.row()]);
    rec.push(Kernel::ConcatRows, &[a, b], &[out]);
    Ok(out)
}

pub(crate) fn cpu(inputs: &Inputs<'_>, outputs: Outputs<'_>) {
    let (a, b) = (inputs.f32(0), inputs.f32(1));
    let out = outputs.one().f32();
    out[..a.len()].copy_from_slice(a);
    out[a.len()..].copy_from_slice(b);
}

pub(crate) fn gpu(inputs: &[Buffer], outputs: &[Buffer], low: &mut Lowering<'_>) -> Result<()> {
    let (a, b, out) = (inputs[0], inputs[1], outputs[0]);
    copy::words(a, out.slice_rows(0, a.rows()), low)?;
    copy::words(b, out.slice_rows(a.rows(), b.rows()), low)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::{executors, random, run};

    #[test]
    fn rows_of_b_follow_those_of_a() {
        for (n, m, row) in [(1, 2, 2), (0, 3, 1), (3, 0, 7), (1, 1, 2048), (700, 5, 33)] {
            let all = random((n + m) * row, 1);
            let mut rec = Recording::new();
            let a = rec.constant_f32([n, row], all[..n * row].to_vec());
            let b = rec.constant_f32([m, row], all[n * row..].to_vec());
            let out = record(&mut rec, a, b).unwrap();
            assert_eq!((out.rows(), out.row()), (n + m, row));
            for mut executor in executors() {
                assert_eq!(run(&mut executor, &rec, out), all);
            }
        }
    }

    #[test]
    fn refuses_rows_of_another_length() {
        let mut rec = Recording::new();
        let (a, b) = (rec.f32([1, 2]), rec.f32([2, 3]));
        assert!(record(&mut rec, a, b).unwrap_err().to_string().contains("[2, 3]"));
    }
}
