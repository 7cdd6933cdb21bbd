//! AVX2 with FMA and F16C: a step is 64 bytes of a weight row, times one or two rows of x.

use std::arch::x86_64::*;

use super::super::avx2::reduce;
use super::super::tile::Totals;
use super::{Group, Row, STEP};
use crate::quant::{BLOCK, Quant};

/// Lanes 0 to 7 and 8 to 15 of each row of x.
type Sums<const C: usize> = [[__m256; 2]; C];

/// See [`super::Isa::multiply_blocks`].
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn multiply(group: &Group<'_>, x: &[Row<'_>], totals: &mut Totals) {
    for (r, (quants, scales)) in group.quants.iter().zip(group.scales).enumerate() {
        for (x, totals) in x.chunks(2).zip(totals.chunks_mut(2)) {
            match *x {
                [a, b] => {
                    let sums = multiply_row(group.quant, quants, scales, [a, b]);
                    (totals[0][r], totals[1][r]) =
                        (reduce(sums[0][0], sums[0][1]), reduce(sums[1][0], sums[1][1]));
                }
                [a] => {
                    let [sums] = multiply_row(group.quant, quants, scales, [a]);
                    totals[0][r] = reduce(sums[0], sums[1]);
                }
                _ => unreachable!("chunks have one or two rows"),
            }
        }
    }
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn multiply_row<const C: usize>(quant: Quant, quants: &[u8], scales: &[u16], x: [Row<'_>; C]) -> Sums<C> {
    match quant {
        Quant::Q8_0 => q8_0(quants, scales, x),
        Quant::Q4 => q4(quants, scales, x),
    }
}

/// Two blocks a step.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn q8_0<const C: usize>(quants: &[u8], scales: &[u16], x: [Row<'_>; C]) -> Sums<C> {
    let mut sums = [[_mm256_setzero_ps(); 2]; C];
    let ones = _mm256_set1_epi16(1);
    for (step, (quants, scales)) in quants.chunks(64).zip(scales.chunks(2)).enumerate() {
        let quants = padded::<u8, 64>(quants);
        let second = scales.get(1).copied().unwrap_or_default();
        let d = _mm_cvtph_ps(_mm_cvtsi32_si128(i32::from(scales[0]) | i32::from(second) << 16));
        let w: [__m256i; 2] = [load(&quants[..32]), load(&quants[32..])];
        for c in 0..C {
            let numbers = &x[c].quants[step * 64..][..64];
            let s = &x[c].scales[step * 2..][..2];
            let scales = _mm_mul_ps(d, _mm_setr_ps(s[0], s[1], 0.0, 0.0));
            let scales = [_mm256_broadcastss_ps(scales), _mm256_broadcastss_ps(_mm_movehdup_ps(scales))];
            for half in 0..2 {
                // One factor must be without sign, which the other one takes.
                let x = _mm256_sign_epi8(load(&numbers[half * 32..][..32]), w[half]);
                let pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(w[half]), x);
                let whole = _mm256_cvtepi32_ps(_mm256_madd_epi16(pairs, ones));
                sums[c][half] = _mm256_fmadd_ps(scales[half], whole, sums[c][half]);
            }
        }
    }
    sums
}

/// Four blocks a step.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn q4<const C: usize>(quants: &[u8], scales: &[u16], x: [Row<'_>; C]) -> Sums<C> {
    let mut sums = [[_mm256_setzero_ps(); 2]; C];
    for (step, scales) in scales.chunks(2 * STEP).enumerate() {
        let scales = padded::<u16, { 2 * STEP }>(scales);
        for half in 0..2 {
            // The upper halves of eight pairs.
            let m = _mm256_srli_epi32::<16>(load(&scales[half * STEP..][..STEP]));
            let m = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packus_epi32(m, m));
            let m = _mm256_cvtph_ps(_mm256_castsi256_si128(m));
            for c in 0..C {
                let sum = load(&x[c].sums[step * STEP + half * 8..][..8]);
                sums[c][half] = _mm256_fmadd_ps(m, _mm256_castsi256_ps(sum), sums[c][half]);
            }
        }
    }
    let (ones, fifteen) = (_mm256_set1_epi16(1), _mm256_set1_epi8(15));
    for (step, (quants, scales)) in quants.chunks(64).zip(scales.chunks(8)).enumerate() {
        let (quants, scales) = (padded::<u8, 64>(quants), padded::<u16, 8>(scales));
        let pairs = _mm256_cvtph_ps(load_128(&scales));
        for half in 0..2 {
            let both = load(&quants[half * 32..][..32]);
            let low = _mm256_and_si256(both, fifteen);
            let high = _mm256_and_si256(_mm256_srli_epi16::<4>(both), fifteen);
            let first = half as i32 * 4;
            let second = first + 2;
            let of_blocks = _mm256_setr_epi32(first, first, first, first, second, second, second, second);
            let d = _mm256_permutevar8x32_ps(pairs, of_blocks);
            for c in 0..C {
                let block = step * 4 + half * 2;
                let numbers = &x[c].quants[block * BLOCK..][..2 * BLOCK];
                let x_pair = [load(&numbers[..32]), load(&numbers[32..])];
                let x_low = _mm256_permute2x128_si256::<0x20>(x_pair[0], x_pair[1]);
                let x_high = _mm256_permute2x128_si256::<0x31>(x_pair[0], x_pair[1]);
                // At most 4 · 15 · 127: sixteen bits are enough.
                let pairs =
                    _mm256_add_epi16(_mm256_maddubs_epi16(low, x_low), _mm256_maddubs_epi16(high, x_high));
                let whole = _mm256_cvtepi32_ps(_mm256_madd_epi16(pairs, ones));
                let s = &x[c].scales[block..][..2];
                let s = _mm256_set_m128(_mm_set1_ps(s[1]), _mm_set1_ps(s[0]));
                sums[c][half] = _mm256_fmadd_ps(_mm256_mul_ps(d, s), whole, sums[c][half]);
            }
        }
    }
    sums
}

/// The elements, then zeros.
#[inline(always)]
fn padded<T: Copy + Default, const N: usize>(some: &[T]) -> [T; N] {
    match some.try_into() {
        Ok(all) => all,
        Err(_) => {
            let mut all = [T::default(); N];
            all[..some.len()].copy_from_slice(some);
            all
        }
    }
}

/// 32 bytes.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn load<T: bytemuck::Pod>(from: &[T]) -> __m256i {
    assert!(size_of_val(from) == 32, "a register's bytes");
    // SAFETY: the bytes are there, and the load asks for no alignment.
    unsafe { _mm256_loadu_si256(from.as_ptr().cast()) }
}

/// Sixteen bytes.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn load_128(from: &[u16; 8]) -> __m128i {
    // SAFETY: as above.
    unsafe { _mm_loadu_si128(from.as_ptr().cast()) }
}

/// See [`super::Isa::quantise`].
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn quantise(x: &[f32], quants: &mut [i8], scales: &mut [f32], sums: &mut [f32]) {
    super::quantise(x, quants, scales, sums);
}
