//! Scratch slots: memory that programs share, since none keeps anything there from run to run.

use super::context::Context;
use crate::error::Result;

/// Slots that grow with the largest program. Earlier programs keep the smaller ones that they were made with.
#[derive(Default)]
pub(super) struct Scratch {
    slots: Vec<wgpu::Buffer>,
    /// Slots that no later program gets, since they were last asked for.
    outgrown: Vec<wgpu::Buffer>,
    /// Words behind each slot that no shader may touch; slots are not shared then.
    #[cfg(test)]
    pub(super) guarded: bool,
}

impl Scratch {
    /// A slot of each of these sizes in bytes.
    pub(super) fn take(
        &mut self,
        context: &Context,
        sizes: impl Iterator<Item = u64>,
    ) -> Result<Vec<wgpu::Buffer>> {
        #[cfg(test)]
        if self.guarded {
            let slots = sizes.map(|size| guard::slot(context, size)).collect::<Result<Vec<_>>>()?;
            self.outgrown.extend_from_slice(&slots);
            return Ok(slots);
        }
        let mut taken = Vec::new();
        for (slot, size) in sizes.enumerate() {
            if self.slots.get(slot).is_none_or(|have| have.size() < size) {
                let buffer = context.buffer("scratch", size)?;
                match self.slots.get_mut(slot) {
                    Some(have) => self.outgrown.push(std::mem::replace(have, buffer)),
                    None => self.slots.push(buffer),
                }
            }
            taken.push(self.slots[slot].clone());
        }
        Ok(taken)
    }

    /// The slots that have become too small since the last call.
    pub(super) fn take_outgrown(&mut self) -> Vec<wgpu::Buffer> {
        std::mem::take(&mut self.outgrown)
    }
}

#[cfg(test)]
pub(super) mod guard {
    use super::*;
    use crate::executor::gpu::readback::Readback;
    use std::sync::Arc;

    const WORDS: usize = 64;
    const WORD: u32 = 0x7fc0_dead; // a NaN, so that reading it shows too

    /// A slot whose last words are guards.
    pub(super) fn slot(context: &Context, size: u64) -> Result<wgpu::Buffer> {
        let size = size.next_multiple_of(4);
        let buffer = context.buffer("guarded scratch", size + 4 * WORDS as u64)?;
        let filled = vec![WORD; buffer.size() as usize / 4];
        context.queue.write_buffer(&buffer, 0, bytemuck::cast_slice(&filled));
        Ok(buffer)
    }

    /// Panics where a guard word has changed.
    pub(in super::super) fn check(context: &Arc<Context>, slots: &[wgpu::Buffer]) {
        for slot in slots {
            let size = 4 * WORDS;
            let bytes = Readback::new(context.clone()).read(slot, slot.size() - size as u64, size).unwrap();
            let words: &[u32] = &bytemuck::pod_collect_to_vec::<_, u32>(&bytes);
            assert!(
                words.iter().all(|w| *w == WORD),
                "a shader wrote behind its buffer of {} bytes",
                slot.size()
            );
        }
    }
}
