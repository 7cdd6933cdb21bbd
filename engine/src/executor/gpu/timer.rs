//! How long each step took on the device, by timestamps between them.

use std::time::Duration;

use super::context::Context;
use super::readback::Readback;
use crate::error::Result;

/// Timestamps of one run: one before each step and one after the last.
pub(super) struct Timer {
    queries: wgpu::QuerySet,
    resolved: wgpu::Buffer,
    count: u32,
}

/// Most timestamps of a run that an adapter keeps.
const MOST: usize = 4096;

impl Timer {
    /// For a run of so many steps; `None` where the device has no timestamps, or they are too many.
    pub(super) fn new(context: &Context, steps: usize) -> Result<Option<Timer>> {
        let needed = wgpu::Features::TIMESTAMP_QUERY | wgpu::Features::TIMESTAMP_QUERY_INSIDE_PASSES;
        if !context.device.features().contains(needed) || steps == 0 || steps >= MOST {
            return Ok(None);
        }
        let count = steps as u32 + 1;
        let queries = context.device.create_query_set(&wgpu::QuerySetDescriptor {
            label: None,
            ty: wgpu::QueryType::Timestamp,
            count,
        });
        let resolved = context.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("timestamps"),
            size: u64::from(count) * u64::from(wgpu::QUERY_SIZE),
            usage: wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC,
            mapped_at_creation: false,
        });
        Ok(Some(Timer { queries, resolved, count }))
    }

    /// Takes the time before step `step` of the run.
    pub(super) fn before(&self, pass: &mut wgpu::ComputePass<'_>, step: usize) {
        pass.write_timestamp(&self.queries, step as u32);
    }

    /// Takes the time after the last step, in the pass that ran it.
    pub(super) fn after(&self, pass: &mut wgpu::ComputePass<'_>) {
        pass.write_timestamp(&self.queries, self.count - 1);
    }

    /// Has the times brought together once the encoder's work is done.
    pub(super) fn resolve(&self, encoder: &mut wgpu::CommandEncoder) {
        encoder.resolve_query_set(&self.queries, 0..self.count, &self.resolved, 0);
    }

    /// What each step took. Blocks until the run is done.
    pub(super) fn read(&self, context: &Context, readback: &mut Readback) -> Result<Vec<Duration>> {
        let bytes = readback.read(&self.resolved, 0, self.resolved.size() as usize)?;
        let ticks: Vec<u64> = bytemuck::pod_collect_to_vec(&bytes);
        let period = f64::from(context.queue.get_timestamp_period());
        let took = |pair: &[u64]| pair[1].saturating_sub(pair[0]) as f64 * period / 1e9;
        Ok(ticks.windows(2).map(|pair| Duration::from_secs_f64(took(pair))).collect())
    }
}
