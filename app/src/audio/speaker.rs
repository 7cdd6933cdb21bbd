//! Speech of one turn on its way to the speaker. A speaker that goes away on the way is followed by another one, which goes on
//! where the first one stood.

use anyhow::{Result, anyhow};

use super::device::Direction;
use super::playback::Playback;
use super::replay::Replay;
use super::search::Search;
use super::{Desk, Report, Speech};
use crate::clips::Side;
use crate::event::Event;
use crate::language::t;

/// Speech and where it goes.
pub(super) struct Speaker {
    turn: u64,
    rate_hz: u32,
    out: Out,
    /// Where the sound comes from, if not from the worker.
    replay: Option<Replay>,
    /// It was told that the first sound went out.
    announced: bool,
    /// All speech was handed on.
    ended: bool,
    /// It was opened once more.
    again: bool,
    /// Gaps of speakers before this one.
    gaps: u64,
}

enum Out {
    Open(Box<Playback>),
    Lost {
        search: Search,
        /// Speech that was not heard yet.
        unheard: Vec<f32>,
    },
}

impl Speaker {
    fn new(turn: u64, rate_hz: u32, playback: Playback, replay: Option<Replay>) -> Speaker {
        let out = Out::Open(Box::new(playback));
        Speaker { turn, rate_hz, out, replay, announced: false, ended: false, again: false, gaps: 0 }
    }

    /// Whether it takes no more speech for now.
    pub(super) fn is_full(&self) -> bool {
        match &self.out {
            Out::Open(playback) => playback.is_full(),
            Out::Lost { .. } => true,
        }
    }

    /// Goes on at another speaker when one is found.
    fn leave(&mut self, fault: Option<String>) {
        let old =
            std::mem::replace(&mut self.out, Out::Lost { search: Search::new(fault), unheard: Vec::new() });
        if let Out::Open(playback) = old {
            self.gaps += playback.gaps();
            self.ended = playback.has_ended();
            if let Out::Lost { unheard, .. } = &mut self.out {
                *unheard = playback.into_unheard();
            }
        } else {
            self.out = old;
        }
    }

    /// Goes on here.
    fn enter(&mut self, mut playback: Playback) -> Result<()> {
        if let Out::Lost { unheard, .. } = &self.out {
            playback.push(unheard)?;
        }
        if self.ended {
            playback.end()?;
        }
        self.out = Out::Open(Box::new(playback));
        Ok(())
    }
}

impl Desk {
    /// The wanted speaker, or the one that stands in for it, and its name.
    fn open_speaker(&mut self, turn: u64, rate_hz: u32) -> Result<(Playback, String)> {
        let (device, name) = self.find(Direction::Out)?;
        Ok((Playback::open(&device, turn, self.live.clone(), rate_hz, &self.volume)?, name))
    }

    /// Another speaker was chosen: speech goes on there.
    pub(super) fn change_speaker(&mut self) {
        if let Some(speaker) = &mut self.speaker {
            speaker.leave(None);
        }
    }

    /// Plays a clip that is kept.
    pub(super) fn replay(&mut self, turn: u64, of: u64, side: Side) {
        // The old speaker goes first, so that its sound ends before the new one's begins.
        self.speaker = None;
        let opened = match self.clips.get(of, side) {
            Some(clip) => self.open_speaker(turn, clip.rate_hz).map(|(playback, _)| {
                Speaker::new(turn, clip.rate_hz, playback, Some(Replay::new(clip.samples)))
            }),
            None => Err(anyhow!("{}", t!("This sound is not kept any more: newer ones took its place."))),
        };
        match opened {
            Ok(speaker) => self.speaker = Some(speaker),
            Err(error) => {
                self.lose_speaker(turn, error.to_string());
                self.events.send(Event::SpeechEnded { turn });
            }
        }
    }

    /// Keeps what is about to be spoken, so that it can be heard again.
    fn keep(&mut self, speech: &Speech) {
        match speech {
            Speech::Begin { rate_hz, .. } => self.speech_rate_hz = *rate_hz,
            Speech::Block { turn, samples } if self.live.is(*turn) => {
                self.clips.push(*turn, Side::Answer, self.speech_rate_hz, samples);
            }
            _ => {}
        }
    }

    /// Takes speech from the worker. None comes while the speaker is full.
    pub(super) fn speak(&mut self, speech: Speech) {
        self.keep(&speech);
        let result = match (speech, &mut self.speaker) {
            (Speech::Begin { turn, rate_hz }, _) if self.live.is(turn) => {
                // The old speaker goes first, so that its sound ends before the new one's begins.
                self.speaker = None;
                self.end_trial(None);
                match self.open_speaker(turn, rate_hz) {
                    Ok((playback, _)) => {
                        self.speaker = Some(Speaker::new(turn, rate_hz, playback, None));
                        Ok(())
                    }
                    Err(error) => Err((turn, error)),
                }
            }
            (Speech::Block { turn, samples }, Some(Speaker { turn: own, out: Out::Open(playback), .. }))
                if *own == turn =>
            {
                playback.push(&samples).map_err(|error| (turn, error))
            }
            (Speech::End { turn }, Some(Speaker { turn: own, out: Out::Open(playback), .. }))
                if *own == turn =>
            {
                playback.end().map_err(|error| (turn, error))
            }
            (Speech::End { turn }, _) => {
                self.events.send(Event::SpeechEnded { turn });
                Ok(())
            }
            _ => Ok(()),
        };
        if let Err((turn, error)) = result {
            self.lose_speaker(turn, error.to_string());
        }
    }

    /// The rest of the turn is not heard.
    fn lose_speaker(&mut self, turn: u64, message: String) {
        self.level.clear();
        self.speaker = None;
        self.events.send(Event::SpeakerFailed { turn, message });
    }

    /// Ends with a speaker that cannot be followed by another one.
    fn give_up_speaker(&mut self, message: String) {
        let Some(speaker) = self.speaker.take() else { return };
        let turn = speaker.turn;
        self.lose_speaker(turn, message);
        // Else the worker says so when it has spoken.
        if speaker.ended || speaker.replay.is_some() {
            self.events.send(Event::SpeechEnded { turn });
        }
    }

    /// Moves speech on.
    pub(super) fn poll_speaker(&mut self) {
        let Some(speaker) = &mut self.speaker else { return };
        if !self.live.is(speaker.turn) {
            self.level.clear();
            self.speaker = None;
            return;
        }
        match &speaker.out {
            Out::Open(_) => self.play(),
            Out::Lost { .. } => self.look_for_speaker(),
        }
    }

    fn play(&mut self) {
        let Some(speaker) = &mut self.speaker else { return };
        let Out::Open(playback) = &mut speaker.out else { return };
        let turn = speaker.turn;
        let fed = speaker.replay.as_mut().map_or(Ok(()), |replay| replay.feed(playback));
        match fed.and_then(|()| playback.poll()) {
            Err(error) => {
                tracing::warn!(turn, %error, "the speaker was lost");
                self.level.clear();
                // One that takes nothing is opened once more, as after a sleep of the machine, and then given up.
                let hopeless = speaker.again && !playback.has_played();
                speaker.leave(Some(error.to_string()));
                if hopeless {
                    self.give_up_speaker(error.to_string());
                }
            }
            Ok(moved) => {
                let (played, rate_hz) = playback.played();
                if let Some(ear) = &mut self.ear {
                    ear.played(&played, rate_hz);
                }
                if !moved.is_empty() {
                    self.level.take(&moved);
                }
                if playback.has_started() && !std::mem::replace(&mut speaker.announced, true) {
                    self.events.send(Event::SpeechStarted { turn });
                }
                if playback.is_done() {
                    tracing::info!(turn, gaps = speaker.gaps + playback.gaps(), "speech ended");
                    self.level.clear();
                    self.speaker = None;
                    self.events.send(Event::SpeechEnded { turn });
                }
            }
        }
    }

    fn look_for_speaker(&mut self) {
        let Some(speaker) = &mut self.speaker else { return };
        let (turn, rate_hz) = (speaker.turn, speaker.rate_hz);
        let Out::Lost { search, .. } = &mut speaker.out else { return };
        if !search.is_due() {
            return;
        }
        let (is_loss, is_over) = (search.is_loss(), search.is_over());
        let opened = self.open_speaker(turn, rate_hz);
        let Some(speaker) = &mut self.speaker else { return };
        match opened {
            Ok((playback, name)) => {
                if let Err(error) = speaker.enter(playback) {
                    return self.give_up_speaker(error.to_string());
                }
                speaker.again = is_loss;
                if is_loss {
                    let told = t!("The speaker went away. It goes on with %{name}.", name = name);
                    self.events.send(Event::Sound(Report::Hint(told.into())));
                }
            }
            Err(error) if is_over => self.give_up_speaker(error.to_string()),
            Err(_) => {}
        }
    }
}
