//! Weights in few bits: blocks of 32 along a row, each with a scale of its own.
//!
//! A part (a matrix, or one matrix of a stack) lies in memory as the quants of all its rows, then the scales of all its rows,
//! little-endian; so both are read many at a time. The last block of a row is filled up with zeros. Not here: products with
//! such weights, which weights are held so, and files with them, of which FORMAT.md tells.

pub(crate) mod q4;
pub(crate) mod q8_0;
#[cfg(test)]
mod tests;

use half::f16;
use rayon::prelude::*;

/// Weights that share a scale.
pub(crate) const BLOCK: usize = 32;

/// Adding this to a number below 2^22 and taking it off again rounds to a whole number, ties to even.
const ROUNDER: f32 = 12_582_912.0;

/// A format of blocks.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Quant {
    /// See [`q8_0`].
    Q8_0,
    /// See [`q4`].
    Q4,
}

impl Quant {
    /// The name that files use.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Quant::Q8_0 => "q8_0",
            Quant::Q4 => "q4",
        }
    }

    /// The format of this name.
    pub(crate) fn from_name(name: &str) -> Option<Quant> {
        [Quant::Q8_0, Quant::Q4].into_iter().find(|quant| quant.name() == name)
    }

    /// Bytes of the quants of a block.
    pub(crate) fn quant_bytes(self) -> usize {
        match self {
            Quant::Q8_0 => q8_0::QUANT_BYTES,
            Quant::Q4 => q4::QUANT_BYTES,
        }
    }

    /// Half-precision numbers that scale a block.
    pub(crate) fn scales(self) -> usize {
        match self {
            Quant::Q8_0 => 1,
            Quant::Q4 => 2,
        }
    }

    /// Bytes of a part.
    pub(crate) fn bytes(self, rows: usize, row: usize) -> usize {
        rows * row.div_ceil(BLOCK) * (self.quant_bytes() + self.scales() * size_of::<f16>())
    }

    /// Bytes of the quants of a part; its scales follow them.
    pub(crate) fn quants(self, rows: usize, row: usize) -> usize {
        rows * row.div_ceil(BLOCK) * self.quant_bytes()
    }

    /// Quantises rows of `row` elements into `part`, on all threads. `read(i, values)` gives the elements of row `i`.
    pub(crate) fn encode(self, row: usize, part: &mut [u8], read: impl Fn(usize, &mut [f32]) + Sync) {
        let blocks = row.div_ceil(BLOCK);
        let rows = part.len() / self.bytes(1, row).max(1);
        let (of_quants, of_scales) = (blocks * self.quant_bytes(), blocks * self.scales() * size_of::<f16>());
        let (quants, scales) = part.split_at_mut(rows * of_quants);
        let rows =
            quants.par_chunks_exact_mut(of_quants.max(1)).zip(scales.par_chunks_exact_mut(of_scales.max(1)));
        rows.enumerate().for_each_init(
            || vec![0.0; blocks * BLOCK],
            |values, (i, (quants, scales))| {
                read(i, &mut values[..row]);
                let values = values.as_chunks().0;
                match self {
                    Quant::Q8_0 => q8_0::encode(values, quants, scales),
                    Quant::Q4 => q4::encode(values, quants, scales),
                }
            },
        );
    }

    /// The elements of a row from its quants and scales.
    pub(crate) fn decode(self, quants: &[u8], scales: &[u16], values: &mut [f32]) {
        match self {
            Quant::Q8_0 => q8_0::decode(quants, scales, values),
            Quant::Q4 => q4::decode(quants, scales, values),
        }
    }
}

/// What to multiply with in place of a division by the scale.
fn inverse(d: f32) -> f32 {
    if d > 0.0 { 1.0 / d } else { 0.0 }
}

/// The nearest half-precision number that is finite; zero for what is no number.
fn to_f16(value: f32) -> f16 {
    if value.is_nan() { f16::ZERO } else { f16::from_f32(value.clamp(f16::MIN.to_f32(), f16::MAX.to_f32())) }
}
