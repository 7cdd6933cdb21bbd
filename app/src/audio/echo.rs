//! Takes the program's own speech out of what the microphone hears, so that it does not answer itself.
//!
//! Works only while something is played and for a moment after; what is heard otherwise passes as it is. So does what is heard
//! where nothing of what is played reaches the microphone, as with headphones: the canceller would only weaken the first words of
//! somebody who speaks over the answer.

use std::collections::VecDeque;

use aec3::nodes::audio::AudioFormat;
use aec3::pipelines::linear::{self, LinearPipeline};
use anyhow::{Result, anyhow};
use engine::{Audio, Resampler};

use super::voice::QUIET;

/// Samples that are worked on at once: 10 ms.
const FRAME: usize = Audio::SAMPLE_RATE_HZ as usize / 100;
/// What was played may still be heard for so long after its end: half a second.
const LINGER: usize = Audio::SAMPLE_RATE_HZ as usize / 2;
/// Most of what was played that waits for the microphone: half a second.
const MOST_PLAYED: usize = Audio::SAMPLE_RATE_HZ as usize / 2;

/// What is played at such a level, -40 dB of full scale, would be heard from a speaker.
const LOUD: f32 = 1e-2;
/// Frames of silence at the microphone, while it would hear a speaker, from which on there is none near it: 600 ms, and so more
/// than a speaker is late.
const SILENT: u32 = 60;

/// The canceller. Give it what is played and what is heard as both come.
pub(super) struct Echo {
    canceller: LinearPipeline,
    /// What was played, at the microphone's rate, and not yet set against what is heard.
    played: VecDeque<f32>,
    resampler: Option<(u32, Resampler)>,
    /// Heard samples of a frame that is not whole yet.
    heard: Vec<f32>,
    /// Samples for which it goes on working.
    left: usize,
    path: Path,
}

/// Whether what is played reaches the microphone.
#[derive(Default)]
struct Path {
    /// Frames since something loud was played, if that is not long ago.
    since_loud: Option<usize>,
    /// Frames in which the microphone heard nothing of it, since the last in which it heard something.
    silent: u32,
    /// Nothing reaches it.
    is_absent: bool,
}

impl Echo {
    /// Knows nothing of the room yet.
    ///
    /// # Errors
    /// The canceller cannot be built.
    pub(super) fn new() -> Result<Echo> {
        let format = AudioFormat::ten_ms(Audio::SAMPLE_RATE_HZ, 1);
        let canceller = linear::builder(format, format)
            .enable_noise_suppression(false)
            .enable_gain_controller2(false)
            .build()
            .map_err(|error| anyhow!("The echo cannot be taken out of the microphone: {error:?}."))?;
        Ok(Echo {
            canceller,
            played: VecDeque::new(),
            resampler: None,
            heard: Vec::new(),
            left: 0,
            path: Path::default(),
        })
    }

    /// Takes what went to the speaker, mono at `rate_hz`.
    ///
    /// # Errors
    /// The samples cannot be resampled.
    pub(super) fn play(&mut self, samples: &[f32], rate_hz: u32) -> Result<()> {
        if self.resampler.as_ref().is_none_or(|(rate, _)| *rate != rate_hz) {
            self.resampler = Some((rate_hz, Resampler::new(rate_hz, Audio::SAMPLE_RATE_HZ)?));
        }
        if let Some((_, resampler)) = &mut self.resampler {
            let mut played = Vec::new();
            resampler.push(samples, &mut played)?;
            self.played.extend(played);
            let surplus = self.played.len().saturating_sub(MOST_PLAYED);
            self.played.drain(..surplus);
            self.left = LINGER;
        }
        Ok(())
    }

    /// Takes what the microphone heard and appends what is left of it without the echo to `out`. While nothing is played, that is
    /// all of it; with `goes_on` the work does not end within somebody's speech.
    pub(super) fn hear(&mut self, samples: &[f32], goes_on: bool, out: &mut Vec<f32>) {
        for &sample in samples {
            if self.left == 0 && self.heard.is_empty() {
                out.push(sample);
                continue;
            }
            self.heard.push(sample);
            if self.heard.len() == FRAME {
                self.frame(out);
                self.left = self.left.saturating_sub(FRAME).max(usize::from(goes_on));
                if self.left == 0 {
                    self.path.end();
                }
            }
        }
    }

    /// Sets a frame that was heard against as much of what was played.
    fn frame(&mut self, out: &mut Vec<f32>) {
        let ready = self.played.len().min(FRAME);
        let mut played: Vec<f32> = self.played.drain(..ready).collect();
        played.resize(FRAME, 0.0);
        self.path.frame(&played, &self.heard);
        let start = out.len();
        out.resize(start + FRAME, 0.0);
        let done = self
            .canceller
            .handle_render_frame(&played)
            .and_then(|()| self.canceller.process_capture_frame(&self.heard, &mut out[start..]));
        let works = matches!(done, Ok(true));
        if !works {
            tracing::warn!(?done, "the echo was not taken out of the microphone");
        }
        if !works || self.path.is_absent {
            out[start..].copy_from_slice(&self.heard);
        }
        self.heard.clear();
    }
}

impl Path {
    fn frame(&mut self, played: &[f32], heard: &[f32]) {
        self.since_loud = match self.since_loud {
            _ if level(played) > LOUD => Some(0),
            Some(frames) if frames < LINGER / FRAME => Some(frames + 1),
            _ => None,
        };
        if level(heard) > QUIET {
            self.silent = 0;
        } else if self.since_loud.is_some() {
            self.silent += 1;
            self.is_absent |= self.silent >= SILENT;
        }
    }

    /// Nothing is played any more. What was heard meanwhile may have been a voice or a speaker: that is seen the next time.
    fn end(&mut self) {
        *self = Path { is_absent: self.silent >= SILENT, ..Path::default() };
    }
}

/// The root mean square.
fn level(samples: &[f32]) -> f32 {
    (samples.iter().map(|sample| sample * sample).sum::<f32>() / samples.len() as f32).sqrt()
}

#[cfg(test)]
mod tests;
