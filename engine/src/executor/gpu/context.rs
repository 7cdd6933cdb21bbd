//! A device with the pipelines made on it, shared by everything that runs there.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::adapter;
use super::fault::Faults;
use super::kept::Kept;
use crate::error::Result;
use crate::shader::{self, Access, Dispatch, Target, Variant};

/// A pipeline and the layout of its one bind group.
#[derive(Clone, Debug)]
pub(super) struct Pipeline {
    pub(super) pipeline: wgpu::ComputePipeline,
    pub(super) layout: wgpu::BindGroupLayout,
}

/// What tells pipelines apart.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Key {
    shader: &'static str,
    defines: Vec<&'static str>,
    constants: Vec<(&'static str, u32)>,
    accesses: Vec<Access>,
}

/// Device, queue and pipelines.
pub(crate) struct Context {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    pub(super) info: wgpu::AdapterInfo,
    pub(super) target: Target,
    pub(super) faults: Arc<Faults>,
    pipelines: Mutex<HashMap<Key, Pipeline>>,
    /// What its driver has compiled, on disk; nowhere where nobody said where, or where it gives nothing out.
    kept: OnceLock<Option<Kept>>,
}

impl Context {
    /// Takes a device that `adapter` has made as [`adapter::requirements`] say.
    pub(crate) fn new(adapter: &wgpu::Adapter, device: wgpu::Device, queue: wgpu::Queue) -> Context {
        Context {
            target: adapter::target(adapter, &device),
            info: adapter.get_info(),
            faults: Faults::of(&device),
            device,
            queue,
            pipelines: Mutex::default(),
            kept: OnceLock::new(),
        }
    }

    /// Has pipelines made from now on kept in `folder`, and what was kept there used. The first folder counts.
    pub(super) fn keep_pipelines(&self, folder: &Path) {
        self.kept.get_or_init(|| Kept::open(self, folder));
    }

    /// Writes what is to be kept of the pipelines, where there is something new.
    pub(super) fn save_pipelines(&self) {
        if let Some(Some(kept)) = self.kept.get()
            && self.faults.loss().is_none()
        {
            kept.save();
        }
    }

    /// What its shaders are chosen by.
    #[cfg(test)]
    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// The same, as if the adapter had no cooperative matrices.
    pub(crate) fn without_matrix_cores(mut self) -> Context {
        self.target.coop = None;
        self
    }

    /// Name of the adapter and its driver.
    pub(crate) fn description(&self) -> String {
        let wgpu::AdapterInfo { name, driver, driver_info, .. } = &self.info;
        format!("{name} ({driver} {driver_info})").replace(" )", ")")
    }

    /// The pipeline that a dispatch needs, made at its first use.
    pub(super) fn pipeline(&self, dispatch: &Dispatch) -> Result<Pipeline> {
        let Variant { shader, defines, constants } = dispatch.variant.clone();
        let accesses = dispatch.bindings.iter().map(|b| b.access).collect();
        let key = Key { shader, defines, constants, accesses };
        if let Some(pipeline) = guard(&self.pipelines).get(&key) {
            return Ok(pipeline.clone());
        }
        let pipeline = self.make(&key, dispatch)?;
        guard(&self.pipelines).insert(key, pipeline.clone());
        Ok(pipeline)
    }

    fn make(&self, key: &Key, dispatch: &Dispatch) -> Result<Pipeline> {
        let source = shader::wgsl(&dispatch.variant)?;
        self.accepted(key.shader, || self.compile(source, key, dispatch))
    }

    fn compile(&self, source: String, key: &Key, dispatch: &Dispatch) -> Pipeline {
        let descriptor = wgpu::ShaderModuleDescriptor {
            label: Some(key.shader),
            source: wgpu::ShaderSource::Wgsl(source.into()),
        };
        // SAFETY: the shaders are our own, index by sizes that their kernels have checked against the buffers, and end every loop.
        let module = unsafe {
            self.device.create_shader_module_trusted(descriptor, wgpu::ShaderRuntimeChecks::unchecked())
        };
        let entries: Vec<_> = (0..)
            .zip(&key.accesses)
            .map(|(binding, access)| wgpu::BindGroupLayoutEntry {
                binding,
                visibility: wgpu::ShaderStages::COMPUTE,
                ty: wgpu::BindingType::Buffer {
                    ty: wgpu::BufferBindingType::Storage { read_only: *access == Access::Read },
                    has_dynamic_offset: false,
                    min_binding_size: None,
                },
                count: None,
            })
            .collect();
        let layout = self
            .device
            .create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: None, entries: &entries });
        let pipeline_layout = self.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: None,
            bind_group_layouts: &[Some(&layout)],
            immediate_size: (dispatch.params.len() * size_of::<u32>()) as u32,
        });
        let constants: Vec<_> = key.constants.iter().map(|&(name, value)| (name, f64::from(value))).collect();
        let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(key.shader),
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: &constants,
                zero_initialize_workgroup_memory: false,
            },
            cache: self.kept.get().and_then(Option::as_ref).map(Kept::cache),
        });
        Pipeline { pipeline, layout }
    }

    /// The same, as if the adapter had no subgroups.
    #[cfg(test)]
    pub(crate) fn without_subgroups(mut self) -> Context {
        self.target.subgroup = None;
        self
    }
}

/// The value behind a lock; one that a panicking thread left is as good as any here.
pub(super) fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
