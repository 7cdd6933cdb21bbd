//! Lanes in one AVX-512 register.

use std::arch::x86_64::*;
use std::mem::transmute;

use half::f16;

use super::{Lanes, Work};

/// Exists only inside `run`: proof of the instructions.
#[derive(Clone, Copy)]
pub(super) struct Avx512(());

/// Compiles `work` for these instructions.
#[target_feature(enable = "avx512f,avx512dq,avx2,fma")]
pub(super) fn run<W: Work>(work: W) -> W::Out {
    work.run(Avx512(()))
}

#[target_feature(enable = "avx512f,avx512dq,avx2,fma")]
#[inline(never)]
fn outlined<W: Work>(work: W, l: Avx512) -> W::Out {
    work.run(l)
}

impl Lanes for Avx512 {
    type V = __m512;
    const WIDE: bool = true;

    #[inline(always)]
    fn splat(self, value: f32) -> Self::V {
        // SAFETY: `self` exists, so the processor has the instructions.
        unsafe { _mm512_set1_ps(value) }
    }

    #[inline(always)]
    fn load(self, from: &[f32; 16]) -> Self::V {
        // SAFETY: both are sixteen f32, of which any bits are valid.
        unsafe { transmute::<[f32; 16], __m512>(*from) }
    }

    #[inline(always)]
    fn load_part(self, from: &[f32]) -> Self::V {
        debug_assert!(from.len() < 16);
        let mask = (1u32 << (from.len() & 15)) - 1;
        // SAFETY: `self` exists, so the processor has the instructions; the mask keeps the load inside `from`.
        unsafe { _mm512_maskz_loadu_ps(mask as u16, from.as_ptr()) }
    }

    #[inline(always)]
    fn load_f16(self, from: &[f16; 16]) -> Self::V {
        // SAFETY: `self` exists, so the processor has the instructions; both are sixteen numbers of 16 bits.
        unsafe { _mm512_cvtph_ps(transmute::<[f16; 16], __m256i>(*from)) }
    }

    #[inline(always)]
    fn store(self, v: Self::V, to: &mut [f32; 16]) {
        // SAFETY: both are sixteen f32, of which any bits are valid.
        *to = unsafe { transmute::<__m512, [f32; 16]>(v) };
    }

    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: `self` exists, so the processor has the instructions.
        unsafe { _mm512_add_ps(a, b) }
    }

    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: `self` exists, so the processor has the instructions.
        unsafe { _mm512_sub_ps(a, b) }
    }

    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: `self` exists, so the processor has the instructions.
        unsafe { _mm512_mul_ps(a, b) }
    }

    #[inline(always)]
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        // SAFETY: `self` exists, so the processor has the instructions.
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    fn max(self, a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: `self` exists, so the processor has the instructions.
        unsafe { _mm512_max_ps(a, b) }
    }

    #[inline(always)]
    fn min(self, a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: `self` exists, so the processor has the instructions.
        unsafe { _mm512_min_ps(a, b) }
    }

    #[inline(always)]
    fn zero_below(self, x: Self::V, limit: f32, v: Self::V) -> Self::V {
        // SAFETY: `self` exists, so the processor has the instructions.
        unsafe {
            // Not less: true for NaN.
            let keep = _mm512_cmp_ps_mask::<_CMP_NLT_UQ>(x, _mm512_set1_ps(limit));
            _mm512_maskz_mov_ps(keep, v)
        }
    }

    #[inline(always)]
    fn pow2(self, rounded: Self::V) -> Self::V {
        // SAFETY: `self` exists, so the processor has the instructions.
        unsafe {
            let biased = _mm512_add_epi32(_mm512_castps_si512(rounded), _mm512_set1_epi32(127));
            _mm512_castsi512_ps(_mm512_slli_epi32::<23>(biased))
        }
    }

    #[inline(always)]
    fn sum(self, v: Self::V) -> f32 {
        // SAFETY: `self` exists, so the processor has the instructions.
        unsafe {
            let v = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps::<1>(v));
            let v = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
            let v = _mm_add_ps(v, _mm_movehl_ps(v, v));
            _mm_cvtss_f32(_mm_add_ss(v, _mm_movehdup_ps(v)))
        }
    }

    #[inline(always)]
    fn sum4(self, v: [Self::V; 4]) -> [f32; 4] {
        let mut sums = [0.0; 4];
        // SAFETY: `self` exists, so the processor has the instructions; four values fit `sums`.
        unsafe {
            // Lanes i + 8: two vectors share one, then lanes i + 4: all four share one, a quarter each.
            let a = _mm512_add_ps(
                _mm512_shuffle_f32x4::<0b01_00_01_00>(v[0], v[1]),
                _mm512_shuffle_f32x4::<0b11_10_11_10>(v[0], v[1]),
            );
            let b = _mm512_add_ps(
                _mm512_shuffle_f32x4::<0b01_00_01_00>(v[2], v[3]),
                _mm512_shuffle_f32x4::<0b11_10_11_10>(v[2], v[3]),
            );
            let quarters = _mm512_add_ps(
                _mm512_shuffle_f32x4::<0b10_00_10_00>(a, b),
                _mm512_shuffle_f32x4::<0b11_01_11_01>(a, b),
            );
            let two = _mm512_add_ps(quarters, _mm512_permute_ps::<0b01_00_11_10>(quarters));
            let one = _mm512_add_ps(two, _mm512_permute_ps::<0b10_11_00_01>(two));
            let first =
                _mm512_permutexvar_ps(_mm512_set_epi32(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 12, 8, 4, 0), one);
            _mm_storeu_ps(sums.as_mut_ptr(), _mm512_castps512_ps128(first));
        }
        sums
    }

    #[inline(always)]
    fn call<W: Work>(self, work: W) -> W::Out {
        // SAFETY: `self` exists, so the processor has the instructions.
        unsafe { outlined(work, self) }
    }
}
