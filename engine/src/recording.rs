//! Work as plain data: buffers, kernels, and the list of commands that an executor runs in order.
//!
//! A recording knows no device. Model code appends commands through each kernel's `record` function; an executor keeps the
//! memory and runs the list. What changes from step to step (positions, lengths, tokens) lives in resident buffers, so that a
//! recorded step can be run again.

use crate::error::{Error, Result};
use crate::kernels::Kernel;
use crate::shape::{Element, Shape};

/// Where a buffer lives.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Place {
    /// Kept by the executor from run to run: weights, caches, counters.
    Resident(u32),
    /// Exists only inside one run of the recording that made it; contents are undefined before the first write.
    Scratch(u32),
}

/// A handle on a row-major block of one place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Buffer {
    pub(crate) place: Place,
    /// First element of this view inside its place.
    pub(crate) offset: usize,
    pub(crate) shape: Shape,
    pub(crate) element: Element,
}

impl Buffer {
    /// The same elements under another shape of equal size.
    pub(crate) fn reshape(self, shape: impl Into<Shape>) -> Buffer {
        let shape = shape.into();
        debug_assert_eq!(shape.len(), self.shape.len(), "reshape {} to {shape}", self.shape);
        Buffer { shape, ..self }
    }

    /// Rows `start..start + count` of a `[rows, row]` view.
    pub(crate) fn slice_rows(self, start: usize, count: usize) -> Buffer {
        let row = self.shape.row();
        debug_assert!(start + count <= self.shape.rows(), "rows {start}+{count} of {}", self.shape);
        Buffer { offset: self.offset + start * row, shape: [count, row].into(), ..self }
    }

    /// Rows of the view: product of all axes but the last.
    pub(crate) fn rows(&self) -> usize {
        self.shape.rows()
    }

    /// Elements of a row.
    pub(crate) fn row(&self) -> usize {
        self.shape.row()
    }
}

/// Host data that a recording carries with it.
#[derive(Clone, Debug)]
pub(crate) enum Constant {
    F32(Vec<f32>),
    U32(Vec<u32>),
}

/// One kernel with its bindings. Inputs are read only; outputs are written, or updated where the kernel says so.
#[derive(Clone, Debug)]
pub(crate) struct Command {
    pub(crate) kernel: Kernel,
    pub(crate) inputs: Vec<Buffer>,
    pub(crate) outputs: Vec<Buffer>,
}

/// A list of commands and the scratch buffers between them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recording {
    pub(crate) commands: Vec<Command>,
    /// Size in elements and type of each scratch buffer.
    pub(crate) scratch: Vec<(usize, Element)>,
    /// Scratch buffers that start with the given contents on each run.
    pub(crate) constants: Vec<(u32, Constant)>,
    /// Named copies to take, each after so many commands; empty unless `tapped`.
    pub(crate) taps: Vec<(usize, String, Buffer)>,
    tapped: bool,
}

impl Recording {
    /// An empty recording that ignores taps.
    pub(crate) fn new() -> Recording {
        Recording::default()
    }

    /// An empty recording; `tapped` ones keep the taps that model code names.
    pub(crate) fn tapped_if(tapped: bool) -> Recording {
        Recording { tapped, ..Recording::default() }
    }

    /// A buffer for use within this recording.
    pub(crate) fn scratch(&mut self, shape: impl Into<Shape>, element: Element) -> Buffer {
        let shape = shape.into();
        let id = self.scratch.len() as u32;
        self.scratch.push((shape.len(), element));
        Buffer { place: Place::Scratch(id), offset: 0, shape, element }
    }

    /// A scratch buffer of f32.
    pub(crate) fn f32(&mut self, shape: impl Into<Shape>) -> Buffer {
        self.scratch(shape, Element::F32)
    }

    /// A read-only buffer with these contents.
    pub(crate) fn constant_f32(&mut self, shape: impl Into<Shape>, values: Vec<f32>) -> Buffer {
        let buffer = self.scratch(shape, Element::F32);
        debug_assert_eq!(buffer.shape.len(), values.len());
        self.constants.push((self.scratch.len() as u32 - 1, Constant::F32(values)));
        buffer
    }

    /// A read-only buffer with these contents.
    pub(crate) fn constant_u32(&mut self, shape: impl Into<Shape>, values: Vec<u32>) -> Buffer {
        let buffer = self.scratch(shape, Element::U32);
        debug_assert_eq!(buffer.shape.len(), values.len());
        self.constants.push((self.scratch.len() as u32 - 1, Constant::U32(values)));
        buffer
    }

    /// Appends a command. Called by kernels only, after they have checked their shapes.
    pub(crate) fn push(&mut self, kernel: Kernel, inputs: &[Buffer], outputs: &[Buffer]) {
        self.commands.push(Command { kernel, inputs: inputs.to_vec(), outputs: outputs.to_vec() });
    }

    /// Whether taps are kept: model code may then record what only a tap needs.
    pub(crate) fn is_tapped(&self) -> bool {
        self.tapped
    }

    /// Names a buffer's contents at this point, for comparison with a reference.
    pub(crate) fn tap(&mut self, name: impl FnOnce() -> String, buffer: Buffer) {
        if self.tapped {
            self.taps.push((self.commands.len(), name(), buffer));
        }
    }
}

/// `Err` of a kernel whose buffers do not fit, unless `fits`.
pub(crate) fn check(fits: bool, kernel: &'static str, reason: impl FnOnce() -> String) -> Result<()> {
    if fits { Ok(()) } else { Err(Error::Shape { kernel, reason: reason() }) }
}
