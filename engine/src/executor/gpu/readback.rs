//! Brings bytes from the device to the host.

use std::sync::Arc;

use super::context::Context;
use crate::error::Result;

/// Buffers that the host can read, kept for the next read.
pub(super) struct Readback {
    context: Arc<Context>,
    idle: Vec<wgpu::Buffer>,
}

/// Bytes on their way to the host: pieces, one after the other.
pub(crate) struct Pending {
    staging: wgpu::Buffer,
    length: u64,
    /// The work that they are copied after, once it is submitted.
    pub(super) submission: Option<wgpu::SubmissionIndex>,
}

/// The least that is worth a buffer, so that small reads never make a new one.
const LEAST_BYTES: u64 = 1 << 12;

/// A piece of a buffer: where it begins and how many bytes it has, both multiples of 4.
pub(super) type Piece = (wgpu::Buffer, u64, u64);

impl Readback {
    pub(super) fn new(context: Arc<Context>) -> Readback {
        Readback { context, idle: Vec::new() }
    }

    /// Has `pieces` copied when the encoder's work is done.
    pub(super) fn copy(&mut self, encoder: &mut wgpu::CommandEncoder, pieces: &[Piece]) -> Result<Pending> {
        let length: u64 = pieces.iter().map(|(_, _, size)| size).sum();
        let staging = match self.idle.iter().position(|b| b.size() >= length) {
            Some(at) => self.idle.swap_remove(at),
            None => self.context.staging(length.next_power_of_two().max(LEAST_BYTES))?,
        };
        let mut to = 0;
        for (from, at, size) in pieces {
            encoder.copy_buffer_to_buffer(from, *at, &staging, to, *size);
            to += size;
        }
        Ok(Pending { staging, length, submission: None })
    }

    /// The bytes, once the work that they were copied after is done. Blocks.
    pub(super) fn collect(&mut self, pending: Pending) -> Result<Vec<u8>> {
        let Pending { staging, length, submission } = pending;
        let bytes = self.context.mapped(&staging, length, submission, <[u8]>::to_vec)?;
        self.idle.push(staging);
        Ok(bytes)
    }

    /// `size` bytes of `from`, after all work submitted so far. Blocks.
    pub(super) fn read(&mut self, from: &wgpu::Buffer, at: u64, size: usize) -> Result<Vec<u8>> {
        if size == 0 {
            return Ok(Vec::new());
        }
        let length = (size as u64).next_multiple_of(wgpu::COPY_BUFFER_ALIGNMENT);
        let mut encoder =
            self.context.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let mut pending = self.copy(&mut encoder, &[(from.clone(), at, length)])?;
        pending.submission = Some(self.context.submit(Some(encoder.finish())));
        let mut bytes = self.collect(pending)?;
        bytes.truncate(size);
        Ok(bytes)
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

    /// Shows `read` the first `length` bytes of a staging buffer, once `submission` is done; without one, all that was
    /// submitted.
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
        let lost = |what: String| self.lose(what);
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
}
