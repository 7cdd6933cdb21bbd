//! AVX2 with FMA and F16C: a lane block is two registers; two weight rows times up to three rows of x are summed at once.

use std::arch::x86_64::*;
use std::ops::Range;

use crate::kernels::bindings::Weight;

use super::{LANES, Stored, Walk};

/// Weight rows of a register tile.
const ROWS: usize = 2;

/// Most rows of x of a register tile.
const MOST_X: usize = 3;

/// Bytes between a weight's use and its prefetch where weights come from memory.
const AHEAD: usize = 8192;

/// Sums of a register tile in eight of the sixteen lanes, by row of x and row of weights.
type Half<const C: usize> = [[__m256; ROWS]; C];

/// See [`super::Level::dots`].
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
    for (x, out) in x.chunks(MOST_X).zip(out.chunks_mut(MOST_X * rows)) {
        match *x {
            [a] => dots_of_tile::<T, S, 1>(weight, [a], out),
            [a, b] => dots_of_tile::<T, S, 2>(weight, [a, b], out),
            [a, b, c] => dots_of_tile::<T, S, 3>(weight, [a, b, c], out),
            _ => unreachable!("chunks of one to three"),
        }
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
fn dots_of_tile<T, const S: u8, const C: usize>(weight: &[T], x: [&[f32]; C], out: &mut [f32]) {
    let (k, rows) = (x[0].len(), out.len() / C);
    for first in (0..rows).step_by(ROWS) {
        // A row beyond the last repeats it; its sum is dropped.
        let w = std::array::from_fn(|r| weight[(first + r).min(rows - 1) * k..][..k].as_ptr().cast());
        let mut sums = [[[_mm256_setzero_ps(); ROWS]; C]; 2];
        // SAFETY: each of the rows has `k` elements of the type that `S` names.
        unsafe { add_products::<S, C, 1, 1>(w, x.map(<[f32]>::as_ptr), k, &mut sums) };
        store(sums, first, out);
    }
}

/// See [`super::Level::pack`].
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn pack(weight: Weight<'_>, k: usize, columns: Range<usize>, panel: &mut [f32]) {
    match weight {
        Weight::F32(w) => pack_of::<f32, { Stored::F32 }>(w, k, columns, panel),
        Weight::F16(w) => pack_of::<u16, { Stored::F16 }>(w, k, columns, panel),
        Weight::Bf16(w) => pack_of::<u16, { Stored::BF16 }>(w, k, columns, panel),
    }
}

/// Panel: for each group of `ROWS` rows, for each lane block, the rows' sixteen elements one after the other.
#[target_feature(enable = "avx2,fma,f16c")]
fn pack_of<T, const S: u8>(weight: &[T], k: usize, columns: Range<usize>, panel: &mut [f32]) {
    let group = ROWS * columns.len().next_multiple_of(LANES);
    for (row, weight) in weight.chunks_exact(k).enumerate() {
        let panel = &mut panel[row / ROWS * group..][..group];
        let blocks = weight[columns.clone()].chunks(LANES);
        for (weight, to) in blocks.zip(panel.chunks_exact_mut(ROWS * LANES)) {
            let to: &mut [f32] = &mut to[row % ROWS * LANES..][..LANES];
            let (whole, padded) = (weight.len() == LANES, padded(weight));
            let from = if whole { weight.as_ptr().cast() } else { padded.as_ptr() };
            for half in [0, 8] {
                // SAFETY: either source has sixteen elements of the type that `S` names, and so has `to`.
                unsafe { _mm256_storeu_ps(to[half..].as_mut_ptr(), load::<S>(from, half)) };
            }
        }
    }
}

/// See [`super::Level::packed_dots`].
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn packed_dots(x: &[&[f32]], mut walk: Walk<'_>) {
    for (i, x) in x.chunks(MOST_X).enumerate() {
        match *x {
            [a] => packed_dots_of_tile([a], i * MOST_X, &mut walk),
            [a, b] => packed_dots_of_tile([a, b], i * MOST_X, &mut walk),
            [a, b, c] => packed_dots_of_tile([a, b, c], i * MOST_X, &mut walk),
            _ => unreachable!("chunks of one to three"),
        }
    }
}

/// `first`: how many rows of x the walk has before these.
#[target_feature(enable = "avx2,fma,f16c")]
fn packed_dots_of_tile<const C: usize>(x: [&[f32]; C], first: usize, walk: &mut Walk<'_>) {
    pack_x(x, walk.x);
    let k = x[0].len().next_multiple_of(LANES);
    let x = std::array::from_fn(|c| walk.x[c * LANES..][..(k - LANES) * C + LANES].as_ptr());
    let lanes = &mut walk.lanes[first * walk.rows.next_multiple_of(ROWS) * LANES..];
    let groups = walk.panel.chunks_exact(ROWS * k).zip(lanes.chunks_exact_mut(C * ROWS * LANES));
    for (row, (panel, lanes)) in (0..walk.rows).step_by(ROWS).zip(groups) {
        let mut sums = [[[_mm256_setzero_ps(); ROWS]; C]; 2];
        if !walk.first {
            let sums = sums.as_flattened_mut().as_flattened_mut();
            for (sum, lanes) in sums.iter_mut().zip(lanes.chunks_exact(LANES / 2)) {
                // SAFETY: `lanes` has eight elements.
                *sum = unsafe { _mm256_loadu_ps(lanes.as_ptr()) };
            }
        }
        let w = std::array::from_fn(|r| panel[r * LANES..].as_ptr().cast());
        // SAFETY: the packed rows of x and of the group have `k` elements, a whole number of lane blocks.
        unsafe { add_products::<{ Stored::F32 }, C, ROWS, C>(w, x, k, &mut sums) };
        if let Some(out) = &mut walk.out {
            store(sums, row, &mut out[first * walk.rows..][..C * walk.rows]);
            continue;
        }
        let sums = sums.as_flattened().as_flattened();
        for (sum, lanes) in sums.iter().zip(lanes.chunks_exact_mut(LANES / 2)) {
            // SAFETY: `lanes` has eight elements.
            unsafe { _mm256_storeu_ps(lanes.as_mut_ptr(), *sum) };
        }
    }
}

/// For each lane block, the rows' sixteen elements one after the other; zeros beyond a row's end.
#[target_feature(enable = "avx2,fma,f16c")]
fn pack_x<const C: usize>(x: [&[f32]; C], packed: &mut [f32]) {
    let k = x[0].len();
    for (i, to) in (0..k).step_by(LANES).zip(packed.chunks_exact_mut(C * LANES)) {
        for (x, to) in x.iter().zip(to.chunks_exact_mut(LANES)) {
            let x = &x[i..k.min(i + LANES)];
            to[..x.len()].copy_from_slice(x);
            to[x.len()..].fill(0.0);
        }
    }
}

/// Adds the products of elements `0..k` of `ROWS` weight rows and `C` rows of x to their lanes. A weight row's lane blocks are
/// `W_STEP` blocks apart, those of a row of x `X_STEP`.
///
/// # Safety
/// The pointers must have `k` elements in that layout, those of `w` of the type that `S` names.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn add_products<const S: u8, const C: usize, const W_STEP: usize, const X_STEP: usize>(
    w: [*const u8; ROWS],
    x: [*const f32; C],
    k: usize,
    sums: &mut [Half<C>; 2],
) {
    let size = Stored::size(S);
    let mut all = *sums;
    let mut step = |w: [*const u8; ROWS], x: [*const f32; C]| {
        for (half, sums) in all.iter_mut().enumerate() {
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
        if W_STEP == 1 {
            // The rows follow each other in memory: as many lines ahead as this step reads.
            for line in (0..LANES * ROWS * size).step_by(64) {
                _mm_prefetch::<_MM_HINT_T1>(w[0].wrapping_add(AHEAD + i * ROWS * size + line).cast());
            }
        }
        // SAFETY: `i` is at most `k - 16`.
        let (w, x) = unsafe { (w.map(|w| w.add(i * W_STEP * size)), x.map(|x| x.add(i * X_STEP))) };
        step(w, x);
    }
    if whole < k {
        // SAFETY: the caller vouches for elements up to `k`.
        let (w, x) = unsafe {
            let tail = (k - whole) * size;
            (
                w.map(|w| padded(std::slice::from_raw_parts(w.add(whole * W_STEP * size), tail))),
                x.map(|x| padded(std::slice::from_raw_parts(x.add(whole * X_STEP), k - whole))),
            )
        };
        step(w.each_ref().map(|w| w.as_ptr()), x.each_ref().map(|x| x.as_ptr().cast()));
    }
    *sums = all;
}

/// The bytes of fewer than a lane block's elements, then zeros, as a masked load would give them.
fn padded<T>(tail: &[T]) -> [u8; 4 * LANES] {
    let mut bytes = [0; 4 * LANES];
    let size = size_of_val(tail).min(bytes.len());
    // SAFETY: `size` is within both; the elements of `tail` are plain numbers.
    unsafe { std::ptr::copy_nonoverlapping(tail.as_ptr().cast(), bytes.as_mut_ptr(), size) };
    bytes
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

/// Writes the totals of weight rows from `first` on, as far as `out` `[C, rows]` has them.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn store<const C: usize>([low, high]: [Half<C>; 2], first: usize, out: &mut [f32]) {
    let rows = out.len() / C;
    for c in 0..C {
        for (r, out) in out[c * rows..][first..rows].iter_mut().take(ROWS).enumerate() {
            *out = reduce(low[c][r], high[c][r]);
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
