//! Second half of the experts' feed-forward: `out_t = residual_t + Σ_j weight[t, j] · (down_e · mid[t, j])`, e = index[t, j].
//!
//! Bindings: mid `[n · k, w]` f32, row `t · k + j`, index `[n, k]` u32, weight `[n, k]` f32, down `[E, h, w]` f32, f16, bf16,
//! q8_0 or q4, residual `[n, h]` f32 if given → out `[n, h]` f32. Dot products in f32 over sixteen lanes, then the experts in
//! the order of j; tolerance 1e-5; quantised weights as in [`super::linear`]. Tokens are grouped by expert, so that a call reads
//! each weight once. An index beyond the stack takes the last expert.

use std::cell::RefCell;

use super::Kernel;
use super::bindings::{Inputs, Outputs};
use super::expert_gate_up::by_expert;
use super::isa::Isa;
use super::simd::with_scratch;
use super::threads::{for_each_tile, product_tile};
use crate::error::Result;
use crate::recording::{Buffer, Recording, check};
use crate::shader::Lowering;
use crate::shape::Element;

#[derive(Clone, Debug)]
pub(crate) struct Params {
    residual: bool,
}

/// Records the second half for `mid` `[n · k, w]`, the experts `index` and their `weight` `[n, k]`, and the stack `down`
/// `[E, h, w]`; the result is `[n, h]`.
///
/// # Errors
/// `Error::Shape` when element types or shapes do not fit.
pub(crate) fn record(
    rec: &mut Recording,
    mid: Buffer,
    index: Buffer,
    weight: Buffer,
    down: Buffer,
    residual: Option<Buffer>,
) -> Result<Buffer> {
    const NAME: &str = "expert_down";
    check(mid.element == Element::F32 && weight.element == Element::F32, NAME, || {
        format!("mid and weight must be f32, found {:?} and {:?}", mid.element, weight.element)
    })?;
    check(index.element == Element::U32 && down.element.is_weight(), NAME, || {
        format!(
            "index must be u32 and down a type of weights, found {:?} and {:?}",
            index.element, down.element
        )
    })?;
    check(weight.shape == index.shape && mid.rows() == index.shape.len(), NAME, || {
        format!("index {}, weight {} and mid {} do not fit", index.shape, weight.shape, mid.shape)
    })?;
    let [experts, h, w] = *down.shape.axes() else {
        return check(false, NAME, || format!("down must be [experts, h, w], found {}", down.shape))
            .map(|()| mid);
    };
    check(experts > 0 && w > 0 && h > 0 && w == mid.row(), NAME, || {
        format!("down {} does not fit rows of mid {}", down.shape, mid.shape)
    })?;
    let n = index.rows();
    if let Some(r) = residual {
        check(r.element == Element::F32 && r.rows() == n && r.row() == h, NAME, || {
            format!("residual must be f32 [{n}, {h}], found {:?} {}", r.element, r.shape)
        })?;
    }
    let inputs: Vec<Buffer> =
        [Some(mid), Some(index), Some(weight), Some(down), residual].into_iter().flatten().collect();
    let out = rec.f32([n, h]);
    rec.push(Kernel::ExpertDown(Params { residual: residual.is_some() }), &inputs, &[out]);
    Ok(out)
}

thread_local! {
    /// Products of all rows of mid with some rows of their experts.
    static PRODUCTS: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Most products that a thread keeps until all experts of a token are there.
const KEPT: usize = 1 << 18;

pub(crate) fn cpu(p: &Params, inputs: &Inputs<'_>, outputs: Outputs<'_>) {
    let isa = Isa::best();
    let (mid, index, weight) = (inputs.f32(0), inputs.u32(1), inputs.f32(2));
    let residual = p.residual.then(|| inputs.f32(4));
    let [experts, h, w] = *inputs.buffer(3).shape.axes() else { unreachable!("record() checked the axes") };
    let (n, k) = (inputs.buffer(1).rows(), inputs.buffer(1).row());
    let order = by_expert(index, experts);
    let x = order.iter().map(|&(_, row)| &mid[row * w..][..w]).collect();
    let x = inputs.activations(isa, x, 3);

    let rows = index.len();
    let (_, width) = product_tile(rows, h);
    let width = width.min((KEPT / rows.max(1)).next_multiple_of(4)).max(4);
    for_each_tile(outputs.one().f32(), h, (n.max(1), width), rows * h * w, |mut tile| {
        let columns = tile.columns();
        let width = columns.len();
        with_scratch(&PRODUCTS, rows * width, |products| {
            let mut done = 0;
            for group in order.chunk_by(|a, b| a.0 == b.0) {
                let down = inputs.stacked(3, group[0].0).slice_rows(w, columns.start, width);
                isa.products(down, &x, done..done + group.len(), |c, sums| {
                    products[group[c].1 * width..][..width].copy_from_slice(sums);
                });
                done += group.len();
            }
            for t in tile.rows() {
                let out = tile.row(t);
                match residual {
                    Some(residual) => out.copy_from_slice(&residual[t * h..][columns.clone()]),
                    None => out.fill(0.0),
                }
                for row in t * k..(t + 1) * k {
                    for (o, v) in out.iter_mut().zip(&products[row * width..][..width]) {
                        *o += weight[row] * v;
                    }
                }
            }
        });
    });
}

pub(crate) fn gpu(p: &Params, inputs: &[Buffer], outputs: &[Buffer], low: &mut Lowering<'_>) -> Result<()> {
    let residual = p.residual.then(|| inputs[4]);
    super::product::expert_down(inputs[0], inputs[1], inputs[2], inputs[3], residual, outputs[0], low)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::Executor;
    use crate::kernels::testing::{assert_close, executors, part, random, run, stored};

    struct Case {
        mid: Vec<f32>,
        index: Vec<u32>,
        weight: Vec<f32>,
        down: Vec<f32>,
        residual: Vec<f32>,
        sizes: [usize; 3],
    }

    impl Case {
        fn new(n: usize, experts: usize, [k, h, w]: [usize; 3], element: Element) -> Case {
            Case {
                mid: random(n * k * w, 1),
                index: random(n * k, 9).iter().map(|v| (v.abs() * 100.0) as u32 % experts as u32).collect(),
                weight: random(n * k, 4),
                down: stored(element, w, &random(experts * h * w, 2)),
                residual: random(n * h, 5),
                sizes: [k, h, w],
            }
        }

        /// Plain loops in f64.
        fn oracle(&self, residual: bool) -> Vec<f32> {
            let [k, h, w] = self.sizes;
            (0..self.residual.len())
                .map(|at| {
                    let (t, o) = (at / h, at % h);
                    let mut sum = if residual { f64::from(self.residual[at]) } else { 0.0 };
                    for row in t * k..(t + 1) * k {
                        let down = &self.down[(self.index[row] as usize * h + o) * w..][..w];
                        let dot: f64 = down
                            .iter()
                            .zip(&self.mid[row * w..])
                            .map(|(&a, &b)| f64::from(a) * f64::from(b))
                            .sum();
                        sum += f64::from(self.weight[row]) * dot;
                    }
                    sum as f32
                })
                .collect()
        }

        /// Tokens `from..to`; `parts`: how many pieces of memory the stack is made of.
        fn run(
            &self,
            executor: &mut Executor,
            (from, to): (usize, usize),
            element: Element,
            parts: usize,
            residual: bool,
        ) -> Vec<f32> {
            let [k, h, w] = self.sizes;
            let mut rec = Recording::new();
            let chunks = self.down.chunks(self.down.len() / parts);
            let parts = chunks.map(|p| part(element, w, p)).collect();
            let shape = [self.down.len() / (h * w), h, w];
            let down = executor.memory().upload(shape.into(), element, parts).unwrap();
            let n = to - from;
            let mid = rec.constant_f32([n * k, w], self.mid[from * k * w..to * k * w].to_vec());
            let index = rec.constant_u32([n, k], self.index[from * k..to * k].to_vec());
            let weight = rec.constant_f32([n, k], self.weight[from * k..to * k].to_vec());
            let residual =
                residual.then(|| rec.constant_f32([n, h], self.residual[from * h..to * h].to_vec()));
            let out = record(&mut rec, mid, index, weight, down, residual).unwrap();
            run(executor, &rec, out)
        }
    }

    #[test]
    fn quantised_experts_differ_only_by_the_eight_bits_of_mid() {
        for (n, experts, sizes) in [(3, 4, [2, 5, 17]), (40, 6, [3, 33, 96])] {
            for element in [Element::Q8_0, Element::Q4] {
                let case = Case::new(n, experts, sizes, Element::F32);
                let held = Case {
                    down: stored(element, sizes[2], &case.down),
                    ..Case::new(n, experts, sizes, Element::F32)
                };
                for parts in [1, experts] {
                    let got = case.run(&mut Executor::processor(), (0, n), element, parts, true);
                    assert_close(&got, &held.oracle(true), 2e-2);
                }
            }
        }
    }

    #[test]
    fn matches_oracle_for_stacks_of_one_part_and_of_many() {
        let cases = [
            (1, 1, [1, 1, 1]),
            (3, 4, [2, 5, 17]),
            (40, 6, [3, 33, 48]),
            (1, 9, [8, 128, 768]),
            (2, 7, [6, 64, 384]),
        ];
        for mut executor in executors() {
            for (n, experts, sizes) in cases {
                for element in [Element::F32, Element::F16, Element::Bf16] {
                    let case = Case::new(n, experts, sizes, element);
                    for (parts, residual) in [(1, false), (experts, true)] {
                        let got = case.run(&mut executor, (0, n), element, parts, residual);
                        assert_close(&got, &case.oracle(residual), 1e-5);
                    }
                }
            }
        }
    }

    #[test]
    fn tokens_have_the_same_bits_alone_and_together() {
        let (n, sizes @ [_, h, _]) = (60, [4, 70, 64]);
        let mut cpu = Executor::processor();
        for element in [Element::Bf16, Element::Q8_0, Element::Q4] {
            let case = Case::new(n, 3, sizes, element);
            let whole = case.run(&mut cpu, (0, n), element, 3, true);
            for step in [1, 7] {
                for from in (0..n).step_by(step) {
                    let to = n.min(from + step);
                    let alone = case.run(&mut cpu, (from, to), element, 3, true);
                    assert_eq!(alone, whole[from * h..to * h]);
                }
            }
        }
    }

    #[test]
    fn an_index_beyond_the_stack_takes_the_last_expert() {
        let mut case = Case::new(2, 3, [2, 4, 8], Element::F32);
        for mut executor in executors() {
            case.index = vec![2, 0, 2, 1];
            let want = case.run(&mut executor, (0, 2), Element::F32, 3, false);
            case.index = vec![3, 0, u32::MAX, 1];
            assert_eq!(case.run(&mut executor, (0, 2), Element::F32, 3, false), want);
        }
    }

    #[test]
    fn refuses_what_does_not_fit() {
        let mut rec = Recording::new();
        let (mid, index, weight) = (rec.f32([6, 4]), rec.scratch([2, 3], Element::U32), rec.f32([2, 3]));
        let (down, other, flat) = (rec.f32([5, 7, 4]), rec.f32([5, 7, 6]), rec.f32([35, 4]));
        let mut refuse = |mid, weight, down, residual, word| {
            let error = record(&mut rec, mid, index, weight, down, residual).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        };
        refuse(mid, index, down, None, "U32");
        refuse(weight, weight, down, None, "mid [2, 3]");
        refuse(mid, weight, other, None, "[5, 7, 6]");
        refuse(mid, weight, flat, None, "[35, 4]");
        refuse(mid, weight, down, Some(mid), "residual must be f32 [2, 7]");
    }
}
