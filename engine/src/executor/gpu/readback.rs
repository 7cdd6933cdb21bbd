//! Brings bytes from the device to the host.

use std::sync::Arc;

use super::context::Context;
use crate::error::{Error, Result};

/// A buffer that the host can read, kept for the next read.
pub(super) struct Readback {
    context: Arc<Context>,
    staging: Option<wgpu::Buffer>,
}

/// The least that is worth a buffer, so that small reads never make a new one.
const LEAST_BYTES: u64 = 1 << 16;

impl Readback {
    pub(super) fn new(context: Arc<Context>) -> Readback {
        Readback { context, staging: None }
    }

    /// `size` bytes of `from`, after all work submitted so far. Blocks.
    pub(super) fn read(&mut self, from: &wgpu::Buffer, at: u64, size: usize) -> Result<Vec<u8>> {
        if size == 0 {
            return Ok(Vec::new());
        }
        let length = (size as u64).next_multiple_of(wgpu::COPY_BUFFER_ALIGNMENT);
        let staging = match self.staging.take().filter(|b| b.size() >= length) {
            Some(staging) => staging,
            None => self.context.staging(length.next_power_of_two().max(LEAST_BYTES))?,
        };
        let mut encoder =
            self.context.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        encoder.copy_buffer_to_buffer(from, at, &staging, 0, length);
        let submission = self.context.queue.submit([encoder.finish()]);
        let bytes = self.context.mapped(&staging, length, Some(submission), |bytes| bytes[..size].to_vec());
        self.staging = Some(staging);
        bytes
    }
}

impl Context {
    /// A buffer that the host can read.
    pub(super) fn staging(&self, size: u64) -> Result<wgpu::Buffer> {
        self.checked(size, || {
            self.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("readback"),
                size,
                usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        })
    }

    /// Shows `read` the first `length` bytes of a staging buffer, after `submission` is done or, without one, all that was submitted.
    pub(super) fn mapped<T>(
        &self,
        staging: &wgpu::Buffer,
        length: u64,
        submission: Option<wgpu::SubmissionIndex>,
        read: impl FnOnce(&[u8]) -> T,
    ) -> Result<T> {
        let (sender, mapped) = std::sync::mpsc::channel();
        staging.map_async(wgpu::MapMode::Read, ..length, move |result| {
            // The receiver is gone where waiting has failed: nobody reads then.
            let _ = sender.send(result);
        });
        self.wait(submission)?;
        let lost = |what: String| self.check().err().unwrap_or(Error::DeviceLost(what));
        // Where another thread waits for the device too, the answer may come from there, a moment after the wait here has ended.
        match mapped.recv_timeout(super::PATIENCE) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(lost(error.to_string())),
            Err(_) => return Err(lost("it did not finish its work".into())),
        }
        let view = staging.get_mapped_range(..length).map_err(|e| lost(format!("{e:?}")))?;
        let result = read(&view);
        drop(view);
        staging.unmap();
        Ok(result)
    }

    /// Waits for a submission, or for all.
    pub(super) fn wait(&self, submission_index: Option<wgpu::SubmissionIndex>) -> Result<()> {
        let poll = wgpu::PollType::Wait { submission_index, timeout: Some(super::PATIENCE) };
        match self.device.poll(poll) {
            Ok(_) => self.check(),
            Err(error) => Err(self.check().err().unwrap_or(Error::DeviceLost(error.to_string()))),
        }
    }
}
