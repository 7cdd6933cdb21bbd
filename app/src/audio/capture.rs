//! An open microphone: the callback copies what comes into a ring; `poll` takes it out, mono at 16 kHz.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::{Result, anyhow, bail};
use cpal::traits::{DeviceTrait, StreamTrait};
use cpal::{FromSample, SampleFormat, SizedSample, StreamConfig};
use crossbeam_channel::{Receiver, Sender, bounded};
use engine::{Audio, Resampler};
use rtrb::{Consumer, RingBuffer};

use super::device::{self, Direction, OPEN_TIMEOUT, PATIENCE};
use crate::language::t;

/// Length of a block that is asked of the device.
const BLOCK_MS: u32 = 20;
/// What the ring holds.
const RING_SECONDS: u32 = 4;

/// A microphone while it is open. Dropping it closes it.
pub(super) struct Capture {
    // Before the ring, so that the callback ends first.
    _stream: cpal::Stream,
    ring: Consumer<f32>,
    channels: usize,
    resampler: Resampler,
    interleaved: Vec<f32>,
    mono: Vec<f32>,
    lost: Arc<AtomicU64>,
    failures: Receiver<cpal::Error>,
    last_sound: Instant,
    has_given: bool,
}

impl Capture {
    /// Opens this microphone. Blocks for as long as the sound system takes, at most a few seconds.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the microphone.
    pub(super) fn open(device: &cpal::Device) -> Result<Capture> {
        let (config, format) = device::config(device, Direction::In)?;
        match format {
            SampleFormat::F32 => Capture::open_as::<f32>(device, config),
            SampleFormat::I16 => Capture::open_as::<i16>(device, config),
            SampleFormat::I24 => Capture::open_as::<cpal::I24>(device, config),
            SampleFormat::I32 => Capture::open_as::<i32>(device, config),
            SampleFormat::U8 => Capture::open_as::<u8>(device, config),
            other => {
                bail!(
                    "{}",
                    t!(
                        "The microphone gives samples as %{form}, which cannot be used. Choose another one.",
                        form = other
                    )
                )
            }
        }
    }

    fn open_as<T>(device: &cpal::Device, config: StreamConfig) -> Result<Capture>
    where
        T: SizedSample,
        f32: FromSample<T>,
    {
        let channels = usize::from(config.channels);
        let (mut parts, lost) = (None, Arc::new(AtomicU64::new(0)));
        let stream = device::open(config, BLOCK_MS, Direction::In, |config| {
            let (mut into_ring, ring) =
                RingBuffer::new(channels * (RING_SECONDS * config.sample_rate) as usize);
            let (failed, failures) = bounded(4);
            parts = Some((ring, failures));
            let lost = lost.clone();
            device.build_input_stream::<T, _, _>(
                config,
                move |block, _| {
                    // Whole frames only, so that the channels stay in step after an overrun.
                    let room = into_ring.slots().min(block.len()) / channels * channels;
                    if let Ok(chunk) = into_ring.write_chunk_uninit(room) {
                        chunk.fill_from_iter(block.iter().map(|&s| f32::from_sample_(s)));
                    }
                    lost.fetch_add((block.len() - room) as u64, Ordering::Relaxed);
                },
                report_to(failed),
                Some(OPEN_TIMEOUT),
            )
        })?;
        stream.play().map_err(|e| device::explain(&e, Direction::In))?;
        let (ring, failures) = parts.ok_or_else(|| anyhow!("{}", t!("The microphone was not opened.")))?;
        Ok(Capture {
            _stream: stream,
            ring,
            channels,
            resampler: Resampler::new(config.sample_rate, Audio::SAMPLE_RATE_HZ)?,
            interleaved: Vec::new(),
            mono: Vec::new(),
            lost,
            failures,
            last_sound: Instant::now(),
            has_given: false,
        })
    }

    /// Appends what came in since the last call to `samples`, mono at 16 kHz, and says whether anything came.
    ///
    /// # Errors
    /// A sentence: the microphone is lost.
    pub(super) fn poll(&mut self, samples: &mut Vec<f32>) -> Result<bool> {
        if let Some(error) = self.failures.try_iter().find(|e| !device::harmless(e.kind())) {
            return Err(device::explain(&error, Direction::In));
        }
        let any = self.take(samples)?;
        if any {
            self.last_sound = Instant::now();
            self.has_given = true;
        } else if self.last_sound.elapsed() > PATIENCE {
            bail!("{}", t!("The microphone gives no sound. Check that it is plugged in and try again."));
        }
        Ok(any)
    }

    /// Appends what is in the ring, and says whether there was anything.
    fn take(&mut self, samples: &mut Vec<f32>) -> Result<bool> {
        let ready = self.ring.slots() / self.channels * self.channels;
        self.interleaved.resize(ready, 0.0);
        if ready == 0 || self.ring.pop_entire_slice(&mut self.interleaved).is_err() {
            return Ok(false);
        }
        self.mono.clear();
        mix(&self.interleaved, self.channels, &mut self.mono);
        self.resampler.push(&self.mono, samples)?;
        Ok(true)
    }

    /// Whether it ever gave sound.
    pub(super) fn has_given(&self) -> bool {
        self.has_given
    }

    /// Closes the microphone, also one that was lost, and appends the last samples. Returns how many samples the ring had no
    /// room for.
    ///
    /// # Errors
    /// The samples cannot be resampled.
    pub(super) fn finish(mut self, samples: &mut Vec<f32>) -> Result<u64> {
        self.take(samples)?;
        self.resampler.finish(samples)?;
        Ok(self.lost.load(Ordering::Relaxed))
    }
}

/// An error callback that hands errors on and never blocks.
pub(super) fn report_to(failed: Sender<cpal::Error>) -> impl FnMut(cpal::Error) + Send + 'static {
    move |error| {
        // A full channel already holds an error that ends the stream.
        let _ = failed.try_send(error);
    }
}

/// Appends the mean of each frame's channels; a sample that is no number counts as silence.
fn mix(interleaved: &[f32], channels: usize, mono: &mut Vec<f32>) {
    let clean = |s: &f32| if s.is_finite() { *s } else { 0.0 };
    mono.extend(
        interleaved.chunks_exact(channels).map(|f| f.iter().map(clean).sum::<f32>() / channels as f32),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_averaged_and_broken_samples_are_silence() {
        let mut mono = Vec::new();
        mix(&[1.0, 0.0, 0.5, 0.5, f32::NAN, 1.0], 2, &mut mono);
        assert_eq!(mono, [0.5, 0.5, 0.5]);
    }
}
