//! Which scratch buffers may share memory: two whose uses do not overlap in time take the same slot.

use crate::shape::Element;

/// Slot of each scratch buffer, and size in elements and type of each slot.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// `usize::MAX` for a buffer that nothing uses.
    pub(crate) slot_of: Vec<usize>,
    pub(crate) slots: Vec<(usize, Element)>,
}

impl Plan {
    /// First fit in the order of first use: few slots, each as large as its largest tenant. `scratch` are size in elements and type
    /// of each buffer; `uses` are pairs of a moment and the buffer used in it.
    pub(crate) fn new(scratch: &[(usize, Element)], uses: impl Iterator<Item = (usize, u32)>) -> Plan {
        let mut first = vec![usize::MAX; scratch.len()];
        let mut last = vec![0; scratch.len()];
        for (at, id) in uses {
            let id = id as usize;
            first[id] = first[id].min(at);
            last[id] = last[id].max(at);
        }

        let mut order: Vec<usize> = (0..first.len()).filter(|&id| first[id] != usize::MAX).collect();
        order.sort_by_key(|&id| first[id]);
        let mut plan = Plan { slot_of: vec![usize::MAX; first.len()], slots: Vec::new() };
        let mut busy_until: Vec<usize> = Vec::new();
        for id in order {
            let (size, element) = scratch[id];
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

    /// Bytes of all slots.
    pub(crate) fn bytes(&self) -> u64 {
        self.slots.iter().map(|&(size, element)| element.bytes(1, size) as u64).sum()
    }
}
