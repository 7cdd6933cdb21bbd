//! Writes new rows into a ring: row `i` goes to slot `(past + i) mod capacity`.
//!
//! Bindings: x `[n, width]` f32, past `[1]` u32 (rows written before) → cache `[capacity, width]` f16 or f32, updated. f16 is rounded to the
//! nearest, ties to even. n is at most the capacity.

use half::f16;
use half::slice::HalfFloatSliceExt;

use super::bindings::{Inputs, Outputs};
use super::{Kernel, require};
use crate::error::Result;
use crate::recording::{Buffer, Recording, check};
use crate::shader::{Dispatch, Lowering};
use crate::shape::Element;

/// Records the writing of `x` `[n, width]` into `cache` `[capacity, width]` f16 or f32 behind the `past` `[1]` u32 rows before it.
pub(crate) fn record(rec: &mut Recording, x: Buffer, past: Buffer, cache: Buffer) -> Result<()> {
    require::f32s("cache_write", &[("x", x)])?;
    require::halves_or_f32s("cache_write", &[("cache", cache)])?;
    require::u32s("cache_write", &[("past", past)])?;
    require::length("cache_write", "past", past, 1)?;
    require::apart("cache_write", ("cache", cache), &[("x", x), ("past", past)])?;
    let capacity = cache.shape.axes()[0];
    check(capacity * x.row() == cache.shape.len() && x.rows() <= capacity, "cache_write", || {
        format!("cache {} must have at least the rows of x {} and their length", cache.shape, x.shape)
    })?;
    rec.push(Kernel::CacheWrite, &[x, past], &[cache]);
    Ok(())
}

pub(crate) fn cpu(inputs: &Inputs<'_>, outputs: Outputs<'_>) {
    let (x, past) = (inputs.f32(0), inputs.u32(1)[0] as usize);
    let width = inputs.buffer(0).row();
    let slot = outputs.one();
    match slot.buffer.element {
        Element::F16 => write(x, past, width, slot.f16(), <[f16]>::convert_from_f32_slice),
        _ => write(x, past, width, slot.f32(), <[f32]>::copy_from_slice),
    }
}

/// Puts rows into the ring, in one piece or around its end.
fn write<T>(x: &[f32], past: usize, width: usize, cache: &mut [T], store: impl Fn(&mut [T], &[f32])) {
    let capacity = cache.len() / width;
    if capacity == 0 {
        return;
    }
    let start = past % capacity * width;
    let until_end = x.len().min(cache.len() - start);
    store(&mut cache[start..start + until_end], &x[..until_end]);
    store(&mut cache[..x.len() - until_end], &x[until_end..]);
}

pub(crate) fn gpu(inputs: &[Buffer], outputs: &[Buffer], low: &mut Lowering<'_>) -> Result<()> {
    let (x, past, cache) = (inputs[0], inputs[1], outputs[0]);
    let (define, per_word) = if cache.element == Element::F16 { ("F16", 2) } else { ("F32", 1) };
    check(x.row().is_multiple_of(per_word) && cache.offset.is_multiple_of(per_word), "cache_write", || {
        format!("the shader writes pairs of f16, and rows of x {} are odd", x.shape)
    })?;
    let words = x.shape.len() / per_word;
    let dispatch = Dispatch::new("cache_write")
        .define(define)
        .read(x)
        .read(past)
        .write(cache)
        .size(words)
        .size(x.row() / per_word)
        .size(cache.shape.axes()[0])
        .size(x.offset)
        .size(past.offset)
        .size(cache.offset / per_word)
        .threads(words, 256, low.target());
    low.push(dispatch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::{executors, random};

    #[test]
    fn rows_go_around_the_ring() {
        let calls = [(1, 0), (1, 6), (3, 5), (7, 9), (2, u32::MAX)];
        for ((n, past), element) in calls.into_iter().flat_map(|c| [(c, Element::F16), (c, Element::F32)]) {
            for mut executor in executors() {
                let cache = executor.memory().allocate([7, 6].into(), element).unwrap();
                executor.memory().write_f32(cache, &[-1.0; 42]).unwrap();
                let x: Vec<f32> = (0..n * 6).map(|i| i as f32).collect();
                let mut rec = Recording::new();
                let (bx, bp) = (rec.constant_f32([n, 6], x.clone()), rec.constant_u32([1], vec![past]));
                record(&mut rec, bx, bp, cache).unwrap();
                executor.run_recording(&rec);
                let mut want = vec![-1.0; 42];
                for (i, row) in x.chunks(6).enumerate() {
                    want[(past as usize + i) % 7 * 6..][..6].copy_from_slice(row);
                }
                assert_eq!(executor.memory().read_f32(cache).unwrap(), want, "{n} rows after {past}");
            }
        }
    }

    #[test]
    fn refuses_more_rows_than_the_ring_has() {
        let mut rec = Recording::new();
        let x = rec.f32([8, 3]);
        let [cache, narrow] = [[7, 3], [9, 2]].map(|shape| rec.scratch(shape, Element::F16));
        let past = rec.scratch([1], Element::U32);
        assert!(record(&mut rec, x, past, cache).unwrap_err().to_string().contains("[7, 3]"));
        assert!(record(&mut rec, x, past, narrow).unwrap_err().to_string().contains("[9, 2]"));
        assert!(record(&mut rec, x, past, past).unwrap_err().to_string().contains("must be F16"));
        assert!(record(&mut rec, x, past, x).unwrap_err().to_string().contains("share memory"));
    }

    #[test]
    fn elements_are_rounded_to_the_nearest_and_ties_to_even() {
        // Between 2048 and 4096 a step is 2; the largest is 65504.
        let mut x = vec![2049.0, 2051.0, 2050.5, -2049.5, 1e-8, 65519.0, 65520.0, f32::NAN, 0.1, -0.0];
        let mut want =
            vec![2048.0, 2052.0, 2050.0, -2050.0, 0.0, 65504.0, f32::INFINITY, f32::NAN, 0.099_975_586, -0.0];
        // All sizes, those below the smallest normal number and ties among them too.
        let tie = |bits: u16| 0.5 * (f16::from_bits(bits).to_f32() + f16::from_bits(bits + 1).to_f32());
        x.extend(random(4000, 1).iter().zip(0..).map(|(v, i)| v * 2f32.powi(i % 44 - 26)));
        x.extend([0, 1, 2, 3, 0x3fe, 0x3ff, 0x400, 0x401, 0x7bfd, 0x7bfe].map(tie));
        want.extend(x[10..].iter().map(|&v| f16::from_f32(v).to_f32()));
        let len = x.len();
        for mut executor in executors() {
            let cache = executor.memory().allocate([1, len].into(), Element::F16).unwrap();
            let mut rec = Recording::new();
            let (bx, bp) = (rec.constant_f32([1, len], x.clone()), rec.constant_u32([1], vec![0]));
            record(&mut rec, bx, bp, cache).unwrap();
            executor.run_recording(&rec);
            let got = executor.memory().read_f32(cache).unwrap();
            for (got, want) in got.iter().zip(&want) {
                let same = got.to_bits() == want.to_bits() || got.is_nan() && want.is_nan();
                assert!(same, "{got}, expected {want}");
            }
        }
    }

    #[test]
    fn the_shader_refuses_odd_rows_of_f16() {
        let [mut cpu, mut gpu] = executors();
        let mut rec = Recording::new();
        let (x, past) = (rec.f32([2, 3]), rec.constant_u32([1], vec![0]));
        let cache = rec.scratch([7, 3], Element::F16);
        record(&mut rec, x, past, cache).unwrap();
        assert!(cpu.prepare(rec.clone()).is_ok());
        assert!(gpu.prepare(rec).err().unwrap().to_string().contains("[2, 3] are odd"));
    }
}
