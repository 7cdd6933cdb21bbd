//! The one thread that owns an `engine::Session`: commands and heard sound come in, events and speech go out.
//!
//! Nothing here knows the window; a turn that is no longer alive is stopped, not judged.

use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use crossbeam_channel::{Receiver, Sender, bounded, select};
use engine::{Engine, Error, Host, Message, Options, Session, Settings};

use crate::audio::{Hearing, Speech};
use crate::cli::prompt::{self, Part};
use crate::event::{Event, Events};
use crate::language::t;
use crate::live::Live;
use crate::preferences;
use crate::record::Recorder;

/// As good as never.
const FOREVER: Duration = Duration::from_secs(1 << 31);
/// How long a step waits when the speech is far ahead of the speaker.
const AHEAD: Duration = Duration::from_millis(20);

/// What the window asks of the worker.
#[derive(Debug)]
pub(crate) enum Job {
    /// Load a model in place of the one that is there.
    Load(PathBuf),
    /// A spoken question begins; these parts come before it.
    Begin {
        /// Turn.
        turn: u64,
        /// Pictures and clips.
        parts: Vec<Part>,
    },
    /// Answer these parts.
    Ask {
        /// Turn.
        turn: u64,
        /// All of the question.
        parts: Vec<Part>,
    },
    /// Other settings from the next answer on.
    Settings(Box<Settings>),
    /// Forget the conversation.
    Reset,
    /// Forget the last answer and give another.
    Again {
        /// Turn.
        turn: u64,
    },
    /// The window has a new device: if the model lost the old one, place it there.
    Rebuild,
    /// Other options from the next load on.
    Options(Box<Options>),
    /// Go on with a conversation of these turns.
    Resume(Vec<prompt::Turn>),
    /// Load the model again whose memory was given back.
    Wake,
    /// Give the model's memory back whenever nothing was wanted of it for so long; never where `None`.
    FreeAfter(Option<Duration>),
}

/// What the worker needs from its start on.
pub(crate) struct Start {
    /// Where its reports go.
    pub(crate) events: Events,
    /// Which turn may be worked on.
    pub(crate) live: Live,
    /// Sound from the devices' thread.
    pub(crate) hearing: Receiver<Hearing>,
    /// Sound to it.
    pub(crate) speech: Sender<Speech>,
    /// For every model.
    pub(crate) options: Options,
    /// What the window lends every model.
    pub(crate) host: Host,
    /// For the first conversation.
    pub(crate) settings: Settings,
    /// Where questions are written, if anywhere.
    pub(crate) recorder: Option<Recorder>,
    /// As [`Job::FreeAfter`], from the start on.
    pub(crate) free_after: Option<Duration>,
    /// For tests: the device is lost with so many pieces of work after the first model is loaded.
    pub(crate) lose_device_after: Option<u64>,
    /// For tests: no model is loaded until there is such a file.
    pub(crate) load_after: Option<PathBuf>,
}

/// Starts the worker's thread. It ends when the sender is dropped.
///
/// # Errors
/// The system refuses a thread.
pub(crate) fn start(mut start: Start) -> Result<Sender<Job>> {
    let (jobs, jobs_in) = bounded(64);
    let events = start.events.clone();
    start.host.progress = Some(Arc::new(move |progress| events.send(Event::Placed(progress))));
    let mut worker = Worker { start, session: None, building: None, is_freed: false };
    std::thread::Builder::new()
        .name("engine".into())
        .spawn(move || worker.run(&jobs_in))
        .context("cannot start the engine's thread")?;
    Ok(jobs)
}

struct Worker {
    start: Start,
    session: Option<Session>,
    /// The turn whose question is being built.
    building: Option<u64>,
    /// The model's memory was given back; it is loaded again when something is wanted of it.
    is_freed: bool,
}

impl Worker {
    fn run(&mut self, jobs: &Receiver<Job>) {
        let hearing = self.start.hearing.clone();
        loop {
            select! {
                recv(jobs) -> job => match job {
                    Ok(job) => self.guard(|worker| worker.work(job, jobs)),
                    Err(_) => return,
                },
                recv(hearing) -> sound => {
                    let Ok(sound) = sound else { return };
                    // The job that began this sound's turn was sent before it, and must be done before it.
                    while let Ok(job) = jobs.try_recv() {
                        self.guard(|worker| worker.work(job, jobs));
                    }
                    self.guard(|worker| worker.hear(sound, jobs));
                }
                default(self.patience()) => self.guard(Worker::free),
            }
        }
    }

    /// A fault of the engine costs the model, not the program.
    fn guard(&mut self, work: impl FnOnce(&mut Worker)) {
        if std::panic::catch_unwind(AssertUnwindSafe(|| work(self))).is_err() {
            self.session = None;
            self.building = None;
            self.is_freed = false;
            let message =
                t!("The engine stopped by a fault of its own. Load the model again; the log says more.");
            self.start.events.send(Event::LoadFailed(message.into()));
        }
    }

    fn work(&mut self, job: Job, jobs: &Receiver<Job>) {
        match job {
            Job::Load(folder) => self.load(&folder),
            Job::Begin { turn, parts } => {
                self.try_turn(turn, |worker| worker.begin(turn, &parts));
            }
            Job::Ask { turn, parts } => {
                if self.try_turn(turn, |worker| worker.begin(turn, &parts)) {
                    self.respond(turn, jobs);
                }
            }
            Job::Settings(settings) => {
                self.start.settings = *settings.clone();
                if let Some(session) = &mut self.session
                    && let Err(error) = session.set_settings(*settings)
                {
                    self.start.events.send(Event::SettingsRefused(sentence(&error)));
                }
            }
            Job::Rebuild => self.rebuild(),
            Job::Options(options) => self.start.options = *options,
            Job::Resume(turns) => self.resume(&turns),
            Job::FreeAfter(time) => self.start.free_after = time,
            Job::Wake => {
                if let Err(error) = self.wake() {
                    self.start.events.send(Event::NotWoken(sentence(&error)));
                }
            }
            Job::Again { turn } => {
                if self.try_turn(turn, |worker| worker.again(turn)) {
                    self.respond(turn, jobs);
                }
            }
            Job::Reset => {
                if let Some(session) = &mut self.session {
                    match session.reset() {
                        Ok(()) => self.start.events.send(Event::Cleared),
                        Err(error) => self.start.events.send(Event::LoadFailed(sentence(&error))),
                    }
                }
                if let Some(recorder) = &mut self.start.recorder {
                    recorder.clear();
                }
            }
        }
    }

    fn load(&mut self, folder: &Path) {
        self.start.events.send(Event::Loading(folder.to_path_buf()));
        // The old model's memory is given back before the new one needs it.
        self.session = None;
        self.building = None;
        self.is_freed = false;
        while self.start.load_after.as_ref().is_some_and(|file| !file.exists()) {
            std::thread::sleep(AHEAD);
        }
        let loaded = Engine::load_with(folder, &self.start.options, &self.start.host)
            .and_then(|engine| {
                // A voice that was chosen for another model is no reason to refuse this one.
                let settings = &mut self.start.settings;
                settings.voice = preferences::voice(engine.info(), settings.voice.take());
                Session::new(engine, settings.clone())
            })
            .and_then(warm);
        match loaded {
            Ok(session) => {
                let info = session.engine().info().clone();
                tracing::info!(
                    model = info.name,
                    device = info.device,
                    load_ms = info.load_ms,
                    "model loaded"
                );
                if let Some(reason) = &info.fallback {
                    tracing::info!(reason, "no graphics processor is used");
                }
                if let Some(after) = self.start.lose_device_after.take() {
                    session.engine().lose_device_after(after);
                }
                let cancel = session.cancel();
                self.session = Some(session);
                self.start.events.send(Event::Loaded(Box::new(info), cancel));
            }
            // Another is wanted instead.
            Err(Error::Cancelled) => tracing::info!("loading was broken off"),
            Err(error) => {
                tracing::error!(%error, "the model cannot be loaded");
                self.start.events.send(Event::LoadFailed(sentence(&error)));
            }
        }
        if let Some(recorder) = &mut self.start.recorder {
            recorder.clear();
        }
    }

    /// Takes up a conversation that was kept. What is gone of it, such as a picture's file, is left out.
    fn resume(&mut self, turns: &[prompt::Turn]) {
        self.building = None;
        let Some(session) = &mut self.session else { return };
        let resumed = session.reset().and_then(|()| {
            turns.iter().try_for_each(|turn| {
                let content = turn.parts.iter().filter_map(|part| part.open(None).ok()).collect();
                session.push_message(Message::new(turn.role, content))
            })
        });
        if let Err(error) = resumed {
            let reason = sentence(&error);
            let message = format!("{} {reason}", t!("The model cannot take up this conversation whole."));
            self.start.events.send(Event::NotKept(message));
        }
        if let Some(recorder) = &mut self.start.recorder {
            recorder.clear();
        }
    }

    /// How long nothing may be wanted of the model until its memory is given back.
    fn patience(&self) -> Duration {
        let is_idle = self.session.is_some() && self.building.is_none() && !self.is_freed;
        self.start.free_after.filter(|_| is_idle).unwrap_or(FOREVER)
    }

    /// Gives the model's memory back. The conversation stays.
    fn free(&mut self) {
        let Some(session) = self.session.as_mut().filter(|_| self.start.free_after.is_some()) else { return };
        match session.release() {
            Ok(()) => {
                tracing::info!("the model's memory is given back");
                self.is_freed = true;
                self.start.events.send(Event::Freed);
            }
            Err(error) => tracing::warn!(%error, "the model's memory cannot be given back"),
        }
    }

    /// Loads the model again whose memory was given back.
    fn wake(&mut self) -> engine::Result<()> {
        let Some(session) = self.session.as_mut().filter(|_| self.is_freed) else { return Ok(()) };
        self.start.events.send(Event::Waking);
        session.rebuild()?;
        session.warm_up()?;
        self.is_freed = false;
        let info = session.engine().info().clone();
        tracing::info!(device = info.device, load_ms = info.load_ms, "model loaded again");
        self.start.events.send(Event::Rebuilt(Box::new(info)));
        Ok(())
    }

    /// Places a model anew whose device was lost. The conversation goes on.
    fn rebuild(&mut self) {
        let Some(session) = self.session.as_mut().filter(|_| !self.is_freed) else { return };
        let Some(reason) = session.engine().fault() else { return };
        tracing::warn!(reason, "the model is loaded anew");
        self.building = None;
        self.start.events.send(Event::Rebuilding);
        match session.rebuild().and_then(|()| session.warm_up()) {
            Ok(()) => {
                let info = session.engine().info().clone();
                tracing::info!(device = info.device, load_ms = info.load_ms, "model rebuilt");
                self.start.events.send(Event::Rebuilt(Box::new(info)));
            }
            Err(error) => self.start.events.send(Event::LoadFailed(sentence(&error))),
        }
    }

    /// Does a piece of a turn's work. A failure ends the turn; its question is forgotten.
    fn try_turn(&mut self, turn: u64, work: impl FnOnce(&mut Worker) -> engine::Result<()>) -> bool {
        let Err(error) = work(self) else { return true };
        self.building = None;
        if let Some(session) = &mut self.session {
            session.discard();
        }
        if !matches!(error, Error::Cancelled) {
            tracing::warn!(turn, %error, "turn failed");
            self.start.events.send(Event::Failed { turn, message: sentence(&error) });
        }
        // A window whose device was lost opens another, and asks then.
        if self.start.host.device.as_ref().is_none_or(|device| device.loss().is_none()) {
            self.rebuild();
        }
        false
    }

    fn begin(&mut self, turn: u64, parts: &[Part]) -> engine::Result<()> {
        self.wake()?;
        let Some(session) = &mut self.session else { return Ok(()) };
        if self.building.replace(turn).is_some() {
            session.discard();
        }
        if let Some(recorder) = &mut self.start.recorder {
            recorder.begin(turn, parts);
        }
        parts.iter().try_for_each(|part| session.push(part.open(None)?))
    }

    /// Asks the last question again.
    fn again(&mut self, turn: u64) -> engine::Result<()> {
        self.wake()?;
        let Some(session) = &mut self.session else { return Ok(()) };
        let Some(parts) = session.take_back() else {
            return Err(Error::Input(
                "there is no answer to give anew; edit the question and send it again".into(),
            ));
        };
        self.building = Some(turn);
        if let Some(recorder) = &mut self.start.recorder {
            recorder.begin_again(turn);
        }
        parts.into_iter().try_for_each(|part| session.push(part))
    }

    fn hear(&mut self, sound: Hearing, jobs: &Receiver<Job>) {
        let (Hearing::Block { turn, .. } | Hearing::End { turn, .. }) = sound;
        if self.building != Some(turn) {
            return;
        }
        match sound {
            Hearing::Block { samples, .. } => {
                if let Some(recorder) = &mut self.start.recorder {
                    recorder.hear(&samples);
                }
                self.try_turn(turn, |worker| match &mut worker.session {
                    Some(session) => session.push_audio(&samples),
                    None => Ok(()),
                });
            }
            Hearing::End { keep: true, .. } => self.respond(turn, jobs),
            Hearing::End { keep: false, .. } => {
                self.building = None;
                if let Some(session) = &mut self.session {
                    session.discard();
                }
            }
        }
    }

    fn respond(&mut self, turn: u64, jobs: &Receiver<Job>) {
        self.building = None;
        let Some(session) = &mut self.session else { return };
        if !self.start.live.is(turn) {
            return session.discard();
        }
        if let Some(recorder) = &mut self.start.recorder {
            recorder.asked(&self.start.settings);
        }
        let answer = Answer { turn, start: &mut self.start, session, jobs, speaking: false };
        let mut later = Vec::new();
        let result = answer.run(&mut later);
        self.try_turn(turn, |_| result);
        for job in later {
            self.work(job, jobs);
        }
    }
}

/// Has everything ready that a turn takes.
fn warm(mut session: Session) -> engine::Result<Session> {
    let begun = Instant::now();
    session.warm_up()?;
    tracing::info!(ms = begun.elapsed().as_secs_f64() * 1e3, "pipelines made");
    Ok(session)
}

/// One answer while it is being made.
struct Answer<'a> {
    turn: u64,
    start: &'a mut Start,
    session: &'a mut Session,
    jobs: &'a Receiver<Job>,
    speaking: bool,
}

impl Answer<'_> {
    /// Works until the answer ends. Jobs that come meanwhile are kept for later; each of them that needs the session
    /// comes with a new turn, so that this one soon ends.
    fn run(mut self, later: &mut Vec<Job>) -> engine::Result<()> {
        let turn = self.turn;
        let info = self.session.engine().info();
        if self.start.settings.speech && !info.voices.is_empty() {
            let rate_hz = info.sample_rate_hz;
            self.speak(Speech::Begin { turn, rate_hz });
            self.speaking = true;
        }
        let result = self.steps(later);
        if self.speaking {
            self.speak(Speech::End { turn });
        }
        result
    }

    fn steps(&mut self, later: &mut Vec<Job>) -> engine::Result<()> {
        let cancel = self.session.cancel();
        self.session.respond()?;
        loop {
            later.extend(self.jobs.try_iter());
            if !self.start.live.is(self.turn) {
                cancel.fire();
            } else if self.start.speech.is_full() {
                std::thread::sleep(AHEAD);
                continue;
            }
            let Some(events) = self.session.step()? else { return Ok(()) };
            for event in events {
                self.tell(event);
            }
        }
    }

    fn tell(&mut self, event: engine::Event) {
        let turn = self.turn;
        let event = match event {
            engine::Event::Audio { .. } => return self.speak_samples(),
            engine::Event::Text(piece) => Event::Text { turn, piece },
            engine::Event::Reasoning(piece) => Event::Reasoning { turn, piece },
            engine::Event::ToolCall(call) => Event::ToolCall { turn, call },
            engine::Event::Finished(summary) => {
                self.speak_samples();
                if let Some(recorder) = &mut self.start.recorder {
                    recorder.answered(&summary);
                }
                Event::Written { turn, summary }
            }
        };
        self.start.events.send(event);
    }

    fn speak_samples(&mut self) {
        let samples = self.session.take_samples();
        if self.speaking && !samples.is_empty() && self.start.live.is(self.turn) {
            self.speak(Speech::Block { turn: self.turn, samples });
        }
    }

    fn speak(&self, speech: Speech) {
        // Devices that are gone take no speech any more.
        let _ = self.start.speech.send(speech);
    }
}

/// The engine's error as a sentence that begins and ends like one.
fn sentence(error: &Error) -> String {
    let text = error.to_string();
    let mut letters = text.chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    let end = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{end}", letters.as_str())
}

#[cfg(test)]
mod tests;
