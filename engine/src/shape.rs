//! What a buffer is: its shape (row-major, at most four axes), its elements, and the bytes that a weight comes in.

use std::fmt;
use std::sync::Arc;

use crate::quant::Quant;

/// Lengths of one to four axes, outermost first.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Shape {
    axes: [usize; 4],
    rank: u8,
}

impl Shape {
    /// Number of elements. Cannot overflow: `Recording` and `Memory` only make shapes whose bytes fit the machine.
    pub(crate) fn len(&self) -> usize {
        self.axes().iter().product()
    }

    /// The axes' lengths.
    pub(crate) fn axes(&self) -> &[usize] {
        &self.axes[..usize::from(self.rank)]
    }

    /// Length of the last axis: a row's elements.
    pub(crate) fn row(&self) -> usize {
        self.axes[usize::from(self.rank) - 1]
    }

    /// Product of all axes but the last.
    pub(crate) fn rows(&self) -> usize {
        self.axes[..usize::from(self.rank) - 1].iter().product()
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    fn from(axes: [usize; N]) -> Self {
        const { assert!(N >= 1 && N <= 4, "a shape has one to four axes") };
        let mut all = [1; 4];
        all[..N].copy_from_slice(&axes);
        Shape { axes: all, rank: N as u8 }
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.axes())
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.axes())
    }
}

/// Bytes of a weight that many holders may share: a piece of a mapped file, or memory of its own. Aligned for its element.
pub(crate) type Bytes = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// Bytes of our own, aligned for every element.
pub(crate) struct OwnedBytes {
    words: Vec<u64>,
    len: usize,
}

impl OwnedBytes {
    /// So many zeros.
    pub(crate) fn zeros(len: usize) -> OwnedBytes {
        OwnedBytes { words: vec![0; len.div_ceil(size_of::<u64>())], len }
    }
}

impl From<&[u8]> for OwnedBytes {
    fn from(bytes: &[u8]) -> OwnedBytes {
        let mut owned = OwnedBytes::zeros(bytes.len());
        owned.as_mut().copy_from_slice(bytes);
        owned
    }
}

impl AsRef<[u8]> for OwnedBytes {
    fn as_ref(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.words)[..self.len]
    }
}

impl AsMut<[u8]> for OwnedBytes {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut bytemuck::cast_slice_mut(&mut self.words)[..self.len]
    }
}

/// What one element of a buffer is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Element {
    /// Activations, states, norms and biases.
    F32,
    /// Weights as stored, and keys and values.
    F16,
    /// Weights as stored.
    Bf16,
    /// Ids, indices and counters.
    U32,
    /// Weights of eight bits in blocks, see [`Quant::Q8_0`]. Views are whole rows; offsets count weights, as if each lay by itself.
    Q8_0,
    /// Weights of four bits in blocks, see [`Quant::Q4`]. As above.
    Q4,
}

impl Element {
    /// Bytes of `rows` rows of `row` elements.
    pub(crate) fn bytes(self, rows: usize, row: usize) -> usize {
        match self {
            Element::F32 | Element::U32 => rows * row * 4,
            Element::F16 | Element::Bf16 => rows * row * 2,
            Element::Q8_0 => Quant::Q8_0.bytes(rows, row),
            Element::Q4 => Quant::Q4.bytes(rows, row),
        }
    }

    /// The name that reports use.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Element::F32 => "f32",
            Element::F16 => "f16",
            Element::Bf16 => "bf16",
            Element::U32 => "u32",
            Element::Q8_0 => Quant::Q8_0.name(),
            Element::Q4 => Quant::Q4.name(),
        }
    }

    /// The format of blocks, where it is one.
    pub(crate) fn quant(self) -> Option<Quant> {
        match self {
            Element::Q8_0 => Some(Quant::Q8_0),
            Element::Q4 => Some(Quant::Q4),
            Element::F32 | Element::F16 | Element::Bf16 | Element::U32 => None,
        }
    }

    /// Whether matrices of weights may be held so.
    pub(crate) fn is_weight(self) -> bool {
        self != Element::U32
    }
}

impl From<Quant> for Element {
    fn from(quant: Quant) -> Element {
        match quant {
            Quant::Q8_0 => Element::Q8_0,
            Quant::Q4 => Element::Q4,
        }
    }
}
