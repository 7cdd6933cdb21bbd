//! AVX2 with FMA and F16C: a lane block is two registers; two weight rows times up to three rows of x are summed at once.

use std::arch::x86_64::*;

use crate::kernels::bindings::Weight;

use super::{LANES, Stored};

/// Weight rows of a register tile.
const ROWS: usize = 2;

/// Sums of a tile in eight of the sixteen lanes, by row of x and row of weights.
type Half<const C: usize> = [[__m256; ROWS]; C];

/// `out[c, r] = Σ weight[r, i] · x[c][i]`; see [`super::Level::dots`].
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn dots(weight: Weight<'_>, x: &[&[f32]], out: &mut [f32]) {
    match weight {
        Weight::F32(w) => dots_of::<f32, { Stored::F32 }>(w, x, out),
        Weight::F16(w) => dots_of::<u16, { Stored::F16 }>(w, x, out),
        Weight::Bf16(w) => dots_of::<u16, { Stored::BF16 }>(w, x, out),
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
fn dots_of<T, const S: u8>(weight: &[T], x: &[&[f32]], out: &mut [f32]) {
    let rows = out.len() / x.len();
    for (x, out) in x.chunks(3).zip(out.chunks_mut(3 * rows)) {
        match *x {
            [a] => block::<T, S, 1>(weight, [a], out),
            [a, b] => block::<T, S, 2>(weight, [a, b], out),
            [a, b, c] => block::<T, S, 3>(weight, [a, b, c], out),
            _ => unreachable!("chunks of one to three"),
        }
    }
}

/// All weight rows times `C` rows of x.
#[target_feature(enable = "avx2,fma,f16c")]
fn block<T, const S: u8, const C: usize>(weight: &[T], x: [&[f32]; C], out: &mut [f32]) {
    let (k, rows) = (x[0].len(), out.len() / C);
    for first in (0..rows).step_by(ROWS) {
        let count = ROWS.min(rows - first);
        // A row beyond the last repeats it; its sum is dropped.
        let w: [&[T]; ROWS] = std::array::from_fn(|r| &weight[(first + r.min(count - 1)) * k..][..k]);
        let [low, high] = tile::<T, S, C>(w, x);
        for c in 0..C {
            for (r, out) in out[c * rows + first..][..count].iter_mut().enumerate() {
                *out = reduce(low[c][r], high[c][r]);
            }
        }
    }
}

/// Lane sums of `ROWS` weight rows times `C` rows of x, all of one length.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn tile<T, const S: u8, const C: usize>(w: [&[T]; ROWS], x: [&[f32]; C]) -> [Half<C>; 2] {
    let k = x[0].len();
    let mut sums = [[[_mm256_setzero_ps(); ROWS]; C]; 2];
    let mut step = |w: [*const u8; ROWS], x: [*const f32; C]| {
        for (half, sums) in sums.iter_mut().enumerate() {
            // SAFETY: both callers below give pointers to sixteen elements of the type that `S` names.
            let wide = w.map(|w| unsafe { load::<S>(w, half * 8) });
            for c in 0..C {
                // SAFETY: as above.
                let x = unsafe { _mm256_loadu_ps(x[c].add(half * 8)) };
                for r in 0..ROWS {
                    sums[c][r] = _mm256_fmadd_ps(wide[r], x, sums[c][r]);
                }
            }
        }
    };
    let whole = k - k % LANES;
    for i in (0..whole).step_by(LANES) {
        step(w.map(|w| w[i..].as_ptr().cast()), x.map(|x| x[i..].as_ptr()));
    }
    if whole < k {
        // The missing lanes are zeros, as a masked load would give them. Sixteen elements of up to four bytes.
        let last_w: [[u8; 4 * LANES]; ROWS] = w.map(|w| {
            let (tail, mut padded) = (&w[whole..], [0; 4 * LANES]);
            // SAFETY: `tail` is shorter than sixteen elements, and its elements are plain numbers of two or four bytes.
            unsafe {
                std::ptr::copy_nonoverlapping(tail.as_ptr().cast(), padded.as_mut_ptr(), size_of_val(tail));
            }
            padded
        });
        let last_x: [[f32; LANES]; C] = x.map(|x| {
            let mut padded = [0.0; LANES];
            padded[..k - whole].copy_from_slice(&x[whole..]);
            padded
        });
        step(last_w.each_ref().map(|w| w.as_ptr()), last_x.each_ref().map(|x| x.as_ptr()));
    }
    sums
}

/// Elements `i..i + 8` of a row.
///
/// # Safety
/// `row` must have them, of the type that `S` names.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn load<const S: u8>(row: *const u8, i: usize) -> __m256 {
    // SAFETY: the caller vouches for the elements; no load asks for alignment.
    unsafe {
        match S {
            Stored::F32 => _mm256_loadu_ps(row.cast::<f32>().add(i)),
            Stored::F16 => _mm256_cvtph_ps(_mm_loadu_si128(row.cast::<u16>().add(i).cast())),
            _ => {
                let bits = _mm256_cvtepu16_epi32(_mm_loadu_si128(row.cast::<u16>().add(i).cast()));
                _mm256_castsi256_ps(_mm256_slli_epi32::<16>(bits))
            }
        }
    }
}

/// The sum over the lanes: i and i+8, then +4, +2, +1.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn reduce(low: __m256, high: __m256) -> f32 {
    let eight = _mm256_add_ps(low, high);
    let four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight));
    let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
}

/// Replaces each value by `f` of it.
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn map(values: &mut [f32], f: impl Fn(f32) -> f32) {
    values.iter_mut().for_each(|v| *v = f(*v));
}
