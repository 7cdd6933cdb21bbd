use super::super::Activations;
use super::*;
use crate::kernels::bindings::Matrix;
use crate::kernels::testing::{assert_close, part, random, stored};
use crate::shape::Element;

/// Rows of x, length of a row, rows of weights: whole steps, and every kind of rest.
const SIZES: [(usize, usize, usize); 10] = [
    (1, 1, 1),
    (2, 31, 5),
    (3, 32, 4),
    (4, 33, 3),
    (5, 64, 9),
    (6, 97, 8),
    (9, 512, 2),
    (1, 545, 13),
    (7, 1056, 6),
    (70, 1100, 5),
];

fn products(isa: Isa, element: Element, part: &[u8], x: &[f32], k: usize) -> Vec<f32> {
    let quant = if element == Element::Q4 { Quant::Q4 } else { Quant::Q8_0 };
    let weight = Matrix::Quantised(Blocks::of(quant, k, part));
    let x: Vec<&[f32]> = x.chunks(k).collect();
    let count = x.len();
    let x: Activations<'_> = isa.activations(x, element, true);
    let mut out = Vec::new();
    isa.products(weight, &x, 0..count, |c, sums| {
        assert_eq!(out.len(), c * sums.len(), "rows of x come in order");
        out.extend_from_slice(sums);
    });
    out
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

/// What eight bits hold of rows of x.
fn held(x: &[f32], k: usize) -> Vec<f64> {
    let mut held = Vec::new();
    for block in x.chunks(k).flat_map(|row| row.chunks(BLOCK)) {
        let largest = block.iter().fold(0.0f32, |most, v| most.max(v.abs()));
        // In f32 as the module says: in f64 some ties would be none.
        let numbers = block.iter().map(|v| (v * (127.0 / largest)).round_ties_even());
        held.extend(numbers.map(|q| f64::from(q) * f64::from(largest) / 127.0));
    }
    held
}

fn each(test: impl Fn(usize, usize, usize, Element)) {
    for (n, k, rows) in SIZES {
        for element in [Element::Q8_0, Element::Q4] {
            test(n, k, rows, element);
        }
    }
}

#[test]
fn every_level_matches_plain_loops_in_f64_over_what_eight_bits_hold() {
    each(|n, k, rows, element| {
        let (x, w) = (random(n * k, 1), random(rows * k, 2));
        let weights = stored(element, k, &w);
        let mut want = Vec::new();
        for x in held(&x, k).chunks(k) {
            for w in weights.chunks(k) {
                want.push(x.iter().zip(w).map(|(x, &w)| x * f64::from(w)).sum::<f64>() as f32);
            }
        }
        for isa in Isa::available() {
            let part = part(element, k, &w);
            assert_close(&products(isa, element, (*part).as_ref(), &x, k), &want, 1e-5);
        }
    });
}

#[test]
fn avx2_gives_the_bits_of_vnni() {
    let fused: Vec<Isa> = Isa::available().into_iter().filter(|isa| isa.set() != Set::Portable).collect();
    each(|n, k, rows, element| {
        let (x, part) = (random(n * k, 3), part(element, k, &random(rows * k, 4)));
        for pair in fused.windows(2) {
            let [a, b] = [pair[0], pair[1]].map(|isa| bits(&products(isa, element, (*part).as_ref(), &x, k)));
            assert_eq!(a, b, "{pair:?} at {n} x {k} x {rows} in {element:?}");
        }
    });
}

#[test]
fn a_pair_of_rows_has_the_same_bits_in_any_company() {
    each(|n, k, rows, element| {
        let (x, w) = (random(n * k, 5), random(rows * k, 6));
        for isa in Isa::available() {
            let whole = products(isa, element, (*part(element, k, &w)).as_ref(), &x, k);
            for (c, x) in x.chunks(k).enumerate() {
                for (r, w) in w.chunks(k).enumerate() {
                    let alone = products(isa, element, (*part(element, k, w)).as_ref(), x, k);
                    assert_eq!(bits(&alone), bits(&whole[c * rows + r..][..1]), "{isa:?} {n} x {k} x {rows}");
                }
            }
        }
    });
}

#[test]
fn the_largest_numbers_do_not_overflow() {
    // All quants at their ends: sums of pairs of products are the largest that there are.
    let k = 256;
    for element in [Element::Q8_0, Element::Q4] {
        for (sign_w, sign_x) in [(1.0, 1.0), (-1.0, 1.0), (1.0, -1.0), (-1.0, -1.0)] {
            let mut w = vec![127.0 * sign_w; k];
            w.iter_mut().step_by(BLOCK).for_each(|v| *v = 0.0);
            let x = vec![sign_x; k];
            let want = w.iter().sum::<f32>() * sign_x;
            let part = part(element, k, &w);
            for isa in Isa::available() {
                let got = products(isa, element, (*part).as_ref(), &x, k)[0];
                assert!(
                    (got - want).abs() <= 1e-3 * want.abs(),
                    "{isa:?} {element:?}: {got}, expected {want}"
                );
            }
        }
    }
}

#[test]
fn what_is_no_finite_number_shows_in_the_products_of_its_row_only() {
    let k = 100;
    for element in [Element::Q8_0, Element::Q4] {
        let part = part(element, k, &random(3 * k, 7));
        for wild in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut x = random(2 * k, 8);
            x[k + 41] = wild;
            for isa in Isa::available() {
                let got = products(isa, element, (*part).as_ref(), &x, k);
                assert!(got[..3].iter().all(|v| v.is_finite()), "{isa:?} {wild}");
                assert!(got[3..].iter().all(|v| !v.is_finite()), "{isa:?} {wild}: {got:?}");
            }
        }
    }
}

#[test]
fn zeros_and_the_smallest_numbers_give_zeros() {
    for element in [Element::Q8_0, Element::Q4] {
        let part = part(element, 64, &random(64, 9));
        for x in [0.0, -0.0, f32::from_bits(1), 1e-38] {
            for isa in Isa::available() {
                let got = products(isa, element, (*part).as_ref(), &[x; 64], 64)[0];
                assert!(got.abs() < 1e-35, "{isa:?} {x}: {got}");
            }
        }
    }
}
