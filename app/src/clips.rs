//! The sound of the last few turns, in memory, so that it can be played again or saved. It is never written by itself.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::audio::loudness;

/// Most bytes of samples that are kept: about ten minutes of answers.
const MOST_BYTES: usize = 64 << 20;

/// Who is heard.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Side {
    /// The person.
    Question,
    /// The model.
    Answer,
}

/// A piece of sound, mono.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Clip {
    pub(crate) rate_hz: u32,
    /// `[time]`.
    pub(crate) samples: Vec<f32>,
}

struct Kept {
    turn: u64,
    side: Side,
    clip: Clip,
    /// Loudness every 50 ms, 0 to 1.
    waveform: Vec<f32>,
}

struct Store {
    /// The oldest first.
    kept: VecDeque<Kept>,
    most_bytes: usize,
}

/// The sound that is kept. Copies share it.
#[derive(Clone)]
pub(crate) struct Clips(Arc<Mutex<Store>>);

impl Default for Clips {
    fn default() -> Clips {
        Clips::new(MOST_BYTES)
    }
}

impl std::fmt::Debug for Clips {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Clips").field("kept", &self.lock().kept.len()).finish_non_exhaustive()
    }
}

impl Clips {
    fn new(most_bytes: usize) -> Clips {
        Clips(Arc::new(Mutex::new(Store { kept: VecDeque::new(), most_bytes })))
    }

    fn lock(&self) -> MutexGuard<'_, Store> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// More of a clip, which begins with this where there is none. The oldest clips go where there is no room.
    pub(crate) fn push(&self, turn: u64, side: Side, rate_hz: u32, samples: &[f32]) {
        let mut store = self.lock();
        if store.find(turn, side).is_none() {
            let clip = Clip { rate_hz, samples: Vec::new() };
            store.kept.push_back(Kept { turn, side, clip, waveform: Vec::new() });
        }
        if let Some(kept) = store.find(turn, side) {
            kept.clip.samples.extend_from_slice(samples);
            let bar = (rate_hz as usize / 20).max(1);
            let bars = kept.clip.samples.chunks_exact(bar).skip(kept.waveform.len());
            kept.waveform.extend(bars.map(loudness));
        }
        while store.bytes() > store.most_bytes {
            store.kept.pop_front();
        }
    }

    /// A copy of a clip that is kept.
    pub(crate) fn get(&self, turn: u64, side: Side) -> Option<Clip> {
        self.lock().find(turn, side).map(|kept| kept.clip.clone())
    }

    /// Whether a clip is kept.
    pub(crate) fn has(&self, turn: u64, side: Side) -> bool {
        self.lock().find(turn, side).is_some()
    }

    /// Length of a clip in seconds and its loudness every 50 ms, 0 to 1.
    pub(crate) fn outline(&self, turn: u64, side: Side) -> Option<(f32, Vec<f32>)> {
        self.lock().find(turn, side).map(|kept| {
            let seconds = kept.clip.samples.len() as f32 / kept.clip.rate_hz as f32;
            (seconds, kept.waveform.clone())
        })
    }

    /// Drops a clip.
    pub(crate) fn forget(&self, turn: u64, side: Side) {
        self.lock().kept.retain(|kept| (kept.turn, kept.side) != (turn, side));
    }

    /// The question of turn `from` is asked again as that of `to`; the answer to it is dropped.
    pub(crate) fn ask_again(&self, from: u64, to: u64) {
        self.forget(from, Side::Answer);
        if let Some(kept) = self.lock().find(from, Side::Question) {
            kept.turn = to;
        }
    }

    /// Drops the clips of all turns before `turn`.
    pub(crate) fn forget_before(&self, turn: u64) {
        self.lock().kept.retain(|kept| kept.turn >= turn);
    }
}

impl Store {
    fn find(&mut self, turn: u64, side: Side) -> Option<&mut Kept> {
        self.kept.iter_mut().rev().find(|kept| (kept.turn, kept.side) == (turn, side))
    }

    fn bytes(&self) -> usize {
        self.kept.iter().map(|kept| size_of_val(&kept.clip.samples[..])).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clip_that_comes_in_blocks_is_kept_whole_with_its_outline() {
        let clips = Clips::default();
        assert!(!clips.has(1, Side::Answer));
        for _ in 0..30 {
            clips.push(1, Side::Answer, 24_000, &[0.5; 1000]);
        }
        assert_eq!(clips.get(1, Side::Answer), Some(Clip { rate_hz: 24_000, samples: vec![0.5; 30_000] }));
        let (seconds, waveform) = clips.outline(1, Side::Answer).unwrap();
        assert_eq!((seconds, waveform.len()), (1.25, 25));
        assert!(!clips.has(1, Side::Question));
        clips.forget_before(u64::MAX);
        assert!(!clips.has(1, Side::Answer));
    }

    #[test]
    fn the_oldest_clips_go_where_there_is_no_room_and_half_a_clip_is_none() {
        let clips = Clips::new(4 * 1000);
        clips.push(1, Side::Question, 16_000, &[0.1; 600]);
        clips.push(1, Side::Answer, 24_000, &[0.1; 400]);
        assert!(clips.has(1, Side::Question) && clips.has(1, Side::Answer));
        clips.push(2, Side::Question, 16_000, &[0.1; 1]);
        assert!(!clips.has(1, Side::Question) && clips.has(1, Side::Answer) && clips.has(2, Side::Question));
        clips.push(2, Side::Question, 16_000, &[0.1; 1000]);
        assert!(!clips.has(1, Side::Answer) && !clips.has(2, Side::Question));
    }

    #[test]
    fn a_question_asked_again_keeps_its_sound_and_loses_its_answer() {
        let clips = Clips::default();
        clips.push(1, Side::Question, 16_000, &[0.1; 600]);
        clips.push(1, Side::Answer, 24_000, &[0.1; 400]);
        clips.ask_again(1, 2);
        assert!(clips.has(2, Side::Question) && !clips.has(1, Side::Question) && !clips.has(1, Side::Answer));
    }
}
