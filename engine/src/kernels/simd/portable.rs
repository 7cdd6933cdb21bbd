//! Plain Rust for processors without AVX2: the same lanes and the same order, without fused steps.

use std::array::from_fn;
use std::ops::Range;

use crate::kernels::bindings::Weight;

use super::tile::{LANES, Lanes, ROWS, Rows, Totals, len, packed_row};

/// See [`super::Isa::multiply`].
pub(super) fn multiply(rows: &Rows<'_>, x: &[f32], count: usize, mut lanes: Lanes<'_>, totals: &mut Totals) {
    for (c, totals) in totals.iter_mut().take(count).enumerate() {
        for (r, total) in totals.iter_mut().enumerate() {
            let at = (c * ROWS + r) * LANES;
            let mut sums = [0.0; LANES];
            if let Lanes::Middle(from) | Lanes::Last(from) = &lanes {
                sums.copy_from_slice(&from[at..at + LANES]);
            }
            let x = x.chunks_exact(LANES).skip(c).step_by(count);
            match *rows {
                Rows::Packed(panel) => {
                    add_products(panel.chunks_exact(LANES).skip(r).step_by(ROWS), |v| v, x, &mut sums);
                }
                Rows::Stored { weight, k, .. } => {
                    let count = len(weight) / k;
                    match weight.slice(r.min(count - 1) * k, k) {
                        Weight::F32(w) => add_products(w.chunks(LANES), |v| v, x, &mut sums),
                        Weight::F16(w) => {
                            add_products(w.chunks(LANES), |v| half::f16::from_bits(v).to_f32(), x, &mut sums);
                        }
                        Weight::Bf16(w) => {
                            add_products(
                                w.chunks(LANES),
                                |v| f32::from_bits(u32::from(v) << 16),
                                x,
                                &mut sums,
                            );
                        }
                    }
                }
            }
            match &mut lanes {
                Lanes::First(to) | Lanes::Middle(to) => to[at..at + LANES].copy_from_slice(&sums),
                Lanes::Last(_) | Lanes::Only => *total = reduce(sums),
            }
        }
    }
}

fn add_products<'a, T: Copy + 'a>(
    weight: impl Iterator<Item = &'a [T]>,
    widen: impl Fn(T) -> f32,
    x: impl Iterator<Item = &'a [f32]>,
    sums: &mut [f32; LANES],
) {
    for (w, x) in weight.zip(x) {
        for ((sum, &w), &x) in sums.iter_mut().zip(w).zip(x) {
            *sum += widen(w) * x;
        }
    }
}

/// The sum over the lanes: i and i+8, then +4, +2, +1.
pub(super) fn reduce(lanes: [f32; LANES]) -> f32 {
    let eight: [f32; 8] = from_fn(|i| lanes[i] + lanes[i + 8]);
    let four: [f32; 4] = from_fn(|i| eight[i] + eight[i + 4]);
    (four[0] + four[2]) + (four[1] + four[3])
}

/// See [`super::Isa::pack`].
pub(super) fn pack(weight: Weight<'_>, k: usize, columns: Range<usize>, panel: &mut [f32]) {
    for row in 0..len(weight) / k {
        let starts = columns.clone().step_by(LANES);
        for (from, to) in starts.zip(packed_row(panel, row, columns.len())) {
            let (there, beyond) = to.split_at_mut((columns.end - from).min(LANES));
            weight.read(row * k + from, there);
            beyond.fill(0.0);
        }
    }
}

/// Replaces each value by `f` of it.
pub(super) fn map(values: &mut [f32], f: impl Fn(f32) -> f32) {
    values.iter_mut().for_each(|v| *v = f(*v));
}
