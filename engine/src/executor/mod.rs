//! What runs a recording: it owns the memory behind every buffer.

pub(crate) mod cpu;
mod plan;
