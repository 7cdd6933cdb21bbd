//! What runs a recording: it owns the memory behind every buffer.

use std::collections::BTreeMap;

use crate::cancel::Cancel;
use crate::error::{Error, Result};
use crate::memory::Memory;
use crate::recording::{Buffer, Constant, Recording};
use crate::settings::{Device, Options};
use crate::shape::Shape;

pub(crate) mod cpu;
pub(crate) mod gpu;
mod lowered;
mod meter;
mod outline;
mod plan;
mod room;

pub use gpu::{Adapter, AdapterKind, Heap, SharedDevice, adapters, graphics_processors};
pub(crate) use meter::Meter;
pub(crate) use outline::Outline;
pub(crate) use room::{Room, available_bytes, field};

/// The executors there are.
pub(crate) enum Executor {
    Cpu(cpu::Cpu),
    Gpu(Box<gpu::Gpu>),
    Outline(Outline),
}

/// A recording made ready to be run, again and again, by the executor that made it.
pub(crate) struct Program {
    recording: Recording,
    prepared: Prepared,
}

enum Prepared {
    Cpu(plan::Plan),
    Gpu(gpu::Program),
    Outline(outline::Cost),
}

/// Small values on their way to the host.
pub(crate) enum Fetch {
    /// They have arrived.
    There(Vec<u32>),
    /// The device is still at work.
    Pending(gpu::Pending),
}

impl Executor {
    /// The executor for the device that `options` name, on a window's device where that is one. Says why it is the processor, where
    /// a graphics processor was welcome.
    ///
    /// # Errors
    /// `Error::Device` where that device cannot be used.
    pub(crate) fn open(
        options: &Options,
        shared: Option<&SharedDevice>,
    ) -> Result<(Executor, Option<String>)> {
        let cpu = || -> Result<Executor> {
            let cpu = cpu::Cpu::new(options.threads)?;
            Ok(Executor::Cpu(if options.exact { cpu.without_int8() } else { cpu }))
        };
        let gpu = |software| Ok(Executor::Gpu(Box::new(gpu::Gpu::open(software, options, shared)?)));
        match options.device {
            Device::Cpu => Ok((cpu()?, None)),
            Device::Gpu => Ok((gpu(true)?, None)),
            Device::Auto => match gpu(false) {
                Ok(gpu) => Ok((gpu, None)),
                Err(Error::Device(reason)) => Ok((cpu()?, Some(reason))),
                Err(error) => Err(error),
            },
        }
    }

    /// Why its device was lost, if it was.
    pub(crate) fn loss(&self) -> Option<String> {
        match self {
            Executor::Gpu(gpu) => gpu.loss(),
            Executor::Cpu(_) | Executor::Outline(_) => None,
        }
    }

    /// Memory that it has left, where the system says so.
    pub(crate) fn room(&self) -> Option<Room> {
        match self {
            Executor::Cpu(_) => Some(Room { bytes: available_bytes()?, unified: true }),
            Executor::Gpu(gpu) => gpu.room(),
            Executor::Outline(_) => None,
        }
    }

    /// Bytes of the largest buffer that its shaders can read, where there is such a limit.
    pub(crate) fn largest_binding(&self) -> Option<u64> {
        match self {
            Executor::Gpu(gpu) => Some(gpu.largest_binding()),
            Executor::Cpu(_) | Executor::Outline(_) => None,
        }
    }

    /// Bytes of a graphics processor's memory that are taken now, with what the allocator holds in reserve, where it tells.
    pub(crate) fn device_bytes(&self) -> Option<u64> {
        match self {
            Executor::Gpu(gpu) => gpu.taken_bytes(),
            Executor::Cpu(_) | Executor::Outline(_) => None,
        }
    }

    /// Draws frames as a window would, beside the work, until they are stopped; none where nothing is drawn.
    ///
    /// # Errors
    /// `Error::Device` where the system gives no thread for that.
    pub(crate) fn draw_frames(&self) -> Result<Option<gpu::Frames>> {
        match self {
            Executor::Gpu(gpu) => gpu.draw_frames().map(Some),
            Executor::Cpu(_) | Executor::Outline(_) => Ok(None),
        }
    }

    /// Bytes of scratch memory that `recording` takes.
    ///
    /// # Errors
    /// Sizes that the device's shaders do not take.
    pub(crate) fn scratch_bytes(&self, recording: &Recording) -> Result<u64> {
        match self {
            Executor::Cpu(_) => Ok(cpu::Cpu::plan(recording).bytes()),
            Executor::Gpu(gpu) => gpu.scratch_bytes(recording),
            Executor::Outline(_) => Ok(0),
        }
    }

    /// For tests: loses the device with the `submissions`th piece of work from now on. Nothing on the processor.
    pub(crate) fn lose_after(&self, submissions: u64) {
        if let Executor::Gpu(gpu) = self {
            gpu.lose_after(submissions);
        }
    }

    /// What it runs on, in words.
    pub(crate) fn description(&self) -> String {
        match self {
            Executor::Cpu(cpu) => cpu.description(),
            Executor::Gpu(gpu) => gpu.description(),
            Executor::Outline(_) => "nothing".into(),
        }
    }

    /// Where weights and states live.
    pub(crate) fn memory(&mut self) -> &mut dyn Memory {
        match self {
            Executor::Cpu(cpu) => cpu,
            Executor::Gpu(gpu) => gpu.memory(),
            Executor::Outline(outline) => outline,
        }
    }

    /// Makes the pipelines that `work` takes, on all threads of the processor, so that none is made while somebody waits for an
    /// answer. `work` is given an executor that runs nothing, and states of its own. Nothing to do on the processor.
    ///
    /// # Errors
    /// Those of `work`, and `Error::Device` for what the driver refuses.
    pub(crate) fn warm_up(&mut self, work: impl FnOnce(&mut Executor) -> Result<()>) -> Result<()> {
        match self {
            Executor::Gpu(gpu) => gpu.make_pipelines(Outline::of(gpu.target().clone(), work)?),
            Executor::Cpu(_) | Executor::Outline(_) => Ok(()),
        }
    }

    /// Does once what every run of `recording` needs. What it reads and writes must not be freed before its last run.
    ///
    /// # Errors
    /// Those of the device: no room for the scratch buffers, or sizes that its shaders do not take.
    pub(crate) fn prepare(&mut self, recording: Recording) -> Result<Program> {
        let prepared = match self {
            Executor::Cpu(_) => Prepared::Cpu(cpu::Cpu::plan(&recording)),
            Executor::Gpu(gpu) => Prepared::Gpu(gpu.prepare(&recording)?),
            Executor::Outline(outline) => Prepared::Outline(outline.prepare(&recording)?),
        };
        Ok(Program { recording, prepared })
    }

    /// Runs all commands in order. A graphics processor may still be at work when this returns; reading a buffer waits for it.
    ///
    /// # Errors
    /// `Error::Cancelled` when `cancel` fires; resident buffers then hold part of the work.
    pub(crate) fn run(&mut self, program: &mut Program, cancel: &Cancel) -> Result<()> {
        self.run_fetching(program, cancel, &[]).map(drop)
    }

    /// Runs all commands in order, and has the contents of `wanted`, resident views of u32 or of f32, whose bits count, brought to
    /// the host meanwhile.
    ///
    /// # Errors
    /// As [`Executor::run`].
    pub(crate) fn run_fetching(
        &mut self,
        program: &mut Program,
        cancel: &Cancel,
        wanted: &[Buffer],
    ) -> Result<Fetch> {
        match (self, &mut program.prepared) {
            (Executor::Cpu(cpu), Prepared::Cpu(plan)) => {
                cpu.run(&program.recording, plan, cancel)?;
                let values = wanted.iter().map(|b| cpu.bits(*b)).collect::<Result<Vec<_>>>()?;
                Ok(Fetch::There(values.concat()))
            }
            (Executor::Gpu(gpu), Prepared::Gpu(program)) => {
                Ok(gpu.run(program, cancel, wanted)?.map_or(Fetch::There(Vec::new()), Fetch::Pending))
            }
            (Executor::Outline(outline), Prepared::Outline(cost)) => {
                outline.note(cost);
                Ok(Fetch::There(vec![0; wanted.iter().map(|b| b.shape.len()).sum()]))
            }
            _ => Err(Error::Device("a program made for one device was given to another".into())),
        }
    }

    /// The values that a run has set out for the host, one view after the other. Blocks until they are there.
    ///
    /// # Errors
    /// Those of the device.
    pub(crate) fn collect(&mut self, fetch: Fetch) -> Result<Vec<u32>> {
        match (self, fetch) {
            (_, Fetch::There(values)) => Ok(values),
            (Executor::Gpu(gpu), Fetch::Pending(pending)) => gpu.collect(pending),
            (Executor::Cpu(_) | Executor::Outline(_), Fetch::Pending(_)) => {
                Err(Error::Device("values of another device".into()))
            }
        }
    }

    /// Waits until everything that was asked for is done.
    ///
    /// # Errors
    /// Those of the device.
    pub(crate) fn finish(&mut self) -> Result<()> {
        match self {
            Executor::Gpu(gpu) => gpu.finish(),
            Executor::Cpu(_) | Executor::Outline(_) => Ok(()),
        }
    }

    /// Whether runs go on after they were asked for, so that it pays to ask for the next one before the values of this one are read.
    pub(crate) fn runs_ahead(&self) -> bool {
        matches!(self, Executor::Gpu(_))
    }

    /// The tensors tapped since the last call, by name.
    pub(crate) fn take_taps(&mut self) -> BTreeMap<String, (Shape, Constant)> {
        match self {
            Executor::Cpu(cpu) => cpu.take_taps(),
            Executor::Gpu(gpu) => gpu.take_taps(),
            Executor::Outline(_) => BTreeMap::new(),
        }
    }

    /// Replaces the meter that the runs from now on are added to; returns the old one.
    pub(crate) fn set_meter(&mut self, meter: Option<Meter>) -> Option<Meter> {
        match self {
            Executor::Cpu(cpu) => std::mem::replace(&mut cpu.meter, meter),
            Executor::Gpu(gpu) => std::mem::replace(&mut gpu.meter, meter),
            Executor::Outline(outline) => std::mem::replace(&mut outline.meter, meter),
        }
    }
}
