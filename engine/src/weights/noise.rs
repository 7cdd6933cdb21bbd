//! Random weights for measuring: small, centred, and cheap to make by the gigabyte.

use std::sync::{Arc, OnceLock};

use half::f16;

use super::DType;
use crate::quant::{BLOCK, Quant};
use crate::shape::{Bytes, OwnedBytes};

/// Words after which noise repeats: prime, so that the rows of a matrix differ.
const NOISE_WORDS: usize = 1_000_003;

/// `n` values between -1/16 and 1/16 that look random enough to keep activations finite, aligned for `dtype`.
pub(super) fn noise(n: usize, dtype: DType) -> Bytes {
    static BF16: OnceLock<Vec<u32>> = OnceLock::new();
    static F32: OnceLock<Vec<u32>> = OnceLock::new();
    let period = match dtype {
        DType::F32 => F32.get_or_init(|| random_words(|v| v & 0x807f_0000 | exponent(v) << 23)),
        DType::F16 | DType::Bf16 => BF16.get_or_init(|| {
            random_words(|v| {
                let half = |v: u32| v & 0x807f | exponent(v) << 7;
                half(v) | half(v.rotate_left(13)) << 16
            })
        }),
    };
    let mut bytes = OwnedBytes::zeros(n * dtype.size());
    fill(bytes.as_mut(), period);
    Arc::new(bytes)
}

/// Rows of quantised values between -1/16 and 1/16.
pub(super) fn noise_quants(quant: Quant, rows: usize, row: usize) -> Bytes {
    static WORDS: OnceLock<Vec<u32>> = OnceLock::new();
    // Odd bytes: none is -128, which Q8_0 does not have.
    let period = WORDS.get_or_init(|| random_words(|v| v | 0x0101_0101));
    let scales: &[f32] = match quant {
        Quant::Q8_0 => &[1.0 / 16.0 / 128.0],
        Quant::Q4 => &[1.0 / 128.0, -1.0 / 16.0],
    };
    let scales: Vec<u8> = scales.iter().flat_map(|&v| f16::from_f32(v).to_le_bytes()).collect();
    let mut bytes = OwnedBytes::zeros(quant.bytes(rows, row));
    let quants = rows * row.div_ceil(BLOCK) * quant.quant_bytes();
    let (quants, of_scales) = bytes.as_mut().split_at_mut(quants);
    fill(quants, period);
    of_scales.chunks_exact_mut(scales.len()).for_each(|of_block| of_block.copy_from_slice(&scales));
    Arc::new(bytes)
}

fn fill(bytes: &mut [u8], period: &[u32]) {
    let period = bytemuck::cast_slice(period);
    bytes.chunks_mut(period.len()).for_each(|chunk| chunk.copy_from_slice(&period[..chunk.len()]));
}

/// Exponents of 2^-5 to 2^-8.
fn exponent(random: u32) -> u32 {
    122 - (random >> 20 & 3)
}

fn random_words(value: impl Fn(u32) -> u32) -> Vec<u32> {
    let mut state = 0x2545_f491u32;
    let next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        value(state)
    };
    std::iter::repeat_with(next).take(NOISE_WORDS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(dtype: DType) -> Vec<f32> {
        let bytes = noise(200_001, dtype);
        match dtype {
            DType::F32 => bytemuck::cast_slice((*bytes).as_ref()).to_vec(),
            _ => {
                bytemuck::cast_slice::<_, half::bf16>((*bytes).as_ref()).iter().map(|v| v.to_f32()).collect()
            }
        }
    }

    #[test]
    fn random_weights_are_small_centred_and_of_the_type_asked_for() {
        for dtype in [DType::Bf16, DType::F32] {
            let values = values(dtype);
            assert_eq!(values.len(), 200_001, "{dtype}");
            assert!(values.iter().all(|v| v.abs() < 1.0 / 16.0 && v.abs() >= 1.0 / 256.0), "{dtype}");
            let mean = values.iter().sum::<f32>() / values.len() as f32;
            assert!(mean.abs() < 1e-3, "{dtype}: mean {mean}");
            assert!(values[..1000] != values[1000..2000], "{dtype} repeats");
        }
    }

    #[test]
    fn random_quants_are_small_centred_and_valid() {
        for quant in [Quant::Q8_0, Quant::Q4] {
            let (rows, row) = (300, 1000);
            let bytes = noise_quants(quant, rows, row);
            assert_eq!((*bytes).as_ref().len(), quant.bytes(rows, row));
            let blocks = rows * row.div_ceil(BLOCK);
            let (quants, scales) = (*bytes).as_ref().split_at(blocks * quant.quant_bytes());
            assert!(quant == Quant::Q4 || quants.iter().all(|&q| q as i8 != i8::MIN));
            let mut values = vec![0.0; blocks * BLOCK];
            quant.decode(quants, bytemuck::cast_slice(scales), &mut values);
            assert!(values.iter().all(|v| v.abs() <= 1.0 / 16.0), "{quant:?}");
            let mean = values.iter().sum::<f32>() / values.len() as f32;
            assert!(mean.abs() < 5e-3, "{quant:?}: mean {mean}");
        }
    }
}
