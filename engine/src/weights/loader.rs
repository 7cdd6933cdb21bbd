//! Places weights in an executor's memory, asked for by name and shape; or random ones of the same shapes, for measuring.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use super::noise::{noise, noise_quants};
use super::{Coded, DType, Held, Planned, Scope, Stored, Tensor, Weights};
use crate::error::Result;
use crate::memory::Memory;
use crate::recording::Buffer;
use crate::settings::Format;
use crate::shape::{Element, Shape};

/// Where weights come from.
#[derive(Clone)]
enum Source<'a> {
    Checkpoint(Scope<'a>),
    /// A checkpoint of which is only noted what would be placed.
    Plan(Scope<'a>, &'a RefCell<Vec<Planned>>),
    /// Noise; no file.
    Random,
    /// Shapes and types without contents, for a memory that only counts.
    Outline,
}

impl<'a> Source<'a> {
    /// The names one step further down.
    fn at(&self, name: &str) -> Source<'a> {
        match self {
            Source::Checkpoint(scope) => Source::Checkpoint(scope.scope(name)),
            Source::Plan(scope, list) => Source::Plan(scope.scope(name), list),
            other => other.clone(),
        }
    }

    /// Where there is a checkpoint.
    fn scope(&self) -> Option<&Scope<'a>> {
        match self {
            Source::Checkpoint(scope) | Source::Plan(scope, _) => Some(scope),
            Source::Random | Source::Outline => None,
        }
    }
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

    /// Notes in `list` what loading from the names below `scope` in `format` places, and in which order. `memory` only counts.
    pub(crate) fn plan(
        scope: Scope<'a>,
        memory: &'a mut dyn Memory,
        format: Format,
        list: &'a RefCell<Vec<Planned>>,
    ) -> Loader<'a> {
        let source = Source::Plan(scope, list);
        Loader { source, memory, held: format.into(), cache_element: Element::F16 }
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
        let source = self.source.at(name);
        Loader { source, memory: self.memory, held: self.held, cache_element: self.cache_element }
    }

    /// The same names, whose matrices are held as they are stored, whatever the format: for those where few bits would cost more
    /// than they save.
    pub(crate) fn kept(&mut self) -> Loader<'_> {
        let held = match &self.source {
            Source::Checkpoint(_) | Source::Plan(..) => Held::AsStored,
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
        match self.source.scope() {
            Some(scope) => {
                let stored = scope.matrix(name, &shape)?;
                self.place(name, stored, shape.into())
            }
            None => self.random_matrix(shape.into()),
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
        match kept.source.scope() {
            Some(scope) => {
                let stored = scope.matrix(name, stored)?;
                kept.place(name, stored, shape.into())
            }
            None => kept.random_matrix(shape.into()),
        }
    }

    /// `count` matrices `{i}.{name}` as one `[count, out, in]`, in the format that was chosen.
    pub(crate) fn stack(&mut self, count: usize, name: &str, [out, input]: [usize; 2]) -> Result<Buffer> {
        match self.source.scope() {
            Some(scope) => {
                let stored = scope.stack(count, name, &[out, input])?;
                self.place(name, stored, [count, out, input].into())
            }
            None => self.random_matrix([count, out, input].into()),
        }
    }

    fn place(&mut self, name: &str, stored: Stored, shape: Shape) -> Result<Buffer> {
        self.wait()?;
        let begun = Instant::now();
        let (element, parts) = match stored {
            Stored::Plain(tensor) if self.note(name, &tensor, self.held) => {
                (self.held.element(tensor.dtype), Vec::new())
            }
            Stored::Plain(tensor) => self.held.parts(tensor, shape.row()),
            Stored::Blocks(quant, parts) => (quant.into(), parts),
            Stored::Coded(coded) => (self.note_coded(name, coded)?, Vec::new()),
        };
        let converted = begun.elapsed();
        let buffer = self.memory.upload(shape, element, parts)?;
        self.passed(converted, begun.elapsed() - converted);
        Ok(buffer)
    }

    /// Waits until what was asked for is in memory, where it is read ahead.
    fn wait(&self) -> Result<()> {
        if let Source::Checkpoint(scope) = &self.source { scope.wait() } else { Ok(()) }
    }

    /// Takes note that what was asked for is in place, and of the time that it took.
    fn passed(&self, converted: Duration, placed: Duration) {
        if let Source::Checkpoint(scope) = &self.source {
            scope.passed(converted, placed);
        }
    }

    /// Notes a tensor, where there is a list for that: nothing of it is needed then.
    fn note(&self, name: &str, tensor: &Tensor, held: Held) -> bool {
        let Source::Plan(scope, list) = &self.source else { return false };
        let element = held.element(tensor.dtype);
        let weights = Weights::Plain(tensor.clone());
        list.borrow_mut().push(Planned { name: scope.path(name), weights, element });
        true
    }

    /// Notes a matrix in another program's code, and gives what it is to be held as.
    fn note_coded(&self, name: &str, coded: Coded) -> Result<Element> {
        let Source::Plan(scope, list) = &self.source else {
            return Err(coded.fault("a checkpoint to be run; import it first with `colloquy import`".into()));
        };
        let element = self.held.element_of_coded(coded.stored());
        list.borrow_mut().push(Planned { name: scope.path(name), weights: Weights::Coded(coded), element });
        Ok(element)
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
        let tensor = self.tensor(name, stored)?;
        if self.note(name, &tensor, Held::AsStored) {
            return self.memory.allocate([tensor.numel() * times].into(), Element::F32);
        }
        self.wait()?;
        let begun = Instant::now();
        let values = tensor.to_f32().repeat(times);
        let converted = begun.elapsed();
        let buffer = self.memory.allocate([values.len()].into(), Element::F32)?;
        self.memory.write_f32(buffer, &values)?;
        self.passed(converted, begun.elapsed() - converted);
        Ok(buffer)
    }

    /// A transposed convolution's weight, stored `[in, out, taps]`, as a matrix `[taps · out, in]` of the same type.
    pub(crate) fn transposed(&mut self, name: &str, [input, out, taps]: [usize; 3]) -> Result<Buffer> {
        let shape = [taps * out, input];
        let mut kept = self.kept();
        let Some(scope) = kept.source.scope() else {
            return kept.random_matrix(shape.into());
        };
        let stored = scope.get(name, &[input, out, taps])?;
        if kept.note(name, &stored, Held::AsStored) {
            return kept.memory.upload(shape.into(), stored.dtype.into(), Vec::new());
        }
        kept.wait()?;
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
        kept.place(name, Stored::Plain(turned), shape.into())
    }

    fn tensor(&self, name: &str, stored: &[usize]) -> Result<Tensor> {
        match self.source.scope() {
            Some(scope) => scope.get(name, stored),
            None => {
                let values = (0..stored.iter().product()).map(|i: usize| 1.0 / (1 + i % 7) as f32).collect();
                Tensor::from_f32(name, stored, values)
            }
        }
    }
}
