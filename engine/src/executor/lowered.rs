//! A recording as a graphics processor runs it, before a device is asked for anything.

use crate::error::Result;
use crate::recording::Recording;
use crate::shader::{Dispatch, Lowering, Target};
use crate::shape::Element;

/// The dispatches of a recording's commands.
pub(super) struct Lowered {
    pub(super) dispatches: Vec<Dispatch>,
    /// Size in elements and type of each scratch buffer: the recording's, then those that its kernels add.
    pub(super) scratch: Vec<(usize, Element)>,
    /// Dispatches before each command, and after the last.
    pub(super) starts: Vec<usize>,
}

impl Lowered {
    /// # Errors
    /// `Error::Shape` where sizes are beyond what the shaders take.
    pub(super) fn new(target: &Target, recording: &Recording) -> Result<Lowered> {
        let mut lowering = Lowering::new(target, recording.scratch.clone());
        let mut starts = vec![0];
        for command in &recording.commands {
            command.kernel.gpu(&command.inputs, &command.outputs, &mut lowering)?;
            starts.push(lowering.len());
        }
        let (dispatches, scratch) = lowering.finish();
        Ok(Lowered { dispatches, scratch, starts })
    }
}
