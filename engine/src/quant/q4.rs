//! Four bits a weight, a scale and an offset: `w = d · q + m`, q in 0..=15, d and m in half precision.
//!
//! Byte j of a block's sixteen holds weight j in its lower half and weight j + 16 in its upper one; a block's scales are d, then
//! m. A format with a zero point z is this one with `m = -z · d`.

use super::{BLOCK, ROUNDER, inverse, to_f16};

/// Bytes of the quants of a block.
pub(super) const QUANT_BYTES: usize = BLOCK / 2;

/// Largest quant.
const MOST: f32 = 15.0;

/// Shares of the range between a block's smallest and largest weight that a fit starts from: to cut off the outermost ones can
/// make all the others better.
const SHARES: [f32; 2] = [0.98, 0.88];

/// Steps by which such a start is moved: which weights lie near the middle between two quants is a matter of luck.
const SHIFTS: [f32; 2] = [-0.25, 0.25];

/// Sums that run beside each other, so that a processor adds several at a time.
const LANES: usize = 8;

/// A block, and what is the same for all fits.
struct Block<'a> {
    weights: &'a [f32; BLOCK],
    mean: f32,
}

/// Quantises the blocks of a row: of several fits of each, the one with the smallest sum of squared errors.
pub(super) fn encode(row: &[[f32; BLOCK]], quants: &mut [u8], scales: &mut [u8]) {
    let quants = quants.as_chunks_mut::<QUANT_BYTES>().0.iter_mut();
    for ((weights, quants), scales) in row.iter().zip(quants).zip(scales.as_chunks_mut::<4>().0) {
        let block = Block { weights, mean: sum(weights) / BLOCK as f32 };
        let (d, m) = block.best();
        let (d, m) = (to_f16(d), to_f16(m));
        scales[..2].copy_from_slice(&d.to_le_bytes());
        scales[2..].copy_from_slice(&m.to_le_bytes());
        let (d, m) = (d.to_f32(), m.to_f32());
        let nearest = weights.map(|v| nearest(v, m, inverse(d)));
        for (j, byte) in quants.iter_mut().enumerate() {
            *byte = nearest[j] as u8 | (nearest[j + QUANT_BYTES] as u8) << 4;
        }
    }
}

impl Block<'_> {
    /// The best scale and offset found.
    fn best(&self) -> (f32, f32) {
        let low = fold(self.weights, f32::INFINITY, f32::min);
        let high = fold(self.weights, f32::NEG_INFINITY, f32::max);
        let step = (high - low) / MOST;
        let mut best = (step, low);
        let mut least = self.error(best);
        for (share, shift) in SHARES.into_iter().flat_map(|share| SHIFTS.map(|shift| (share, shift))) {
            let cut = (high - low) * (1.0 - share) / 2.0;
            let line = self.refit((share * step, low + cut + shift * step));
            let error = self.error(line);
            if error < least {
                (best, least) = (line, error);
            }
        }
        best
    }

    /// Sum of the squared errors of the quants that are nearest for a scale and an offset.
    fn error(&self, (d, m): (f32, f32)) -> f32 {
        let (inverse, mut errors) = (inverse(d), [0.0; LANES]);
        for weights in self.weights.as_chunks::<LANES>().0 {
            for (error, &v) in errors.iter_mut().zip(weights) {
                let off = d * nearest(v, m, inverse) + m - v;
                *error += off * off;
            }
        }
        errors.iter().sum()
    }

    /// Scale and offset with the smallest sum of squared errors for those quants.
    fn refit(&self, (d, m): (f32, f32)) -> (f32, f32) {
        let inverse = inverse(d);
        let (mut all, mut squares, mut both) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
        for weights in self.weights.as_chunks::<LANES>().0 {
            for i in 0..LANES {
                let q = nearest(weights[i], m, inverse);
                all[i] += q;
                squares[i] += q * q;
                both[i] += q * (weights[i] - self.mean);
            }
        }
        let [all, squares, both] = [all, squares, both].map(|lanes| lanes.iter().sum::<f32>());
        let spread = squares - all * all / BLOCK as f32;
        let d = if spread > 0.0 { (both / spread).max(0.0) } else { 0.0 };
        (d, self.mean - d * all / BLOCK as f32)
    }
}

/// The nearest quant; zero for what is no number. Comparisons of this form are single instructions.
#[inline(always)]
fn nearest(v: f32, m: f32, inverse: f32) -> f32 {
    let q = (v - m) * inverse;
    let q = if q > 0.0 { q } else { 0.0 };
    (if q < MOST { q } else { MOST }) + ROUNDER - ROUNDER
}

fn sum(block: &[f32; BLOCK]) -> f32 {
    fold(block, 0.0, |a, b| a + b)
}

/// Brings a block's weights together, lane by lane and then the lanes.
fn fold(block: &[f32; BLOCK], start: f32, f: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [start; LANES];
    for weights in block.as_chunks::<LANES>().0 {
        lanes.iter_mut().zip(weights).for_each(|(lane, &weight)| *lane = f(*lane, weight));
    }
    lanes.into_iter().fold(start, f)
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
