//! Which token a number between 0 and 1 stands for.

use std::cell::Cell;
use std::cmp::Ordering;

use super::Params;

thread_local! {
    /// Adjusted logits, kept from call to call.
    static ADJUSTED: Cell<Vec<f32>> = Cell::default();
}

/// The token that `drawn`, from 0 to 1, stands for.
pub(super) fn choose(p: &Params, logits: &[f32], seen: Option<&[u32]>, drawn: f32) -> u32 {
    let mut adjusted = ADJUSTED.take();
    adjust(p, logits, seen, &mut adjusted);
    let (best, largest) = most_probable(&adjusted);
    let token = if largest == f32::NEG_INFINITY {
        p.fallback()
    } else if p.temperature == 0.0 || largest == f32::INFINITY {
        best
    } else {
        draw(p, &adjusted, largest, drawn)
    };
    ADJUSTED.set(adjusted);
    token
}

/// Logits after penalty and strikes, without NaN.
fn adjust(p: &Params, logits: &[f32], seen: Option<&[u32]>, out: &mut Vec<f32>) {
    out.clear();
    out.extend(logits.iter().map(|v| if v.is_nan() { f32::NEG_INFINITY } else { *v }));
    if let Some(seen) = seen {
        let (penalty, reciprocal) = (p.repetition_penalty, 1.0 / p.repetition_penalty);
        for (v, _) in out.iter_mut().zip(seen).filter(|(_, seen)| **seen != 0) {
            *v *= if *v > 0.0 { reciprocal } else { penalty };
        }
    }
    if let Some((below, id)) = p.allowed {
        let kept = out[id as usize];
        out[below..].fill(f32::NEG_INFINITY);
        out[id as usize] = kept;
    }
}

/// The lowest id with the largest value, and the value.
fn most_probable(values: &[f32]) -> (u32, f32) {
    let largest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let at = values.iter().position(|v| *v == largest).unwrap_or(0);
    (at as u32, largest)
}

/// Draws among the allowed tokens by the inverse of the cumulative distribution.
fn draw(p: &Params, values: &[f32], largest: f32, drawn: f32) -> u32 {
    let weight = |v: f32| (f64::from(v - largest) / f64::from(p.temperature)).exp();
    let all = if p.top_k == 0 { values.len() } else { p.top_k.min(values.len()) };
    let (mut count, mut total) = (all, 0.0);
    if p.top_k == 0 {
        total = values.iter().map(|v| weight(*v)).sum();
        count = 64.min(all); // a few tokens usually hold enough
    }
    loop {
        let tokens = largest_of(values, count);
        let weights: Vec<f64> = tokens.iter().map(|(v, _)| weight(*v)).collect();
        if p.top_k != 0 {
            total = weights.iter().sum();
        }
        let held: f64 = weights.iter().sum();
        // The nucleus: as many as it takes to reach top_p of the total, at least one.
        let limit = f64::from(p.top_p.min(1.0)) * total;
        let mut nucleus = 0.0;
        let kept = 1 + weights
            .iter()
            .position(|w| {
                nucleus += w;
                nucleus >= limit
            })
            .unwrap_or(tokens.len() - 1);
        let whole = if p.top_p < 1.0 { nucleus } else { total };
        let target = f64::from(drawn) * whole;
        let known = if p.top_p < 1.0 { nucleus >= limit } else { target < held };
        if known || count == all {
            let mut sum = 0.0;
            let kept = if p.top_p < 1.0 { kept } else { tokens.len() };
            let at = weights[..kept].iter().position(|w| {
                sum += w;
                target < sum
            });
            return tokens[at.unwrap_or(kept - 1)].1;
        }
        count = (count * 16).min(all);
    }
}

/// The `count` largest values, descending, each with its id; of equals the lower id first.
fn largest_of(values: &[f32], count: usize) -> Vec<(f32, u32)> {
    let order = |a: &(f32, u32), b: &(f32, u32)| -> Ordering {
        b.0.partial_cmp(&a.0).unwrap_or(Ordering::Equal).then(a.1.cmp(&b.1))
    };
    let mut best: Vec<(f32, u32)> = Vec::with_capacity((2 * count).min(values.len()));
    let mut least = f32::NEG_INFINITY;
    for (id, &v) in values.iter().enumerate() {
        // A later id must be larger to displace one that is as good.
        if v > least || best.len() < count {
            best.push((v, id as u32));
            if best.len() == 2 * count {
                best.select_nth_unstable_by(count - 1, order);
                best.truncate(count);
                least = best[count - 1].0;
            }
        }
    }
    best.sort_unstable_by(order);
    best.truncate(count);
    best
}
