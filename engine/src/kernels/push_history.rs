//! Keeps the last inputs of a convolution for the next call: history becomes the last rows of history followed by x.
//!
//! Bindings: x `[time, channels]` f32 → history `[rows, channels]` f32, updated.

use super::bindings::{Inputs, Outputs};
use super::{Kernel, require};
use crate::error::Result;
use crate::recording::{Buffer, Recording, check};

/// Records the moving of `x` `[time, channels]` into `history` `[rows, channels]`, whose oldest rows leave.
pub(crate) fn record(rec: &mut Recording, x: Buffer, history: Buffer) -> Result<()> {
    require::f32s("push_history", &[("x", x), ("history", history)])?;
    check(x.row() == history.row(), "push_history", || {
        format!("rows of x {} and history {} must have the same length", x.shape, history.shape)
    })?;
    require::apart("push_history", ("history", history), &[("x", x)])?;
    rec.push(Kernel::PushHistory, &[x], &[history]);
    Ok(())
}

pub(crate) fn cpu(inputs: &Inputs<'_>, outputs: Outputs<'_>) {
    let x = inputs.f32(0);
    let history = outputs.one().f32();
    let new = x.len().min(history.len());
    let kept = history.len() - new;
    history.copy_within(new.., 0);
    history[kept..].copy_from_slice(&x[x.len() - new..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::Executor;
    use crate::kernels::testing::random;
    use crate::shape::Element;

    #[test]
    fn keeps_the_last_rows_of_short_and_long_pieces() {
        let mut cpu = Executor::processor();
        let history = cpu.memory().allocate([4, 2].into(), Element::F32).unwrap();
        let mut all = vec![0.0; 8];
        for (round, time) in [1, 3, 4, 9, 2].into_iter().enumerate() {
            let x = random(time * 2, round as u64);
            all.extend_from_slice(&x);
            let mut rec = Recording::new();
            let bx = rec.constant_f32([time, 2], x);
            record(&mut rec, bx, history).unwrap();
            cpu.run_recording(&rec);
            assert_eq!(cpu.memory().read_f32(history).unwrap(), all[all.len() - 8..], "after {time} rows");
        }
    }

    #[test]
    fn refuses_rows_of_another_length_and_itself() {
        let mut rec = Recording::new();
        let (x, history) = (rec.f32([4, 2]), rec.f32([4, 3]));
        assert!(record(&mut rec, x, history).unwrap_err().to_string().contains("[4, 3]"));
        assert!(record(&mut rec, x, x).unwrap_err().to_string().contains("share memory"));
    }
}
