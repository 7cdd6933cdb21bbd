//! Whether a person speaks: a detector of voice over short frames, and what makes frames the begin and the end of speech.
//!
//! A door or a keyboard is no voice, and a moment of voice is no speech: it takes a while of it to begin.

use std::time::Duration;

use earshot::Detector;
use engine::Audio;

/// Samples that the detector takes at once: 16 ms.
const FRAME: usize = 256;
/// A frame is voice from this score on.
const VOICE: f32 = 0.5;
/// A frame that is quieter than this is no voice, whatever it looks like: -60 dB of full scale.
pub(super) const QUIET: f32 = 1e-3;
/// Frames in which the begin of speech is looked for: 256 ms.
const WINDOW: u32 = 16;
/// Frames of them that must be voice: 144 ms, which with what the detector looks back at is a fifth of a second.
const NEEDED: u32 = 9;

/// What a frame brought.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Change {
    /// Somebody began to speak.
    Began,
    /// And has been silent for the pause since.
    Ended,
}

/// Listens for speech.
pub(super) struct Voice {
    detector: Box<Detector>,
    /// Samples of a frame that is not whole yet.
    frame: Vec<f32>,
    speech: Speech,
}

/// The begin and the end of speech, from frames that are voice or not.
#[derive(Clone, Debug)]
struct Speech {
    /// A bit for each of the last frames, the latest lowest.
    recent: u32,
    speaks: bool,
    /// Frames since the last voice.
    silent: u32,
    /// Frames of silence that end the speech.
    pause: u32,
}

impl Voice {
    /// Nothing heard. Speech ends after a silence of `pause`.
    pub(super) fn new(pause: Duration) -> Voice {
        let speech = Speech { recent: 0, speaks: false, silent: 0, pause: 0 };
        let mut voice = Voice { detector: Box::default(), frame: Vec::with_capacity(FRAME), speech };
        voice.set_pause(pause);
        voice
    }

    /// Speech ends after such a silence from now on.
    pub(super) fn set_pause(&mut self, pause: Duration) {
        let frame = FRAME as f32 / Audio::SAMPLE_RATE_HZ as f32;
        self.speech.pause = (pause.as_secs_f32() / frame).ceil().max(1.0) as u32;
    }

    /// Whether somebody speaks, or only pauses.
    pub(super) fn speaks(&self) -> bool {
        self.speech.speaks
    }

    /// Takes samples, mono at 16 kHz, and tells what they brought.
    pub(super) fn push(&mut self, samples: &[f32]) -> Vec<Change> {
        let mut changes = Vec::new();
        for sample in samples {
            self.frame.push(sample.clamp(-1.0, 1.0));
            if self.frame.len() == FRAME {
                let power = self.frame.iter().map(|s| s * s).sum::<f32>() / FRAME as f32;
                let score = self.detector.predict_f32(&self.frame);
                changes.extend(self.speech.take(score >= VOICE && power > QUIET * QUIET));
                self.frame.clear();
            }
        }
        changes
    }
}

impl Speech {
    fn take(&mut self, is_voice: bool) -> Option<Change> {
        self.recent = self.recent << 1 | u32::from(is_voice);
        self.silent = if is_voice { 0 } else { self.silent + 1 };
        let voiced = (self.recent & ((1 << WINDOW) - 1)).count_ones();
        if !self.speaks && voiced >= NEEDED {
            self.speaks = true;
            Some(Change::Began)
        } else if self.speaks && self.silent >= self.pause {
            (self.speaks, self.recent) = (false, 0);
            Some(Change::Ended)
        } else {
            None
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
