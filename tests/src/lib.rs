//! What tests of the workspace share: checkpoints, and conversations with them.
#![warn(missing_docs)]

pub mod checkpoints;
pub mod talks;
