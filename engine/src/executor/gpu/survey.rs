//! What the adapters of this machine are and can do: facts, without a judgement.

use serde::{Deserialize, Serialize};
use wgpu::{DeviceType, Features};

use super::adapter;

/// Features that a report tells of: those that the shaders need, and those that make them faster or loading leaner.
const TOLD: [(&str, Features); 6] = [
    ("immediates", adapter::NEEDED),
    ("subgroups", Features::SUBGROUP),
    ("f16", Features::SHADER_F16),
    ("cooperative matrices", Features::EXPERIMENTAL_COOPERATIVE_MATRIX),
    ("timestamps", Features::TIMESTAMP_QUERY),
    ("pipeline cache", Features::PIPELINE_CACHE),
];

/// What an adapter is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AdapterKind {
    /// With memory of its own.
    Discrete,
    /// Shares the processor's memory.
    Integrated,
    /// Of a virtual machine.
    Virtual,
    /// A program of the processor.
    Software,
    /// The driver does not say.
    Unknown,
}

/// A part of the memory that an adapter can use.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Heap {
    /// Its size, as the driver tells it.
    pub bytes: u64,
    /// Whether the driver calls it the adapter's own.
    pub device_local: bool,
}

/// An adapter and its driver.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Adapter {
    /// As the driver calls it.
    pub name: String,
    /// The driver.
    pub driver: String,
    /// The driver's version, in its own words.
    pub version: String,
    /// The programming interface: `vulkan`, `metal` or `dx12`.
    pub backend: String,
    /// What it is.
    pub kind: AdapterKind,
    /// PCI number of its maker.
    pub vendor: u32,
    /// PCI number of its model.
    pub device: u32,
    /// Where it sits, as `0000:c3:00.0`; empty where the driver does not say.
    pub pci_bus_id: String,
    /// What of the features that the engine uses it has.
    pub features: Vec<String>,
    /// What of them it misses.
    pub missing: Vec<String>,
    /// Why the model cannot run on it, where it cannot.
    pub refusal: Option<String>,
    /// The largest buffer that shaders can read, in bytes.
    pub largest_binding: u64,
    /// Its memory; empty where the driver cannot be asked.
    pub heaps: Vec<Heap>,
}

/// Every adapter of this machine, the best first, also those that the model cannot run on. Blocks while drivers are asked, up to
/// some seconds.
pub fn adapters() -> Vec<Adapter> {
    adapter::all().iter().map(describe).collect()
}

fn describe(found: &wgpu::Adapter) -> Adapter {
    let (info, limits, has) = (found.get_info(), found.limits(), found.features());
    let named = |wanted: bool| {
        let told = TOLD.iter().filter(|(_, feature)| has.contains(*feature) == wanted);
        told.map(|(name, _)| (*name).to_owned()).collect()
    };
    Adapter {
        kind: match info.device_type {
            DeviceType::DiscreteGpu => AdapterKind::Discrete,
            DeviceType::IntegratedGpu => AdapterKind::Integrated,
            DeviceType::VirtualGpu => AdapterKind::Virtual,
            DeviceType::Cpu => AdapterKind::Software,
            DeviceType::Other => AdapterKind::Unknown,
        },
        name: info.name,
        driver: info.driver,
        version: info.driver_info,
        backend: info.backend.to_string(),
        vendor: info.vendor,
        device: info.device,
        pci_bus_id: info.device_pci_bus_id,
        features: named(true),
        missing: named(false),
        refusal: adapter::refusal(found),
        largest_binding: limits.max_storage_buffer_binding_size.min(limits.max_buffer_size),
        heaps: heaps(found),
    }
}

/// The memory that Vulkan tells of.
#[cfg(not(target_vendor = "apple"))]
fn heaps(found: &wgpu::Adapter) -> Vec<Heap> {
    /// `VK_MEMORY_HEAP_DEVICE_LOCAL_BIT`.
    const DEVICE_LOCAL: u32 = 1;
    // SAFETY: the adapter is only looked at, and nothing of it outlives the guard.
    let Some(raw) = (unsafe { found.as_hal::<wgpu::hal::api::Vulkan>() }) else { return Vec::new() };
    let instance = raw.shared_instance().raw_instance();
    // SAFETY: the physical device is one of this very instance, which the guard keeps.
    let told = unsafe { instance.get_physical_device_memory_properties(raw.raw_physical_device()) };
    let count = (told.memory_heap_count as usize).min(told.memory_heaps.len());
    let heaps = told.memory_heaps[..count].iter();
    heaps
        .map(|heap| Heap { bytes: heap.size, device_local: heap.flags.as_raw() & DEVICE_LOCAL != 0 })
        .collect()
}

/// There is no Vulkan to ask.
#[cfg(target_vendor = "apple")]
fn heaps(_: &wgpu::Adapter) -> Vec<Heap> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_adapter_that_can_run_the_model_is_told_with_its_driver_and_memory() {
        let names = adapter::graphics_processors();
        let found = adapters();
        for name in &names {
            let told = found.iter().find(|adapter| adapter.name == *name).unwrap();
            assert_eq!(told.refusal, None, "{told:?}");
            assert!(told.features.contains(&"immediates".to_owned()), "{told:?}");
            assert!(told.largest_binding > 0 && !told.driver.is_empty(), "{told:?}");
            assert!(told.heaps.iter().any(|heap| heap.bytes > 0), "{told:?}");
            assert_eq!(told.features.len() + told.missing.len(), TOLD.len());
        }
        assert!(!names.is_empty(), "tests need a Vulkan driver, at least a software one");
    }
}
