//! One run of a shader, and the list of them that a recording becomes.

use super::Target;
use crate::error::{Error, Result};
use crate::recording::{Buffer, Place};
use crate::shape::{Element, Shape};

/// Invocations of a workgroup, as `SIZE` in `shared/element.wgsl`.
const ELEMENTS: usize = 256;

/// What a shader does to a binding.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Access {
    /// `var<storage, read>`
    Read,
    /// `var<storage, read_write>`
    Write,
}

/// Which part of a buffer's memory is bound.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Plane {
    /// The elements, or the quants of a quantised matrix.
    Values,
    /// The scales of a quantised matrix, which lie behind all of its quants.
    Scales,
}

/// One binding of a dispatch. The whole memory of the buffer's place is bound; the view's offset goes into the parameters.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Binding {
    pub(crate) buffer: Buffer,
    pub(crate) access: Access,
    pub(crate) plane: Plane,
}

impl Binding {
    pub(crate) fn read(buffer: Buffer) -> Binding {
        Binding { buffer, access: Access::Read, plane: Plane::Values }
    }

    pub(crate) fn write(buffer: Buffer) -> Binding {
        Binding { buffer, access: Access::Write, plane: Plane::Values }
    }

    pub(crate) fn scales(buffer: Buffer) -> Binding {
        Binding { buffer, access: Access::Read, plane: Plane::Scales }
    }
}

/// A shader with its variant and constants.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Variant {
    /// File name under `shaders/`, without its ending.
    pub(crate) shader: &'static str,
    /// Names from its `#variants` lines.
    pub(crate) defines: Vec<&'static str>,
    /// Its `override` constants.
    pub(crate) constants: Vec<(&'static str, u32)>,
}

/// Everything that a pipeline is made of.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Blueprint {
    pub(crate) variant: Variant,
    /// What it does to each of its bindings.
    pub(crate) accesses: Vec<Access>,
    /// Parameters, of 4 bytes each.
    pub(crate) params: usize,
}

/// One run of a shader. Bindings stand in group 0 in their order; the parameters are its `var<immediate>`.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Dispatch {
    pub(crate) variant: Variant,
    pub(crate) bindings: Vec<Binding>,
    pub(crate) params: Vec<u32>,
    pub(crate) groups: [u32; 3],
    /// Multiplications and additions, or bytes read where those are more; 0 where the workgroups tell enough.
    pub(crate) work: f64,
}

impl Dispatch {
    /// A shader without variants or constants.
    pub(crate) fn new(shader: &'static str) -> Dispatch {
        let variant = Variant { shader, defines: Vec::new(), constants: Vec::new() };
        Dispatch { variant, bindings: Vec::new(), params: Vec::new(), groups: [1; 3], work: 0.0 }
    }

    pub(crate) fn define(mut self, name: impl Into<Option<&'static str>>) -> Dispatch {
        self.variant.defines.extend(name.into());
        self
    }

    pub(crate) fn constant(mut self, name: &'static str, value: u32) -> Dispatch {
        self.variant.constants.push((name, value));
        self
    }

    pub(crate) fn bind(mut self, binding: Binding) -> Dispatch {
        self.bindings.push(binding);
        self
    }

    pub(crate) fn read(self, buffer: Buffer) -> Dispatch {
        self.bind(Binding::read(buffer))
    }

    pub(crate) fn write(self, buffer: Buffer) -> Dispatch {
        self.bind(Binding::write(buffer))
    }

    pub(crate) fn param(mut self, value: u32) -> Dispatch {
        self.params.push(value);
        self
    }

    /// A count or an offset: below 2³² for every buffer that can be bound.
    pub(crate) fn size(self, value: usize) -> Dispatch {
        self.param(value as u32)
    }

    pub(crate) fn float(self, value: f32) -> Dispatch {
        self.param(value.to_bits())
    }

    /// As many workgroups; along x, then y, where one axis does not hold them. The shader numbers them by
    /// `id.y * count.x + id.x` and ignores what is too much.
    pub(crate) fn groups(mut self, groups: usize, target: &Target) -> Dispatch {
        let most = target.groups as usize;
        let y = groups.div_ceil(most).max(1);
        self.groups = [groups.div_ceil(y) as u32, y as u32, 1];
        self
    }

    /// A workgroup for every `each` of `count` elements.
    pub(crate) fn threads(self, count: usize, each: usize, target: &Target) -> Dispatch {
        self.groups(count.div_ceil(each), target)
    }

    /// A thread for each of `count` elements, for shaders that import `shared/element.wgsl`.
    pub(crate) fn elements(self, count: usize, target: &Target) -> Dispatch {
        self.threads(count, ELEMENTS, target)
    }

    /// Says what it costs.
    pub(crate) fn costs(mut self, work: usize) -> Dispatch {
        self.work = work as f64;
        self
    }

    /// What it costs, at least what its workgroups do.
    pub(crate) fn work(&self) -> f64 {
        self.work.max(1024.0 * self.groups.iter().map(|&g| f64::from(g)).product::<f64>())
    }

    /// What its pipeline is made of.
    pub(crate) fn blueprint(&self) -> Blueprint {
        Blueprint {
            variant: self.variant.clone(),
            accesses: self.bindings.iter().map(|b| b.access).collect(),
            params: self.params.len(),
        }
    }

    /// Workgroups along each axis.
    pub(crate) fn grid(mut self, groups: [usize; 3]) -> Dispatch {
        self.groups = groups.map(|g| g as u32);
        self
    }
}

/// Collects the dispatches of a recording's commands.
pub(crate) struct Lowering<'a> {
    target: &'a Target,
    /// Scratch buffers of the recording, and those that kernels add.
    scratch: Vec<(usize, Element)>,
    dispatches: Vec<Dispatch>,
    derived: Vec<Derived>,
}

/// What a kernel has made of a buffer, for others after it.
struct Derived {
    of: Buffer,
    key: usize,
    buffers: [Buffer; 2],
}

impl<'a> Lowering<'a> {
    /// For a recording with these scratch buffers.
    pub(crate) fn new(target: &'a Target, scratch: Vec<(usize, Element)>) -> Lowering<'a> {
        Lowering { target, scratch, dispatches: Vec::new(), derived: Vec::new() }
    }

    pub(crate) fn target(&self) -> &'a Target {
        self.target
    }

    /// A buffer between the dispatches of one command.
    pub(crate) fn scratch(&mut self, shape: impl Into<Shape>, element: Element) -> Buffer {
        let shape = shape.into();
        self.scratch.push((shape.len(), element));
        Buffer { place: Place::Scratch(self.scratch.len() as u32 - 1), offset: 0, shape, element }
    }

    /// What `make` makes of `of`, or what an earlier kernel has made of it with the same `key`. `of` must be written only once if it
    /// is a scratch buffer; others are never shared.
    pub(crate) fn derived(
        &mut self,
        of: Buffer,
        key: usize,
        make: impl FnOnce(&mut Lowering<'a>) -> Result<[Buffer; 2]>,
    ) -> Result<[Buffer; 2]> {
        let known = self.derived.iter().rev().find(|d| d.of == of && d.key == key);
        if let Some(derived) = known.filter(|_| matches!(of.place, Place::Scratch(_))) {
            return Ok(derived.buffers);
        }
        let buffers = make(self)?;
        self.derived.push(Derived { of, key, buffers });
        Ok(buffers)
    }

    /// Appends a dispatch; one without workgroups is left out.
    ///
    /// # Errors
    /// `Error::Shape` where it is larger than the adapter allows.
    pub(crate) fn push(&mut self, dispatch: Dispatch) -> Result<()> {
        if dispatch.groups.contains(&0) {
            return Ok(());
        }
        if dispatch.groups.iter().any(|&g| g > self.target.groups) {
            return Err(Error::Shape {
                kernel: dispatch.variant.shader,
                reason: format!(
                    "{:?} workgroups are more than the adapter's {} along one axis",
                    dispatch.groups, self.target.groups
                ),
            });
        }
        self.dispatches.push(dispatch);
        Ok(())
    }

    /// Dispatches so far.
    pub(crate) fn len(&self) -> usize {
        self.dispatches.len()
    }

    /// The dispatches, and all scratch buffers.
    pub(crate) fn finish(self) -> (Vec<Dispatch>, Vec<(usize, Element)>) {
        (self.dispatches, self.scratch)
    }
}
