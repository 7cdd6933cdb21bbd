//! Runs recordings on the processor: each command calls its kernel's `cpu` function, which shares rows among the threads.

use std::collections::BTreeMap;
use std::time::Instant;

use half::f16;
use half::slice::HalfFloatSliceExt;
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::meter::Meter;
use super::plan::Plan;
use crate::cancel::Cancel;
use crate::error::{Error, Result};
use crate::kernels::bindings::{Inputs, Outputs, Slot, Storage};
use crate::kernels::isa::Isa;
use crate::memory::Memory;
use crate::recording::{Buffer, Constant, Place, Recording};
use crate::shape::{Bytes, Element, Shape};

/// More threads than any machine here has cores; without a limit a slip of the keys would bring the machine down.
const MOST_THREADS: usize = 1024;

/// Memory of every buffer, and the threads.
pub(crate) struct Cpu {
    resident: Vec<Storage>,
    free: Vec<u32>,
    scratch: Vec<Storage>,
    pool: ThreadPool,
    /// Whether rows that meet quantised weights are taken in eight bits.
    int8: bool,
    taps: BTreeMap<String, (Shape, Constant)>,
    /// Sums over the commands, where somebody wants them.
    pub(super) meter: Option<Meter>,
}

impl Cpu {
    /// An executor with so many threads; 0 takes one for each core.
    ///
    /// # Errors
    /// `Error::Input` for more than [`MOST_THREADS`], or when the system refuses them.
    pub(crate) fn new(threads: usize) -> Result<Cpu> {
        if threads > MOST_THREADS {
            return Err(Error::Input(format!(
                "{threads} threads are too many: at most {MOST_THREADS}, or 0 for one on each core"
            )));
        }
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|i| format!("engine-{i}"))
            .build()
            .map_err(|e| Error::Input(format!("cannot start {threads} threads: {e}")))?;
        Ok(Cpu {
            resident: Vec::new(),
            free: Vec::new(),
            scratch: Vec::new(),
            pool,
            int8: true,
            taps: BTreeMap::new(),
            meter: None,
        })
    }

    /// The same, but keeps to f32 where weights are quantised.
    pub(crate) fn without_int8(self) -> Cpu {
        Cpu { int8: false, ..self }
    }

    /// Threads and the instruction set that the kernels use.
    pub(crate) fn description(&self) -> String {
        format!("cpu ({} threads, {})", self.pool.current_num_threads(), Isa::best())
    }

    /// Runs all commands in order. Taps replace those of earlier runs that have the same name.
    ///
    /// # Errors
    /// `Error::Cancelled` when `cancel` fires between two commands; resident buffers then hold part of the work.
    pub(crate) fn run(&mut self, recording: &Recording, plan: &Plan, cancel: &Cancel) -> Result<()> {
        self.fill_scratch(recording, plan);
        let Cpu { resident, scratch, pool, taps, meter, int8, .. } = self;
        pool.install(|| {
            let mut tap = recording.taps.iter().peekable();
            for at in 0..=recording.commands.len() {
                while let Some((_, name, buffer)) = tap.next_if(|(after, _, _)| *after == at) {
                    taps.insert(
                        name.clone(),
                        (buffer.shape, copy_of(lookup(buffer, resident, scratch, plan), buffer)),
                    );
                }
                let Some(command) = recording.commands.get(at) else { break };
                cancel.check()?;
                // Outputs leave the tables while the kernel runs, so that inputs and outputs never alias.
                let mut taken: Vec<Storage> = command
                    .outputs
                    .iter()
                    .map(|b| std::mem::take(lookup_mut(b, resident, scratch, plan)))
                    .collect();
                let inputs = Inputs {
                    slots: command.inputs.iter().map(|b| (*b, lookup(b, resident, scratch, plan))).collect(),
                    int8: *int8,
                };
                let outputs = Outputs {
                    slots: command
                        .outputs
                        .iter()
                        .zip(&mut taken)
                        .map(|(buffer, storage)| Slot { buffer: *buffer, storage })
                        .collect(),
                };
                match meter {
                    None => command.kernel.cpu(&inputs, outputs),
                    Some(meter) => {
                        let begun = Instant::now();
                        command.kernel.cpu(&inputs, outputs);
                        meter.note(command, &inputs, begun.elapsed());
                    }
                }
                for (buffer, storage) in command.outputs.iter().zip(taken) {
                    *lookup_mut(buffer, resident, scratch, plan) = storage;
                }
            }
            Ok(())
        })
    }

    /// Which of a recording's scratch buffers share memory.
    pub(crate) fn plan(recording: &Recording) -> Plan {
        let commands = recording.commands.iter().enumerate();
        let used = commands.flat_map(|(at, c)| c.inputs.iter().chain(&c.outputs).map(move |b| (at, b.place)));
        let tapped = recording.taps.iter().map(|(at, _, buffer)| (*at, buffer.place));
        // Constants are filled before the first command.
        let constant = recording.constants.iter().map(|(id, _)| (0, Place::Scratch(*id)));
        let scratch = used.chain(tapped).chain(constant).filter_map(|(at, place)| match place {
            Place::Scratch(id) => Some((at, id)),
            Place::Resident(_) => None,
        });
        Plan::new(&recording.scratch, scratch)
    }

    /// The elements of a view of u32, or the bits of those of f32.
    pub(super) fn bits(&mut self, buffer: Buffer) -> Result<Vec<u32>> {
        match buffer.element {
            Element::U32 => self.read_u32(buffer),
            _ => Ok(self.read_f32(buffer)?.into_iter().map(f32::to_bits).collect()),
        }
    }

    /// The tensors tapped since the last call, by name.
    pub(crate) fn take_taps(&mut self) -> BTreeMap<String, (Shape, Constant)> {
        std::mem::take(&mut self.taps)
    }

    fn fill_scratch(&mut self, recording: &Recording, plan: &Plan) {
        for (slot, &(size, element)) in plan.slots.iter().enumerate() {
            if self.scratch.len() <= slot {
                self.scratch.push(Storage::default());
            }
            let storage = &mut self.scratch[slot];
            match (element, &mut *storage) {
                (Element::U32, Storage::U32(values)) if values.len() >= size => {}
                (Element::U32, _) => *storage = Storage::U32(vec![0; size]),
                (_, Storage::F32(values)) if values.len() >= size => {}
                (_, _) => *storage = Storage::F32(vec![0.0; size]),
            }
        }
        for (id, constant) in &recording.constants {
            let slot = plan.slot_of[*id as usize];
            if slot == usize::MAX {
                continue; // no command reads it
            }
            match (&mut self.scratch[slot], constant) {
                (Storage::F32(to), Constant::F32(from)) => to[..from.len()].copy_from_slice(from),
                (Storage::U32(to), Constant::U32(from)) => to[..from.len()].copy_from_slice(from),
                _ => unreachable!("the plan gives a constant a slot of its own type"),
            }
        }
    }

    fn insert(&mut self, storage: Storage, shape: Shape, element: Element) -> Buffer {
        let id = self.free.pop().unwrap_or_else(|| {
            self.resident.push(Storage::default());
            self.resident.len() as u32 - 1
        });
        self.resident[id as usize] = storage;
        Buffer { place: Place::Resident(id), offset: 0, shape, element }
    }

    fn resident(&self, buffer: Buffer) -> &Storage {
        match buffer.place {
            Place::Resident(id) => &self.resident[id as usize],
            Place::Scratch(_) => unreachable!("only resident buffers outlive a run"),
        }
    }

    fn resident_mut(&mut self, buffer: Buffer) -> &mut Storage {
        match buffer.place {
            Place::Resident(id) => &mut self.resident[id as usize],
            Place::Scratch(_) => unreachable!("only resident buffers outlive a run"),
        }
    }
}

impl Memory for Cpu {
    fn upload(&mut self, shape: Shape, element: Element, parts: Vec<Bytes>) -> Result<Buffer> {
        Ok(self.insert(Storage::Weight { element, parts }, shape, element))
    }

    fn allocate(&mut self, shape: Shape, element: Element) -> Result<Buffer> {
        let storage = match element {
            Element::U32 => Storage::U32(vec![0; shape.len()]),
            Element::F16 => Storage::F16(vec![f16::ZERO; shape.len()]),
            _ => Storage::F32(vec![0.0; shape.len()]),
        };
        Ok(self.insert(storage, shape, element))
    }

    fn free(&mut self, buffer: Buffer) {
        if let Place::Resident(id) = buffer.place {
            self.resident[id as usize] = Storage::default();
            self.free.push(id);
        }
    }

    fn write_f32(&mut self, buffer: Buffer, values: &[f32]) -> Result<()> {
        let slot = Slot { buffer, storage: self.resident_mut(buffer) };
        match buffer.element {
            Element::F16 => slot.f16().convert_from_f32_slice(values),
            _ => slot.f32().copy_from_slice(values),
        }
        Ok(())
    }

    fn write_u32(&mut self, buffer: Buffer, values: &[u32]) -> Result<()> {
        Slot { buffer, storage: self.resident_mut(buffer) }.u32().copy_from_slice(values);
        Ok(())
    }

    fn read_f32(&mut self, buffer: Buffer) -> Result<Vec<f32>> {
        let inputs = Inputs::new(vec![(buffer, self.resident(buffer))]);
        Ok(match buffer.element {
            Element::F16 => inputs.f16(0).to_f32_vec(),
            _ => inputs.f32(0).to_vec(),
        })
    }

    fn read_u32(&mut self, buffer: Buffer) -> Result<Vec<u32>> {
        Ok(Inputs::new(vec![(buffer, self.resident(buffer))]).u32(0).to_vec())
    }
}

fn lookup<'a>(buffer: &Buffer, resident: &'a [Storage], scratch: &'a [Storage], plan: &Plan) -> &'a Storage {
    match buffer.place {
        Place::Resident(id) => &resident[id as usize],
        Place::Scratch(id) => &scratch[plan.slot_of[id as usize]],
    }
}

fn lookup_mut<'a>(
    buffer: &Buffer,
    resident: &'a mut [Storage],
    scratch: &'a mut [Storage],
    plan: &Plan,
) -> &'a mut Storage {
    match buffer.place {
        Place::Resident(id) => &mut resident[id as usize],
        Place::Scratch(id) => &mut scratch[plan.slot_of[id as usize]],
    }
}

fn copy_of(storage: &Storage, buffer: &Buffer) -> Constant {
    let inputs = Inputs::new(vec![(*buffer, storage)]);
    match buffer.element {
        Element::U32 => Constant::U32(inputs.u32(0).to_vec()),
        _ => Constant::F32(inputs.f32(0).to_vec()),
    }
}
