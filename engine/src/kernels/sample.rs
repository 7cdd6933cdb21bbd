//! Draws the next token from logits, or takes the most probable one.
//!
//! In this order: repetition penalty (a logit of a token seen before is divided by it where positive, else multiplied), ids that
//! are not allowed are struck out, temperature, top-k, top-p, and a draw by the inverse of the cumulative distribution in
//! descending order of probability, of equals the lower id first. Random numbers are a hash of seed and counter (pcg3d of
//! Jarzynski and Olano, "Hash Functions for GPU Rendering", 2020), in u32 arithmetic that any processor repeats. NaN counts
//! as negative infinity. Where nothing is left, the first allowed id is taken.
//!
//! Bindings: logits `[1, vocabulary]` f32 → token `[1]` u32, written; rng `[3]` u32 (seed's low and high half, counter),
//! counter updated; and, where there is a penalty, seen `[vocabulary]` u32 (0 or 1), updated. Sums in f64.

mod choice;

use super::bindings::{Inputs, Outputs, Slot};
use super::{Kernel, require};
use crate::error::Result;
use crate::recording::{Buffer, Recording, check};

/// Resident buffers of one sampler.
#[derive(Clone, Copy, Debug)]
pub(crate) struct State {
    /// `[1]` u32: the token drawn last.
    pub(crate) token: Buffer,
    /// `[3]` u32: low and high half of the seed, and a counter that grows by one each call.
    pub(crate) rng: Buffer,
    /// `[vocabulary]` u32: 1 for each token drawn so far.
    pub(crate) seen: Option<Buffer>,
}

#[derive(Clone, Debug)]
pub(crate) struct Params {
    /// Divides the logits; 0 takes the largest, of equals the one with the lowest id.
    pub(crate) temperature: f32,
    /// Tokens to choose among; 0 for all.
    pub(crate) top_k: usize,
    /// Share of the probability to choose among, most probable first; 1 for all.
    pub(crate) top_p: f32,
    /// Makes tokens seen before less probable; 1 for no change.
    pub(crate) repetition_penalty: f32,
    /// Ids below the first are allowed, and the second; none allows all.
    pub(crate) allowed: Option<(usize, u32)>,
}

/// Records a draw from `logits` `[1, vocabulary]`; the result is `state.token`.
pub(crate) fn record(rec: &mut Recording, logits: Buffer, state: State, params: Params) -> Result<Buffer> {
    let State { token, rng, seen } = state;
    let p = &params;
    let vocabulary = logits.shape.len();
    require::f32s("sample", &[("logits", logits)])?;
    require::u32s("sample", &[("token", token), ("rng", rng)])?;
    require::length("sample", "token", token, 1)?;
    require::length("sample", "rng", rng, 3)?;
    check(logits.rows() == 1 && u32::try_from(vocabulary).is_ok(), "sample", || {
        format!("logits must be one row, found {}", logits.shape)
    })?;
    let sane =
        p.temperature.is_finite() && p.temperature >= 0.0 && p.top_p > 0.0 && p.repetition_penalty > 0.0;
    check(sane, "sample", || {
        format!("temperature must be 0 or more, top_p and repetition_penalty above 0, found {p:?}")
    })?;
    check(
        p.allowed.is_none_or(|(below, id)| below <= vocabulary && (id as usize) < vocabulary),
        "sample",
        || format!("allowed {:?} must lie within logits {}", p.allowed, logits.shape),
    )?;
    check(seen.is_some() || p.repetition_penalty == 1.0, "sample", || {
        "a repetition penalty needs the buffer of tokens seen".into()
    })?;
    require::apart("sample", ("token", token), &[("rng", rng), ("logits", logits)])?;
    require::apart("sample", ("rng", rng), &[("logits", logits)])?;
    let mut outputs = vec![token, rng];
    if let Some(seen) = seen {
        require::u32s("sample", &[("seen", seen)])?;
        require::length("sample", "seen", seen, vocabulary)?;
        require::apart("sample", ("seen", seen), &[("token", token), ("rng", rng), ("logits", logits)])?;
        outputs.push(seen);
    }
    rec.push(Kernel::Sample(params), &[logits], &outputs);
    Ok(token)
}

pub(crate) fn cpu(p: &Params, inputs: &Inputs<'_>, outputs: Outputs<'_>) {
    let mut outputs = outputs.slots.into_iter().map(Slot::u32);
    let (Some(token), Some(rng), seen) = (outputs.next(), outputs.next(), outputs.next()) else { return };
    let drawn = uniform(rng[0], rng[1], rng[2]);
    rng[2] = rng[2].wrapping_add(1);
    token[0] = choice::choose(p, inputs.f32(0), seen.as_deref(), drawn);
    if let Some(seen) = seen {
        seen[token[0] as usize] = 1;
    }
}

/// A number from 0 up to but not including 1, of 24 bits.
fn uniform(seed_low: u32, seed_high: u32, counter: u32) -> f32 {
    let mut v = [seed_low, seed_high, counter].map(|v| v.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
    let mix = |v: &mut [u32; 3]| {
        v[0] = v[0].wrapping_add(v[1].wrapping_mul(v[2]));
        v[1] = v[1].wrapping_add(v[2].wrapping_mul(v[0]));
        v[2] = v[2].wrapping_add(v[0].wrapping_mul(v[1]));
    };
    mix(&mut v);
    v = v.map(|v| v ^ (v >> 16));
    mix(&mut v);
    (v[0] >> 8) as f32 / (1u32 << 24) as f32
}

#[cfg(test)]
mod tests;
