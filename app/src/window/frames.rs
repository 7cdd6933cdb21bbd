//! How long the window's frames take while an answer is made: from the start of one to the start of the next.

use std::time::{Duration, Instant};

/// Gaps between frames of one answer.
#[derive(Debug, Default)]
pub(super) struct Frames {
    last: Option<Instant>,
    gaps: Vec<Duration>,
}

impl Frames {
    /// Takes note of a frame at `now`. Returns the figures of an answer that has just ended.
    pub(super) fn note(&mut self, now: Instant, is_answering: bool) -> Option<FrameTimes> {
        if let Some(last) = self.last {
            self.gaps.push(now - last);
        }
        self.last = is_answering.then_some(now);
        if is_answering || self.gaps.is_empty() {
            return None;
        }
        let mut gaps = std::mem::take(&mut self.gaps);
        gaps.sort_unstable();
        let share = |percent: usize| gaps[(gaps.len() - 1) * percent / 100];
        Some(FrameTimes {
            frames: gaps.len(),
            median: share(50),
            p95: share(95),
            longest: gaps[gaps.len() - 1],
        })
    }
}

/// What the gaps of one answer were like.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct FrameTimes {
    pub(super) frames: usize,
    pub(super) median: Duration,
    /// One in twenty is longer.
    pub(super) p95: Duration,
    pub(super) longest: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_count_from_the_answers_first_frame_to_the_one_that_ends_it() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut frames = Frames::default();
        assert_eq!(frames.note(at(0), false), None);
        // 20 gaps of 10 ms after a long idle time, then one of 300 ms.
        for i in 0..=20 {
            assert_eq!(frames.note(at(5000 + 10 * i), true), None);
        }
        let figures = frames.note(at(5500), false).unwrap();
        let ms = Duration::from_millis;
        assert_eq!((figures.frames, figures.longest), (21, ms(300)));
        assert_eq!((figures.median, figures.p95), (ms(10), ms(10)));
        assert_eq!(frames.note(at(9000), false), None, "told once");
    }
}
