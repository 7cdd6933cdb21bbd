//! What stands between a decoder's projections and its attention: each head of queries and keys is normalised and turned by its
//! position, and keys and values join the cache.
//!
//! Bindings: q `[n, heads·d]`, k and v `[n, kv_heads·d]`, table `[n, d]` (cosines, then sines) f32, past `[1]` u32, then, if
//! given, the norms of q and k `[d]` f32 → q turned `[n, heads·d]` f32; keys and values, rings `[capacity, kv_heads·d]` f16 or
//! f32, updated. Arithmetic and tolerance of [`super::rms_norm`] and [`super::rope`]; row i goes to slot `(past + i) mod
//! capacity`, f16 rounded to the nearest, ties to even.

use half::f16;
use half::slice::HalfFloatSliceExt;

use super::bindings::{Inputs, Outputs, Slot, Storage};
use super::rms_norm::{Norm, check_norm, normalised};
use super::{Kernel, require, rope};
use crate::error::Result;
use crate::recording::{Buffer, Recording, check};
use crate::shader::{Dispatch, Lowering};
use crate::shape::Element;

#[derive(Clone, Debug)]
pub(crate) struct Params {
    pub(crate) head_dim: usize,
    /// Epsilon of the norms of queries and keys.
    pub(crate) eps: Option<f32>,
}

/// The new rows of one layer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows {
    /// `[n, heads·d]`
    pub(crate) q: Buffer,
    /// `[n, kv_heads·d]`
    pub(crate) k: Buffer,
    /// `[n, kv_heads·d]`
    pub(crate) v: Buffer,
}

/// Where they go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cache {
    /// `[capacity, kv_heads·d]`
    pub(crate) keys: Buffer,
    /// `[capacity, kv_heads·d]`
    pub(crate) values: Buffer,
    /// Rows written before, u32 `[1]`.
    pub(crate) past: Buffer,
}

/// Records the turn of `rows` by `table` `[n, d]`, normalised by `norms` first, and their way into `cache`. Returns the queries.
///
/// # Errors
/// `Error::Shape` when element types or shapes do not fit.
pub(crate) fn record(
    rec: &mut Recording,
    rows: Rows,
    norms: Option<(Norm, Norm)>,
    table: Buffer,
    cache: Cache,
) -> Result<Buffer> {
    const NAME: &str = "rotate";
    let (Rows { q, k, v }, Cache { keys, values, past }) = (rows, cache);
    let (n, head_dim) = (q.rows(), table.row());
    require::f32s(NAME, &[("q", q), ("k", k), ("v", v), ("table", table)])?;
    require::halves_or_f32s(NAME, &[("keys", keys), ("values", values)])?;
    require::u32s(NAME, &[("past", past)])?;
    require::length(NAME, "past", past, 1)?;
    require::same(NAME, ("k", k), ("v", v))?;
    require::same(NAME, ("keys", keys), ("values", values))?;
    let whole = |b: Buffer| b.row().is_multiple_of(head_dim);
    check(head_dim.is_multiple_of(2) && whole(q) && whole(k), NAME, || {
        format!("q {} and k {} must have whole heads of table {}, in pairs", q.shape, k.shape, table.shape)
    })?;
    check(k.rows() == n && table.rows() == n && keys.rows() >= n && keys.row() == k.row(), NAME, || {
        format!("q {}, k {}, table {} and the cache {} do not fit", q.shape, k.shape, table.shape, keys.shape)
    })?;
    let head = Buffer { shape: [1, head_dim].into(), ..q };
    let eps = match norms {
        Some((of_q, of_k)) => {
            check_norm(NAME, Some(of_q), head)?;
            check_norm(NAME, Some(of_k), head)?;
            check(of_q.eps == of_k.eps, NAME, || "queries and keys must have one epsilon".into())?;
            Some(of_q.eps)
        }
        None => None,
    };
    for (name, updated) in [("keys", keys), ("values", values)] {
        require::apart(
            NAME,
            (name, updated),
            &[("q", q), ("k", k), ("v", v), ("table", table), ("past", past)],
        )?;
    }
    let inputs: Vec<Buffer> = [q, k, v, table, past]
        .into_iter()
        .chain(norms.into_iter().flat_map(|(of_q, of_k)| [of_q.weight, of_k.weight]))
        .collect();
    let out = rec.f32(q.shape);
    rec.push(Kernel::Rotate(Params { head_dim, eps }), &inputs, &[out, keys, values]);
    Ok(out)
}

pub(crate) fn cpu(p: &Params, inputs: &Inputs<'_>, outputs: Outputs<'_>) {
    let [out, keys, values] = outputs.all();
    let (table, past) = (inputs.slots[3], inputs.slots[4]);
    let turn = |i: usize, slot: Slot<'_>| {
        let normed = p.eps.map(|eps| normalised(inputs.f32(i), inputs.f32(5 + i), eps));
        rope::cpu(&Inputs::new(vec![inputs.or(i, &normed), table]), Outputs { slots: vec![slot] });
    };
    let past = Inputs::new(vec![past]).u32(0)[0] as usize;
    turn(0, out);
    let turned = Buffer { offset: 0, ..inputs.buffer(1) };
    let mut k = Storage::F32(vec![0.0; turned.shape.len()]);
    turn(1, Slot { buffer: turned, storage: &mut k });
    join(Inputs::new(vec![(turned, &k)]).f32(0), turned.row(), past, keys);
    join(inputs.f32(2), turned.row(), past, values);
}

/// Puts `rows` into the ring behind the `past` rows before them, in one piece or around its end.
fn join(rows: &[f32], width: usize, past: usize, ring: Slot<'_>) {
    match ring.buffer.element {
        Element::F16 => put(rows, width, past, ring.f16(), <[f16]>::convert_from_f32_slice),
        _ => put(rows, width, past, ring.f32(), <[f32]>::copy_from_slice),
    }
}

fn put<T>(rows: &[f32], width: usize, past: usize, ring: &mut [T], store: impl Fn(&mut [T], &[f32])) {
    let capacity = ring.len() / width;
    if capacity == 0 {
        return;
    }
    let start = past % capacity * width;
    let until_end = rows.len().min(ring.len() - start);
    store(&mut ring[start..start + until_end], &rows[..until_end]);
    store(&mut ring[..rows.len() - until_end], &rows[until_end..]);
}

pub(crate) fn gpu(p: &Params, inputs: &[Buffer], outputs: &[Buffer], low: &mut Lowering<'_>) -> Result<()> {
    let ([q, k, v, table, past], [out, keys, values]) = (&inputs[..5], outputs) else {
        unreachable!("record() bound five inputs at least, and three outputs")
    };
    // What is not there is not read.
    let (of_q, of_k) = if p.eps.is_some() { (inputs[5], inputs[6]) } else { (*table, *table) };
    let [heads, kv_heads] = [q, k].map(|rows| rows.row() / p.head_dim);
    let dispatch = Dispatch::new("rotate")
        .define(if keys.element == Element::F16 { "F16" } else { "F32" })
        .define(low.target().subgroup_define())
        .constant("DIM", p.head_dim as u32)
        .constant("NORM", p.eps.is_some().into())
        .read(*q)
        .read(*k)
        .read(*v)
        .read(*table)
        .read(*past)
        .read(of_q)
        .read(of_k)
        .write(*out)
        .write(*keys)
        .write(*values)
        .size(q.rows())
        .size(heads)
        .size(kv_heads)
        .size(keys.rows())
        .float(p.eps.unwrap_or_default())
        .size(q.offset)
        .size(k.offset)
        .size(v.offset)
        .size(table.offset)
        .size(past.offset)
        .size(of_q.offset)
        .size(of_k.offset)
        .size(out.offset)
        .size(keys.offset)
        .size(values.offset)
        .groups(q.rows() * (heads + 2 * kv_heads), low.target());
    low.push(dispatch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::{assert_close, executors, random, run};

    /// Plain loops in f64: each head normalised where there is a norm, then each pair `(j, j + d / 2)` turned.
    fn turned(x: &[f32], norm: Option<&[f32]>, table: &[f32], heads: usize, d: usize) -> Vec<f32> {
        let mut out = vec![0.0; x.len()];
        for (at, (x, out)) in x.chunks(d).zip(out.chunks_mut(d)).enumerate() {
            let mean = x.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / d as f64;
            let scale = norm.map_or(1.0, |_| 1.0 / (mean + 1e-6).sqrt());
            let y = |i: usize| f64::from(x[i]) * scale * norm.map_or(1.0, |n| f64::from(n[i]));
            let (cos, sin) = table[at / heads * d..][..d].split_at(d / 2);
            for j in 0..d / 2 {
                let (cos, sin) = (f64::from(cos[j]), f64::from(sin[j]));
                out[j] = (y(j) * cos - y(j + d / 2) * sin) as f32;
                out[j + d / 2] = (y(j + d / 2) * cos + y(j) * sin) as f32;
            }
        }
        out
    }

    /// What is lost in half precision: half a unit of its eleven bits.
    const HALF: f32 = 1.0 / 2048.0;

    #[test]
    fn queries_are_turned_and_keys_and_values_join_the_ring() {
        let capacity = 11;
        for mut executor in executors() {
            for (n, heads, kv_heads, d, past) in
                [(1, 4, 2, 8, 0), (3, 2, 1, 6, 9), (5, 3, 3, 4, 20), (1, 32, 4, 128, 10)]
            {
                for (normed, element) in [(true, Element::F16), (false, Element::F16), (true, Element::F32)] {
                    let memory = executor.memory();
                    let [keys, values] =
                        [(); 2].map(|()| memory.allocate([capacity, kv_heads * d].into(), element).unwrap());
                    let counter = memory.allocate([1].into(), Element::U32).unwrap();
                    memory.write_u32(counter, &[past]).unwrap();
                    let [q, k, v] = [heads, kv_heads, kv_heads].map(|h| random(n * h * d, h as u64 + 1));
                    let [table, of_q, of_k] = [n * d, d, d].map(|len| random(len, len as u64 + 7));
                    let mut rec = Recording::new();
                    let rows = Rows {
                        q: rec.constant_f32([n, heads * d], q.clone()),
                        k: rec.constant_f32([n, kv_heads * d], k.clone()),
                        v: rec.constant_f32([n, kv_heads * d], v.clone()),
                    };
                    let bound = rec.constant_f32([n, d], table.clone());
                    let mut norm = |w: &[f32]| Norm { weight: rec.constant_f32([d], w.to_vec()), eps: 1e-6 };
                    let norms = normed.then_some((norm(&of_q), norm(&of_k)));
                    let cache = Cache { keys, values, past: counter };
                    let out = record(&mut rec, rows, norms, bound, cache).unwrap();
                    let got = run(&mut executor, &rec, out);
                    let norm = |w| normed.then_some(w);
                    assert_close(&got, &turned(&q, norm(&of_q[..]), &table, heads, d), 1e-5);
                    let want = turned(&k, norm(&of_k[..]), &table, kv_heads, d);
                    let (keys, values) = (
                        executor.memory().read_f32(keys).unwrap(),
                        executor.memory().read_f32(values).unwrap(),
                    );
                    for row in 0..n {
                        let (slot, width) = ((past as usize + row) % capacity, kv_heads * d);
                        assert_close(&keys[slot * width..][..width], &want[row * width..][..width], HALF);
                        assert_close(&values[slot * width..][..width], &v[row * width..][..width], HALF);
                    }
                }
            }
        }
    }

    #[test]
    fn refuses_what_does_not_fit() {
        let mut rec = Recording::new();
        let (q, k, narrow) = (rec.f32([2, 8]), rec.f32([2, 4]), rec.f32([2, 6]));
        let table = rec.f32([2, 4]);
        let [keys, values] = [(); 2].map(|()| rec.scratch([5, 4], Element::F16));
        let small = rec.scratch([1, 4], Element::F16);
        let past = rec.scratch([1], Element::U32);
        let mut refuse = |rows: Rows, cache: Cache, word| {
            let error = record(&mut rec, rows, None, table, cache).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        };
        let (rows, cache) = (Rows { q, k, v: k }, Cache { keys, values, past });
        refuse(Rows { q: narrow, ..rows }, cache, "whole heads");
        refuse(Rows { v: q, ..rows }, cache, "same shape");
        refuse(rows, Cache { keys: small, values: small, past }, "do not fit");
        refuse(rows, Cache { past: keys, ..cache }, "past must be U32");
    }
}
