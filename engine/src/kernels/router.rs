//! Chooses experts for each row: softmax over all of them, then the `top_k` most probable.
//!
//! Bindings: logits `[n, experts]` f32 → index `[n, top_k]` u32, weight `[n, top_k]` f32, by the size of their logits; of equals
//! the lower index first. `renormalise` divides the weights by their sum. NaN is chosen last. Softmax in f32;
//! tolerance 1e-6.

use rayon::prelude::*;

use super::bindings::{Inputs, Outputs};
use super::lanes::{self, Function, Lanes, Work};
use super::{Kernel, require, threads};
use crate::error::Result;
use crate::recording::{Buffer, Recording, check};
use crate::shader::{Dispatch, Lowering};
use crate::shape::Element;

/// Experts that the shader has room for: `MOST` there.
const MOST_EXPERTS: usize = 512;

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

/// `e^(x - largest)`.
struct ExpOver(f32);

impl Function for ExpOver {
    #[inline(always)]
    fn of<L: Lanes>(&self, l: L, x: L::V) -> L::V {
        lanes::exp(l, l.sub(x, l.splat(self.0)))
    }
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
            lanes::map(l, &mut probability, ExpOver(lanes::largest(l, logits)));
            let total = lanes::sum(l, &probability);
            probability.iter_mut().for_each(|v| *v /= total);

            taken.fill(false);
            for (index, weight) in index.iter_mut().zip(weight.iter_mut()) {
                let mut best = None;
                for (i, &v) in logits.iter().enumerate() {
                    if !taken[i] && best.is_none_or(|(_, b): (usize, f32)| v > b || b.is_nan() && !v.is_nan())
                    {
                        best = Some((i, v));
                    }
                }
                if let Some((i, _)) = best {
                    taken[i] = true;
                    (*index, *weight) = (i as u32, probability[i]);
                }
            }
            if self.p.renormalise {
                let sum: f32 = weight.iter().sum();
                weight.iter_mut().for_each(|w| *w /= sum);
            }
        }
    }
}

pub(crate) fn gpu(p: &Params, inputs: &[Buffer], outputs: &[Buffer], low: &mut Lowering<'_>) -> Result<()> {
    let (logits, index, weight) = (inputs[0], outputs[0], outputs[1]);
    check(logits.row() <= MOST_EXPERTS, "router", || {
        format!("the shader takes up to {MOST_EXPERTS} experts, found logits {}", logits.shape)
    })?;
    let dispatch = Dispatch::new("router")
        .define(low.target().subgroup_define())
        .read(logits)
        .write(index)
        .write(weight)
        .size(logits.rows())
        .size(logits.row())
        .size(p.top_k)
        .param(p.renormalise.into())
        .size(logits.offset)
        .size(index.offset)
        .size(weight.offset)
        .groups(logits.rows(), low.target());
    low.push(dispatch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::Executor;
    use crate::kernels::testing::{self, assert_close, executors, random};

    fn run(
        executor: &mut Executor,
        logits: &[f32],
        experts: usize,
        k: usize,
        renormalise: bool,
    ) -> (Vec<usize>, Vec<f32>) {
        let mut rec = Recording::new();
        let x = rec.constant_f32([logits.len() / experts, experts], logits.to_vec());
        let (index, weight) = record(&mut rec, x, k, renormalise).unwrap();
        let index = testing::run(executor, &rec, index).into_iter().map(|i| i as usize).collect();
        (index, testing::run(executor, &rec, weight))
    }

    #[test]
    fn matches_oracle_on_odd_sizes() {
        for (n, experts, k) in [(1, 1, 1), (3, 8, 2), (5, 60, 60), (200, 128, 8), (2, 500, 129)] {
            for renormalise in [false, true] {
                let logits: Vec<f32> = random(n * experts, 1).into_iter().map(|v| v * 3.0).collect();
                let (mut want_index, mut want_weight) = (Vec::new(), Vec::new());
                for logits in logits.chunks(experts) {
                    let sum: f64 = logits.iter().map(|v| f64::from(*v).exp()).sum();
                    let mut order: Vec<usize> = (0..experts).collect();
                    order.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]));
                    order.truncate(k);
                    let chosen: Vec<f64> = order.iter().map(|i| f64::from(logits[*i]).exp() / sum).collect();
                    let divisor = if renormalise { chosen.iter().sum() } else { 1.0 };
                    want_weight.extend(chosen.iter().map(|w| (w / divisor) as f32));
                    want_index.extend(order);
                }
                for mut executor in executors() {
                    let (index, weight) = run(&mut executor, &logits, experts, k, renormalise);
                    assert_eq!(index, want_index);
                    assert_close(&weight, &want_weight, 1e-6);
                }
            }
        }
    }

    #[test]
    fn of_equals_the_lower_index_comes_first_and_nan_last() {
        for mut executor in executors() {
            let (index, weight) = run(&mut executor, &[1.0, 3.0, 1.0, 3.0, 1.0], 5, 4, true);
            assert_eq!(index, [1, 3, 0, 2]);
            assert_eq!(weight[0], weight[1]);
            let (index, _) = run(&mut executor, &[0.0, -1.0, -0.0], 3, 2, false);
            assert_eq!(index, [0, 2]);
            let (index, _) = run(&mut executor, &[f32::NAN, 0.0, 1.0, 2.0, -f32::NAN], 5, 5, false);
            assert_eq!(index, [3, 2, 1, 0, 4]);
            let (index, _) = run(&mut executor, &[f32::NAN; 4], 4, 2, true);
            assert_eq!(index, [0, 1]);
        }
    }

    #[test]
    fn split_rows_change_no_bit() {
        let logits = random(300 * 50, 1);
        let mut run = |logits: &[f32]| run(&mut Executor::processor(), logits, 50, 6, true);
        let whole = run(&logits);
        let parts: Vec<_> = logits.chunks(50 * 7).map(&mut run).collect();
        assert_eq!(parts.iter().flat_map(|p| p.0.clone()).collect::<Vec<_>>(), whole.0);
        assert_eq!(parts.iter().flat_map(|p| p.1.clone()).collect::<Vec<_>>(), whole.1);
    }

    #[test]
    fn refuses_more_choices_than_experts() {
        let mut rec = Recording::new();
        let logits = rec.f32([2, 4]);
        assert!(record(&mut rec, logits, 5, true).unwrap_err().to_string().contains("found 5"));
        assert!(record(&mut rec, logits, 0, true).is_err());
    }

    #[test]
    fn refuses_more_experts_than_the_shader_has_room_for() {
        let mut rec = Recording::new();
        let logits = rec.f32([1, MOST_EXPERTS + 1]);
        record(&mut rec, logits, 1, true).unwrap();
        let [mut cpu, mut gpu] = executors();
        assert!(cpu.prepare(rec.clone()).is_ok());
        assert!(gpu.prepare(rec).err().unwrap().to_string().contains("[1, 513]"));
    }
}
