//! A clip of live speech: features as the samples come, and which stretches of it have been encoded and read.

use std::ops::Range;

use super::Mark;
use crate::audio::mel::{MelConfig, Stream};
use crate::error::Result;

/// A stretch of a live clip that was read before the clip ended.
#[derive(Clone, Debug)]
struct Window {
    frames: Range<usize>,
    /// The clip's largest logarithm as it was then: the features' floor depends on it.
    max: f32,
    /// Where the session stood before it read the window.
    before: Mark,
}

/// A clip that is still spoken.
pub(crate) struct Listener {
    stream: Stream,
    samples: Vec<f32>,
    windows: Vec<Window>,
}

impl Listener {
    /// Silence so far.
    pub(crate) fn new(config: &MelConfig) -> Result<Listener> {
        Ok(Listener { stream: Stream::new(config)?, samples: Vec::new(), windows: Vec::new() })
    }

    /// Takes the next samples.
    pub(crate) fn push(&mut self, samples: &[f32]) -> Result<()> {
        self.stream.push(samples)?;
        self.samples.extend_from_slice(samples);
        Ok(())
    }

    /// Ends the clip.
    pub(crate) fn finish(&mut self) -> Result<()> {
        self.stream.finish().map(drop)
    }

    /// Frames that are complete.
    pub(crate) fn frames(&self) -> usize {
        self.stream.frames()
    }

    /// All samples.
    pub(crate) fn into_samples(self) -> Vec<f32> {
        self.samples
    }

    /// Where to go back to if a louder part has come since that changes what was read: the first window that it changes, and all
    /// after it, are forgotten.
    pub(crate) fn outdated(&mut self) -> Option<Mark> {
        let max = self.stream.max();
        let first =
            self.windows.iter().position(|w| self.stream.would_change(w.frames.clone(), w.max, max))?;
        self.windows.drain(first..).next().map(|window| window.before)
    }

    /// The next `frames` frames after those read, if they are complete.
    pub(crate) fn next_window(&self, frames: usize) -> Option<Range<usize>> {
        let start = self.windows.last().map_or(0, |w| w.frames.end);
        (start + frames <= self.frames()).then_some(start..start + frames)
    }

    /// What is left after the windows read.
    pub(crate) fn rest(&self) -> Range<usize> {
        self.windows.last().map_or(0, |w| w.frames.end)..self.frames()
    }

    /// Features as far as the clip is known.
    pub(crate) fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Takes note that `frames` have been read.
    pub(crate) fn read(&mut self, frames: Range<usize>, before: Mark) {
        self.windows.push(Window { frames, max: self.stream.max(), before });
    }
}
