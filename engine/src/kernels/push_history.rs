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
