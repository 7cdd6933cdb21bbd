//! Attention as executors run it: every executor against the oracle, over real and odd shapes.

use super::*;
use crate::executor::Executor;
use crate::kernels::testing::{executors, run};

impl Case {
    /// All queries in one causal call over a ring of such elements.
    fn causal_on(
        &self,
        executor: &mut Executor,
        element: Element,
        window: Option<usize>,
        capacity: usize,
    ) -> Vec<f32> {
        let (end, width, memory) = (self.past + self.n, self.kv_heads * self.dim, executor.memory());
        let [k, v] = [&self.k, &self.v].map(|all| {
            let ring = memory.allocate([capacity, width].into(), element).unwrap();
            memory.write_f32(ring, &self.ring(all, capacity, end).to_f32_vec()).unwrap();
            ring
        });
        let mut rec = Recording::new();
        let past = rec.constant_u32([1], vec![self.past as u32]);
        self.record(executor, rec, k, v, Mask::Causal { past, window })
    }

    fn segments_on(&self, executor: &mut Executor, bounds: &[u32]) -> Vec<f32> {
        let (width, mut rec) = (self.kv_heads * self.dim, Recording::new());
        let [k, v] = [&self.k, &self.v].map(|all| rec.constant_f32([self.n, width], all.clone()));
        let bounds = rec.constant_u32([bounds.len()], bounds.to_vec());
        self.record(executor, rec, k, v, Mask::Segments { bounds })
    }

    fn record(
        &self,
        executor: &mut Executor,
        mut rec: Recording,
        k: Buffer,
        v: Buffer,
        mask: Mask,
    ) -> Vec<f32> {
        let q = rec.constant_f32([self.n, self.heads * self.dim], self.q.clone());
        let params = Params { heads: self.heads, kv_heads: self.kv_heads, head_dim: self.dim, mask };
        let out = record(&mut rec, q, k, v, params).unwrap();
        run(executor, &rec, out)
    }

    /// Some rows of a result.
    fn rows(&self, out: &[f32], rows: &[usize]) -> Vec<f32> {
        let row = self.heads * self.dim;
        rows.iter().flat_map(|&i| &out[i * row..][..row]).copied().collect()
    }
}

/// A few of `n` rows, the outermost among them.
fn sample(n: usize) -> Vec<usize> {
    let mut rows = vec![0, 1, n / 3, n * 2 / 3, n - 1];
    rows.retain(|&row| row < n);
    rows.dedup();
    rows
}

#[test]
fn causal_matches_oracle_on_odd_heads() {
    for mut executor in executors() {
        for shape in HEADS {
            for (past, n) in [(0, 1), (0, 40), (63, 3), (130, 1), (200, 37)] {
                let case = Case::new(shape, past, n);
                for (window, capacity) in
                    [(None, past + n), (None, past + n + 9), (Some(20), n + 19), (Some(1), n)]
                {
                    let want = case.oracle_causal(window);
                    // Halves are written in pairs.
                    let whole = (capacity * shape[1] * shape[2]).is_multiple_of(2);
                    for element in [Some(Element::F32), whole.then_some(Element::F16)].into_iter().flatten() {
                        let got = case.causal_on(&mut executor, element, window, capacity);
                        assert_close(&got, &want, 1e-5);
                    }
                }
            }
        }
    }
}

#[test]
fn causal_matches_oracle_on_real_heads_and_splits() {
    let thinker = [32, 4, 128];
    let predictor = [16, 8, 128];
    let code2wav = [16, 16, 64];
    for mut executor in executors() {
        for (shape, past, n, window, capacity) in [
            (thinker, 0, 1, None, 1024),
            (thinker, 700, 1, None, 1024),
            (thinker, 650, 1, None, 651),
            (thinker, 300, 5, None, 512),
            (thinker, 0, 40, None, 1024),
            (thinker, 700, 40, None, 740),
            (thinker, 2100, 2, None, 4096),
            ([2, 1, 256], 300, 1, None, 301),
            ([2, 1, 256], 300, 20, None, 320),
            ([4, 2, 7], 400, 1, None, 450),
            ([4, 2, 7], 400, 19, None, 450),
            (predictor, 0, 2, None, 17),
            (predictor, 16, 1, None, 17),
            (code2wav, 0, 1, Some(72), 72),
            (code2wav, 301, 1, Some(72), 80),
            (code2wav, 100, 25, Some(72), 96),
            (code2wav, 10, 300, Some(72), 400),
        ] {
            let case = Case::new(shape, past, n);
            let got = case.causal_on(&mut executor, Element::F16, window, capacity);
            let sees = |row, key| key <= past + row && past + row - key < window.unwrap_or(usize::MAX);
            let rows = sample(n);
            let want = case.oracle_of(rows.iter().copied(), sees);
            assert_close(&case.rows(&got, &rows), &want, 1e-5);
        }
    }
}

#[test]
fn segments_match_oracle() {
    let audio = ([20, 20, 64], 350, vec![0, 104, 208, 312, 350]);
    // Two of the sixteen heads.
    let vision = ([2, 2, 72], 2 * 784, vec![0, 784, 2 * 784]);
    let odd = HEADS.map(|shape| (shape, 150, vec![0, 1, 50, 50, 137]));
    for mut executor in executors() {
        for (shape, n, bounds) in [&audio, &vision].into_iter().chain(&odd) {
            let case = Case::new(*shape, 0, *n);
            let got = case.segments_on(&mut executor, bounds);
            let segment = |row: usize| bounds.windows(2).position(|b| (b[0]..b[1]).contains(&(row as u32)));
            let rows = sample(*n);
            let want = case.oracle_of(rows.iter().copied(), |row, key| {
                segment(row).is_some() && segment(row) == segment(key)
            });
            assert_close(&case.rows(&got, &rows), &want, 1e-5);
        }
    }
}

#[test]
fn past_and_bounds_out_of_range_stay_inside_the_buffers() {
    for mut executor in executors() {
        for n in [2, 40] {
            let case = Case::new([4, 2, 24], 0, n);
            for past in [5, 1_000_000, u32::MAX as usize] {
                let (mut rec, width) = (Recording::new(), 2 * 24);
                let [k, v] = [&case.k, &case.v].map(|all| rec.constant_f32([n, width], all.clone()));
                let past = rec.constant_u32([1], vec![past as u32]);
                let mask = Mask::Causal { past, window: None };
                assert!(case.record(&mut executor, rec, k, v, mask).iter().all(|v| v.is_finite()));
            }
            for bounds in [&[3][..], &[4, 2, 900], &[u32::MAX, 0], &[0, u32::MAX, 5, 7]] {
                assert!(case.segments_on(&mut executor, bounds).iter().all(|v| v.is_finite()));
            }
        }
    }
}
