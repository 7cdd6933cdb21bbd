//! Brings weights to the device in the layout that the shaders load: rows padded with zeros to 16 bytes or a whole block.

use half::f16;

use super::context::Context;
use super::writer::{InFlight, Writer};
use crate::error::Result;
use crate::recording::{Buffer, Place};
use crate::shader::{self, Dispatch};
use crate::shape::{Bytes, Element, Shape};

/// Where a matrix lies in its buffer, in bytes.
struct Layout {
    /// Its elements or quants, from the start on.
    values: usize,
    /// Where its scales begin: at a place that can be bound.
    start: usize,
    /// Its scales, if it has any.
    scales: usize,
}

impl Layout {
    fn of(context: &Context, shape: Shape, element: Element) -> Layout {
        let Some(quant) = element.quant() else {
            let values = element.bytes(shape.rows(), shader::pitch(element, shape.row()));
            return Layout { values, start: values, scales: 0 };
        };
        let values = quant.quants(shape.rows(), shape.row());
        let align = context.device.limits().min_storage_buffer_offset_alignment as usize;
        let scales = quant.bytes(shape.rows(), shape.row()) - values;
        Layout { values, start: values.next_multiple_of(align), scales }
    }

    fn bytes(&self) -> u64 {
        (self.start + self.scales) as u64
    }

    /// Where the scales begin; 0 without any.
    fn scales_at(&self) -> u64 {
        if self.scales > 0 { self.start as u64 } else { 0 }
    }
}

/// A buffer with the matrix, and where its scales begin (0 without scales).
pub(super) fn matrix(
    context: &Context,
    in_flight: &mut InFlight,
    shape: Shape,
    element: Element,
    parts: &[Bytes],
) -> Result<(wgpu::Buffer, u64)> {
    let layout = Layout::of(context, shape, element);
    let mut writer = Writer::new(context, in_flight, layout.bytes())?;
    match element.quant() {
        Some(_) => planes(&mut writer, &layout, parts)?,
        None => rows(&mut writer, shape, element, parts)?,
    }
    Ok((writer.finish()?, layout.scales_at()))
}

/// Rows, each padded to where the next begins.
fn rows(writer: &mut Writer<'_>, shape: Shape, element: Element, parts: &[Bytes]) -> Result<()> {
    let (row, pitch) = (element.bytes(1, shape.row()), element.bytes(1, shader::pitch(element, shape.row())));
    let parts: Vec<&[u8]> = parts.iter().map(|part| (**part).as_ref()).collect();
    if row == pitch {
        return writer.push_all(&parts);
    }
    for part in parts {
        for row in part.chunks_exact(row) {
            writer.push(row)?;
            writer.pad(pitch - row.len())?;
        }
    }
    Ok(())
}

/// The quants of all parts, then their scales.
fn planes(writer: &mut Writer<'_>, layout: &Layout, parts: &[Bytes]) -> Result<()> {
    // Where a part's own scales begin.
    let split = layout.values / parts.len().max(1);
    let (quants, scales): (Vec<_>, Vec<_>) =
        parts.iter().map(|part| (**part).as_ref().split_at(split)).unzip();
    writer.push_all(&quants)?;
    writer.pad(layout.start - layout.values)?;
    writer.push_all(&scales)
}

/// A buffer of random weights made on the device, in the layout of [`matrix`].
pub(super) fn random(context: &Context, shape: Shape, element: Element) -> Result<(wgpu::Buffer, u64)> {
    let layout = Layout::of(context, shape, element);
    let Layout { values, start, scales } = layout;
    let buffer = context.weight(layout.bytes(), false)?;
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
    Ok((buffer, layout.scales_at()))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::gpu::readback::Readback;
    use std::sync::Arc;

    #[test]
    fn rows_and_planes_lie_where_shaders_look_for_them_whichever_way_they_are_written() {
        let open = || Context::open(true, None).expect("a Vulkan driver, such as Mesa's lavapipe");
        for context in [Arc::new(open()), Arc::new(open().without_mapping())] {
            let align = context.device.limits().min_storage_buffer_offset_alignment as usize;
            for element in [Element::F32, Element::Bf16, Element::F16, Element::Q8_0, Element::Q4] {
                // Two parts of three rows each, of a length that needs padding and one that does not.
                for row in [37, 64] {
                    let (shape, blocks) = (Shape::from([2, 3, row]), row.div_ceil(32));
                    // Bytes of a row and of its padding, or of its quants and its scales.
                    let (values, pad, scales) = match element {
                        Element::Q8_0 => (32 * blocks, 0, 2 * blocks),
                        Element::Q4 => (16 * blocks, 0, 4 * blocks),
                        _ => (
                            element.bytes(1, row),
                            element.bytes(1, row).next_multiple_of(16) - element.bytes(1, row),
                            0,
                        ),
                    };
                    let part = |first: u8| {
                        (0..3 * (values + scales)).map(|i| first.wrapping_add(i as u8)).collect::<Vec<_>>()
                    };
                    let parts = [part(1), part(99)];

                    let mut want = Vec::new();
                    for row in parts.iter().flat_map(|part| part[..3 * values].chunks(values)) {
                        want.extend_from_slice(row);
                        want.resize(want.len() + pad, 0);
                    }
                    let start = if scales > 0 { want.len().next_multiple_of(align) } else { 0 };
                    want.resize(want.len().max(start), 0);
                    parts.iter().for_each(|part| want.extend_from_slice(&part[3 * values..]));

                    let parts = parts.map(|part| Arc::new(part) as Bytes);
                    let (buffer, scales_at) =
                        matrix(&context, &mut InFlight::default(), shape, element, &parts).unwrap();
                    assert_eq!(scales_at, start as u64, "{element:?}, rows of {row}");
                    let got = Readback::new(context.clone()).read(&buffer, 0, want.len()).unwrap();
                    assert!(got == want, "{element:?}, rows of {row}, mapped: {}", context.mappable);
                }
            }
        }
    }
}
