//! What the kernels' tests share: repeatable numbers and a comparison that names the worst place.

use std::io::Write;
use std::sync::{Arc, OnceLock};

use crate::cancel::Cancel;
use crate::executor::Executor;
use crate::executor::cpu::Cpu;
use crate::executor::gpu::{Context, Gpu};
use crate::quant::{BLOCK, Quant};
use crate::recording::{Buffer, Constant, Recording};
use crate::shape::{Bytes, Element, OwnedBytes, Shape};

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

/// What remains of the values, rows of `row`, once they are stored as `element`.
pub(crate) fn stored(element: Element, row: usize, values: &[f32]) -> Vec<f32> {
    let quantised = |quant: Quant| {
        let part = encode(quant, row, values);
        let blocks = row.div_ceil(BLOCK);
        let (quants, scales) = part.as_ref().split_at(values.len() / row * blocks * quant.quant_bytes());
        let rows = quants.chunks(blocks * quant.quant_bytes());
        let scales: &[u16] = bytemuck::cast_slice(scales);
        let mut back = vec![0.0; values.len()];
        for ((back, quants), scales) in
            back.chunks_mut(row).zip(rows).zip(scales.chunks(blocks * quant.scales()))
        {
            quant.decode(quants, scales, back);
        }
        back
    };
    match element {
        Element::F16 => values.iter().map(|&v| half::f16::from_f32(v).to_f32()).collect(),
        Element::Bf16 => values.iter().map(|&v| half::bf16::from_f32(v).to_f32()).collect(),
        Element::F32 | Element::U32 => values.to_vec(),
        Element::Q8_0 => quantised(Quant::Q8_0),
        Element::Q4 => quantised(Quant::Q4),
    }
}

/// Both executors; the graphics processor may be a program of the processor, and leaves its matrix cores aside: what it gives is
/// exact. Without an adapter there is no test: the machine must get a driver.
pub(crate) fn executors() -> [Executor; 2] {
    static CONTEXT: OnceLock<Arc<Context>> = OnceLock::new();
    let context = CONTEXT.get_or_init(|| Arc::new(open().without_matrix_cores()));
    [Executor::Cpu(Cpu::new(2).unwrap()), Executor::Gpu(Box::new(Gpu::guarded(context.clone())))]
}

/// Both executors as they keep to f32 where weights are quantised.
pub(crate) fn without_int8() -> [Executor; 2] {
    static CONTEXT: OnceLock<Arc<Context>> = OnceLock::new();
    let context = CONTEXT.get_or_init(|| Arc::new(open().without_matrix_cores().without_int8()));
    let cpu = Cpu::new(2).unwrap().without_int8();
    [Executor::Cpu(cpu), Executor::Gpu(Box::new(Gpu::guarded(context.clone())))]
}

/// The graphics processor with its matrix cores. Where the driver offers none, says that `test` is skipped.
pub(crate) fn on_matrix_cores(test: &str) -> Option<Executor> {
    static CONTEXT: OnceLock<Arc<Context>> = OnceLock::new();
    let context = CONTEXT.get_or_init(|| Arc::new(open()));
    if context.target().coop.is_none() {
        // Not by `eprintln`, which the test runner holds back.
        writeln!(std::io::stderr(), "skipped: {test}: {} has no matrix cores", context.description())
            .unwrap();
        return None;
    }
    Some(Executor::Gpu(Box::new(Gpu::guarded(context.clone()))))
}

fn open() -> Context {
    Context::open(true, None).expect("a Vulkan driver, such as Mesa's lavapipe")
}

/// Asserts that the mean squared error is at most `bound` times the mean square of `want`.
pub(crate) fn assert_nmse(got: &[f32], want: &[f32], bound: f64) {
    assert_eq!(got.len(), want.len(), "lengths");
    let squares = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>();
    let error = squares(&mut got.iter().zip(want).map(|(&g, &w)| f64::from(g) - f64::from(w)));
    let power = squares(&mut want.iter().map(|&w| f64::from(w)));
    assert!(error <= bound * power, "normalised mean squared error {:e}, allowed {bound:e}", error / power);
}

/// Places values as a weight of the given type, in one part.
pub(crate) fn upload(
    executor: &mut Executor,
    shape: impl Into<Shape>,
    element: Element,
    values: &[f32],
) -> Buffer {
    let shape = shape.into();
    executor.memory().upload(shape, element, vec![part(element, shape.row(), values)]).unwrap()
}

/// One part of a weight with rows of `row`.
pub(crate) fn part(element: Element, row: usize, values: &[f32]) -> Bytes {
    let bytes = match element {
        Element::F16 => {
            let bits: Vec<u16> = values.iter().map(|&v| half::f16::from_f32(v).to_bits()).collect();
            OwnedBytes::from(bytemuck::cast_slice(&bits))
        }
        Element::Bf16 => {
            let bits: Vec<u16> = values.iter().map(|&v| half::bf16::from_f32(v).to_bits()).collect();
            OwnedBytes::from(bytemuck::cast_slice(&bits))
        }
        Element::F32 | Element::U32 => OwnedBytes::from(bytemuck::cast_slice(values)),
        Element::Q8_0 => encode(Quant::Q8_0, row, values),
        Element::Q4 => encode(Quant::Q4, row, values),
    };
    Arc::new(bytes)
}

fn encode(quant: Quant, row: usize, values: &[f32]) -> OwnedBytes {
    let mut part = OwnedBytes::zeros(quant.bytes(values.len() / row, row));
    quant.encode(row, part.as_mut(), |i, to| to.copy_from_slice(&values[i * row..][..row]));
    part
}

/// Runs a recording that reads weights placed in `executor` and returns the contents of `out`.
pub(crate) fn run(executor: &mut Executor, recording: &Recording, out: Buffer) -> Vec<f32> {
    let mut recording = recording.clone();
    recording.taps.push((recording.commands.len(), "out".into(), out));
    executor.run_recording(&recording);
    match executor.take_taps().remove("out") {
        Some((_, Constant::F32(values))) => values,
        Some((_, Constant::U32(values))) => values.into_iter().map(|v| v as f32).collect(),
        None => unreachable!("it was tapped"),
    }
}

impl Executor {
    /// The processor, with two threads.
    pub(crate) fn processor() -> Executor {
        Executor::Cpu(Cpu::new(2).unwrap())
    }

    /// Runs a recording whose results are resident or tapped.
    pub(crate) fn run_recording(&mut self, recording: &Recording) {
        let mut program = self.prepare(recording.clone()).unwrap();
        self.run(&mut program, &Cancel::new()).unwrap();
    }

    /// Runs a recording on the processor and returns the contents of `out`.
    pub(crate) fn run_once(recording: &Recording, out: Buffer) -> Vec<f32> {
        run(&mut Executor::processor(), recording, out)
    }
}
