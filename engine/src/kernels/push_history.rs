//! Keeps the last inputs of a convolution for the next call: history becomes the last rows of history followed by x.
//!
//! Bindings: x `[time, channels]` f32 → history `[rows, channels]` f32, updated.

use super::bindings::{Inputs, Outputs};
use super::{Kernel, require};
use crate::error::Result;
use crate::recording::{Buffer, Recording, check};
use crate::shader::{Dispatch, Lowering};

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

pub(crate) fn gpu(inputs: &[Buffer], outputs: &[Buffer], low: &mut Lowering<'_>) -> Result<()> {
    let (x, history) = (inputs[0], outputs[0]);
    let (count, past) = (x.shape.len(), history.shape.len());
    let dispatch = Dispatch::new("push_history")
        .read(x)
        .write(history)
        .size(past)
        .size(count)
        .size(x.offset)
        .size(history.offset)
        .elements(count.min(past), low.target());
    low.push(dispatch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::{executors, random};
    use crate::shape::Element;

    #[test]
    fn keeps_the_last_rows_of_short_and_long_pieces() {
        for mut executor in executors() {
            for [rows, channels] in [[4, 2], [6, 1024], [54, 97]] {
                let history = executor.memory().allocate([rows, channels].into(), Element::F32).unwrap();
                let mut all = vec![0.0; rows * channels];
                for (round, time) in [1, 3, 4, 9, 2, 64].into_iter().enumerate() {
                    let x = random(time * channels, round as u64);
                    all.extend_from_slice(&x);
                    let mut rec = Recording::new();
                    let bx = rec.constant_f32([time, channels], x);
                    record(&mut rec, bx, history).unwrap();
                    executor.run_recording(&rec);
                    let got = executor.memory().read_f32(history).unwrap();
                    assert_eq!(got, all[all.len() - rows * channels..], "after {time} rows");
                }
            }
        }
    }

    #[test]
    fn neighbours_of_a_view_stay() {
        for mut executor in executors() {
            let whole = executor.memory().allocate([5, 1].into(), Element::F32).unwrap();
            executor.memory().write_f32(whole, &[1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
            let mut rec = Recording::new();
            let x = rec.constant_f32([3, 1], vec![7.0, 8.0, 9.0]);
            record(&mut rec, x.slice_rows(1, 2), whole.slice_rows(1, 3)).unwrap();
            executor.run_recording(&rec);
            assert_eq!(executor.memory().read_f32(whole).unwrap(), [1.0, 4.0, 8.0, 9.0, 5.0]);
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
