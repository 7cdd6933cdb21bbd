//! Plain Rust for processors without AVX2: the same lanes and the same order, without fused steps.

use std::ops::Range;

use crate::kernels::bindings::Weight;

use super::{LANES, Walk, reduce};

/// See [`super::Level::dots`].
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
            let mut lanes = [0.0; LANES];
            add_products(weight, &widen, x, &mut lanes);
            *out = reduce(&lanes);
        }
    }
}

/// See [`super::Level::pack`]: the columns as they are.
pub(super) fn pack(weight: Weight<'_>, k: usize, columns: Range<usize>, panel: &mut [f32]) {
    let rows = super::len(weight) / k;
    for (row, panel) in panel.chunks_exact_mut(columns.len()).take(rows).enumerate() {
        weight.read(row * k + columns.start, panel);
    }
}

/// See [`super::Level::packed_dots`].
pub(super) fn packed_dots(x: &[&[f32]], mut walk: Walk<'_>) {
    let pairs = x.iter().flat_map(|x| walk.panel.chunks_exact(x.len()).take(walk.rows).map(move |w| (x, w)));
    for (i, ((x, weight), lanes)) in pairs.zip(walk.lanes.chunks_exact_mut(LANES)).enumerate() {
        if walk.first {
            lanes.fill(0.0);
        }
        add_products(weight, |v| v, x, lanes);
        if let Some(out) = &mut walk.out {
            out[i] = reduce(lanes);
        }
    }
}

fn add_products<T: Copy>(weight: &[T], widen: impl Fn(T) -> f32, x: &[f32], lanes: &mut [f32]) {
    for (w, x) in weight.chunks(LANES).zip(x.chunks(LANES)) {
        for ((lane, &w), &x) in lanes.iter_mut().zip(w).zip(x) {
            *lane += widen(w) * x;
        }
    }
}

/// Replaces each value by `f` of it.
pub(super) fn map(values: &mut [f32], f: impl Fn(f32) -> f32) {
    values.iter_mut().for_each(|v| *v = f(*v));
}
