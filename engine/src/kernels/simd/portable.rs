//! Plain Rust for processors without AVX2: the same lanes and the same order, without fused steps.

use crate::kernels::bindings::Weight;

use super::{LANES, reduce};

/// `out[c, r] = Σ weight[r, i] · x[c][i]`; see [`super::Level::dots`].
pub(super) fn dots(weight: Weight<'_>, x: &[&[f32]], out: &mut [f32]) {
    match weight {
        Weight::F32(w) => dots_of(w, |v| v, x, out),
        Weight::F16(w) => dots_of(w, |v| half::f16::from_bits(v).to_f32(), x, out),
        Weight::Bf16(w) => dots_of(w, |v| f32::from_bits(u32::from(v) << 16), x, out),
    }
}

fn dots_of<T: Copy>(weight: &[T], widen: impl Fn(T) -> f32, x: &[&[f32]], out: &mut [f32]) {
    let rows = out.len() / x.len();
    for (x, out) in x.iter().zip(out.chunks_exact_mut(rows)) {
        for (weight, out) in weight.chunks_exact(x.len()).zip(out) {
            let mut lanes = [0.0f32; LANES];
            for (w, x) in weight.chunks(LANES).zip(x.chunks(LANES)) {
                for ((lane, &w), &x) in lanes.iter_mut().zip(w).zip(x) {
                    *lane += widen(w) * x;
                }
            }
            *out = reduce(lanes);
        }
    }
}

/// Replaces each value by `f` of it.
pub(super) fn map(values: &mut [f32], f: impl Fn(f32) -> f32) {
    values.iter_mut().for_each(|v| *v = f(*v));
}
