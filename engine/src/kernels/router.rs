//! Chooses experts for each row: softmax over all of them, then the `top_k` most probable.
//!
//! Bindings: logits `[n, experts]` f32 → index `[n, top_k]` u32, weight `[n, top_k]` f32, most probable first; of equals the
//! lower index first. `renormalise` divides the weights by their sum. NaN is chosen last. Softmax in f32 over sixteen lanes;
//! tolerance 1e-6.

use rayon::prelude::*;

use super::bindings::{Inputs, Outputs};
use super::lanes::{self, Lanes, Work};
use super::{Kernel, require, threads};
use crate::error::Result;
use crate::recording::{Buffer, Recording, check};
use crate::shape::Element;

#[derive(Clone, Debug)]
pub(crate) struct Params {
    pub(crate) top_k: usize,
    pub(crate) renormalise: bool,
}

/// Records the choice of `top_k` experts by `logits` `[n, experts]`: index `[n, top_k]` u32 and weight `[n, top_k]` f32.
pub(crate) fn record(
    rec: &mut Recording,
    logits: Buffer,
    top_k: usize,
    renormalise: bool,
) -> Result<(Buffer, Buffer)> {
    require::f32s("router", &[("logits", logits)])?;
    check((1..=logits.row()).contains(&top_k), "router", || {
        format!("top_k must be 1 to the number of experts in logits {}, found {top_k}", logits.shape)
    })?;
    let index = rec.scratch([logits.rows(), top_k], Element::U32);
    let weight = rec.f32([logits.rows(), top_k]);
    rec.push(Kernel::Router(Params { top_k, renormalise }), &[logits], &[index, weight]);
    Ok((index, weight))
}

pub(crate) fn cpu(p: &Params, inputs: &Inputs<'_>, outputs: Outputs<'_>) {
    let logits = inputs.f32(0);
    let experts = inputs.buffer(0).row();
    let [index, weight] = outputs.all();
    let piece = threads::piece_of(inputs.buffer(0).rows(), experts * p.top_k);
    let choose = |((logits, index), weight)| lanes::run(Rows { p, experts, logits, index, weight });
    logits
        .par_chunks(piece * experts)
        .zip(index.u32().par_chunks_mut(piece * p.top_k))
        .zip(weight.f32().par_chunks_mut(piece * p.top_k))
        .for_each(choose);
}

struct Rows<'a> {
    p: &'a Params,
    experts: usize,
    logits: &'a [f32],
    index: &'a mut [u32],
    weight: &'a mut [f32],
}

impl Work for Rows<'_> {
    type Out = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let k = self.p.top_k;
        let mut probability = vec![0.0; self.experts];
        let mut taken = vec![false; self.experts];
        let chosen = self.index.chunks_exact_mut(k).zip(self.weight.chunks_exact_mut(k));
        for (logits, (index, weight)) in self.logits.chunks_exact(self.experts).zip(chosen) {
            probability.copy_from_slice(logits);
            let max = l.splat(lanes::largest(l, logits));
            lanes::map(l, &mut probability, |v| lanes::exp(l, l.sub(v, max)));
            let total = lanes::sum(l, &probability);
            probability.iter_mut().for_each(|v| *v /= total);

            taken.fill(false);
            for (index, weight) in index.iter_mut().zip(weight.iter_mut()) {
                let mut best = None;
                for (i, &v) in probability.iter().enumerate() {
                    if !taken[i] && best.is_none_or(|(_, b): (usize, f32)| v > b || b.is_nan() && !v.is_nan())
                    {
                        best = Some((i, v));
                    }
                }
                if let Some((i, v)) = best {
                    taken[i] = true;
                    (*index, *weight) = (i as u32, v);
                }
            }
            if self.p.renormalise {
                let sum: f32 = weight.iter().sum();
                weight.iter_mut().for_each(|w| *w /= sum);
            }
        }
    }
}
