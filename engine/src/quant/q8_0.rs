//! Eight bits a weight and a scale: `w = d · q`, q in -127..=127, d in half precision.
//!
//! One byte a weight in order; one scale a block. The error is at most 0.57 d: half a step, and what rounding d adds at its end; more where d is
//! below the normal half-precision numbers, that is for blocks with no weight above 0.0078.

use super::{BLOCK, ROUNDER, inverse, to_f16};

/// Bytes of the quants of a block.
pub(super) const QUANT_BYTES: usize = BLOCK;

/// Largest quant.
const MOST: f32 = 127.0;

/// Quantises the blocks of a row.
pub(super) fn encode(row: &[[f32; BLOCK]], quants: &mut [u8], scales: &mut [u8]) {
    let quants = quants.as_chunks_mut::<QUANT_BYTES>().0.iter_mut();
    for ((block, quants), scale) in row.iter().zip(quants).zip(scales.as_chunks_mut().0) {
        let largest = block.iter().fold(0.0f32, |most, v| most.max(v.abs()));
        let d = to_f16(largest / MOST);
        *scale = d.to_le_bytes();
        let d = d.to_f32();
        let inverse = inverse(d);
        for (q, v) in quants.iter_mut().zip(block) {
            *q = ((v * inverse).clamp(-MOST, MOST) + ROUNDER - ROUNDER) as i8 as u8;
        }
    }
}

/// The elements of a row.
pub(super) fn decode(quants: &[u8], scales: &[u16], values: &mut [f32]) {
    for ((values, quants), &d) in values.chunks_mut(BLOCK).zip(quants.chunks(QUANT_BYTES)).zip(scales) {
        let d = half::f16::from_bits(d).to_f32();
        values.iter_mut().zip(quants).for_each(|(v, &q)| *v = d * f32::from(q as i8));
    }
}
