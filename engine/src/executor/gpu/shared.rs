//! A device that a window draws with and the engine computes on.

use std::sync::{Arc, Mutex};

use wgpu::{Adapter, Backend, DeviceDescriptor};

use super::adapter;
use super::context::{Context, guard};
use crate::error::{Error, Result};

/// A window's device, lent to the engine. Clones are the same device; where a window had to open a new one, all of them are that.
#[derive(Clone)]
pub struct SharedDevice(Arc<Mutex<Arc<Context>>>);

impl SharedDevice {
    /// How well the engine would run on `adapter`, 0 best: real graphics processors before software, discrete ones first. `None`
    /// where it cannot.
    pub fn rank(adapter: &Adapter) -> Option<usize> {
        refusal(adapter).is_none().then(|| adapter::rank(adapter))
    }

    /// Whether `adapter` is one that [`crate::Options::gpu`] asks for as `wanted`.
    pub fn is_called(adapter: &Adapter, wanted: Option<&str>) -> bool {
        adapter::is_called(&adapter.get_info(), wanted)
    }

    /// What a window must ask `adapter` for so that it can lend the device; none where the engine cannot run there.
    pub fn descriptor(adapter: &Adapter) -> Option<DeviceDescriptor<'static>> {
        refusal(adapter).is_none().then(|| adapter::requirements(adapter))
    }

    /// Lends a device that `adapter` has made as [`SharedDevice::descriptor`] says. Its errors are the engine's from now on: what
    /// the device refuses is logged instead of a panic.
    ///
    /// # Errors
    /// `Error::Device` with the reason why the engine cannot run there.
    pub fn new(adapter: &Adapter, device: wgpu::Device, queue: wgpu::Queue) -> Result<SharedDevice> {
        if let Some(reason) = refusal(adapter) {
            return Err(Error::Device(format!("{}: {reason}", adapter.get_info().name)));
        }
        Ok(SharedDevice(Arc::new(Mutex::new(Arc::new(Context::new(adapter, device, queue))))))
    }

    /// Puts the device of `new` in this one's place: the window has opened another, because this one was lost.
    pub fn replace(&self, new: &SharedDevice) {
        let new = new.context();
        *guard(&self.0) = new;
    }

    /// Calls `tell` once, from any thread, when the device is lost. The window must then draw no more with it.
    pub fn on_loss(&self, tell: impl FnOnce() + Send + 'static) {
        self.context().faults.watch(tell);
    }

    /// Why the device was lost, if it was.
    pub fn loss(&self) -> Option<String> {
        self.context().loss()
    }

    pub(crate) fn context(&self) -> Arc<Context> {
        guard(&self.0).clone()
    }
}

/// Why the engine cannot run on a window's adapter.
fn refusal(adapter: &Adapter) -> Option<String> {
    match adapter.get_info().backend {
        Backend::Gl => Some("it is driven through OpenGL; its Vulkan driver is missing".into()),
        _ => adapter::refusal(adapter),
    }
}
