//! What the sound system calls its devices.

use cpal::traits::{DeviceTrait, HostTrait};

/// All devices by their names, in a line. May take a moment.
pub(crate) fn names() -> String {
    let host = cpal::default_host();
    let named = |device: cpal::Device| device.description().map(|d| d.name().to_owned()).ok();
    let joined = |names: Vec<String>| if names.is_empty() { "none".into() } else { names.join("; ") };
    let microphones = host.input_devices().map(|all| all.filter_map(named).collect()).unwrap_or_default();
    let speakers = host.output_devices().map(|all| all.filter_map(named).collect()).unwrap_or_default();
    format!("microphones: {}. Speakers: {}", joined(microphones), joined(speakers))
}
