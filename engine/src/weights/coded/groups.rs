//! Four bits a weight with a scale, and mostly a zero point, for each group along a row: `w = s · (q - z)`.
//!
//! The engine's blocks say the same as `w = d · q + m` with `d = s` and `m = -z · s` in half precision. Without zero points that is
//! exact. With them, m is rounded where its digits do not fit, as are scales of more digits: no weight moves by more than half a step of
//! half precision at m, which is below a hundredth of a quant, or the import is refused.

use half::f16;

use crate::quant::BLOCK;
use crate::weights::tensor::{DType, Part};

/// Quants of a word.
const IN_WORD: usize = 8;

/// The quant that stands for zero where there are no zero points.
const MIDDLE: u8 = 8;

/// In which of a word's places AutoAWQ puts its eight columns.
const SHUFFLED: [usize; IN_WORD] = [0, 4, 1, 5, 2, 6, 3, 7];

/// How quants lie in words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Layout {
    /// compressed-tensors: along a row, row by row; zero points of eight rows in a word.
    Rows,
    /// GPTQ: along a row, column by column; zero points of eight rows in a word.
    Columns,
    /// AWQ: of eight rows in a shuffled order, and the zero points likewise.
    Shuffled,
}

/// Where a group has its zero.
#[derive(Clone)]
pub(crate) enum Zeros {
    /// In the middle.
    Middle,
    /// Where the words say; so much above that.
    Stored(Part, u8),
}

/// A matrix `[out, input]` in groups.
#[derive(Clone)]
pub(crate) struct Groups {
    pub(crate) layout: Layout,
    pub(crate) out: usize,
    pub(crate) input: usize,
    /// Weights of a group, a multiple of [`BLOCK`].
    pub(crate) group: usize,
    /// The quants.
    pub(crate) words: Part,
    /// `[out, groups]`, or `[groups, out]` where the words lie column by column.
    pub(crate) scales: Part,
    pub(crate) scale_type: DType,
    pub(crate) zeros: Zeros,
}

impl Groups {
    /// As `compressed-tensors, 4 bits, groups of 128 with zero points`.
    pub(super) fn describe(&self) -> String {
        let method = match self.layout {
            Layout::Rows => "compressed-tensors",
            Layout::Columns => "GPTQ",
            Layout::Shuffled => "AWQ",
        };
        let zeros = if matches!(self.zeros, Zeros::Middle) { "symmetric" } else { "with zero points" };
        format!("{method}, 4 bits, groups of {} {zeros}, that the engine's blocks hold", self.group)
    }

    /// The elements of a row.
    pub(super) fn decode(&self, row: usize, values: &mut [f32]) {
        for (i, values) in values.chunks_exact_mut(BLOCK).enumerate() {
            let group = i * BLOCK / self.group;
            let (scale, zero) = (self.scale(row, group), f32::from(self.zero(row, group)));
            let quants = self.block(row, i);
            values.iter_mut().zip(quants).for_each(|(v, q)| *v = scale * (f32::from(q) - zero));
        }
    }

    /// The same row in the engine's blocks.
    ///
    /// # Errors
    /// A scale that they cannot hold.
    pub(super) fn repack(&self, row: usize, quants: &mut [u8], scales: &mut [u8]) -> Result<(), String> {
        let blocks = quants.chunks_exact_mut(BLOCK / 2).zip(scales.as_chunks_mut::<4>().0);
        for (i, (bytes, scales)) in blocks.enumerate() {
            let quants = self.block(row, i);
            let group = i * BLOCK / self.group;
            let (d, m) = half_scales(self.scale(row, group), self.zero(row, group), &quants)?;
            scales[..2].copy_from_slice(&d.to_le_bytes());
            scales[2..].copy_from_slice(&m.to_le_bytes());
            let (lower, upper) = quants.split_at(BLOCK / 2);
            for (byte, (lower, upper)) in bytes.iter_mut().zip(lower.iter().zip(upper)) {
                *byte = lower | upper << 4;
            }
        }
        Ok(())
    }

    /// Takes the matrix out of this process's memory.
    pub(super) fn forget(&self) {
        let zeros = if let Zeros::Stored(zeros, _) = &self.zeros { Some(zeros) } else { None };
        for part in [&self.words, &self.scales].into_iter().chain(zeros) {
            part.forget(0..part.bytes().len());
        }
    }

    /// Quants of the `i`th block of a row.
    fn block(&self, row: usize, i: usize) -> [u8; BLOCK] {
        let words = words(&self.words);
        std::array::from_fn(|j| {
            let column = i * BLOCK + j;
            match self.layout {
                Layout::Rows => nibble(words[(row * self.input + column) / IN_WORD], column % IN_WORD),
                Layout::Columns => nibble(words[column / IN_WORD * self.out + row], column % IN_WORD),
                Layout::Shuffled => {
                    nibble(words[(column * self.out + row) / IN_WORD], SHUFFLED[row % IN_WORD])
                }
            }
        })
    }

    fn scale(&self, row: usize, group: usize) -> f32 {
        let at = match self.layout {
            Layout::Rows => row * (self.input / self.group) + group,
            Layout::Columns | Layout::Shuffled => group * self.out + row,
        };
        let mut scale = [0.0];
        self.scale_type.widen(self.scales.bytes(), at, &mut scale);
        scale[0]
    }

    fn zero(&self, row: usize, group: usize) -> u8 {
        let Zeros::Stored(part, more) = &self.zeros else { return MIDDLE };
        let words = words(part);
        let stored = match self.layout {
            Layout::Rows => nibble(words[row / IN_WORD * (self.input / self.group) + group], row % IN_WORD),
            Layout::Columns => nibble(words[(group * self.out + row) / IN_WORD], row % IN_WORD),
            Layout::Shuffled => nibble(words[(group * self.out + row) / IN_WORD], SHUFFLED[row % IN_WORD]),
        };
        stored + more
    }
}

fn words(part: &Part) -> &[u32] {
    bytemuck::cast_slice(part.bytes())
}

fn nibble(word: u32, place: usize) -> u8 {
    (word >> (place * 4)) as u8 & 15
}

/// Scale and offset of a block in half precision.
fn half_scales(scale: f32, zero: u8, quants: &[u8]) -> Result<(f16, f16), String> {
    let offset = -f32::from(zero) * scale;
    let d = f16::from_f32(scale);
    // Of the rounded scale, so that a weight at zero stays there.
    let m = f16::from_f32(-f32::from(zero) * d.to_f32());
    let holds = |q: u8| {
        let wanted = scale * (f32::from(q) - f32::from(zero));
        let off = (d.to_f32() * f32::from(q) + m.to_f32() - wanted).abs();
        off <= half_step(wanted.abs().max(offset.abs()))
    };
    // Where the scale fits, only the offset is rounded.
    let sound = d.is_finite() && m.is_finite() && (d.to_f32() == scale || quants.iter().all(|&q| holds(q)));
    if sound {
        Ok((d, m))
    } else {
        Err(format!("a scale of {scale:e}, which half precision does not hold; import it with --format q8_0"))
    }
}

/// Half the distance of half-precision numbers at `value`.
fn half_step(value: f32) -> f32 {
    // Numbers below 2^-14 are as far from each other as those at it.
    let exponent = ((value.to_bits() >> 23).cast_signed() - 127).clamp(-14, 15);
    f32::from_bits(((exponent - 11 + 127) as u32) << 23)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_zero_points_every_half_precision_scale_is_exact() {
        for bits in (0..0x7c00_u16).step_by(37) {
            let scale = f16::from_bits(bits);
            let Ok((d, m)) = half_scales(scale.to_f32(), 8, &[0, 15]) else {
                // Eight times that is above the largest number.
                assert!(scale.to_f32() > 8188.0);
                continue;
            };
            for q in 0..16_u8 {
                let wanted = scale.to_f32() * (f32::from(q) - 8.0);
                assert_eq!(d.to_f32() * f32::from(q) + m.to_f32(), wanted);
            }
        }
    }

    #[test]
    fn with_zero_points_weights_stay_within_half_a_step_of_the_offset() {
        for (scale, zero) in (1..2000_u16).map(|i| (f16::from_bits(i * 13), i as u8 % 17)) {
            let scale = scale.to_f32();
            let (d, m) = half_scales(scale, zero, &[0, 15]).unwrap();
            for q in 0..16_u8 {
                let wanted = scale * (f32::from(q) - f32::from(zero));
                let off = (d.to_f32() * f32::from(q) + m.to_f32() - wanted).abs();
                assert!(
                    off <= half_step(f32::from(zero) * scale) && off <= scale / 100.0,
                    "{scale} {zero} {q}"
                );
            }
        }
    }

    #[test]
    fn scales_that_half_precision_does_not_hold_are_refused_unless_they_scale_nothing() {
        for scale in [1e-7, 1e6, f32::NAN, f32::INFINITY] {
            let message = half_scales(scale, 8, &[0, 15]).unwrap_err();
            assert!(message.contains("--format q8_0"), "{message}");
        }
        // One with more digits costs weights half a step of the offset at most.
        half_scales(0.012_345_678, 8, &[0, 15]).unwrap();
        half_scales(1e-7, 8, &[8; 32]).unwrap();
        // All such weights are nearer to zero than the smallest number of half precision.
        half_scales(1e-9, 8, &[0, 15]).unwrap();
    }
}
