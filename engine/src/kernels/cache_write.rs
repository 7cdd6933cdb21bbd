//! Writes new rows into a ring: row `i` goes to slot `(past + i) mod capacity`.
//!
//! Bindings: x `[n, width]` f32, past `[1]` u32 (rows written before) → cache `[capacity, width]` f32, updated.
//! n is at most the capacity.

use super::bindings::{Inputs, Outputs};
use super::{Kernel, require};
use crate::error::Result;
use crate::recording::{Buffer, Recording, check};

/// Records the writing of `x` `[n, width]` into `cache` `[capacity, width]` behind the `past` `[1]` u32 rows before it.
pub(crate) fn record(rec: &mut Recording, x: Buffer, past: Buffer, cache: Buffer) -> Result<()> {
    require::f32s("cache_write", &[("x", x), ("cache", cache)])?;
    require::u32s("cache_write", &[("past", past)])?;
    require::length("cache_write", "past", past, 1)?;
    require::apart("cache_write", ("cache", cache), &[("x", x), ("past", past)])?;
    let capacity = cache.shape.axes()[0];
    check(capacity * x.row() == cache.shape.len() && x.rows() <= capacity, "cache_write", || {
        format!("cache {} must have at least the rows of x {} and their length", cache.shape, x.shape)
    })?;
    rec.push(Kernel::CacheWrite, &[x, past], &[cache]);
    Ok(())
}

pub(crate) fn cpu(inputs: &Inputs<'_>, outputs: Outputs<'_>) {
    let (x, past) = (inputs.f32(0), inputs.u32(1)[0] as usize);
    let width = inputs.buffer(0).row();
    let cache = outputs.one().f32();
    let capacity = cache.len() / width;
    if capacity == 0 {
        return;
    }
    let start = past % capacity * width;
    let until_end = x.len().min(cache.len() - start);
    cache[start..start + until_end].copy_from_slice(&x[..until_end]);
    cache[..x.len() - until_end].copy_from_slice(&x[until_end..]);
}
