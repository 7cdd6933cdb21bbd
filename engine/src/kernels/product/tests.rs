//! Products for few rows, with and without subgroups, against plain loops in f64; with quantised weights over what eight bits hold
//! of x.

use std::sync::Arc;

use crate::executor::Executor;
use crate::executor::gpu::{Context, Gpu};
use crate::kernels::linear::{self, Epilogue};
use crate::kernels::rms_norm::Norm;
use crate::kernels::testing::{assert_close, executors, random, run, stored, upload};
use crate::kernels::{expert_down, expert_gate_up, gate_up, projections};
use crate::quant::BLOCK;
use crate::recording::Recording;
use crate::shape::Element;

const ELEMENTS: [Element; 3] = [Element::Bf16, Element::Q8_0, Element::Q4];

/// Sums in f32, and now and then an x that rounds to the neighbouring number.
const TOLERANCE: f32 = 2e-4;

fn gpu() -> Executor {
    let [_, gpu] = executors();
    gpu
}

/// The graphics processor with all `cases`, and the same without subgroups with the first of them.
fn gpus<T>(cases: &[T]) -> [(Executor, &[T]); 2] {
    let plain = Arc::new(Context::open(true, None).unwrap().without_subgroups());
    [(gpu(), cases), (Executor::Gpu(Box::new(Gpu::guarded(plain))), &cases[..1])]
}

/// What is multiplied of rows of x: eight bits where weights are quantised.
fn held(x: &[f32], k: usize, element: Element) -> Vec<f64> {
    if element.quant().is_none() {
        return x.iter().map(|&v| f64::from(v)).collect();
    }
    let mut held = Vec::new();
    for block in x.chunks(k).flat_map(|row| row.chunks(BLOCK)) {
        let largest = block.iter().fold(0.0f32, |most, v| most.max(v.abs()));
        let inverse = if largest > 0.0 { 127.0 / largest } else { 0.0 };
        let step = f64::from(largest) / 127.0;
        held.extend(block.iter().map(|v| f64::from((v * inverse).round_ties_even()) * step));
    }
    held
}

/// Products of rows of x `[n, k]`, normalised if there is a norm, with `w` `[o, k]`.
fn products(x: &[f32], norm: Option<&[f32]>, w: &[f32], k: usize, element: Element) -> Vec<f64> {
    let w = stored(element, k, w);
    let mut out = Vec::new();
    for x in x.chunks(k) {
        let mean = x.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / k as f64;
        let weighted: Vec<f32> = (0..k).map(|i| x[i] * norm.map_or(1.0, |norm| norm[i])).collect();
        let scale = norm.map_or(1.0, |_| 1.0 / (mean + 1e-6).sqrt());
        let x = held(&weighted, k, element);
        out.extend(
            w.chunks(k).map(|w| scale * w.iter().zip(&x).map(|(&w, x)| f64::from(w) * x).sum::<f64>()),
        );
    }
    out
}

fn silu(v: f64) -> f64 {
    v / (1.0 + (-v).exp())
}

fn singles(values: impl IntoIterator<Item = f64>) -> Vec<f32> {
    values.into_iter().map(|v| v as f32).collect()
}

#[test]
fn linear_takes_views_of_weights() {
    let cases = [
        (2, 500, 33),
        (1, 32, 5),
        (2, 17, 3),
        (1, 2048, 96),
        (3, 4096, 40),
        (7, 96, 65),
        (8, 1000, 130),
        (21, 544, 70),
        (32, 2048, 17),
    ];
    for (mut gpu, cases) in gpus(&cases) {
        for &(n, k, o) in cases {
            for element in ELEMENTS {
                let (x, w) = (random(n * k, 1), random((o + 1) * k, 2));
                // The first row is not meant.
                let weight = upload(&mut gpu, [o + 1, k], element, &w).slice_rows(1, o);
                let mut rec = Recording::new();
                let bx = rec.constant_f32([n, k], x.clone());
                let out = linear::record(&mut rec, bx, weight, Epilogue::default()).unwrap();
                let want = singles(products(&x, None, &w[k..], k, element));
                assert_close(&run(&mut gpu, &rec, out), &want, TOLERANCE);
            }
        }
    }
}

#[test]
fn a_norm_comes_first() {
    let cases = [(5, 80, [7, 64, 30]), (1, 2048, [96, 16, 16]), (2, 1024, [33, 1, 8]), (19, 288, [40, 8, 9])];
    for (mut gpu, cases) in gpus(&cases) {
        for &(n, k, o) in cases {
            for element in ELEMENTS {
                let (x, norm) = (random(n * k, 1), random(k, 2));
                let weights = [0, 1, 2].map(|i| random(o[i] * k, 3 + i as u64));
                let [a, b, c] = [0, 1, 2].map(|i| upload(&mut gpu, [o[i], k], element, &weights[i]));
                let mut rec = Recording::new();
                let bx = rec.constant_f32([n, k], x.clone());
                let with = Norm { weight: rec.constant_f32([k], norm.clone()), eps: 1e-6 };
                let outs =
                    projections::record(&mut rec, bx, Some(with), [(a, None), (b, None), (c, None)]).unwrap();
                for (out, w) in outs.into_iter().zip(&weights) {
                    let want = singles(products(&x, Some(&norm), w, k, element));
                    assert_close(&run(&mut gpu, &rec, out), &want, TOLERANCE);
                }
                let gated = gate_up::record(&mut rec, bx, Some(with), a, a).unwrap();
                let want = products(&x, Some(&norm), &weights[0], k, element);
                let want = singles(want.into_iter().map(|v| silu(v) * v));
                assert_close(&run(&mut gpu, &rec, gated), &want, TOLERANCE);
            }
        }
    }
}

#[test]
fn experts_match_the_oracle() {
    let cases = [(3, 5, [2, 40, 72]), (1, 9, [8, 96, 512]), (2, 7, [6, 384, 64])];
    for (mut gpu, cases) in gpus(&cases) {
        for &(n, experts, [k, w, h]) in cases {
            for element in ELEMENTS {
                let index: Vec<u32> = (0..n * k).map(|i| (i * 3 % (experts + 1)) as u32).collect();
                let (x, share, residual) = (random(n * h, 1), random(n * k, 2), random(n * h, 3));
                let [gate, up, down] = [4, 5, 6].map(|seed| random(experts * w * h, seed));
                let mut rec = Recording::new();
                let [bg, bu] = [&gate, &up].map(|values| upload(&mut gpu, [experts, w, h], element, values));
                let bd = upload(&mut gpu, [experts, h, w], element, &down);
                let bi = rec.constant_u32([n, k], index.clone());
                let bx = rec.constant_f32([n, h], x.clone());
                let mid = expert_gate_up::record(&mut rec, bx, None, bi, bg, bu).unwrap();
                let got_mid = run(&mut gpu, &rec, mid);
                let bs = rec.constant_f32([n, k], share.clone());
                let br = rec.constant_f32([n, h], residual.clone());
                let out = expert_down::record(&mut rec, mid, bi, bs, bd, Some(br)).unwrap();
                let got = run(&mut gpu, &rec, out);

                let mut want_mid = Vec::new();
                let mut want: Vec<f64> = residual.iter().map(|&v| f64::from(v)).collect();
                for (row, &e) in index.iter().enumerate() {
                    let (t, e) = (row / k, (e as usize).min(experts - 1));
                    let of = |stack: &[f32]| {
                        products(&x[t * h..][..h], None, &stack[e * w * h..][..w * h], h, element)
                    };
                    want_mid.extend(of(&gate).into_iter().zip(of(&up)).map(|(g, u)| (silu(g) * u) as f32));
                    let found =
                        products(&got_mid[row * w..][..w], None, &down[e * w * h..][..w * h], w, element);
                    for (sum, v) in want[t * h..].iter_mut().zip(found) {
                        *sum += f64::from(share[row]) * v;
                    }
                }
                assert_close(&got_mid, &want_mid, TOLERANCE);
                assert_close(&got, &singles(want), TOLERANCE);
            }
        }
    }
}

#[test]
fn what_is_no_number_shows_behind_quantised_weights() {
    let mut gpu = gpu();
    for bad in [f32::NAN, f32::INFINITY] {
        let mut x = random(64, 1);
        x[40] = bad;
        let weight = upload(&mut gpu, [3, 64], Element::Q8_0, &random(3 * 64, 2));
        let mut rec = Recording::new();
        let x = rec.constant_f32([1, 64], x);
        let out = linear::record(&mut rec, x, weight, Epilogue::default()).unwrap();
        assert!(run(&mut gpu, &rec, out).iter().all(|v| !v.is_finite()));
    }
}
