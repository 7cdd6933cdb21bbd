//! Places weights in an executor's memory, asked for by name and shape; or random ones of the same shapes, for measuring.

use std::sync::Arc;

use super::{DType, Scope, Tensor};
use crate::error::Result;
use crate::kernels::bindings::Bytes;
use crate::memory::Memory;
use crate::recording::Buffer;
use crate::shape::{Element, Shape};

/// Where weights come from.
#[derive(Clone)]
enum Source<'a> {
    Checkpoint(Scope<'a>),
    /// BF16 noise; no file.
    Random,
}

/// A place in the checkpoint's names, and the memory that its weights go to.
pub(crate) struct Loader<'a> {
    source: Source<'a>,
    memory: &'a mut dyn Memory,
}

impl<'a> Loader<'a> {
    /// Loads from the names below `scope`.
    pub(crate) fn new(scope: Scope<'a>, memory: &'a mut dyn Memory) -> Loader<'a> {
        Loader { source: Source::Checkpoint(scope), memory }
    }

    /// Makes random BF16 weights of every shape asked for.
    pub(crate) fn random(memory: &'a mut dyn Memory) -> Loader<'a> {
        Loader { source: Source::Random, memory }
    }

    /// The names one step further down.
    pub(crate) fn at(&mut self, name: &str) -> Loader<'_> {
        let source = match &self.source {
            Source::Checkpoint(scope) => Source::Checkpoint(scope.scope(name)),
            Source::Random => Source::Random,
        };
        Loader { source, memory: self.memory }
    }

    /// The memory, for states and tables.
    pub(crate) fn memory(&mut self) -> &mut dyn Memory {
        self.memory
    }

    /// A matrix `[out, in]` in the type it is stored in.
    pub(crate) fn matrix(&mut self, name: &str, shape: [usize; 2]) -> Result<Buffer> {
        self.matrix_of(name, &shape, shape)
    }

    /// A matrix that is stored with more axes, as convolutions are.
    pub(crate) fn matrix_of(&mut self, name: &str, stored: &[usize], shape: [usize; 2]) -> Result<Buffer> {
        match &self.source {
            Source::Checkpoint(scope) => {
                let tensor = scope.get(name, stored)?;
                self.memory.upload(shape.into(), tensor.dtype.into(), tensor.into_parts())
            }
            Source::Random => {
                self.memory.upload(shape.into(), Element::Bf16, vec![noise(shape.iter().product())])
            }
        }
    }

    /// `count` matrices as one `[count, out, in]`.
    pub(crate) fn stack(
        &mut self,
        count: usize,
        name: impl Fn(usize) -> String,
        [out, input]: [usize; 2],
    ) -> Result<Buffer> {
        let shape = Shape::from([count, out, input]);
        match &self.source {
            Source::Checkpoint(scope) => {
                let tensor = scope.stack(count, name, &[out, input])?;
                self.memory.upload(shape, tensor.dtype.into(), tensor.into_parts())
            }
            Source::Random => {
                self.memory.upload(shape, Element::Bf16, (0..count).map(|_| noise(out * input)).collect())
            }
        }
    }

    /// A small vector `[len]`, as f32.
    pub(crate) fn vector(&mut self, name: &str, len: usize) -> Result<Buffer> {
        self.vector_of(name, &[len])
    }

    /// A small tensor of any axes, as f32 `[len]`.
    pub(crate) fn vector_of(&mut self, name: &str, stored: &[usize]) -> Result<Buffer> {
        self.vector_repeated_of(name, stored, 1)
    }

    /// A small vector `[len]`, as f32 `[times · len]`: itself so many times.
    pub(crate) fn vector_repeated(&mut self, name: &str, len: usize, times: usize) -> Result<Buffer> {
        self.vector_repeated_of(name, &[len], times)
    }

    fn vector_repeated_of(&mut self, name: &str, stored: &[usize], times: usize) -> Result<Buffer> {
        let values = self.tensor(name, stored)?.to_f32().repeat(times);
        let buffer = self.memory.allocate([values.len()].into(), Element::F32)?;
        self.memory.write_f32(buffer, &values)?;
        Ok(buffer)
    }

    /// A transposed convolution's weight, stored `[in, out, taps]`, as a matrix `[taps · out, in]` of the same type.
    pub(crate) fn transposed(&mut self, name: &str, [input, out, taps]: [usize; 3]) -> Result<Buffer> {
        let stored = self.tensor(name, &[input, out, taps])?;
        let values = stored.to_f32();
        let mut turned = Vec::with_capacity(values.len());
        for (tap, o) in (0..taps).flat_map(|tap| (0..out).map(move |o| (tap, o))) {
            turned.extend((0..input).map(|i| values[(i * out + o) * taps + tap]));
        }
        let shape = [taps * out, input];
        let turned = match stored.dtype {
            DType::Bf16 => {
                Tensor::from_bf16(name, &shape, turned.into_iter().map(half::bf16::from_f32).collect())?
            }
            DType::F16 | DType::F32 => Tensor::from_f32(name, &shape, turned)?,
        };
        self.memory.upload(shape.into(), turned.dtype.into(), turned.into_parts())
    }

    fn tensor(&self, name: &str, stored: &[usize]) -> Result<Tensor> {
        match &self.source {
            Source::Checkpoint(scope) => scope.get(name, stored),
            Source::Random => {
                let values = (0..stored.iter().product()).map(|i: usize| 1.0 / (1 + i % 7) as f32).collect();
                Tensor::from_f32(name, stored, values)
            }
        }
    }
}

impl From<DType> for Element {
    fn from(dtype: DType) -> Element {
        match dtype {
            DType::F32 => Element::F32,
            DType::F16 => Element::F16,
            DType::Bf16 => Element::Bf16,
        }
    }
}

struct Noise(Vec<u32>);

impl AsRef<[u8]> for Noise {
    fn as_ref(&self) -> &[u8] {
        bytemuck::cast_slice(&self.0)
    }
}

/// `n` BF16 values between -1/16 and 1/16 that look random enough to keep activations finite.
fn noise(n: usize) -> Bytes {
    let mut state = 0x2545_f491u32 ^ n as u32;
    let mut value = move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        // Sign and mantissa from the generator, exponents of 2^-5 to 2^-8.
        (state & 0x807f) | ((122 - (state >> 20 & 3)) << 7)
    };
    Arc::new(Noise((0..n.div_ceil(2)).map(|_| value() | value() << 16).collect()))
}
