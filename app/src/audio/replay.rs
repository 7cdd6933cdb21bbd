//! A kept clip that is played again: handed to the speaker piece by piece, as the worker hands speech.

use anyhow::Result;

use super::playback::Playback;

/// Samples handed on at once.
const PIECE: usize = 4096;

/// A clip that is being played.
pub(super) struct Replay {
    samples: Vec<f32>,
    played: usize,
}

impl Replay {
    /// A clip from its start on.
    pub(super) fn new(samples: Vec<f32>) -> Replay {
        Replay { samples, played: 0 }
    }

    /// Hands on as much as the speaker takes, and the end after the last of it.
    ///
    /// # Errors
    /// The samples cannot be resampled.
    pub(super) fn feed(&mut self, playback: &mut Playback) -> Result<()> {
        while !playback.is_full() && !playback.has_ended() {
            let end = (self.played + PIECE).min(self.samples.len());
            playback.push(&self.samples[self.played..end])?;
            self.played = end;
            if end == self.samples.len() {
                playback.end()?;
            }
        }
        Ok(())
    }
}
