//! Qwen3-Omni checkpoints of random weights in the published layout, of any size up to the published one.

mod layout;
mod sizes;
mod write;

pub use layout::tensors;
pub use sizes::Sizes;
pub use write::{SHARD_BYTES, write};
