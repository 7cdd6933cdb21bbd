//! First half of the experts' feed-forward: for token t and its j-th expert e, `mid[t, j] = silu(gate_e · y_t) ⊙ (up_e · y_t)` with
//! `y = x / rms(x) · norm`, or x itself.
//!
//! Bindings: x `[n, h]` f32, index `[n, k]` u32, gate and up `[E, w, h]` both f32, f16, bf16, q8_0 or q4, norm `[h]` f32 if given
//! → mid `[n · k, w]` f32, row `t · k + j`. Sums in f32 over sixteen lanes; tolerance 1e-5; quantised weights as in
//! [`super::linear`]. Tokens are grouped by expert, so that a call reads each weight
//! once. An index beyond the stack takes the last expert. Not here: the choice of experts.

use std::cell::RefCell;

use super::Kernel;
use super::bindings::{Inputs, Outputs, Storage};
use super::isa::Isa;
use super::rms_norm::{Norm, check_norm, normalised};
use super::simd::{math, with_scratch};
use super::threads::{for_each_tile, product_tile};
use crate::error::Result;
use crate::recording::{Buffer, Recording, check};
use crate::shader::Lowering;
use crate::shape::Element;

#[derive(Clone, Debug)]
pub(crate) struct Params {
    /// The norm's epsilon.
    pub(crate) eps: Option<f32>,
}

/// Records the first half for `x` `[n, h]` with the experts `index` `[n, k]` of the stacks `gate` and `up` `[E, w, h]`; the
/// result is `[n · k, w]`.
///
/// # Errors
/// `Error::Shape` when element types or shapes do not fit.
pub(crate) fn record(
    rec: &mut Recording,
    x: Buffer,
    norm: Option<Norm>,
    index: Buffer,
    gate: Buffer,
    up: Buffer,
) -> Result<Buffer> {
    const NAME: &str = "expert_gate_up";
    check_norm(NAME, norm, x)?;
    check(x.element == Element::F32 && index.element == Element::U32, NAME, || {
        format!("x must be f32 and index u32, found {:?} and {:?}", x.element, index.element)
    })?;
    check(gate.element.is_weight() && up.element == gate.element, NAME, || {
        format!("gate and up must be of one type of weights, found {:?} and {:?}", gate.element, up.element)
    })?;
    check(index.rows() == x.rows(), NAME, || {
        format!("index {} does not fit the rows of x {}", index.shape, x.shape)
    })?;
    let [experts, w, h] = *gate.shape.axes() else {
        return check(false, NAME, || format!("gate must be [experts, w, h], found {}", gate.shape))
            .map(|()| x);
    };
    check(experts > 0 && w > 0 && h > 0 && h == x.row(), NAME, || {
        format!("gate {} does not fit rows of x {}", gate.shape, x.shape)
    })?;
    check(up.shape == gate.shape, NAME, || {
        format!("up {} must be shaped like gate {}", up.shape, gate.shape)
    })?;
    let out = rec.f32([index.shape.len(), w]);
    let inputs: Vec<Buffer> = [x, index, gate, up].into_iter().chain(norm.map(|norm| norm.weight)).collect();
    rec.push(Kernel::ExpertGateUp(Params { eps: norm.map(|norm| norm.eps) }), &inputs, &[out]);
    Ok(out)
}

thread_local! {
    /// Products with the gate, of one expert's tokens.
    static GATE: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Tokens of one expert that are taken at once, to bound the scratch.
const TOKENS: usize = 96;

pub(crate) fn cpu(p: &Params, inputs: &Inputs<'_>, outputs: Outputs<'_>) {
    let isa = Isa::best();
    let normed = p.eps.map(|eps| normalised(inputs.f32(0), inputs.f32(4), eps));
    let x = match &normed {
        Some(Storage::F32(normed)) => normed,
        _ => inputs.f32(0),
    };
    let index = inputs.u32(1);
    let [experts, w, h] = *inputs.buffer(2).shape.axes() else { unreachable!("record() checked the axes") };
    let k = inputs.buffer(1).row();
    let order = by_expert(index, experts);
    let x = order.iter().map(|&(_, row)| &x[row / k * h..][..h]).collect();
    let x = inputs.activations(isa, x, 2);

    let rows = index.len();
    let (_, width) = product_tile(rows, w);
    for_each_tile(outputs.one().f32(), w, (rows.max(1), width), 2 * rows * w * h, |mut tile| {
        let (first, width) = (tile.columns().start, tile.columns().len());
        let mut done = 0;
        for group in order.chunk_by(|a, b| a.0 == b.0).flat_map(|group| group.chunks(TOKENS)) {
            let which = done..done + group.len();
            done = which.end;
            let [gate, up] = [2, 3].map(|i| inputs.stacked(i, group[0].0).slice_rows(h, first, width));
            with_scratch(&GATE, group.len() * width, |gated| {
                isa.products(gate, &x, which.clone(), |c, sums| {
                    gated[c * width..][..width].copy_from_slice(sums)
                });
                isa.map(gated, math::silu);
                isa.products(up, &x, which, |c, sums| {
                    let out = tile.row(group[c].1);
                    for ((o, g), u) in out.iter_mut().zip(&gated[c * width..]).zip(sums) {
                        *o = g * u;
                    }
                });
            });
        }
    });
}

pub(crate) fn gpu(p: &Params, inputs: &[Buffer], outputs: &[Buffer], low: &mut Lowering<'_>) -> Result<()> {
    let norm = p.eps.map(|eps| Norm { weight: inputs[4], eps });
    super::product::expert_gate_up(inputs[0], norm, inputs[1], inputs[2], inputs[3], outputs[0], low)
}

/// Pairs (expert, row of the flattened index), ordered; an index beyond the stack becomes the last expert.
pub(super) fn by_expert(index: &[u32], experts: usize) -> Vec<(usize, usize)> {
    let mut order: Vec<(usize, usize)> =
        index.iter().enumerate().map(|(row, &e)| ((e as usize).min(experts - 1), row)).collect();
    order.sort_unstable();
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::Executor;
    use crate::kernels::rms_norm;
    use crate::kernels::testing::{assert_close, executors, part, random, run, stored};

    /// Plain loops in f64.
    fn oracle(x: &[f32], index: &[u32], gate: &[f32], up: &[f32], [k, w, h]: [usize; 3]) -> Vec<f32> {
        let dot = |a: &[f32], b: &[f32]| -> f64 {
            a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
        };
        let mut out = Vec::new();
        for (row, &e) in index.iter().enumerate() {
            let x = &x[row / k * h..][..h];
            for o in 0..w {
                let at = (e as usize * w + o) * h;
                let (g, u) = (dot(&gate[at..at + h], x), dot(&up[at..at + h], x));
                out.push((g / (1.0 + (-g).exp()) * u) as f32);
            }
        }
        out
    }

    struct Case {
        x: Vec<f32>,
        index: Vec<u32>,
        gate: Vec<f32>,
        up: Vec<f32>,
        sizes: [usize; 3],
    }

    impl Case {
        fn new(n: usize, experts: usize, [k, w, h]: [usize; 3], element: Element) -> Case {
            let index = random(n * k, 9).iter().map(|v| (v.abs() * 100.0) as u32 % experts as u32).collect();
            let [gate, up] = [2, 3].map(|seed| stored(element, h, &random(experts * w * h, seed)));
            Case { x: random(n * h, 1), index, gate, up, sizes: [k, w, h] }
        }

        /// On the processor; `parts`: how many pieces of memory a stack is made of.
        fn run(&self, x: &[f32], index: &[u32], element: Element, parts: usize) -> Vec<f32> {
            self.run_on(&mut Executor::processor(), x, index, element, parts)
        }

        fn run_on(
            &self,
            executor: &mut Executor,
            x: &[f32],
            index: &[u32],
            element: Element,
            parts: usize,
        ) -> Vec<f32> {
            let [k, w, h] = self.sizes;
            let experts = self.gate.len() / (w * h);
            let mut rec = Recording::new();
            let [gate, up] = [&self.gate, &self.up].map(|values| {
                let parts = values.chunks(values.len() / parts).map(|p| part(element, h, p)).collect();
                executor.memory().upload([experts, w, h].into(), element, parts).unwrap()
            });
            let n = x.len() / h;
            let x = rec.constant_f32([n, h], x.to_vec());
            let index = rec.constant_u32([n, k], index.to_vec());
            let out = record(&mut rec, x, None, index, gate, up).unwrap();
            run(executor, &rec, out)
        }
    }

    #[test]
    fn matches_oracle_for_stacks_of_one_part_and_of_many() {
        let cases = [
            (1, 1, [1, 1, 1]),
            (3, 4, [2, 5, 17]),
            (40, 6, [3, 33, 48]),
            (1, 9, [8, 48, 2048]),
            (2, 7, [6, 384, 64]),
        ];
        for mut executor in executors() {
            for (n, experts, sizes) in cases {
                for element in [Element::F32, Element::F16, Element::Bf16] {
                    let case = Case::new(n, experts, sizes, element);
                    let want = oracle(&case.x, &case.index, &case.gate, &case.up, sizes);
                    for parts in [1, experts] {
                        let got = case.run_on(&mut executor, &case.x, &case.index, element, parts);
                        assert_close(&got, &want, 1e-5);
                    }
                }
            }
        }
    }

    #[test]
    fn a_norm_comes_first() {
        let (n, sizes @ [k, w, h]) = (3, [2, 40, 100]);
        let case = Case::new(n, 5, sizes, Element::F32);
        let weight = random(h, 8);
        let mut rec = Recording::new();
        let x = rec.constant_f32([n, h], case.x.clone());
        let weight = rec.constant_f32([h], weight);
        let normed = rms_norm::record(&mut rec, x, weight, 1e-5).unwrap();
        let normed = Executor::run_once(&rec, normed);
        let want = oracle(&normed, &case.index, &case.gate, &case.up, sizes);
        for mut executor in executors() {
            let [gate, up] = [&case.gate, &case.up].map(|values| {
                let part = part(Element::F32, h, values);
                executor.memory().upload([5, w, h].into(), Element::F32, vec![part]).unwrap()
            });
            let mut rec = rec.clone();
            let index = rec.constant_u32([n, k], case.index.clone());
            let out = record(&mut rec, x, Some(Norm { weight, eps: 1e-5 }), index, gate, up).unwrap();
            assert_close(&run(&mut executor, &rec, out), &want, 1e-5);
        }
    }

    #[test]
    fn quantised_experts_differ_only_by_the_eight_bits_of_x() {
        // Two products, each as near as in `linear`, are multiplied.
        for (n, experts, sizes) in [(3, 4, [2, 5, 17]), (40, 6, [3, 33, 96])] {
            for element in [Element::Q8_0, Element::Q4] {
                let case = Case::new(n, experts, sizes, Element::F32);
                let [gate, up] = [&case.gate, &case.up].map(|values| stored(element, sizes[2], values));
                let want = oracle(&case.x, &case.index, &gate, &up, sizes);
                for parts in [1, experts] {
                    assert_close(&case.run(&case.x, &case.index, element, parts), &want, 4e-2);
                }
            }
        }
    }

    #[test]
    fn tokens_have_the_same_bits_alone_and_together() {
        // More tokens than are taken at once for one expert.
        let (n, sizes @ [k, w, h]) = (250, [2, 20, 64]);
        for element in [Element::Bf16, Element::Q8_0, Element::Q4] {
            let case = Case::new(n, 2, sizes, element);
            let whole = case.run(&case.x, &case.index, element, 2);
            for step in [1, 7] {
                let calls = case.x.chunks(step * h).zip(case.index.chunks(step * k));
                for ((x, index), want) in calls.zip(whole.chunks(step * k * w)).step_by(5) {
                    assert_eq!(case.run(x, index, element, 2), want);
                }
            }
        }
    }

    #[test]
    fn an_index_beyond_the_stack_takes_the_last_expert() {
        let case = Case::new(2, 3, [2, 4, 8], Element::F32);
        for mut executor in executors() {
            let mut run = |index: &[u32]| case.run_on(&mut executor, &case.x, index, Element::F32, 3);
            assert_eq!(run(&[3, 0, u32::MAX, 1]), run(&[2, 0, 2, 1]));
        }
    }

    #[test]
    fn refuses_what_does_not_fit() {
        let mut rec = Recording::new();
        let (x, index) = (rec.f32([2, 4]), rec.scratch([2, 3], Element::U32));
        let (gate, other, flat) = (rec.f32([5, 6, 4]), rec.f32([5, 6, 7]), rec.f32([30, 4]));
        let three = rec.scratch([3, 3], Element::U32);
        let mut refuse = |index, gate, up, word| {
            let error = record(&mut rec, x, None, index, gate, up).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        };
        refuse(x, gate, gate, "index u32");
        refuse(three, gate, gate, "[3, 3]");
        refuse(index, other, other, "[5, 6, 7]");
        refuse(index, gate, other, "up [5, 6, 7]");
        refuse(index, flat, flat, "[30, 4]");
    }
}
