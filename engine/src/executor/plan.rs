//! Which scratch buffers may share memory: two whose uses do not overlap in the list of commands take the same slot.

use crate::recording::{Buffer, Place, Recording};
use crate::shape::Element;

/// Slot of each scratch buffer, and size in elements and type of each slot.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) slot_of: Vec<usize>,
    pub(crate) slots: Vec<(usize, Element)>,
}

impl Plan {
    /// First fit in the order of first use: few slots, each as large as its largest tenant.
    pub(crate) fn new(recording: &Recording) -> Plan {
        let mut first = vec![usize::MAX; recording.scratch.len()];
        let mut last = vec![0; recording.scratch.len()];
        let mut touch = |buffer: &Buffer, at: usize| {
            if let Place::Scratch(id) = buffer.place {
                let id = id as usize;
                first[id] = first[id].min(at);
                last[id] = last[id].max(at);
            }
        };
        for (at, command) in recording.commands.iter().enumerate() {
            command.inputs.iter().chain(&command.outputs).for_each(|b| touch(b, at));
        }
        for (at, _, buffer) in &recording.taps {
            touch(buffer, *at);
        }
        for (id, _) in &recording.constants {
            first[*id as usize] = 0; // filled before the first command
        }

        let mut order: Vec<usize> = (0..first.len()).filter(|&id| first[id] != usize::MAX).collect();
        order.sort_by_key(|&id| first[id]);
        let mut plan = Plan { slot_of: vec![usize::MAX; first.len()], slots: Vec::new() };
        let mut busy_until: Vec<usize> = Vec::new();
        for id in order {
            let (size, element) = recording.scratch[id];
            let free = (0..plan.slots.len())
                .filter(|&s| plan.slots[s].1 == element && busy_until[s] < first[id])
                .min_by_key(|&s| plan.slots[s].0.abs_diff(size));
            let slot = free.unwrap_or_else(|| {
                plan.slots.push((0, element));
                busy_until.push(0);
                plan.slots.len() - 1
            });
            plan.slots[slot].0 = plan.slots[slot].0.max(size);
            busy_until[slot] = last[id];
            plan.slot_of[id] = slot;
        }
        plan
    }
}
