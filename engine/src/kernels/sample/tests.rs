use super::*;
use crate::executor::Executor;
use crate::kernels::testing::{executors, random};
use crate::shape::Element;

mod borders;

/// The sampler of a plain draw.
const PLAIN: Params =
    Params { temperature: 1.0, top_k: 0, top_p: 1.0, repetition_penalty: 1.0, allowed: None };

/// The tokens of `count` calls on the same logits.
fn draws_on(executor: &mut Executor, logits: &[f32], params: &Params, seed: u32, count: usize) -> Vec<u32> {
    let mut u32s = |len: usize| executor.memory().allocate([len].into(), Element::U32).unwrap();
    let (tokens, rng, seen) = (u32s(count), u32s(4), u32s(logits.len()));
    executor.memory().write_u32(rng, &[seed, 7, 0, 0]).unwrap();
    let mut rec = Recording::new();
    let bound = rec.constant_f32([1, logits.len()], logits.to_vec());
    for i in 0..count {
        let token = tokens.reshape([count, 1]).slice_rows(i, 1).reshape([1]);
        record(&mut rec, bound, State { token, rng, seen: Some(seen) }, params.clone()).unwrap();
    }
    executor.run_recording(&rec);
    let broken = if logits.iter().any(|v| v.is_nan()) { count as u32 } else { 0 };
    let state = executor.memory().read_u32(rng).unwrap();
    assert_eq!(state, [seed, 7, count as u32, broken], "seed, calls, calls with NaN");
    let drawn = executor.memory().read_u32(tokens).unwrap();
    let seen_now = executor.memory().read_u32(seen).unwrap();
    assert!((0..).zip(seen_now).all(|(id, seen)| seen == u32::from(drawn.contains(&id))), "tokens seen");
    drawn
}

/// As above on the processor. On a graphics processor the first of them must be the same: no number drawn here is near a border.
fn draws(logits: &[f32], params: Params, seed: u32, count: usize) -> Vec<u32> {
    let [mut cpu, mut gpu] = executors();
    let drawn = draws_on(&mut cpu, logits, &params, seed, count);
    let some = count.min(300);
    assert_eq!(draws_on(&mut gpu, logits, &params, seed, some), drawn[..some], "{params:?}");
    drawn
}

fn greedy() -> Params {
    Params { temperature: 0.0, ..PLAIN }
}

/// Asserts that draws follow `weights`: chi-square below mean plus five deviations.
fn assert_follows(tokens: &[u32], weights: &[f64]) {
    let total: f64 = weights.iter().sum();
    let mut chi_square = 0.0;
    for (id, weight) in weights.iter().enumerate() {
        let found = tokens.iter().filter(|t| **t as usize == id).count() as f64;
        let expected = weight / total * tokens.len() as f64;
        if *weight == 0.0 {
            assert_eq!(found, 0.0, "token {id} was struck out");
        } else {
            chi_square += (found - expected).powi(2) / expected;
        }
    }
    let freedom = weights.iter().filter(|w| **w > 0.0).count() as f64 - 1.0;
    assert!(chi_square <= freedom + 5.0 * (2.0 * freedom).sqrt(), "chi-square {chi_square} of {freedom}");
}

#[test]
fn draws_follow_the_softmax_at_every_temperature() {
    let logits = random(12, 1);
    for temperature in [0.5, 1.0, 2.0] {
        let weights: Vec<f64> = logits.iter().map(|v| f64::from(v / temperature).exp()).collect();
        assert_follows(&draws(&logits, Params { temperature, ..PLAIN }, 11, 8_000), &weights);
    }
}

#[test]
fn top_k_keeps_the_largest_and_of_equals_the_lower_ids() {
    let logits = [0.0, 1.0, 0.5, 1.0, 0.5, -2.0];
    let mut weights: Vec<f64> = logits.iter().map(|v| f64::from(*v).exp()).collect();
    weights[0] = 0.0;
    weights[4] = 0.0;
    weights[5] = 0.0;
    assert_follows(&draws(&logits, Params { top_k: 3, ..PLAIN }, 12, 8_000), &weights);
}

#[test]
fn top_p_keeps_the_fewest_that_reach_it_after_top_k() {
    // Shares 0.4, 0.3, 0.2, 0.1; of the first three 0.444, 0.333, 0.222.
    let logits: Vec<f32> = [0.2f32, 0.4, 0.1, 0.3].iter().map(|p| p.ln()).collect();
    let of = |top_k, top_p| draws(&logits, Params { top_k, top_p, ..PLAIN }, 13, 8_000);
    assert_follows(&of(0, 0.65), &[0.0, 0.4, 0.0, 0.3]);
    assert_follows(&of(0, 0.75), &[0.2, 0.4, 0.0, 0.3]);
    assert_follows(&of(3, 0.75), &[0.0, 0.4, 0.0, 0.3]);
    assert_follows(&of(0, 1e-6), &[0.0, 0.4, 0.0, 0.0]);
}

#[test]
fn a_flat_vocabulary_is_reached_beyond_the_first_candidates() {
    let logits = vec![0.0; 5000];
    let tokens = draws(&logits, PLAIN, 14, 2000);
    let mean = tokens.iter().map(|t| f64::from(*t)).sum::<f64>() / 2000.0;
    assert!((2300.0..2700.0).contains(&mean), "mean {mean}");
    let tokens = draws(&logits, Params { top_p: 0.5, ..PLAIN }, 14, 2000);
    assert!(tokens.iter().all(|t| *t < 2501) && tokens.iter().any(|t| *t > 2300));
}

#[test]
fn the_same_seed_repeats_and_another_differs() {
    let logits = random(100, 2);
    assert_eq!(draws(&logits, PLAIN, 5, 50), draws(&logits, PLAIN, 5, 50));
    assert_ne!(draws(&logits, PLAIN, 5, 50), draws(&logits, PLAIN, 6, 50));
}

#[test]
fn random_numbers_are_those_that_other_processors_must_repeat() {
    let got = [uniform(0, 0, 0), uniform(1, 0, 0), uniform(0, 1, 0), uniform(1, 2, 3)];
    assert_eq!(got.map(|v| (v * (1u32 << 24) as f32) as u32), [10203095, 10616518, 1757970, 16424825]);
    let mean = (0..10_000).map(|i| f64::from(uniform(9, 9, i))).sum::<f64>() / 10_000.0;
    assert!((mean - 0.5).abs() < 0.01, "mean {mean}");
}

#[test]
fn greedy_takes_the_lowest_of_equals_under_penalty_and_strikes() {
    assert_eq!(draws(&[1.0, 3.0, 3.0, 2.0], greedy(), 1, 2), [1, 1]);
    let penalty = Params { repetition_penalty: 2.0, ..greedy() };
    assert_eq!(draws(&[1.0, 3.0, 2.9, 2.0], penalty.clone(), 1, 4), [1, 2, 3, 1]);
    assert_eq!(draws(&[-1.0, -1.5, -9.0], penalty, 1, 3), [0, 1, 0]);
    let allowed = Params { allowed: Some((2, 4)), ..greedy() };
    assert_eq!(draws(&[1.0, 3.0, 9.0, 9.0, 2.0, 9.0], allowed.clone(), 1, 1), [1]);
    assert_eq!(draws(&[1.0, 3.0, 9.0, 9.0, 4.0, 9.0], allowed, 1, 1), [4]);
}

#[test]
fn greedy_takes_the_lowest_of_equals_in_a_large_vocabulary() {
    let mut logits = random(152_064, 3);
    let largest = logits.iter().copied().fold(f32::MIN, f32::max);
    let at = logits.iter().position(|v| *v == largest).unwrap() as u32;
    assert_eq!(draws(&logits, greedy(), 1, 1), [at]);
    for id in [152_063, 90_000, 70_001, 70_000] {
        logits[id] = largest + 1.0;
        assert_eq!(draws(&logits, greedy(), 1, 1), [id as u32]);
    }
    // Of all equal ones, and of zeros of both signs.
    assert_eq!(draws(&vec![-3.5; 10_000], greedy(), 1, 1), [0]);
    let zeros: Vec<f32> = (0..10_000).map(|i| if i < 5000 { -0.0 } else { 0.0 }).collect();
    assert_eq!(draws(&zeros, Params { allowed: Some((0, 9000)), ..greedy() }, 1, 1), [9000]);
    assert_eq!(draws(&zeros, greedy(), 1, 1), [0]);
}

#[test]
fn every_stage_tells_of_nan_and_leaves_it_out() {
    for (vocabulary, params) in [
        (9000, greedy()),
        (9000, Params { top_k: 7, ..PLAIN }),
        (9000, Params { top_k: 700, ..PLAIN }),
        (9000, PLAIN),
        (700, Params { top_k: 300, ..PLAIN }),
    ] {
        let mut logits = vec![f32::NEG_INFINITY; vocabulary];
        (logits[5], logits[vocabulary - 1]) = (f32::NAN, -f32::NAN);
        assert_eq!(draws(&logits, params.clone(), 1, 2), [0, 0]);
        logits[vocabulary - 2] = -1e30;
        assert_eq!(draws(&logits, params.clone(), 1, 2), [vocabulary as u32 - 2; 2]);
        logits.fill(f32::INFINITY);
        assert_eq!(draws(&logits, params, 1, 2), [0, 0]);
    }
}

#[test]
fn strikes_hold_for_draws() {
    let params = Params { allowed: Some((1, 3)), top_k: 3, ..PLAIN };
    assert_follows(&draws(&[0.0, 5.0, 5.0, 0.0, 5.0], params, 15, 5000), &[1.0, 0.0, 0.0, 1.0, 0.0]);
}

#[test]
fn broken_logits_still_give_an_allowed_token() {
    let (nan, inf) = (f32::NAN, f32::INFINITY);
    for params in [PLAIN, greedy(), Params { top_k: 2, ..PLAIN }, Params { top_p: 0.5, ..PLAIN }] {
        assert_eq!(draws(&[nan, -1.0, nan], params.clone(), 1, 1), [1]);
        assert_eq!(draws(&[nan, nan], params.clone(), 1, 1), [0]);
        assert_eq!(draws(&[-inf, -inf], params.clone(), 1, 1), [0]);
        assert_eq!(draws(&[0.0, inf, inf], params.clone(), 1, 1), [1]);
        let allowed = Params { allowed: Some((0, 1)), ..params };
        assert_eq!(draws(&[9.0, nan, 9.0], allowed, 1, 1), [1]);
    }
}

#[test]
fn refuses_parameters_out_of_range() {
    let mut rec = Recording::new();
    let logits = rec.f32([1, 10]);
    let mut u32s = |len: usize| rec.scratch([len], Element::U32);
    let state = State { token: u32s(1), rng: u32s(4), seen: None };
    let short = State { seen: Some(u32s(9)), ..state };
    let mut error = |state, params| record(&mut rec, logits, state, params).unwrap_err().to_string();
    assert!(error(state, Params { temperature: f32::NAN, ..PLAIN }).contains("temperature"));
    assert!(error(state, Params { top_p: 0.0, ..PLAIN }).contains("top_p"));
    assert!(error(state, Params { repetition_penalty: 1.05, ..PLAIN }).contains("tokens seen"));
    assert!(error(state, Params { allowed: Some((3, 10)), ..PLAIN }).contains("(3, 10)"));
    assert!(error(state, Params { allowed: Some((11, 0)), ..PLAIN }).contains("(11, 0)"));
    assert!(error(short, PLAIN).contains("seen must have 10"));
}
