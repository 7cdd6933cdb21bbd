//! A recording made ready for a device: one step for each dispatch, with its pipeline and its bind group.

use std::collections::{HashMap, VecDeque};

use super::context::Context;
use super::groups::Groups;
use super::memory::Residents;
use super::scratch::Scratch;
use super::timer::Timer;
use crate::error::Result;
use crate::executor::lowered::Lowered;
use crate::executor::meter::expected_bytes;
use crate::executor::plan::Plan;
use crate::recording::{Buffer, Constant, Place, Recording};
use crate::shader::{Binding, Dispatch, Target};
use crate::shape::{Element, Shape};

/// A dispatch with everything that it needs.
pub(super) struct Step {
    pipeline: wgpu::ComputePipeline,
    bind_group: wgpu::BindGroup,
    params: Vec<u8>,
    groups: [u32; 3],
    /// The kernel that it belongs to.
    kernel: &'static str,
    /// What it costs, in units of the pace.
    pub(super) work: f64,
}

/// A copy to take for the host after so many steps.
pub(super) struct Tap {
    pub(super) after: usize,
    pub(super) name: String,
    pub(super) shape: Shape,
    element: Element,
    from: wgpu::Buffer,
    at: u64,
    staging: wgpu::Buffer,
}

/// All steps of a recording, and the copies of its taps.
pub(crate) struct Program {
    /// The steps made so far: the first run makes them, so that the device is at work meanwhile.
    steps: Vec<Step>,
    /// What the other steps are made of, with the kernel of each.
    unmade: VecDeque<(Dispatch, &'static str)>,
    places: Places,
    pub(super) taps: Vec<Tap>,
    /// Bytes of weights that a run reads.
    pub(super) weight_bytes: u64,
}

/// Where a recording's scratch buffers lie.
struct Places {
    scratch: Vec<wgpu::Buffer>,
    plan: Plan,
    constants: Constants,
}

/// Steps that are made at once in the first run.
const BLOCK: usize = 64;

/// The recording's own data: one buffer, a piece for each constant.
struct Constants {
    buffer: Option<wgpu::Buffer>,
    /// Start and length in bytes.
    pieces: HashMap<u32, (u64, u64)>,
}

impl Program {
    pub(super) fn new(
        context: &Context,
        residents: &Residents,
        scratch: &mut Scratch,
        recording: &Recording,
    ) -> Result<Program> {
        let Lowered { dispatches, scratch: sizes, starts } = Lowered::new(&context.target, recording)?;
        let mut kernels = Vec::new();
        for (command, end) in recording.commands.iter().zip(&starts[1..]) {
            kernels.resize(*end, command.kernel.name());
        }

        let constants = Constants::new(context, &recording.constants)?;
        let tapped = recording.taps.iter().map(|(after, _, buffer)| (starts[*after], buffer));
        let used = uses(&dispatches).chain(tapped).filter_map(|(at, buffer)| match buffer.place {
            Place::Scratch(id) if !constants.pieces.contains_key(&id) => Some((at, id)),
            _ => None,
        });
        let plan = Plan::new(&sizes, used);
        let slots = plan.slots.iter().map(|&(size, element)| element.bytes(1, size) as u64);
        let scratch = scratch.take(context, slots)?;
        let places = Places { scratch, plan, constants };
        let taps = recording
            .taps
            .iter()
            .map(|(after, name, buffer)| tap(context, residents, &places, starts[*after], name, *buffer))
            .collect::<Result<_>>()?;
        let weight_bytes = recording.commands.iter().map(expected_bytes).sum();
        let unmade = dispatches.into_iter().zip(kernels).collect();
        Ok(Program { steps: Vec::new(), unmade, places, taps, weight_bytes })
    }

    /// How many steps a run takes.
    pub(super) fn len(&self) -> usize {
        self.steps.len() + self.unmade.len()
    }

    /// Makes some steps where the first `done` are all that there are; tells whether it did.
    pub(super) fn make_more(
        &mut self,
        done: usize,
        context: &Context,
        residents: &Residents,
        groups: &mut Groups,
    ) -> Result<bool> {
        let fresh = done == self.steps.len();
        while fresh
            && self.steps.len() < done + BLOCK
            && let Some((dispatch, kernel)) = self.unmade.front()
        {
            self.steps.push(step(context, residents, &self.places, groups, dispatch, kernel)?);
            self.unmade.pop_front();
        }
        Ok(fresh)
    }

    /// The steps made so far, from `done` on.
    pub(super) fn steps_from(&self, done: usize) -> &[Step] {
        &self.steps[done..]
    }

    /// The kernel of each step, once all are made.
    pub(super) fn kernels(&self) -> impl Iterator<Item = &'static str> {
        self.steps.iter().map(|step| step.kernel)
    }

    /// Its scratch slots.
    #[cfg(test)]
    pub(super) fn scratch(&self) -> &[wgpu::Buffer] {
        &self.places.scratch
    }
}

/// Bytes of the scratch slots that a recording takes, its constants among them.
pub(super) fn scratch_bytes(target: &Target, recording: &Recording) -> Result<u64> {
    let Lowered { dispatches, scratch: sizes, .. } = Lowered::new(target, recording)?;
    let used = uses(&dispatches).filter_map(|(at, buffer)| match buffer.place {
        Place::Scratch(id) => Some((at, id)),
        Place::Resident(_) => None,
    });
    Ok(Plan::new(&sizes, used).bytes())
}

/// Each buffer that a dispatch binds, with the dispatch's place in the order.
fn uses(dispatches: &[Dispatch]) -> impl Iterator<Item = (usize, &Buffer)> {
    dispatches.iter().enumerate().flat_map(|(at, d)| d.bindings.iter().map(move |b| (at, &b.buffer)))
}

fn step(
    context: &Context,
    residents: &Residents,
    places: &Places,
    groups: &mut Groups,
    dispatch: &Dispatch,
    kernel: &'static str,
) -> Result<Step> {
    let pipeline = context.pipeline(&dispatch.blueprint())?;
    let bindings =
        dispatch.bindings.iter().map(|b| places.binding(residents, b)).collect::<Result<Vec<_>>>()?;
    // A recording's constants are its own.
    let lasting = !dispatch.bindings.iter().any(|b| places.constants.holds(b.buffer));
    let bind_group = groups.get(context, &pipeline.layout, &bindings, lasting);
    Ok(Step {
        pipeline: pipeline.pipeline,
        bind_group,
        params: bytemuck::cast_slice(&dispatch.params).to_vec(),
        groups: dispatch.groups,
        kernel,
        work: dispatch.work(),
    })
}

fn tap(
    context: &Context,
    residents: &Residents,
    places: &Places,
    after: usize,
    name: &str,
    buffer: Buffer,
) -> Result<Tap> {
    let bound = places.binding(residents, &Binding::read(buffer))?;
    let size = buffer.element.bytes(1, buffer.shape.len()) as u64;
    Ok(Tap {
        after,
        name: name.to_owned(),
        shape: buffer.shape,
        element: buffer.element,
        from: bound.buffer.clone(),
        at: bound.offset + buffer.element.bytes(1, buffer.offset) as u64,
        staging: context.staging(size.next_multiple_of(4).max(4))?,
    })
}

/// Appends `steps` to the open slice, as one compute pass. The first of them is step `first` of the run.
pub(super) fn encode(
    encoder: &mut wgpu::CommandEncoder,
    steps: &[Step],
    first: usize,
    timer: Option<&Timer>,
) {
    if steps.is_empty() {
        return;
    }
    let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
    for (at, step) in (first..).zip(steps) {
        if let Some(timer) = timer {
            timer.before(&mut pass, at);
        }
        pass.set_pipeline(&step.pipeline);
        pass.set_bind_group(0, &step.bind_group, &[]);
        pass.set_immediates(0, &step.params);
        let [x, y, z] = step.groups;
        pass.dispatch_workgroups(x, y, z);
    }
    if let Some(timer) = timer {
        // Overwritten by the next pass, but for the last.
        timer.after(&mut pass);
    }
}

impl Places {
    fn binding<'a>(&'a self, residents: &'a Residents, binding: &Binding) -> Result<wgpu::BufferBinding<'a>> {
        match (binding.buffer.place, &self.constants.buffer) {
            (Place::Resident(id), _) => residents.binding(id, binding.plane),
            (Place::Scratch(id), Some(buffer)) if self.constants.pieces.contains_key(&id) => {
                let (offset, size) = self.constants.pieces[&id];
                Ok(wgpu::BufferBinding { buffer, offset, size: wgpu::BufferSize::new(size) })
            }
            (Place::Scratch(id), _) => {
                Ok(self.scratch[self.plan.slot_of[id as usize]].as_entire_buffer_binding())
            }
        }
    }
}

impl Constants {
    fn holds(&self, buffer: Buffer) -> bool {
        matches!(buffer.place, Place::Scratch(id) if self.pieces.contains_key(&id))
    }

    fn new(context: &Context, constants: &[(u32, Constant)]) -> Result<Constants> {
        let align = u64::from(context.device.limits().min_storage_buffer_offset_alignment);
        let (mut bytes, mut pieces) = (Vec::new(), HashMap::new());
        for (id, constant) in constants {
            let start = (bytes.len() as u64).next_multiple_of(align);
            bytes.resize(start as usize, 0u8);
            bytes.extend_from_slice(match constant {
                Constant::F32(values) => bytemuck::cast_slice(values),
                Constant::U32(values) => bytemuck::cast_slice(values),
            });
            bytes.resize(bytes.len().next_multiple_of(16).max(start as usize + 16), 0);
            pieces.insert(*id, (start, bytes.len() as u64 - start));
        }
        if bytes.is_empty() {
            return Ok(Constants { buffer: None, pieces });
        }
        let buffer = context.buffer("constants", bytes.len() as u64)?;
        context.queue.write_buffer(&buffer, 0, &bytes);
        Ok(Constants { buffer: Some(buffer), pieces })
    }
}

impl Tap {
    pub(super) fn copy(&self, encoder: &mut wgpu::CommandEncoder) {
        encoder.copy_buffer_to_buffer(&self.from, self.at, &self.staging, 0, self.staging.size());
    }

    pub(super) fn read(&self, context: &Context) -> Result<Constant> {
        let len = self.shape.len();
        context.mapped(&self.staging, self.staging.size(), None, |bytes| match self.element {
            Element::U32 => Constant::U32(bytemuck::pod_collect_to_vec(&bytes[..4 * len])),
            Element::F16 => {
                let halves: Vec<u16> = bytemuck::pod_collect_to_vec(&bytes[..2 * len]);
                Constant::F32(halves.into_iter().map(|h| half::f16::from_bits(h).to_f32()).collect())
            }
            _ => Constant::F32(bytemuck::pod_collect_to_vec(&bytes[..4 * len])),
        })
    }
}
