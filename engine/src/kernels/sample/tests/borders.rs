//! Draws of a graphics processor in f32 against plain f64: a token may be another one only where the number drawn, or the nucleus,
//! ends at the border between them.

use super::*;

/// How far from a border draws must be exact: of the sum of all weights.
const BORDER: f64 = 4e-6;

/// Tokens that may be drawn, most probable first, with their weights.
fn sorted(p: &Params, logits: &[f32], seen: &[u32]) -> Vec<(u32, f64)> {
    let mut tokens: Vec<(u32, f32)> = (0..)
        .zip(logits)
        .map(|(id, &v)| match seen.contains(&id) {
            true if v > 0.0 => (id, v * (1.0 / p.repetition_penalty)),
            true => (id, v * p.repetition_penalty),
            false => (id, v),
        })
        .filter(|&(id, _)| p.allowed.is_none_or(|(below, also)| (id as usize) < below || id == also))
        .collect();
    tokens.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    if p.top_k > 0 {
        tokens.truncate(p.top_k);
    }
    let largest = f64::from(tokens[0].1);
    let weight = |v: f32| ((f64::from(v) - largest) / f64::from(p.temperature)).exp();
    tokens.into_iter().map(|(id, v)| (id, weight(v))).collect()
}

/// The place among `tokens` at which their sum passes `drawn` of the nucleus.
fn place(tokens: &[(u32, f64)], top_p: f64, drawn: f64) -> usize {
    let sums: Vec<f64> = tokens
        .iter()
        .scan(0.0, |sum, (_, weight)| {
            *sum += weight;
            Some(*sum)
        })
        .collect();
    let total = sums[sums.len() - 1];
    let end = sums.iter().position(|sum| *sum >= top_p * total).unwrap_or(sums.len() - 1);
    sums[..end].iter().position(|sum| *sum > drawn * sums[end]).unwrap_or(end)
}

/// Asserts that the draws of a graphics processor are right; how many are not those of f64 itself.
fn near_borders(logits: &[f32], params: &Params, seed: u32, count: usize) -> usize {
    let [_, mut gpu] = executors();
    let tokens = draws_on(&mut gpu, logits, params, seed, count);
    let mut order = sorted(params, logits, &[]);
    let mut near = 0;
    for (i, token) in tokens.iter().enumerate() {
        if params.repetition_penalty != 1.0 {
            order = sorted(params, logits, &tokens[..i]);
        }
        let drawn = f64::from(uniform(seed, 7, i as u32));
        let at = order.iter().position(|(id, _)| id == token).expect("a token that may be drawn");
        let top_p = f64::from(params.top_p);
        let shift = if top_p < 1.0 { BORDER } else { 0.0 };
        let first = place(&order, top_p - shift, drawn - BORDER);
        let last = place(&order, top_p + shift, drawn + BORDER);
        assert!((first..=last).contains(&at), "{params:?}: call {i} drew place {at} of {first} to {last}");
        near += usize::from(at != place(&order, top_p, drawn));
    }
    near
}

#[test]
fn draws_of_the_models_samplers_are_exact_away_from_borders() {
    let text = Params { temperature: 0.6, top_k: 20, top_p: 0.95, ..PLAIN };
    let first_code = Params {
        temperature: 0.9,
        top_k: 50,
        repetition_penalty: 1.05,
        allowed: Some((2048, 2150)),
        ..PLAIN
    };
    let other_codes = Params { top_k: 50, top_p: 0.8, ..PLAIN };
    let mut near = 0;
    for seed in 0..4 {
        let logits = |len, scale| -> Vec<f32> {
            random(len, u64::from(seed) + 1).into_iter().map(|v| v * scale).collect()
        };
        near += near_borders(&logits(152_064, 3.0), &text, seed, 20);
        near += near_borders(&logits(3072, 2.0), &first_code, seed, 40);
        near += near_borders(&logits(2048, 2.0), &other_codes, seed, 150);
        near += near_borders(&logits(7, 1.0), &other_codes, seed, 40);
    }
    // A border this near is met about once in ten thousand draws.
    assert!(near <= 1, "{near} of 1000 draws fell beside a border");
}

#[test]
fn draws_beyond_the_sorted_tokens_are_exact_away_from_borders() {
    for (vocabulary, scale, top_k, top_p) in [
        (152_064, 3.0, 0, 1.0),
        (152_064, 3.0, 0, 0.9),
        (20_000, 0.3, 0, 1.0),
        (20_000, 0.3, 0, 0.5),
        (20_000, 0.3, 1000, 0.7),
        (2048, 1.0, 0, 1.0),
        (2048, 1.0, 257, 1.0),
        (4097, 1.0, 256, 0.9),
    ] {
        let logits: Vec<f32> = random(vocabulary, 5).into_iter().map(|v| v * scale).collect();
        let count = if vocabulary > 100_000 { 3 } else { 10 };
        near_borders(&logits, &Params { top_k, top_p, ..PLAIN }, 3, count);
    }
}
