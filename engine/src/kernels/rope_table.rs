//! Cosines and sines of the rotary position embedding, for positions of one or several axes.
//!
//! `angle_j = positions[axis[j]][n] · inv_freq[j]`, the product in f32, cosine and sine in f64; on a graphics processor in f32,
//! for angles below 2^17.
//!
//! Bindings: positions `[axes, n]` f32, inv_freq `[half]` f32, axis `[half]` u32 → out `[n, 2·half]` f32, the cosines of a
//! row before its sines. An axis beyond the last counts as the last. Tolerance 1e-7, and 2e-7 on a graphics processor.

use super::bindings::{Inputs, Outputs};
use super::{Kernel, require, threads};
use crate::error::Result;
use crate::recording::{Buffer, Recording, check};
use crate::shader::{Dispatch, Lowering};

/// Records the table `[n, 2·half]` for `positions` `[axes, n]`, `inv_freq` `[half]` and `axis` `[half]` u32.
pub(crate) fn record(
    rec: &mut Recording,
    positions: Buffer,
    inv_freq: Buffer,
    axis: Buffer,
) -> Result<Buffer> {
    require::f32s("rope_table", &[("positions", positions), ("inv_freq", inv_freq)])?;
    require::u32s("rope_table", &[("axis", axis)])?;
    let half = inv_freq.shape.len();
    require::length("rope_table", "axis", axis, half)?;
    check(positions.rows() > 0, "rope_table", || format!("positions {} have no axis", positions.shape))?;
    let out = rec.f32([positions.row(), 2 * half]);
    rec.push(Kernel::RopeTable, &[positions, inv_freq, axis], &[out]);
    Ok(out)
}

pub(crate) fn cpu(inputs: &Inputs<'_>, outputs: Outputs<'_>) {
    let (positions, inv_freq, axis) = (inputs.f32(0), inputs.f32(1), inputs.u32(2));
    let (n, axes, half) = (inputs.buffer(0).row(), inputs.buffer(0).rows(), inv_freq.len());
    threads::rows(outputs.one().f32(), 2 * half, 40 * half, |first, out| {
        for (i, row) in out.chunks_exact_mut(2 * half).enumerate() {
            let (cosines, sines) = row.split_at_mut(half);
            for j in 0..half {
                let axis = (axis[j] as usize).min(axes - 1);
                let angle = f64::from(positions[axis * n + first + i] * inv_freq[j]);
                let (sine, cosine) = angle.sin_cos();
                cosines[j] = cosine as f32;
                sines[j] = sine as f32;
            }
        }
    });
}

pub(crate) fn gpu(inputs: &[Buffer], outputs: &[Buffer], low: &mut Lowering<'_>) -> Result<()> {
    let ([positions, inv_freq, axis], out) = ([inputs[0], inputs[1], inputs[2]], outputs[0]);
    let (n, half) = (positions.row(), inv_freq.shape.len());
    let dispatch = Dispatch::new("rope_table")
        .read(positions)
        .read(inv_freq)
        .read(axis)
        .write(out)
        .size(n)
        .size(positions.rows())
        .size(half)
        .size(positions.offset)
        .size(inv_freq.offset)
        .size(axis.offset)
        .size(out.offset)
        .threads(n * half, 64, low.target());
    low.push(dispatch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::Executor;
    use crate::kernels::testing::{executors, random, run};
    use crate::shape::Element;

    #[test]
    fn takes_each_frequency_at_the_position_of_its_axis() {
        for (n, half) in [(1, 1), (5, 3), (200, 64)] {
            let positions: Vec<f32> = random(3 * n, 1).into_iter().map(|v| (v * 9000.0).abs()).collect();
            let inv_freq: Vec<f32> = (0..half).map(|j| 1e6f32.powf(-(j as f32) / half as f32)).collect();
            let axis: Vec<u32> = (0..half as u32).map(|j| j % 4).collect(); // 3 is one too far
            let mut rec = Recording::new();
            let (bp, bi) =
                (rec.constant_f32([3, n], positions.clone()), rec.constant_f32([half], inv_freq.clone()));
            let ba = rec.constant_u32([half], axis.clone());
            let out = record(&mut rec, bp, bi, ba).unwrap();
            for mut executor in executors() {
                let tolerance = if matches!(executor, Executor::Cpu(_)) { 1e-7 } else { 2e-7 };
                let got = run(&mut executor, &rec, out);
                for i in 0..n {
                    for j in 0..half {
                        let angle = f64::from(positions[axis[j].min(2) as usize * n + i] * inv_freq[j]);
                        let (at, want) = (i * 2 * half + j, [angle.cos(), angle.sin()]);
                        for (got, want) in [got[at], got[at + half]].into_iter().zip(want) {
                            assert!(
                                (f64::from(got) - want).abs() <= tolerance,
                                "{got}, want {want} of {angle}"
                            );
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn large_and_negative_angles_keep_their_precision() {
        let mut positions = random(5000, 2);
        for (v, scale) in positions.iter_mut().zip([1.0, 40.0, 1e3, 1e4, 3e4].into_iter().cycle()) {
            *v *= scale;
        }
        // Near multiples of a quarter turn, where most digits cancel.
        positions
            .extend((0..80_000).step_by(97).map(|k| (f64::from(k) * std::f64::consts::FRAC_PI_2) as f32));
        positions.extend([0.0, -0.0, 1e-30, 131_071.0, -131_071.0]);
        let n = positions.len();
        let mut rec = Recording::new();
        let bp = rec.constant_f32([1, n], positions.clone());
        let (bi, ba) = (rec.constant_f32([1], vec![1.0]), rec.constant_u32([1], vec![0]));
        let out = record(&mut rec, bp, bi, ba).unwrap();
        for mut executor in executors() {
            let tolerance = if matches!(executor, Executor::Cpu(_)) { 1e-7 } else { 2e-7 };
            for (got, angle) in run(&mut executor, &rec, out).chunks(2).zip(&positions) {
                let (sine, cosine) = f64::from(*angle).sin_cos();
                for (got, want) in got.iter().zip([cosine, sine]) {
                    assert!((f64::from(*got) - want).abs() <= tolerance, "{got}, want {want} of {angle}");
                }
            }
        }
    }

    #[test]
    fn refuses_axes_that_do_not_match_the_frequencies() {
        let mut rec = Recording::new();
        let (positions, inv_freq) = (rec.f32([1, 4]), rec.f32([8]));
        let axis = rec.scratch([4], Element::U32);
        assert!(
            record(&mut rec, positions, inv_freq, axis).unwrap_err().to_string().contains("axis must have 8")
        );
        assert!(record(&mut rec, positions, inv_freq, inv_freq).unwrap_err().to_string().contains("U32"));
    }
}
