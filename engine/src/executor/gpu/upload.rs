//! Brings weights to the device in the layout that the shaders load: rows padded with zeros to 16 bytes or a whole block.

use super::context::Context;
use crate::error::{Error, Result};
use crate::quant::Quant;
use crate::shader;
use crate::shape::{Bytes, Element, Shape};

/// Bytes on their way at once where processor and adapter do not share their memory.
const STAGED_BYTES: usize = 32 << 20;

/// A buffer with the matrix, and where its scales begin (0 without scales).
pub(super) fn matrix(
    context: &Context,
    shape: Shape,
    element: Element,
    parts: &[Bytes],
) -> Result<(wgpu::Buffer, u64)> {
    if let Some(quant) = element.quant() {
        return quantised(context, quant, shape, parts);
    }
    let (row, pitch) = (element.bytes(1, shape.row()), element.bytes(1, shader::pitch(element, shape.row())));
    let buffer = context.buffer("weight", (shape.rows() * pitch) as u64)?;
    let mut writer = Writer { context, buffer: &buffer, at: 0, block: Vec::new() };
    for part in parts {
        let bytes = (**part).as_ref();
        if row == pitch {
            writer.push(bytes)?;
        } else {
            for row in bytes.chunks_exact(row) {
                writer.push(row)?;
                writer.pad(pitch - row.len())?;
            }
        }
    }
    writer.finish()?;
    Ok((buffer, 0))
}

/// The quants of all parts, then their scales.
fn quantised(context: &Context, quant: Quant, shape: Shape, parts: &[Bytes]) -> Result<(wgpu::Buffer, u64)> {
    let quants = quant.quants(shape.rows(), shape.row());
    let align = context.device.limits().min_storage_buffer_offset_alignment as usize;
    let start = quants.next_multiple_of(align);
    let all = quant.bytes(shape.rows(), shape.row());
    let buffer = context.buffer("weight", (start + all - quants) as u64)?;
    // Where a part's own scales begin.
    let split = quants / parts.len().max(1);
    let mut writer = Writer { context, buffer: &buffer, at: 0, block: Vec::new() };
    parts.iter().try_for_each(|part| writer.push(&(**part).as_ref()[..split]))?;
    writer.pad(start - quants)?;
    parts.iter().try_for_each(|part| writer.push(&(**part).as_ref()[split..]))?;
    writer.finish()?;
    Ok((buffer, start as u64))
}

/// Fills a buffer from its start on.
struct Writer<'a> {
    context: &'a Context,
    buffer: &'a wgpu::Buffer,
    at: u64,
    block: Vec<u8>,
}

impl Writer<'_> {
    fn push(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(STAGED_BYTES - self.block.len()));
            self.block.extend_from_slice(now);
            bytes = later;
            if self.block.len() == STAGED_BYTES {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn pad(&mut self, count: usize) -> Result<()> {
        self.push(&vec![0; count])
    }

    fn flush(&mut self) -> Result<()> {
        self.block.resize(self.block.len().next_multiple_of(4), 0);
        if self.at + self.block.len() as u64 > self.buffer.size() {
            return Err(Error::Shape {
                kernel: "upload",
                reason: "a weight has more bytes than its shape".into(),
            });
        }
        self.context.queue.write_buffer(self.buffer, self.at, &self.block);
        self.at += self.block.len() as u64;
        self.block.clear();
        Ok(())
    }

    fn finish(mut self) -> Result<()> {
        let waits = self.at > 0;
        self.flush()?;
        if waits {
            // Bounds what is staged: the driver frees it once it has been copied.
            let submission = self.context.submit(None);
            self.context.wait(Some(submission))?;
        }
        Ok(())
    }
}
