//! What a kernel's `cpu` function sees of its buffers: host memory, typed.

use half::f16;

use super::isa::Isa;
use super::simd::Activations;
use crate::quant::{BLOCK, Quant};
use crate::recording::Buffer;
use crate::shape::{Bytes, Element};

/// Host memory of one place.
pub(crate) enum Storage {
    F32(Vec<f32>),
    F16(Vec<f16>),
    U32(Vec<u32>),
    /// Read only. Parts follow each other along the first axis.
    Weight {
        element: Element,
        parts: Vec<Bytes>,
    },
}

impl Default for Storage {
    fn default() -> Self {
        Storage::F32(Vec::new())
    }
}

/// One matrix of weights.
#[derive(Clone, Copy)]
pub(crate) enum Matrix<'a> {
    Plain(Weight<'a>),
    Quantised(Blocks<'a>),
}

impl<'a> Matrix<'a> {
    fn of(element: Element, row: usize, bytes: &'a [u8]) -> Matrix<'a> {
        match element {
            Element::F16 => Matrix::Plain(Weight::F16(bytemuck::cast_slice(bytes))),
            Element::Bf16 => Matrix::Plain(Weight::Bf16(bytemuck::cast_slice(bytes))),
            Element::F32 | Element::U32 => Matrix::Plain(Weight::F32(bytemuck::cast_slice(bytes))),
            Element::Q8_0 => Matrix::Quantised(Blocks::of(Quant::Q8_0, row, bytes)),
            Element::Q4 => Matrix::Quantised(Blocks::of(Quant::Q4, row, bytes)),
        }
    }

    /// Rows `first..first + count` of a matrix with rows of `row`.
    pub(crate) fn slice_rows(self, row: usize, first: usize, count: usize) -> Matrix<'a> {
        match self {
            Matrix::Plain(weight) => Matrix::Plain(weight.slice(first * row, count * row)),
            Matrix::Quantised(blocks) => Matrix::Quantised(blocks.slice_rows(first, count)),
        }
    }
}

/// One matrix of weights in the type it is stored in.
#[derive(Clone, Copy)]
pub(crate) enum Weight<'a> {
    F32(&'a [f32]),
    /// Bit patterns of IEEE half precision.
    F16(&'a [u16]),
    /// Upper halves of f32 bit patterns.
    Bf16(&'a [u16]),
}

impl<'a> Weight<'a> {
    /// Elements `start..start + len`.
    pub(crate) fn slice(self, start: usize, len: usize) -> Weight<'a> {
        match self {
            Weight::F32(w) => Weight::F32(&w[start..start + len]),
            Weight::F16(w) => Weight::F16(&w[start..start + len]),
            Weight::Bf16(w) => Weight::Bf16(&w[start..start + len]),
        }
    }

    /// Converts elements `start..start + out.len()` to f32.
    pub(crate) fn read(self, start: usize, out: &mut [f32]) {
        let end = start + out.len();
        match self {
            Weight::F32(w) => out.copy_from_slice(&w[start..end]),
            Weight::F16(w) => {
                out.iter_mut().zip(&w[start..end]).for_each(|(o, &v)| *o = f16::from_bits(v).to_f32());
            }
            Weight::Bf16(w) => {
                out.iter_mut()
                    .zip(&w[start..end])
                    .for_each(|(o, &v)| *o = f32::from_bits(u32::from(v) << 16));
            }
        }
    }
}

/// One matrix of quantised weights, or some rows of one.
#[derive(Clone, Copy)]
pub(crate) struct Blocks<'a> {
    pub(crate) quant: Quant,
    /// Elements of a row.
    pub(crate) row: usize,
    pub(crate) quants: &'a [u8],
    /// Bit patterns of IEEE half precision.
    pub(crate) scales: &'a [u16],
}

impl<'a> Blocks<'a> {
    /// The rows of a part.
    pub(crate) fn of(quant: Quant, row: usize, part: &'a [u8]) -> Blocks<'a> {
        let rows = part.len() / quant.bytes(1, row);
        let (quants, scales) = part.split_at(rows * row.div_ceil(BLOCK) * quant.quant_bytes());
        Blocks { quant, row, quants, scales: bytemuck::cast_slice(scales) }
    }

    /// Blocks of a row.
    pub(crate) fn per_row(self) -> usize {
        self.row.div_ceil(BLOCK)
    }

    /// How many rows there are.
    pub(crate) fn rows(self) -> usize {
        self.quants.len() / (self.per_row() * self.quant.quant_bytes())
    }

    /// Rows `first..first + count`.
    pub(crate) fn slice_rows(self, first: usize, count: usize) -> Blocks<'a> {
        let blocks = |rows: usize| rows * self.per_row();
        let slice = |each: usize| blocks(first) * each..blocks(first + count) * each;
        Blocks {
            quants: &self.quants[slice(self.quant.quant_bytes())],
            scales: &self.scales[slice(self.quant.scales())],
            ..self
        }
    }

    /// The elements of row `i` as f32.
    pub(crate) fn read_row(self, i: usize, out: &mut [f32]) {
        let row = self.slice_rows(i, 1);
        self.quant.decode(row.quants, row.scales, out);
    }
}

/// The inputs of a command.
pub(crate) struct Inputs<'a> {
    pub(crate) slots: Vec<(Buffer, &'a Storage)>,
    /// Whether rows that meet quantised weights may be taken in eight bits.
    pub(crate) int8: bool,
}

impl<'a> Inputs<'a> {
    /// Those of a command that multiplies no rows with weights.
    pub(crate) fn new(slots: Vec<(Buffer, &'a Storage)>) -> Inputs<'a> {
        Inputs { slots, int8: true }
    }

    /// Others for a part of the same command.
    pub(crate) fn with<'b>(&self, slots: Vec<(Buffer, &'b Storage)>) -> Inputs<'b> {
        Inputs { slots, int8: self.int8 }
    }

    /// Rows of x in the form in which they meet the weights bound at `i`.
    pub(crate) fn activations<'x>(&self, isa: Isa, x: Vec<&'x [f32]>, i: usize) -> Activations<'x> {
        isa.activations(x, self.buffer(i).element, self.int8)
    }

    /// What was bound at `i`, or `rows` in its place where there are any.
    pub(crate) fn or<'b>(&'b self, i: usize, rows: &'b Option<Storage>) -> (Buffer, &'b Storage) {
        match rows {
            Some(rows) => (Buffer { offset: 0, ..self.buffer(i) }, rows),
            None => self.slots[i],
        }
    }

    /// The handle that was bound at `i`.
    pub(crate) fn buffer(&self, i: usize) -> Buffer {
        self.slots[i].0
    }

    /// The elements of an f32 buffer.
    pub(crate) fn f32(&self, i: usize) -> &'a [f32] {
        let (buffer, storage) = self.slots[i];
        let range = buffer.offset..buffer.offset + buffer.shape.len();
        match storage {
            Storage::F32(values) => &values[range],
            Storage::Weight { element: Element::F32, parts } => {
                &bytemuck::cast_slice((*parts[0]).as_ref())[range]
            }
            _ => unreachable!("record() checked that input {i} is f32"),
        }
    }

    /// The elements of a state in half precision.
    pub(crate) fn f16(&self, i: usize) -> &'a [f16] {
        let (buffer, storage) = self.slots[i];
        match storage {
            Storage::F16(values) => &values[buffer.offset..buffer.offset + buffer.shape.len()],
            _ => unreachable!("record() checked that input {i} is f16"),
        }
    }

    /// The elements of a u32 buffer.
    pub(crate) fn u32(&self, i: usize) -> &'a [u32] {
        let (buffer, storage) = self.slots[i];
        match storage {
            Storage::U32(values) => &values[buffer.offset..buffer.offset + buffer.shape.len()],
            _ => unreachable!("record() checked that input {i} is u32"),
        }
    }

    /// A weight matrix, whole.
    pub(crate) fn matrix(&self, i: usize) -> Matrix<'a> {
        let (buffer, storage) = self.slots[i];
        let row = buffer.row();
        let whole = match storage {
            Storage::F32(values) => Matrix::Plain(Weight::F32(values)),
            Storage::Weight { element, parts } => Matrix::of(*element, row, (*parts[0]).as_ref()),
            Storage::F16(_) | Storage::U32(_) => unreachable!("record() checked that input {i} is a weight"),
        };
        match whole {
            Matrix::Plain(weight) => Matrix::Plain(weight.slice(buffer.offset, buffer.shape.len())),
            Matrix::Quantised(blocks) => {
                Matrix::Quantised(blocks.slice_rows(buffer.offset / row, buffer.rows()))
            }
        }
    }

    /// Matrix `index` of a stack `[count, rows, row]`.
    pub(crate) fn stacked(&self, i: usize, index: usize) -> Matrix<'a> {
        let (buffer, storage) = self.slots[i];
        let each = buffer.rows() / buffer.shape.axes()[0];
        match storage {
            Storage::Weight { element, parts } if parts.len() > 1 => {
                Matrix::of(*element, buffer.row(), (*parts[index]).as_ref())
            }
            _ => self.matrix(i).slice_rows(buffer.row(), index * each, each),
        }
    }
}

/// One output of a command.
pub(crate) struct Slot<'a> {
    pub(crate) buffer: Buffer,
    pub(crate) storage: &'a mut Storage,
}

impl<'a> Slot<'a> {
    /// The elements of an f32 buffer.
    pub(crate) fn f32(self) -> &'a mut [f32] {
        match self.storage {
            Storage::F32(values) => {
                &mut values[self.buffer.offset..self.buffer.offset + self.buffer.shape.len()]
            }
            _ => unreachable!("record() checked that the output is f32"),
        }
    }

    /// The elements of a state in half precision.
    pub(crate) fn f16(self) -> &'a mut [f16] {
        match self.storage {
            Storage::F16(values) => {
                &mut values[self.buffer.offset..self.buffer.offset + self.buffer.shape.len()]
            }
            _ => unreachable!("record() checked that the output is f16"),
        }
    }

    /// The elements of a u32 buffer.
    pub(crate) fn u32(self) -> &'a mut [u32] {
        match self.storage {
            Storage::U32(values) => {
                &mut values[self.buffer.offset..self.buffer.offset + self.buffer.shape.len()]
            }
            _ => unreachable!("record() checked that the output is u32"),
        }
    }
}

/// The outputs of a command: never the same place as an input.
pub(crate) struct Outputs<'a> {
    pub(crate) slots: Vec<Slot<'a>>,
}

impl<'a> Outputs<'a> {
    /// The only output.
    pub(crate) fn one(self) -> Slot<'a> {
        let [slot] = self.all();
        slot
    }

    /// All `N` outputs, in the order of their binding.
    pub(crate) fn all<const N: usize>(self) -> [Slot<'a>; N] {
        match self.slots.try_into() {
            Ok(slots) => slots,
            Err(_) => unreachable!("record() bound {N} outputs"),
        }
    }
}
