//! What a model loads, in order: noted by a loader that goes through the model without placing anything.

use super::Tensor;
use crate::shape::Element;

/// A tensor that a model loads, and what it is held as.
pub(crate) struct Planned {
    /// Full name; of a stack, that of its matrices without their numbers.
    pub(crate) name: String,
    /// As it is stored.
    pub(crate) tensor: Tensor,
    /// What its elements become.
    pub(crate) element: Element,
}

impl Planned {
    /// Elements of a row.
    pub(crate) fn row(&self) -> usize {
        self.tensor.shape.last().copied().unwrap_or(1)
    }

    /// Bytes as it is held.
    pub(crate) fn bytes(&self) -> usize {
        self.element.bytes(self.tensor.numel() / self.row().max(1), self.row())
    }
}
