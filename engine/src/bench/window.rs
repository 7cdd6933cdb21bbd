//! Frames of a window while the thinker reads and writes: how evenly they come.

use std::time::{Duration, Instant};

use super::stages::{Measured, Size};
use super::{Bench, FrameGaps};
use crate::error::Result;
use crate::session::reader::ReaderMark;

impl Bench {
    pub(super) fn window(&mut self) -> Result<Measured> {
        let (steps, context) = (self.options.tokens, self.options.context.max(1));
        let mut reader = self.reader()?;
        let mut drawn = Vec::new();
        let size = Size { tokens: 1, context, steps };
        let measured = self.repeat(size, |bench| {
            drawn.extend(bench.executor.draw_frames()?);
            reader.rewind(ReaderMark::default());
            bench.unmetered(|bench| bench.read(&mut reader, context))?;
            let begun = Instant::now();
            bench.write(&mut reader, steps)?;
            bench.executor.finish()?;
            drawn.last().into_iter().for_each(|frames| frames.stop());
            Ok(begun)
        })?;
        let mut gaps = Vec::new();
        // The first run is metered, which makes it wait for every piece of work.
        for frames in drawn.into_iter().skip(1) {
            gaps.extend(frames.gaps()?);
        }
        Ok(Measured { frame_gaps: summary(gaps), ..measured })
    }
}

/// Nothing of no gaps.
fn summary(mut gaps: Vec<Duration>) -> Option<FrameGaps> {
    gaps.sort_unstable();
    let ms = |gap: &Duration| gap.as_secs_f64() * 1e3;
    let share = |percent: usize| gaps.get(gaps.len().saturating_sub(1) * percent / 100).map(ms);
    Some(FrameGaps { frames: gaps.len(), median_ms: share(50)?, p95_ms: share(95)?, longest_ms: share(100)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_gap_in_twenty_is_longer_than_the_95th_percentile() {
        let gaps = (1..=21).rev().map(Duration::from_millis).collect();
        let figures = FrameGaps { frames: 21, median_ms: 11.0, p95_ms: 20.0, longest_ms: 21.0 };
        assert_eq!(summary(gaps), Some(figures));
        assert_eq!(summary(Vec::new()), None);
    }
}
