//! What the commands of some runs cost: time by kernel, and bytes of weights that had to be read.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::kernels::Kernel;
use crate::kernels::bindings::{Inputs, Storage};
use crate::recording::{Buffer, Command};

/// Sums over the commands run while metering was on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meter {
    /// Bytes of weights, counting those of an expert or an embedding row only where it was used.
    pub(crate) weight_bytes: u64,
    /// Time by kernel.
    pub(crate) times: BTreeMap<&'static str, Duration>,
    /// Runs of a shader; 0 on the processor.
    pub(crate) dispatches: u64,
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

/// Bytes of weights that a command reads, where the device alone knows which experts it takes: as many different ones as so many
/// independent choices give on average.
pub(super) fn expected_bytes(command: &Command) -> u64 {
    let inputs = &command.inputs;
    let all = |buffer: &Buffer| buffer.element.bytes(buffer.rows(), buffer.row()) as f64;
    let chosen = |index: &Buffer, stack: &Buffer| {
        let experts = stack.shape.axes()[0] as f64;
        all(stack) * (1.0 - (1.0 - 1.0 / experts).powf(index.shape.len() as f64))
    };
    let bytes = match &command.kernel {
        Kernel::Linear(_) => all(&inputs[1]),
        Kernel::GateUp(_) => all(&inputs[1]) + all(&inputs[2]),
        Kernel::Projections(p) => p.parts(inputs).1.iter().map(|(weight, _)| all(weight)).sum(),
        Kernel::ExpertGateUp(_) if inputs[1].rows() == 1 => {
            let share = inputs[1].shape.len() as f64 / inputs[2].shape.axes()[0] as f64;
            share * (all(&inputs[2]) + all(&inputs[3]))
        }
        Kernel::ExpertGateUp(_) => chosen(&inputs[1], &inputs[2]) + chosen(&inputs[1], &inputs[3]),
        Kernel::ExpertDown(_) if inputs[1].rows() == 1 => {
            all(&inputs[3]) * inputs[1].shape.len() as f64 / inputs[3].shape.axes()[0] as f64
        }
        Kernel::ExpertDown(_) => chosen(&inputs[1], &inputs[3]),
        Kernel::Embedding(_) => inputs[1].element.bytes(inputs[0].shape.len(), inputs[1].row()) as f64,
        _ => 0.0,
    };
    bytes as u64
}

fn distinct(ids: &[u32]) -> usize {
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids.dedup();
    ids.len()
}
