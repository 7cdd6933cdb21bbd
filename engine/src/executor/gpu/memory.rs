//! Resident memory on a device: weights, caches and states, one wgpu buffer each.

use std::sync::Arc;

use half::f16;

use super::context::Context;
use super::groups::Groups;
use super::readback::{Piece, Readback};
use super::upload;
use super::writer::InFlight;
use crate::error::{Error, Result};
use crate::memory::Memory;
use crate::recording::{Buffer, Place};
use crate::shader::Plane;
use crate::shape::{Bytes, Element, Shape};

/// Memory behind one place.
#[derive(Clone, Debug)]
pub(super) struct Resident {
    pub(super) buffer: wgpu::Buffer,
    /// Where the scales of a quantised matrix begin.
    scales: u64,
}

/// All resident buffers of an executor.
pub(crate) struct Residents {
    context: Arc<Context>,
    places: Vec<Option<Resident>>,
    free: Vec<u32>,
    /// What the programs bind of it.
    pub(super) groups: Groups,
    pub(super) readback: Readback,
    in_flight: InFlight,
}

impl Residents {
    pub(super) fn new(context: Arc<Context>) -> Residents {
        Residents {
            readback: Readback::new(context.clone()),
            context,
            places: Vec::new(),
            free: Vec::new(),
            groups: Groups::default(),
            in_flight: InFlight::default(),
        }
    }

    /// What to bind of a resident place.
    pub(super) fn binding(&self, id: u32, plane: Plane) -> Result<wgpu::BufferBinding<'_>> {
        let resident = self.resident(id)?;
        let offset = match plane {
            Plane::Values => 0,
            Plane::Scales => resident.scales,
        };
        let size = match plane {
            Plane::Values if resident.scales > 0 => wgpu::BufferSize::new(resident.scales),
            _ => None,
        };
        Ok(wgpu::BufferBinding { buffer: &resident.buffer, offset, size })
    }

    pub(super) fn resident(&self, id: u32) -> Result<&Resident> {
        self.places.get(id as usize).and_then(Option::as_ref).ok_or_else(|| Error::Shape {
            kernel: "memory",
            reason: format!("buffer {id} was freed, or belongs to another device"),
        })
    }

    /// The piece of memory behind a view of u32 or f32.
    pub(super) fn piece(&self, buffer: Buffer) -> Result<Piece> {
        let at = buffer.element.bytes(1, buffer.offset) as u64;
        Ok((self.of(buffer)?.buffer.clone(), at, buffer.element.bytes(1, buffer.shape.len()) as u64))
    }

    fn insert(&mut self, resident: Resident, shape: Shape, element: Element) -> Buffer {
        let id = match self.free.pop() {
            Some(id) => {
                self.places[id as usize] = Some(resident);
                id
            }
            None => {
                self.places.push(Some(resident));
                self.places.len() as u32 - 1
            }
        };
        Buffer { place: Place::Resident(id), offset: 0, shape, element }
    }

    fn of(&self, buffer: Buffer) -> Result<&Resident> {
        match buffer.place {
            Place::Resident(id) => self.resident(id),
            Place::Scratch(_) => {
                Err(Error::Shape { kernel: "memory", reason: "only resident buffers outlive a run".into() })
            }
        }
    }

    fn write(&mut self, buffer: Buffer, bytes: &[u8]) -> Result<()> {
        if !bytes.is_empty() {
            let at = buffer.element.bytes(1, buffer.offset) as u64;
            self.context.queue.write_buffer(&self.of(buffer)?.buffer, at, bytes);
        }
        self.context.check()
    }

    fn read(&mut self, buffer: Buffer) -> Result<Vec<u8>> {
        let (at, size) =
            (buffer.element.bytes(1, buffer.offset), buffer.element.bytes(1, buffer.shape.len()));
        let from = self.of(buffer)?.buffer.clone();
        self.readback.read(&from, at as u64, size)
    }
}

impl Memory for Residents {
    fn upload(&mut self, shape: Shape, element: Element, parts: Vec<Bytes>) -> Result<Buffer> {
        let (buffer, scales) = upload::matrix(&self.context, &mut self.in_flight, shape, element, &parts)?;
        Ok(self.insert(Resident { buffer, scales }, shape, element))
    }

    fn random(&mut self, shape: Shape, element: Element) -> Result<Option<Buffer>> {
        let (buffer, scales) = upload::random(&self.context, shape, element)?;
        Ok(Some(self.insert(Resident { buffer, scales }, shape, element)))
    }

    fn allocate(&mut self, shape: Shape, element: Element) -> Result<Buffer> {
        let buffer = self.context.buffer("state", element.bytes(shape.rows(), shape.row()) as u64)?;
        Ok(self.insert(Resident { buffer, scales: 0 }, shape, element))
    }

    fn free(&mut self, buffer: Buffer) {
        if let Place::Resident(id) = buffer.place
            && let Some(place) = self.places.get_mut(id as usize)
            && let Some(resident) = place.take()
        {
            self.groups.forget(&[resident.buffer]);
            self.free.push(id);
        }
    }

    fn write_f32(&mut self, buffer: Buffer, values: &[f32]) -> Result<()> {
        match buffer.element {
            Element::F16 => {
                let halves: Vec<f16> = values.iter().map(|&v| f16::from_f32(v)).collect();
                self.write(buffer, bytemuck::cast_slice(&halves))
            }
            _ => self.write(buffer, bytemuck::cast_slice(values)),
        }
    }

    fn write_u32(&mut self, buffer: Buffer, values: &[u32]) -> Result<()> {
        self.write(buffer, bytemuck::cast_slice(values))
    }

    fn read_f32(&mut self, buffer: Buffer) -> Result<Vec<f32>> {
        let bytes = self.read(buffer)?;
        Ok(match buffer.element {
            Element::F16 => {
                bytemuck::pod_collect_to_vec::<u8, f16>(&bytes).into_iter().map(f16::to_f32).collect()
            }
            _ => bytemuck::pod_collect_to_vec(&bytes),
        })
    }

    fn read_u32(&mut self, buffer: Buffer) -> Result<Vec<u32>> {
        Ok(bytemuck::pod_collect_to_vec(&self.read(buffer)?))
    }
}
