//! Log-mel features of a clip, as the published feature extractor (a Whisper one without padding) makes them.
//!
//! Periodic Hann window, centred frames with reflected edges, power spectrum, Slaney mel filters,
//! `l = log10(max(mel, 1e-10))`, then `(max(l, max over the clip − 8) + 4) / 4`. The maximum needs the whole clip:
//! [`Stream`] keeps `l` and lets its caller featurise early under the maximum so far. Nothing is padded to a fixed
//! length, and this is not the audio encoder.

pub(crate) mod filters;
mod stream;
#[cfg(test)]
mod tests;

pub(crate) use stream::Stream;

use crate::{Error, Result};

/// Numbers of the feature extractor, from `preprocessor_config.json`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MelConfig {
    /// Mel bands of a frame (`feature_size`).
    pub n_mels: usize,
    /// Samples of a window.
    pub n_fft: usize,
    /// Samples from one frame to the next.
    pub hop_length: usize,
    /// Rate of the clips.
    pub sample_rate_hz: u32,
}

impl Default for MelConfig {
    fn default() -> Self {
        Self { n_mels: 128, n_fft: 400, hop_length: 160, sample_rate_hz: 16_000 }
    }
}

/// Features `[frames, n_mels]`, row-major.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mel {
    /// Rows.
    pub frames: usize,
    /// Values, a frame after the other.
    pub data: Vec<f32>,
}

/// Features of one clip: `floor(samples / hop_length)` frames.
///
/// # Errors
/// [`Error::Input`] when the clip is not longer than half a window or holds a sample that is not finite, or when the
/// config's numbers do not fit each other.
pub(crate) fn whole(samples: &[f32], config: &MelConfig) -> Result<Mel> {
    let mut stream = Stream::new(config)?;
    stream.push(samples)?;
    stream.finish()?;
    Ok(stream.features(0..stream.frames(), stream.max()))
}

/// Features of clips that are padded with zeros to the longest of them first. A shorter clip gets
/// `ceil(samples / hop_length)` frames and zeros in place of reflection at its end.
///
/// This replays features that were made as one batch; to understand speech, take each clip [`whole`].
///
/// # Errors
/// As [`whole`], for any of the clips; [`Error::Input`] when one is empty.
pub(crate) fn batch(clips: &[&[f32]], config: &MelConfig) -> Result<Vec<Mel>> {
    let longest = clips.iter().map(|clip| clip.len()).max().unwrap_or(0);
    let padded = |clip: &&[f32]| {
        if clip.is_empty() {
            return Err(too_short(0, config));
        }
        let mut samples = clip.to_vec();
        samples.resize(longest, 0.0);
        let mut mel = whole(&samples, config)?;
        mel.frames = mel.frames.min(clip.len().div_ceil(config.hop_length));
        mel.data.truncate(mel.frames * config.n_mels);
        Ok(mel)
    };
    clips.iter().map(padded).collect()
}

/// Rows that the audio encoder makes of `frames` feature frames, cut into chunks of `chunk_frames` (twice its
/// `n_window`; 100 as published, which gives 13 for a second).
pub(crate) fn token_count(frames: usize, chunk_frames: usize) -> usize {
    let thrice_halved = |n: usize| n.div_ceil(2).div_ceil(2).div_ceil(2);
    match chunk_frames {
        0 => 0,
        chunk => frames / chunk * thrice_halved(chunk) + thrice_halved(frames % chunk),
    }
}

fn too_short(samples: usize, config: &MelConfig) -> Error {
    Error::Input(format!(
        "the sound is too short: {samples} samples at {} Hz, but at least {} are needed",
        config.sample_rate_hz,
        config.n_fft / 2 + 1
    ))
}
