//! WGSL to SPIR-V as wgpu's Vulkan backend does it for trusted modules on a device with the features that the engine asks for.

use anyhow::{Result, anyhow, bail};
use engine::Pipeline;
use naga::back::pipeline_constants::process_overrides;
use naga::back::spv::{self, Capability};
use naga::front::wgsl;
use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};
use naga::valid::{Capabilities, ValidationFlags, Validator};
use naga::{AddressSpace, Module, ShaderStage};

/// Where the code of every shader begins.
pub(crate) const ENTRY_POINT: &str = "main";

/// What naga may take a shader to need: immediates, subgroups, f16 and cooperative matrices are what the engine asks for.
const VALID: Capabilities = Capabilities::IMMEDIATES
    .union(Capabilities::SUBGROUP)
    .union(Capabilities::SHADER_FLOAT16)
    .union(Capabilities::SHADER_FLOAT16_IN_FLOAT32)
    .union(Capabilities::COOPERATIVE_MATRIX);

/// What a compute shader may then use.
const CAPABILITIES: [Capability; 17] = [
    Capability::Shader,
    Capability::Matrix,
    Capability::GroupNonUniform,
    Capability::GroupNonUniformVote,
    Capability::GroupNonUniformArithmetic,
    Capability::GroupNonUniformBallot,
    Capability::GroupNonUniformShuffle,
    Capability::GroupNonUniformShuffleRelative,
    Capability::GroupNonUniformQuad,
    Capability::Float16,
    Capability::CooperativeMatrixKHR,
    Capability::VulkanMemoryModel,
    Capability::DotProductInputAllKHR,
    Capability::DotProductInput4x8BitKHR,
    Capability::DotProductInput4x8BitPackedKHR,
    Capability::DotProductKHR,
    Capability::Int8,
];

/// A shader as the driver takes it.
pub(crate) struct Shader {
    /// SPIR-V.
    pub(crate) words: Vec<u32>,
    /// Storage buffers: bindings of group 0, from 0 on.
    pub(crate) bindings: u32,
    /// Size of its immediates.
    pub(crate) immediate_bytes: u32,
}

/// Translates one pipeline's shader with its constants.
///
/// # Errors
/// A shader that naga refuses, or one that binds something other than storage buffers in group 0.
pub(crate) fn translate(pipeline: &Pipeline) -> Result<Shader> {
    let source = &pipeline.wgsl;
    let mut options = wgsl::Options::new();
    options.capabilities = VALID;
    let module = wgsl::Frontend::new_with_options(options)
        .parse(source)
        .map_err(|error| anyhow!("{}", error.emit_to_string(source)))?;
    let info = Validator::new(ValidationFlags::all(), VALID)
        .validate(&module)
        .map_err(|error| anyhow!("{}", error.emit_to_string(source)))?;
    let constants =
        pipeline.constants.iter().map(|(name, value)| ((*name).to_owned(), f64::from(*value))).collect();
    let entry = (ShaderStage::Compute, ENTRY_POINT);
    let (module, info) = process_overrides(&module, &info, Some(entry), &constants)?;
    let stage = spv::PipelineOptions { shader_stage: entry.0, entry_point: entry.1.to_owned() };
    let words = spv::write_vec(&module, &info, &writing(), Some(&stage))?;
    Ok(Shader { words, bindings: bindings(&module)?, immediate_bytes: immediate_bytes(&module) })
}

/// No checks, no clearing of workgroup memory, no names.
fn writing() -> spv::Options<'static> {
    spv::Options {
        lang_version: (1, 6),
        flags: spv::WriterFlags::LABEL_VARYINGS | spv::WriterFlags::FORCE_POINT_SIZE,
        capabilities: Some(CAPABILITIES.into_iter().collect()),
        bounds_check_policies: BoundsCheckPolicies {
            index: BoundsCheckPolicy::Unchecked,
            buffer: BoundsCheckPolicy::Unchecked,
            image_load: BoundsCheckPolicy::Unchecked,
            binding_array: BoundsCheckPolicy::Unchecked,
        },
        zero_initialize_workgroup_memory: spv::ZeroInitializeWorkgroupMemoryMode::None,
        force_loop_bounding: false,
        ray_query_initialization_tracking: false,
        use_storage_input_output_16: true,
        task_dispatch_limits: None,
        mesh_shader_primitive_indices_clamp: false,
        emit_int_div_checks: false,
        ..spv::Options::default()
    }
}

fn bindings(module: &Module) -> Result<u32> {
    let mut count = 0;
    for (_, variable) in module.global_variables.iter() {
        if let Some(place) = &variable.binding {
            let name = variable.name.as_deref().unwrap_or("?");
            if place.group != 0 || !matches!(variable.space, AddressSpace::Storage { .. }) {
                bail!("{name} is no storage buffer of group 0");
            }
            count = count.max(place.binding + 1);
        }
    }
    Ok(count)
}

fn immediate_bytes(module: &Module) -> u32 {
    let immediates = module.global_variables.iter().filter(|(_, it)| it.space == AddressSpace::Immediate);
    immediates.map(|(_, it)| module.types[it.ty].inner.size(module.to_ctx())).sum()
}
