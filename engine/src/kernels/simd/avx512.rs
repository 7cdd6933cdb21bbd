//! AVX-512: a lane block is one register; four weight rows times up to six rows of x are summed at once.

use std::arch::x86_64::*;

use crate::kernels::bindings::Weight;

use super::{LANES, Stored};

/// Weight rows of a register tile.
const ROWS: usize = 4;

/// `out[c, r] = Σ weight[r, i] · x[c][i]`; see [`super::Level::dots`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(super) fn dots(weight: Weight<'_>, x: &[&[f32]], out: &mut [f32]) {
    match weight {
        Weight::F32(w) => dots_of::<f32, { Stored::F32 }>(w, x, out),
        Weight::F16(w) => dots_of::<u16, { Stored::F16 }>(w, x, out),
        Weight::Bf16(w) => dots_of::<u16, { Stored::BF16 }>(w, x, out),
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn dots_of<T, const S: u8>(weight: &[T], x: &[&[f32]], out: &mut [f32]) {
    match *x {
        [a] => block::<T, S, 1>(weight, [a], out),
        [a, b] => block::<T, S, 2>(weight, [a, b], out),
        [a, b, c] => block::<T, S, 3>(weight, [a, b, c], out),
        [a, b, c, d] => block::<T, S, 4>(weight, [a, b, c, d], out),
        [a, b, c, d, e] => block::<T, S, 5>(weight, [a, b, c, d, e], out),
        [a, b, c, d, e, f] => block::<T, S, 6>(weight, [a, b, c, d, e, f], out),
        _ => unreachable!("the caller gives one to six rows of x"),
    }
}

/// All weight rows times `C` rows of x.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn block<T, const S: u8, const C: usize>(weight: &[T], x: [&[f32]; C], out: &mut [f32]) {
    let (k, rows) = (x[0].len(), out.len() / C);
    for first in (0..rows).step_by(ROWS) {
        let count = ROWS.min(rows - first);
        // Rows beyond the last repeat it; their sums are dropped.
        let w: [&[T]; ROWS] = std::array::from_fn(|r| &weight[(first + r.min(count - 1)) * k..][..k]);
        let sums = tile::<T, S, C>(w, x);
        for (c, sums) in sums.into_iter().enumerate() {
            let mut four = [0.0; ROWS];
            // SAFETY: `four` has room for four f32.
            unsafe { _mm_storeu_ps(four.as_mut_ptr(), reduce(sums)) };
            out[c * rows + first..][..count].copy_from_slice(&four[..count]);
        }
    }
}

/// Lane sums of `ROWS` weight rows times `C` rows of x, all of one length.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn tile<T, const S: u8, const C: usize>(w: [&[T]; ROWS], x: [&[f32]; C]) -> [[__m512; ROWS]; C] {
    let k = x[0].len();
    let mut sums = [[_mm512_setzero_ps(); ROWS]; C];
    let mut step = |i: usize, mask: __mmask16| {
        // SAFETY: the caller's slices hold `k` elements of the type that `S` names, and `mask` leaves out those beyond.
        let wide = w.map(|w| unsafe { load::<S>(w.as_ptr().cast::<u8>(), i, mask) });
        for c in 0..C {
            // SAFETY: as above.
            let x = unsafe { load::<{ Stored::F32 }>(x[c].as_ptr().cast(), i, mask) };
            for r in 0..ROWS {
                sums[c][r] = _mm512_fmadd_ps(wide[r], x, sums[c][r]);
            }
        }
    };
    let whole = k - k % LANES;
    for i in (0..whole).step_by(LANES) {
        step(i, !0);
    }
    if whole < k {
        step(whole, (1 << (k - whole)) - 1);
    }
    sums
}

/// Elements `i..i + 16` of a row, those outside `mask` as zero.
///
/// # Safety
/// `row` must have the elements that `mask` selects, of the type that `S` names.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn load<const S: u8>(row: *const u8, i: usize, mask: __mmask16) -> __m512 {
    // SAFETY: the caller vouches for the selected elements; the others are not touched.
    unsafe {
        match S {
            Stored::F32 => _mm512_maskz_loadu_ps(mask, row.cast::<f32>().add(i)),
            Stored::F16 => _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask, row.cast::<i16>().add(i))),
            _ => {
                let bits = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, row.cast::<i16>().add(i)));
                _mm512_castsi512_ps(_mm512_slli_epi32::<16>(bits))
            }
        }
    }
}

/// Each register's sum over its lanes: i and i+8, then +4, +2, +1.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn reduce([a, b, c, d]: [__m512; ROWS]) -> __m128 {
    let halves = |a, b| {
        let swapped = _mm512_shuffle_f32x4::<0b01_00_11_10>(a, b);
        _mm512_add_ps(_mm512_mask_blend_ps(0xff00, a, b), swapped)
    };
    let (ab, cd) = (halves(a, b), halves(c, d));
    let even = _mm512_shuffle_f32x4::<0b10_00_10_00>(ab, cd);
    let fours = _mm512_add_ps(even, _mm512_shuffle_f32x4::<0b11_01_11_01>(ab, cd));
    let twos = _mm512_add_ps(fours, _mm512_permute_ps::<0b01_00_11_10>(fours));
    let ones = _mm512_add_ps(twos, _mm512_permute_ps::<0b10_11_00_01>(twos));
    let firsts = _mm512_set_epi32(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 12, 8, 4, 0);
    _mm512_castps512_ps128(_mm512_permutexvar_ps(firsts, ones))
}

/// Replaces each value by `f` of it.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(super) fn map(values: &mut [f32], f: impl Fn(f32) -> f32) {
    values.iter_mut().for_each(|v| *v = f(*v));
}
