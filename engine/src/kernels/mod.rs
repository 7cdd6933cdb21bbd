//! The kernels: what the model is made of. One module for each, with its parameters, `record`, `cpu` and, for tests, `oracle`.
//!
//! Every kernel's result for a row depends on that row alone, and sums run in a fixed order: splitting the rows of a call into
//! several calls, or the work among threads, changes no bit.

pub(crate) mod bindings;
pub(crate) mod embedding;
pub(crate) mod expert_down;
pub(crate) mod expert_gate_up;
pub(crate) mod linear;
pub(crate) mod rms_norm;
pub(crate) mod simd;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod threads;

use bindings::{Inputs, Outputs};

/// A kernel and its parameters.
#[derive(Clone, Debug)]
pub(crate) enum Kernel {
    Embedding(embedding::Params),
    ExpertDown(expert_down::Params),
    ExpertGateUp,
    Linear(linear::Params),
    RmsNorm(rms_norm::Params),
}

impl Kernel {
    /// Runs on the CPU.
    pub(crate) fn cpu(&self, inputs: &Inputs<'_>, outputs: Outputs<'_>) {
        match self {
            Kernel::Embedding(p) => embedding::cpu(p, inputs, outputs),
            Kernel::ExpertDown(p) => expert_down::cpu(p, inputs, outputs),
            Kernel::ExpertGateUp => expert_gate_up::cpu(inputs, outputs),
            Kernel::Linear(p) => linear::cpu(p, inputs, outputs),
            Kernel::RmsNorm(p) => rms_norm::cpu(p, inputs, outputs),
        }
    }
}
