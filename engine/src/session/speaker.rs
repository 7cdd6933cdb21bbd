//! The talker's side of a session: user turns read along with the thinker, then an answer spoken frame by frame.
//!
//! A frame's codes come from the code predictor; the talker then takes them together with the next text token and samples the
//! first code of the following frame. Where that token does not exist yet, it waits.

use std::collections::VecDeque;

use super::device::Device;
use super::reader::Accepted;
use super::vocoder::Vocoder;
use crate::error::{Error, Result};
use crate::executor::Program;
use crate::kernels::{advance, copy, embedding, sample};
use crate::layers::cache::Cache;
use crate::model::Voice;
use crate::model::code2wav::Code2Wav;
use crate::model::config::SpeechConfig;
use crate::model::positions::Walk;
use crate::model::talker::Talker;
use crate::recording::{Buffer, Recording};
use crate::shape::Element;

/// Rows that a fresh cache holds.
const FIRST_ROWS: usize = 512;

/// A stretch of user turns that the thinker has read and the talker has not.
#[derive(Clone, Debug)]
pub(crate) struct Stretch {
    pub(crate) ids: Vec<u32>,
    /// In the talker's own sequence.
    pub(crate) positions: Vec<[f32; 3]>,
    pub(crate) media: Vec<Accepted>,
}

/// How far the user turns go.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SpeakerMark {
    /// Rows read and rows pending.
    rows: usize,
    pub(crate) walk: Walk,
}

/// How the codes are chosen.
#[derive(Clone, Debug)]
pub(crate) struct SpeechSampling {
    pub(crate) first: sample::Params,
    pub(crate) others: sample::Params,
}

/// What an answer needs to be told apart from others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opening {
    /// `<|im_start|>`, `assistant` and the line break.
    pub(crate) role: [u32; 3],
    /// The first text token.
    pub(crate) first: u32,
    pub(crate) speaker: u32,
    /// Most frames.
    pub(crate) max_frames: usize,
}

/// What the next step of an utterance is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Next {
    /// The code predictor completes the frame.
    Predict,
    /// The talker takes the frame and the next text token.
    Talk,
    /// Nothing: the speech is complete.
    Done,
}

/// An answer as far as it is spoken.
#[derive(Debug)]
struct Utterance {
    /// Text tokens that wait to be spoken.
    text: VecDeque<u32>,
    text_ended: bool,
    next: Next,
    frames: Vec<Vec<u32>>,
    /// Frames that code2wav has taken.
    decoded: usize,
    max_frames: usize,
}

/// Caches, positions and samplers of talker and code predictor.
pub(crate) struct Speaker {
    cache: Cache,
    /// Rows of user turns in the cache.
    rows: usize,
    /// User turns, read and pending.
    mark: SpeakerMark,
    pending: Vec<Stretch>,
    predictor_cache: Cache,
    first: sample::State,
    /// The first code that was sampled last.
    first_code: u32,
    others: Vec<sample::State>,
    sampling: SpeechSampling,
    /// The talker's last normalised row, `[1, hidden]`.
    talker_row: Buffer,
    /// Sum of the frame's code embeddings, `[1, hidden]`.
    code_row: Buffer,
    text_token: Buffer,
    position: Buffer,
    /// Predicts a frame; talks; both in one.
    predict: Option<Program>,
    talk: Option<Program>,
    frame: Option<Program>,
    vocoder: Vocoder,
    utterance: Option<Utterance>,
    tapped: bool,
}

impl Speaker {
    /// Frames that code2wav is given at once when speech is under way.
    pub(crate) const FRAMES_AT_ONCE: usize = 4;

    /// Nothing read, nothing spoken.
    pub(crate) fn new(device: &mut Device<'_>, voice: &Voice, sampling: SpeechSampling) -> Result<Speaker> {
        let (vocabulary, hidden) = (voice.talker.codec_embedding.rows(), voice.talker.codec_embedding.row());
        let memory = device.memory();
        let codes = memory.allocate([voice.code_predictor.codes(), 1].into(), Element::U32)?;
        let rng = memory.allocate([sample::State::RNG].into(), Element::U32)?;
        let others = (0..voice.code_predictor.codes())
            .map(|i| sample::State { token: codes.slice_rows(i, 1).reshape([1]), rng, seen: None })
            .collect();
        let first = sample::State {
            token: memory.allocate([1].into(), Element::U32)?,
            rng: memory.allocate([sample::State::RNG].into(), Element::U32)?,
            seen: Some(memory.allocate([vocabulary].into(), Element::U32)?),
        };
        Ok(Speaker {
            cache: voice.talker.decoder.cache(memory, FIRST_ROWS)?,
            rows: 0,
            mark: SpeakerMark::default(),
            pending: Vec::new(),
            predictor_cache: voice.code_predictor.cache(memory)?,
            first,
            first_code: 0,
            others,
            sampling,
            talker_row: memory.allocate([1, hidden].into(), Element::F32)?,
            code_row: memory.allocate([1, hidden].into(), Element::F32)?,
            text_token: memory.allocate([1].into(), Element::U32)?,
            position: memory.allocate([3, 1].into(), Element::F32)?,
            predict: None,
            talk: None,
            frame: None,
            vocoder: Vocoder::new(memory, &voice.code2wav)?,
            utterance: None,
            tapped: false,
        })
    }

    /// Replaces the sampling; `seed` starts the random sequences anew.
    pub(crate) fn set_sampling(
        &mut self,
        device: &mut Device<'_>,
        sampling: SpeechSampling,
        seed: u64,
    ) -> Result<()> {
        self.sampling = sampling;
        self.forget_programs();
        for (state, stream) in [(Some(&self.first), 1), (self.others.first(), 2)] {
            let seed = seed.wrapping_add(stream);
            if let Some(state) = state {
                device.memory().write_u32(state.rng, &[seed as u32, (seed >> 32) as u32, 0, 0])?;
            }
        }
        Ok(())
    }

    /// Keeps the taps of what it runs from now on.
    pub(crate) fn tap(&mut self) {
        self.tapped = true;
        self.forget_programs();
    }

    /// Gives up what was made ready to run.
    pub(crate) fn forget_programs(&mut self) {
        self.predict = None;
        self.vocoder.forget_programs();
        self.forget_talk();
    }

    /// Gives the memory back.
    pub(crate) fn free(mut self, device: &mut Device<'_>) {
        self.rewind(device, SpeakerMark::default());
        let memory = device.memory();
        self.cache.free(memory);
        self.predictor_cache.free(memory);
        self.vocoder.free(memory);
        let rest = [
            self.first.token,
            self.first.rng,
            self.talker_row,
            self.code_row,
            self.text_token,
            self.position,
        ];
        let others = self.others.first().map(|other| [other.token, other.rng]);
        let all = rest.into_iter().chain(self.first.seen).chain(others.into_iter().flatten());
        all.for_each(|buffer| memory.free(buffer));
    }

    /// How far the user turns go.
    pub(crate) fn mark(&self) -> SpeakerMark {
        self.mark
    }

    /// Takes note of a stretch of user turns; `walk` is where the talker's own walk stands after it.
    pub(crate) fn push(&mut self, stretch: Stretch, walk: Walk) {
        self.mark = SpeakerMark { rows: self.mark.rows + stretch.ids.len(), walk };
        self.pending.push(stretch);
    }

    /// Forgets the user turns after `mark`, and what was being spoken.
    pub(crate) fn rewind(&mut self, device: &mut Device<'_>, mark: SpeakerMark) {
        self.utterance = None;
        self.rows = self.rows.min(mark.rows);
        let mut left = mark.rows - self.rows;
        self.pending.retain(|stretch| {
            let keep = stretch.ids.len() <= left;
            left = if keep { left - stretch.ids.len() } else { 0 };
            if !keep {
                stretch.media.iter().for_each(|m| device.memory().free(m.rows));
            }
            keep
        });
        self.mark = mark;
    }

    /// Reads the user turns that are pending.
    pub(crate) fn read(
        &mut self,
        device: &mut Device<'_>,
        talker: &Talker,
        embed_tokens: Buffer,
    ) -> Result<()> {
        while let Some(rows) = self.pending.first().map(|stretch| stretch.ids.len()) {
            if device.reserve(&mut self.cache, self.rows + rows)? {
                self.forget_talk();
            }
            let stretch = &self.pending[0];
            self.cache.set_past(device.memory(), self.rows)?;
            let mut rec = Recording::tapped_if(self.tapped);
            let media: Vec<_> = stretch.media.iter().map(|m| (m.at.clone(), m.rows)).collect();
            let x = talker.user_rows(&mut rec, &stretch.ids, &media, embed_tokens)?;
            let positions = constant_positions(&mut rec, &stretch.positions);
            talker.record(&mut rec, x, positions, &self.cache)?;
            device.run_once(rec)?;
            self.rows += rows;
            let stretch = self.pending.remove(0);
            stretch.media.into_iter().for_each(|m| device.memory().free(m.rows));
        }
        Ok(())
    }

    /// Whether an answer is being spoken.
    pub(crate) fn is_speaking(&self) -> bool {
        self.utterance.as_ref().is_some_and(|u| u.next != Next::Done || u.decoded < u.frames.len())
    }

    /// Reads what is pending and opens an answer.
    pub(crate) fn begin(
        &mut self,
        device: &mut Device<'_>,
        voice: &Voice,
        config: &SpeechConfig,
        embed_tokens: Buffer,
        opening: Opening,
    ) -> Result<()> {
        let talker = &voice.talker;
        self.read(device, talker, embed_tokens)?;
        if device.reserve(&mut self.cache, self.rows + Talker::OPENING_ROWS)? {
            self.forget_talk();
        }
        self.cache.set_past(device.memory(), self.rows)?;
        if let Some(seen) = self.first.seen {
            device.memory().write_u32(seen, &vec![0; seen.shape.len()])?;
        }
        let mut rec = Recording::tapped_if(self.tapped);
        let x = talker.opening_rows(
            &mut rec,
            opening.role,
            opening.first,
            opening.speaker,
            config,
            embed_tokens,
        )?;
        let next = self.mark.walk.next;
        let places: Vec<[f32; 3]> = (0..Talker::OPENING_ROWS).map(|i| [next + i as f32; 3]).collect();
        let positions = constant_positions(&mut rec, &places);
        let normed = talker.record(&mut rec, x, positions, &self.cache)?;
        self.record_choice(&mut rec, talker, normed.slice_rows(Talker::OPENING_ROWS - 1, 1))?;
        let mut program = device.prepare(rec)?;
        let first = device.run_fetching(&mut program, &[self.first.token])?;
        device.memory().write_f32(self.position, &[next + Talker::OPENING_ROWS as f32; 3])?;
        self.vocoder.reset(device.memory(), &voice.code2wav)?;
        self.first_code = device.executor.collect(first)?.first().copied().unwrap_or_default();
        let ended = self.first_code == talker.config.codec_eos_id || opening.max_frames == 0;
        self.utterance = Some(Utterance {
            text: VecDeque::new(),
            text_ended: false,
            next: if ended { Next::Done } else { Next::Predict },
            frames: Vec::new(),
            decoded: 0,
            max_frames: opening.max_frames,
        });
        Ok(())
    }

    /// Another text token to speak; `None` when there are no more.
    pub(crate) fn push_text(&mut self, token: Option<u32>, config: &SpeechConfig) {
        if let Some(utterance) = &mut self.utterance {
            match token {
                Some(token) => utterance.text.push_back(token),
                None if !utterance.text_ended => {
                    utterance.text.push_back(config.tts_eos);
                    utterance.text_ended = true;
                }
                None => {}
            }
        }
    }

    /// Whether `step` has something to do now: it does not while the next text token is still to come.
    pub(crate) fn is_ready(&self) -> bool {
        self.utterance.as_ref().is_some_and(|u| match u.next {
            Next::Predict => true,
            Next::Talk => !u.text.is_empty() || u.text_ended,
            Next::Done => u.decoded < u.frames.len(),
        })
    }

    /// Goes on by one frame, or as far as the text allows.
    pub(crate) fn step(
        &mut self,
        device: &mut Device<'_>,
        voice: &Voice,
        config: &SpeechConfig,
        embed_tokens: Buffer,
    ) -> Result<()> {
        let predicts = self.next() == Next::Predict;
        let talks = self.place_text(device, config, usize::from(predicts))?;
        let parts = (predicts, talks);
        let program = match parts {
            (true, true) => self.frame.take(),
            (true, false) => self.predict.take(),
            (false, true) => self.talk.take(),
            (false, false) => return Ok(()),
        };
        let mut program = match program {
            Some(program) => program,
            None => {
                let mut rec = Recording::tapped_if(self.tapped);
                if predicts {
                    self.record_predict(&mut rec, voice)?;
                }
                if talks {
                    self.record_talk(&mut rec, &voice.talker, embed_tokens)?;
                }
                device.prepare(rec)?
            }
        };
        let samplers = || self.others.iter().chain([&self.first]);
        let wanted: Vec<Buffer> =
            samplers().map(|s| s.token).chain(samplers().rev().take(2).map(sample::State::broken)).collect();
        let fetch = device.run_fetching(&mut program, &wanted)?;
        *match parts {
            (true, true) => &mut self.frame,
            (true, false) => &mut self.predict,
            _ => &mut self.talk,
        } = Some(program);
        let values = device.executor.collect(fetch)?;
        // The code predictor's samplers share one count.
        let (codes, broken) = values.split_at(values.len().min(self.others.len() + 1));
        for (count, part) in broken.iter().zip(["talker", "code predictor"]) {
            if *count > 0 {
                return Err(Error::NotANumber(part));
            }
        }
        self.take_codes(codes, predicts, talks, voice.talker.config.codec_eos_id);
        Ok(())
    }

    fn next(&self) -> Next {
        self.utterance.as_ref().map_or(Next::Done, |u| u.next)
    }

    /// Puts the next text token in its place, if the talker's turn comes after `more` frames. Returns whether it does.
    fn place_text(&mut self, device: &mut Device<'_>, config: &SpeechConfig, more: usize) -> Result<bool> {
        let Some(utterance) = &mut self.utterance else { return Ok(false) };
        let frames = utterance.frames.len() + more;
        let has_text = !utterance.text.is_empty() || utterance.text_ended;
        if utterance.next == Next::Done || !has_text {
            return Ok(false);
        }
        if frames >= utterance.max_frames {
            if more == 0 {
                utterance.next = Next::Done;
            }
            return Ok(false);
        }
        let text = utterance.text.front().copied().unwrap_or(config.tts_pad);
        let rows = self.rows + Talker::OPENING_ROWS + frames;
        device.memory().write_u32(self.text_token, &[text])?;
        if device.reserve(&mut self.cache, rows)? {
            self.forget_talk();
        }
        Ok(true)
    }

    /// Takes note of a step's codes: those that were predicted, then the first of the next frame.
    fn take_codes(&mut self, codes: &[u32], predicted: bool, talked: bool, end: u32) {
        let (Some(utterance), Some((&first, others))) = (&mut self.utterance, codes.split_last()) else {
            return;
        };
        if predicted {
            utterance.frames.push(std::iter::once(self.first_code).chain(others.iter().copied()).collect());
            utterance.next = Next::Talk;
        }
        if talked {
            utterance.text.pop_front();
            self.first_code = first;
            utterance.next = if first == end { Next::Done } else { Next::Predict };
        }
    }

    /// The recordings that talk are void: the cache has moved, or the sampling has changed.
    fn forget_talk(&mut self) {
        self.talk = None;
        self.frame = None;
    }

    /// The codes of a frame from the talker's row and its code.
    fn record_predict(&self, rec: &mut Recording, voice: &Voice) -> Result<()> {
        let first = embedding::record(rec, self.first.token, None, voice.talker.codec_embedding, None)?;
        rec.tap(|| "cp_input.0".into(), self.talker_row);
        rec.tap(|| "cp_input.1".into(), first);
        let sum = voice.code_predictor.record_frame(
            rec,
            self.talker_row,
            first,
            &self.predictor_cache,
            &self.others,
            &self.sampling.others,
        )?;
        copy::record(rec, sum, self.code_row)
    }

    /// The talker takes the frame and a text token, and samples the first code of the next frame.
    fn record_talk(&self, rec: &mut Recording, talker: &Talker, embed_tokens: Buffer) -> Result<()> {
        rec.tap(|| "position".into(), self.position);
        let text = talker.text_rows(rec, self.text_token, embed_tokens)?;
        let row = talker.frame_row(rec, self.code_row, text)?;
        let normed = talker.record(rec, row, self.position, &self.cache)?;
        self.record_choice(rec, talker, normed)?;
        advance::advance_f32(rec, self.position, 1)
    }

    /// Keeps the talker's row and samples the first code of a frame from it.
    fn record_choice(&self, rec: &mut Recording, talker: &Talker, normed: Buffer) -> Result<()> {
        copy::record(rec, normed, self.talker_row)?;
        let logits = talker.logits(rec, normed)?;
        sample::record(rec, logits, self.first, self.sampling.first.clone())?;
        Ok(())
    }

    /// Decodes frames when enough wait: one for the first sound, then ever more, and all at the end.
    pub(crate) fn sound(&mut self, device: &mut Device<'_>, code2wav: &Code2Wav) -> Result<Vec<f32>> {
        let Some(utterance) = &mut self.utterance else { return Ok(Vec::new()) };
        let waiting = utterance.frames.len() - utterance.decoded;
        let wanted =
            if utterance.next == Next::Done { 1 } else { utterance.decoded.clamp(1, Self::FRAMES_AT_ONCE) };
        if waiting < wanted {
            return Ok(Vec::new());
        }
        let upto = utterance.frames.len().min(utterance.decoded + Code2Wav::MAX_STEP_FRAMES);
        let samples = self.vocoder.decode(device, code2wav, &utterance.frames[utterance.decoded..upto])?;
        utterance.decoded = upto;
        Ok(samples)
    }

    /// The first code that was sampled last.
    pub(crate) fn first_code(&self) -> u32 {
        self.first_code
    }

    /// The codes of the answer so far, `[frames][groups]`.
    pub(crate) fn frames(&self) -> &[Vec<u32>] {
        self.utterance.as_ref().map_or(&[], |u| &u.frames)
    }
}

fn constant_positions(rec: &mut Recording, positions: &[[f32; 3]]) -> Buffer {
    let axes = (0..3).flat_map(|axis| positions.iter().map(move |p| p[axis])).collect();
    rec.constant_f32([3, positions.len()], axes)
}
