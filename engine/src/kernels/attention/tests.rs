mod executors;

use half::f16;
use half::slice::HalfFloatSliceExt;

use super::*;
use crate::executor::Executor;
use crate::kernels::isa::Set;
use crate::kernels::testing::{assert_close, random, run, stored};
use crate::shape::Element;

/// A sequence of keys and values, and queries for its last rows.
struct Case {
    heads: usize,
    kv_heads: usize,
    dim: usize,
    past: usize,
    n: usize,
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
}

impl Case {
    fn new([heads, kv_heads, dim]: [usize; 3], past: usize, n: usize) -> Case {
        let keys = (past + n) * kv_heads * dim;
        let q = random(n * heads * dim, 1);
        // What half precision holds, so that one oracle serves both types.
        let [k, v] = [2, 3].map(|seed| stored(Element::F16, kv_heads * dim, &random(keys, seed)));
        Case { heads, kv_heads, dim, past, n, q, k, v }
    }

    fn params(&self, mask: fn(Buffer) -> Mask) -> Params {
        let at = Recording::new().scratch([1], Element::U32);
        Params { heads: self.heads, kv_heads: self.kv_heads, head_dim: self.dim, mask: mask(at) }
    }

    /// The rows of `all` in a ring of `capacity` slots, the last ones over those that they displace.
    fn ring(&self, all: &[f32], capacity: usize, end: usize) -> Vec<f16> {
        let width = self.kv_heads * self.dim;
        let mut ring = vec![f16::NAN; capacity * width]; // what is never written must never be read
        for (position, row) in all.chunks(width).take(end).enumerate() {
            ring[position % capacity * width..][..width].convert_from_f32_slice(row);
        }
        ring
    }

    /// Rows `rows` of the queries in one causal call.
    fn causal(&self, isa: Isa, window: Option<usize>, capacity: usize, rows: Range<usize>) -> Vec<f32> {
        let end = self.past + rows.end;
        let [k, v] = [&self.k, &self.v].map(|all| self.ring(all, capacity, end));
        let [wide_k, wide_v] = [&k, &v].map(|ring| ring.to_f32_vec());
        let row = self.heads * self.dim;
        let mut p = self.params(|past| Mask::Causal { past, window: None });
        if let Mask::Causal { window: w, .. } = &mut p.mask {
            *w = window;
        }
        let mut out = vec![f32::NAN; rows.len() * row];
        let at = [(self.past + rows.start) as u32];
        let q = &self.q[rows.start * row..rows.end * row];
        attend(isa, &p, q, &wide_k, &wide_v, &at, &mut out);
        let mut of_halves = vec![f32::NAN; out.len()];
        attend(isa, &p, q, &k, &v, &at, &mut of_halves);
        assert_eq!(of_halves, out, "half precision, widened exactly");
        out
    }

    fn segments(&self, isa: Isa, bounds: &[u32]) -> Vec<f32> {
        let p = self.params(|bounds| Mask::Segments { bounds });
        let mut out = vec![f32::NAN; self.q.len()];
        attend(isa, &p, &self.q, &self.k, &self.v, bounds, &mut out);
        out
    }

    /// The result by plain loops in f64 over the keys that `sees(row, key)` names.
    fn oracle(&self, sees: impl Fn(usize, usize) -> bool) -> Vec<f32> {
        self.oracle_of(0..self.n, sees)
    }

    /// Some rows of it.
    fn oracle_of(
        &self,
        rows: impl IntoIterator<Item = usize>,
        sees: impl Fn(usize, usize) -> bool,
    ) -> Vec<f32> {
        let (dim, group) = (self.dim, self.heads / self.kv_heads);
        let mut out = Vec::new();
        for i in rows.into_iter().flat_map(|row| row * self.heads..(row + 1) * self.heads) {
            let (row, head) = (i / self.heads, i % self.heads);
            let q = &self.q[i * dim..][..dim];
            let of_key = |all: &[f32], key: usize, d: usize| {
                f64::from(all[(key * self.kv_heads + head / group) * dim + d])
            };
            let keys: Vec<usize> = (0..self.past + self.n).filter(|&key| sees(row, key)).collect();
            let scores: Vec<f64> = keys
                .iter()
                .map(|&key| {
                    let dot: f64 = (0..dim).map(|d| f64::from(q[d]) * of_key(&self.k, key, d)).sum();
                    dot / (dim as f64).sqrt()
                })
                .collect();
            let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let weights: Vec<f64> = scores.iter().map(|s| (s - largest).exp()).collect();
            let sum: f64 = weights.iter().sum();
            for d in 0..dim {
                let value: f64 = keys.iter().zip(&weights).map(|(&key, w)| w * of_key(&self.v, key, d)).sum();
                out.push(if keys.is_empty() { 0.0 } else { (value / sum) as f32 });
            }
        }
        out
    }

    fn oracle_causal(&self, window: Option<usize>) -> Vec<f32> {
        self.oracle(|row, key| key <= self.past + row && self.past + row - key < window.unwrap_or(usize::MAX))
    }
}

const HEADS: [[usize; 3]; 7] =
    [[1, 1, 8], [4, 2, 24], [6, 2, 16], [8, 1, 128], [2, 2, 72], [3, 3, 64], [5, 1, 1]];

#[test]
fn causal_matches_oracle_on_every_instruction_set() {
    for shape in HEADS {
        for (past, n) in [(0, 1), (0, 40), (63, 3), (130, 1), (200, 37)] {
            let case = Case::new(shape, past, n);
            for (window, capacity) in
                [(None, past + n), (None, past + n + 9), (Some(20), n + 19), (Some(1), n)]
            {
                let want = case.oracle_causal(window);
                for isa in Isa::available() {
                    assert_close(&case.causal(isa, window, capacity, 0..n), &want, 1e-5);
                }
            }
        }
    }
}

#[test]
fn wide_instructions_agree_bit_for_bit() {
    let isas: Vec<Isa> = Isa::available().into_iter().filter(|isa| isa.set() != Set::Portable).collect();
    for shape in HEADS {
        let case = Case::new(shape, 70, 29);
        let first = case.causal(Isa::best(), None, 99, 0..29);
        for isa in &isas {
            assert_eq!(case.causal(*isa, None, 99, 0..29), first, "{isa:?}");
        }
    }
}

#[test]
fn split_rows_and_other_rings_change_no_bit() {
    for shape in HEADS {
        for window in [None, Some(72), Some(5)] {
            let case = Case::new(shape, 150, 41);
            let whole = case.causal(Isa::best(), window, 191, 0..41);
            for step in [1, 7, 40] {
                for slack in [0, 3, 100] {
                    let mut parts = Vec::new();
                    for rows in pieces(0..41, step) {
                        let needed = window.map_or(150 + rows.end, |window| window - 1 + rows.len());
                        parts.extend(case.causal(Isa::best(), window, needed + slack, rows));
                    }
                    assert_eq!(parts, whole, "{shape:?} {window:?} step {step} slack {slack}");
                }
            }
        }
    }
}

#[test]
fn threads_that_share_one_query_change_no_bit() {
    let case = Case::new([8, 2, 128], 3000, 1);
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| case.causal(Isa::best(), None, 3001, 0..1))
    };
    let alone = on(1);
    assert_close(&alone, &case.oracle_causal(None), 1e-5);
    assert_eq!(on(8), alone);
}

#[test]
fn segments_match_oracle_and_do_not_see_their_neighbours() {
    for shape in HEADS {
        let case = Case::new(shape, 0, 150);
        let bounds = [0, 1, 50, 50, 137];
        let segment = |row: usize| bounds.windows(2).position(|b| (b[0]..b[1]).contains(&(row as u32)));
        let want = case.oracle(|row, key| segment(row).is_some() && segment(row) == segment(key));
        for isa in Isa::available() {
            assert_close(&case.segments(isa, &bounds), &want, 1e-5);
        }
        let width = case.heads * case.dim;
        let kv_width = case.kv_heads * case.dim;
        let cut = |all: &[f32], width: usize| all[50 * width..137 * width].to_vec();
        let (q, k, v) = (cut(&case.q, width), cut(&case.k, kv_width), cut(&case.v, kv_width));
        let alone = Case { n: 87, q, k, v, ..case };
        let together = case.segments(Isa::best(), &bounds);
        assert_eq!(alone.segments(Isa::best(), &[0, 87]), together[50 * width..137 * width]);
    }
}

#[test]
fn positions_and_bounds_out_of_range_stay_inside_the_buffers() {
    let case = Case::new([4, 2, 24], 0, 10);
    let p = case.params(|past| Mask::Causal { past, window: None });
    for past in [5, 1_000_000, u32::MAX] {
        let mut out = vec![0.0; case.q.len()];
        let [k, v] = [&case.k, &case.v].map(|all| case.ring(all, 10, 10));
        attend(Isa::best(), &p, &case.q, &k, &v, &[past], &mut out);
        assert!(out.iter().all(|v| v.is_finite()));
    }
    for bounds in [&[][..], &[3], &[4, 2, 900], &[u32::MAX, 0], &[0, u32::MAX, 5, 7]] {
        assert!(case.segments(Isa::best(), bounds).iter().all(|v| v.is_finite()));
    }
}

#[test]
fn records_one_command_over_a_cache() {
    let case = Case::new([4, 2, 8], 0, 5);
    let (mut cpu, mut rec) = (Executor::processor(), Recording::new());
    let q = rec.constant_f32([5, 32], case.q.clone());
    let [k, v] = [&case.k, &case.v].map(|values| {
        let cache = cpu.memory().allocate([5, 16].into(), Element::F16).unwrap();
        cpu.memory().write_f32(cache, values).unwrap();
        cache
    });
    let past = rec.constant_u32([1], vec![0]);
    let mask = Mask::Causal { past, window: Some(1) };
    let out = record(&mut rec, q, k, v, Params { heads: 4, kv_heads: 2, head_dim: 8, mask }).unwrap();
    assert_close(&run(&mut cpu, &rec, out), &case.oracle_causal(Some(1)), 1e-5);
}

#[test]
fn refuses_heads_and_rows_that_do_not_fit() {
    let mut rec = Recording::new();
    let q = rec.f32([4, 32]);
    let [k, short] = [[9, 16], [9, 15]].map(|shape| rec.scratch(shape, Element::F16));
    let wide = rec.f32([9, 16]);
    let past = rec.scratch([1], Element::U32);
    let params = |kv_heads, window| {
        let mask = Mask::Causal { past, window };
        Params { heads: 4, kv_heads, head_dim: 8, mask }
    };
    let mut error = |k, v, p| record(&mut rec, q, k, v, p).unwrap_err().to_string();
    assert!(error(k, k, params(3, None)).contains("4 heads of 8 cannot share 3"));
    assert!(error(k, short, params(2, None)).contains("[9, 15]"));
    assert!(error(k, k, params(2, Some(7))).contains("keep 10 rows"));
    assert!(error(k, k, params(2, Some(0))).contains("Some(0)"));
    let segments = Params { heads: 4, kv_heads: 2, head_dim: 8, mask: Mask::Segments { bounds: past } };
    assert!(error(wide, wide, segments.clone()).contains("same rows"));
    assert!(error(k, k, segments).contains("must be F32"));
    assert!(error(k, wide, params(2, None)).contains("must be F16"));
}
