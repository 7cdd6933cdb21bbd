//! Writes new rows into a ring: row `i` goes to slot `(past + i) mod capacity`.
//!
//! Bindings: x `[n, width]` f32, past `[1]` u32 (rows written before) → cache `[capacity, width]` f32 or f16, updated. Half
//! precision takes the nearest, ties to even. n is at most the capacity.

use half::slice::HalfFloatSliceExt;

use super::bindings::{Inputs, Outputs};
use super::{Kernel, require};
use crate::error::Result;
use crate::recording::{Buffer, Recording, check};
use crate::shape::Element;

/// Records the writing of `x` `[n, width]` into `cache` `[capacity, width]` behind the `past` `[1]` u32 rows before it.
pub(crate) fn record(rec: &mut Recording, x: Buffer, past: Buffer, cache: Buffer) -> Result<()> {
    require::f32s("cache_write", &[("x", x)])?;
    require::floats("cache_write", &[("cache", cache)])?;
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
    let cache = outputs.one();
    match cache.buffer.element {
        Element::F16 => write(x, past, width, cache.f16(), |to, from| to.convert_from_f32_slice(from)),
        _ => write(x, past, width, cache.f32(), |to, from| to.copy_from_slice(from)),
    }
}

fn write<T>(x: &[f32], past: usize, width: usize, cache: &mut [T], put: impl Fn(&mut [T], &[f32])) {
    let capacity = cache.len() / width;
    if capacity == 0 {
        return;
    }
    let start = past % capacity * width;
    let until_end = x.len().min(cache.len() - start);
    put(&mut cache[start..start + until_end], &x[..until_end]);
    put(&mut cache[..x.len() - until_end], &x[until_end..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::Executor;

    #[test]
    fn rows_go_around_the_ring() {
        let cases = [(1, 0), (1, 6), (3, 5), (7, 9), (2, u32::MAX)];
        for ((n, past), element) in cases.into_iter().flat_map(|c| [(c, Element::F32), (c, Element::F16)]) {
            let mut cpu = Executor::processor();
            let cache = cpu.memory().allocate([7, 3].into(), element).unwrap();
            cpu.memory().write_f32(cache, &[-1.0; 21]).unwrap();
            let x: Vec<f32> = (0..n * 3).map(|i| i as f32).collect();
            let mut rec = Recording::new();
            let (bx, bp) = (rec.constant_f32([n, 3], x.clone()), rec.constant_u32([1], vec![past]));
            record(&mut rec, bx, bp, cache).unwrap();
            cpu.run_recording(&rec);
            let mut want = vec![-1.0; 21];
            for (i, row) in x.chunks(3).enumerate() {
                want[(past as usize + i) % 7 * 3..][..3].copy_from_slice(row);
            }
            assert_eq!(cpu.memory().read_f32(cache).unwrap(), want, "{n} rows after {past}");
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
        assert!(record(&mut rec, x, past, x).unwrap_err().to_string().contains("share memory"));
    }

    #[test]
    fn elements_are_rounded_to_the_nearest_and_ties_to_even() {
        // Between 2048 and 4096 a step is 2; the largest is 65504.
        let x = [2049.0, 2051.0, 2050.5, -2049.5, 1e-8, 65519.0, 65520.0, f32::NAN, 0.1];
        let want = [2048.0, 2052.0, 2050.0, -2050.0, 0.0, 65504.0, f32::INFINITY, f32::NAN, 0.099_975_586];
        let mut cpu = Executor::processor();
        let cache = cpu.memory().allocate([1, 9].into(), Element::F16).unwrap();
        let mut rec = Recording::new();
        let (bx, bp) = (rec.constant_f32([1, 9], x.to_vec()), rec.constant_u32([1], vec![0]));
        record(&mut rec, bx, bp, cache).unwrap();
        cpu.run_recording(&rec);
        let got = cpu.memory().read_f32(cache).unwrap();
        for (got, want) in got.iter().zip(want) {
            assert!(*got == want || got.is_nan() && want.is_nan(), "{got}, expected {want}");
        }
    }
}
