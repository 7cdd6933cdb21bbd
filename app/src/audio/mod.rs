//! The sound devices' thread: it opens and closes microphone and speaker, and moves samples between them and the worker.
//!
//! It does not decide when: `turn` does. Samples travel in bounded channels and rings, never in events.

mod capture;
mod device;
mod ear;
mod echo;
mod level;
mod playback;
mod question;
mod replay;
mod voice;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use crossbeam_channel::{Receiver, Sender, bounded, never, select};
use engine::Audio;

use crate::clips::{Clips, Side};
use crate::event::{EarReport, Event, Events};
use crate::live::Live;
use crate::preferences::Talking;
use capture::Capture;
use ear::Ear;
pub(crate) use level::{Level, loudness};
use playback::Playback;
use question::Question;
use replay::Replay;

/// How often open devices are looked after.
const POLL: Duration = Duration::from_millis(8);
/// Sound that is still taken after the key went up: what the device and its driver hold.
const TAIL: Duration = Duration::from_millis(60);

/// What the window asks of the devices.
#[derive(Debug)]
pub(crate) enum Order {
    /// Open the microphone for a turn.
    Listen(u64),
    /// Close it; the question counts with `keep`.
    Close {
        /// Turn.
        turn: u64,
        /// Whether the question counts.
        keep: bool,
    },
    /// Play a kept sound.
    Replay {
        /// Turn that it is played as.
        turn: u64,
        /// Turn that it comes from.
        of: u64,
        /// Who is heard.
        side: Side,
    },
    /// Open the microphone for the hands-free conversation of this number.
    OpenEar(u64, Talking),
    /// Other settings for it.
    TuneEar(Talking),
    /// Close it.
    CloseEar,
}

/// What was heard, on its way to the worker.
#[derive(Debug)]
pub(crate) enum Hearing {
    /// Samples, mono at 16 kHz.
    Block {
        /// Turn.
        turn: u64,
        /// `[time]`.
        samples: Vec<f32>,
    },
    /// No more; the question counts with `keep`.
    End {
        /// Turn.
        turn: u64,
        /// Whether the question counts.
        keep: bool,
    },
}

/// What is to be spoken, on its way from the worker.
#[derive(Debug)]
pub(crate) enum Speech {
    /// Speech of a turn is about to come.
    Begin {
        /// Turn.
        turn: u64,
        /// Rate of its samples, mono.
        rate_hz: u32,
    },
    /// Samples.
    Block {
        /// Turn.
        turn: u64,
        /// `[time]`.
        samples: Vec<f32>,
    },
    /// No more.
    End {
        /// Turn.
        turn: u64,
    },
}

/// The window's and the worker's ends of the devices' thread. It ends when `orders` is dropped.
pub(crate) struct Ends {
    /// Orders to it.
    pub(crate) orders: Sender<Order>,
    /// What it hears.
    pub(crate) hearing: Receiver<Hearing>,
    /// What it speaks.
    pub(crate) speech: Sender<Speech>,
}

/// Starts the devices' thread. No device is opened yet.
///
/// # Errors
/// The system refuses a thread.
pub(crate) fn start(events: Events, live: Live, level: Level, clips: Clips) -> Result<Ends> {
    let (orders, orders_in) = bounded(64);
    let (hearing_out, hearing) = bounded(256);
    let (speech, speech_in) = bounded(64);
    std::thread::Builder::new()
        .name("audio".into())
        .spawn(move || {
            let mut desk = Desk {
                host: device::Host::default(),
                events,
                live,
                level,
                hearing: hearing_out,
                microphone: None,
                speaker: None,
                clips,
                speech_rate_hz: 0,
                ear: None,
                overheard: Vec::new(),
            };
            desk.run(&orders_in, &speech_in);
        })
        .context("cannot start the sound devices' thread")?;
    Ok(Ends { orders, hearing, speech })
}

/// An open microphone and the question so far.
struct Microphone {
    /// `None` where the ear is it.
    capture: Option<Capture>,
    question: Question,
    started: bool,
    /// When to close, and whether the question counts.
    closing: Option<(Instant, bool)>,
}

struct Speaker {
    playback: Playback,
    /// Where the sound comes from, if not from the worker.
    replay: Option<Replay>,
}

struct Desk {
    host: device::Host,
    events: Events,
    live: Live,
    level: Level,
    hearing: Sender<Hearing>,
    microphone: Option<Microphone>,
    speaker: Option<Speaker>,
    clips: Clips,
    /// Rate of the speech that comes.
    speech_rate_hz: u32,
    /// The microphone of a hands-free conversation.
    ear: Option<Ear>,
    /// What it heard for the question.
    overheard: Vec<f32>,
}

impl Desk {
    fn run(&mut self, orders: &Receiver<Order>, speech: &Receiver<Speech>) {
        let nothing = never();
        loop {
            let busy = self.microphone.is_some() || self.speaker.is_some() || self.ear.is_some();
            let full = self.speaker.as_ref().is_some_and(|speaker| speaker.playback.is_full());
            let speech = if full { &nothing } else { speech };
            select! {
                recv(orders) -> order => match order {
                    Ok(order) => self.obey(order),
                    Err(_) => return,
                },
                recv(speech) -> speech => if let Ok(speech) = speech { self.speak(speech) } else { return },
                default(if busy { POLL } else { Duration::from_secs(3600) }) => {}
            }
            self.poll_speaker();
            self.poll_ear();
            self.poll_microphone();
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Listen(turn) => {
                self.level.clear();
                let capture = match &mut self.ear {
                    Some(ear) => {
                        self.overheard = ear.before();
                        Ok(None)
                    }
                    None => Capture::open(&mut self.host).map(Some),
                };
                match capture {
                    Ok(capture) => {
                        let question = Question::new(turn);
                        self.microphone =
                            Some(Microphone { capture, question, started: false, closing: None });
                    }
                    Err(error) => self.lose_microphone(turn, error.to_string()),
                }
            }
            Order::Close { turn, keep } => {
                if let Some(microphone) = self.microphone.as_mut().filter(|m| m.question.turn() == turn) {
                    let tail = if keep { TAIL } else { Duration::ZERO };
                    microphone.closing = Some((Instant::now() + tail, keep));
                }
            }
            Order::Replay { turn, of, side } => self.replay(turn, of, side),
            Order::OpenEar(number, talking) => match Ear::open(&mut self.host, number, talking) {
                Ok(ear) => self.ear = Some(ear),
                Err(error) => {
                    self.events.send(Event::Ear(number, EarReport::Failed(error.to_string())));
                }
            },
            Order::TuneEar(talking) => {
                if let Some(ear) = &mut self.ear {
                    ear.tune(talking);
                }
            }
            Order::CloseEar => {
                self.ear = None;
                self.level.clear();
            }
        }
    }

    fn poll_ear(&mut self) {
        let Some(ear) = &mut self.ear else { return };
        let (number, mut new) = (ear.number(), Vec::new());
        match ear.poll(&mut new) {
            Ok(reports) => {
                for report in reports {
                    tracing::debug!(ear = number, ?report, "hands-free");
                    self.events.send(Event::Ear(number, report));
                }
                if self.microphone.is_some() {
                    self.overheard.append(&mut new);
                } else if self.speaker.is_none() && !new.is_empty() {
                    self.level.take(&new);
                }
            }
            Err(error) => {
                self.ear = None;
                self.level.clear();
                self.events.send(Event::Ear(number, EarReport::Failed(error.to_string())));
            }
        }
    }

    fn lose_microphone(&mut self, turn: u64, message: String) {
        self.level.clear();
        self.clips.forget(turn, Side::Question);
        self.end_hearing(turn, false);
        self.events.send(Event::CaptureFailed { turn, message });
    }

    fn end_hearing(&self, turn: u64, keep: bool) {
        // A worker that is gone takes no questions any more.
        let _ = self.hearing.send(Hearing::End { turn, keep });
    }

    fn poll_microphone(&mut self) {
        let Some(mut microphone) = self.microphone.take() else { return };
        let turn = microphone.question.turn();
        let mut new = Vec::new();
        let polled = match &mut microphone.capture {
            Some(capture) => capture.poll(&mut new),
            None => {
                new.append(&mut self.overheard);
                Ok(!new.is_empty())
            }
        };
        match polled {
            Err(error) => return self.lose_microphone(turn, error.to_string()),
            Ok(true) if !microphone.started => {
                microphone.started = true;
                self.events.send(Event::CaptureStarted { turn });
            }
            Ok(_) => {}
        }
        if !new.is_empty() {
            self.level.take(&new);
        }
        self.clips.push(turn, Side::Question, Audio::SAMPLE_RATE_HZ, &new);
        microphone.question.take(&new, &self.hearing);
        if let Some(left) = microphone.question.limit() {
            self.events.send(Event::Limit { turn, left });
        }
        match microphone.closing {
            Some((at, keep)) if Instant::now() >= at => self.close(microphone, keep),
            _ => self.microphone = Some(microphone),
        }
    }

    fn close(&mut self, microphone: Microphone, keep: bool) {
        let Microphone { capture, mut question, .. } = microphone;
        let turn = question.turn();
        let mut last = Vec::new();
        match capture.map_or(Ok(0), |capture| capture.finish(&mut last)) {
            Ok(0) => {}
            Ok(lost) => {
                tracing::warn!(turn, lost, "the machine was too busy to take every sample of the microphone")
            }
            Err(error) => tracing::warn!(turn, %error, "the end of the question was lost"),
        }
        self.level.clear();
        self.clips.push(turn, Side::Question, Audio::SAMPLE_RATE_HZ, &last);
        question.take(&last, &self.hearing);
        question.flush(&self.hearing);
        if let Some(message) = question.fault().filter(|_| keep) {
            self.end_hearing(turn, false);
            return self.events.send(Event::NothingHeard { turn, message: message.into() });
        }
        self.end_hearing(turn, keep);
        if !keep {
            self.clips.forget(turn, Side::Question);
        }
        if keep {
            let seconds = question.seconds();
            self.events.send(Event::Heard { turn, seconds, waveform: question.into_waveform() });
        }
    }

    /// Plays a clip that is kept.
    fn replay(&mut self, turn: u64, of: u64, side: Side) {
        // The old speaker goes first, so that its sound ends before the new one's begins.
        self.speaker = None;
        let opened = match self.clips.get(of, side) {
            Some(clip) => Playback::open(&mut self.host, turn, self.live.clone(), clip.rate_hz)
                .map(|playback| Speaker { playback, replay: Some(Replay::new(clip.samples)) }),
            None => Err(anyhow!("This sound is not kept any more: newer ones took its place.")),
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

    fn speak(&mut self, speech: Speech) {
        self.keep(&speech);
        let result = match (speech, &mut self.speaker) {
            (Speech::Begin { turn, rate_hz }, _) if self.live.is(turn) => {
                // The old speaker goes first, so that its sound ends before the new one's begins.
                self.speaker = None;
                match Playback::open(&mut self.host, turn, self.live.clone(), rate_hz) {
                    Ok(playback) => {
                        self.speaker = Some(Speaker { playback, replay: None });
                        Ok(())
                    }
                    Err(error) => Err((turn, error)),
                }
            }
            (Speech::Block { turn, samples }, Some(speaker)) if speaker.playback.turn() == turn => {
                speaker.playback.push(&samples).map_err(|error| (turn, error))
            }
            (Speech::End { turn }, Some(speaker)) if speaker.playback.turn() == turn => {
                speaker.playback.end().map_err(|error| (turn, error))
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

    fn poll_speaker(&mut self) {
        let Some(Speaker { playback, replay }) = &mut self.speaker else { return };
        let turn = playback.turn();
        if !self.live.is(turn) {
            self.level.clear();
            self.speaker = None;
            return;
        }
        let fed = replay.as_mut().map_or(Ok(()), |replay| replay.feed(playback));
        match fed.and_then(|()| playback.poll()) {
            Err(error) => {
                let ended = playback.has_ended() || replay.is_some();
                self.lose_speaker(turn, error.to_string());
                if ended {
                    self.events.send(Event::SpeechEnded { turn });
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
                if playback.starts_now() {
                    self.events.send(Event::SpeechStarted { turn });
                }
                if playback.is_done() {
                    tracing::info!(turn, gaps = playback.gaps(), "speech ended");
                    self.level.clear();
                    self.speaker = None;
                    self.events.send(Event::SpeechEnded { turn });
                }
            }
        }
    }
}
