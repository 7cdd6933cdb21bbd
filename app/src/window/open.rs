//! Opens the window, and opens it again where its device was lost: nothing can be drawn any more then, and the window's library
//! would stop the program.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use eframe::egui::ViewportBuilder;
use eframe::{AppCreator, EframeWinitApplication, NativeOptions, UserEvent};
use engine::Device;
use winit::application::ApplicationHandler;
use winit::event::{DeviceEvent, DeviceId, StartCause, WindowEvent};
use winit::event_loop::{ActiveEventLoop, EventLoop};
use winit::platform::run_on_demand::EventLoopExtRunOnDemand;
use winit::window::WindowId;

use super::remote::{Claim, claim};
use super::{Window, device};
use crate::cli::WindowOptions;
use crate::language;
use crate::preferences::Stored;

/// A device that lives for less than this was not worth a new window.
const SHORT_LIFE: Duration = Duration::from_secs(10);

/// So many short lives in a row are a driver that does not work.
const SHORT_LIVES: usize = 3;

/// Opens the window and runs until it is closed. Where this person has one already, that one is shown instead.
///
/// # Errors
/// A sentence: there is no display, or nothing to draw with.
pub(crate) fn run(options: &WindowOptions) -> Result<()> {
    let Claim::First(seat) = claim()? else {
        println!("Colloquy is open already; its window is shown. The options of this start are not used.");
        return Ok(());
    };
    let mut event_loop = EventLoop::<UserEvent>::with_user_event().build().map_err(|error| {
        anyhow!("the window cannot be opened: {error}. Without a display, use: colloquy talk")
    })?;
    let stored = Stored::find();
    language::choose(stored.preferences.look.language.as_deref());
    let placing = stored.preferences.model.options(options);
    let may_use_gpu = placing.device != Device::Cpu;
    let mut window = None;
    let mut short_lives = 0;
    loop {
        let begun = Instant::now();
        let lost = Arc::new(AtomicBool::new(false));
        let mut error = None;
        let (slot, refusal, seat, loss) = (&mut window, &mut error, seat.as_ref(), lost.clone());
        let stored = &stored;
        let create: AppCreator<'_> = Box::new(move |context| {
            let shown = Window::shown(slot, context, options, stored, seat, &loss);
            let shown = shown.inspect_err(|reason| *refusal = Some(reason.to_string()))?;
            Ok(Box::new(shown))
        });
        let app =
            eframe::create_native("Colloquy", native(may_use_gpu, placing.gpu.clone())?, create, &event_loop);
        let mut guarded = Guarded { app, lost: lost.clone(), fault: None };
        let ended = event_loop.run_app_on_demand(&mut guarded);
        let fault = guarded.fault.take();
        // Where a frame had begun when the device was lost, its surface cannot be given back, which panics too.
        let fault = fault.or(catch_unwind(AssertUnwindSafe(|| drop(guarded))).err());
        let mut is_lost = lost.load(Ordering::Relaxed);
        if let Some(fault) = fault {
            is_lost |= window.as_ref().is_some_and(Window::has_lost_its_device);
            if !is_lost {
                resume_unwind(fault);
            }
        }
        ended.map_err(|error| anyhow!("the window has failed: {error}"))?;
        if let Some(error) = error {
            bail!("the window cannot be opened: {error}");
        }
        if window.is_none() {
            bail!("the window cannot be opened: no graphics driver here can draw it. Use: colloquy talk");
        }
        if !is_lost {
            return Ok(());
        }
        short_lives = if begun.elapsed() < SHORT_LIFE { short_lives + 1 } else { 0 };
        if short_lives == SHORT_LIVES {
            bail!("the graphics processor is lost again and again. Start with --device cpu");
        }
        tracing::warn!("the graphics processor was lost; the window is opened again");
    }
}

/// Whether a panic with this message comes from drawing with a device that was lost.
pub(crate) fn is_loss(message: &str) -> bool {
    ["Failed to create staging buffer", "device is lost", "SwapchainAcquireSemaphore"]
        .iter()
        .any(|known| message.contains(known))
}

fn native(may_use_gpu: bool, gpu: Option<String>) -> Result<NativeOptions> {
    let icon = eframe::icon_data::from_png_bytes(include_bytes!("../../../assets/icons/colloquy.png"))?;
    Ok(NativeOptions {
        viewport: ViewportBuilder::default()
            .with_title("Colloquy")
            .with_icon(icon)
            .with_app_id("colloquy")
            .with_inner_size([820.0, 720.0])
            .with_min_inner_size([520.0, 440.0])
            .with_drag_and_drop(true),
        wgpu_options: device::configuration(may_use_gpu, gpu),
        ..NativeOptions::default()
    })
}

/// The window's library, kept from drawing with a lost device. Where it begins to just before the loss is known, it panics: that
/// must not reach the event loop.
struct Guarded<'a> {
    app: EframeWinitApplication<'a>,
    lost: Arc<AtomicBool>,
    fault: Option<Box<dyn Any + Send>>,
}

impl Guarded<'_> {
    fn pass(
        &mut self,
        event_loop: &ActiveEventLoop,
        call: impl FnOnce(&mut EframeWinitApplication<'_>, &ActiveEventLoop),
    ) {
        if self.fault.is_none() && !self.lost.load(Ordering::Relaxed) {
            let passed = catch_unwind(AssertUnwindSafe(|| call(&mut self.app, event_loop)));
            self.fault = passed.err();
        }
        if self.fault.is_some() || self.lost.load(Ordering::Relaxed) {
            event_loop.exit();
        }
    }
}

impl ApplicationHandler<UserEvent> for Guarded<'_> {
    fn resumed(&mut self, event_loop: &ActiveEventLoop) {
        self.pass(event_loop, |app, event_loop| app.resumed(event_loop));
    }

    fn window_event(&mut self, event_loop: &ActiveEventLoop, window: WindowId, event: WindowEvent) {
        self.pass(event_loop, |app, event_loop| app.window_event(event_loop, window, event));
    }

    fn new_events(&mut self, event_loop: &ActiveEventLoop, cause: StartCause) {
        self.pass(event_loop, |app, event_loop| app.new_events(event_loop, cause));
    }

    fn user_event(&mut self, event_loop: &ActiveEventLoop, event: UserEvent) {
        self.pass(event_loop, |app, event_loop| app.user_event(event_loop, event));
    }

    fn device_event(&mut self, event_loop: &ActiveEventLoop, device: DeviceId, event: DeviceEvent) {
        self.pass(event_loop, |app, event_loop| app.device_event(event_loop, device, event));
    }

    fn about_to_wait(&mut self, event_loop: &ActiveEventLoop) {
        self.pass(event_loop, |app, event_loop| app.about_to_wait(event_loop));
    }

    fn suspended(&mut self, event_loop: &ActiveEventLoop) {
        self.pass(event_loop, |app, event_loop| app.suspended(event_loop));
    }

    fn exiting(&mut self, event_loop: &ActiveEventLoop) {
        if self.fault.is_none() {
            self.fault = catch_unwind(AssertUnwindSafe(|| self.app.exiting(event_loop))).err();
        }
    }

    fn memory_warning(&mut self, event_loop: &ActiveEventLoop) {
        self.pass(event_loop, |app, event_loop| app.memory_warning(event_loop));
    }
}
