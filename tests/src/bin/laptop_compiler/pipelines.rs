//! Every pipeline that the engine makes of the published model, on the laptop and on adapters that can do less.

use engine::{CoopShape, Format, Pipeline, Result, Target};

/// The published model; its layers are alike, so that a few show every kernel.
const SHAPE: &str = "omni-30b-a3b:4-layers";

/// What wgpu tells of the laptop's graphics processor.
const LAPTOP: Target = Target {
    subgroup: Some((32, 64)),
    f16: true,
    coop: Some(CoopShape { m: 16, n: 16, k: 16 }),
    int8: true,
    workgroup_bytes: 65_536,
    workgroup_size: 1024,
    groups: 65_535,
};

/// Ways to store weights.
const FORMATS: [Format; 4] = [Format::Bf16, Format::F32, Format::Q8_0, Format::Q4];

/// All of them, each once. Kernels choose others where there are no cooperative matrices, or no subgroup operations and no f16.
pub(crate) fn all() -> Result<Vec<Pipeline>> {
    let without_coop = Target { coop: None, ..LAPTOP };
    let plain = Target { subgroup: None, f16: false, ..without_coop };
    let mut all: Vec<Pipeline> = Vec::new();
    for target in [LAPTOP, without_coop, plain] {
        for format in FORMATS {
            for pipeline in engine::pipelines(SHAPE, format, &target)? {
                if !all.contains(&pipeline) {
                    all.push(pipeline);
                }
            }
        }
    }
    Ok(all)
}

/// Shader, variant and constants.
pub(crate) fn name(pipeline: &Pipeline) -> String {
    let constants = pipeline.constants.iter().map(|(name, value)| format!("{name}={value}"));
    let defines = pipeline.defines.iter().map(|&name| name.to_owned());
    std::iter::once(pipeline.shader.to_owned()).chain(defines).chain(constants).collect::<Vec<_>>().join(" ")
}
