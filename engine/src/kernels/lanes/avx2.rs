//! Lanes in two AVX2 registers, with FMA and F16C.

use std::arch::x86_64::*;
use std::mem::transmute;

use half::f16;

use super::{Lanes, Work};

/// Exists only inside `run`: proof of the instructions.
#[derive(Clone, Copy)]
pub(super) struct Avx2(());

/// Compiles `work` for these instructions.
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn run<W: Work>(work: W) -> W::Out {
    work.run(Avx2(()))
}

#[target_feature(enable = "avx2,fma,f16c")]
#[inline(never)]
fn outlined<W: Work>(work: W, l: Avx2) -> W::Out {
    work.run(l)
}

impl Lanes for Avx2 {
    type V = [__m256; 2];
    const WIDE: bool = false;

    #[inline(always)]
    fn splat(self, value: f32) -> Self::V {
        // SAFETY: `self` exists, so the processor has the instructions.
        unsafe { [_mm256_set1_ps(value); 2] }
    }

    #[inline(always)]
    fn load(self, from: &[f32; 16]) -> Self::V {
        // SAFETY: both are sixteen f32, of which any bits are valid.
        unsafe { transmute::<[f32; 16], [__m256; 2]>(*from) }
    }

    #[inline(always)]
    fn load_part(self, from: &[f32]) -> Self::V {
        let mut padded = [0.0; 16];
        padded[..from.len()].copy_from_slice(from);
        self.load(&padded)
    }

    #[inline(always)]
    fn load_f16(self, from: &[f16; 16]) -> Self::V {
        // SAFETY: `self` exists, so the processor has the instructions; both are sixteen numbers of 16 bits.
        unsafe {
            let [low, high] = transmute::<[f16; 16], [__m128i; 2]>(*from);
            [_mm256_cvtph_ps(low), _mm256_cvtph_ps(high)]
        }
    }

    #[inline(always)]
    fn store(self, v: Self::V, to: &mut [f32; 16]) {
        // SAFETY: both are sixteen f32, of which any bits are valid.
        *to = unsafe { transmute::<[__m256; 2], [f32; 16]>(v) };
    }

    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: `self` exists, so the processor has the instructions.
        unsafe { [_mm256_add_ps(a[0], b[0]), _mm256_add_ps(a[1], b[1])] }
    }

    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: `self` exists, so the processor has the instructions.
        unsafe { [_mm256_sub_ps(a[0], b[0]), _mm256_sub_ps(a[1], b[1])] }
    }

    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: `self` exists, so the processor has the instructions.
        unsafe { [_mm256_mul_ps(a[0], b[0]), _mm256_mul_ps(a[1], b[1])] }
    }

    #[inline(always)]
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        // SAFETY: `self` exists, so the processor has the instructions.
        unsafe { [_mm256_fmadd_ps(a[0], b[0], c[0]), _mm256_fmadd_ps(a[1], b[1], c[1])] }
    }

    #[inline(always)]
    fn max(self, a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: `self` exists, so the processor has the instructions.
        unsafe { [_mm256_max_ps(a[0], b[0]), _mm256_max_ps(a[1], b[1])] }
    }

    #[inline(always)]
    fn min(self, a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: `self` exists, so the processor has the instructions.
        unsafe { [_mm256_min_ps(a[0], b[0]), _mm256_min_ps(a[1], b[1])] }
    }

    #[inline(always)]
    fn zero_below(self, x: Self::V, limit: f32, v: Self::V) -> Self::V {
        // SAFETY: `self` exists, so the processor has the instructions.
        unsafe {
            // Not less: true for NaN.
            let limit = _mm256_set1_ps(limit);
            [
                _mm256_and_ps(v[0], _mm256_cmp_ps::<_CMP_NLT_UQ>(x[0], limit)),
                _mm256_and_ps(v[1], _mm256_cmp_ps::<_CMP_NLT_UQ>(x[1], limit)),
            ]
        }
    }

    #[inline(always)]
    fn pow2(self, rounded: Self::V) -> Self::V {
        // SAFETY: `self` exists, so the processor has the instructions.
        unsafe {
            let bias = _mm256_set1_epi32(127);
            let low = _mm256_add_epi32(_mm256_castps_si256(rounded[0]), bias);
            let high = _mm256_add_epi32(_mm256_castps_si256(rounded[1]), bias);
            [
                _mm256_castsi256_ps(_mm256_slli_epi32::<23>(low)),
                _mm256_castsi256_ps(_mm256_slli_epi32::<23>(high)),
            ]
        }
    }

    #[inline(always)]
    fn sum(self, v: Self::V) -> f32 {
        // SAFETY: `self` exists, so the processor has the instructions.
        unsafe {
            let v = _mm256_add_ps(v[0], v[1]);
            let v = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
            let v = _mm_add_ps(v, _mm_movehl_ps(v, v));
            _mm_cvtss_f32(_mm_add_ss(v, _mm_movehdup_ps(v)))
        }
    }

    #[inline(always)]
    fn sum4(self, v: [Self::V; 4]) -> [f32; 4] {
        [self.sum(v[0]), self.sum(v[1]), self.sum(v[2]), self.sum(v[3])]
    }

    #[inline(always)]
    fn call<W: Work>(self, work: W) -> W::Out {
        // SAFETY: `self` exists, so the processor has the instructions.
        unsafe { outlined(work, self) }
    }
}
