//! Places weights in an executor's memory, asked for by name and shape; or random ones of the same shapes, for measuring.

use std::sync::{Arc, OnceLock};

use super::{DType, Scope, Tensor};
use crate::error::Result;
use crate::memory::Memory;
use crate::recording::Buffer;
use crate::shape::{Bytes, Element, Shape};

/// Where weights come from.
#[derive(Clone)]
enum Source<'a> {
    Checkpoint(Scope<'a>),
    /// Noise; no file.
    Random(DType),
    /// Shapes and types without contents, for a memory that only counts.
    Outline(DType),
}

/// A place in the checkpoint's names, and the memory that its weights go to.
pub(crate) struct Loader<'a> {
    source: Source<'a>,
    memory: &'a mut dyn Memory,
    cache_element: Element,
}

impl<'a> Loader<'a> {
    /// Loads from the names below `scope`.
    pub(crate) fn new(scope: Scope<'a>, memory: &'a mut dyn Memory) -> Loader<'a> {
        Loader { source: Source::Checkpoint(scope), memory, cache_element: Element::F16 }
    }

    /// Makes random weights of every shape asked for, stored as `dtype`.
    pub(crate) fn random(memory: &'a mut dyn Memory, dtype: DType) -> Loader<'a> {
        Loader { source: Source::Random(dtype), memory, cache_element: Element::F16 }
    }

    /// Asks `memory` for room as [`Loader::random`] does, but gives it no contents: nothing can be run with them.
    pub(crate) fn outline(memory: &'a mut dyn Memory, dtype: DType) -> Loader<'a> {
        Loader { source: Source::Outline(dtype), memory, cache_element: Element::F16 }
    }

    /// Has caches hold keys and values in f32, where `exact`; they take f16 otherwise.
    pub(crate) fn with_exact_caches(self, exact: bool) -> Loader<'a> {
        Loader { cache_element: if exact { Element::F32 } else { Element::F16 }, ..self }
    }

    /// What caches hold keys and values in.
    pub(crate) fn cache_element(&self) -> Element {
        self.cache_element
    }

    /// The names one step further down.
    pub(crate) fn at(&mut self, name: &str) -> Loader<'_> {
        let source = match &self.source {
            Source::Checkpoint(scope) => Source::Checkpoint(scope.scope(name)),
            Source::Random(dtype) => Source::Random(*dtype),
            Source::Outline(dtype) => Source::Outline(*dtype),
        };
        Loader { source, memory: self.memory, cache_element: self.cache_element }
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
            Source::Random(dtype) => {
                let parts = vec![noise(shape.iter().product(), *dtype)];
                self.memory.upload(shape.into(), (*dtype).into(), parts)
            }
            Source::Outline(dtype) => self.memory.upload(shape.into(), (*dtype).into(), Vec::new()),
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
            Source::Random(dtype) => {
                let parts = (0..count).map(|_| noise(out * input, *dtype)).collect();
                self.memory.upload(shape, (*dtype).into(), parts)
            }
            Source::Outline(dtype) => self.memory.upload(shape, (*dtype).into(), Vec::new()),
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
        let Source::Checkpoint(scope) = &self.source else {
            return self.matrix(name, [taps * out, input]);
        };
        let stored = scope.get(name, &[input, out, taps])?;
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
            Source::Random(_) | Source::Outline(_) => {
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

/// Random words, lent as bytes.
struct Noise(Vec<u32>);

impl AsRef<[u8]> for Noise {
    fn as_ref(&self) -> &[u8] {
        bytemuck::cast_slice(&self.0)
    }
}

/// Words after which noise repeats: prime, so that the rows of a matrix differ.
const NOISE_WORDS: usize = 1_000_003;

/// `n` values between -1/16 and 1/16 that look random enough to keep activations finite, aligned for `dtype`.
fn noise(n: usize, dtype: DType) -> Bytes {
    static BF16: OnceLock<Vec<u32>> = OnceLock::new();
    static F32: OnceLock<Vec<u32>> = OnceLock::new();
    let period = match dtype {
        DType::F32 => F32.get_or_init(|| random_words(|v| v & 0x807f_0000 | exponent(v) << 23)),
        DType::F16 | DType::Bf16 => BF16.get_or_init(|| {
            random_words(|v| {
                let half = |v: u32| v & 0x807f | exponent(v) << 7;
                half(v) | half(v.rotate_left(13)) << 16
            })
        }),
    };
    let mut words = vec![0; (n * dtype.size()).div_ceil(size_of::<u32>())];
    words.chunks_mut(NOISE_WORDS).for_each(|chunk| chunk.copy_from_slice(&period[..chunk.len()]));
    Arc::new(Noise(words))
}

/// Exponents of 2^-5 to 2^-8.
fn exponent(random: u32) -> u32 {
    122 - (random >> 20 & 3)
}

fn random_words(value: impl Fn(u32) -> u32) -> Vec<u32> {
    let mut state = 0x2545_f491u32;
    let next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        value(state)
    };
    std::iter::repeat_with(next).take(NOISE_WORDS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(dtype: DType) -> Vec<f32> {
        let bytes = noise(200_001, dtype);
        match dtype {
            DType::F32 => bytemuck::cast_slice((*bytes).as_ref()).to_vec(),
            _ => {
                bytemuck::cast_slice::<_, half::bf16>((*bytes).as_ref()).iter().map(|v| v.to_f32()).collect()
            }
        }
    }

    #[test]
    fn random_weights_are_small_centred_and_of_the_type_asked_for() {
        for dtype in [DType::Bf16, DType::F32] {
            let values = values(dtype);
            assert!(values.len() >= 200_001 && values.len() <= 200_002, "{dtype}: {} values", values.len());
            assert!(values.iter().all(|v| v.abs() < 1.0 / 16.0 && v.abs() >= 1.0 / 256.0), "{dtype}");
            let mean = values.iter().sum::<f32>() / values.len() as f32;
            assert!(mean.abs() < 1e-3, "{dtype}: mean {mean}");
            assert!(values[..1000] != values[1000..2000], "{dtype} repeats");
        }
    }
}
