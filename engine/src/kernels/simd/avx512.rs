//! AVX-512: a lane block is one register; four weight rows times up to six rows of x are summed at once.

use std::arch::x86_64::*;
use std::ops::Range;
use std::sync::atomic::{Ordering, compiler_fence};

use crate::kernels::bindings::Weight;

use super::{LANES, Stored, Walk};

/// Weight rows of a register tile.
const ROWS: usize = 4;

/// Bytes between a weight's use and its prefetch where weights come from memory.
const AHEAD: usize = 8192;

/// Sums of a register tile, by row of x and row of weights.
type Sums<const C: usize> = [[__m512; ROWS]; C];

/// See [`super::Level::dots`].
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
        [a] => dots_of_tile::<T, S, 1>(weight, [a], out),
        [a, b] => dots_of_tile::<T, S, 2>(weight, [a, b], out),
        [a, b, c] => dots_of_tile::<T, S, 3>(weight, [a, b, c], out),
        [a, b, c, d] => dots_of_tile::<T, S, 4>(weight, [a, b, c, d], out),
        [a, b, c, d, e] => dots_of_tile::<T, S, 5>(weight, [a, b, c, d, e], out),
        [a, b, c, d, e, f] => dots_of_tile::<T, S, 6>(weight, [a, b, c, d, e, f], out),
        _ => unreachable!("the caller gives one to six rows of x"),
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn dots_of_tile<T, const S: u8, const C: usize>(weight: &[T], x: [&[f32]; C], out: &mut [f32]) {
    let (k, rows) = (x[0].len(), out.len() / C);
    for first in (0..rows).step_by(ROWS) {
        // Rows beyond the last repeat it; their sums are dropped.
        let w = std::array::from_fn(|r| weight[(first + r).min(rows - 1) * k..][..k].as_ptr().cast());
        let mut sums = [[_mm512_setzero_ps(); ROWS]; C];
        // SAFETY: each of the rows has `k` elements of the type that `S` names.
        unsafe { add_products::<S, C, 1, 1>(w, x.map(<[f32]>::as_ptr), k, &mut sums) };
        store(sums, first, out);
    }
}

/// See [`super::Level::pack`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(super) fn pack(weight: Weight<'_>, k: usize, columns: Range<usize>, panel: &mut [f32]) {
    match weight {
        Weight::F32(w) => pack_of::<f32, { Stored::F32 }>(w, k, columns, panel),
        Weight::F16(w) => pack_of::<u16, { Stored::F16 }>(w, k, columns, panel),
        Weight::Bf16(w) => pack_of::<u16, { Stored::BF16 }>(w, k, columns, panel),
    }
}

/// Panel: for each group of `ROWS` rows, for each lane block, the rows' sixteen elements one after the other.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn pack_of<T, const S: u8>(weight: &[T], k: usize, columns: Range<usize>, panel: &mut [f32]) {
    let group = ROWS * columns.len().next_multiple_of(LANES);
    for (row, weight) in weight.chunks_exact(k).enumerate() {
        let weight = &weight[columns.clone()];
        let panel = &mut panel[row / ROWS * group..][..group];
        for (i, to) in (0..weight.len()).step_by(LANES).zip(panel.chunks_exact_mut(ROWS * LANES)) {
            let to = &mut to[row % ROWS * LANES..][..LANES];
            // SAFETY: the mask leaves out what is beyond the row, and `to` has sixteen elements.
            unsafe {
                _mm_prefetch::<_MM_HINT_T1>(weight.as_ptr().wrapping_add(i + k).cast());
                let block = load::<S>(weight.as_ptr().cast(), i, mask(weight.len() - i));
                _mm512_storeu_ps(to.as_mut_ptr(), block);
            }
        }
    }
}

/// See [`super::Level::packed_dots`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(super) fn packed_dots(x: &[&[f32]], walk: Walk<'_>) {
    match *x {
        [a] => packed_dots_of_tile([a], walk),
        [a, b] => packed_dots_of_tile([a, b], walk),
        [a, b, c] => packed_dots_of_tile([a, b, c], walk),
        [a, b, c, d] => packed_dots_of_tile([a, b, c, d], walk),
        [a, b, c, d, e] => packed_dots_of_tile([a, b, c, d, e], walk),
        [a, b, c, d, e, f] => packed_dots_of_tile([a, b, c, d, e, f], walk),
        _ => unreachable!("the caller gives one to six rows of x"),
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn packed_dots_of_tile<const C: usize>(x: [&[f32]; C], mut walk: Walk<'_>) {
    pack_x(x, walk.x);
    let k = x[0].len().next_multiple_of(LANES);
    let x = std::array::from_fn(|c| walk.x[c * LANES..][..(k - LANES) * C + LANES].as_ptr());
    let groups = walk.panel.chunks_exact(ROWS * k).zip(walk.lanes.chunks_exact_mut(C * ROWS * LANES));
    for (i, (panel, lanes)) in groups.enumerate() {
        let mut sums = [[_mm512_setzero_ps(); ROWS]; C];
        if !walk.first {
            for (sum, lanes) in sums.as_flattened_mut().iter_mut().zip(lanes.chunks_exact(LANES)) {
                // SAFETY: `lanes` has sixteen elements.
                *sum = unsafe { _mm512_loadu_ps(lanes.as_ptr()) };
            }
        }
        let w = std::array::from_fn(|r| panel[r * LANES..].as_ptr().cast());
        // SAFETY: the packed rows of x and of the group have `k` elements, a whole number of lane blocks.
        unsafe { add_products::<{ Stored::F32 }, C, ROWS, C>(w, x, k, &mut sums) };
        if let Some(out) = &mut walk.out {
            store(sums, i * ROWS, out);
            continue;
        }
        for (sum, lanes) in sums.as_flattened().iter().zip(lanes.chunks_exact_mut(LANES)) {
            // SAFETY: `lanes` has sixteen elements.
            unsafe { _mm512_storeu_ps(lanes.as_mut_ptr(), *sum) };
        }
    }
}

/// For each lane block, the rows' sixteen elements one after the other; zeros beyond a row's end.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn pack_x<const C: usize>(x: [&[f32]; C], packed: &mut [f32]) {
    let k = x[0].len();
    for (i, to) in (0..k).step_by(LANES).zip(packed.chunks_exact_mut(C * LANES)) {
        for (x, to) in x.iter().zip(to.chunks_exact_mut(LANES)) {
            // SAFETY: the mask leaves out what is beyond the row, and `to` has sixteen elements.
            unsafe { _mm512_storeu_ps(to.as_mut_ptr(), _mm512_maskz_loadu_ps(mask(k - i), x[i..].as_ptr())) };
        }
    }
}

/// Adds the products of elements `0..k` of `ROWS` weight rows and `C` rows of x to their lanes. A weight row's lane blocks are
/// `W_STEP` blocks apart, those of a row of x `X_STEP`.
///
/// # Safety
/// The pointers must have `k` elements in that layout, those of `w` of the type that `S` names.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn add_products<const S: u8, const C: usize, const W_STEP: usize, const X_STEP: usize>(
    w: [*const u8; ROWS],
    x: [*const f32; C],
    k: usize,
    sums: &mut Sums<C>,
) {
    let mut all = *sums;
    let mut step = |i: usize, mask: __mmask16| {
        if W_STEP == 1 {
            // The rows follow each other in memory: as many lines ahead as this step reads.
            let bytes = Stored::size(S) * ROWS;
            for line in (0..LANES * bytes).step_by(64) {
                _mm_prefetch::<_MM_HINT_T1>(w[0].wrapping_add(AHEAD + i * bytes + line).cast());
            }
        }
        // SAFETY: the caller vouches for `k` elements, and `mask` leaves out those beyond.
        let wide = w.map(|w| unsafe { load::<S>(w, i * W_STEP, mask) });
        for c in 0..C {
            // One row of x in a register at a time: the compiler would else load all of them first and spill sums.
            compiler_fence(Ordering::SeqCst);
            // SAFETY: as above.
            let x = unsafe { load::<{ Stored::F32 }>(x[c].cast(), i * X_STEP, mask) };
            for r in 0..ROWS {
                all[c][r] = _mm512_fmadd_ps(wide[r], x, all[c][r]);
            }
        }
    };
    let whole = k - k % LANES;
    for i in (0..whole).step_by(LANES) {
        step(i, !0);
    }
    if whole < k {
        step(whole, mask(k - whole));
    }
    *sums = all;
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

/// Writes the totals of weight rows from `first` on, as far as `out` `[C, rows]` has them.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn store<const C: usize>(sums: Sums<C>, first: usize, out: &mut [f32]) {
    let rows = out.len() / C;
    for (c, sums) in sums.into_iter().enumerate() {
        let out = &mut out[c * rows..][first..rows];
        // SAFETY: the mask leaves out what is beyond `out`.
        unsafe { _mm_mask_storeu_ps(out.as_mut_ptr(), mask(out.len()) as __mmask8, reduce(sums)) };
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
