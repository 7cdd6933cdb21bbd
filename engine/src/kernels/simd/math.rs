//! Elementary functions on f32 in plain arithmetic, without branches, tables or fused steps: a loop over them becomes vector
//! code, and every instruction set gives the same bits.
//!
//! Error: `exp` 2 units in the last place, `erf` and `tanh` 2e-7 absolute. The polynomials are least-maximum fits on the
//! intervals that are named beside them.

use std::f32::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, LOG2_E};

/// e^x, held between e^-87 and e^88 so that neither zero nor infinity appears.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    // Adding this puts the nearest whole number into the low bits of the mantissa.
    const TO_WHOLE: f32 = 12_582_912.0;
    // ln 2 in two parts: the first has so few bits that its product with the exponent is exact.
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * LOG2_E + TO_WHOLE;
    let whole = shifted - TO_WHOLE;
    let r = (x - whole * LN2_HIGH) - whole * LN2_LOW;
    // |r| <= ln(2) / 2.
    let p = polynomial(r, [1.0, 1.0, 0.5, 0.166_664_15, 0.041_666_083, 0.008_375_135, 0.001_395_606_2]);
    let exponent = shifted.to_bits().wrapping_sub(TO_WHOLE.to_bits());
    f32::from_bits(p.to_bits().wrapping_add(exponent << 23))
}

/// The error function.
#[inline(always)]
pub(crate) fn erf(x: f32) -> f32 {
    let a = x.abs().min(4.0);
    // a <= 0.9: erf(a) / a in a².
    let near = a * polynomial(
        a * a,
        [FRAC_2_SQRT_PI, -0.376_125_34, 0.112_822_3, -0.026_781_958, 0.005_016_228, -0.000_611_129_16],
    );
    // 0.9 <= a <= 4: -ln(1 - erf(a)); beyond 4 the result rounds to 1.
    let far = 1.0
        - exp(-polynomial(
            a,
            [
                -0.000_170_552_03,
                1.129_495_1,
                0.633_386_7,
                0.108_236_62,
                -0.025_091_497,
                0.004_160_527,
                -0.000_432_303,
                2.090_955_6e-5,
            ],
        ));
    (if a < 0.9 { near } else { far }).copysign(x)
}

/// The hyperbolic tangent.
#[inline(always)]
pub(crate) fn tanh(x: f32) -> f32 {
    let a = x.abs();
    // a <= 0.6: tanh(a) / a in a².
    let near = a * polynomial(
        a * a,
        [1.0, -0.333_332_84, 0.133_317_29, -0.053_771_846, 0.020_763_585, -0.005_863_216],
    );
    let far = 1.0 - 2.0 / (exp(2.0 * a) + 1.0);
    (if a < 0.6 { near } else { far }).copysign(x)
}

/// `x / (1 + e^-x)`.
#[inline(always)]
pub(crate) fn silu(x: f32) -> f32 {
    x / (1.0 + exp(-x))
}

/// `x · Φ(x)` with the normal distribution's own Φ.
#[inline(always)]
pub(crate) fn gelu_erf(x: f32) -> f32 {
    0.5 * x * (1.0 + erf(x * FRAC_1_SQRT_2))
}

/// `x · Φ(x)` with Φ by the usual tanh formula.
#[inline(always)]
pub(crate) fn gelu_tanh(x: f32) -> f32 {
    const SQRT_2_OVER_PI: f32 = 0.797_884_6;
    0.5 * x * (1.0 + tanh(SQRT_2_OVER_PI * (x + 0.044_715 * (x * x * x))))
}

/// Horner's rule; coefficients from the constant up.
#[inline(always)]
fn polynomial<const N: usize>(x: f32, coefficients: [f32; N]) -> f32 {
    let mut sum = coefficients[N - 1];
    for i in (0..N - 1).rev() {
        sum = sum * x + coefficients[i];
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The error function by its Maclaurin series in f64: good to 1e-10 for |x| <= 4.
    fn erf_series(x: f64) -> f64 {
        let (mut term, mut sum) = (x, x);
        for n in 1..200 {
            term *= -x * x / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        sum * std::f64::consts::FRAC_2_SQRT_PI
    }

    fn grid(limit: f32) -> impl Iterator<Item = f32> {
        (-200_000..=200_000).map(move |i| i as f32 * (limit / 200_000.0))
    }

    #[test]
    fn exp_stays_within_two_units_of_the_last_place() {
        for x in grid(86.0) {
            let want = f64::from(x).exp();
            assert!((f64::from(exp(x)) / want - 1.0).abs() < 2.4e-7, "exp({x}) = {}, want {want}", exp(x));
        }
    }

    #[test]
    fn erf_and_tanh_err_by_less_than_a_millionth() {
        for x in grid(4.0) {
            let (e, t) = (erf_series(f64::from(x)), f64::from(x).tanh());
            assert!((f64::from(erf(x)) - e).abs() < 2e-7, "erf({x}) = {}, want {e}", erf(x));
            assert!((f64::from(tanh(x)) - t).abs() < 2e-7, "tanh({x}) = {}, want {t}", tanh(x));
        }
    }

    #[test]
    fn large_arguments_saturate_without_nan() {
        for x in [12.0, 30.0, 1e4, f32::MAX, f32::INFINITY] {
            assert_eq!((erf(x), erf(-x), tanh(x), tanh(-x)), (1.0, -1.0, 1.0, -1.0));
        }
        for x in [50.0, 1e4, 1e12] {
            assert_eq!((silu(x), gelu_erf(x), gelu_tanh(x)), (x, x, x));
            assert!(silu(-x).abs() < 1e-20 && gelu_erf(-x) == 0.0 && gelu_tanh(-x) == 0.0);
        }
    }

    #[test]
    fn not_a_number_stays_visible() {
        let nan = f32::NAN;
        assert!(silu(nan).is_nan() && gelu_erf(nan).is_nan() && gelu_tanh(nan).is_nan());
    }
}
