//! What a window would see of a device that works: small passes on the same queue, one every 16 ms from a thread of their own, and
//! when each is done. Not a window: nothing is shown, and no display paces it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::context::Context;
use crate::error::{Error, Result};

/// From one frame to the next where nothing is in the way.
const INTERVAL: Duration = Duration::from_millis(16);

/// Width and height of the picture that a frame fills, in pixels.
const SIDES: [u32; 2] = [1280, 800];

/// Frames that are being drawn, until they are stopped or this is dropped.
pub(crate) struct Frames {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<Vec<Duration>>>>,
}

impl Frames {
    /// Draws from now on.
    pub(super) fn start(context: Arc<Context>) -> Result<Frames> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = thread::Builder::new()
            .name("frames".into())
            .spawn(move || draw(&context, &stopped))
            .map_err(|e| Error::Device(format!("cannot start a thread: {e}")))?;
        Ok(Frames { stop, thread: Some(thread) })
    }

    /// No frame begins from now on.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// From the end of each frame to the end of the next. Stops and blocks until the last is done.
    ///
    /// # Errors
    /// Those of the device.
    pub(crate) fn gaps(mut self) -> Result<Vec<Duration>> {
        self.stop();
        let failed = || Error::Device("the thread that draws frames has failed".into());
        self.thread.take().ok_or_else(failed)?.join().map_err(|_| failed())?
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        self.stop();
    }
}

fn draw(context: &Context, stop: &AtomicBool) -> Result<Vec<Duration>> {
    let picture = context.device.create_texture(&wgpu::TextureDescriptor {
        label: Some("frame"),
        size: wgpu::Extent3d { width: SIDES[0], height: SIDES[1], depth_or_array_layers: 1 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: wgpu::TextureFormat::Rgba8Unorm,
        usage: wgpu::TextureUsages::RENDER_ATTACHMENT,
        view_formats: &[],
    });
    let view = picture.create_view(&wgpu::TextureViewDescriptor::default());
    let (mut gaps, mut last) = (Vec::new(), None);
    let mut due = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        let submission = context.submit(Some(fill(context, &view)));
        context.wait(Some(submission))?;
        let done = Instant::now();
        gaps.extend(last.replace(done).map(|before| done - before));
        // As a display: one that is late waits for the next turn.
        while due <= done {
            due += INTERVAL;
        }
        thread::sleep(due - done);
    }
    Ok(gaps)
}

fn fill(context: &Context, view: &wgpu::TextureView) -> wgpu::CommandBuffer {
    let mut encoder = context.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    let target = wgpu::RenderPassColorAttachment {
        view,
        depth_slice: None,
        resolve_target: None,
        ops: wgpu::Operations { load: wgpu::LoadOp::Clear(wgpu::Color::BLACK), store: wgpu::StoreOp::Store },
    };
    drop(encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
        color_attachments: &[Some(target)],
        ..wgpu::RenderPassDescriptor::default()
    }));
    encoder.finish()
}
