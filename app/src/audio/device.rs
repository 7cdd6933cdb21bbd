//! A sound device: choosing its stream's form, opening it, and saying in a sentence what is wrong with it.

use std::time::Duration;

use anyhow::{Result, anyhow};
use cpal::traits::DeviceTrait;
use cpal::{
    BufferSize, ErrorKind, SampleFormat, StreamConfig, SupportedStreamConfig, SupportedStreamConfigRange,
};

use crate::language::t;

/// Longest wait for a sound server to open a stream.
pub(super) const OPEN_TIMEOUT: Duration = Duration::from_secs(3);

/// A device that gives or takes nothing for so long does not work.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);

/// The rate that is asked of a device that has it.
const RATE_HZ: u32 = 48_000;

/// Which way the sound goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Direction {
    /// From a microphone.
    In,
    /// To a speaker.
    Out,
}

/// There is none.
pub(super) fn absent(direction: Direction) -> anyhow::Error {
    match direction {
        Direction::In => anyhow!("{}", t!("There is no microphone. Plug one in, or type your question.")),
        Direction::Out => anyhow!("{}", t!("There is no speaker, so the answer can only be read.")),
    }
}

/// What is wrong with a device that cannot be opened: one that was never there was not unplugged.
fn unopened(error: &cpal::Error, direction: Direction) -> anyhow::Error {
    match error.kind() {
        ErrorKind::DeviceNotAvailable | ErrorKind::HostUnavailable | ErrorKind::StreamInvalidated => {
            absent(direction)
        }
        _ => explain(error, direction),
    }
}

/// The form of the stream to open: the device's own channels, 48 kHz and floats where it has them.
///
/// # Errors
/// The device tells none of its forms.
pub(super) fn config(device: &cpal::Device, direction: Direction) -> Result<(StreamConfig, SampleFormat)> {
    let (default, ranges): (_, Vec<_>) = match direction {
        Direction::In => (
            device.default_input_config().map_err(|e| unopened(&e, direction))?,
            device.supported_input_configs().map(Iterator::collect).unwrap_or_default(),
        ),
        Direction::Out => (
            device.default_output_config().map_err(|e| unopened(&e, direction))?,
            device.supported_output_configs().map(Iterator::collect).unwrap_or_default(),
        ),
    };
    let chosen = choose(&ranges, default);
    Ok((chosen.config(), chosen.sample_format()))
}

fn choose(ranges: &[SupportedStreamConfigRange], default: SupportedStreamConfig) -> SupportedStreamConfig {
    ranges
        .iter()
        .filter(|range| range.channels() == default.channels() && range.sample_format() == SampleFormat::F32)
        .find_map(|range| range.try_with_sample_rate(RATE_HZ))
        .unwrap_or(default)
}

/// Opens a stream with blocks of `block_ms`, or with the device's own size where it refuses that.
///
/// # Errors
/// The device cannot be opened.
pub(super) fn open<S>(
    config: StreamConfig,
    block_ms: u32,
    direction: Direction,
    mut build: impl FnMut(StreamConfig) -> Result<S, cpal::Error>,
) -> Result<S> {
    let frames = config.sample_rate * block_ms / 1000;
    match build(StreamConfig { buffer_size: BufferSize::Fixed(frames), ..config }) {
        Err(error) if matches!(error.kind(), ErrorKind::UnsupportedConfig | ErrorKind::InvalidInput) => {
            build(StreamConfig { buffer_size: BufferSize::Default, ..config })
        }
        other => other,
    }
    .map_err(|e| unopened(&e, direction))
}

/// Whether a stream that reports this still runs.
pub(super) fn harmless(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Xrun | ErrorKind::RealtimeDenied | ErrorKind::DeviceChanged)
}

/// A sentence for a person.
pub(super) fn explain(error: &cpal::Error, direction: Direction) -> anyhow::Error {
    let device = match direction {
        Direction::In => t!("The microphone"),
        Direction::Out => t!("The speaker"),
    };
    let sentence = match error.kind() {
        ErrorKind::DeviceBusy => {
            t!("%{device} is in use by another program. Close that program and try again.", device = device)
        }
        ErrorKind::DeviceNotAvailable | ErrorKind::StreamInvalidated => t!(
            "%{device} was unplugged or the sound system stopped. Plug it in and try again.",
            device = device
        ),
        ErrorKind::HostUnavailable => {
            t!("%{device} cannot be reached: the sound system is not running.", device = device)
        }
        ErrorKind::PermissionDenied => {
            t!("%{device} may not be used: allow it in the system's privacy settings.", device = device)
        }
        _ => t!("%{device} does not work: %{error}.", device = device, error = error),
    };
    anyhow!("{sentence}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use cpal::SupportedBufferSize;

    fn range(channels: u16, low_hz: u32, high_hz: u32, format: SampleFormat) -> SupportedStreamConfigRange {
        SupportedStreamConfigRange::new(channels, low_hz, high_hz, SupportedBufferSize::Unknown, format)
    }

    #[test]
    fn a_device_without_48_khz_or_floats_keeps_its_own_form() {
        let default = SupportedStreamConfig::new(2, 44_100, SupportedBufferSize::Unknown, SampleFormat::I16);
        let poor = [range(2, 44_100, 44_100, SampleFormat::F32), range(2, 8_000, 96_000, SampleFormat::I16)];
        assert_eq!(choose(&poor, default), default);
        let rich = [range(1, 8_000, 96_000, SampleFormat::F32), range(2, 8_000, 96_000, SampleFormat::F32)];
        let chosen = choose(&rich, default);
        assert_eq!((chosen.channels(), chosen.sample_rate()), (2, 48_000));
        assert_eq!(chosen.sample_format(), SampleFormat::F32);
    }

    #[test]
    fn each_fault_of_a_device_is_a_sentence() {
        for kind in [
            ErrorKind::DeviceBusy,
            ErrorKind::DeviceNotAvailable,
            ErrorKind::HostUnavailable,
            ErrorKind::Other,
        ] {
            let sentence = explain(&cpal::Error::new(kind), Direction::In).to_string();
            assert!(sentence.starts_with("The microphone ") && sentence.ends_with('.'), "{sentence}");
        }
    }
}
