//! What a buffer is: its shape (row-major, at most four axes), its elements, and the bytes that a weight comes in.

use std::fmt;
use std::sync::Arc;

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

/// What one element of a buffer is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Element {
    /// Activations, states, norms and biases.
    F32,
    /// Weights as stored.
    F16,
    /// Weights as stored.
    Bf16,
    /// Ids, indices and counters.
    U32,
}

impl Element {
    /// Bytes of one element.
    pub(crate) fn size(self) -> usize {
        match self {
            Element::F32 | Element::U32 => 4,
            Element::F16 | Element::Bf16 => 2,
        }
    }
}
