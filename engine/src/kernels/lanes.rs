//! Sixteen f32 lanes: the arithmetic that the kernels of this folder share, on the widest instructions the processor has.
//!
//! A sum over a row has one order everywhere: element `i` goes to lane `i mod 16`, blocks of sixteen ascend, then lanes
//! `i` and `i + 8`, `+ 4`, `+ 2`, `+ 1` are added. AVX-512 and AVX2 with FMA give the same bits; the portable lanes have no
//! fused multiply-add and may differ in the last ones. Not for matrix products with weights.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

use half::f16;

use super::isa::{Isa, Set};

/// Sixteen lanes of one instruction set. A value of the type proves that the processor has the instructions.
pub(super) trait Lanes: Copy {
    type V: Copy;
    /// Whether sixteen accumulators fit the registers.
    const WIDE: bool;

    fn splat(self, value: f32) -> Self::V;
    fn load(self, from: &[f32; 16]) -> Self::V;
    /// Loads fewer than sixteen values; the other lanes are zero.
    fn load_part(self, from: &[f32]) -> Self::V;
    /// Loads half-precision numbers, widened exactly.
    fn load_f16(self, from: &[f16; 16]) -> Self::V;
    fn store(self, v: Self::V, to: &mut [f32; 16]);
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a · b + c`, rounded once where the instructions allow.
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// `a` where `a > b`, else `b`: a NaN in `b` stays.
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a` where `a < b`, else `b`: a NaN in `b` stays.
    fn min(self, a: Self::V, b: Self::V) -> Self::V;
    /// Zero where `x < limit`, else `v`.
    fn zero_below(self, x: Self::V, limit: f32, v: Self::V) -> Self::V;
    /// `2^n` where a lane is `ROUNDER + n` for a whole n of -126 to 127.
    fn pow2(self, rounded: Self::V) -> Self::V;
    /// Sum of the lanes, in the fixed order.
    fn sum(self, v: Self::V) -> f32;
    /// The sums of four vectors, each in the fixed order.
    fn sum4(self, v: [Self::V; 4]) -> [f32; 4];
    /// Runs `work` as a function of its own: its inner loop gets the registers for itself.
    fn call<W: Work>(self, work: W) -> W::Out;
}

/// Adding this to a number below 2^22 rounds it to a whole number, which then stands in the lowest bits.
pub(super) const ROUNDER: f32 = 12_582_912.0;

/// Asks for part `part` of `parts` of the `len` values from `at` on, where they lie within `values`; they will be read soon.
/// Few at a time, between other work: a processor waits for the first ones before it takes many more.
#[inline(always)]
pub(super) fn prefetch<T>(values: &[T], at: usize, len: usize, (part, parts): (usize, usize)) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        let of_line = const { 64 / size_of::<T>() };
        let share = len.div_ceil(parts).next_multiple_of(of_line);
        let at = at + part * share;
        for line in values.get(at..at + share).unwrap_or_default().chunks_exact(of_line) {
            // SAFETY: every x86-64 processor has the instruction, and it reads nothing.
            unsafe { _mm_prefetch::<_MM_HINT_T1>(line.as_ptr().cast()) };
        }
    }
}

/// Work that is compiled for each instruction set. `run` and what it calls are `#[inline(always)]`.
pub(super) trait Work {
    type Out;
    fn run<L: Lanes>(self, l: L) -> Self::Out;
}

/// Runs `work` with the best lanes.
pub(super) fn run<W: Work>(work: W) -> W::Out {
    run_on(Isa::best(), work)
}

/// Runs `work` with the lanes of `isa`.
pub(super) fn run_on<W: Work>(isa: Isa, work: W) -> W::Out {
    match isa.set() {
        Set::Portable => work.run(portable::Portable),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: an `Isa` is only made where the processor has been found to have these instructions.
        Set::Avx2 => unsafe { avx2::run(work) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Set::Avx512 | Set::Avx512Vnni => unsafe { avx512::run(work) },
    }
}

/// Sum of `x`.
#[inline(always)]
pub(super) fn sum<L: Lanes>(l: L, x: &[f32]) -> f32 {
    let (blocks, tail) = x.as_chunks::<16>();
    let mut sum = l.splat(0.0);
    for x in blocks {
        sum = l.add(l.load(x), sum);
    }
    l.sum(l.add(l.load_part(tail), sum))
}

/// Sum of `(x - mean)²`.
#[inline(always)]
pub(super) fn sum_squares<L: Lanes>(l: L, x: &[f32], mean: f32) -> f32 {
    let (blocks, tail) = x.as_chunks::<16>();
    let mut last = [mean; 16];
    last[..tail.len()].copy_from_slice(tail);
    let mean = l.splat(mean);
    let mut sum = l.splat(0.0);
    for x in blocks {
        let x = l.sub(l.load(x), mean);
        sum = l.fma(x, x, sum);
    }
    let x = l.sub(l.load(&last), mean);
    l.sum(l.fma(x, x, sum))
}

/// Largest of `x`, not counting NaN; negative infinity where there is none.
#[inline(always)]
pub(super) fn largest<L: Lanes>(l: L, x: &[f32]) -> f32 {
    let (blocks, tail) = x.as_chunks::<16>();
    let mut last = [f32::NEG_INFINITY; 16];
    last[..tail.len()].copy_from_slice(tail);
    let mut largest = l.max(l.load(&last), l.splat(f32::NEG_INFINITY));
    for x in blocks {
        largest = l.max(l.load(x), largest);
    }
    let mut lanes = [0.0; 16];
    l.store(largest, &mut lanes);
    lanes.into_iter().fold(f32::NEG_INFINITY, f32::max)
}

/// A function of one number. A trait, because closures are not always compiled for the instructions of their caller.
/// `of` is `#[inline(always)]`.
pub(super) trait Function {
    fn of<L: Lanes>(&self, l: L, x: L::V) -> L::V;
}

/// Replaces each of `x` by `f` of it.
#[inline(always)]
pub(super) fn map<L: Lanes>(l: L, x: &mut [f32], f: impl Function) {
    let (blocks, tail) = x.as_chunks_mut::<16>();
    for x in blocks {
        l.store(f.of(l, l.load(x)), x);
    }
    if !tail.is_empty() {
        let mut last = [0.0; 16];
        l.store(f.of(l, l.load_part(tail)), &mut last);
        tail.copy_from_slice(&last[..tail.len()]);
    }
}

/// `e^x`, relative error below 2e-7; zero below -87, constant above 88.
#[inline(always)]
pub(super) fn exp<L: Lanes>(l: L, x: L::V) -> L::V {
    const LN2_HIGH: f32 = 0.693_115_23; // fourteen bits: its product with n is exact
    const LN2_LOW: f32 = 3.194_618_3e-5;
    let inside = l.min(l.splat(88.0), l.max(l.splat(-87.0), x));
    let rounded = l.fma(inside, l.splat(std::f32::consts::LOG2_E), l.splat(ROUNDER));
    let n = l.sub(rounded, l.splat(ROUNDER));
    let r = l.fma(n, l.splat(-LN2_HIGH), inside);
    let r = l.fma(n, l.splat(-LN2_LOW), r);
    // e^r = 1 + r + r²·p(r), fitted on |r| <= ln(2)/2 with error 5e-9.
    let mut p = l.splat(0.001_381_447_5);
    for c in [0.008_368_781, 0.041_668_393, 0.166_665_2, 0.499_999_94] {
        p = l.fma(p, r, l.splat(c));
    }
    let y = l.add(l.fma(p, l.mul(r, r), r), l.splat(1.0));
    l.zero_below(x, -87.0, l.mul(y, l.pow2(rounded)))
}

/// `sin²(x)`, error below 4e-7 for `|x|` up to 10,000; far beyond it the result is merely between 0 and 1.
#[inline(always)]
pub(super) fn sine_squared<L: Lanes>(l: L, x: L::V) -> L::V {
    // π in parts of few bits, so that their products with n are exact.
    const PI_PARTS: [f32; 3] = [3.140_625, 0.000_967_502_6, 1.509_958e-7];
    let rounded = l.fma(x, l.splat(std::f32::consts::FRAC_1_PI), l.splat(ROUNDER));
    let n = l.sub(rounded, l.splat(ROUNDER));
    let mut r = x;
    for part in PI_PARTS {
        r = l.fma(n, l.splat(-part), r);
    }
    let r = l.max(l.splat(-1.6), l.min(l.splat(1.6), r));
    // sin r = r + r³·p(r²), fitted on |r| <= π/2 with error 1.5e-8; the sign is lost in the square.
    let square = l.mul(r, r);
    let mut p = l.splat(2.599_75e-6);
    for c in [-0.000_198_064_78, 0.008_333_015, -0.166_666_57] {
        p = l.fma(p, square, l.splat(c));
    }
    let s = l.fma(p, l.mul(square, r), r);
    l.mul(s, s)
}

#[cfg(test)]
mod tests;
