//! What the kernels' tests share: repeatable numbers and a comparison that names the worst place.

use std::sync::Arc;

use crate::cancel::Cancel;
use crate::executor::cpu::Cpu;
use crate::memory::Memory;
use crate::recording::{Buffer, Constant, Recording};
use crate::shape::Bytes;
use crate::shape::{Element, Shape};

/// `n` repeatable values, roughly normal, mean 0 and deviation 1.
pub(crate) fn random(n: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut uniform = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 24) as f32
    };
    (0..n).map(|_| (0..12).map(|_| uniform()).sum::<f32>() - 6.0).collect()
}

/// Asserts `max|got - want| <= tolerance * max|want|`.
pub(crate) fn assert_close(got: &[f32], want: &[f32], tolerance: f32) {
    assert_eq!(got.len(), want.len(), "lengths");
    let scale = want.iter().fold(1e-6f32, |m, v| m.max(v.abs()));
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        assert!((g - w).abs() <= tolerance * scale, "at {i}: got {g}, want {w}, scale {scale}");
    }
}

/// What remains of the values once they are stored as `element`.
pub(crate) fn stored(element: Element, values: &[f32]) -> Vec<f32> {
    match element {
        Element::F16 => values.iter().map(|&v| half::f16::from_f32(v).to_f32()).collect(),
        Element::Bf16 => values.iter().map(|&v| half::bf16::from_f32(v).to_f32()).collect(),
        Element::F32 | Element::U32 => values.to_vec(),
    }
}

/// Places values as a weight of the given type, in one part.
pub(crate) fn upload(cpu: &mut Cpu, shape: impl Into<Shape>, element: Element, values: &[f32]) -> Buffer {
    cpu.upload(shape.into(), element, vec![part(element, values)]).unwrap()
}

/// One part of a weight.
pub(crate) fn part(element: Element, values: &[f32]) -> Bytes {
    /// Keeps the alignment that a `Vec<u8>` would lose.
    struct Aligned<T>(Vec<T>);
    impl<T: bytemuck::NoUninit> AsRef<[u8]> for Aligned<T> {
        fn as_ref(&self) -> &[u8] {
            bytemuck::cast_slice(&self.0)
        }
    }
    match element {
        Element::F16 => Arc::new(Aligned(values.iter().map(|&v| half::f16::from_f32(v).to_bits()).collect())),
        Element::Bf16 => {
            Arc::new(Aligned(values.iter().map(|&v| half::bf16::from_f32(v).to_bits()).collect()))
        }
        Element::F32 | Element::U32 => Arc::new(Aligned(values.to_vec())),
    }
}

/// Runs a recording that reads weights placed in `cpu` and returns the contents of `out`.
pub(crate) fn run(cpu: &mut Cpu, recording: &Recording, out: Buffer) -> Vec<f32> {
    let mut recording = recording.clone();
    recording.taps.push((recording.commands.len(), "out".into(), out));
    cpu.run(&recording, &Cancel::new()).unwrap();
    match cpu.take_taps().remove("out") {
        Some((_, Constant::F32(values))) => values,
        other => unreachable!("out is f32: {other:?}"),
    }
}
