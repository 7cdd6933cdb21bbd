use crate::executor::Executor;
use crate::kernels::linear::{self, Activation, Epilogue};
use crate::kernels::rms_norm::Norm;
use crate::kernels::testing::{
    assert_close, assert_nmse, executors, on_matrix_cores, random, run, stored, upload,
};
use crate::kernels::{gate_up, projections};
use crate::recording::Recording;
use crate::shape::Element;

/// Plain loops in f64.
fn products(x: &[f32], w: &[f32], k: usize) -> Vec<f32> {
    let dot = |x: &[f32], w: &[f32]| x.iter().zip(w).map(|(&x, &w)| f64::from(x) * f64::from(w)).sum::<f64>();
    x.chunks(k).flat_map(|x| w.chunks(k).map(move |w| dot(x, w) as f32)).collect()
}

fn graphics() -> Executor {
    let [_, graphics] = executors();
    graphics
}

/// Products of the sizes `[n, k, o]` beside the oracle's.
fn compare(executor: &mut Executor, [n, k, o]: [usize; 3], element: Element, close: impl Fn(&[f32], &[f32])) {
    let (x, w) = (random(n * k, 1), random(o * k, 2));
    let weight = upload(executor, [o, k], element, &w);
    let w = stored(element, k, &w);
    let mut rec = Recording::new();
    let bx = rec.constant_f32([n, k], x.clone());
    let out = linear::record(&mut rec, bx, weight, Epilogue::default()).unwrap();
    close(&run(executor, &rec, out), &products(&x, &w, k));
}

#[test]
fn match_the_oracle_on_real_and_odd_sizes() {
    let mut executor = graphics();
    let sizes = [
        [33, 1, 1],
        [33, 37, 5],
        [40, 2048, 96],
        [48, 1100, 70],
        [63, 130, 66],
        [65, 31, 65],
        [130, 768, 200],
        [512, 64, 129],
    ];
    for sizes in sizes {
        for element in [Element::F32, Element::F16, Element::Bf16, Element::Q8_0, Element::Q4] {
            compare(&mut executor, sizes, element, |got, want| assert_close(got, want, 1e-5));
        }
    }
}

#[test]
fn matrix_cores_stay_within_their_error_on_odd_sizes() {
    let Some(mut executor) = on_matrix_cores("products") else { return };
    for sizes in [[33, 1, 1], [33, 37, 5], [52, 600, 70], [63, 130, 66], [70, 96, 129]] {
        for element in [Element::F16, Element::Bf16, Element::Q8_0, Element::Q4] {
            compare(&mut executor, sizes, element, |got, want| assert_nmse(got, want, 1e-6));
        }
        compare(&mut executor, sizes, Element::F32, |got, want| assert_close(got, want, 1e-5));
    }
}

#[test]
fn matrix_cores_take_rows_of_any_magnitude() {
    let Some(mut executor) = on_matrix_cores("magnitudes of rows") else { return };
    let (n, k, o) = (33, 96, 40);
    let magnitudes = [1.0, 0.0, 1e-36, 1e-20, 3e-6, 7e4, 1e9, 1e35];
    let mut x = random(n * k, 1);
    for (x, magnitude) in x.chunks_mut(k).zip(magnitudes.into_iter().cycle()) {
        x.iter_mut().for_each(|v| *v *= magnitude);
    }
    // One value far above all others of its row.
    x[8 * k + 5] = 3e5;
    let w = stored(Element::Bf16, k, &random(o * k, 2));
    let weight = upload(&mut executor, [o, k], Element::Bf16, &w);
    let mut rec = Recording::new();
    let bx = rec.constant_f32([n, k], x.clone());
    let out = linear::record(&mut rec, bx, weight, Epilogue::default()).unwrap();
    let got = run(&mut executor, &rec, out);
    for (got, want) in got.chunks(o).zip(products(&x, &w, k).chunks(o)) {
        assert_nmse(got, want, 1e-6);
    }
}

#[test]
fn matrix_cores_show_what_is_no_number() {
    let Some(mut executor) = on_matrix_cores("rows that are no numbers") else { return };
    let (n, k, o) = (33, 64, 8);
    for (at, wrong) in [(3, f32::NAN), (70, f32::INFINITY)] {
        let mut x = random(n * k, 1);
        x[at] = wrong;
        let mut rec = Recording::new();
        let bx = rec.constant_f32([n, k], x);
        let weight = upload(&mut executor, [o, k], Element::Bf16, &random(o * k, 2));
        let out = linear::record(&mut rec, bx, weight, Epilogue::default()).unwrap();
        let got = run(&mut executor, &rec, out);
        for (row, got) in got.chunks(o).enumerate() {
            assert!(got.iter().all(|v| v.is_finite() != (row == at / k)), "row {row}: {got:?}");
        }
    }
}

#[test]
fn views_begin_at_their_rows() {
    let (n, k, o) = (36, 37, 9);
    let (x, w) = (random(2 * n * k, 1), stored(Element::Bf16, k, &random(3 * o * k, 2)));
    let mut executor = graphics();
    let weight = upload(&mut executor, [3 * o, k], Element::Bf16, &w);
    let mut rec = Recording::new();
    let bx = rec.constant_f32([2 * n, k], x.clone()).slice_rows(n - 1, n);
    let out = linear::record(&mut rec, bx, weight.slice_rows(o, o), Epilogue::default()).unwrap();
    let want = products(&x[(n - 1) * k..][..n * k], &w[o * k..][..o * k], k);
    assert_close(&run(&mut executor, &rec, out), &want, 1e-5);
}

#[test]
fn the_epilogue_applies_in_its_order_with_k_whole_and_in_parts() {
    let mut executor = graphics();
    for (n, k, o) in [(52, 24, 70), (35, 600, 33)] {
        let (x, w) = (random(n * k, 1), random(o * k, 2));
        let (b, s, r, g) = (random(o, 3), random(o, 4), random(n * o, 5), random(n, 6));
        let sums = products(&x, &w, k);
        for given in 0..16 {
            let has = |bit: usize| given & bit != 0;
            let mut rec = Recording::new();
            let bx = rec.constant_f32([n, k], x.clone());
            let bw = rec.constant_f32([o, k], w.clone());
            let epilogue = Epilogue {
                bias: has(1).then(|| rec.constant_f32([o], b.clone())),
                activation: Activation::Clamp,
                scale: has(2).then(|| rec.constant_f32([o], s.clone())),
                gate: has(4).then(|| rec.constant_f32([n, 1], g.clone())),
                residual: has(8).then(|| rec.constant_f32([n, o], r.clone())),
            };
            let out = linear::record(&mut rec, bx, bw, epilogue).unwrap();
            let want: Vec<f32> = (0..n * o)
                .map(|i| {
                    let held = (sums[i] + if has(1) { b[i % o] } else { 0.0 }).clamp(-1.0, 1.0);
                    let share = if has(4) { 1.0 / (1.0 + (-g[i / o]).exp()) } else { 1.0 };
                    share * held * if has(2) { s[i % o] } else { 1.0 } + if has(8) { r[i] } else { 0.0 }
                })
                .collect();
            assert_close(&run(&mut executor, &rec, out), &want, 1e-5);
        }
    }
}

#[test]
fn activations_match_the_processor() {
    use Activation::*;
    let (x, w) = (random(40 * 20, 3), random(21 * 20, 4));
    for activation in [None, Silu, GeluErf, GeluTanh, Clamp] {
        let mut rec = Recording::new();
        let bx = rec.constant_f32([40, 20], x.clone());
        let bw = rec.constant_f32([21, 20], w.clone());
        let out = linear::record(&mut rec, bx, bw, Epilogue { activation, ..Epilogue::default() }).unwrap();
        let [processor, graphics] = executors().map(|mut executor| run(&mut executor, &rec, out));
        assert_close(&graphics, &processor, 1e-6);
    }
}

#[test]
fn a_gate_with_its_up_matches_the_processor() {
    for (n, k, o) in [(33, 48, 17), (40, 130, 100), (130, 1024, 33)] {
        let (x, norm) = (random(n * k, 1), random(k, 2));
        let results = executors().map(|mut executor| {
            let [gate, up] =
                [3, 4].map(|seed| upload(&mut executor, [o, k], Element::Bf16, &random(o * k, seed)));
            [None, Some(&norm)].map(|norm| {
                let mut rec = Recording::new();
                let bx = rec.constant_f32([n, k], x.clone());
                let norm = norm.map(|n| Norm { weight: rec.constant_f32([k], n.clone()), eps: 1e-6 });
                let out = gate_up::record(&mut rec, bx, norm, gate, up).unwrap();
                run(&mut executor, &rec, out)
            })
        });
        for (processor, graphics) in results[0].iter().zip(&results[1]) {
            assert_close(graphics, processor, 1e-5);
        }
    }
}

#[test]
fn matrix_cores_take_a_norm_a_gate_and_an_epilogue() {
    let Some(mut executor) = on_matrix_cores("norms, gates and epilogues") else { return };
    for (n, k, o) in [(33, 48, 17), (40, 130, 100), (130, 1024, 33)] {
        let (x, norm, bias, residual) = (random(n * k, 1), random(k, 2), random(o, 5), random(n * o, 6));
        let on = |executor: &mut Executor| {
            let [gate, up] = [3, 4].map(|seed| upload(executor, [o, k], Element::Bf16, &random(o * k, seed)));
            let mut rec = Recording::new();
            let bx = rec.constant_f32([n, k], x.clone());
            let norm = Norm { weight: rec.constant_f32([k], norm.clone()), eps: 1e-6 };
            let epilogue = Epilogue {
                bias: Some(rec.constant_f32([o], bias.clone())),
                activation: Activation::GeluTanh,
                residual: Some(rec.constant_f32([n, o], residual.clone())),
                ..Epilogue::default()
            };
            let gated = gate_up::record(&mut rec, bx, Some(norm), gate, up).unwrap();
            let normed = projections::record(&mut rec, bx, Some(norm), [(gate, None)]).unwrap()[0];
            let followed = linear::record(&mut rec, bx, up, epilogue).unwrap();
            [gated, normed, followed].map(|out| run(executor, &rec, out))
        };
        let want = on(&mut Executor::processor());
        for (got, want) in on(&mut executor).iter().zip(&want) {
            assert_nmse(got, want, 1e-6);
        }
    }
}

#[test]
fn projections_of_many_rows_share_a_norm() {
    let (n, k, o) = (70, 128, [96, 32, 33]);
    let x = random(n * k, 1);
    let results = executors().map(|mut executor| {
        let weights = o.map(|o| upload(&mut executor, [o, k], Element::Bf16, &random(o * k, o as u64)));
        let mut rec = Recording::new();
        let bx = rec.constant_f32([n, k], x.clone());
        let norm = Norm { weight: rec.constant_f32([k], random(k, 2)), eps: 1e-6 };
        let bias = rec.constant_f32([o[2]], random(o[2], 5));
        let matrices = [(weights[0], None), (weights[1], None), (weights[2], Some(bias))];
        let outs = projections::record(&mut rec, bx, Some(norm), matrices).unwrap();
        outs.map(|out| run(&mut executor, &rec, out))
    });
    for (processor, graphics) in results[0].iter().zip(&results[1]) {
        assert_close(graphics, processor, 1e-5);
    }
}
