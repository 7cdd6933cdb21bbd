//! The weights of a checkpoint: safetensors shards, mapped into memory and handed out by name and shape.
//!
//! A model part asks `checkpoint.scope("thinker.model").get("norm.weight", &[hidden])`. Names are those of the
//! published checkpoint. Nothing is
//! copied or converted unless the user asks for another format, and an imported checkpoint has it already, and nothing here knows what
//! a tensor is for. Weights that other programs have quantised are read too, for an import only.

mod ahead;
mod checkpoint;
mod coded;
mod gguf;
mod held;
mod index;
mod loader;
mod noise;
mod packed;
mod packs;
mod plan;
mod shard;
mod source;
mod tensor;
#[cfg(test)]
mod tests;

pub(crate) use ahead::{Behind, ReadAhead, Reading};
use checkpoint::Stored;
pub(crate) use checkpoint::{Checkpoint, Reach, Scope, Spent};
pub(crate) use coded::{Code, Coded};
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use gguf::check_bytes as check_gguf;
#[cfg(test)]
pub(crate) use gguf::writer;
use held::Held;
pub(crate) use held::converted;
pub(crate) use loader::Loader;
pub(crate) use packed::{ALIGNMENT, BYTES, Packed, padding, write_blocks};
pub(crate) use plan::{Planned, Weights};
pub(crate) use shard::Shard;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use shard::check_bytes;
pub(crate) use source::{is_gguf, refuse_gguf};
pub(crate) use tensor::{DType, Place, Tensor};

#[cfg(target_endian = "big")]
compile_error!("safetensors hold little-endian values, which are used in place");
