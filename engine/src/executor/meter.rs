//! What the commands of some runs cost: time by kernel, and bytes of weights that had to be read.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::kernels::Kernel;
use crate::kernels::bindings::{Inputs, Storage};
use crate::recording::Command;

/// Sums over the commands run while metering was on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meter {
    /// Bytes of weights, counting those of an expert or an embedding row only where it was used.
    pub(crate) weight_bytes: u64,
    /// Time by kernel.
    pub(crate) times: BTreeMap<&'static str, Duration>,
}

impl Meter {
    /// Adds a command that has run.
    pub(crate) fn note(&mut self, command: &Command, inputs: &Inputs<'_>, took: Duration) {
        *self.times.entry(command.kernel.name()).or_default() += took;
        self.weight_bytes += weight_bytes(command, inputs);
    }
}

fn weight_bytes(command: &Command, inputs: &Inputs<'_>) -> u64 {
    let weights = inputs.slots.iter().filter(|(_, storage)| matches!(storage, Storage::Weight { .. }));
    weights
        .map(|(buffer, _)| {
            let rows = match command.kernel {
                // Rows of a table.
                Kernel::Embedding(_) => distinct(inputs.u32(0)),
                // Matrices of a stack.
                Kernel::ExpertGateUp(_) | Kernel::ExpertDown(_) => {
                    distinct(inputs.u32(1)) * (buffer.rows() / buffer.shape.axes()[0])
                }
                _ => buffer.rows(),
            };
            buffer.element.bytes(rows, buffer.row()) as u64
        })
        .sum()
}

fn distinct(ids: &[u32]) -> usize {
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids.dedup();
    ids.len()
}
