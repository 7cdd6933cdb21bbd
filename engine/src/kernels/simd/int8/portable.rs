//! Plain Rust for processors without AVX2: the same lanes and the same order, without fused steps.

use half::f16;

use super::super::portable::reduce;
use super::super::tile::{LANES, Totals};
use super::{Group, Row};
use crate::quant::{BLOCK, Quant};

/// See [`super::Isa::multiply_blocks`].
pub(super) fn multiply(group: &Group<'_>, x: &[Row<'_>], totals: &mut Totals) {
    for (x, totals) in x.iter().zip(totals) {
        for ((quants, scales), total) in group.quants.iter().zip(group.scales).zip(totals) {
            let lanes = match group.quant {
                Quant::Q8_0 => q8_0(quants, scales, x),
                Quant::Q4 => q4(quants, scales, x),
            };
            *total = reduce(lanes);
        }
    }
}

fn q8_0(quants: &[u8], scales: &[u16], x: &Row<'_>) -> [f32; LANES] {
    let mut lanes = [0.0; LANES];
    let weights = quants.as_chunks::<BLOCK>().0.iter().zip(scales);
    for (block, ((w, &d), x)) in weights.zip(x.blocks()).enumerate() {
        let scale = f16::from_bits(d).to_f32() * x.1;
        let lanes = &mut lanes[block % 2 * 8..][..8];
        for ((lane, w), x) in lanes.iter_mut().zip(w.as_chunks::<4>().0).zip(x.0.as_chunks::<4>().0) {
            let sum: i32 = w.iter().zip(x).map(|(&w, &x)| i32::from(w as i8) * i32::from(x)).sum();
            *lane += scale * sum as f32;
        }
    }
    lanes
}

fn q4(quants: &[u8], scales: &[u16], x: &Row<'_>) -> [f32; LANES] {
    let mut lanes = [0.0; LANES];
    let scales = scales.as_chunks::<2>().0;
    for (block, ([_, m], sum)) in scales.iter().zip(x.sums).enumerate() {
        lanes[block % LANES] += f16::from_bits(*m).to_f32() * sum;
    }
    let weights = quants.as_chunks::<{ BLOCK / 2 }>().0.iter().zip(scales);
    for (block, ((w, [d, _]), x)) in weights.zip(x.blocks()).enumerate() {
        let scale = f16::from_bits(*d).to_f32() * x.1;
        let (lower, upper) = x.0.split_at(BLOCK / 2);
        let lanes = &mut lanes[block % 4 * 4..][..4];
        for (i, lane) in lanes.iter_mut().enumerate() {
            let of_lane = i * 4..i * 4 + 4;
            let products = of_lane.map(|j| {
                i32::from(w[j] & 15) * i32::from(lower[j]) + i32::from(w[j] >> 4) * i32::from(upper[j])
            });
            *lane += scale * products.sum::<i32>() as f32;
        }
    }
    lanes
}

impl<'a> Row<'a> {
    /// Numbers and scale of each block.
    fn blocks(&self) -> impl Iterator<Item = (&'a [i8; BLOCK], f32)> {
        self.quants.as_chunks().0.iter().zip(self.scales.iter().copied())
    }
}
