//! The microphone of a hands-free conversation: it stays open, tells when somebody begins and ends to speak, and keeps the last
//! moments, in which a voice that is noticed only now has begun.

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::Result;
use engine::Audio;

use super::capture::Capture;
use super::device::Host;
use super::echo::Echo;
use super::voice::{Change, Voice};
use crate::event::EarReport;
use crate::preferences::Talking;

/// Samples in a millisecond.
const MS: usize = Audio::SAMPLE_RATE_HZ as usize / 1000;
/// What is kept of the time before a voice is noticed: 300 ms, and what it takes to notice it.
const BEFORE: usize = (300 + 256) * MS;
/// Most of a voice that is kept until it is asked for.
const MOST: usize = 10_000 * MS;

/// An open microphone. Dropping it closes it.
pub(super) struct Ear {
    number: u64,
    capture: Capture,
    voice: Voice,
    echo: Option<Echo>,
    opened: bool,
    past: Past,
}

/// What was heard last.
#[derive(Default)]
struct Past {
    samples: VecDeque<f32>,
    /// It is the begin of a voice that nobody asked for yet.
    is_voice: bool,
}

impl Ear {
    /// Opens the microphone for the hands-free conversation of this number.
    ///
    /// # Errors
    /// As [`Capture::open`].
    pub(super) fn open(host: &mut Host, number: u64, talking: Talking) -> Result<Ear> {
        let capture = Capture::open(host)?;
        let voice = Voice::new(pause(talking));
        let mut ear = Ear { number, capture, voice, echo: None, opened: false, past: Past::default() };
        ear.tune(talking);
        Ok(ear)
    }

    /// The number of its conversation.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Takes over other settings.
    pub(super) fn tune(&mut self, talking: Talking) {
        self.voice.set_pause(pause(talking));
        if !talking.cancel_echo {
            self.echo = None;
        } else if self.echo.is_none() {
            self.echo = Echo::new().inspect_err(|error| tracing::warn!("{error}")).ok();
        }
    }

    /// Takes what went to the speaker, mono at `rate_hz`.
    pub(super) fn played(&mut self, samples: &[f32], rate_hz: u32) {
        if let Some(echo) = &mut self.echo
            && let Err(error) = echo.play(samples, rate_hz)
        {
            tracing::warn!(%error, "the echo is not taken out of the microphone any more");
            self.echo = None;
        }
    }

    /// Appends what came in since the last call to `out`, mono at 16 kHz and without the program's own speech, and tells what it
    /// brought.
    ///
    /// # Errors
    /// As [`Capture::poll`].
    pub(super) fn poll(&mut self, out: &mut Vec<f32>) -> Result<Vec<EarReport>> {
        let mut heard = Vec::new();
        let mut reports = Vec::new();
        if self.capture.poll(&mut heard)? && !std::mem::replace(&mut self.opened, true) {
            reports.push(EarReport::Opened);
        }
        if let Some(echo) = &mut self.echo {
            let mut left = Vec::with_capacity(heard.len());
            echo.hear(&heard, self.voice.speaks(), &mut left);
            heard = left;
        }
        let changes = self.voice.push(&heard);
        self.past.push(&heard, &changes);
        reports.extend(changes.into_iter().map(|change| match change {
            Change::Began => EarReport::Began,
            Change::Ended => EarReport::Ended,
        }));
        out.append(&mut heard);
        Ok(reports)
    }

    /// A question begins now: what it begins with.
    pub(super) fn before(&mut self) -> Vec<f32> {
        self.past.take()
    }
}

impl Past {
    fn push(&mut self, heard: &[f32], changes: &[Change]) {
        self.samples.extend(heard);
        if let Some(last) = changes.last() {
            self.is_voice = *last == Change::Began;
            self.keep(BEFORE + heard.len());
        }
        self.keep(if self.is_voice { MOST } else { BEFORE });
    }

    fn keep(&mut self, most: usize) {
        self.samples.drain(..self.samples.len().saturating_sub(most));
    }

    /// The voice that is being heard; nothing where there is none.
    fn take(&mut self) -> Vec<f32> {
        let samples = std::mem::take(&mut self.samples);
        if std::mem::take(&mut self.is_voice) { samples.into() } else { vec![] }
    }
}

fn pause(talking: Talking) -> Duration {
    Duration::from_millis(talking.pause_ms.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_begins_a_moment_before_its_voice_was_noticed() {
        let count = |from: usize, ms: usize| (from..from + ms * MS).map(|i| i as f32).collect::<Vec<_>>();
        let mut past = Past::default();
        past.push(&count(0, 2000), &[]);
        past.push(&count(2000 * MS, 20), &[Change::Began]);
        past.push(&count(2020 * MS, 900), &[]);
        let taken = past.take();
        assert_eq!(taken, count(2000 * MS - BEFORE, 920 + BEFORE / MS));
        assert!(past.take().is_empty(), "it is taken once");
        // A voice that was over before anybody asked for it, and a key pressed in silence.
        past.push(&count(0, 20), &[Change::Began]);
        past.push(&count(0, 20), &[Change::Ended]);
        assert!(past.take().is_empty());
    }

    #[test]
    fn what_nobody_asks_for_does_not_grow_without_end() {
        let mut past = Past::default();
        past.push(&[0.0; MS], &[Change::Began]);
        (0..20_000).for_each(|_| past.push(&[0.0; MS], &[]));
        assert_eq!(past.samples.len(), MOST);
        past.push(&[0.0; MS], &[Change::Ended]);
        assert_eq!(past.samples.len(), BEFORE);
    }
}
