//! The sound devices' thread: it opens and closes microphone and speaker, and moves samples between them and the worker.
//!
//! It does not decide when: `turn` does. Samples travel in bounded channels and rings, never in events.

mod capture;
mod chime;
mod device;
mod ear;
mod echo;
mod host;
mod level;
mod microphone;
mod playback;
mod question;
mod replay;
mod search;
mod speaker;
mod trial;
mod unheard;
mod voice;
mod volume;

use std::time::Duration;

use anyhow::{Context, Result};
use cpal::traits::DeviceTrait;
use crossbeam_channel::{Receiver, Sender, bounded, never, select};

use crate::clips::{Clips, Side};
use crate::event::{Event, Events};
use crate::language::t;
use crate::live::Live;
use crate::preferences::{Sound, Talking};
use device::Direction;
use ear::Ear;
pub(crate) use host::{Device, Devices};
pub(crate) use level::{Level, loudness};
use microphone::Microphone;
use speaker::Speaker;
pub(crate) use trial::Trial;
use trial::Trying;
use volume::Volume;

/// All devices that there are now. Takes a few milliseconds where a sound server runs.
pub(crate) fn devices() -> Devices {
    host::Host::default().devices()
}

/// How often open devices are looked after.
const POLL: Duration = Duration::from_millis(8);

/// What the window asks of the devices.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Order {
    /// Open the microphone for a turn.
    Listen {
        /// Turn.
        turn: u64,
        /// Whether what is heard is only kept, for a model that is on its way.
        aside: bool,
    },
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
    /// Use these devices and this volume from now on, also for what goes on.
    Use(Sound),
    /// Say which devices there are.
    List,
    /// Test a device.
    Try(Trial),
    /// End the test, if there is one.
    EndTrial,
    /// Open the microphone for the hands-free conversation of this number.
    OpenEar(u64, Talking),
    /// Other settings for it.
    TuneEar(Talking),
    /// Close it.
    CloseEar,
}

/// What the devices' thread tells about the devices themselves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Report {
    /// All devices that there are.
    Listed(Devices),
    /// This is tested now.
    Trying(Option<Trial>),
    /// Something to know: a sentence.
    Hint(String),
    /// Something went wrong outside a turn: a sentence.
    Fault(String),
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
pub(crate) fn start(events: Events, live: Live, level: Level, clips: Clips, sound: Sound) -> Result<Ends> {
    let (orders, orders_in) = bounded(64);
    let (hearing_out, hearing) = bounded(256);
    let (speech, speech_in) = bounded(64);
    // The canceller of the echo cannot be handed to another thread, so that all of it is made in its own.
    let desk = move || Desk {
        host: host::Host::default(),
        events,
        live,
        level,
        hearing: hearing_out,
        microphone: None,
        speaker: None,
        clips,
        speech_rate_hz: 0,
        volume: Volume::new(sound.volume),
        sound,
        missed: [None, None],
        trying: None,
        ear: None,
        overheard: Vec::new(),
    };
    std::thread::Builder::new()
        .name("audio".into())
        .spawn(move || desk().run(&orders_in, &speech_in))
        .context("cannot start the sound devices' thread")?;
    Ok(Ends { orders, hearing, speech })
}

struct Desk {
    host: host::Host,
    events: Events,
    live: Live,
    level: Level,
    hearing: Sender<Hearing>,
    microphone: Option<Microphone>,
    speaker: Option<Speaker>,
    clips: Clips,
    /// Rate of the speech that comes.
    speech_rate_hz: u32,
    volume: Volume,
    /// What the person chose.
    sound: Sound,
    /// The chosen microphone and speaker of which it was told that they are gone.
    missed: [Option<String>; 2],
    trying: Option<Trying>,
    /// The microphone of a hands-free conversation.
    ear: Option<Ear>,
    /// What it heard for the question.
    overheard: Vec<f32>,
}

impl Desk {
    fn run(&mut self, orders: &Receiver<Order>, speech: &Receiver<Speech>) {
        let nothing = never();
        loop {
            let busy = self.microphone.is_some()
                || self.speaker.is_some()
                || self.trying.is_some()
                || self.ear.is_some();
            let full = self.speaker.as_ref().is_some_and(Speaker::is_full);
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
            self.poll_trial();
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Listen { turn, aside } => {
                // Speech that this interrupts ends before the microphone takes its time to open.
                self.poll_speaker();
                self.end_trial(None);
                self.listen(turn, aside);
            }
            Order::Close { turn, keep } => self.end_question(turn, keep),
            Order::Replay { turn, of, side } => {
                self.end_trial(None);
                self.replay(turn, of, side);
            }
            Order::Use(sound) => self.choose(sound),
            Order::List => {
                let devices = self.host.devices();
                self.events.send(Event::Sound(Report::Listed(devices)));
            }
            Order::Try(trial) => self.begin_trial(trial),
            Order::EndTrial => self.end_trial(None),
            Order::OpenEar(number, talking) => self.open_ear(number, talking),
            Order::TuneEar(talking) => self.tune_ear(talking),
            Order::CloseEar => self.close_ear(),
        }
    }

    /// Uses other devices and another volume, also for what goes on.
    fn choose(&mut self, sound: Sound) {
        let old = std::mem::replace(&mut self.sound, sound);
        self.volume.set(self.sound.volume);
        if old.microphone != self.sound.microphone {
            self.change_microphone();
            self.change_ear();
        }
        if old.speaker != self.sound.speaker {
            self.change_speaker();
        }
        if (&old.microphone, &old.speaker) != (&self.sound.microphone, &self.sound.speaker) {
            self.end_trial(None);
        }
    }

    /// The chosen device, or the default where it is gone, and its name. That it is gone is told once.
    fn find(&mut self, direction: Direction) -> Result<(cpal::Device, String)> {
        let (chosen, missed) = match direction {
            Direction::In => (&self.sound.microphone, &mut self.missed[0]),
            Direction::Out => (&self.sound.speaker, &mut self.missed[1]),
        };
        let found = self.host.find(direction, chosen.as_deref())?;
        let name = found.device.description().map_or_else(|_| String::new(), |told| told.name().to_owned());
        if !found.instead {
            *missed = None;
        } else if missed != chosen {
            missed.clone_from(chosen);
            let told = match direction {
                Direction::In => {
                    t!("The chosen microphone is not there. %{name} is used instead.", name = name)
                }
                Direction::Out => {
                    t!("The chosen speaker is not there. %{name} is used instead.", name = name)
                }
            };
            self.events.send(Event::Sound(Report::Hint(told.into())));
        }
        Ok((found.device, name))
    }
}
