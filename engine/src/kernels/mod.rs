//! The kernels: what the model is made of. One module for each, with its parameters, `record`, `cpu` and, for tests, `oracle`.
//!
//! Every kernel's result for a row depends on that row alone, and sums run in a fixed order: splitting the rows of a call into
//! several calls, or the work among threads, changes no bit.

pub(crate) mod bindings;
pub(crate) mod rms_norm;
#[cfg(test)]
pub(crate) mod testing;

use bindings::{Inputs, Outputs};

/// A kernel and its parameters.
#[derive(Clone, Debug)]
pub(crate) enum Kernel {
    RmsNorm(rms_norm::Params),
}

impl Kernel {
    /// Runs on the CPU.
    pub(crate) fn cpu(&self, inputs: &Inputs<'_>, outputs: Outputs<'_>) {
        match self {
            Kernel::RmsNorm(p) => rms_norm::cpu(p, inputs, outputs),
        }
    }
}
