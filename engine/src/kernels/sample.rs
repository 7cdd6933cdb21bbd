//! Draws the next token from logits, or takes the most probable one.
//!
//! In this order: repetition penalty (a logit of a token seen before is multiplied by its reciprocal where positive, else by
//! itself), ids that are not allowed are struck out, temperature, top-k, top-p, and a draw by the inverse of the cumulative
//! distribution in descending order of probability, of equals the lower id first. Random numbers are a hash of seed and counter
//! (pcg3d of Jarzynski and Olano, "Hash Functions for GPU Rendering", 2020), in u32 arithmetic that any processor repeats. NaN
//! counts as negative infinity, and such calls are counted. Where nothing is left, the first allowed id is taken.
//!
//! Bindings: logits `[1, vocabulary]` f32 → token `[1]` u32, written; rng `[4]` u32 (seed's low and high half, counter, calls with
//! NaN), counts updated; and, where there is a penalty, seen `[vocabulary]` u32 (0 or 1), updated. Sums in f64; on a graphics
//! processor in f32, where a draw or a nucleus within 4e-6 of the border between two tokens may fall to either. The largest
//! logit is found exactly there too.

mod choice;

use super::bindings::{Inputs, Outputs, Slot};
use super::{Kernel, require};
use crate::error::Result;
use crate::recording::{Buffer, Recording, check};
use crate::shader::{Dispatch, Lowering};
use crate::shape::Element;

/// Tokens that the shaders sort: one for each thread of a workgroup.
const MOST_SORTED: usize = 256;

/// Logits that one workgroup looks through, where its memory allows.
const CHUNK: usize = 4096;

/// Resident buffers of one sampler.
#[derive(Clone, Copy, Debug)]
pub(crate) struct State {
    /// `[1]` u32: the token drawn last.
    pub(crate) token: Buffer,
    /// `[4]` u32: low and high half of the seed, a counter that grows by one each call, and a count of the calls whose logits held
    /// NaN: above 0, the model is broken and its tokens mean nothing.
    pub(crate) rng: Buffer,
    /// `[vocabulary]` u32: 1 for each token drawn so far.
    pub(crate) seen: Option<Buffer>,
}

impl State {
    /// Words of `rng`.
    pub(crate) const RNG: usize = 4;

    /// `[1]` u32: how many calls have had logits with NaN.
    pub(crate) fn broken(&self) -> Buffer {
        self.rng.reshape([State::RNG, 1]).slice_rows(State::RNG - 1, 1).reshape([1])
    }
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

impl Params {
    /// What is taken where no token is left: the first allowed id.
    fn fallback(&self) -> u32 {
        self.allowed.map_or(0, |(below, id)| if below > 0 { 0 } else { id })
    }
}

/// Records a draw from `logits` `[1, vocabulary]`; the result is `state.token`.
pub(crate) fn record(rec: &mut Recording, logits: Buffer, state: State, params: Params) -> Result<Buffer> {
    let State { token, rng, seen } = state;
    let p = &params;
    let vocabulary = logits.shape.len();
    require::f32s("sample", &[("logits", logits)])?;
    require::u32s("sample", &[("token", token), ("rng", rng)])?;
    require::length("sample", "token", token, 1)?;
    require::length("sample", "rng", rng, State::RNG)?;
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
    let logits = inputs.f32(0);
    rng[2] = rng[2].wrapping_add(1);
    rng[3] = rng[3].wrapping_add(logits.iter().any(|v| v.is_nan()).into());
    token[0] = choice::choose(p, logits, seen.as_deref(), drawn);
    if let Some(seen) = seen {
        seen[token[0] as usize] = 1;
    }
}

/// Up to three stages: each chunk of a large vocabulary gives its best tokens; the best of all are sorted and drawn from; and a
/// draw that may fall behind them is left to a search through the whole vocabulary, which is seldom needed.
pub(crate) fn gpu(p: &Params, inputs: &[Buffer], outputs: &[Buffer], low: &mut Lowering<'_>) -> Result<()> {
    let (logits, token, rng) = (inputs[0], outputs[0], outputs[1]);
    let seen = outputs.get(2).copied();
    let vocabulary = logits.shape.len();
    check(vocabulary < 1 << 24, "sample", || {
        format!("the shaders take fewer than 2^24 logits, found {}", logits.shape)
    })?;
    let greedy = p.temperature == 0.0;
    let top_k = if greedy { 1 } else { p.top_k };
    let limited = (1..vocabulary).contains(&top_k);
    let wanted = if limited { top_k } else { vocabulary };
    let sorts = !limited || wanted <= MOST_SORTED;
    let count = wanted.min(MOST_SORTED);
    let all = !limited && wanted > count;
    let chunk = if low.target().workgroup_bytes < 32_768 { CHUNK / 2 } else { CHUNK };
    let chunks = vocabulary.div_ceil(chunk);
    let (below, id) = p.allowed.unwrap_or((vocabulary, 0));
    let nothing = low.scratch([1], Element::U32);
    let pending = low.scratch([1], Element::U32);
    let stage = |shader| Dispatch::new(shader).read(logits).write(seen.unwrap_or(nothing));
    let params = |dispatch: Dispatch| {
        dispatch
            .size(vocabulary)
            .size(count)
            .size(chunks)
            .param(all.into())
            .size(if sorts { 0 } else { wanted })
            .size(below)
            .param(id)
            .param(p.fallback())
            .float(p.repetition_penalty)
            .float(1.0 / p.repetition_penalty)
            .float(if greedy { 0.0 } else { 1.0 / p.temperature })
            .float(if greedy { 1.0 } else { p.top_p })
            .param(seen.is_some().into())
            .size(logits.offset)
            .size(seen.map_or(0, |seen| seen.offset))
            .size(token.offset)
            .size(rng.offset)
    };
    let draw = |shader| stage(shader).write(token).write(rng).write(pending);
    if sorts && chunks > 1 {
        let candidates = low.scratch([chunks, count, 2], Element::U32);
        let parts = low.scratch([chunks, 3], Element::U32);
        let first = stage("sample_candidates").constant("CHUNK", chunk as u32).write(candidates).write(parts);
        low.push(params(first).grid([chunks, 1, 1]))?;
        low.push(params(draw("sample").define("CANDIDATES").read(candidates).read(parts)))?;
    } else if sorts {
        low.push(params(draw("sample").define("LOGITS").constant("CHUNK", chunk as u32)))?;
    }
    if all || !sorts {
        low.push(params(draw("sample_whole")))?;
    }
    Ok(())
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
