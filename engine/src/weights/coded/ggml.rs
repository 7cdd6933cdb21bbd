//! Blocks of weights as llama.cpp lays them out in its files.

use std::fmt;

use half::f16;

use crate::quant::{BLOCK, Quant};

/// Weights of a block of the formats whose scales have scales.
const SUPER: usize = 256;

/// A format of blocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ggml {
    /// 32 weights: a scale, then a byte a weight.
    Q8_0,
    /// 32 weights: a scale, then four bits a weight, of which 8 stands for zero.
    Q4_0,
    /// 256 weights: a scale and an offset, six bits of both for each 32, four bits a weight.
    Q4K,
    /// 256 weights: four lower bits a weight, two upper ones, a scale of eight bits for each 16, a scale.
    Q6K,
}

impl fmt::Display for Ggml {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Ggml::Q8_0 => "Q8_0",
            Ggml::Q4_0 => "Q4_0",
            Ggml::Q4K => "Q4_K",
            Ggml::Q6K => "Q6_K",
        })
    }
}

impl Ggml {
    /// Weights of a block.
    pub(crate) fn weights(self) -> usize {
        match self {
            Ggml::Q8_0 | Ggml::Q4_0 => BLOCK,
            Ggml::Q4K | Ggml::Q6K => SUPER,
        }
    }

    /// Bytes of a block.
    pub(crate) fn bytes(self) -> usize {
        match self {
            Ggml::Q8_0 => 34,
            Ggml::Q4_0 => 18,
            Ggml::Q4K => 144,
            Ggml::Q6K => 210,
        }
    }

    /// The format of the engine's that holds just the same weights.
    pub(super) fn same(self) -> Option<Quant> {
        match self {
            Ggml::Q8_0 => Some(Quant::Q8_0),
            Ggml::Q4_0 => Some(Quant::Q4),
            Ggml::Q4K | Ggml::Q6K => None,
        }
    }

    /// The weights of a row.
    pub(super) fn decode(self, row: &[u8], values: &mut [f32]) {
        for (block, values) in row.chunks_exact(self.bytes()).zip(values.chunks_exact_mut(self.weights())) {
            match self {
                Ggml::Q8_0 => {
                    let d = half(block, 0);
                    values.iter_mut().zip(&block[2..]).for_each(|(v, &q)| *v = d * f32::from(q as i8));
                }
                Ggml::Q4_0 => {
                    let (d, quants) = (half(block, 0), &block[2..]);
                    let weight = |q: u8| d * (f32::from(q) - 8.0);
                    let (lower, upper) = values.split_at_mut(BLOCK / 2);
                    lower.iter_mut().zip(quants).for_each(|(v, q)| *v = weight(q & 15));
                    upper.iter_mut().zip(quants).for_each(|(v, q)| *v = weight(q >> 4));
                }
                Ggml::Q4K => q4_k(block, values),
                Ggml::Q6K => q6_k(block, values),
            }
        }
    }

    /// The same row as the engine lays out [`Ggml::same`]: its quants, then its scales.
    ///
    /// # Errors
    /// What is in a block that no encoder of that format writes.
    pub(super) fn repack(self, row: &[u8], quants: &mut [u8], scales: &mut [u8]) -> Result<(), String> {
        let blocks = row.chunks_exact(self.bytes());
        if self == Ggml::Q8_0 {
            let held = quants.chunks_exact_mut(BLOCK).zip(scales.as_chunks_mut::<2>().0);
            for (block, (quants, scale)) in blocks.zip(held) {
                if block[2..].contains(&0x80) {
                    return Err("a quant of -128".into());
                }
                scale.copy_from_slice(&block[..2]);
                quants.copy_from_slice(&block[2..]);
            }
            return Ok(());
        }
        let held = quants.chunks_exact_mut(BLOCK / 2).zip(scales.as_chunks_mut::<4>().0);
        for (block, (quants, scales)) in blocks.zip(held) {
            let offset = f16::from_f32(-8.0 * half(block, 0));
            if !offset.is_finite() {
                return Err(format!("a scale of {}", half(block, 0)));
            }
            scales[..2].copy_from_slice(&block[..2]);
            scales[2..].copy_from_slice(&offset.to_le_bytes());
            quants.copy_from_slice(&block[2..]);
        }
        Ok(())
    }
}

/// The half-precision number at a place of a block.
fn half(block: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

/// Eight runs of 32 weights, each with a scale and an offset of six bits.
fn q4_k(block: &[u8], values: &mut [f32]) {
    let (d, m) = (half(block, 0), half(block, 2));
    let (packed, quants) = (&block[4..16], &block[16..]);
    for (i, values) in values.chunks_exact_mut(BLOCK).enumerate() {
        // The upper two bits of the last four stand above the first eight's six.
        let (scale, offset) = if i < 4 {
            (packed[i] & 63, packed[i + 4] & 63)
        } else {
            ((packed[i + 4] & 15) | (packed[i - 4] >> 6) << 4, packed[i + 4] >> 4 | (packed[i] >> 6) << 4)
        };
        let (scale, offset) = (d * f32::from(scale), m * f32::from(offset));
        // A byte holds weights of two runs.
        let bytes = &quants[i / 2 * BLOCK..][..BLOCK];
        let shift = i % 2 * 4;
        values.iter_mut().zip(bytes).for_each(|(v, q)| *v = scale * f32::from(q >> shift & 15) - offset);
    }
}

/// Sixteen runs of 16 weights, each with a scale of eight bits.
fn q6_k(block: &[u8], values: &mut [f32]) {
    let (lower, upper, scales, d) = (&block[..128], &block[128..192], &block[192..208], half(block, 208));
    for (j, value) in values.iter_mut().enumerate() {
        // 128 weights at a time: four runs of 32 that share bytes.
        let (part, run, at) = (j / 128, j % 128 / BLOCK, j % BLOCK);
        let low = lower[part * 64 + run % 2 * BLOCK + at] >> (run / 2 * 4) & 15;
        let high = upper[part * BLOCK + at] >> (run * 2) & 3;
        let scale = d * f32::from(scales[j / 16] as i8);
        *value = scale * (f32::from(low | high << 4) - 32.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packs 256 whole numbers with a scale for each run: an independent way there.
    fn pack_q6_k(d: f32, scales: [i8; 16], quants: &[i8; 256]) -> Vec<u8> {
        let (mut lower, mut upper) = ([0; 128], [0; 64]);
        for half in 0..2 {
            for l in 0..32 {
                let q: Vec<u8> = (0..4).map(|k| (quants[half * 128 + k * 32 + l] + 32) as u8).collect();
                lower[half * 64 + l] = q[0] & 15 | (q[2] & 15) << 4;
                lower[half * 64 + l + 32] = q[1] & 15 | (q[3] & 15) << 4;
                upper[half * 32 + l] = q[0] >> 4 | (q[1] >> 4) << 2 | (q[2] >> 4) << 4 | (q[3] >> 4) << 6;
            }
        }
        let scales = scales.map(|s| s as u8);
        [&lower[..], &upper, &scales, &f16::from_f32(d).to_le_bytes()].concat()
    }

    #[test]
    fn six_bits_come_back() {
        let scales = std::array::from_fn(|i| (i as i16 * 9 - 70) as i8);
        let quants = std::array::from_fn(|i| (i * 37 % 64) as i8 - 32);
        let mut values = [0.0; 256];
        Ggml::Q6K.decode(&pack_q6_k(0.25, scales, &quants), &mut values);
        for (i, value) in values.into_iter().enumerate() {
            assert_eq!(value, 0.25 * f32::from(scales[i / 16]) * f32::from(quants[i]), "{i}");
        }
    }

    #[test]
    fn four_bits_with_scales_of_scales_come_back() {
        let (scales, offsets) = ([1, 20, 33, 63, 16, 47, 5, 62_u8], [0, 63, 17, 40, 3, 48, 32, 15_u8]);
        let quants: Vec<u8> = (0..256).map(|i| (i * 7 % 16) as u8).collect();
        let mut packed = [0_u8; 12];
        for j in 0..4 {
            packed[j] = scales[j] | scales[j + 4] >> 4 << 6;
            packed[j + 4] = offsets[j] | offsets[j + 4] >> 4 << 6;
            packed[j + 8] = scales[j + 4] & 15 | offsets[j + 4] << 4;
        }
        let mut bytes = Vec::new();
        for pair in quants.chunks(64) {
            bytes.extend((0..32).map(|i| pair[i] | pair[i + 32] << 4));
        }
        let [d, m] = [0.5, 0.125].map(|v| f16::from_f32(v).to_le_bytes());
        let mut values = [0.0; 256];
        Ggml::Q4K.decode(&[&d[..], &m, &packed, &bytes].concat(), &mut values);
        for (i, value) in values.into_iter().enumerate() {
            let wanted =
                0.5 * f32::from(scales[i / 32]) * f32::from(quants[i]) - 0.125 * f32::from(offsets[i / 32]);
            assert_eq!(value, wanted, "{i}");
        }
    }

    #[test]
    fn what_no_encoder_writes_is_not_repacked() {
        let mut block = [1_u8; 34];
        let (mut quants, mut scales) = ([0; 32], [0; 4]);
        Ggml::Q8_0.repack(&block, &mut quants, &mut scales[..2]).unwrap();
        block[9] = 0x80;
        assert!(Ggml::Q8_0.repack(&block, &mut quants, &mut scales[..2]).is_err());
        let huge = [&f16::from_f32(9000.0).to_le_bytes()[..], &[0; 16]].concat();
        assert!(Ggml::Q4_0.repack(&huge, &mut quants[..16], &mut scales).is_err());
    }
}
