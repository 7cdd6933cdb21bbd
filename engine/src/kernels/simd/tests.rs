use super::tile::LANES;
use super::*;
use crate::kernels::testing::{assert_close, random};

/// The same values in every type they can be stored in.
struct Stores {
    f32: Vec<f32>,
    f16: Vec<u16>,
    bf16: Vec<u16>,
}

impl Stores {
    fn new(values: &[f32]) -> Stores {
        Stores {
            f32: values.to_vec(),
            f16: values.iter().map(|&v| half::f16::from_f32(v).to_bits()).collect(),
            bf16: values.iter().map(|&v| half::bf16::from_f32(v).to_bits()).collect(),
        }
    }

    fn all(&self) -> [Weight<'_>; 3] {
        [Weight::F32(&self.f32), Weight::F16(&self.f16), Weight::Bf16(&self.bf16)]
    }
}

fn products(level: Isa, weight: Weight<'_>, x: &[f32], k: usize) -> Vec<f32> {
    let x: Vec<&[f32]> = x.chunks(k).collect();
    let mut out = Vec::new();
    level.plain_products(weight, &x, |c, sums| {
        assert_eq!(out.len(), c * sums.len(), "rows of x come in order");
        out.extend_from_slice(sums);
    });
    out
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

/// Rows of x, length of a row, rows of weights: few rows and many, and rows of one, two and three parts.
const SIZES: [(usize, usize, usize); 15] = [
    (1, 1, 1),
    (1, 15, 3),
    (2, 16, 4),
    (3, 17, 5),
    (4, 31, 1),
    (5, 33, 9),
    (6, 64, 8),
    (7, 48, 7),
    (8, 100, 2),
    (13, 47, 6),
    (19, 130, 11),
    (1, 2051, 13),
    (60, 1000, 9),
    (40, 1500, 6),
    (103, 2051, 5),
];

#[test]
fn every_level_matches_plain_loops_in_f64() {
    for (n, k, rows) in SIZES {
        let (x, stores) = (random(n * k, 1), Stores::new(&random(rows * k, 2)));
        for weight in stores.all() {
            let mut w = vec![0.0; rows * k];
            weight.read(0, &mut w);
            let mut want = Vec::new();
            for x in x.chunks(k) {
                for w in w.chunks(k) {
                    want.push(
                        x.iter().zip(w).map(|(&x, &w)| f64::from(x) * f64::from(w)).sum::<f64>() as f32
                    );
                }
            }
            for level in Isa::available() {
                assert_close(&products(level, weight, &x, k), &want, 2e-6);
            }
        }
    }
}

#[test]
fn avx2_gives_the_bits_of_avx512() {
    let fused: Vec<Isa> = Isa::available().into_iter().filter(|l| l.set() != Set::Portable).collect();
    for (n, k, rows) in SIZES {
        let (x, stores) = (random(n * k, 3), Stores::new(&random(rows * k, 4)));
        for weight in stores.all() {
            for pair in fused.windows(2) {
                let [a, b] = [pair[0], pair[1]].map(|level| bits(&products(level, weight, &x, k)));
                assert_eq!(a, b, "{pair:?} at {n} x {k} x {rows}");
            }
        }
    }
}

#[test]
fn a_pair_of_rows_has_the_same_bits_in_any_company() {
    for (n, k, rows) in SIZES {
        let (x, stores) = (random(n * k, 5), Stores::new(&random(rows * k, 6)));
        for weight in stores.all() {
            for level in Isa::available() {
                let whole = products(level, weight, &x, k);
                for c in 0..n {
                    for r in 0..rows {
                        let alone = products(level, weight.slice(r * k, k), &x[c * k..(c + 1) * k], k);
                        assert_eq!(
                            bits(&alone),
                            bits(&whole[c * rows + r..][..1]),
                            "{level:?} {n} x {k} x {rows}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn the_lanes_are_summed_in_the_documented_order() {
    // 1 and 1e8 alternate in sign so that any other order gives another sum.
    let k = 70;
    let x: Vec<f32> = (0..k).map(|i| if i % 3 == 0 { 1e8 } else { 1.0 + i as f32 * 0.37 }).collect();
    let w: Vec<f32> = (0..k).map(|i| if i % 2 == 0 { 1.0 } else { -1.0 }).collect();
    let mut lanes = [0.0f32; LANES];
    for i in 0..k {
        lanes[i % LANES] = w[i].mul_add(x[i], lanes[i % LANES]);
    }
    let want = portable::reduce(lanes);
    for level in Isa::available().into_iter().filter(|l| l.set() != Set::Portable) {
        assert_eq!(products(level, Weight::F32(&w), &x, k)[0].to_bits(), want.to_bits(), "{level:?}");
    }
}
