//! Checks that several kernels share, with errors that name the kernel, what it expected and what it found.

use crate::error::Result;
use crate::recording::{Buffer, check};
use crate::shape::Element;

/// All of `buffers` hold f32 and have rows of at least one element.
pub(super) fn f32s(kernel: &'static str, buffers: &[(&str, Buffer)]) -> Result<()> {
    elements(kernel, Element::F32, buffers)
}

/// All of `buffers` hold u32 and have rows of at least one element.
pub(super) fn u32s(kernel: &'static str, buffers: &[(&str, Buffer)]) -> Result<()> {
    elements(kernel, Element::U32, buffers)
}

/// All of `buffers` hold f32, or all hold f16, and have rows of at least one element.
pub(super) fn floats(kernel: &'static str, buffers: &[(&str, Buffer)]) -> Result<()> {
    let halves = buffers.iter().all(|(_, buffer)| buffer.element == Element::F16);
    elements(kernel, if halves { Element::F16 } else { Element::F32 }, buffers)
}

fn elements(kernel: &'static str, element: Element, buffers: &[(&str, Buffer)]) -> Result<()> {
    for (name, buffer) in buffers {
        check(buffer.element == element, kernel, || {
            format!("{name} must be {element:?}, found {:?}", buffer.element)
        })?;
        check(buffer.row() > 0, kernel, || format!("rows of {name} {} are empty", buffer.shape))?;
    }
    Ok(())
}

/// `buffer` has `len` elements.
pub(super) fn length(kernel: &'static str, name: &str, buffer: Buffer, len: usize) -> Result<()> {
    check(buffer.shape.len() == len, kernel, || {
        format!("{name} must have {len} elements, found {}", buffer.shape)
    })
}

/// `a` and `b` have the same number of rows, and those the same length.
pub(super) fn same(kernel: &'static str, a: (&str, Buffer), b: (&str, Buffer)) -> Result<()> {
    check(a.1.rows() == b.1.rows() && a.1.row() == b.1.row(), kernel, || {
        format!("{} {} and {} {} must have the same shape", a.0, a.1.shape, b.0, b.1.shape)
    })
}

/// An updated buffer shares its memory with no other buffer of the command.
pub(super) fn apart(kernel: &'static str, updated: (&str, Buffer), others: &[(&str, Buffer)]) -> Result<()> {
    for (name, other) in others {
        check(updated.1.place != other.place, kernel, || {
            format!(
                "{} is updated and must not share memory with {name}, but both are {:?}",
                updated.0, other.place
            )
        })?;
    }
    Ok(())
}
