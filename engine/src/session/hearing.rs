//! Reading what the user gives: tokens into thinker and talker, live speech while it is spoken. Not the encoders: see `media`.

use std::time::Instant;

use super::conversation::part;
use super::device::Device;
use super::listener::Listener;
use super::prompt::{Encoded, Prompt};
use super::speaker::Stretch;
use super::{Before, Session};
use crate::audio::Audio;
use crate::engine::{Engine, ROWS_AT_ONCE};
use crate::error::{Error, Result};
use crate::message::Content;
use crate::model::positions::Walk;
use crate::recording::Buffer;

/// A prompt that is being read.
#[derive(Debug)]
pub(super) struct Reading {
    prompt: Prompt,
    /// The talker's part of it: which tokens belong to user turns, their positions in its own sequence, and where its walk
    /// stands after them.
    in_user: Vec<bool>,
    user_positions: Vec<[f32; 3]>,
    user_walk: Walk,
    done: usize,
    /// Rows of the encoders, to be freed with the reading.
    owned: Vec<Buffer>,
}

impl Reading {
    pub(super) fn is_done(&self) -> bool {
        self.done == self.prompt.ids.len()
    }
}

impl Session {
    /// Appends live speech, mono at 16 kHz, to the user's message; what is complete is encoded and read at once.
    ///
    /// # Errors
    /// As [`Session::push`], and `Error::Cancelled`; the message is dropped then.
    pub fn push_audio(&mut self, samples: &[f32]) -> Result<()> {
        self.begin_message()?;
        let heard = self.hear(samples);
        if heard.is_err() {
            self.discard();
        }
        heard
    }

    fn hear(&mut self, samples: &[f32]) -> Result<()> {
        self.engine.audio_encoder()?;
        let mut listener = match self.listener.take() {
            Some(listener) => listener,
            None => {
                let listener = Listener::new(&self.engine.mel_config())?;
                self.read_to_clip()?;
                listener
            }
        };
        let begun = Instant::now();
        listener.push(samples)?;
        self.timing.mel_ms += ms(begun);
        let window = self.engine.audio_encoder()?.window_frames();
        while let Some(frames) = listener.next_window(window) {
            self.read_stretch(&mut listener, frames)?;
        }
        self.listener = Some(listener);
        Ok(())
    }

    /// Ends the live clip, if there is one: reads what is left of it.
    pub(super) fn end_clip(&mut self) -> Result<()> {
        let Some(mut listener) = self.listener.take() else { return Ok(()) };
        let begun = Instant::now();
        listener.finish()?;
        self.timing.mel_ms += ms(begun);
        let window = self.engine.audio_encoder()?.window_frames();
        if let Some(mark) = listener.outdated() {
            self.rewind(mark);
        }
        while let Some(frames) = listener.next_window(window) {
            self.read_stretch(&mut listener, frames)?;
        }
        let rest = listener.rest();
        if !rest.is_empty() {
            self.read_stretch(&mut listener, rest)?;
        }
        let pad = self.engine.token_text(self.engine.tokens()?.audio);
        self.conversation.read.text.push_str(&pad);
        self.conversation.read.media += 1;
        self.parts.push(Content::Audio(Audio { samples: listener.into_samples() }));
        Ok(())
    }

    /// Reads everything before the live clip, as soon as it begins: that need not wait until it ends.
    fn read_to_clip(&mut self) -> Result<()> {
        let mut parts: Vec<_> = self.parts.iter().map(part).collect();
        parts.push(serde_json::json!({"type": "audio", "audio": ""}));
        let mut messages = self.conversation.messages.clone();
        messages.push(serde_json::json!({"role": "user", "content": parts}));
        let rendered = self.engine.render(&messages, &self.settings, false)?;
        let pad = self.engine.token_text(self.engine.tokens()?.audio);
        let Some(end) = rendered.rfind(&pad) else {
            return Err(Error::Input(
                "the checkpoint's chat template leaves sound out; it cannot be spoken to".into(),
            ));
        };
        let media = self.parts.iter().filter(|p| !matches!(p, Content::Text(_))).cloned().collect::<Vec<_>>();
        let reading = self.prepare(&rendered[..end], &media)?;
        self.read_all(reading)
    }

    /// Encodes and reads a stretch of the live clip.
    fn read_stretch(&mut self, listener: &mut Listener, frames: std::ops::Range<usize>) -> Result<()> {
        self.require_room(self.engine.audio_encoder()?.tokens(frames.len()))?;
        let before = self.mark();
        let rows = self.encode_clip(listener.stream(), frames.clone())?;
        let reading = self.placed(Prompt::speech(self.engine.media_ids().audio, rows));
        let read = self.read_all(reading);
        self.free(vec![rows]);
        read?;
        listener.read(frames, before);
        self.let_talker_read()
    }

    fn read_all(&mut self, mut reading: Reading) -> Result<()> {
        let mut read = Ok(());
        while read.is_ok() && !reading.is_done() {
            read = self.read_some(&mut reading, false);
        }
        self.close(reading);
        read
    }

    /// Gives back the encoders' rows of a prompt.
    pub(super) fn close(&mut self, reading: Reading) {
        self.free(reading.owned);
    }

    pub(super) fn free(&mut self, buffers: Vec<Buffer>) {
        let memory = self.engine.executor.memory();
        buffers.into_iter().for_each(|buffer| memory.free(buffer));
    }

    /// The talker reads along, where answers are spoken.
    pub(super) fn let_talker_read(&mut self) -> Result<()> {
        let begun = Instant::now();
        let Engine { executor, model, .. } = &mut self.engine;
        if let (Some(voice), Some(speaker), true) = (&model.voice, &mut self.speaker, self.settings.speech) {
            let mut device = Device { executor, cancel: &self.work };
            speaker.read(&mut device, &voice.talker, model.thinker.embed_tokens)?;
        }
        self.timing.prefill_ms += ms(begun);
        Ok(())
    }

    /// What of `rendered` has not been read, as a prompt. `extra` are media that stand after those of the conversation. Goes back
    /// where the template renders earlier turns in another way now. The text then counts as read.
    pub(super) fn prepare(&mut self, rendered: &str, extra: &[Content]) -> Result<Reading> {
        if let Some(mark) = self.conversation.align(rendered) {
            self.rewind(mark.clone());
            // What was given up cannot be gone back to.
            self.before = self.before.as_ref().map(|_| Before { mark, read: self.conversation.read.clone() });
        }
        let ids = self.engine.tokenizer.encode(&rendered[self.conversation.read.text.len()..])?;
        let media: Vec<Content> =
            self.conversation.media.iter().chain(extra).skip(self.conversation.read.media).cloned().collect();
        // Before anything is encoded: a clip or picture that does not fit must not cost its encoding.
        let unfed = self.conversation.read.unfed.len();
        let placeholders = ids.len() + unfed - media.len().min(ids.len());
        let needed = media.iter().try_fold(placeholders, |sum, content| {
            Ok::<_, Error>(sum + self.engine.media_tokens(content)?)
        })?;
        self.require_room(needed)?;
        let mut encoded = Vec::new();
        let prompt = media.iter().try_for_each(|content| {
            encoded.push(self.encode(content)?);
            Ok(())
        });
        let prompt = prompt.and_then(|()| match self.engine.tokens() {
            Ok(tokens) => Prompt::expand(&ids, tokens, &encoded),
            Err(_) => Ok(Prompt::text(ids)),
        });
        let owned = encoded.iter().flat_map(Encoded::buffers).collect();
        let mut prompt = match prompt {
            Ok(prompt) => prompt,
            Err(error) => {
                self.free(owned);
                return Err(error);
            }
        };
        prompt.prepend(&self.conversation.read.unfed);
        let reading = Reading { owned, ..self.placed(prompt) };
        let read = &mut self.conversation.read;
        read.unfed.clear();
        read.text = rendered.to_owned();
        read.media += media.len();
        Ok(reading)
    }

    /// `Err` unless `more` tokens fit after those read.
    pub(super) fn require_room(&self, more: usize) -> Result<()> {
        let (needed, limit) = (self.reader.mark().rows + more, self.engine.info().context_tokens);
        if needed > limit { Err(Error::Context { needed, limit }) } else { Ok(()) }
    }

    /// Gives a prompt its positions, the thinker's and the talker's.
    fn placed(&mut self, mut prompt: Prompt) -> Reading {
        let media = self.engine.media_ids();
        prompt.place(self.reader.mark().walk, media);
        let in_user = match self.engine.tokens() {
            Ok(tokens) => prompt.user_tokens(tokens, &mut self.in_user),
            Err(_) => vec![false; prompt.ids.len()],
        };
        let mut user_walk = self.speaker.as_ref().map(|s| s.mark().walk).unwrap_or_default();
        let user_positions = prompt.walk_kept(&in_user, &mut user_walk, media);
        Reading { prompt, in_user, user_positions, user_walk, done: 0, owned: Vec::new() }
    }

    /// Reads the next rows of a prompt; the last of them sample the first token of the answer where `then_sample`.
    pub(super) fn read_some(&mut self, reading: &mut Reading, then_sample: bool) -> Result<()> {
        let begun = Instant::now();
        let (start, end) = (reading.done, reading.prompt.ids.len().min(reading.done + ROWS_AT_ONCE));
        let last = end == reading.prompt.ids.len();
        let Engine { executor, model, .. } = &mut self.engine;
        let mut device = Device { executor, cancel: &self.work };
        let accept = self.speaker.is_some();
        let accepted = self.reader.read(
            &mut device,
            &model.thinker,
            &reading.prompt,
            start..end,
            accept,
            then_sample && last,
        )?;
        reading.done = end;
        if let Some(speaker) = &mut self.speaker {
            // Index of a token among those of user turns, counted from the start of this stretch.
            let before = reading.in_user[..start].iter().filter(|u| **u).count();
            let index = |at: u32| reading.in_user[start..at as usize].iter().filter(|u| **u).count() as u32;
            let ids: Vec<u32> =
                (start..end).filter(|&i| reading.in_user[i]).map(|i| reading.prompt.ids[i]).collect();
            let positions = reading.user_positions[before..before + ids.len()].to_vec();
            let (mut media, others): (Vec<_>, Vec<_>) = accepted
                .into_iter()
                .partition(|m| m.at.first().is_some_and(|&at| reading.in_user[at as usize]));
            media.iter_mut().flat_map(|m| &mut m.at).for_each(|at| *at = index(*at));
            if !ids.is_empty() {
                speaker.push(Stretch { ids, positions, media }, reading.user_walk);
            }
            self.free(others.into_iter().map(|m| m.rows).collect());
        }
        self.timing.prefill_ms += ms(begun);
        Ok(())
    }
}

/// Milliseconds since `begun`.
pub(super) fn ms(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1e3
}
