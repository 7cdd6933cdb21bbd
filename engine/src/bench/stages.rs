//! Each stage as a session runs it: something to prepare once, a run to repeat, and what of it counts.

use std::time::Instant;

use super::parts::{loaded, speech};
use super::{Bench, FrameGaps, Stage};
use crate::error::Result;
use crate::executor::{Executor, Meter};
use crate::kernels::sample;
use crate::model::audio_encoder::Clip;
use crate::model::config::{Config, VisionConfig};
use crate::session::media::encode_patches;
use crate::session::reader::Reader;
use crate::session::speaker::{Speaker, SpeechSampling};
use crate::session::vocoder::Vocoder;
use crate::session::{Device, rehearsal};

/// Stages of a model with this config on this executor.
pub(super) fn of(config: &Config, executor: &Executor) -> Vec<Stage> {
    let has = |stage: &Stage| match stage {
        Stage::Prefill | Stage::Decode => true,
        Stage::AudioEncoder | Stage::VisionEncoder => matches!(config, Config::Omni(_)),
        Stage::TalkerFrame | Stage::Code2wav | Stage::Speech | Stage::FirstAudio => config.speech().is_some(),
        Stage::Window => matches!(executor, Executor::Gpu(_)),
    };
    Stage::ALL.into_iter().filter(has).collect()
}

/// Speech frames for each token that was asked for: 16 frames, over a second, for the usual 128 tokens.
const TOKENS_A_FRAME: usize = 8;

/// What a stage gave.
pub(super) struct Measured {
    pub(super) tokens: usize,
    pub(super) context: usize,
    pub(super) step_ms: f64,
    pub(super) weight_bytes: u64,
    pub(super) dispatches: u64,
    pub(super) kernels_ms: Vec<(&'static str, f64)>,
    pub(super) parts_ms: Vec<(&'static str, f64)>,
    pub(super) real_time_factor: Option<f64>,
    pub(super) frame_gaps: Option<FrameGaps>,
}

/// A stage's sizes.
pub(super) struct Size {
    /// Tokens or frames of a step.
    pub(super) tokens: usize,
    pub(super) context: usize,
    /// Steps of a run.
    pub(super) steps: usize,
}

impl Bench {
    pub(super) fn measure(&mut self, stage: Stage) -> Result<Measured> {
        match stage {
            Stage::Prefill => self.prefill(),
            Stage::Decode => self.decode(),
            Stage::AudioEncoder => self.audio_encoder(),
            Stage::VisionEncoder => self.vision_encoder(),
            Stage::TalkerFrame => self.talker_frame(),
            Stage::Code2wav => self.code2wav(),
            Stage::Speech => self.speech(),
            Stage::FirstAudio => self.first_audio(),
            Stage::Window => self.window(),
        }
    }

    fn prefill(&mut self) -> Result<Measured> {
        let (tokens, context) = (self.options.tokens, self.options.context);
        let mut reader = self.reader()?;
        self.read(&mut reader, context)?;
        let mark = reader.mark();
        let size = Size { tokens, context, steps: 1 };
        self.repeat(size, |bench| {
            reader.rewind(mark);
            let begun = Instant::now();
            bench.read(&mut reader, tokens)?;
            Ok(begun)
        })
    }

    fn decode(&mut self) -> Result<Measured> {
        // A step feeds a token that was sampled: the last of the context is read anew before each run.
        let (steps, context) = (self.options.tokens, self.options.context.max(1));
        let mut reader = self.reader()?;
        self.read(&mut reader, context - 1)?;
        let mark = reader.mark();
        let size = Size { tokens: 1, context, steps };
        self.repeat(size, |bench| {
            reader.rewind(mark);
            bench.unmetered(|bench| bench.read(&mut reader, 1))?;
            let begun = Instant::now();
            bench.write(&mut reader, steps)?;
            Ok(begun)
        })
    }

    fn audio_encoder(&mut self) -> Result<Measured> {
        let encoder = loaded(self.parts.audio_encoder.as_ref(), "audio encoder")?;
        let frames = encoder.window_frames();
        let size = Size { tokens: encoder.tokens(frames), context: 0, steps: 1 };
        let bins = match &self.config {
            Config::Omni(omni) => omni.thinker.audio.num_mel_bins,
            Config::Dense(_) => 0,
        };
        let features = rehearsal::wave(frames * bins);
        self.repeat(size, |bench| {
            let begun = Instant::now();
            let encoder = loaded(bench.parts.audio_encoder.as_ref(), "audio encoder")?;
            let mut device = Device { executor: &mut bench.executor, cancel: &bench.cancel };
            let rows = rehearsal::hear(&mut device, encoder, &Clip { features: &features, frames })?;
            device.memory().free(rows);
            Ok(begun)
        })
    }

    fn vision_encoder(&mut self) -> Result<Measured> {
        let patches = rehearsal::picture(vision(&self.config)?, rehearsal::PICTURE_SIDE);
        let encoder = loaded(self.parts.vision_encoder.as_ref(), "vision encoder")?;
        let size = Size { tokens: encoder.tokens(patches.grid), context: 0, steps: 1 };
        self.repeat(size, |bench| {
            let begun = Instant::now();
            let encoder = loaded(bench.parts.vision_encoder.as_ref(), "vision encoder")?;
            let mut device = Device { executor: &mut bench.executor, cancel: &bench.cancel };
            let (rows, deepstack) = encode_patches(&mut device, encoder, &patches)?;
            std::iter::once(rows).chain(deepstack).for_each(|buffer| device.memory().free(buffer));
            Ok(begun)
        })
    }

    fn talker_frame(&mut self) -> Result<Measured> {
        let (frames, context) = (self.frames(), self.options.context);
        let mut speaker = self.speaker()?;
        let size = Size { tokens: 1, context, steps: frames };
        self.repeat(size, |bench| {
            bench.unmetered(|bench| bench.answer(&mut speaker, context))?;
            let begun = Instant::now();
            for _ in 0..frames {
                bench.speak(&mut speaker)?;
            }
            Ok(begun)
        })
    }

    fn code2wav(&mut self) -> Result<Measured> {
        let steps = self.frames().div_ceil(Speaker::FRAMES_AT_ONCE);
        let config = &speech(&self.config)?.code2wav;
        let (groups, codes) = (config.num_quantizers, config.codebook_size as u32);
        let frames: Vec<Vec<u32>> = (0..Speaker::FRAMES_AT_ONCE)
            .map(|frame| rehearsal::ids(groups * (frame + 1), codes)[groups * frame..].to_vec())
            .collect();
        let size = Size { tokens: Speaker::FRAMES_AT_ONCE, context: 0, steps };
        let code2wav = loaded(self.parts.code2wav(), "code2wav")?;
        let mut vocoder = Vocoder::new(self.executor.memory(), code2wav)?;
        self.repeat(size, |bench| {
            let code2wav = loaded(bench.parts.code2wav(), "code2wav")?;
            vocoder.reset(bench.executor.memory(), code2wav)?;
            let mut device = Device { executor: &mut bench.executor, cancel: &bench.cancel };
            let begun = Instant::now();
            for _ in 0..steps {
                vocoder.decode(&mut device, code2wav, &frames)?;
            }
            Ok(begun)
        })
    }

    /// Runs once to warm up and meter, then as often as was asked for; `run` says when what counts began.
    pub(super) fn repeat(
        &mut self,
        size: Size,
        mut run: impl FnMut(&mut Bench) -> Result<Instant>,
    ) -> Result<Measured> {
        self.executor.set_meter(Some(Meter::default()));
        let warm = run(self).and_then(|_| self.executor.finish());
        let meter = self.executor.set_meter(None).unwrap_or_default();
        warm?;
        let mut times = Vec::new();
        for _ in 0..self.options.runs {
            let begun = run(self)?;
            self.executor.finish()?;
            times.push(begun.elapsed().as_secs_f64() * 1e3 / size.steps as f64);
            self.note_device_bytes();
        }
        let mut kernels_ms: Vec<_> = meter
            .times
            .into_iter()
            .map(|(name, t)| (name, t.as_secs_f64() * 1e3 / size.steps as f64))
            .collect();
        kernels_ms.sort_by(|a, b| b.1.total_cmp(&a.1));
        Ok(Measured {
            tokens: size.tokens,
            context: size.context,
            step_ms: median(times),
            weight_bytes: meter.weight_bytes / size.steps as u64,
            dispatches: meter.dispatches / size.steps as u64,
            kernels_ms,
            parts_ms: Vec::new(),
            real_time_factor: None,
            frame_gaps: None,
        })
    }

    /// Takes note of the memory that the device has given so far.
    pub(super) fn note_device_bytes(&mut self) {
        self.device_bytes = self.device_bytes.max(self.executor.device_bytes());
    }

    /// Runs what does not count.
    pub(super) fn unmetered<T>(&mut self, run: impl FnOnce(&mut Bench) -> Result<T>) -> Result<T> {
        let meter = self.executor.set_meter(None);
        let result = run(self);
        self.executor.set_meter(meter);
        result
    }

    pub(super) fn frames(&self) -> usize {
        self.options.tokens.div_ceil(TOKENS_A_FRAME)
    }

    /// Nothing read; samples as the published checkpoints do.
    pub(super) fn reader(&mut self) -> Result<Reader> {
        let thinker = loaded(self.parts.thinker.as_ref(), "thinker")?;
        let mut device = Device { executor: &mut self.executor, cancel: &self.cancel };
        let (params, _) = samplings(&self.config);
        let mut reader = Reader::new(&mut device, thinker, params.clone())?;
        reader.set_sampling(&mut device, params, 0)?;
        Ok(reader)
    }

    /// Reads so many tokens of text, in stretches as a session does, and samples the next.
    pub(super) fn read(&mut self, reader: &mut Reader, tokens: usize) -> Result<()> {
        let thinker = loaded(self.parts.thinker.as_ref(), "thinker")?;
        let mut device = Device { executor: &mut self.executor, cancel: &self.cancel };
        rehearsal::read(&mut device, thinker, reader, tokens)
    }

    /// Writes so many tokens.
    pub(super) fn write(&mut self, reader: &mut Reader, tokens: usize) -> Result<()> {
        let thinker = loaded(self.parts.thinker.as_ref(), "thinker")?;
        let mut device = Device { executor: &mut self.executor, cancel: &self.cancel };
        for _ in 0..tokens {
            reader.step(&mut device, thinker)?;
        }
        Ok(())
    }

    /// Samples as the published checkpoints do, but never ends.
    pub(super) fn speaker(&mut self) -> Result<Speaker> {
        let voice = loaded(self.parts.voice.as_ref(), "talker")?;
        let (_, sampling) = samplings(&self.config);
        let mut device = Device { executor: &mut self.executor, cancel: &self.cancel };
        let mut speaker = Speaker::new(&mut device, voice, sampling.clone())?;
        speaker.set_sampling(&mut device, sampling, 0)?;
        Ok(speaker)
    }

    /// Begins a conversation anew with a user turn of so many tokens, which the talker has not read yet.
    pub(super) fn listen(&mut self, speaker: &mut Speaker, tokens: usize) -> Result<()> {
        let rows = loaded(self.parts.embed_tokens, "embedding")?.rows() as u32;
        let mut device = Device { executor: &mut self.executor, cancel: &self.cancel };
        rehearsal::listen(&mut device, rows, speaker, tokens);
        Ok(())
    }

    /// Has the talker read what it has not, and opens an answer.
    pub(super) fn open(&mut self, speaker: &mut Speaker) -> Result<()> {
        let embed_tokens = loaded(self.parts.embed_tokens, "embedding")?;
        let (voice, config) = (loaded(self.parts.voice.as_ref(), "talker")?, speech(&self.config)?);
        let mut device = Device { executor: &mut self.executor, cancel: &self.cancel };
        rehearsal::open(&mut device, voice, config, embed_tokens, speaker)
    }

    /// Opens an answer to a user turn of so many tokens, of whose text all but the first token is left out.
    pub(super) fn answer(&mut self, speaker: &mut Speaker, tokens: usize) -> Result<()> {
        self.listen(speaker, tokens)?;
        self.open(speaker)?;
        speaker.push_text(None, speech(&self.config)?);
        Ok(())
    }

    /// A frame's codes, and the first of the next frame.
    pub(super) fn speak(&mut self, speaker: &mut Speaker) -> Result<()> {
        let voice = loaded(self.parts.voice.as_ref(), "talker")?;
        let embed_tokens = loaded(self.parts.embed_tokens, "embedding")?;
        let config = speech(&self.config)?;
        let mut device = Device { executor: &mut self.executor, cancel: &self.cancel };
        speaker.step(&mut device, voice, config, embed_tokens)
    }
}

/// How text and speech are sampled: as the published checkpoints have it, but speech never ends.
pub(super) fn samplings(config: &Config) -> (sample::Params, SpeechSampling) {
    let allowed = config.speech().map(|speech| (speech.talker.num_codes(), 0));
    let first = sample::Params { repetition_penalty: 1.05, allowed, ..sampling(0.9, 50, 1.0) };
    (sampling(0.6, 20, 0.95), SpeechSampling { first, others: sampling(1.0, 50, 0.8) })
}

fn sampling(temperature: f32, top_k: usize, top_p: f32) -> sample::Params {
    sample::Params { temperature, top_k, top_p, repetition_penalty: 1.0, allowed: None }
}

/// The config of what sees.
fn vision(config: &Config) -> Result<&VisionConfig> {
    match config {
        Config::Omni(omni) => Ok(&omni.thinker.vision),
        Config::Dense(_) => loaded(None, "vision encoder"),
    }
}

/// The middle value, or the mean of the two; 0 of nothing.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => 0.0,
        n if n % 2 == 1 => values[middle],
        _ => (values[middle - 1] + values[middle]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_not_moved_by_one_slow_run() {
        assert_eq!(median(vec![3.0, 100.0, 1.0]), 3.0);
        assert_eq!(median(vec![1.0, 4.0, 2.0, 90.0]), 3.0);
    }
}
