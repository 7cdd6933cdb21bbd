//! Tests of a device from the settings: no turn, and nothing is kept.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::capture::Capture;
use super::device::Direction;
use super::playback::Playback;
use super::{Desk, Report, chime};
use crate::event::Event;
use crate::live::Live;

/// A microphone is not listened to for longer.
const LONGEST: Duration = Duration::from_secs(30);

/// What is tested.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Trial {
    /// The meter shows what the microphone hears.
    Microphone,
    /// A chime is played.
    Speaker,
}

/// A test while it goes on.
pub(super) enum Trying {
    Microphone { capture: Capture, ends: Instant },
    Speaker(Playback),
}

impl Desk {
    /// Begins a test, unless a turn uses the devices.
    pub(super) fn begin_trial(&mut self, trial: Trial) {
        self.end_trial(None);
        if self.microphone.is_some() || self.speaker.is_some() {
            return;
        }
        match self.open_trial(trial) {
            Ok(trying) => {
                self.trying = Some(trying);
                self.events.send(Event::Sound(Report::Trying(Some(trial))));
            }
            Err(error) => self.events.send(Event::Sound(Report::Fault(error.to_string()))),
        }
    }

    fn open_trial(&mut self, trial: Trial) -> Result<Trying> {
        if trial == Trial::Microphone {
            let (capture, _) = self.open_microphone()?;
            return Ok(Trying::Microphone { capture, ends: Instant::now() + LONGEST });
        }
        let (device, _) = self.find(Direction::Out)?;
        // It belongs to no turn, so that none can end it.
        let mut playback = Playback::open(&device, 0, Live::default(), chime::RATE_HZ, &self.volume)?;
        playback.push(&chime::samples())?;
        playback.end()?;
        Ok(Trying::Speaker(playback))
    }

    /// Ends a test if there is one, and says why where it did not end by itself.
    pub(super) fn end_trial(&mut self, fault: Option<String>) {
        if self.trying.take().is_some() {
            self.level.clear();
            self.events.send(Event::Sound(Report::Trying(None)));
        }
        if let Some(fault) = fault {
            self.events.send(Event::Sound(Report::Fault(fault)));
        }
    }

    /// Moves a test on.
    pub(super) fn poll_trial(&mut self) {
        let result = match &mut self.trying {
            None => return,
            Some(Trying::Microphone { capture, ends }) => {
                let mut heard = Vec::new();
                let is_over = Instant::now() >= *ends;
                capture.poll(&mut heard).map(|_| (heard, is_over))
            }
            Some(Trying::Speaker(playback)) => playback.poll().map(|moved| (moved, playback.is_done())),
        };
        match result {
            Ok((_, true)) => self.end_trial(None),
            Ok((samples, false)) if samples.is_empty() => {}
            Ok((samples, false)) => self.level.take(&samples),
            Err(error) => self.end_trial(Some(error.to_string())),
        }
    }
}
