//! The sound system: its devices by name, and the one to open.

use std::time::{Duration, Instant};

use anyhow::Result;
use cpal::traits::{DeviceTrait, HostTrait};

use super::device::{Direction, absent};

/// A sound server that has ended gets so much time to start again before sound cards are taken past it.
const RESTART: Duration = Duration::from_secs(3);

/// A device as the person chooses it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Device {
    /// What the sound system calls it, for good.
    pub(crate) id: String,
    /// What a person calls it.
    pub(crate) name: String,
}

/// All devices that there are.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Devices {
    /// To hear with.
    pub(crate) microphones: Vec<Device>,
    /// To speak with.
    pub(crate) speakers: Vec<Device>,
}

/// A device that was found, to be opened.
pub(super) struct Found {
    /// The device.
    pub(super) device: cpal::Device,
    /// Whether it stands in for the one that is wanted and gone.
    pub(super) instead: bool,
}

/// The sound system's connection, kept while it works.
#[derive(Default)]
pub(super) struct Host {
    connection: Option<cpal::Host>,
    /// When a sound server was found to have ended that has not come back yet.
    ended: Option<Instant>,
}

impl Host {
    /// The device of this id, or the default where none is wanted or it is gone.
    ///
    /// # Errors
    /// There is no such device.
    pub(super) fn find(&mut self, direction: Direction, wanted: Option<&str>) -> Result<Found> {
        let host = self.connection().ok_or_else(|| absent(direction))?;
        let chosen = wanted.and_then(|wanted| host.device_by_id(&wanted.parse().ok()?));
        let instead = wanted.is_some() && chosen.is_none();
        let device = chosen.or_else(|| default(host, direction));
        device.map(|device| Found { device, instead }).ok_or_else(|| absent(direction))
    }

    /// All devices, without those that only repeat what a speaker plays. Takes a few milliseconds where a sound server runs.
    pub(super) fn devices(&mut self) -> Devices {
        let Some(host) = self.connection() else { return Devices::default() };
        let named = |device: cpal::Device| {
            let id = device.id().ok()?.to_string();
            let name = device.description().map_or_else(|_| id.clone(), |told| told.name().to_owned());
            Some(Device { id, name })
        };
        let microphones = host.input_devices().map(|all| all.filter_map(named).collect::<Vec<_>>());
        let speakers = host.output_devices().map(|all| all.filter_map(named).collect());
        Devices {
            microphones: microphones.unwrap_or_default().into_iter().filter(is_no_monitor).collect(),
            speakers: speakers.unwrap_or_default(),
        }
    }

    /// A connection that works. One to a server that has ended is made anew, and so is one that went round the server.
    fn connection(&mut self) -> Option<&cpal::Host> {
        let old = self.connection.take();
        let had_server = old.as_ref().is_some_and(is_server);
        if let Some(host) = old.filter(|host| is_server(host) && host.devices().is_ok()) {
            return Some(self.connection.insert(host));
        }
        let host = cpal::default_host();
        if is_server(&host) {
            self.ended = None;
        } else if had_server {
            self.ended = Some(Instant::now());
        }
        if self.ended.is_some_and(|ended| ended.elapsed() < RESTART) {
            return None;
        }
        Some(self.connection.insert(host))
    }
}

/// Whether a sound server is at the other end, and not the sound cards themselves.
fn is_server(host: &cpal::Host) -> bool {
    host.id().to_string() == "pulseaudio"
}

/// The default device.
fn default(host: &cpal::Host, direction: Direction) -> Option<cpal::Device> {
    match direction {
        Direction::In => host.default_input_device(),
        Direction::Out => host.default_output_device(),
    }
}

fn is_no_monitor(device: &Device) -> bool {
    !device.id.ends_with(".monitor")
}
