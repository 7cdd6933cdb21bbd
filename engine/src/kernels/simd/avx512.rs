//! AVX-512: a lane block is one register, and a tile's lanes fill up to 24 of the 32.

use std::arch::x86_64::*;
use std::array::from_fn;
use std::ops::Range;
use std::sync::atomic::{Ordering, compiler_fence};

use crate::kernels::bindings::Weight;

use super::tile::{Ahead, LANES, Lanes, ROWS, Rows, Stored, Totals, pack_rows, packed_row, row_pointers};

/// See [`super::Isa::multiply`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(super) fn multiply(rows: &Rows<'_>, x: &[f32], count: usize, lanes: Lanes<'_>, totals: &mut Totals) {
    match *rows {
        Rows::Packed(panel) => {
            let w = from_fn(|r| panel[r * LANES..].as_ptr().cast());
            multiply_rows::<{ Stored::F32 }, ROWS>(w, panel.len() / ROWS, None, x, count, lanes, totals)
        }
        Rows::Stored { weight, k, ahead } => {
            let w = row_pointers(weight, k);
            match weight {
                Weight::F32(_) => {
                    multiply_rows::<{ Stored::F32 }, 1>(w, k, Some(ahead), x, count, lanes, totals)
                }
                Weight::F16(_) => {
                    multiply_rows::<{ Stored::F16 }, 1>(w, k, Some(ahead), x, count, lanes, totals)
                }
                Weight::Bf16(_) => {
                    multiply_rows::<{ Stored::BF16 }, 1>(w, k, Some(ahead), x, count, lanes, totals)
                }
            }
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn multiply_rows<const S: u8, const W_STEP: usize>(
    w: [*const u8; ROWS],
    k: usize,
    ahead: Option<Ahead>,
    x: &[f32],
    count: usize,
    lanes: Lanes<'_>,
    totals: &mut Totals,
) {
    match count {
        1 => multiply_tile::<S, W_STEP, 1>(w, k, ahead, x, lanes, totals),
        2 => multiply_tile::<S, W_STEP, 2>(w, k, ahead, x, lanes, totals),
        3 => multiply_tile::<S, W_STEP, 3>(w, k, ahead, x, lanes, totals),
        4 => multiply_tile::<S, W_STEP, 4>(w, k, ahead, x, lanes, totals),
        5 => multiply_tile::<S, W_STEP, 5>(w, k, ahead, x, lanes, totals),
        6 => multiply_tile::<S, W_STEP, 6>(w, k, ahead, x, lanes, totals),
        _ => unreachable!("a tile has one to six rows of x"),
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn multiply_tile<const S: u8, const W_STEP: usize, const C: usize>(
    w: [*const u8; ROWS],
    k: usize,
    ahead: Option<Ahead>,
    x: &[f32],
    lanes: Lanes<'_>,
    totals: &mut Totals,
) {
    assert!(x.len() == C * k.next_multiple_of(LANES), "rows of x are as long as those of weights");
    let mut sums = [[_mm512_setzero_ps(); ROWS]; C];
    if let Lanes::Middle(from) | Lanes::Last(from) = &lanes {
        for (sum, from) in sums.as_flattened_mut().iter_mut().zip(from.chunks_exact(LANES)) {
            // SAFETY: `from` has sixteen elements.
            *sum = unsafe { _mm512_loadu_ps(from.as_ptr()) };
        }
    }
    // SAFETY: `multiply` gives rows of `k` elements of the type that `S` names, `W_STEP` blocks apart; x has been checked.
    unsafe { add_products::<S, W_STEP, C>(w, k, ahead, x.as_ptr(), &mut sums) };
    match lanes {
        Lanes::First(to) | Lanes::Middle(to) => {
            for (sum, to) in sums.as_flattened().iter().zip(to.chunks_exact_mut(LANES)) {
                // SAFETY: `to` has sixteen elements.
                unsafe { _mm512_storeu_ps(to.as_mut_ptr(), *sum) };
            }
        }
        Lanes::Last(_) | Lanes::Only => {
            for (totals, sums) in totals.iter_mut().zip(sums) {
                // SAFETY: `totals` has four elements.
                unsafe { _mm_storeu_ps(totals.as_mut_ptr(), reduce(sums)) };
            }
        }
    }
}

/// Adds the products of four weight rows with a packed tile of x to their lanes. A weight row's lane blocks are `W_STEP`
/// blocks apart.
///
/// # Safety
/// Weight rows must have `k` elements of the type that `S` names in that layout, and x `C` rows of whole lane blocks.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn add_products<const S: u8, const W_STEP: usize, const C: usize>(
    w: [*const u8; ROWS],
    k: usize,
    ahead: Option<Ahead>,
    x: *const f32,
    sums: &mut [[__m512; ROWS]; C],
) {
    let mut all = *sums;
    // A macro, since the compiler would make calls of two uses of a closure and keep all sums in memory.
    macro_rules! step {
        ($i:expr, $mask:expr) => {
            let mut wide = [_mm512_setzero_ps(); ROWS];
            for r in 0..ROWS {
                // SAFETY: the caller vouches for `k` elements, and the mask leaves out those beyond.
                wide[r] = unsafe { load::<S>(w[r], $i * W_STEP, $mask) };
            }
            for c in 0..C {
                // One row of x in a register at a time: the compiler would else load all of them first and spill sums.
                compiler_fence(Ordering::SeqCst);
                // SAFETY: x has whole lane blocks.
                let x = unsafe { _mm512_loadu_ps(x.add($i * C + c * LANES)) };
                for r in 0..ROWS {
                    all[c][r] = _mm512_fmadd_ps(wide[r], x, all[c][r]);
                }
            }
        };
    }
    let whole = k - k % LANES;
    for i in (0..whole).step_by(LANES) {
        if let Some(ahead) = ahead {
            for line in (0..ahead.step).step_by(64) {
                _mm_prefetch::<_MM_HINT_T1>(ahead.start.wrapping_add(i / LANES * ahead.step + line).cast());
            }
        }
        step!(i, !0);
    }
    if whole < k {
        step!(whole, mask(k - whole));
    }
    *sums = all;
}

/// See [`super::Isa::pack_x`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(super) fn pack_x(x: &[&[f32]], columns: &Range<usize>, packed: &mut [f32]) {
    pack_rows(x, columns, packed);
}

/// See [`super::Isa::pack`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(super) fn pack(weight: Weight<'_>, k: usize, columns: Range<usize>, panel: &mut [f32]) {
    match weight {
        Weight::F32(w) => pack_of::<f32, { Stored::F32 }>(w, k, columns, panel),
        Weight::F16(w) => pack_of::<u16, { Stored::F16 }>(w, k, columns, panel),
        Weight::Bf16(w) => pack_of::<u16, { Stored::BF16 }>(w, k, columns, panel),
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn pack_of<T, const S: u8>(weight: &[T], k: usize, columns: Range<usize>, panel: &mut [f32]) {
    for (row, weight) in weight.chunks_exact(k).enumerate() {
        let weight = &weight[columns.clone()];
        for (i, to) in (0..weight.len()).step_by(LANES).zip(packed_row(panel, row, columns.len())) {
            // The next row's place in memory, if there is one.
            _mm_prefetch::<_MM_HINT_T1>(weight.as_ptr().wrapping_add(k + i).cast());
            // SAFETY: the mask leaves out what is beyond the row, and `to` has sixteen elements.
            unsafe {
                let block = load::<S>(weight.as_ptr().cast(), i, mask(weight.len() - i));
                _mm512_storeu_ps(to.as_mut_ptr(), block);
            }
        }
    }
}

/// The first `count` of sixteen lanes.
fn mask(count: usize) -> __mmask16 {
    if count < LANES { (1 << count) - 1 } else { !0 }
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
pub(super) fn reduce([a, b, c, d]: [__m512; ROWS]) -> __m128 {
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
