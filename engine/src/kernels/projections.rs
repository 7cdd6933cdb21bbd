//! Products of the same rows with up to three matrices, normalised first: `out_i = (x / rms(x) · norm) · W_iᵀ + bias_i`.
//!
//! Bindings: x `[n, k]` f32, norm `[k]` f32 if given, then weight `[o_i, k]` and bias `[o_i]` f32 if given of each → out_i
//! `[n, o_i]` f32 each. Arithmetic and tolerance of [`super::rms_norm`] and [`super::linear`]. One kernel, so that a graphics
//! processor reads the rows once and norms them in passing.

use super::bindings::{Inputs, Outputs};
use super::linear::{self, Epilogue};
use super::rms_norm::{Norm, check_norm, normalised};
use super::{Kernel, require};
use crate::error::Result;
use crate::recording::{Buffer, Recording, check};
use crate::shader::Lowering;

/// Most matrices of a call.
pub(crate) const MOST: usize = 3;

/// A matrix `[o, k]`, and what is added to its products, `[o]`.
pub(crate) type Matrix = (Buffer, Option<Buffer>);

#[derive(Clone, Debug)]
pub(crate) struct Params {
    /// The norm's epsilon.
    pub(crate) eps: Option<f32>,
    /// Whether each matrix has a bias.
    pub(crate) biased: Vec<bool>,
}

/// Records the products of `x` `[n, k]` with each of `matrices`; the results are `[n, o]` each.
///
/// # Errors
/// `Error::Shape` when element types or shapes do not fit.
pub(crate) fn record<const N: usize>(
    rec: &mut Recording,
    x: Buffer,
    norm: Option<Norm>,
    matrices: [Matrix; N],
) -> Result<[Buffer; N]> {
    const { assert!(N >= 1 && N <= MOST, "one to three matrices") };
    require::f32s("projections", &[("x", x)])?;
    check_norm("projections", norm, x)?;
    for (weight, bias) in matrices {
        linear::check_weight("projections", x, weight)?;
        if let Some(bias) = bias {
            require::f32s("projections", &[("bias", bias)])?;
            require::length("projections", "bias", bias, weight.rows())?;
        }
    }
    check(x.rows() > 0, "projections", || format!("x {} has no rows", x.shape))?;
    let outputs = matrices.map(|(weight, _)| rec.f32([x.rows(), weight.rows()]));
    let inputs: Vec<Buffer> = [Some(x), norm.map(|norm| norm.weight)]
        .into_iter()
        .chain(matrices.into_iter().flat_map(|(weight, bias)| [Some(weight), bias]))
        .flatten()
        .collect();
    let biased = matrices.iter().map(|(_, bias)| bias.is_some()).collect();
    let params = Params { eps: norm.map(|norm| norm.eps), biased };
    rec.push(Kernel::Projections(params), &inputs, &outputs);
    Ok(outputs)
}

impl Params {
    /// Where the inputs of matrix `i` begin, and how many they are.
    fn inputs_of(&self, i: usize) -> std::ops::Range<usize> {
        let before: usize = self.biased[..i].iter().map(|&biased| 1 + usize::from(biased)).sum();
        let start = 1 + usize::from(self.eps.is_some()) + before;
        start..start + 1 + usize::from(self.biased[i])
    }

    /// The norm, and each matrix with its bias.
    pub(crate) fn parts(&self, inputs: &[Buffer]) -> (Option<Norm>, Vec<Matrix>) {
        let norm = self.eps.map(|eps| Norm { weight: inputs[1], eps });
        let matrices = (0..self.biased.len()).map(|i| {
            let of = &inputs[self.inputs_of(i)];
            (of[0], of.get(1).copied())
        });
        (norm, matrices.collect())
    }
}

pub(crate) fn cpu(p: &Params, inputs: &Inputs<'_>, outputs: Outputs<'_>) {
    let normed = p.eps.map(|eps| normalised(inputs.f32(0), inputs.f32(1), eps));
    let x = inputs.or(0, &normed);
    for (i, slot) in outputs.slots.into_iter().enumerate() {
        let slots = std::iter::once(x).chain(inputs.slots[p.inputs_of(i)].iter().copied()).collect();
        let params =
            linear::Params::of(&Epilogue { bias: p.biased[i].then_some(x.0), ..Epilogue::default() });
        linear::cpu(&params, &inputs.with(slots), Outputs { slots: vec![slot] });
    }
}

pub(crate) fn gpu(p: &Params, inputs: &[Buffer], outputs: &[Buffer], low: &mut Lowering<'_>) -> Result<()> {
    let (norm, matrices) = p.parts(inputs);
    super::product::projections(inputs[0], norm, &matrices, outputs, low)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::Executor;
    use crate::kernels::rms_norm;
    use crate::kernels::testing::{assert_close, executors, random, run, stored, upload};
    use crate::shape::Element;

    /// Plain loops in f64.
    fn oracle(x: &[f32], norm: Option<&[f32]>, w: &[f32], bias: Option<&[f32]>, k: usize) -> Vec<f32> {
        let mut out = Vec::new();
        for x in x.chunks(k) {
            let mean = x.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / k as f64;
            let scale = norm.map_or(1.0, |_| 1.0 / (mean + 1e-6).sqrt());
            for (row, w) in w.chunks(k).enumerate() {
                let at = |i: usize| f64::from(x[i]) * scale * norm.map_or(1.0, |n| f64::from(n[i]));
                let sum: f64 = (0..k).map(|i| at(i) * f64::from(w[i])).sum();
                out.push((sum + bias.map_or(0.0, |b| f64::from(b[row]))) as f32);
            }
        }
        out
    }

    #[test]
    fn matches_oracle_with_and_without_norm_and_bias() {
        for mut executor in executors() {
            for (n, k, o) in
                [(1, 48, [17, 5, 33]), (3, 130, [64, 8, 8]), (1, 2048, [40, 4, 4]), (40, 64, [96, 32, 32])]
            {
                for element in [Element::F32, Element::Bf16] {
                    let (x, norm) = (random(n * k, 1), random(k, 2));
                    let weights: Vec<_> =
                        (0..3).map(|i| stored(element, k, &random(o[i] * k, 3 + i as u64))).collect();
                    let bias = random(o[1], 9);
                    let uploaded = [0, 1, 2].map(|i| upload(&mut executor, [o[i], k], element, &weights[i]));
                    for normed in [true, false] {
                        let mut rec = Recording::new();
                        let bx = rec.constant_f32([n, k], x.clone());
                        let bn = rec.constant_f32([k], norm.clone());
                        let bb = rec.constant_f32([o[1]], bias.clone());
                        let with = normed.then_some(Norm { weight: bn, eps: 1e-6 });
                        let [w0, w1, w2] = uploaded;
                        let outs =
                            record(&mut rec, bx, with, [(w0, None), (w1, Some(bb)), (w2, None)]).unwrap();
                        for i in 0..3 {
                            let bias = (i == 1).then_some(&bias[..]);
                            let want = oracle(&x, normed.then_some(&norm[..]), &weights[i], bias, k);
                            assert_close(&run(&mut executor, &rec, outs[i]), &want, 1e-5);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn has_the_bits_of_norm_and_products_apart() {
        let (n, k, o) = (5, 96, 40);
        let mut rec = Recording::new();
        let x = rec.constant_f32([n, k], random(n * k, 1));
        let norm = Norm { weight: rec.constant_f32([k], random(k, 2)), eps: 1e-5 };
        let w = rec.constant_f32([o, k], random(o * k, 3));
        let [together] = record(&mut rec, x, Some(norm), [(w, None)]).unwrap();
        let normed = rms_norm::record(&mut rec, x, norm.weight, norm.eps).unwrap();
        let apart = linear::record(&mut rec, normed, w, Epilogue::default()).unwrap();
        assert_eq!(Executor::run_once(&rec, together), Executor::run_once(&rec, apart));
    }

    #[test]
    fn refuses_what_does_not_fit() {
        let mut rec = Recording::new();
        let (x, w, narrow, five) = (rec.f32([2, 4]), rec.f32([3, 4]), rec.f32([3, 5]), rec.f32([5]));
        let norm = Norm { weight: five, eps: 1e-6 };
        let error = record(&mut rec, x, Some(norm), [(w, None)]).unwrap_err().to_string();
        assert!(error.contains("norm must have 4"), "{error}");
        let error = record(&mut rec, x, None, [(w, None), (narrow, None)]).unwrap_err().to_string();
        assert!(error.contains("[3, 5]"), "{error}");
        let error = record(&mut rec, x, None, [(w, Some(five))]).unwrap_err().to_string();
        assert!(error.contains("bias must have 3"), "{error}");
    }
}
