//! Makes a pipeline of a shader, and asks the driver what it became.

use std::ffi::CString;
use std::ptr;

use anyhow::{Context, Result, anyhow, bail};
use ash::{Device, vk};

use crate::code::Code;
use crate::compiled::Compiled;
use crate::null_device::{NullDevice, word};
use crate::spirv::{ENTRY_POINT, Shader};

/// Compiles one shader, and asks what became of it.
///
/// # Errors
/// The driver's, and a statistic that it does not give.
pub(crate) fn compile(on: &NullDevice, shader: &Shader) -> Result<Compiled> {
    let made = Made::new(&on.device, shader)?;
    let info = vk::PipelineInfoKHR::default().pipeline(made.pipeline);
    // SAFETY: the pipeline is alive.
    let parts = unsafe { on.executables.get_pipeline_executable_properties(&info) }?;
    let [part] = parts.as_slice() else {
        bail!("the pipeline has {} executables instead of one", parts.len());
    };
    let info = vk::PipelineExecutableInfoKHR::default().pipeline(made.pipeline).executable_index(0);
    // SAFETY: the pipeline is alive, has this executable, and was made with its statistics kept.
    let statistics = unsafe { on.executables.get_pipeline_executable_statistics(&info) }?;
    let statistics = statistics.iter().filter_map(number).collect();
    Compiled::new(part.subgroup_size, &statistics, code(on, &info)?)
}

/// The machine code where the driver can disassemble it, else the compiler's own text of it, which the driver then gives
/// under the same name.
fn code(on: &NullDevice, info: &vk::PipelineExecutableInfoKHR<'_>) -> Result<Code> {
    let get = on.executables.fp().get_pipeline_executable_internal_representations_khr;
    let device = on.device.handle();
    let mut count = 0;
    // SAFETY: the pipeline is alive and was made with its representations kept; with a null pointer only the count is written.
    unsafe { get(device, info, &mut count, ptr::null_mut()) }.result()?;
    let mut texts = vec![vk::PipelineExecutableInternalRepresentationKHR::default(); count as usize];
    // SAFETY: as above, and `texts` has room for `count`; without room for a text, only its size is written.
    unsafe { get(device, info, &mut count, texts.as_mut_ptr()) }.result()?;
    let mut rooms: Vec<Vec<u8>> = texts.iter().map(|text| vec![0; text.data_size]).collect();
    for (text, room) in texts.iter_mut().zip(&mut rooms) {
        text.p_data = room.as_mut_ptr().cast();
    }
    // SAFETY: as above, and each text has room for its size.
    unsafe { get(device, info, &mut count, texts.as_mut_ptr()) }.result()?;
    let mut named = texts.iter().map(|text| word(&text.name)).zip(rooms);
    let (_, text) =
        named.find(|(name, _)| name == "Assembly").ok_or_else(|| anyhow!("the driver shows no code"))?;
    Ok(Code(String::from_utf8_lossy(&text).trim_end_matches('\0').to_owned()))
}

/// A pipeline with what it was made from.
struct Made<'a> {
    device: &'a Device,
    module: vk::ShaderModule,
    set: vk::DescriptorSetLayout,
    layout: vk::PipelineLayout,
    pipeline: vk::Pipeline,
}

impl Made<'_> {
    fn new<'a>(device: &'a Device, shader: &Shader) -> Result<Made<'a>> {
        let null = vk::Pipeline::null();
        let mut made = Made {
            device,
            module: vk::ShaderModule::null(),
            set: vk::DescriptorSetLayout::null(),
            layout: vk::PipelineLayout::null(),
            pipeline: null,
        };
        let bindings: Vec<_> = (0..shader.bindings).map(binding).collect();
        let set = vk::DescriptorSetLayoutCreateInfo::default().bindings(&bindings);
        let module = vk::ShaderModuleCreateInfo::default().code(&shader.words);
        // SAFETY: the device is alive, and so is what the two structures point to; naga has checked the SPIR-V.
        unsafe {
            made.set = device.create_descriptor_set_layout(&set, None)?;
            made.module = device.create_shader_module(&module, None)?;
        }
        let immediates = [vk::PushConstantRange::default()
            .stage_flags(vk::ShaderStageFlags::ALL)
            .size(shader.immediate_bytes)];
        let sets = [made.set];
        let layout = vk::PipelineLayoutCreateInfo::default()
            .set_layouts(&sets)
            .push_constant_ranges(if shader.immediate_bytes > 0 { &immediates } else { &[] });
        // SAFETY: the device and the set's layout are alive.
        made.layout = unsafe { device.create_pipeline_layout(&layout, None) }?;
        let name = CString::new(ENTRY_POINT)?;
        let stage = vk::PipelineShaderStageCreateInfo::default()
            .flags(vk::PipelineShaderStageCreateFlags::ALLOW_VARYING_SUBGROUP_SIZE)
            .stage(vk::ShaderStageFlags::COMPUTE)
            .module(made.module)
            .name(&name);
        let keep = vk::PipelineCreateFlags::CAPTURE_STATISTICS_KHR
            | vk::PipelineCreateFlags::CAPTURE_INTERNAL_REPRESENTATIONS_KHR;
        let wanted = [vk::ComputePipelineCreateInfo::default().flags(keep).stage(stage).layout(made.layout)];
        // SAFETY: the module has the entry point, and its bindings and immediates are in the layout.
        let pipelines = unsafe { device.create_compute_pipelines(vk::PipelineCache::null(), &wanted, None) };
        made.pipeline =
            pipelines.map_err(|(_, error)| error)?.pop().context("the driver made no pipeline")?;
        Ok(made)
    }
}

impl Drop for Made<'_> {
    fn drop(&mut self) {
        // SAFETY: all four are the device's or null, and nothing uses them any more.
        unsafe {
            self.device.destroy_pipeline(self.pipeline, None);
            self.device.destroy_pipeline_layout(self.layout, None);
            self.device.destroy_descriptor_set_layout(self.set, None);
            self.device.destroy_shader_module(self.module, None);
        }
    }
}

fn binding(index: u32) -> vk::DescriptorSetLayoutBinding<'static> {
    vk::DescriptorSetLayoutBinding::default()
        .binding(index)
        .descriptor_type(vk::DescriptorType::STORAGE_BUFFER)
        .descriptor_count(1)
        .stage_flags(vk::ShaderStageFlags::COMPUTE)
}

/// A statistic's name and value; all that matter here are whole numbers.
fn number(statistic: &vk::PipelineExecutableStatisticKHR<'_>) -> Option<(String, u64)> {
    (statistic.format == vk::PipelineExecutableStatisticFormatKHR::UINT64)
        // SAFETY: the format tells that the number is what the driver has written.
        .then(|| (word(&statistic.name), unsafe { statistic.value.u64 }))
}
