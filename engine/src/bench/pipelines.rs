//! Every pipeline that a graphics processor makes for a model, without one.

use super::{Format, shape, stages};
use crate::cancel::Cancel;
use crate::error::Result;
use crate::executor::Outline;
use crate::model::Model;
use crate::session::{Device, rehearsal};
use crate::shader::{self, Target, Variant};
use crate::weights::Loader;

/// A compute pipeline as plain data.
#[derive(Clone, PartialEq, Debug)]
pub struct Pipeline {
    /// File name of the shader, without its ending.
    pub shader: &'static str,
    /// What is defined in this variant of it.
    pub defines: Vec<&'static str>,
    /// Its `override` constants.
    pub constants: Vec<(&'static str, u32)>,
    /// Its source in WGSL, with imports and conditions resolved. The entry point is `main`, all bindings are storage buffers of
    /// group 0, and the parameters are immediates.
    pub wgsl: String,
}

/// The pipelines that a turn takes of a model in `format`, in the order of their first use. The name of the shape is that of
/// [`super::Weights::Random`].
///
/// # Errors
/// `Error::Input` for a shape that is not known.
pub fn pipelines(shape: &str, format: Format, target: &Target) -> Result<Vec<Pipeline>> {
    let config = shape::config(shape)?;
    let (text, speech) = stages::samplings(&config);
    let pipelines = Outline::of(target.clone(), |executor| {
        let model = Model::load(&mut Loader::outline(executor.memory(), format), &config)?;
        let mut device = Device { executor, cancel: &Cancel::new() };
        rehearsal::turn(&mut device, &model, &config, text, speech)
    })?;
    pipelines.into_iter().map(|blueprint| pipeline(blueprint.variant)).collect()
}

fn pipeline(variant: Variant) -> Result<Pipeline> {
    let wgsl = shader::wgsl(&variant)?;
    let Variant { shader, defines, constants } = variant;
    Ok(Pipeline { shader, defines, constants, wgsl })
}
