//! A spoken question while it comes in: its waveform for the window, and what the worker has no room for yet.

use std::borrow::Cow;
use std::time::Duration;

use crossbeam_channel::{Sender, TrySendError};
use engine::{Audio, Trimmer};

use super::{Hearing, loudness};
use crate::language::t;

/// Length of one bar of the waveform, in samples.
const BAR_SAMPLES: usize = Audio::SAMPLE_RATE_HZ as usize / 20;
/// A question quieter than this everywhere is silence: a muted microphone.
const SILENCE: f32 = 1e-4;

/// Longest question that goes on by itself, and when that is told, in samples.
const LONGEST: usize = 300 * Audio::SAMPLE_RATE_HZ as usize;
const LIMIT_IS_NEAR: usize = LONGEST - 30 * Audio::SAMPLE_RATE_HZ as usize;

/// A question of one turn.
pub(super) struct Question {
    turn: u64,
    /// It is for later: nothing is handed on.
    aside: bool,
    samples: usize,
    peak: f32,
    bars: Vec<f32>,
    /// The bar that is not full yet.
    bar: Vec<f32>,
    trimmer: Trimmer,
    /// Samples handed on.
    speech: usize,
    waiting: Vec<f32>,
    /// The length at which something is to be told next.
    next_limit: Option<usize>,
}

impl Question {
    /// A question of which nothing was heard yet.
    pub(super) fn new(turn: u64, aside: bool) -> Question {
        Question {
            turn,
            aside,
            samples: 0,
            peak: 0.0,
            bars: Vec::new(),
            bar: Vec::new(),
            trimmer: Trimmer::new(),
            speech: 0,
            waiting: Vec::new(),
            next_limit: Some(LIMIT_IS_NEAR),
        }
    }

    /// The turn that it belongs to.
    pub(super) fn turn(&self) -> u64 {
        self.turn
    }

    /// Whether it is for later.
    pub(super) fn is_aside(&self) -> bool {
        self.aside
    }

    /// Takes samples, mono at 16 kHz, and hands on what is known to be speech as far as the worker has room.
    pub(super) fn take(&mut self, new: &[f32], hearing: &Sender<Hearing>) {
        self.samples += new.len();
        self.peak = new.iter().fold(self.peak, |peak, s| peak.max(s.abs()));
        self.bar.extend_from_slice(new);
        while self.bar.len() >= BAR_SAMPLES {
            self.bars.push(loudness(&self.bar[..BAR_SAMPLES]));
            self.bar.drain(..BAR_SAMPLES);
        }
        self.trimmer.push(new, &mut self.waiting);
        if self.aside {
            self.speech += self.waiting.len();
            self.waiting.clear();
        }
        if !self.waiting.is_empty() {
            let samples = std::mem::take(&mut self.waiting);
            let length = samples.len();
            match hearing.try_send(Hearing::Block { turn: self.turn, samples }) {
                Err(TrySendError::Full(Hearing::Block { samples, .. })) => self.waiting = samples,
                _ => self.speech += length,
            }
        }
    }

    /// Ends the question and hands on what still waits; blocks until the worker has room.
    pub(super) fn flush(&mut self, hearing: &Sender<Hearing>) {
        std::mem::take(&mut self.trimmer).finish(&mut self.waiting);
        if !self.waiting.is_empty() {
            let samples = std::mem::take(&mut self.waiting);
            self.speech += samples.len();
            if self.aside {
                return;
            }
            // A worker that is gone takes no questions any more.
            let _ = hearing.send(Hearing::Block { turn: self.turn, samples });
        }
    }

    /// Whether any speech was handed on.
    pub(super) fn has_speech(&self) -> bool {
        self.peak >= SILENCE && self.speech > 0
    }

    /// After `flush`: why there is nothing to ask, in a sentence.
    pub(super) fn fault(&self) -> Option<Cow<'static, str>> {
        if self.peak < SILENCE {
            Some(t!("The microphone gave only silence. Check that it is not muted and is the right one."))
        } else if self.speech == 0 {
            Some(t!("No speech was heard. Speak louder or closer to the microphone."))
        } else {
            None
        }
    }

    /// The time that is left for a question that goes on by itself, when it is to be told: once when it gets short, once when it
    /// is over.
    pub(super) fn limit(&mut self) -> Option<Duration> {
        let limit = self.next_limit.filter(|limit| self.samples >= *limit)?;
        self.next_limit = (limit < LONGEST).then_some(LONGEST);
        Some(Duration::from_secs(((LONGEST - limit) / Audio::SAMPLE_RATE_HZ as usize) as u64))
    }

    /// Length so far.
    pub(super) fn seconds(&self) -> f32 {
        self.samples as f32 / Audio::SAMPLE_RATE_HZ as f32
    }

    /// Loudness every 50 ms, 0 to 1.
    pub(super) fn into_waveform(self) -> Vec<f32> {
        self.bars
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossbeam_channel::bounded;

    #[test]
    fn a_busy_worker_loses_no_sample() {
        let (hearing, worker) = bounded(1);
        let mut question = Question::new(7, false);
        for i in 0..200 {
            question.take(&[(1 + i) as f32 / 200.0; 100], &hearing);
        }
        let mut heard = Vec::new();
        let mut receive = |worker: &crossbeam_channel::Receiver<Hearing>| {
            while let Ok(Hearing::Block { turn: 7, samples }) = worker.try_recv() {
                heard.extend(samples);
            }
        };
        receive(&worker);
        question.flush(&hearing);
        receive(&worker);
        assert_eq!(heard.len(), 20_000);
        assert!(heard.is_sorted());
        assert!((question.seconds() - 1.25).abs() < 1e-6);
    }

    #[test]
    fn a_question_for_later_is_measured_and_not_handed_on() {
        let (hearing, worker) = bounded(1);
        let mut question = Question::new(1, true);
        for i in 0..200 {
            question.take(&[(1 + i) as f32 / 200.0; 100], &hearing);
        }
        question.flush(&hearing);
        assert!(worker.is_empty());
        assert_eq!((question.fault(), question.has_speech()), (None, true));
    }

    #[test]
    fn a_long_question_tells_twice_how_long_it_may_be() {
        let (hearing, _worker) = bounded(1);
        let mut question = Question::new(1, false);
        let mut told = Vec::new();
        for second in 1..400 {
            question.take(&[0.0; 16_000], &hearing);
            told.extend(question.limit().map(|left| (second, left.as_secs())));
        }
        assert_eq!(told, [(270, 30), (300, 0)]);
    }

    #[test]
    fn a_muted_microphone_and_a_quiet_room_are_no_questions() {
        let (hearing, _worker) = bounded(64);
        let mut muted = Question::new(1, false);
        muted.take(&[0.0; 16_000], &hearing);
        muted.flush(&hearing);
        assert!(muted.fault().is_some_and(|fault| fault.contains("muted")));
        assert_eq!(muted.into_waveform().len(), 20);

        let mut quiet = Question::new(2, false);
        let hum: Vec<f32> = (0..16_000).map(|i| 2e-4 * (i as f32 * 0.02).sin()).collect();
        quiet.take(&hum, &hearing);
        quiet.flush(&hearing);
        assert!(quiet.fault().is_some_and(|fault| fault.contains("No speech")));

        let mut spoken = Question::new(3, false);
        spoken.take(&hum.iter().map(|s| s * 1e3).collect::<Vec<_>>(), &hearing);
        spoken.flush(&hearing);
        assert_eq!(spoken.fault(), None);
    }
}
