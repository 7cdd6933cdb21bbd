//! The microphone of a hands-free conversation: it stays open, tells when somebody begins and ends to speak, and keeps the last
//! moments, in which a voice that is noticed only now has begun.

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::Result;
use engine::Audio;

use super::Desk;
use super::capture::Capture;
use super::echo::Echo;
use super::search::Search;
use super::voice::{Change, Voice};
use crate::event::{EarReport, Event};
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
    source: Source,
    /// It was opened once more.
    again: bool,
    voice: Voice,
    echo: Option<Echo>,
    opened: bool,
    past: Past,
}

enum Source {
    Open(Box<Capture>),
    Lost(Search),
}

/// What was heard last.
#[derive(Default)]
struct Past {
    samples: VecDeque<f32>,
    /// It is the begin of a voice that nobody asked for yet.
    is_voice: bool,
}

impl Ear {
    fn new(number: u64, capture: Capture, talking: Talking) -> Ear {
        let (source, voice) = (Source::Open(Box::new(capture)), Voice::new(pause(talking)));
        let mut ear =
            Ear { number, source, again: false, voice, echo: None, opened: false, past: Past::default() };
        ear.tune(talking);
        ear
    }

    /// Takes over other settings.
    fn tune(&mut self, talking: Talking) {
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
    fn poll(&mut self, out: &mut Vec<f32>) -> Result<Vec<EarReport>> {
        let mut heard = Vec::new();
        let mut reports = Vec::new();
        let Source::Open(capture) = &mut self.source else { return Ok(reports) };
        if capture.poll(&mut heard)? && !std::mem::replace(&mut self.opened, true) {
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

impl Desk {
    /// Opens the microphone for the hands-free conversation of this number.
    pub(super) fn open_ear(&mut self, number: u64, talking: Talking) {
        self.end_trial(None);
        match self.open_microphone() {
            Ok((capture, _)) => self.ear = Some(Ear::new(number, capture, talking)),
            Err(error) => self.lose_ear(number, error.to_string()),
        }
    }

    pub(super) fn tune_ear(&mut self, talking: Talking) {
        if let Some(ear) = &mut self.ear {
            ear.tune(talking);
        }
    }

    pub(super) fn close_ear(&mut self) {
        self.ear = None;
        self.level.clear();
    }

    /// Another microphone was chosen.
    pub(super) fn change_ear(&mut self) {
        if let Some(ear) = &mut self.ear {
            ear.source = Source::Lost(Search::new(None));
        }
    }

    /// Takes in what was heard since the last call.
    pub(super) fn poll_ear(&mut self) {
        let Some(ear) = &mut self.ear else { return };
        if matches!(ear.source, Source::Lost(_)) {
            return self.look_for_ear();
        }
        let (number, mut new) = (ear.number, Vec::new());
        match ear.poll(&mut new) {
            Ok(reports) => {
                for report in reports {
                    self.events.send(Event::Ear(number, report));
                }
                if self.microphone.is_some() {
                    self.overheard.append(&mut new);
                } else if self.speaker.is_none() && !new.is_empty() {
                    self.level.take(&new);
                }
            }
            Err(error) => {
                tracing::warn!(%error, "the microphone of the hands-free conversation was lost");
                self.level.clear();
                // One that gives nothing is opened once more, as after a sleep of the machine, and then given up.
                let has_given = matches!(&ear.source, Source::Open(capture) if capture.has_given());
                let is_hopeless = ear.again && !has_given;
                ear.source = Source::Lost(Search::new(Some(error.to_string())));
                if is_hopeless {
                    self.lose_ear(number, error.to_string());
                }
            }
        }
    }

    fn look_for_ear(&mut self) {
        let Some(Ear { number, source: Source::Lost(search), .. }) = &mut self.ear else { return };
        if !search.is_due() {
            return;
        }
        let (number, is_loss, is_over) = (*number, search.is_loss(), search.is_over());
        match (self.reopen_microphone(is_loss), &mut self.ear) {
            (Ok(capture), Some(ear)) => {
                ear.source = Source::Open(capture);
                ear.again = is_loss;
            }
            (Err(error), _) if is_over => self.lose_ear(number, error.to_string()),
            _ => {}
        }
    }

    fn lose_ear(&mut self, number: u64, message: String) {
        self.close_ear();
        self.events.send(Event::Ear(number, EarReport::Failed(message)));
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
