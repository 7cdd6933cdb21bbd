//! A kept clip that is played again: handed to the speaker piece by piece, as the worker hands speech.

use anyhow::Result;

use super::playback::Playback;

/// Samples handed on at once.
const PIECE: usize = 4096;

/// A clip that is being played.
pub(super) struct Replay {
    turn: u64,
    samples: Vec<f32>,
    played: usize,
}

impl Replay {
    /// A clip to be played as `turn`.
    pub(super) fn new(turn: u64, samples: Vec<f32>) -> Replay {
        Replay { turn, samples, played: 0 }
    }

    /// The turn that it is played as.
    pub(super) fn turn(&self) -> u64 {
        self.turn
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
