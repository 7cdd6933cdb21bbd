//! What tests of the workspace share: checkpoints, conversations with them, and the program.
#![warn(missing_docs)]

pub mod checkpoints;
pub mod program;
pub mod synthetic;
pub mod talks;
