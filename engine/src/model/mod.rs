//! The parts of Qwen3-Omni, and what they need to know about a checkpoint.

pub(crate) mod config;
