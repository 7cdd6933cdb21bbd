//! Sound as the model hears it: mono clips at 16 kHz, and the log-mel features made from them.
//!
//! Files of several formats come in through [`Audio::open`], samples of any rate through [`Audio::from_interleaved`].
//! This is not the audio encoder, and it knows no sound card.

mod decode;
pub(crate) mod mel;
mod resample;
#[cfg(test)]
mod tests;
mod trim;

use std::path::Path;

use crate::{Error, Result};

pub use resample::Resampler;
pub use trim::Trimmer;

/// Channels that a source may have.
const MAX_CHANNELS: usize = 64;

/// A mono clip at 16 kHz.
#[derive(Clone, Debug, PartialEq)]
pub struct Audio {
    /// Samples `[time]` at [`Audio::SAMPLE_RATE_HZ`]; full scale is ±1.
    pub samples: Vec<f32>,
}

impl Audio {
    /// The rate that the model hears.
    pub const SAMPLE_RATE_HZ: u32 = 16_000;
    /// The shortest clip that has a feature frame: 12.6 ms.
    pub const MIN_SAMPLES: usize = 201;
    /// The longest clip that is accepted: 60 minutes.
    pub const MAX_SAMPLES: usize = 60 * 60 * Self::SAMPLE_RATE_HZ as usize;

    /// Reads a WAV, FLAC, MP3 or Ogg Vorbis file of any rate and up to 64 channels, mixed to mono.
    ///
    /// A file that ends early gives what it holds up to there. A mono 16-bit file at 16 kHz gives its samples
    /// divided by 32768, bit for bit.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be read; [`Error::Input`] when it holds no sound that can be used, or less
    /// than [`Self::MIN_SAMPLES`] or more than [`Self::MAX_SAMPLES`].
    pub fn open(path: &Path) -> Result<Self> {
        decode::open(path)
    }

    /// Takes samples `[time, channels]`, interleaved, at `rate_hz`; mixes them to mono and resamples to 16 kHz.
    ///
    /// # Errors
    /// [`Error::Input`] when the channels or the rate are out of range, a sample is not a finite number, or the clip
    /// is too short or too long.
    pub fn from_interleaved(samples: &[f32], channels: usize, rate_hz: u32) -> Result<Self> {
        let mut intake = Intake::new(channels, rate_hz)?;
        if !samples.len().is_multiple_of(channels) {
            return Err(Error::Input(format!(
                "the sound has {} samples, which is not a whole number of frames of {channels} channels",
                samples.len()
            )));
        }
        for block in samples.chunks(channels * 4096) {
            intake.push(block)?;
        }
        intake.finish()
    }

    /// Whether it can be encoded; the samples are open to be changed.
    pub(crate) fn check(&self) -> Result<()> {
        check_samples(&self.samples)?;
        check_length(self.samples.len())
    }

    /// Length in seconds.
    pub fn seconds(&self) -> f64 {
        self.samples.len() as f64 / f64::from(Self::SAMPLE_RATE_HZ)
    }
}

/// A clip that is still coming in: checks, mixes and resamples block by block, so that only the 16 kHz mono samples
/// are kept.
struct Intake {
    channels: usize,
    resampler: Resampler,
    mono: Vec<f32>,
    samples: Vec<f32>,
}

impl Intake {
    fn new(channels: usize, rate_hz: u32) -> Result<Self> {
        if channels == 0 || channels > MAX_CHANNELS {
            return Err(Error::Input(format!(
                "the sound has {channels} channels; 1 to {MAX_CHANNELS} can be used: mix it down first"
            )));
        }
        let resampler = Resampler::new(rate_hz, Audio::SAMPLE_RATE_HZ)?;
        Ok(Self { channels, resampler, mono: Vec::new(), samples: Vec::new() })
    }

    /// Takes whole frames, interleaved.
    fn push(&mut self, block: &[f32]) -> Result<()> {
        check_samples(block)?;
        let scale = self.channels as f32;
        self.mono.clear();
        self.mono.extend(block.chunks_exact(self.channels).map(|frame| frame.iter().sum::<f32>() / scale));
        self.resampler.push(&self.mono, &mut self.samples)?;
        if self.samples.len() > Audio::MAX_SAMPLES {
            return Err(too_long());
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Audio> {
        self.resampler.finish(&mut self.samples)?;
        check_length(self.samples.len())?;
        Ok(Audio { samples: self.samples })
    }
}

fn check_samples(samples: &[f32]) -> Result<()> {
    match samples.iter().find(|s| !s.is_finite()) {
        None => Ok(()),
        Some(bad) => Err(Error::Input(format!(
            "the sound holds a sample that is {bad} and not a finite number; export it again"
        ))),
    }
}

fn check_length(samples: usize) -> Result<()> {
    match samples {
        0 => Err(Error::Input("the sound is empty; record or choose one with at least 13 ms".into())),
        n if n < Audio::MIN_SAMPLES => Err(Error::Input(format!(
            "the sound is too short: {n} samples at 16 kHz, but at least {} (13 ms) are needed",
            Audio::MIN_SAMPLES
        ))),
        n if n > Audio::MAX_SAMPLES => Err(too_long()),
        _ => Ok(()),
    }
}

fn too_long() -> Error {
    let minutes = Audio::MAX_SAMPLES / (60 * Audio::SAMPLE_RATE_HZ as usize);
    Error::Input(format!("the sound is longer than {minutes} minutes; cut it into shorter parts"))
}
