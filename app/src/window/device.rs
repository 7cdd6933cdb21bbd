//! The device that the window draws with, asked for so that the engine can compute on it too. No other file names the graphics
//! library.

use std::sync::Arc;

use eframe::egui_wgpu::{WgpuConfiguration, WgpuSetupCreateNew};
use eframe::wgpu::{Adapter, Backend, DeviceType, InstanceFlags, Surface};
use engine::SharedDevice;

/// How the window's device is chosen and made. With `lent` it is one that the engine can use, where there is one: otherwise, and
/// without `lent`, the window's own needs decide. One whose name holds `wanted` is preferred.
pub(super) fn configuration(lent: bool, wanted: Option<String>) -> WgpuConfiguration {
    let mut setup = WgpuSetupCreateNew::without_display_handle();
    // The library's own checks would slow the engine's work down.
    setup.instance_descriptor.flags = InstanceFlags::empty().with_env();
    if lent {
        let plain = setup.device_descriptor.clone();
        setup.device_descriptor =
            Arc::new(move |adapter| SharedDevice::descriptor(adapter).unwrap_or_else(|| plain(adapter)));
        setup.native_adapter_selector =
            Some(Arc::new(move |adapters: &[Adapter], surface: Option<&Surface<'_>>| {
                choose(adapters, surface, wanted.as_deref())
            }));
    }
    WgpuConfiguration { wgpu_setup: setup.into(), ..WgpuConfiguration::default() }
}

/// The adapter that the engine runs best on, of those that can show something.
fn choose(
    adapters: &[Adapter],
    surface: Option<&Surface<'_>>,
    wanted: Option<&str>,
) -> Result<Adapter, String> {
    let shows = |adapter: &&Adapter| surface.is_none_or(|surface| adapter.is_surface_supported(surface));
    let rank = |adapter: &&Adapter| {
        let info = adapter.get_info();
        let software = info.device_type == DeviceType::Cpu;
        let place = SharedDevice::rank(adapter).map_or(usize::MAX, |rank| rank);
        // A real one that the engine cannot use draws better than software does.
        (!SharedDevice::is_called(adapter, wanted), software, place, info.backend == Backend::Gl)
    };
    let chosen = adapters.iter().filter(shows).min_by_key(rank);
    chosen.cloned().ok_or_else(|| "no graphics driver here can show a window".into())
}

/// The window's device, where the engine can use it; otherwise the reason.
pub(super) fn lend(context: &eframe::CreationContext<'_>) -> Result<SharedDevice, String> {
    let Some(drawing) = &context.wgpu_render_state else {
        return Err("the window draws without a graphics driver".into());
    };
    SharedDevice::new(&drawing.adapter, drawing.device.clone(), drawing.queue.clone())
        .map_err(|error| error.to_string())
}

/// What the window is drawn with, in words.
pub(super) fn describe(context: &eframe::CreationContext<'_>) -> String {
    let Some(drawing) = &context.wgpu_render_state else { return "no graphics driver".into() };
    let info = drawing.adapter.get_info();
    format!(
        "{} ({:?}, {:?}, {} {})",
        info.name, info.device_type, info.backend, info.driver, info.driver_info
    )
}
