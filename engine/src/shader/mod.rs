//! Work for a graphics processor as plain data: which shader, in which variant, over which buffers. No wgpu type, and no kernel.
//!
//! A kernel's `gpu` function looks at the [`Target`] and appends [`Dispatch`]es to a [`Lowering`]; the executor makes pipelines and
//! bind groups of them. The shaders themselves, and how to write one, are described in `shaders/README.md`. The build script has
//! checked every variant that [`wgsl`] can return.

mod dispatch;
#[allow(dead_code, reason = "imports are resolved by the build script, which compiles this file too")]
mod preprocess;
mod table;
mod target;

pub(crate) use dispatch::{Access, Binding, Blueprint, Dispatch, Lowering, Plane, Variant};
pub use target::{CoopShape, Target};

use crate::error::{Error, Result};
use crate::quant::BLOCK;
use crate::shape::Element;

/// WGSL of one variant of a shader.
///
/// # Errors
/// `Error::Shape` where there is no such shader or variant: a slip in a kernel.
pub(crate) fn wgsl(variant: &Variant) -> Result<String> {
    let fault = |reason| Error::Shape { kernel: variant.shader, reason };
    let text = table::source(variant.shader).ok_or_else(|| fault("there is no such shader".into()))?;
    if !preprocess::variants(text).iter().any(|have| same(have, &variant.defines)) {
        return Err(fault(format!("no variant of the shader has {:?}", variant.defines)));
    }
    preprocess::select(text, &variant.defines).map_err(fault)
}

/// Elements from one row of a matrix to the next, as uploaded: rows begin at multiples of 16 bytes.
pub(crate) fn pitch(element: Element, row: usize) -> usize {
    row.next_multiple_of(match element {
        Element::F32 | Element::U32 => 4,
        Element::F16 | Element::Bf16 => 8,
        Element::Q8_0 | Element::Q4 => BLOCK,
    })
}

fn same(a: &[&str], b: &[&str]) -> bool {
    a.len() == b.len() && a.iter().all(|name| b.contains(name))
}

#[cfg(test)]
mod tests;
