//! A Vulkan device of RADV for a chip that is not there: it compiles, and runs nothing.

use std::ffi::{CStr, c_char};

use anyhow::{Context, Result, bail};
use ash::{Device, Entry, Instance, ext, khr, vk};

/// The chip of the laptop, as the driver calls it.
const CHIP: &str = "gfx1151";

/// A device, and what it needs to live.
pub(crate) struct NullDevice {
    pub(crate) device: Device,
    pub(crate) executables: khr::pipeline_executable_properties::Device,
    description: String,
    instance: Instance,
    /// The Vulkan loader, which must stay loaded.
    _entry: Entry,
}

impl NullDevice {
    /// Opens the device, with the extensions and features that wgpu would turn on.
    ///
    /// # Errors
    /// Says what the machine lacks.
    pub(crate) fn open() -> Result<NullDevice> {
        // SAFETY: the library is the system's Vulkan loader, and is unloaded last.
        let entry = unsafe { Entry::load() }.context("there is no Vulkan loader (libvulkan.so.1)")?;
        let application = vk::ApplicationInfo::default().api_version(vk::API_VERSION_1_3);
        let wanted = vk::InstanceCreateInfo::default().application_info(&application);
        // SAFETY: `wanted` and what it points to are alive.
        let instance =
            unsafe { entry.create_instance(&wanted, None) }.context("no Vulkan driver could be loaded")?;
        let (physical, description) = match find(&instance) {
            Ok(found) => found,
            Err(error) => {
                // SAFETY: nothing was made of the instance.
                unsafe { instance.destroy_instance(None) };
                return Err(error);
            }
        };
        let device = match create(&instance, physical) {
            Ok(device) => device,
            Err(error) => {
                // SAFETY: nothing was made of the instance.
                unsafe { instance.destroy_instance(None) };
                return Err(error).with_context(|| description);
            }
        };
        let executables = khr::pipeline_executable_properties::Device::new(&instance, &device);
        Ok(NullDevice { device, executables, description, instance, _entry: entry })
    }

    /// The chip and the driver.
    pub(crate) fn description(&self) -> &str {
        &self.description
    }
}

impl Drop for NullDevice {
    fn drop(&mut self) {
        // SAFETY: every pipeline is gone, and nothing runs.
        unsafe {
            self.device.destroy_device(None);
            self.instance.destroy_instance(None);
        }
    }
}

/// The device of the chip, and its name.
fn find(instance: &Instance) -> Result<(vk::PhysicalDevice, String)> {
    let mut names = Vec::new();
    // SAFETY: the instance is alive.
    for physical in unsafe { instance.enumerate_physical_devices() }? {
        let mut driver = vk::PhysicalDeviceDriverProperties::default();
        let mut properties = vk::PhysicalDeviceProperties2::default().push_next(&mut driver);
        // SAFETY: the device is the instance's, and the structures are chained.
        unsafe { instance.get_physical_device_properties2(physical, &mut properties) };
        let name = word(&properties.properties.device_name);
        if driver.driver_id == vk::DriverId::MESA_RADV && name.to_lowercase().contains(CHIP) {
            return Ok((physical, format!("{name}, {}", word(&driver.driver_info))));
        }
        names.push(name);
    }
    bail!(
        "no driver offers the chip {CHIP}, only {names:?}; it takes Mesa 25's RADV and RADV_FORCE_FAMILY={CHIP} in the environment"
    )
}

/// Opens a device as wgpu does for the features that the engine asks for, and with the compiler's statistics on top.
fn create(instance: &Instance, physical: vk::PhysicalDevice) -> Result<Device> {
    let queues = [vk::DeviceQueueCreateInfo::default().queue_family_index(0).queue_priorities(&[1.0])];
    let extensions = [
        khr::cooperative_matrix::NAME.as_ptr(),
        ext::robustness2::NAME.as_ptr(),
        khr::pipeline_executable_properties::NAME.as_ptr(),
    ];
    let core = vk::PhysicalDeviceFeatures::default().robust_buffer_access(true);
    let mut storage16 = vk::PhysicalDevice16BitStorageFeatures::default()
        .storage_buffer16_bit_access(true)
        .uniform_and_storage_buffer16_bit_access(true)
        .storage_input_output16(true);
    let mut small =
        vk::PhysicalDeviceShaderFloat16Int8Features::default().shader_float16(true).shader_int8(true);
    let mut model = vk::PhysicalDeviceVulkanMemoryModelFeatures::default()
        .vulkan_memory_model(true)
        .vulkan_memory_model_device_scope(true);
    let mut subgroups = vk::PhysicalDeviceSubgroupSizeControlFeatures::default().subgroup_size_control(true);
    let mut dot =
        vk::PhysicalDeviceShaderIntegerDotProductFeatures::default().shader_integer_dot_product(true);
    let mut zero = vk::PhysicalDeviceZeroInitializeWorkgroupMemoryFeatures::default()
        .shader_zero_initialize_workgroup_memory(true);
    let mut matrices = vk::PhysicalDeviceCooperativeMatrixFeaturesKHR::default().cooperative_matrix(true);
    let mut robustness = vk::PhysicalDeviceRobustness2FeaturesEXT::default()
        .robust_buffer_access2(true)
        .robust_image_access2(true);
    let mut statistics =
        vk::PhysicalDevicePipelineExecutablePropertiesFeaturesKHR::default().pipeline_executable_info(true);
    let wanted = vk::DeviceCreateInfo::default()
        .queue_create_infos(&queues)
        .enabled_extension_names(&extensions)
        .enabled_features(&core)
        .push_next(&mut storage16)
        .push_next(&mut small)
        .push_next(&mut model)
        .push_next(&mut subgroups)
        .push_next(&mut dot)
        .push_next(&mut zero)
        .push_next(&mut matrices)
        .push_next(&mut robustness)
        .push_next(&mut statistics);
    // SAFETY: the physical device is the instance's; `wanted` and what it points to are alive.
    unsafe { instance.create_device(physical, &wanted, None) }.context("the device could not be opened")
}

/// A name in a fixed room, up to its zero.
pub(crate) fn word(chars: &[c_char]) -> String {
    let bytes: Vec<u8> = chars.iter().map(|&c| c as u8).collect();
    CStr::from_bytes_until_nul(&bytes).map(|text| text.to_string_lossy().into_owned()).unwrap_or_default()
}
