//! One conversation's timeline: what was said, what has been read, what is being answered.
//!
//! The thinker reads a turn as it comes (live speech while it is spoken), then writes a token a step; the talker follows it a
//! frame a step, and code2wav turns frames into sound. All work runs on the caller's thread, one piece a call.

mod answer;
mod conversation;
mod device;
mod hearing;
mod listener;
pub(crate) mod media;
pub(crate) mod prompt;
pub(crate) mod reader;
pub(crate) mod rehearsal;
pub(crate) mod speaker;
pub(crate) mod vocoder;
mod writer;

use std::time::Instant;

use answer::Answer;
use conversation::{Conversation, Read};
pub(crate) use device::Device;
use listener::Listener;
use reader::{Reader, ReaderMark};
use speaker::{Speaker, SpeakerMark, SpeechSampling};

use crate::cancel::Cancel;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::event::Timing;
use crate::kernels::sample;
use crate::message::{Content, Message, Role};
use crate::model::config::{Config, Sampling as Configured};
use crate::settings::{Sampling, Settings};

/// Everything that a session goes back to when work is undone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mark {
    reader: ReaderMark,
    speaker: SpeakerMark,
    /// Whether the tokens at this place belong to a user's turn.
    in_user: bool,
}

/// Where a session stands between two messages.
#[derive(Clone, Debug)]
struct Before {
    mark: Mark,
    read: Read,
}

/// One conversation on a loaded checkpoint.
///
/// Build the user's message with `push` and `push_audio`, start the answer with `respond`, then call `step` until it returns
/// `None`. All methods work on the calling thread; `cancel` gives a handle that stops them from another.
pub struct Session {
    engine: Engine,
    settings: Settings,
    cancel: Cancel,
    /// The signal as it stood when the work at hand began.
    work: Cancel,
    conversation: Conversation,
    reader: Reader,
    speaker: Option<Speaker>,
    in_user: bool,
    /// Parts of the message that is being composed.
    parts: Vec<Content>,
    /// Where the session stood before the message was begun.
    before: Option<Before>,
    listener: Option<Listener>,
    answer: Option<Answer>,
    timing: Timing,
    samples: Vec<f32>,
    /// Whether the samplers do not follow the settings yet.
    samplers_due: bool,
}

impl Session {
    /// An empty conversation.
    ///
    /// # Errors
    /// `Error::Input` for a voice that the checkpoint does not have or a setting out of range.
    pub fn new(mut engine: Engine, settings: Settings) -> Result<Session> {
        check(&settings, &engine)?;
        let cancel = Cancel::new();
        let mut device = Device { executor: &mut engine.executor, cancel: &cancel };
        let (text, speech) = sampling(&settings, &engine.generation, &engine.config)?;
        let reader = Reader::new(&mut device, &engine.model.thinker, text)?;
        let speaker = match &engine.model.voice {
            Some(voice) => Some(Speaker::new(&mut device, voice, speech)?),
            None => None,
        };
        let timing = Timing { load_ms: engine.info().load_ms, ..Timing::default() };
        Ok(Session {
            conversation: Conversation::new(settings.system.as_deref()),
            engine,
            settings,
            work: cancel.clone(),
            cancel,
            reader,
            speaker,
            in_user: false,
            parts: Vec::new(),
            before: None,
            listener: None,
            answer: None,
            timing,
            samples: Vec::new(),
            samplers_due: true,
        })
    }

    /// The loaded checkpoint.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The settings in force.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Replaces the settings; they hold from the next answer on. A new system text holds from the next `reset` on.
    ///
    /// # Errors
    /// As [`Session::new`]; the old settings stay.
    pub fn set_settings(&mut self, settings: Settings) -> Result<()> {
        check(&settings, &self.engine)?;
        self.settings = settings;
        self.samplers_due = true;
        Ok(())
    }

    /// Appends a whole earlier turn.
    ///
    /// # Errors
    /// `Error::Input` for media that the checkpoint cannot take, or while a message is being composed or answered;
    /// `Error::Context` for media that can never fit.
    pub fn push_message(&mut self, message: Message) -> Result<()> {
        if self.answer.is_some() || !self.parts.is_empty() || self.listener.is_some() {
            return Err(Error::Input(
                "finish or discard the message at hand before adding an earlier turn".into(),
            ));
        }
        message.content.iter().try_for_each(|content| self.require_fit(content))?;
        self.conversation.push(message);
        Ok(())
    }

    /// Appends a part to the user's message.
    ///
    /// # Errors
    /// `Error::Input` for media that the checkpoint cannot take, `Error::Context` when it can never fit: the part is left out. Where
    /// live speech before it cannot be read, the errors of [`Session::push_audio`], and the message is dropped.
    pub fn push(&mut self, content: Content) -> Result<()> {
        self.require_fit(&content)?;
        self.begin_message()?;
        if let Err(error) = self.end_clip() {
            self.discard();
            return Err(error);
        }
        self.parts.push(content);
        Ok(())
    }

    /// Drops the user's message as far as it was built. A message that is being answered is no longer built: cancel the answer.
    pub fn discard(&mut self) {
        if self.answer.is_some() {
            return;
        }
        self.parts.clear();
        self.listener = None;
        self.undo();
    }

    /// Forgets the last answer and the user's message that it was to. Returns the message's parts, so that they can be pushed again.
    /// `None`, and nothing is forgotten, while a message is being composed or answered, or where the conversation does not end with
    /// an answer to the user.
    pub fn take_back(&mut self) -> Option<Vec<Content>> {
        if self.answer.is_some() || self.before.is_some() {
            return None;
        }
        let (parts, mark) = self.conversation.take_back()?;
        self.rewind(mark);
        Some(parts)
    }

    /// Ends the user's message and begins the answer; `step` does the work.
    ///
    /// # Errors
    /// `Error::Input` for an empty message, and the errors of [`Session::push_audio`] where the end of live speech cannot be read;
    /// the message is dropped then.
    pub fn respond(&mut self) -> Result<()> {
        if self.answer.is_some() {
            return Err(Error::Input("an answer is being given; cancel it or step until it ends".into()));
        }
        let begun = Instant::now();
        let composed = self.begin_message().and_then(|()| self.end_clip());
        if let Err(error) = composed {
            self.discard();
            return Err(error);
        }
        let is_blank = |part: &Content| matches!(part, Content::Text(text) if text.trim().is_empty());
        if self.parts.iter().all(is_blank) {
            self.parts.clear();
            if !self.conversation.waits_for_answer() {
                self.discard();
                return Err(Error::Input("the message is empty: say or write something".into()));
            }
        }
        if let Err(error) = self.set_samplers() {
            self.discard();
            return Err(error);
        }
        let content = std::mem::take(&mut self.parts);
        let composed = !content.is_empty();
        if composed {
            self.conversation.push(Message::new(Role::User, content));
        }
        self.answer = Some(Answer::new(begun, self.settings.clone(), &self.engine, composed));
        Ok(())
    }

    /// Speech that is ready, at [`crate::Info::sample_rate_hz`], mono; each sample is given out once.
    pub fn take_samples(&mut self) -> Vec<f32> {
        std::mem::take(&mut self.samples)
    }

    /// Stops `push_audio` and `step` from another thread, within one kernel.
    pub fn cancel(&self) -> Cancel {
        self.cancel.clone()
    }

    /// Forgets the conversation, and an answer that is being given.
    ///
    /// # Errors
    /// Those of the device, when the samplers cannot be set anew; the conversation is forgotten even then.
    pub fn reset(&mut self) -> Result<()> {
        if let Some(answer) = self.answer.take() {
            self.drop_answer(answer);
        }
        self.listener = None;
        self.before = None;
        self.parts.clear();
        self.samples.clear();
        self.rewind(Mark::default());
        self.conversation = Conversation::new(self.settings.system.as_deref());
        self.samplers_due = true;
        self.set_samplers()
    }

    /// Makes the samplers follow the settings, with the random sequence at its start, unless they do.
    fn set_samplers(&mut self) -> Result<()> {
        // Without a model in place they stay due.
        if self.engine.fault().is_some() || !std::mem::take(&mut self.samplers_due) {
            return Ok(());
        }
        let (text, speech) = sampling(&self.settings, &self.engine.generation, &self.engine.config)?;
        let mut device = Device { executor: &mut self.engine.executor, cancel: &self.work };
        self.reader.set_sampling(&mut device, text, self.settings.seed)?;
        match &mut self.speaker {
            Some(speaker) => speaker.set_sampling(&mut device, speech, self.settings.seed),
            None => Ok(()),
        }
    }

    /// Makes a conversation whose device was lost, or whose model broke, work again: opens a device, loads the model anew, and has
    /// everything that was said read again with the next message. A message that is being built or answered is dropped. Does
    /// nothing without a fault. The next message does this by itself; a call only does it sooner. Blocks as [`Engine::load`].
    ///
    /// # Errors
    /// As [`Engine::load`]; what was said stays, and this can be tried again.
    pub fn rebuild(&mut self) -> Result<()> {
        if self.engine.fault().is_none() {
            return Ok(());
        }
        self.leave_device();
        self.engine.rebuild()?;
        let (text, speech) = sampling(&self.settings, &self.engine.generation, &self.engine.config)?;
        let Engine { executor, model, .. } = &mut self.engine;
        let mut device = Device { executor, cancel: &self.work };
        self.reader = Reader::new(&mut device, &model.thinker, text)?;
        self.speaker = match &model.voice {
            Some(voice) => Some(Speaker::new(&mut device, voice, speech)?),
            None => None,
        };
        self.timing.load_ms = self.engine.info().load_ms;
        Ok(())
    }

    /// Gives the memory of weights and caches back until the next message or [`Session::rebuild`], which loads the model anew and has
    /// everything that was said read again. A message that is being built or answered is dropped.
    ///
    /// # Errors
    /// `Error::Device` where the system gives no thread; the memory is given back at the next try.
    pub fn release(&mut self) -> Result<()> {
        self.leave_device();
        self.engine.release()
    }

    /// Holds nothing of the device any more; all of the conversation is to be read again.
    fn leave_device(&mut self) {
        self.answer = None;
        self.listener = None;
        self.before = None;
        self.parts.clear();
        self.conversation.read = Read::default();
        self.in_user = false;
        self.samplers_due = true;
        // Programs hold the device's memory.
        self.reader.forget_programs();
        self.speaker.iter_mut().for_each(Speaker::forget_programs);
    }

    /// Notes where the message begins, unless it has begun.
    fn begin_message(&mut self) -> Result<()> {
        if self.answer.is_some() {
            return Err(Error::Input("an answer is being given; cancel it or step until it ends".into()));
        }
        if self.before.is_none() {
            self.rebuild()?;
        }
        if self.before.is_none() {
            self.before = Some(Before { mark: self.mark(), read: self.conversation.read.clone() });
            self.work = self.cancel.renewed();
            self.timing = Timing { load_ms: self.timing.load_ms, ..Timing::default() };
        }
        Ok(())
    }

    /// Goes back to where the session stood before the message.
    fn undo(&mut self) {
        if let Some(before) = self.before.take() {
            self.conversation.read = before.read;
            self.rewind(before.mark);
        }
    }

    fn mark(&self) -> Mark {
        let speaker = self.speaker.as_ref().map(Speaker::mark).unwrap_or_default();
        Mark { reader: self.reader.mark(), speaker, in_user: self.in_user }
    }

    fn rewind(&mut self, mark: Mark) {
        self.reader.rewind(mark.reader);
        self.in_user = mark.in_user;
        if let Some(speaker) = self.speaker.as_mut().filter(|_| self.engine.fault().is_none()) {
            let mut device = Device { executor: &mut self.engine.executor, cancel: &self.work };
            speaker.rewind(&mut device, mark.speaker);
        }
    }
}

/// `Err` unless the checkpoint can do as `settings` say.
fn check(settings: &Settings, engine: &Engine) -> Result<()> {
    engine.speaker_id(settings.voice.as_deref())?;
    settings.system.iter().try_for_each(|text| engine.check_text(text))?;
    if settings.max_text_tokens == 0 {
        return Err(Error::Input("max_text_tokens is 0; an answer needs at least 1".into()));
    }
    sampling(settings, &engine.generation, &engine.config).map(drop)
}

/// How the stages sample under `settings`.
fn sampling(
    settings: &Settings,
    configured: &crate::model::config::GenerationConfig,
    config: &Config,
) -> Result<(sample::Params, SpeechSampling)> {
    let text = params(settings.text_sampling, &configured.thinker)?;
    let first = params(settings.speech_sampling, &configured.talker)?;
    let others = params(settings.residual_sampling, &configured.code_predictor)?;
    let allowed = match config {
        Config::Omni(omni) => omni.speech.as_ref().map(|s| (s.talker.num_codes(), s.talker.codec_eos_id)),
        Config::Dense(_) => None,
    };
    Ok((text, SpeechSampling { first: sample::Params { allowed, ..first }, others }))
}

fn params(chosen: Option<Sampling>, configured: &Configured) -> Result<sample::Params> {
    let s = chosen.unwrap_or(Sampling {
        temperature: if configured.do_sample { configured.temperature } else { 0.0 },
        top_k: configured.top_k,
        top_p: configured.top_p,
        repetition_penalty: None,
    });
    let penalty = s.repetition_penalty.unwrap_or(configured.repetition_penalty);
    let fits = |value: f32, range: std::ops::RangeInclusive<f32>| range.contains(&value);
    if !fits(s.temperature, 0.0..=100.0)
        || !fits(s.top_p, f32::MIN_POSITIVE..=1.0)
        || !fits(penalty, 0.01..=100.0)
    {
        return Err(Error::Input(format!(
            "sampling out of range: temperature must be 0 to 100, top_p above 0 and at most 1, repetition penalty 0.01 to 100; \
             found {}, {} and {}",
            s.temperature, s.top_p, penalty
        )));
    }
    Ok(sample::Params {
        temperature: s.temperature,
        top_k: s.top_k,
        top_p: s.top_p,
        repetition_penalty: penalty,
        allowed: None,
    })
}
