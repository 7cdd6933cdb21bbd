//! Places weights in an executor's memory, asked for by name and shape; or random ones of the same shapes, for measuring.

use super::noise::{noise, noise_quants};
use super::{DType, Held, Scope, Tensor};
use crate::error::Result;
use crate::memory::Memory;
use crate::recording::Buffer;
use crate::settings::Format;
use crate::shape::{Element, Shape};

/// Where weights come from.
#[derive(Clone)]
enum Source<'a> {
    Checkpoint(Scope<'a>),
    /// Noise; no file.
    Random,
    /// Shapes and types without contents, for a memory that only counts.
    Outline,
}

/// A place in the checkpoint's names, and the memory that its weights go to.
pub(crate) struct Loader<'a> {
    source: Source<'a>,
    memory: &'a mut dyn Memory,
    held: Held,
    cache_element: Element,
}

impl<'a> Loader<'a> {
    /// Loads from the names below `scope`, matrices in `format` or as they are stored.
    pub(crate) fn new(scope: Scope<'a>, memory: &'a mut dyn Memory, format: Option<Format>) -> Loader<'a> {
        Loader {
            source: Source::Checkpoint(scope),
            memory,
            held: format.map_or(Held::AsStored, Held::from),
            cache_element: Element::F16,
        }
    }

    /// Makes random weights of every shape asked for, in `format`; those that are kept as stored, in that or in BF16.
    pub(crate) fn random(memory: &'a mut dyn Memory, format: Format) -> Loader<'a> {
        Loader { source: Source::Random, memory, held: format.into(), cache_element: Element::F16 }
    }

    /// Asks `memory` for room as [`Loader::random`] does, but gives it no contents: nothing can be run with them.
    pub(crate) fn outline(memory: &'a mut dyn Memory, format: Format) -> Loader<'a> {
        Loader { source: Source::Outline, memory, held: format.into(), cache_element: Element::F16 }
    }

    /// The names one step further down.
    pub(crate) fn at(&mut self, name: &str) -> Loader<'_> {
        let source = match &self.source {
            Source::Checkpoint(scope) => Source::Checkpoint(scope.scope(name)),
            other => other.clone(),
        };
        Loader { source, memory: self.memory, held: self.held, cache_element: self.cache_element }
    }

    /// The same names, whose matrices are held as they are stored, whatever the format: for those where few bits would cost more
    /// than they save.
    pub(crate) fn kept(&mut self) -> Loader<'_> {
        let held = match &self.source {
            Source::Checkpoint(_) => Held::AsStored,
            Source::Random | Source::Outline => Held::As(self.random_dtype()),
        };
        Loader { source: self.source.clone(), memory: self.memory, held, cache_element: self.cache_element }
    }

    /// The same names, whose matrices are held in eight bits at least: for those that few bits harm most, or whose bytes cost
    /// little.
    pub(crate) fn finer(&mut self) -> Loader<'_> {
        let source = self.source.clone();
        Loader { source, memory: self.memory, held: self.held.finer(), cache_element: self.cache_element }
    }

    /// Has caches hold keys and values in f32, where `exact`; they take f16 otherwise.
    pub(crate) fn with_exact_caches(self, exact: bool) -> Loader<'a> {
        Loader { cache_element: if exact { Element::F32 } else { Element::F16 }, ..self }
    }

    /// What caches hold keys and values in.
    pub(crate) fn cache_element(&self) -> Element {
        self.cache_element
    }

    /// The memory, for states and tables.
    pub(crate) fn memory(&mut self) -> &mut dyn Memory {
        self.memory
    }

    /// A matrix `[out, in]` in the format that was chosen.
    pub(crate) fn matrix(&mut self, name: &str, shape: [usize; 2]) -> Result<Buffer> {
        match &self.source {
            Source::Checkpoint(scope) => {
                let tensor = scope.get(name, &shape)?;
                self.place(tensor, shape.into())
            }
            _ => self.random_matrix(shape.into()),
        }
    }

    /// A convolution's weight, stored with more axes than a matrix, as a matrix of the type it is stored in.
    pub(crate) fn kept_matrix_of(
        &mut self,
        name: &str,
        stored: &[usize],
        shape: [usize; 2],
    ) -> Result<Buffer> {
        let mut kept = self.kept();
        match &kept.source {
            Source::Checkpoint(scope) => {
                let tensor = scope.get(name, stored)?;
                kept.place(tensor, shape.into())
            }
            _ => kept.random_matrix(shape.into()),
        }
    }

    /// `count` matrices as one `[count, out, in]`, in the format that was chosen.
    pub(crate) fn stack(
        &mut self,
        count: usize,
        name: impl Fn(usize) -> String,
        [out, input]: [usize; 2],
    ) -> Result<Buffer> {
        match &self.source {
            Source::Checkpoint(scope) => {
                let tensor = scope.stack(count, name, &[out, input])?;
                self.place(tensor, [count, out, input].into())
            }
            _ => self.random_matrix([count, out, input].into()),
        }
    }

    fn place(&mut self, tensor: Tensor, shape: Shape) -> Result<Buffer> {
        let (element, parts) = self.held.parts(tensor, shape.row());
        self.memory.upload(shape, element, parts)
    }

    /// One part for each matrix.
    fn random_matrix(&mut self, shape: Shape) -> Result<Buffer> {
        let element = self.held.element(self.random_dtype());
        let count = if let [count, _, _] = *shape.axes() { count } else { 1 };
        let rows = shape.rows() / count;
        if let Source::Random = self.source
            && let Some(buffer) = self.memory.random(shape, element)?
        {
            return Ok(buffer);
        }
        let parts = match (&self.source, self.held) {
            (Source::Outline, _) => Vec::new(),
            (_, Held::Quantised(quant)) => {
                (0..count).map(|_| noise_quants(quant, rows, shape.row())).collect()
            }
            _ => (0..count).map(|_| noise(rows * shape.row(), self.random_dtype())).collect(),
        };
        self.memory.upload(shape, element, parts)
    }

    /// What random weights are stored as that are not quantised.
    fn random_dtype(&self) -> DType {
        if let Held::As(dtype) = self.held { dtype } else { DType::Bf16 }
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
        let shape = [taps * out, input];
        let mut kept = self.kept();
        let Source::Checkpoint(scope) = &kept.source else {
            return kept.random_matrix(shape.into());
        };
        let stored = scope.get(name, &[input, out, taps])?;
        let values = stored.to_f32();
        let mut turned = Vec::with_capacity(values.len());
        for (tap, o) in (0..taps).flat_map(|tap| (0..out).map(move |o| (tap, o))) {
            turned.extend((0..input).map(|i| values[(i * out + o) * taps + tap]));
        }
        let turned = match stored.dtype {
            DType::Bf16 => {
                Tensor::from_bf16(name, &shape, turned.into_iter().map(half::bf16::from_f32).collect())?
            }
            DType::F16 | DType::F32 => Tensor::from_f32(name, &shape, turned)?,
        };
        kept.place(turned, shape.into())
    }

    fn tensor(&self, name: &str, stored: &[usize]) -> Result<Tensor> {
        match &self.source {
            Source::Checkpoint(scope) => scope.get(name, stored),
            Source::Random | Source::Outline => {
                let values = (0..stored.iter().product()).map(|i: usize| 1.0 / (1 + i % 7) as f32).collect();
                Tensor::from_f32(name, stored, values)
            }
        }
    }
}
