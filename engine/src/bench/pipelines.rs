//! Every pipeline that a graphics processor makes for a model, without one: the stages are gone through by an executor that runs
//! nothing.

use super::parts::{Needs, Parts};
use super::{Bench, BenchOptions, Format, Stage, Weights, shape, stages};
use crate::cancel::Cancel;
use crate::error::Result;
use crate::executor::{Executor, Outline};
use crate::settings::Options;
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

/// Tokens of a prompt, from one to as many as are read at once: kernels choose by that.
const PROMPTS: [usize; 6] = [1, 2, 8, 32, 130, 512];

/// The pipelines that all stages need of a model with random weights, in the order of their first use. The name of the shape is
/// that of [`Weights::Random`].
///
/// # Errors
/// `Error::Input` for a shape that is not known.
pub fn pipelines(shape: &str, format: Format, target: &Target) -> Result<Vec<Pipeline>> {
    let config = shape::config(shape)?;
    let mut executor = Executor::Outline(Outline::new(target.clone()));
    let stages = stages::of(&config, &executor);
    let mut loader = Loader::outline(executor.memory(), format);
    let parts = Parts::load(&mut loader, &config, Needs::of(&stages))?;
    let options = BenchOptions {
        weights: Weights::Random(shape.to_owned()),
        options: Options { format: Some(format), ..Options::default() },
        tokens: 1,
        context: 1,
        runs: 1,
        stages: stages.clone(),
    };
    let mut bench = Bench {
        options,
        name: shape.to_owned(),
        format: "",
        weight_bytes: 0,
        bandwidth: 1.0,
        executor,
        parts,
        config,
        cancel: Cancel::new(),
        device_bytes: None,
    };
    for stage in stages {
        let prompts = if stage == Stage::Prefill { &PROMPTS[..] } else { &PROMPTS[..1] };
        for &tokens in prompts {
            bench.options.tokens = tokens;
            bench.measure(stage)?;
        }
    }
    match bench.executor {
        Executor::Outline(outline) => outline.into_variants().into_iter().map(pipeline).collect(),
        Executor::Cpu(_) | Executor::Gpu(_) => Ok(Vec::new()),
    }
}

fn pipeline(variant: Variant) -> Result<Pipeline> {
    let wgsl = shader::wgsl(&variant)?;
    let Variant { shader, defines, constants } = variant;
    Ok(Pipeline { shader, defines, constants, wgsl })
}
