//! Four bits a weight, a scale and an offset: `w = d · q + m`, q in 0..=15, d and m in half precision.
//!
//! Byte j of a block's sixteen holds weight j in its lower half and weight j + 16 in its upper one; a block's scales are d, then
//! m. A format with a zero point z is this one with `m = -z · d`.

use super::{BLOCK, ROUNDER, to_f16};

/// Bytes of the quants of a block.
pub(super) const QUANT_BYTES: usize = BLOCK / 2;

/// Largest quant.
const MOST: f32 = 15.0;

/// Shares of the range between a block's smallest and largest weight that a fit starts from: to cut off the outermost ones can
/// make all the others better.
const STARTS: [f32; 3] = [1.0, 0.9, 0.8];

/// Times that scale and offset are fitted to the quants, and the quants to them.
const ROUNDS: usize = 2;

/// A block's scale, offset, quants, and the sum of the squares of its errors.
struct Fit {
    d: f32,
    m: f32,
    quants: [f32; BLOCK],
    error: f32,
}

/// Quantises the blocks of a row: of several fits of each, the one with the smallest sum of squared errors.
pub(super) fn encode(row: &[[f32; BLOCK]], quants: &mut [u8], scales: &mut [u8]) {
    let quants = quants.as_chunks_mut::<QUANT_BYTES>().0.iter_mut();
    for ((block, quants), scales) in row.iter().zip(quants).zip(scales.as_chunks_mut::<4>().0) {
        let fit = best(block);
        scales[..2].copy_from_slice(&to_f16(fit.d).to_le_bytes());
        scales[2..].copy_from_slice(&to_f16(fit.m).to_le_bytes());
        for (j, byte) in quants.iter_mut().enumerate() {
            *byte = fit.quants[j] as u8 | (fit.quants[j + QUANT_BYTES] as u8) << 4;
        }
    }
}

fn best(block: &[f32; BLOCK]) -> Fit {
    let low = block.iter().fold(f32::INFINITY, |a, &v| a.min(v));
    let high = block.iter().fold(f32::NEG_INFINITY, |a, &v| a.max(v));
    let mut best = fit(block, (high - low) / MOST, low);
    for start in STARTS {
        let cut = (high - low) * (1.0 - start) / 2.0;
        let mut tried = fit(block, (high - low) * start / MOST, low + cut);
        for _ in 0..ROUNDS {
            let (d, m) = line(&tried.quants, block);
            tried = fit(block, d, m);
            if tried.error < best.error {
                best = Fit { ..tried };
            }
        }
    }
    best
}

/// The quants that are nearest for this scale and offset, both rounded to what is stored.
fn fit(block: &[f32; BLOCK], d: f32, m: f32) -> Fit {
    let (d, m) = (to_f16(d).to_f32(), to_f16(m).to_f32());
    let inverse = if d > 0.0 { 1.0 / d } else { 0.0 };
    let quants = block.map(|v| ((v - m) * inverse).clamp(0.0, MOST) + ROUNDER - ROUNDER);
    let error = quants.iter().zip(block).map(|(q, v)| (d * q + m - v) * (d * q + m - v)).sum();
    Fit { d, m, quants, error }
}

/// Scale and offset with the smallest sum of squared errors for these quants.
fn line(quants: &[f32; BLOCK], block: &[f32; BLOCK]) -> (f32, f32) {
    let count = BLOCK as f32;
    let (mean_q, mean_v) = (quants.iter().sum::<f32>() / count, block.iter().sum::<f32>() / count);
    let both: f32 = quants.iter().zip(block).map(|(q, v)| (q - mean_q) * (v - mean_v)).sum();
    let squares: f32 = quants.iter().map(|q| (q - mean_q) * (q - mean_q)).sum();
    let d = if squares > 0.0 { (both / squares).max(0.0) } else { 0.0 };
    (d, mean_v - d * mean_q)
}

/// The elements of a row.
pub(super) fn decode(quants: &[u8], scales: &[u16], values: &mut [f32]) {
    let blocks = quants.chunks(QUANT_BYTES).zip(scales.as_chunks::<2>().0);
    for (values, (quants, scales)) in values.chunks_mut(BLOCK).zip(blocks) {
        let [d, m] = scales.map(|bits| half::f16::from_bits(bits).to_f32());
        let (lower, upper) = values.split_at_mut(values.len().min(QUANT_BYTES));
        lower.iter_mut().zip(quants).for_each(|(v, q)| *v = d * f32::from(q & 15) + m);
        upper.iter_mut().zip(quants).for_each(|(v, q)| *v = d * f32::from(q >> 4) + m);
    }
}
