//! Runs recordings on a graphics processor: each command becomes dispatches of WGSL shaders, encoded in slices that leave the
//! device to others in between.

mod adapter;
mod context;
mod fault;
mod first_runs;
mod frames;
mod groups;
mod kept;
mod memory;
mod pace;
mod program;
mod readback;
mod scratch;
mod shared;
mod survey;
mod timer;
mod upload;
mod writer;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub use adapter::graphics_processors;
pub(crate) use context::Context;
use first_runs::FirstRuns;
pub(crate) use frames::Frames;
use memory::Residents;
use pace::Pace;
pub(crate) use program::Program;
pub(crate) use readback::Pending;
use scratch::Scratch;
pub use shared::SharedDevice;
pub use survey::{Adapter, AdapterKind, Heap, adapters};
use timer::Timer;
use wgpu::BufferUsages as Usage;

use crate::cancel::Cancel;
use crate::error::{Error, Result};
use crate::executor::{Meter, Room, room};
use crate::memory::Memory;
use crate::recording::{Buffer, Constant, Recording};
use crate::settings::Options;
use crate::shader::{Blueprint, Target};
use crate::shape::Shape;

/// How long a device may be silent before it counts as lost.
const PATIENCE: Duration = Duration::from_secs(60);

/// Memory of every buffer on a device, and what runs there.
pub(crate) struct Gpu {
    context: Arc<Context>,
    memory: Residents,
    scratch: Scratch,
    pace: Pace,
    taps: BTreeMap<String, (Shape, Constant)>,
    /// Under way where the driver compiles at first runs.
    first_runs: Option<FirstRuns>,
    /// Sums over the steps, where somebody wants them; each run is waited for then.
    pub(super) meter: Option<Meter>,
}

impl Gpu {
    /// On a window's device, or else on the best adapter that there is. `software` allows one that is a program of the processor. For
    /// exact results, on a device of its own, without matrix cores, whose factors are f16, and without products in eight bits.
    ///
    /// # Errors
    /// `Error::Device` where no adapter can be used.
    pub(crate) fn open(software: bool, options: &Options, shared: Option<&SharedDevice>) -> Result<Gpu> {
        let wanted = options.gpu.as_deref();
        let usable = |c: &Arc<Context>| {
            c.faults.loss().is_none()
                && (software || !adapter::is_software(&c.info))
                && adapter::is_called(&c.info, wanted)
        };
        let shared = shared.filter(|_| !options.exact).map(SharedDevice::context).filter(usable);
        let context = match shared {
            Some(context) => context,
            None if options.exact => {
                Arc::new(Context::open(software, wanted)?.without_matrix_cores().without_int8())
            }
            None => Arc::new(Context::open(software, wanted)?),
        };
        if let Some(folder) = &options.pipelines {
            context.keep_pipelines(folder);
        }
        Ok(Gpu::over(context))
    }

    /// On a device that others use too.
    pub(crate) fn over(context: Arc<Context>) -> Gpu {
        Gpu {
            pace: Pace::new(adapter::is_software(&context.info)),
            memory: Residents::new(context.clone()),
            context,
            scratch: Scratch::default(),
            taps: BTreeMap::new(),
            first_runs: None,
            meter: None,
        }
    }

    /// As [`Gpu::over`], with guard words behind every scratch buffer that each run checks.
    #[cfg(test)]
    pub(crate) fn guarded(context: Arc<Context>) -> Gpu {
        let mut gpu = Gpu::over(context);
        gpu.scratch.guarded = true;
        gpu
    }

    /// The adapter and its driver.
    pub(crate) fn description(&self) -> String {
        self.context.description()
    }

    /// Why the device was lost, if it was.
    pub(crate) fn loss(&self) -> Option<String> {
        self.context.faults.loss()
    }

    /// Memory that the adapter has left, where its driver says so.
    pub(crate) fn room(&self) -> Option<Room> {
        let info = &self.context.info;
        room::of_adapter(&info.device_pci_bus_id, adapter::is_unified(info))
    }

    /// Bytes of the largest buffer that its shaders can read.
    pub(crate) fn largest_binding(&self) -> u64 {
        self.context.largest_binding()
    }

    /// Bytes of the device's memory that are taken now, with what the allocator holds in reserve, where it tells.
    pub(crate) fn taken_bytes(&self) -> Option<u64> {
        Some(self.context.device.generate_allocator_report()?.total_reserved_bytes)
    }

    /// Draws frames as a window would, beside the work, until they are stopped.
    ///
    /// # Errors
    /// `Error::Device` where the system gives no thread for that.
    pub(crate) fn draw_frames(&self) -> Result<Frames> {
        Frames::start(self.context.clone())
    }

    /// Bytes of scratch memory that `recording` takes.
    pub(crate) fn scratch_bytes(&self, recording: &Recording) -> Result<u64> {
        program::scratch_bytes(self.target(), recording)
    }

    /// For tests: see [`Context::destroy_after`].
    pub(crate) fn lose_after(&self, submissions: u64) {
        self.context.destroy_after(submissions);
    }

    pub(crate) fn memory(&mut self) -> &mut dyn Memory {
        &mut self.memory
    }

    /// The tensors tapped since the last call, by name.
    pub(crate) fn take_taps(&mut self) -> BTreeMap<String, (Shape, Constant)> {
        std::mem::take(&mut self.taps)
    }

    /// What its shaders are chosen by.
    pub(crate) fn target(&self) -> &Target {
        self.context.target()
    }

    /// Makes pipelines before a recording needs them, and keeps them.
    pub(crate) fn make_pipelines(&mut self, wanted: Vec<Blueprint>) -> Result<()> {
        self.context.make_pipelines(&wanted)?;
        self.context.save_pipelines();
        if adapter::is_software(&self.context.info) {
            self.first_runs = Some(FirstRuns::begin(self.context.info.clone(), wanted));
        }
        Ok(())
    }

    /// The pipelines that its device has.
    #[cfg(test)]
    pub(crate) fn pipelines(&self) -> std::collections::HashSet<Blueprint> {
        self.context.pipelines()
    }

    /// Makes a recording ready to run, but for the pipelines and bind groups, which the first run makes.
    pub(crate) fn prepare(&mut self, recording: &Recording) -> Result<Program> {
        let program = Program::new(&self.context, &self.memory, &mut self.scratch, recording);
        self.memory.groups.forget(&self.scratch.take_outgrown());
        program
    }

    /// Submits all dispatches in order; returns before they are done. Reading a buffer waits for them. The contents of `wanted`,
    /// views of words, set out for the host as soon as the work is done.
    ///
    /// # Errors
    /// `Error::Cancelled` when `cancel` fires between two slices; resident buffers then hold part of the work.
    pub(crate) fn run(
        &mut self,
        program: &mut Program,
        cancel: &Cancel,
        wanted: &[Buffer],
    ) -> Result<Option<Pending>> {
        let timer = match self.meter {
            Some(_) => Timer::new(&self.context, program.len())?,
            None => None,
        };
        let mut pending = None;
        let mut encoder = None;
        let mut tapped = 0;
        let mut done = 0;
        loop {
            // Steps that were made just now go to the device before others are made.
            let mut groups = std::mem::take(&mut self.memory.groups);
            let fresh = program.make_more(done, &self.context, &self.memory, &mut groups);
            self.memory.groups = groups;
            let fresh = fresh?;
            let made = program.steps_from(done);
            let taps = &program.taps[tapped..];
            let until_tap = taps.first().map_or(made.len(), |tap| made.len().min(tap.after - done));
            let count = self.pace.slice(&made[..until_tap]);
            let open = encoder.get_or_insert_with(|| {
                self.context.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default())
            });
            program::encode(open, &made[..count], done, timer.as_ref());
            done += count;
            for tap in taps.iter().take_while(|tap| tap.after == done) {
                tap.copy(open);
                tapped += 1;
            }
            let is_last = done == program.len();
            if let Some(timer) = timer.as_ref().filter(|_| is_last) {
                timer.resolve(open);
            }
            if is_last && !wanted.is_empty() {
                let pieces = wanted.iter().map(|b| self.memory.piece(*b)).collect::<Result<Vec<_>>>()?;
                pending = Some(self.memory.readback.copy(open, &pieces)?);
            }
            if is_last || self.pace.is_full() || (fresh && count == made.len()) {
                let submission = self.context.submit(encoder.take().map(wgpu::CommandEncoder::finish));
                if let Some(pending) = &mut pending {
                    pending.submission = Some(submission.clone());
                }
                self.pace.submitted(&self.context, submission)?;
                self.context.check()?;
                if is_last {
                    break;
                }
                cancel.check()?;
            }
        }
        self.note(program, timer.as_ref())?;
        #[cfg(test)]
        if self.scratch.guarded {
            scratch::guard::check(&self.context, program.scratch());
        }
        for tap in &program.taps {
            self.taps.insert(tap.name.clone(), (tap.shape, tap.read(&self.context)?));
        }
        Ok(pending)
    }

    /// Waits until everything that was submitted is done.
    pub(crate) fn finish(&mut self) -> Result<()> {
        self.context.wait(None)
    }

    /// Adds a run to the meter, if there is one.
    fn note(&mut self, program: &Program, timer: Option<&Timer>) -> Result<()> {
        let Some(meter) = &mut self.meter else { return Ok(()) };
        meter.weight_bytes += program.weight_bytes;
        meter.dispatches += program.len() as u64;
        let Some(timer) = timer else { return Ok(()) };
        for (kernel, took) in program.kernels().zip(timer.read(&self.context, &mut self.memory.readback)?) {
            *meter.times.entry(kernel).or_default() += took;
        }
        Ok(())
    }

    /// The values that a run has set out for the host. Blocks until they are there.
    pub(crate) fn collect(&mut self, pending: Pending) -> Result<Vec<u32>> {
        Ok(bytemuck::pod_collect_to_vec(&self.memory.readback.collect(pending)?))
    }
}

impl Drop for Gpu {
    fn drop(&mut self) {
        self.context.save_pipelines();
    }
}

impl Context {
    /// The best adapter that there is. `software` allows one that is a program of the processor.
    ///
    /// # Errors
    /// `Error::Device` where no adapter can be used.
    pub(crate) fn open(software: bool, wanted: Option<&str>) -> Result<Context> {
        adapter::open(software, wanted)
    }

    /// Bytes of the largest buffer that shaders can read.
    fn largest_binding(&self) -> u64 {
        let limits = self.device.limits();
        limits.max_storage_buffer_binding_size.min(limits.max_buffer_size)
    }

    /// A buffer for shaders, zeroed.
    ///
    /// # Errors
    /// `Error::Device` where it does not fit the adapter or its memory.
    fn buffer(&self, label: &str, size: u64) -> Result<wgpu::Buffer> {
        self.buffer_in(label, size, Usage::empty(), false)
    }

    /// A weight's buffer, zeroed: in memory that the processor sees too where it shares the adapter's, and `mapped` there.
    ///
    /// # Errors
    /// As [`Context::buffer`].
    fn weight(&self, size: u64, mapped: bool) -> Result<wgpu::Buffer> {
        let usage = if self.mappable { Usage::MAP_WRITE } else { Usage::empty() };
        self.buffer_in("weight", size, usage, mapped && self.mappable)
    }

    fn buffer_in(&self, label: &str, size: u64, usage: Usage, mapped: bool) -> Result<wgpu::Buffer> {
        // Shaders may load 16 bytes at once, and no binding may be empty.
        let size = size.next_multiple_of(16).max(16);
        let limit = self.largest_binding();
        if size > limit {
            return Err(Error::Device(format!(
                "a {label} of {size} bytes is larger than {} can bind at once ({limit} bytes)",
                self.info.name
            )));
        }
        self.checked(size, || {
            self.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                size,
                usage: usage | Usage::STORAGE | Usage::COPY_SRC | Usage::COPY_DST,
                mapped_at_creation: mapped,
            })
        })
    }
}
