//! First half of a gated feed-forward: `mid = silu(gate · y) ⊙ (up · y)` with `y = x / rms(x) · norm`, or x itself.
//!
//! Bindings: x `[n, h]` f32, gate `[w, h]`, up `[w, h]`, norm `[h]` f32 if given → mid `[n, w]` f32. Arithmetic and tolerance of
//! [`super::rms_norm`] and [`super::linear`].

use super::bindings::{Inputs, Outputs, Slot, Storage};
use super::linear::{self, Activation, Epilogue};
use super::rms_norm::{Norm, check_norm, normalised};
use super::{Kernel, require};
use crate::error::Result;
use crate::recording::{Buffer, Recording, check};
use crate::shader::Lowering;

#[derive(Clone, Debug)]
pub(crate) struct Params {
    /// The norm's epsilon.
    pub(crate) eps: Option<f32>,
}

/// Records the first half for `x` `[n, h]` with `gate` and `up` `[w, h]`; the result is `[n, w]`.
///
/// # Errors
/// `Error::Shape` when element types or shapes do not fit.
pub(crate) fn record(
    rec: &mut Recording,
    x: Buffer,
    norm: Option<Norm>,
    gate: Buffer,
    up: Buffer,
) -> Result<Buffer> {
    require::f32s("gate_up", &[("x", x)])?;
    check_norm("gate_up", norm, x)?;
    linear::check_weight("gate_up", x, gate)?;
    check(gate.shape == up.shape && gate.element == up.element, "gate_up", || {
        format!("up {:?} {} must be like gate {:?} {}", up.element, up.shape, gate.element, gate.shape)
    })?;
    let inputs: Vec<Buffer> =
        [Some(x), Some(gate), Some(up), norm.map(|norm| norm.weight)].into_iter().flatten().collect();
    let out = rec.f32([x.rows(), gate.rows()]);
    rec.push(Kernel::GateUp(Params { eps: norm.map(|norm| norm.eps) }), &inputs, &[out]);
    Ok(out)
}

pub(crate) fn cpu(p: &Params, inputs: &Inputs<'_>, outputs: Outputs<'_>) {
    let normed = p.eps.map(|eps| normalised(inputs.f32(0), inputs.f32(3), eps));
    let x = inputs.or(0, &normed);
    let out = outputs.one();
    let gate_like = Buffer { offset: 0, ..out.buffer };
    let mut gate = Storage::F32(vec![0.0; gate_like.shape.len()]);
    let product = |weight: usize, activation, slot| {
        let params = linear::Params::of(&Epilogue { activation, ..Epilogue::default() });
        linear::cpu(&params, &inputs.with(vec![x, inputs.slots[weight]]), Outputs { slots: vec![slot] });
    };
    product(1, Activation::Silu, Slot { buffer: gate_like, storage: &mut gate });
    let Slot { buffer, storage } = out;
    product(2, Activation::None, Slot { buffer, storage: &mut *storage });
    let gate = Inputs::new(vec![(gate_like, &gate)]);
    Slot { buffer, storage }.f32().iter_mut().zip(gate.f32(0)).for_each(|(o, g)| *o *= g);
}

pub(crate) fn gpu(p: &Params, inputs: &[Buffer], outputs: &[Buffer], low: &mut Lowering<'_>) -> Result<()> {
    let norm = p.eps.map(|eps| Norm { weight: inputs[3], eps });
    super::product::gate_up(inputs[0], norm, inputs[1], inputs[2], outputs[0], low)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::{assert_close, executors, random, run, stored, upload};
    use crate::shape::Element;

    /// Plain loops in f64.
    fn oracle(x: &[f32], norm: Option<&[f32]>, gate: &[f32], up: &[f32], h: usize) -> Vec<f32> {
        let mut out = Vec::new();
        for x in x.chunks(h) {
            let mean = x.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / h as f64;
            let scale = norm.map_or(1.0, |_| 1.0 / (mean + 1e-6).sqrt());
            let y: Vec<f64> =
                (0..h).map(|i| f64::from(x[i]) * scale * norm.map_or(1.0, |n| f64::from(n[i]))).collect();
            let dot = |w: &[f32]| w.iter().zip(&y).map(|(&w, y)| f64::from(w) * y).sum::<f64>();
            for (gate, up) in gate.chunks(h).zip(up.chunks(h)) {
                let g = dot(gate);
                out.push((g / (1.0 + (-g).exp()) * dot(up)) as f32);
            }
        }
        out
    }

    #[test]
    fn matches_oracle_with_and_without_norm() {
        for mut executor in executors() {
            for (n, h, w) in [(1, 48, 17), (3, 130, 64), (1, 1024, 96), (40, 64, 30)] {
                for element in [Element::F32, Element::Bf16] {
                    let (x, norm) = (random(n * h, 1), random(h, 2));
                    let [gate, up] = [3, 4].map(|seed| stored(element, h, &random(w * h, seed)));
                    let bg = upload(&mut executor, [w, h], element, &gate);
                    let bu = upload(&mut executor, [w, h], element, &up);
                    for normed in [true, false] {
                        let mut rec = Recording::new();
                        let bx = rec.constant_f32([n, h], x.clone());
                        let bn = rec.constant_f32([h], norm.clone());
                        let with = normed.then_some(Norm { weight: bn, eps: 1e-6 });
                        let out = record(&mut rec, bx, with, bg, bu).unwrap();
                        let want = oracle(&x, normed.then_some(&norm[..]), &gate, &up, h);
                        assert_close(&run(&mut executor, &rec, out), &want, 1e-5);
                    }
                }
            }
        }
    }

    #[test]
    fn refuses_what_does_not_fit() {
        let mut rec = Recording::new();
        let (x, gate, up) = (rec.f32([2, 4]), rec.f32([3, 4]), rec.f32([5, 4]));
        let error = record(&mut rec, x, None, gate, up).unwrap_err().to_string();
        assert!(error.contains("[5, 4]"), "{error}");
        let error =
            record(&mut rec, x, Some(Norm { weight: up, eps: 1e-6 }), gate, gate).unwrap_err().to_string();
        assert!(error.contains("norm must have 4"), "{error}");
    }
}
