//! AVX-512 with VNNI: a step is 64 bytes of each of four weight rows, times up to four rows of x.

use std::arch::x86_64::*;
use std::sync::atomic::{Ordering, compiler_fence};

use super::super::avx512::reduce;
use super::super::tile::{ROWS, Totals};
use super::{Group, Row, STEP};
use crate::quant::{BLOCK, Quant};

/// See [`super::Isa::multiply_blocks`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) fn multiply(group: &Group<'_>, x: &[Row<'_>], totals: &mut Totals) {
    match *x {
        [a] => multiply_tile(group, [a], totals),
        [a, b] => multiply_tile(group, [a, b], totals),
        [a, b, c] => multiply_tile(group, [a, b, c], totals),
        [a, b, c, d] => multiply_tile(group, [a, b, c, d], totals),
        _ => unreachable!("a tile has one to four rows of x"),
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn multiply_tile<const C: usize>(group: &Group<'_>, x: [Row<'_>; C], totals: &mut Totals) {
    let blocks = group.quants[0].len() / group.quant.quant_bytes();
    for (quants, scales) in group.quants.iter().zip(group.scales) {
        assert!(quants.len() == blocks * group.quant.quant_bytes(), "quants of each block");
        assert!(scales.len() == blocks * group.quant.scales(), "scales of each block");
    }
    for x in &x {
        let padded = blocks.next_multiple_of(STEP);
        assert!(x.quants.len() == padded * BLOCK, "rows of x are as long as those of weights");
        assert!(x.scales.len() == padded && x.sums.len() == padded, "scales of each block of x");
    }
    // SAFETY: the rows have been checked.
    let sums = unsafe {
        match group.quant {
            Quant::Q8_0 => q8_0(group, blocks, x),
            Quant::Q4 => q4(group, blocks, x),
        }
    };
    for (totals, sums) in totals.iter_mut().zip(sums) {
        // SAFETY: `totals` has four elements.
        unsafe { _mm_storeu_ps(totals.as_mut_ptr(), reduce(sums)) };
    }
}

/// The lanes of all pairs of rows: two blocks a step.
///
/// # Safety
/// Weight rows must have so many blocks of Q8_0, and rows of x those and what fills them up.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn q8_0<const C: usize>(group: &Group<'_>, blocks: usize, x: [Row<'_>; C]) -> [[__m512; ROWS]; C] {
    let mut sums = [[_mm512_setzero_ps(); ROWS]; C];
    // One factor must be without sign: x + 128, for which 128 times the weights are taken off again.
    let turned = _mm512_set1_epi8(-128);
    let halves = _mm512_set_epi32(1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0);
    for first in (0..blocks).step_by(2) {
        let mut w = [_mm512_setzero_si512(); ROWS];
        let mut d = [_mm512_setzero_ps(); ROWS];
        let mut surplus = w;
        for r in 0..ROWS {
            // SAFETY: the caller vouches for the blocks, and the masks leave out those beyond.
            unsafe {
                let quants = group.quants[r].as_ptr().add(first * BLOCK);
                w[r] = _mm512_maskz_loadu_epi8(bytes((blocks - first) * BLOCK), quants.cast());
                let scales = group.scales[r].as_ptr().add(first);
                let two = _mm_maskz_loadu_epi16(lanes(blocks - first) as u8 & 3, scales.cast());
                d[r] = spread(halves, _mm_cvtph_ps(two));
                fetch(group.ahead, quants);
            }
            let zero = _mm512_setzero_si512();
            surplus[r] = _mm512_sub_epi32(zero, _mm512_dpbusd_epi32(zero, turned, w[r]));
        }
        for c in 0..C {
            // One row of x in registers at a time: the compiler would else load all of them first and spill sums.
            compiler_fence(Ordering::SeqCst);
            // SAFETY: rows of x are filled up to whole steps.
            let (x, s) = unsafe {
                let s = _mm_castsi128_ps(_mm_loadl_epi64(x[c].scales.as_ptr().add(first).cast()));
                (_mm512_loadu_si512(x[c].quants.as_ptr().add(first * BLOCK).cast()), spread(halves, s))
            };
            let x = _mm512_xor_si512(x, turned);
            for r in 0..ROWS {
                let whole = _mm512_cvtepi32_ps(_mm512_dpbusd_epi32(surplus[r], x, w[r]));
                sums[c][r] = _mm512_fmadd_ps(_mm512_mul_ps(d[r], s), whole, sums[c][r]);
            }
        }
    }
    sums
}

/// The lanes of all pairs of rows: four blocks a step.
///
/// # Safety
/// As [`q8_0`], for Q4.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn q4<const C: usize>(group: &Group<'_>, blocks: usize, x: [Row<'_>; C]) -> [[__m512; ROWS]; C] {
    let mut sums = [[_mm512_setzero_ps(); ROWS]; C];
    for first in (0..blocks).step_by(STEP) {
        let mut m = [_mm512_setzero_ps(); ROWS];
        for (m, scales) in m.iter_mut().zip(group.scales) {
            // SAFETY: the caller vouches for the blocks, and the mask leaves out those beyond.
            let pairs = unsafe {
                _mm512_maskz_loadu_epi32(lanes(blocks - first), scales.as_ptr().add(2 * first).cast())
            };
            *m = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(_mm512_srli_epi32::<16>(pairs)));
        }
        for c in 0..C {
            // SAFETY: rows of x are filled up to whole steps.
            let sum = unsafe { _mm512_loadu_ps(x[c].sums.as_ptr().add(first)) };
            for r in 0..ROWS {
                sums[c][r] = _mm512_fmadd_ps(m[r], sum, sums[c][r]);
            }
        }
    }
    let fifteen = _mm512_set1_epi8(15);
    // Blocks lie one after the other in x, but lower and upper halves of four blocks together in the weights.
    let lower = _mm512_set_epi64(13, 12, 9, 8, 5, 4, 1, 0);
    let upper = _mm512_set_epi64(15, 14, 11, 10, 7, 6, 3, 2);
    let quarters = _mm512_set_epi32(3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0);
    let even = _mm512_add_epi32(quarters, quarters);
    for first in (0..blocks).step_by(4) {
        let mut low = [_mm512_setzero_si512(); ROWS];
        let mut high = low;
        let mut d = [_mm512_setzero_ps(); ROWS];
        for r in 0..ROWS {
            // SAFETY: the caller vouches for the blocks, and the masks leave out those beyond.
            let (both, pairs) = unsafe {
                let quants = group.quants[r].as_ptr().add(first * BLOCK / 2);
                fetch(group.ahead, quants);
                let scales = group.scales[r].as_ptr().add(2 * first);
                (
                    _mm512_maskz_loadu_epi8(bytes((blocks - first) * BLOCK / 2), quants.cast()),
                    _mm_maskz_loadu_epi32(lanes(blocks - first) as u8 & 15, scales.cast()),
                )
            };
            low[r] = _mm512_and_si512(both, fifteen);
            high[r] = _mm512_and_si512(_mm512_srli_epi16::<4>(both), fifteen);
            d[r] = _mm512_permutexvar_ps(even, _mm512_castps256_ps512(_mm256_cvtph_ps(pairs)));
        }
        for c in 0..C {
            // As above.
            compiler_fence(Ordering::SeqCst);
            // SAFETY: rows of x are filled up to whole steps.
            let (x, s) = unsafe {
                let numbers = x[c].quants.as_ptr().add(first * BLOCK);
                let pair = [_mm512_loadu_si512(numbers.cast()), _mm512_loadu_si512(numbers.add(64).cast())];
                (pair, spread(quarters, _mm_loadu_ps(x[c].scales.as_ptr().add(first))))
            };
            let x_low = _mm512_permutex2var_epi64(x[0], lower, x[1]);
            let x_high = _mm512_permutex2var_epi64(x[0], upper, x[1]);
            for r in 0..ROWS {
                let whole = _mm512_dpbusd_epi32(_mm512_setzero_si512(), low[r], x_low);
                let whole = _mm512_cvtepi32_ps(_mm512_dpbusd_epi32(whole, high[r], x_high));
                sums[c][r] = _mm512_fmadd_ps(_mm512_mul_ps(d[r], s), whole, sums[c][r]);
            }
        }
    }
    sums
}

/// The first `count` of 64 bytes.
fn bytes(count: usize) -> __mmask64 {
    if count < 64 { (1 << count) - 1 } else { !0 }
}

/// The first `count` of sixteen lanes.
fn lanes(count: usize) -> __mmask16 {
    if count < 16 { (1 << count) - 1 } else { !0 }
}

/// The numbers of `from` that the lanes of `places` name.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn spread(places: __m512i, from: __m128) -> __m512 {
    _mm512_permutexvar_ps(places, _mm512_castps128_ps512(from))
}

/// Asks for the line that lies `ahead` bytes on.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn fetch(ahead: Option<usize>, from: *const u8) {
    if let Some(ahead) = ahead {
        _mm_prefetch::<_MM_HINT_T1>(from.wrapping_add(ahead).cast());
    }
}

/// See [`super::Isa::quantise`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) fn quantise(x: &[f32], quants: &mut [i8], scales: &mut [f32], sums: &mut [f32]) {
    super::quantise(x, quants, scales, sums);
}
