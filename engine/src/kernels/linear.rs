//! Product with a weight matrix, and what usually follows one:
//! `out = residual + σ(gate) · scale ⊙ activation(x · Wᵀ + bias)`.
//!
//! Bindings: x `[n, k]` f32, weight `[o, k]` f32, f16, bf16, q8_0 or q4, then those of bias `[o]`, scale `[o]`, gate `[n, 1]` and
//! residual `[n, o]` that are given, f32 → out `[n, o]` f32. Sums in f32 over sixteen lanes ([`super::simd`]), weights widened
//! exactly; tolerance 1e-5. For quantised weights x is taken in eight bits a block, unless the executor keeps to f32: tolerance
//! 2e-2, and 1e-5 of what those bits hold. Not here: the choice of weights by token ([`super::expert_gate_up`], [`super::embedding`]).

use super::Kernel;
use super::bindings::{Inputs, Outputs};
use super::isa::Isa;
use super::simd::math;
use super::threads::{for_each_tile, product_tile};
use crate::error::Result;
use crate::recording::{Buffer, Recording, check};
use crate::shader::Lowering;
use crate::shape::Element;

/// A function of each element. The order is that of the numbers in `shaders/shared/activation.wgsl`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Activation {
    #[default]
    None,
    /// `v / (1 + e^-v)`.
    Silu,
    /// `v · Φ(v)` with the error function.
    GeluErf,
    /// `v · Φ(v)` with Φ by the tanh formula.
    GeluTanh,
    /// Held to [-1, 1].
    Clamp,
}

/// What follows the product; nothing by default.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Epilogue {
    /// `[o]` f32, added before the activation.
    pub(crate) bias: Option<Buffer>,
    pub(crate) activation: Activation,
    /// `[o]` f32, multiplies the activation's result.
    pub(crate) scale: Option<Buffer>,
    /// `[n, 1]` f32, whose sigmoid multiplies each row.
    pub(crate) gate: Option<Buffer>,
    /// `[n, o]` f32, added last.
    pub(crate) residual: Option<Buffer>,
}

#[derive(Clone, Debug)]
pub(crate) struct Params {
    activation: Activation,
    bias: bool,
    scale: bool,
    gate: bool,
    residual: bool,
}

impl Params {
    /// What of `epilogue` is not a buffer.
    pub(super) fn of(epilogue: &Epilogue) -> Params {
        Params {
            activation: epilogue.activation,
            bias: epilogue.bias.is_some(),
            scale: epilogue.scale.is_some(),
            gate: epilogue.gate.is_some(),
            residual: epilogue.residual.is_some(),
        }
    }
}

/// `Err` unless rows of `x` can be multiplied with `weight`.
pub(super) fn check_weight(kernel: &'static str, x: Buffer, weight: Buffer) -> Result<()> {
    let (k, o) = (x.row(), weight.rows());
    check(x.element == Element::F32, kernel, || format!("x must be f32, found {:?}", x.element))?;
    check(weight.element.is_weight(), kernel, || "weight must be a type of weights, found U32".into())?;
    check(k > 0 && o > 0 && weight.row() == k, kernel, || {
        format!("weight {} does not fit rows of x {}", weight.shape, x.shape)
    })
}

/// Records the product of `x` `[n, k]` (any view with rows of `k`) and `weight` `[o, k]`; the result is `[n, o]`.
///
/// # Errors
/// `Error::Shape` when element types or shapes do not fit.
pub(crate) fn record(rec: &mut Recording, x: Buffer, weight: Buffer, epilogue: Epilogue) -> Result<Buffer> {
    let Epilogue { bias, activation: _, scale, gate, residual } = epilogue;
    let (n, o) = (x.rows(), weight.rows());
    check_weight("linear", x, weight)?;
    for (name, buffer) in [("bias", bias), ("scale", scale)] {
        let Some(buffer) = buffer else { continue };
        check(buffer.element == Element::F32 && buffer.shape.len() == o, "linear", || {
            format!("{name} must be f32 [{o}], found {:?} {}", buffer.element, buffer.shape)
        })?;
    }
    if let Some(g) = gate {
        check(g.element == Element::F32 && g.shape.len() == n, "linear", || {
            format!("gate must be f32 [{n}, 1], found {:?} {}", g.element, g.shape)
        })?;
    }
    if let Some(r) = residual {
        check(r.element == Element::F32 && r.rows() == n && r.row() == o, "linear", || {
            format!("residual must be f32 [{n}, {o}], found {:?} {}", r.element, r.shape)
        })?;
    }
    let params = Params::of(&epilogue);
    let inputs: Vec<Buffer> =
        [Some(x), Some(weight), bias, scale, gate, residual].into_iter().flatten().collect();
    let out = rec.f32([n, o]);
    rec.push(Kernel::Linear(params), &inputs, &[out]);
    Ok(out)
}

pub(crate) fn cpu(p: &Params, inputs: &Inputs<'_>, outputs: Outputs<'_>) {
    let isa = Isa::best();
    let (k, o) = (inputs.buffer(0).row(), inputs.buffer(1).rows());
    let x: Vec<&[f32]> = inputs.f32(0).chunks_exact(k).collect();
    let weight = inputs.matrix(1);
    let mut slot = 2..;
    let mut optional = |given: bool| if given { slot.next().map(|i| inputs.f32(i)) } else { None };
    let (bias, scale) = (optional(p.bias), optional(p.scale));
    let (gate, residual) = (optional(p.gate), optional(p.residual));

    let n = x.len();
    let x = inputs.activations(isa, x, 1);
    for_each_tile(outputs.one().f32(), o, product_tile(n, o), n * o * k, |mut tile| {
        let columns = tile.columns();
        let weight = weight.slice_rows(k, columns.start, columns.len());
        let first = tile.rows().start;
        isa.products(weight, &x, tile.rows(), |c, sums| {
            let row = first + c;
            let out = tile.row(row);
            out.copy_from_slice(sums);
            if let Some(bias) = bias {
                out.iter_mut().zip(&bias[columns.clone()]).for_each(|(o, b)| *o += b);
            }
            activate(isa, p.activation, out);
            if let Some(scale) = scale {
                out.iter_mut().zip(&scale[columns.clone()]).for_each(|(o, s)| *o *= s);
            }
            if let Some(gate) = gate {
                let share = 1.0 / (1.0 + (-gate[row]).exp());
                out.iter_mut().for_each(|o| *o *= share);
            }
            if let Some(residual) = residual {
                let residual = &residual[row * o..][columns.clone()];
                out.iter_mut().zip(residual).for_each(|(o, r)| *o += r);
            }
        });
    });
}

pub(crate) fn gpu(p: &Params, inputs: &[Buffer], outputs: &[Buffer], low: &mut Lowering<'_>) -> Result<()> {
    let mut rest = inputs[2..].iter().copied();
    let mut optional = |given: bool| if given { rest.next() } else { None };
    let epilogue = Epilogue {
        activation: p.activation,
        bias: optional(p.bias),
        scale: optional(p.scale),
        gate: optional(p.gate),
        residual: optional(p.residual),
    };
    super::product::linear(inputs[0], inputs[1], &epilogue, outputs[0], low)
}

fn activate(isa: Isa, activation: Activation, values: &mut [f32]) {
    match activation {
        Activation::None => {}
        Activation::Silu => isa.map(values, math::silu),
        Activation::GeluErf => isa.map(values, math::gelu_erf),
        Activation::GeluTanh => isa.map(values, math::gelu_tanh),
        Activation::Clamp => isa.map(values, |v| v.clamp(-1.0, 1.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::Executor;
    use crate::kernels::testing::{assert_close, executors, random, run, stored, upload, without_int8};

    /// Plain loops in f64.
    fn oracle(x: &[f32], w: &[f32], k: usize, activation: Activation) -> Vec<f32> {
        let activate = |v: f64| match activation {
            Activation::None => v,
            Activation::Silu => v / (1.0 + (-v).exp()),
            Activation::GeluErf => {
                // Φ by Simpson's rule from 0.
                let (steps, density) = (2000, |t: f64| (-t * t / 2.0).exp());
                let at = |i: i32| density(v * f64::from(i) / f64::from(steps));
                let sum: f64 = (0..steps).step_by(2).map(|i| at(i) + 4.0 * at(i + 1) + at(i + 2)).sum();
                let area = sum * v / f64::from(3 * steps);
                v * (0.5 + area / (2.0 * std::f64::consts::PI).sqrt())
            }
            Activation::GeluTanh => {
                let inner = (2.0 / std::f64::consts::PI).sqrt() * (v + 0.044715 * v.powi(3));
                0.5 * v * (1.0 + inner.tanh())
            }
            Activation::Clamp => v.clamp(-1.0, 1.0),
        };
        let mut out = Vec::new();
        for x in x.chunks(k) {
            for w in w.chunks(k) {
                let sum: f64 = x.iter().zip(w).map(|(&x, &w)| f64::from(x) * f64::from(w)).sum();
                out.push(activate(sum) as f32);
            }
        }
        out
    }

    fn product(
        executor: &mut Executor,
        x: &[f32],
        k: usize,
        w: &[f32],
        element: Element,
        activation: Activation,
    ) -> Vec<f32> {
        let mut rec = Recording::new();
        let weight = upload(executor, [w.len() / k, k], element, w);
        let x = rec.constant_f32([x.len() / k, k], x.to_vec());
        let out = record(&mut rec, x, weight, Epilogue { activation, ..Epilogue::default() }).unwrap();
        run(executor, &rec, out)
    }

    #[test]
    fn matches_oracle_on_odd_sizes_in_every_type() {
        let sizes =
            [(1, 1, 1), (1, 37, 5), (2, 16, 3), (3, 130, 66), (7, 48, 65), (20, 33, 130), (1, 2048, 768)];
        for mut executor in executors() {
            for (n, k, o) in sizes {
                for element in [Element::F32, Element::F16, Element::Bf16] {
                    let (x, w) = (random(n * k, 1), stored(element, k, &random(o * k, 2)));
                    let got = product(&mut executor, &x, k, &w, element, Activation::None);
                    assert_close(&got, &oracle(&x, &w, k, Activation::None), 1e-5);
                }
            }
        }
    }

    #[test]
    fn products_with_quantised_weights_differ_only_by_the_eight_bits_of_x() {
        // An x of a block is off by at most 1/254 of the block's largest, which random signs make less of in the sum.
        for (n, k, o) in [(1, 32, 5), (2, 17, 3), (3, 130, 66), (7, 96, 65), (20, 1000, 130)] {
            for element in [Element::Q8_0, Element::Q4] {
                let (x, w) = (random(n * k, 1), random(o * k, 2));
                let want = oracle(&x, &stored(element, k, &w), k, Activation::None);
                let got = product(&mut Executor::processor(), &x, k, &w, element, Activation::None);
                assert_close(&got, &want, 2e-2);
            }
        }
    }

    #[test]
    fn without_the_eight_bits_they_match_the_oracle() {
        for mut executor in without_int8() {
            for (n, k, o) in [(1, 32, 5), (2, 17, 3), (3, 130, 66), (7, 96, 65), (20, 1000, 130)] {
                for element in [Element::Q8_0, Element::Q4] {
                    let (x, w) = (random(n * k, 1), random(o * k, 2));
                    let want = oracle(&x, &stored(element, k, &w), k, Activation::None);
                    let got = product(&mut executor, &x, k, &w, element, Activation::None);
                    assert_close(&got, &want, 1e-5);
                }
            }
        }
    }

    #[test]
    fn activations_match_their_formulas() {
        use Activation::*;
        let (x, w) = (random(9 * 20, 3), random(21 * 20, 4));
        for mut executor in executors() {
            for activation in [Silu, GeluErf, GeluTanh, Clamp] {
                let got = product(&mut executor, &x, 20, &w, Element::F32, activation);
                assert_close(&got, &oracle(&x, &w, 20, activation), 1e-6);
            }
        }
    }

    #[test]
    fn the_epilogue_applies_in_its_order() {
        let (n, k, o) = (5, 24, 70);
        let (x, w) = (random(n * k, 1), random(o * k, 2));
        let (b, s, r, g) = (random(o, 3), random(o, 4), random(n * o, 5), random(n, 6));
        let sums = oracle(&x, &w, k, Activation::None);
        for given in 0..16 {
            let has = |bit: usize| given & bit != 0;
            let mut rec = Recording::new();
            let bx = rec.constant_f32([n, k], x.clone());
            let bw = rec.constant_f32([o, k], w.clone());
            let epilogue = Epilogue {
                bias: has(1).then(|| rec.constant_f32([o], b.clone())),
                activation: Activation::Clamp,
                scale: has(2).then(|| rec.constant_f32([o], s.clone())),
                gate: has(8).then(|| rec.constant_f32([n, 1], g.clone())),
                residual: has(4).then(|| rec.constant_f32([n, o], r.clone())),
            };
            let out = record(&mut rec, bx, bw, epilogue).unwrap();
            let want: Vec<f32> = (0..n * o)
                .map(|i| {
                    let held = (sums[i] + if has(1) { b[i % o] } else { 0.0 }).clamp(-1.0, 1.0);
                    let share = if has(8) { 1.0 / (1.0 + (-g[i / o]).exp()) } else { 1.0 };
                    share * held * if has(2) { s[i % o] } else { 1.0 } + if has(4) { r[i] } else { 0.0 }
                })
                .collect();
            for mut executor in executors() {
                assert_close(&run(&mut executor, &rec, out), &want, 1e-5);
            }
        }
    }

    #[test]
    fn rows_have_the_same_bits_alone_and_together() {
        // Large enough that the whole is shared among threads and its weights are packed in two parts.
        let (n, k, o, mut cpu) = (50, 1100, 70, Executor::processor());
        for element in [Element::F32, Element::F16, Element::Bf16, Element::Q8_0, Element::Q4] {
            let (x, w) = (random(n * k, 1), random(o * k, 2));
            let whole = product(&mut cpu, &x, k, &w, element, Activation::GeluErf);
            for step in [1, 4, 9] {
                for (x, want) in x.chunks(step * k).zip(whole.chunks(step * o)).take(7) {
                    let alone = product(&mut cpu, x, k, &w, element, Activation::GeluErf);
                    assert_eq!(alone, want, "{step} rows at once");
                }
            }
        }
    }

    #[test]
    fn refuses_what_does_not_fit() {
        let mut rec = Recording::new();
        let (x, w) = (rec.f32([2, 4]), rec.f32([3, 4]));
        let (narrow, ids, five) = (rec.f32([3, 5]), rec.scratch([2, 4], Element::U32), rec.f32([5]));
        let mut refuse = |x, w, epilogue, word| {
            let error = record(&mut rec, x, w, epilogue).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        };
        let none = Epilogue::default();
        refuse(x, narrow, none, "[3, 5]");
        refuse(ids, w, none, "U32");
        refuse(x, ids, none, "U32");
        refuse(x, w, Epilogue { bias: Some(five), ..none }, "bias must be f32 [3]");
        refuse(x, w, Epilogue { scale: Some(five), ..none }, "scale must be f32 [3]");
        refuse(x, w, Epilogue { residual: Some(w), ..none }, "residual must be f32 [2, 3]");
        refuse(x, w, Epilogue { gate: Some(five), ..none }, "gate must be f32 [2, 1]");
    }
}
