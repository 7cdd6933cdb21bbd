//! Giving an answer: the thinker writes, the talker follows, code2wav makes sound; one piece of work a call.

use std::time::Instant;

use super::Session;
use super::device::Device;
use super::hearing::{Reading, ms};
use super::speaker::Opening;
use super::writer::{Marks, Writer};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::event::{Ending, Event, Summary};
use crate::settings::Settings;
use crate::text::Decoder;

/// What comes next.
enum Stage {
    /// Lay out and encode what has not been read.
    Prepare,
    /// Read it.
    Read(Reading),
    /// Write and speak by turns.
    Write,
    /// The text is complete; speech goes on.
    Speak,
}

/// An answer as far as it is given.
pub(super) struct Answer {
    begun: Instant,
    settings: Settings,
    stage: Stage,
    writer: Writer,
    decoder: Decoder,
    /// Text tokens without the one that ended the answer.
    tokens: Vec<u32>,
    /// Rows read before the answer.
    prompt_rows: usize,
    /// The first spoken token, while the talker has not taken it.
    opening: Option<u32>,
    opened: bool,
    /// Whether the talker's turn is next.
    talker_next: bool,
    ending: Ending,
    samples: usize,
    /// Whether it is to a message composed for it, not to an earlier turn that waited.
    composed: bool,
}

impl Answer {
    pub(super) fn new(begun: Instant, settings: Settings, engine: &Engine, composed: bool) -> Answer {
        Answer {
            composed,
            begun,
            settings,
            stage: Stage::Prepare,
            writer: Writer::new(Marks::new(&engine.tokenizer), false),
            decoder: engine.tokenizer.decoder(false),
            tokens: Vec::new(),
            prompt_rows: 0,
            opening: None,
            opened: false,
            talker_next: false,
            ending: Ending::Stop,
            samples: 0,
        }
    }

    /// Whether the prompt has been read.
    fn is_written(&self) -> bool {
        matches!(self.stage, Stage::Write | Stage::Speak)
    }
}

impl Session {
    /// Does the next piece of work: one text token, one speech frame, or one stretch of the prompt. `None` when the
    /// answer is complete (after [`Event::Finished`]) or none was begun.
    ///
    /// # Errors
    /// The answer has failed and the user's message is dropped; what was said before stays and the session can go on. A cancel is
    /// no error: the answer ends with [`Ending::Cancelled`], what was written of it stays, and where nothing was, the user's
    /// message is dropped too.
    pub fn step(&mut self) -> Result<Option<Vec<Event>>> {
        let Some(mut answer) = self.answer.take() else { return Ok(None) };
        let mut events = Vec::new();
        match self.advance(&mut answer, &mut events) {
            Ok(()) if matches!(answer.stage, Stage::Speak) && !self.is_speaking(&answer) => {
                events.extend(self.finish(answer));
            }
            Ok(()) => self.answer = Some(answer),
            Err(Error::Cancelled) => {
                answer.ending = Ending::Cancelled;
                events.extend(self.finish(answer));
            }
            Err(error) => {
                if let Error::NotANumber(_) = error {
                    self.engine.give_up(&error);
                }
                self.abandon(answer);
                return Err(error);
            }
        }
        Ok(Some(events))
    }

    fn is_speaking(&self, answer: &Answer) -> bool {
        answer.opening.is_some() || answer.opened && self.speaker.as_ref().is_some_and(|s| s.is_speaking())
    }

    fn advance(&mut self, answer: &mut Answer, events: &mut Vec<Event>) -> Result<()> {
        match &mut answer.stage {
            Stage::Prepare => {
                let rendered = self.engine.render(&self.conversation.messages, &answer.settings, true)?;
                if rendered.trim_end().ends_with("<think>") {
                    answer.writer = Writer::new(Marks::new(&self.engine.tokenizer), true);
                }
                let reading = self.prepare(&rendered, &[])?;
                self.reader.begin_answer(&mut Device::of(&mut self.engine, &self.work))?;
                answer.stage = Stage::Read(reading);
                Ok(())
            }
            Stage::Read(reading) => {
                self.read_some(reading, true)?;
                if !reading.is_done() {
                    return Ok(());
                }
                if let Stage::Read(reading) = std::mem::replace(&mut answer.stage, Stage::Write) {
                    self.close(reading);
                }
                answer.prompt_rows = self.reader.mark().rows;
                let mark = self.mark();
                self.conversation.push_boundary(mark);
                let token = self.reader.token(&mut Device::of(&mut self.engine, &self.work))?;
                self.take_token(answer, token, events);
                Ok(())
            }
            Stage::Write => {
                let talker_next = std::mem::take(&mut answer.talker_next);
                if talker_next && self.can_speak(answer) {
                    return self.speak(answer, events);
                }
                let begun = Instant::now();
                let Engine { executor, model, .. } = &mut self.engine;
                let mut device = Device { executor, cancel: &self.work };
                let token = self.reader.step(&mut device, &model.thinker)?;
                self.timing.decode_ms += ms(begun);
                self.take_token(answer, token, events);
                Ok(())
            }
            Stage::Speak => self.speak(answer, events),
        }
    }

    fn can_speak(&self, answer: &Answer) -> bool {
        answer.opening.is_some() || answer.opened && self.speaker.as_ref().is_some_and(|s| s.is_ready())
    }

    /// Takes the next text token: tells of it, hands it to the talker, or ends the text.
    fn take_token(&mut self, answer: &mut Answer, token: u32, events: &mut Vec<Event>) {
        answer.talker_next = true;
        let mut ended = self.engine.stop_ids().contains(&token);
        if !ended {
            answer.tokens.push(token);
            self.timing.first_text_ms.get_or_insert_with(|| ms(answer.begun));
            let (own, event) = answer.writer.push(token);
            events.extend(event);
            if !answer.writer.is_mark(token) {
                events.extend(answer.writer.tell(answer.decoder.push(token)));
            }
            let full = self.reader.mark().rows + 1 >= self.engine.info().context_tokens;
            if answer.tokens.len() >= answer.settings.max_text_tokens || full {
                // The last token of an answer is never spoken; at a limit it is a real one.
                answer.ending = Ending::Limit;
                ended = true;
            } else if own && self.speaks(answer) {
                self.say(answer, Some(token));
            }
        }
        if ended {
            events.extend(answer.writer.tell(answer.decoder.finish()));
            self.timing.last_text_ms = Some(ms(answer.begun));
            answer.stage = Stage::Speak;
            self.say(answer, None);
        }
    }

    fn speaks(&self, answer: &Answer) -> bool {
        answer.settings.speech && self.speaker.is_some() && answer.settings.max_frames != Some(0)
    }

    /// Hands a token to the talker, or the end of the text.
    fn say(&mut self, answer: &mut Answer, token: Option<u32>) {
        let (Some(speaker), Some(config)) = (&mut self.speaker, self.engine.config.speech()) else { return };
        match token {
            Some(token) if !answer.opened => {
                answer.opened = true;
                answer.opening = Some(token);
            }
            _ => speaker.push_text(token, config),
        }
    }

    /// Opens the speech, or goes on by a frame.
    fn speak(&mut self, answer: &mut Answer, events: &mut Vec<Event>) -> Result<()> {
        let begun = Instant::now();
        let opening = match answer.opening {
            Some(first) => Some(Opening {
                role: self.engine.assistant_role()?,
                first,
                speaker: self.engine.speaker_id(answer.settings.voice.as_deref())?.unwrap_or_default(),
                max_frames: answer.settings.max_frames.unwrap_or(self.engine.max_frames()),
            }),
            None => None,
        };
        let Engine { executor, model, config, .. } = &mut self.engine;
        let mut device = Device { executor, cancel: &self.work };
        let (Some(speaker), Some(voice), Some(config)) = (&mut self.speaker, &model.voice, config.speech())
        else {
            return Ok(());
        };
        let embed_tokens = model.thinker.embed_tokens;
        if let Some(opening) = opening {
            speaker.begin(&mut device, voice, config, embed_tokens, opening)?;
            answer.opening = None;
        } else {
            speaker.step(&mut device, voice, config, embed_tokens)?;
        }
        self.timing.talker_ms += ms(begun);
        let begun = Instant::now();
        let samples = speaker.sound(&mut device, &voice.code2wav)?;
        self.timing.code2wav_ms += ms(begun);
        if !samples.is_empty() {
            self.timing.first_audio_ms.get_or_insert_with(|| ms(answer.begun));
            events.push(Event::Audio { samples: samples.len() });
            answer.samples += samples.len();
            self.samples.extend(samples);
        }
        Ok(())
    }

    /// Forgets a failed answer and the message that it was to.
    fn abandon(&mut self, answer: Answer) {
        let composed = answer.composed;
        self.drop_answer(answer);
        self.undo();
        if composed {
            self.conversation.drop_last_turn();
        }
    }

    /// Gives back what an answer holds.
    pub(super) fn drop_answer(&mut self, answer: Answer) {
        if let Stage::Read(reading) = answer.stage {
            self.close(reading);
        }
    }

    /// Ends the answer, however far it came: what was written stays in the conversation.
    fn finish(&mut self, mut answer: Answer) -> Option<Event> {
        let opened = answer.opened && answer.opening.is_none();
        let codes = self.speaker.as_ref().filter(|_| opened).map_or(Vec::new(), |s| s.frames().to_vec());
        self.timing.total_ms = ms(answer.begun);
        let summary = Summary {
            text: answer.writer.text().to_owned(),
            text_tokens: std::mem::take(&mut answer.tokens),
            codes,
            samples: answer.samples,
            ending: answer.ending,
            timing: self.timing,
        };
        if answer.is_written() {
            let fed = self.reader.mark().rows - answer.prompt_rows;
            let tokens = &summary.text_tokens;
            // A placeholder written by the model stands for nothing: read again, it would ask for sound or a picture.
            let media = self.engine.media_ids();
            let kept =
                |ids: &[u32]| ids.iter().copied().filter(|&id| !media.contains(id)).collect::<Vec<_>>();
            let written = self.engine.tokenizer.decode(&kept(tokens));
            self.conversation.answered(&written, kept(&tokens[fed.min(tokens.len())..]));
            self.before = None;
            let mark = self.mark();
            self.rewind(mark);
        } else {
            self.abandon(answer);
        }
        Some(Event::Finished(Box::new(summary)))
    }
}
