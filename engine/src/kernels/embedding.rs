//! Weighted sum of table rows: `out_n = add_n + Σ_t weights[n, t] · table[ids[n, t]]`.
//!
//! Bindings: ids `[n, t]` or `[n]` u32, table `[V, h]` f32, f16, bf16, q8_0 or q4, then weights `[n, t]` f32 and add `[n, h]` f32
//! where given (weights are 1 otherwise) → out `[n, h]` f32. Sums in f32 from `add` (or zero) on, in the order of t; tolerance 1e-6.
//! An id of V or more reads row V - 1: nothing outside the table can be read.

use std::cell::RefCell;

use super::Kernel;
use super::bindings::{Inputs, Matrix, Outputs, Weight};
use super::simd::with_scratch;
use super::threads::for_each_tile;
use crate::error::Result;
use crate::recording::{Buffer, Recording, check};
use crate::shader::{self, Binding, Dispatch, Lowering};
use crate::shape::Element;

#[derive(Clone, Debug)]
pub(crate) struct Params {
    weights: bool,
    add: bool,
}

/// Records the sum of the rows `ids` `[n, t]` (or `[n]`: one row each) of `table` `[V, h]`; the result is `[n, h]`.
///
/// # Errors
/// `Error::Shape` when element types or shapes do not fit.
pub(crate) fn record(
    rec: &mut Recording,
    ids: Buffer,
    weights: Option<Buffer>,
    table: Buffer,
    add: Option<Buffer>,
) -> Result<Buffer> {
    let n = rows_of(&ids);
    check(ids.element == Element::U32 && table.element.is_weight(), "embedding", || {
        format!(
            "ids must be u32 and the table a type of weights, found {:?} and {:?}",
            ids.element, table.element
        )
    })?;
    check(!table.shape.axes().contains(&0), "embedding", || format!("the table {} is empty", table.shape))?;
    if let Some(w) = weights {
        check(w.element == Element::F32 && w.shape.len() == ids.shape.len(), "embedding", || {
            format!("weights must be f32 {}, found {:?} {}", ids.shape, w.element, w.shape)
        })?;
    }
    if let Some(a) = add {
        check(a.element == Element::F32 && a.rows() == n && a.row() == table.row(), "embedding", || {
            format!("add must be f32 [{n}, {}], found {:?} {}", table.row(), a.element, a.shape)
        })?;
    }
    let inputs: Vec<Buffer> = [Some(ids), Some(table), weights, add].into_iter().flatten().collect();
    let out = rec.f32([n, table.row()]);
    let params = Params { weights: weights.is_some(), add: add.is_some() };
    rec.push(Kernel::Embedding(params), &inputs, &[out]);
    Ok(out)
}

/// Sums to make: a list of ids is one row each.
fn rows_of(ids: &Buffer) -> usize {
    match *ids.shape.axes() {
        [n] => n,
        _ => ids.rows(),
    }
}

pub(crate) fn cpu(p: &Params, inputs: &Inputs<'_>, outputs: Outputs<'_>) {
    let (ids, table) = (inputs.u32(0), inputs.matrix(1));
    let (rows, h) = (inputs.buffer(1).rows(), inputs.buffer(1).row());
    let weights = p.weights.then(|| inputs.f32(2));
    let add = p.add.then(|| inputs.f32(2 + usize::from(p.weights)));
    let n = rows_of(&inputs.buffer(0));
    let terms = ids.len() / n.max(1);
    for_each_tile(outputs.one().f32(), h, (8, h), ids.len() * h, |mut tile| {
        for row in tile.rows() {
            let out = tile.row(row);
            match add {
                Some(add) => out.copy_from_slice(&add[row * h..][..h]),
                None => out.fill(0.0),
            }
            for at in row * terms..(row + 1) * terms {
                let id = (ids[at] as usize).min(rows - 1);
                add_scaled(out, weights.map_or(1.0, |w| w[at]), table.slice_rows(h, id, 1));
            }
        }
    });
}

thread_local! {
    /// A row as f32.
    static ROW: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// `out += scale · row`.
fn add_scaled(out: &mut [f32], scale: f32, row: Matrix<'_>) {
    match row {
        Matrix::Plain(Weight::F32(row)) => out.iter_mut().zip(row).for_each(|(o, v)| *o += scale * v),
        Matrix::Plain(Weight::F16(row)) => {
            out.iter_mut().zip(row).for_each(|(o, &v)| *o += scale * half::f16::from_bits(v).to_f32());
        }
        Matrix::Plain(Weight::Bf16(row)) => {
            out.iter_mut().zip(row).for_each(|(o, &v)| *o += scale * f32::from_bits(u32::from(v) << 16));
        }
        Matrix::Quantised(row) => with_scratch(&ROW, out.len(), |values| {
            row.read_row(0, values);
            out.iter_mut().zip(values).for_each(|(o, v)| *o += scale * *v);
        }),
    }
}

pub(crate) fn gpu(p: &Params, inputs: &[Buffer], outputs: &[Buffer], low: &mut Lowering<'_>) -> Result<()> {
    let (ids, table, out) = (inputs[0], inputs[1], outputs[0]);
    let weights = p.weights.then(|| inputs[2]);
    let add = p.add.then(|| inputs[2 + usize::from(p.weights)]);
    let n = rows_of(&ids);
    let offset = |buffer: Option<Buffer>| buffer.map_or(0, |b| b.offset);
    let dispatch = Dispatch::new("embedding")
        .define(match table.element {
            Element::F32 | Element::U32 => "F32",
            Element::F16 => "F16",
            Element::Bf16 => "BF16",
            Element::Q8_0 => "Q8_0",
            Element::Q4 => "Q4",
        })
        .read(ids)
        .read(table)
        .bind(Binding::scales(table))
        // What is not there is not read.
        .read(weights.unwrap_or(ids))
        .read(add.unwrap_or(ids))
        .write(out)
        .size(n)
        .size(ids.shape.len() / n.max(1))
        .size(table.row())
        .size(shader::pitch(table.element, table.row()))
        .size(table.offset / table.row())
        .size(table.rows())
        .param(p.weights.into())
        .param(p.add.into())
        .size(ids.offset)
        .size(offset(weights))
        .size(offset(add))
        .size(out.offset)
        .threads(out.shape.len(), 256, low.target());
    low.push(dispatch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::Executor;
    use crate::kernels::testing::{assert_close, executors, random, run, stored, upload};

    /// Plain loops in f64.
    fn oracle(
        ids: &[u32],
        weights: Option<&[f32]>,
        table: &[f32],
        add: Option<&[f32]>,
        [n, h]: [usize; 2],
    ) -> Vec<f32> {
        let terms = ids.len() / n;
        (0..n * h)
            .map(|at| {
                let mut sum = add.map_or(0.0, |a| f64::from(a[at]));
                for i in at / h * terms..(at / h + 1) * terms {
                    let weight = weights.map_or(1.0, |w| f64::from(w[i]));
                    sum += weight * f64::from(table[ids[i] as usize * h + at % h]);
                }
                sum as f32
            })
            .collect()
    }

    fn sum(
        executor: &mut Executor,
        ids: (&[u32], &[usize]),
        weights: Option<&[f32]>,
        (element, table): (Element, &[f32]),
        add: Option<&[f32]>,
        [n, h]: [usize; 2],
    ) -> Vec<f32> {
        let mut rec = Recording::new();
        let (ids, shape) = ids;
        let table = upload(executor, [table.len() / h, h], element, table);
        let flat = rec.constant_u32([ids.len()], ids.to_vec());
        let ids = match *shape {
            [n, t] => flat.reshape([n, t]),
            _ => flat,
        };
        let weights = weights.map(|w| rec.constant_f32([w.len()], w.to_vec()));
        let add = add.map(|a| rec.constant_f32([n, h], a.to_vec()));
        let out = record(&mut rec, ids, weights, table, add).unwrap();
        assert_eq!(out.shape, [n, h].into());
        run(executor, &rec, out)
    }

    #[test]
    fn matches_oracle_with_and_without_weights_and_addend() {
        let rows = 11;
        for (n, t, h) in [(1, 1, 1), (3, 1, 5), (4, 3, 17), (30, 16, 130), (2, 16, 2048)] {
            let ids: Vec<u32> = (0..n * t).map(|i| (i * 7 % rows) as u32).collect();
            let (weights, add) = (random(n * t, 1), random(n * h, 2));
            for element in [Element::F32, Element::F16, Element::Bf16, Element::Q8_0, Element::Q4] {
                let values = random(rows * h, 3);
                let table = stored(element, h, &values);
                for given in 0..4 {
                    let weights = (given & 1 != 0).then_some(&weights[..]);
                    let add = (given & 2 != 0).then_some(&add[..]);
                    let shape: &[usize] = if t == 1 { &[n] } else { &[n, t] };
                    for mut executor in executors() {
                        let got = sum(&mut executor, (&ids, shape), weights, (element, &values), add, [n, h]);
                        assert_close(&got, &oracle(&ids, weights, &table, add, [n, h]), 1e-6);
                    }
                }
            }
        }
    }

    #[test]
    fn an_id_beyond_the_table_reads_its_last_row() {
        let table = random(3 * 4, 1);
        for mut executor in executors() {
            let ids: (&[u32], &[usize]) = (&[u32::MAX, 3, 0], &[3]);
            let got = sum(&mut executor, ids, None, (Element::F32, &table), None, [3, 4]);
            assert_eq!(got, [&table[8..], &table[8..], &table[..4]].concat());
        }
    }

    #[test]
    fn a_view_of_the_table_begins_at_its_own_first_row() {
        let values = stored(Element::Bf16, 5, &random(9 * 5, 1));
        for mut executor in executors() {
            let table = upload(&mut executor, [9, 5], Element::Bf16, &values).slice_rows(4, 3);
            let mut rec = Recording::new();
            let ids = rec.constant_u32([3], vec![2, 0, 7]);
            let out = record(&mut rec, ids, None, table, None).unwrap();
            let want = [&values[30..35], &values[20..25], &values[30..35]].concat();
            assert_eq!(run(&mut executor, &rec, out), want);
        }
    }

    #[test]
    fn refuses_what_does_not_fit() {
        let mut rec = Recording::new();
        let (ids, table) = (rec.scratch([2, 3], Element::U32), rec.f32([7, 4]));
        let mut refuse = |ids, weights, table, add, word| {
            let error = record(&mut rec, ids, weights, table, add).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        };
        refuse(table, None, table, None, "F32");
        refuse(ids, None, ids, None, "U32");
        refuse(ids, Some(table), table, None, "weights must be f32 [2, 3]");
        refuse(ids, None, table, Some(table), "add must be f32 [2, 4]");
    }
}
