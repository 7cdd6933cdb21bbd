//! Which adapter the model runs on, and what is asked of it.

use wgpu::{DeviceType, Features};

use super::context::Context;
use crate::error::{Error, Result};
use crate::shader::{CoopShape, Target};

/// Features without which no shader runs.
pub(super) const NEEDED: Features = Features::IMMEDIATES;

/// Features that make shaders faster or loading leaner, taken where there are.
const WELCOME: Features = Features::SUBGROUP
    .union(Features::SHADER_F16)
    .union(Features::EXPERIMENTAL_COOPERATIVE_MATRIX)
    .union(Features::TIMESTAMP_QUERY)
    .union(Features::TIMESTAMP_QUERY_INSIDE_PASSES)
    .union(Features::PIPELINE_CACHE);

/// Parameters of a dispatch: bytes that the shaders' `var<immediate>` may take.
const PARAMETER_BYTES: u32 = 128;

/// Storage buffers that a shader may bind.
const BINDINGS: u32 = 12;

/// Names of the graphics processors that the model can run on, the best first; for [`crate::Options::gpu`]. Blocks while drivers
/// are asked, up to some seconds.
pub fn graphics_processors() -> Vec<String> {
    let usable = all().into_iter().filter(|adapter| refusal(adapter).is_none());
    let mut names: Vec<_> = usable.map(|adapter| adapter.get_info().name).collect();
    names.dedup();
    names
}

/// Every adapter of this machine, the best first.
pub(super) fn all() -> Vec<wgpu::Adapter> {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = wgpu::Backends::VULKAN | wgpu::Backends::METAL | wgpu::Backends::DX12;
    descriptor.flags = wgpu::InstanceFlags::empty().with_env();
    let instance = wgpu::Instance::new(descriptor);
    let mut adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()));
    adapters.sort_by_key(rank);
    adapters
}

/// Opens the best adapter, or the best of those whose names hold `wanted`. `software` allows one that is a program of the processor.
///
/// # Errors
/// `Error::Device` where there is none, or none with what is needed.
pub(super) fn open(software: bool, wanted: Option<&str>) -> Result<Context> {
    let mut reasons = Vec::new();
    for adapter in all() {
        let info = adapter.get_info();
        match refusal(&adapter) {
            _ if !is_called(&info, wanted) => reasons.push(format!("{} is not the one asked for", info.name)),
            Some(reason) => reasons.push(format!("{}: {reason}", info.name)),
            None if is_software(&info) && !software => {
                reasons.push(format!("{} is a program of the processor", info.name));
            }
            None => return request(&adapter),
        }
    }
    Err(Error::Device(match &reasons[..] {
        [] => "no graphics processor was found".into(),
        reasons => format!("no graphics processor can run the model ({})", reasons.join("; ")),
    }))
}

/// Whether the adapter's name holds `wanted`, where that is given.
pub(super) fn is_called(info: &wgpu::AdapterInfo, wanted: Option<&str>) -> bool {
    wanted.is_none_or(|wanted| info.name.to_lowercase().contains(&wanted.to_lowercase()))
}

/// How welcome an adapter is, 0 most.
pub(super) fn rank(adapter: &wgpu::Adapter) -> usize {
    match adapter.get_info().device_type {
        DeviceType::DiscreteGpu => 0,
        DeviceType::IntegratedGpu => 1,
        DeviceType::VirtualGpu => 2,
        DeviceType::Other => 3,
        DeviceType::Cpu => 4,
    }
}

/// Why an adapter cannot be used.
pub(super) fn refusal(adapter: &wgpu::Adapter) -> Option<String> {
    let (missing, limits) = (NEEDED - adapter.features(), adapter.limits());
    if !missing.is_empty() {
        return Some(format!("its driver lacks {missing:?}"));
    }
    if limits.max_immediate_size < PARAMETER_BYTES || limits.max_storage_buffers_per_shader_stage < BINDINGS {
        return Some(format!(
            "its driver allows {} bytes of parameters and {} buffers a shader; {PARAMETER_BYTES} and {BINDINGS} are needed",
            limits.max_immediate_size, limits.max_storage_buffers_per_shader_stage
        ));
    }
    None
}

/// What a device must be asked for, so that the engine can use it: for whoever makes the device.
pub(super) fn requirements(adapter: &wgpu::Adapter) -> wgpu::DeviceDescriptor<'static> {
    let mut features = NEEDED | WELCOME & adapter.features();
    if is_unified(&adapter.get_info()) {
        features |= Features::MAPPABLE_PRIMARY_BUFFERS & adapter.features();
    }
    let have = adapter.limits();
    let limits = wgpu::Limits {
        max_immediate_size: PARAMETER_BYTES,
        max_storage_buffers_per_shader_stage: BINDINGS,
        max_storage_buffer_binding_size: have.max_storage_buffer_binding_size,
        max_buffer_size: have.max_buffer_size,
        max_compute_workgroup_storage_size: have.max_compute_workgroup_storage_size.min(65_536),
        max_compute_invocations_per_workgroup: have.max_compute_invocations_per_workgroup,
        max_compute_workgroup_size_x: have.max_compute_workgroup_size_x,
        max_compute_workgroup_size_y: have.max_compute_workgroup_size_y,
        ..wgpu::Limits::default()
    };
    wgpu::DeviceDescriptor {
        label: Some("colloquy"),
        required_features: features,
        required_limits: limits,
        // SAFETY: the one experimental feature asked for is the cooperative matrix; its shaders are our own and are checked when
        // the program is built.
        experimental_features: unsafe { wgpu::ExperimentalFeatures::enabled() },
        memory_hints: wgpu::MemoryHints::Performance,
        trace: wgpu::Trace::Off,
    }
}

fn request(adapter: &wgpu::Adapter) -> Result<Context> {
    let (device, queue) = pollster::block_on(adapter.request_device(&requirements(adapter)))
        .map_err(|e| Error::Device(format!("{} gives no device: {e}", adapter.get_info().name)))?;
    Ok(Context::new(adapter, device, queue))
}

/// Whether the adapter is a program of the processor.
pub(super) fn is_software(info: &wgpu::AdapterInfo) -> bool {
    info.device_type == DeviceType::Cpu
}

/// Whether the processor and the adapter share their memory.
pub(super) fn is_unified(info: &wgpu::AdapterInfo) -> bool {
    matches!(info.device_type, DeviceType::IntegratedGpu | DeviceType::Cpu)
}

/// What kernels must know of `device`, which `adapter` has made.
pub(super) fn target(adapter: &wgpu::Adapter, device: &wgpu::Device) -> Target {
    let (features, limits, info) = (device.features(), device.limits(), adapter.get_info());
    let coop = features.contains(Features::EXPERIMENTAL_COOPERATIVE_MATRIX | Features::SHADER_F16);
    Target {
        subgroup: features
            .contains(Features::SUBGROUP)
            .then_some((info.subgroup_min_size, info.subgroup_max_size)),
        f16: features.contains(Features::SHADER_F16),
        int8: true,
        coop: if coop { coop_shape(adapter) } else { None },
        workgroup_bytes: limits.max_compute_workgroup_storage_size,
        workgroup_size: limits.max_compute_invocations_per_workgroup,
        groups: limits.max_compute_workgroups_per_dimension,
    }
}

/// The largest square product of f16 into f32.
fn coop_shape(adapter: &wgpu::Adapter) -> Option<CoopShape> {
    use wgpu::CooperativeScalarType::{F16, F32};
    (adapter.cooperative_matrix_properties().into_iter())
        .filter(|p| p.ab_type == F16 && p.cr_type == F32 && p.m_size == p.n_size && p.m_size == p.k_size)
        .filter(|p| [8, 16].contains(&p.m_size))
        .max_by_key(|p| p.m_size)
        .map(|p| CoopShape { m: p.m_size, n: p.n_size, k: p.k_size })
}
