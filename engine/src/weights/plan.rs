//! What a model loads, in order: noted by a loader that goes through the model without placing anything.

use super::{Coded, Tensor};
use crate::shape::Element;

/// A tensor that a model loads, and what it is held as.
pub(crate) struct Planned {
    /// Full name; of a stack, that of its matrices without their numbers.
    pub(crate) name: String,
    /// As it is stored.
    pub(crate) weights: Weights,
    /// What its elements become.
    pub(crate) element: Element,
}

/// A tensor's contents.
pub(crate) enum Weights {
    /// Elements one by one.
    Plain(Tensor),
    /// Rows in another program's code.
    Coded(Coded),
}

impl Planned {
    /// Sizes of the axes, outermost first.
    pub(crate) fn shape(&self) -> &[usize] {
        match &self.weights {
            Weights::Plain(tensor) => &tensor.shape,
            Weights::Coded(coded) => &coded.shape,
        }
    }

    /// Elements of a row.
    pub(crate) fn row(&self) -> usize {
        self.shape().last().copied().unwrap_or(1)
    }

    /// Bytes as it is held.
    pub(crate) fn bytes(&self) -> usize {
        let numel: usize = self.shape().iter().product();
        self.element.bytes(numel / self.row().max(1), self.row())
    }
}
