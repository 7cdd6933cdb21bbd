//! AVX2 with FMA and F16C: a lane block is two registers; two weight rows times up to three rows of x are summed at once.

use std::arch::x86_64::*;
use std::array::from_fn;
use std::ops::Range;
use std::sync::atomic::{Ordering, compiler_fence};

use crate::kernels::bindings::Weight;

use super::tile::{Ahead, LANES, Lanes, ROWS, Rows, Stored, Totals, pack_rows, packed_row, row_pointers};

/// Weight rows that are summed at once.
const PAIR: usize = 2;

/// Most rows of x that are summed at once.
const TRIPLE: usize = 3;

/// Sums in eight of the sixteen lanes, by row of x and row of weights.
type Half<const C: usize> = [[__m256; PAIR]; C];

/// See [`super::Isa::multiply`].
#[target_feature(enable = "avx2,fma,f16c")]
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

#[target_feature(enable = "avx2,fma,f16c")]
fn multiply_rows<const S: u8, const W_STEP: usize>(
    w: [*const u8; ROWS],
    k: usize,
    ahead: Option<Ahead>,
    x: &[f32],
    count: usize,
    mut lanes: Lanes<'_>,
    totals: &mut Totals,
) {
    assert!(x.len() == count * k.next_multiple_of(LANES), "rows of x are as long as those of weights");
    for (i, w) in w.as_chunks::<PAIR>().0.iter().enumerate() {
        for first in (0..count).step_by(TRIPLE) {
            // Prefetch once, not for each of the parts of the tile.
            let job = Job {
                w: *w,
                k,
                ahead: ahead.filter(|_| i == 0 && first == 0),
                x,
                count,
                at: (first, i * PAIR),
            };
            match count - first {
                1 => multiply_part::<S, W_STEP, 1>(&job, &mut lanes, totals),
                2 => multiply_part::<S, W_STEP, 2>(&job, &mut lanes, totals),
                _ => multiply_part::<S, W_STEP, TRIPLE>(&job, &mut lanes, totals),
            }
        }
    }
}

/// A part of a tile.
struct Job<'a> {
    w: [*const u8; PAIR],
    k: usize,
    ahead: Option<Ahead>,
    /// The tile's rows of x, packed.
    x: &'a [f32],
    count: usize,
    /// First row of x and of weights in the tile.
    at: (usize, usize),
}

#[target_feature(enable = "avx2,fma,f16c")]
fn multiply_part<const S: u8, const W_STEP: usize, const C: usize>(
    job: &Job<'_>,
    lanes: &mut Lanes<'_>,
    totals: &mut Totals,
) {
    let (c, r) = job.at;
    let at = |i: usize, j: usize| ((c + i) * ROWS + r + j) * LANES;
    let mut sums: [Half<C>; 2] = [[[_mm256_setzero_ps(); PAIR]; C]; 2];
    if let Lanes::Middle(from) | Lanes::Last(from) = lanes {
        for (half, sums) in sums.iter_mut().enumerate() {
            for i in 0..C {
                for j in 0..PAIR {
                    // SAFETY: the slice has eight elements.
                    sums[i][j] = unsafe { _mm256_loadu_ps(from[at(i, j) + half * 8..][..8].as_ptr()) };
                }
            }
        }
    }
    // SAFETY: `multiply` gives rows of `k` elements of the type that `S` names, `W_STEP` blocks apart; x has been checked.
    unsafe { add_products::<S, W_STEP, C>(job, &mut sums) };
    for i in 0..C {
        for j in 0..PAIR {
            match lanes {
                Lanes::First(to) | Lanes::Middle(to) => {
                    let to = &mut to[at(i, j)..][..LANES];
                    // SAFETY: `to` has sixteen elements.
                    unsafe {
                        _mm256_storeu_ps(to.as_mut_ptr(), sums[0][i][j]);
                        _mm256_storeu_ps(to[8..].as_mut_ptr(), sums[1][i][j]);
                    }
                }
                Lanes::Last(_) | Lanes::Only => totals[c + i][r + j] = reduce(sums[0][i][j], sums[1][i][j]),
            }
        }
    }
}

/// Adds the products of two weight rows with some rows of a packed tile of x to their lanes. A weight row's lane blocks are
/// `W_STEP` blocks apart.
///
/// # Safety
/// Weight rows must have `k` elements of the type that `S` names in that layout, and x `count` rows of whole lane blocks.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn add_products<const S: u8, const W_STEP: usize, const C: usize>(
    job: &Job<'_>,
    sums: &mut [Half<C>; 2],
) {
    let size = Stored::size(S);
    let Job { w, k, ahead, count, .. } = *job;
    let x = job.x[job.at.0 * LANES..].as_ptr();
    let mut all = *sums;
    // A macro, since the compiler would make calls of two uses of a closure and keep all sums in memory.
    macro_rules! step {
        ($w:expr, $i:expr) => {
            for half in 0..2 {
                let mut wide = [_mm256_setzero_ps(); PAIR];
                for r in 0..PAIR {
                    // SAFETY: both uses below give pointers to sixteen elements of the type that `S` names.
                    wide[r] = unsafe { load::<S>($w[r], half * 8) };
                }
                for c in 0..C {
                    // One row of x in a register at a time: the compiler would else load all of them and spill sums.
                    compiler_fence(Ordering::SeqCst);
                    // SAFETY: x has whole lane blocks.
                    let x = unsafe { _mm256_loadu_ps(x.add($i * count + c * LANES + half * 8)) };
                    for r in 0..PAIR {
                        all[half][c][r] = _mm256_fmadd_ps(wide[r], x, all[half][c][r]);
                    }
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
        // SAFETY: `i` is at most `k - 16`.
        let w = unsafe { [w[0].add(i * W_STEP * size), w[1].add(i * W_STEP * size)] };
        step!(w, i);
    }
    if whole < k {
        // SAFETY: the caller vouches for elements up to `k`.
        let tails = w.map(|w| unsafe {
            padded(std::slice::from_raw_parts(w.add(whole * W_STEP * size), (k - whole) * size))
        });
        let tails = tails.each_ref().map(|w| w.as_ptr());
        step!(tails, whole);
    }
    *sums = all;
}

/// See [`super::Isa::pack_x`].
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn pack_x(x: &[&[f32]], columns: &Range<usize>, packed: &mut [f32]) {
    pack_rows(x, columns, packed);
}

/// See [`super::Isa::pack`].
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn pack(weight: Weight<'_>, k: usize, columns: Range<usize>, panel: &mut [f32]) {
    match weight {
        Weight::F32(w) => pack_of::<f32, { Stored::F32 }>(w, k, columns, panel),
        Weight::F16(w) => pack_of::<u16, { Stored::F16 }>(w, k, columns, panel),
        Weight::Bf16(w) => pack_of::<u16, { Stored::BF16 }>(w, k, columns, panel),
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
fn pack_of<T, const S: u8>(weight: &[T], k: usize, columns: Range<usize>, panel: &mut [f32]) {
    for (row, weight) in weight.chunks_exact(k).enumerate() {
        let blocks = weight[columns.clone()].chunks(LANES);
        for (weight, to) in blocks.zip(packed_row(panel, row, columns.len())) {
            // The next row's place in memory, if there is one.
            _mm_prefetch::<_MM_HINT_T1>(weight.as_ptr().wrapping_add(k).cast());
            let tail;
            let from = if weight.len() == LANES {
                weight.as_ptr().cast()
            } else {
                tail = padded(weight);
                tail.as_ptr()
            };
            for half in [0, 8] {
                // SAFETY: either source has sixteen elements of the type that `S` names, and so has `to`.
                unsafe { _mm256_storeu_ps(to[half..].as_mut_ptr(), load::<S>(from, half)) };
            }
        }
    }
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

/// The sum over the lanes: i and i+8, then +4, +2, +1.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn reduce(low: __m256, high: __m256) -> f32 {
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
