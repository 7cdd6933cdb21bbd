//! A device with the pipelines made on it, shared by everything that runs there.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use rayon::prelude::*;

use super::adapter;
use super::fault::Faults;
use super::kept::Kept;
use crate::error::Result;
use crate::shader::{self, Access, Blueprint, Target, Variant};

/// A pipeline and the layout of its one bind group.
#[derive(Clone, Debug)]
pub(super) struct Pipeline {
    pub(super) pipeline: wgpu::ComputePipeline,
    pub(super) layout: wgpu::BindGroupLayout,
}

/// Where a pipeline stands once it is made; held by whoever makes it.
type Slot = Arc<Mutex<Option<Pipeline>>>;

/// Device, queue and pipelines.
pub(crate) struct Context {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    pub(super) info: wgpu::AdapterInfo,
    pub(super) target: Target,
    pub(super) faults: Arc<Faults>,
    /// Whether the processor can write weights where shaders read them.
    pub(super) mappable: bool,
    pipelines: Mutex<HashMap<Blueprint, Slot>>,
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
            mappable: device.features().contains(wgpu::Features::MAPPABLE_PRIMARY_BUFFERS),
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
    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// The same, as if the adapter had no cooperative matrices.
    pub(crate) fn without_matrix_cores(mut self) -> Context {
        self.target.coop = None;
        self
    }

    /// The same, but keeps to f32 where weights are quantised.
    pub(crate) fn without_int8(mut self) -> Context {
        self.target.int8 = false;
        self
    }

    /// Name of the adapter and its driver.
    pub(crate) fn description(&self) -> String {
        let wgpu::AdapterInfo { name, driver, driver_info, .. } = &self.info;
        format!("{name} ({driver} {driver_info})").replace(" )", ")")
    }

    /// The pipeline that a dispatch needs, made at its first use. Who wants one that another thread is making waits for that.
    pub(super) fn pipeline(&self, wanted: &Blueprint) -> Result<Pipeline> {
        let slot = guard(&self.pipelines).entry(wanted.clone()).or_default().clone();
        let mut made = guard(&slot);
        match &*made {
            Some(pipeline) => Ok(pipeline.clone()),
            None => Ok(made.insert(self.make(wanted)?).clone()),
        }
    }

    /// Makes pipelines, on all threads of the processor.
    ///
    /// # Errors
    /// The first that a pipeline gives; some may not be made then.
    pub(super) fn make_pipelines(&self, wanted: &[Blueprint]) -> Result<()> {
        wanted.par_iter().try_for_each(|wanted| self.pipeline(wanted).map(drop))
    }

    /// One run of a pipeline that binds `bound` in this order, as work to be submitted.
    pub(super) fn encode(
        &self,
        wanted: &Blueprint,
        bound: Vec<wgpu::BindingResource<'_>>,
        params: &[u32],
        [x, y, z]: [u32; 3],
    ) -> Result<wgpu::CommandBuffer> {
        let Pipeline { pipeline, layout } = self.pipeline(wanted)?;
        let bind_group = self.bind_group(&layout, bound);
        let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        pass.set_pipeline(&pipeline);
        pass.set_bind_group(0, &bind_group, &[]);
        pass.set_immediates(0, bytemuck::cast_slice(params));
        pass.dispatch_workgroups(x, y, z);
        drop(pass);
        Ok(encoder.finish())
    }

    /// The bind group of `bound`, in their order.
    pub(super) fn bind_group<'a>(
        &self,
        layout: &wgpu::BindGroupLayout,
        bound: impl IntoIterator<Item = wgpu::BindingResource<'a>>,
    ) -> wgpu::BindGroup {
        let entries: Vec<_> =
            (0..).zip(bound).map(|(binding, resource)| wgpu::BindGroupEntry { binding, resource }).collect();
        let descriptor = wgpu::BindGroupDescriptor { label: None, layout, entries: &entries };
        self.device.create_bind_group(&descriptor)
    }

    fn make(&self, wanted: &Blueprint) -> Result<Pipeline> {
        let source = shader::wgsl(&wanted.variant)?;
        self.accepted(wanted.variant.shader, || self.compile(source, wanted))
    }

    fn compile(&self, source: String, wanted: &Blueprint) -> Pipeline {
        let Variant { shader, constants, .. } = &wanted.variant;
        let descriptor = wgpu::ShaderModuleDescriptor {
            label: Some(shader),
            source: wgpu::ShaderSource::Wgsl(source.into()),
        };
        // SAFETY: the shaders are our own, index by sizes that their kernels have checked against the buffers, and end every loop.
        let module = unsafe {
            self.device.create_shader_module_trusted(descriptor, wgpu::ShaderRuntimeChecks::unchecked())
        };
        let entries: Vec<_> = (0..)
            .zip(&wanted.accesses)
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
            immediate_size: (wanted.params * size_of::<u32>()) as u32,
        });
        let constants: Vec<_> = constants.iter().map(|&(name, value)| (name, f64::from(value))).collect();
        let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(shader),
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

    /// What it has made so far.
    #[cfg(test)]
    pub(crate) fn pipelines(&self) -> std::collections::HashSet<Blueprint> {
        guard(&self.pipelines).keys().cloned().collect()
    }

    /// The same, as if the adapter did not share its memory.
    #[cfg(test)]
    pub(crate) fn without_mapping(mut self) -> Context {
        self.mappable = false;
        self
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
