//! Draws a view with a software graphics driver, as the window does with a real one.

use std::pin::pin;
use std::sync::mpsc::channel;
use std::sync::{Arc, LazyLock, Mutex};
use std::task::{Context, Poll, Waker};

use eframe::egui::{Context as Ui, FullOutput, TexturesDelta};
use eframe::egui_wgpu::{Renderer, RendererOptions, ScreenDescriptor, WgpuSetupCreateNew};
use eframe::wgpu;
use egui_kittest::TestRenderer;
use image::RgbaImage;

/// The one device of all tests.
static DEVICE: LazyLock<(wgpu::Device, wgpu::Queue)> = LazyLock::new(|| {
    let instance = wgpu::Instance::new(WgpuSetupCreateNew::without_display_handle().instance_descriptor);
    let options = wgpu::RequestAdapterOptions { force_fallback_adapter: true, ..Default::default() };
    let adapter = wait(instance.request_adapter(&options)).expect("a software graphics driver (lavapipe)");
    wait(adapter.request_device(&wgpu::DeviceDescriptor::default())).unwrap()
});

/// Native drivers answer at once.
fn wait<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return value;
        }
    }
}

const FORMAT: wgpu::TextureFormat = wgpu::TextureFormat::Rgba8Unorm;

/// Takes in the textures of each frame, and draws the last.
#[derive(Clone)]
pub(super) struct Painter(Arc<Mutex<Renderer>>);

impl Painter {
    pub(super) fn new() -> Painter {
        let renderer = Renderer::new(&DEVICE.0, FORMAT, RendererOptions::PREDICTABLE);
        Painter(Arc::new(Mutex::new(renderer)))
    }

    /// The frame that `output` is.
    pub(super) fn draw(&self, ui: &Ui, output: &FullOutput) -> RgbaImage {
        let (device, queue) = &*DEVICE;
        let mut renderer = self.0.lock().unwrap();
        let size = ui.content_rect().size() * ui.pixels_per_point();
        let (width, height) = (size.x.round() as u32, size.y.round() as u32);
        let screen =
            ScreenDescriptor { pixels_per_point: ui.pixels_per_point(), size_in_pixels: [width, height] };
        let shapes = ui.tessellate(output.shapes.clone(), ui.pixels_per_point());
        let mut encoder = device.create_command_encoder(&Default::default());
        let uploads = renderer.update_buffers(device, queue, &mut encoder, &shapes, &screen);
        let extent = wgpu::Extent3d { width, height, depth_or_array_layers: 1 };
        let texture = device.create_texture(&wgpu::TextureDescriptor {
            label: None,
            size: extent,
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: FORMAT,
            usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_SRC,
            view_formats: &[],
        });
        let view = texture.create_view(&Default::default());
        {
            let target = wgpu::RenderPassColorAttachment {
                view: &view,
                resolve_target: None,
                ops: wgpu::Operations::default(),
                depth_slice: None,
            };
            let pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
                color_attachments: &[Some(target)],
                ..Default::default()
            });
            renderer.render(&mut pass.forget_lifetime(), &shapes, &screen);
        }
        let row = (width * 4).next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT);
        let buffer = device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: u64::from(row * height),
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let layout =
            wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(row), rows_per_image: None };
        let into = wgpu::TexelCopyBufferInfo { buffer: &buffer, layout };
        encoder.copy_texture_to_buffer(texture.as_image_copy(), into, extent);
        queue.submit(uploads.into_iter().chain([encoder.finish()]));
        let (sender, mapped) = channel();
        buffer.slice(..).map_async(wgpu::MapMode::Read, move |result| sender.send(result).unwrap());
        device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
        mapped.recv().unwrap().unwrap();
        let bytes = buffer.slice(..).get_mapped_range().unwrap();
        let rows = bytes.chunks_exact(row as usize);
        let pixels = rows.flat_map(|row| &row[..width as usize * 4]).copied().collect();
        RgbaImage::from_raw(width, height, pixels).unwrap()
    }
}

impl TestRenderer for Painter {
    fn handle_delta(&mut self, delta: &mut TexturesDelta) {
        let mut renderer = self.0.lock().unwrap();
        for (id, images) in delta.set.drain() {
            for image in images {
                renderer.update_texture(&DEVICE.0, &DEVICE.1, id, &image);
            }
        }
        for id in delta.free.drain() {
            renderer.free_texture(&id);
        }
    }
}
