//! Brings weights to the device in the layout that the shaders load: rows padded with zeros to 16 bytes or a whole block.

use half::f16;

use super::context::Context;
use crate::error::{Error, Result};
use crate::quant::Quant;
use crate::recording::{Buffer, Place};
use crate::shader::{self, Dispatch};
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

/// A buffer of random weights made on the device, in the layout of [`matrix`].
pub(super) fn random(context: &Context, shape: Shape, element: Element) -> Result<(wgpu::Buffer, u64)> {
    let (values, scales) = match element.quant() {
        Some(quant) => {
            let quants = quant.quants(shape.rows(), shape.row());
            (quants, quant.bytes(shape.rows(), shape.row()) - quants)
        }
        None => (element.bytes(shape.rows(), shader::pitch(element, shape.row())), 0),
    };
    let align = context.device.limits().min_storage_buffer_offset_alignment as usize;
    let start = values.next_multiple_of(align);
    let buffer = context.buffer("weight", (start + scales) as u64)?;
    let f16 = |value: f32| u32::from(f16::from_f32(value).to_bits());
    // Small enough that activations stay finite over many layers: up to a sixteenth.
    match element {
        Element::F32 | Element::U32 => fill(context, &buffer, "F32", [0, values], [0; 3])?,
        Element::Bf16 => fill(context, &buffer, "HALVES", [0, values], [119 << 7, 0x807f, 1 << 7])?,
        Element::F16 => fill(context, &buffer, "HALVES", [0, values], [7 << 10, 0x83ff, 1 << 10])?,
        Element::Q8_0 => {
            fill(context, &buffer, "BYTES", [0, values], [0; 3])?;
            let pair = f16(1.0 / 2048.0) * 0x1_0001;
            fill(context, &buffer, "SCALES", [start, scales], [pair, 0, 0])?;
        }
        Element::Q4 => {
            fill(context, &buffer, "BYTES", [0, values], [0; 3])?;
            let pair = f16(1.0 / 128.0) | f16(-7.5 / 128.0) << 16;
            fill(context, &buffer, "SCALES", [start, scales], [pair, 0, 0])?;
        }
    }
    Ok((buffer, if scales > 0 { start as u64 } else { 0 }))
}

/// Runs the noise shader over `bytes` bytes from byte `start` on.
fn fill(
    context: &Context,
    buffer: &wgpu::Buffer,
    define: &'static str,
    [start, bytes]: [usize; 2],
    pattern: [u32; 3],
) -> Result<()> {
    const GROUPS: u32 = 8192;
    let place = Buffer { place: Place::Scratch(0), offset: 0, shape: [1].into(), element: Element::U32 };
    let words = bytes.div_ceil(4).min(buffer.size() as usize / 4 - start / 4);
    let dispatch = pattern.into_iter().fold(
        Dispatch::new("noise").define(define).write(place).size(start / 4).size(words),
        Dispatch::param,
    );
    let bound = vec![buffer.as_entire_binding()];
    let work = context.encode(&dispatch.blueprint(), bound, &dispatch.params, [GROUPS, 1, 1])?;
    context.submit(Some(work));
    Ok(())
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
                // Bounds what is staged: the driver frees it once it has been copied.
                let submission = self.context.submit(None);
                self.context.wait(Some(submission))?;
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
        self.flush()
    }
}
