//! Stages of a spoken turn: speech as it is made, and a question's way to the first sound of the answer.

use std::time::Instant;

use super::Bench;
use super::parts::{loaded, speech};
use super::stages::{Measured, Size, median};
use crate::audio::Audio;
use crate::audio::mel::{MelConfig, Stream};
use crate::engine::SPEECH_RATE_HZ;
use crate::error::Result;
use crate::executor::Executor;
use crate::model::audio_encoder::AudioEncoder;
use crate::model::config::{Config, OmniConfig};
use crate::model::positions::MediaIds;
use crate::recording::Buffer;
use crate::session::media::encode_clip;
use crate::session::prompt::{Encoded, Prompt};
use crate::session::reader::{Reader, ReaderMark};
use crate::session::speaker::{Speaker, SpeakerMark, Stretch};
use crate::session::{Device, rehearsal};

/// Length of the question.
const QUESTION_SECONDS: usize = 5;

/// What of it is still to be heard when the key is let go: the last tenth of a second.
const LAST_SAMPLES: usize = Audio::SAMPLE_RATE_HZ as usize / 10;

/// Frames after which an answer counts as silent.
const MOST_FRAMES: usize = 16;

/// Stands in the prompt for a line break.
const LINE_BREAK: u32 = 0;

impl Bench {
    pub(super) fn speech(&mut self) -> Result<Measured> {
        // As many as code2wav has decoded when they are made.
        let (frames, context) =
            (self.frames().next_multiple_of(Speaker::FRAMES_AT_ONCE), self.options.context);
        let samples = speech(&self.config)?.code2wav.samples_per_frame();
        let mut speaker = self.speaker()?;
        let size = Size { tokens: 1, context, steps: frames };
        let measured = self.repeat(size, |bench| {
            bench.unmetered(|bench| bench.answer(&mut speaker, context))?;
            let begun = Instant::now();
            for _ in 0..frames {
                bench.speak(&mut speaker)?;
                bench.sound(&mut speaker)?;
            }
            Ok(begun)
        })?;
        let spoken_ms = samples as f64 * 1e3 / f64::from(SPEECH_RATE_HZ);
        Ok(Measured { real_time_factor: Some(measured.step_ms / spoken_ms), ..measured })
    }

    pub(super) fn first_audio(&mut self) -> Result<Measured> {
        let context = self.options.context;
        let (mut reader, mut speaker) = (self.reader()?, self.speaker()?);
        self.read(&mut reader, context)?;
        self.listen(&mut speaker, context)?;
        self.open(&mut speaker)?;
        let before = (reader.mark(), speaker.mark());
        let encoder = loaded(self.parts.audio_encoder.as_ref(), "audio encoder")?;
        let config = mel(omni(&self.config)?);
        let frames = QUESTION_SECONDS * Audio::SAMPLE_RATE_HZ as usize / config.hop_length;
        let tokens = Prompt::text(question(omni(&self.config)?)).ids.len() - 1 + encoder.tokens(frames);
        let size = Size { tokens, context, steps: 1 };
        let measured = self.repeat(size, |bench| {
            let mut laps = Laps::new(false);
            bench.ask(&mut reader, &mut speaker, before, &mut laps)?;
            Ok(laps.begun)
        })?;
        let mut runs = Vec::new();
        for _ in 0..self.options.runs {
            let mut laps = Laps::new(true);
            self.ask(&mut reader, &mut speaker, before, &mut laps)?;
            runs.push(laps.parts);
        }
        Ok(Measured { parts_ms: medians(&runs), ..measured })
    }

    /// A question, up to the first sound of its answer, as a session takes it.
    fn ask(
        &mut self,
        reader: &mut Reader,
        speaker: &mut Speaker,
        (read, heard): (ReaderMark, SpeakerMark),
        laps: &mut Laps,
    ) -> Result<()> {
        reader.rewind(read);
        speaker.rewind(&mut self.runner(), heard);
        let samples = rehearsal::wave(QUESTION_SECONDS * Audio::SAMPLE_RATE_HZ as usize);
        let (held, last) = samples.split_at(samples.len() - LAST_SAMPLES);
        let mut stream = Stream::new(&mel(omni(&self.config)?))?;
        stream.push(held)?;

        laps.begin();
        stream.push(last)?;
        stream.finish()?;
        laps.end("mel", &mut self.executor)?;
        let rows = self.encode(&stream)?;
        laps.end("audio_encoder", &mut self.executor)?;
        self.take(reader, speaker, rows)?;
        laps.end("prefill", &mut self.executor)?;
        reader.token(&mut self.runner())?;
        laps.end("first_token", &mut self.executor)?;
        self.open(speaker)?;
        laps.end("talker_prefill", &mut self.executor)?;
        let mut samples = Vec::new();
        while samples.is_empty() && speaker.frames().len() < MOST_FRAMES {
            // The talker's next row takes it.
            self.write(reader, 1)?;
            speaker.push_text(Some(LINE_BREAK), speech(&self.config)?);
            laps.end("next_token", &mut self.executor)?;
            self.speak(speaker)?;
            laps.end("frame", &mut self.executor)?;
            samples = self.sound(speaker)?;
            laps.end("code2wav", &mut self.executor)?;
        }
        Ok(())
    }

    fn encode(&mut self, stream: &Stream) -> Result<Buffer> {
        let encoder: &AudioEncoder = loaded(self.parts.audio_encoder.as_ref(), "audio encoder")?;
        let mut device = Device { executor: &mut self.executor, cancel: &self.cancel };
        encode_clip(&mut device, encoder, stream, 0..stream.frames())
    }

    /// The thinker reads the question and samples the first token; the talker gets its part of it.
    fn take(&mut self, reader: &mut Reader, speaker: &mut Speaker, rows: Buffer) -> Result<()> {
        let tokens = &omni(&self.config)?.tokens;
        let media = MediaIds { audio: tokens.audio, image: tokens.image, video: tokens.video };
        let mut prompt = Prompt::expand(&question(omni(&self.config)?), tokens, &[Encoded::Audio(rows)])?;
        prompt.place(reader.mark().walk, media);
        let thinker = loaded(self.parts.thinker.as_ref(), "thinker")?;
        let mut device = Device { executor: &mut self.executor, cancel: &self.cancel };
        let accepted = reader.read(&mut device, thinker, &prompt, 0..prompt.ids.len(), true, true)?;
        device.memory().free(rows);

        // The user's turn comes first, so that its rows have the same places in it.
        let kept = prompt.user_tokens(tokens, &mut false);
        let mut walk = speaker.mark().walk;
        let positions = prompt.walk_kept(&kept, &mut walk, media);
        let ids = prompt.ids.iter().zip(&kept).filter(|(_, kept)| **kept).map(|(id, _)| *id).collect();
        speaker.push(Stretch { ids, positions, media: accepted }, walk);
        Ok(())
    }

    /// The sound of the frames that wait, if they are enough.
    fn sound(&mut self, speaker: &mut Speaker) -> Result<Vec<f32>> {
        let voice = loaded(self.parts.voice.as_ref(), "talker")?;
        let mut device = Device { executor: &mut self.executor, cancel: &self.cancel };
        speaker.sound(&mut device, &voice.code2wav)
    }

    fn runner(&mut self) -> Device<'_> {
        Device { executor: &mut self.executor, cancel: &self.cancel }
    }
}

/// The prompt of a spoken question, with one placeholder for the sound.
fn question(omni: &OmniConfig) -> Vec<u32> {
    let t = &omni.tokens;
    let asked = [t.im_start, t.user, LINE_BREAK, t.audio_start, t.audio, t.audio_end, t.im_end, LINE_BREAK];
    [&asked[..], &[t.im_start, t.assistant, LINE_BREAK]].concat()
}

fn omni(config: &Config) -> Result<&OmniConfig> {
    let omni = match config {
        Config::Omni(omni) => Some(&**omni),
        Config::Dense(_) => None,
    };
    loaded(omni, "audio encoder")
}

fn mel(omni: &OmniConfig) -> MelConfig {
    MelConfig { n_mels: omni.thinker.audio.num_mel_bins, ..MelConfig::default() }
}

/// A stopwatch over the parts of a run.
struct Laps {
    /// Whether each part waits for the device, so that none counts for the one before it.
    waits: bool,
    begun: Instant,
    last: Instant,
    parts: Vec<(&'static str, f64)>,
}

impl Laps {
    fn new(waits: bool) -> Laps {
        let now = Instant::now();
        Laps { waits, begun: now, last: now, parts: Vec::new() }
    }

    fn begin(&mut self) {
        self.begun = Instant::now();
        self.last = self.begun;
    }

    /// Adds what has passed since the last end to `part`.
    fn end(&mut self, part: &'static str, executor: &mut Executor) -> Result<()> {
        if self.waits {
            executor.finish()?;
        }
        let now = Instant::now();
        let took = (now - std::mem::replace(&mut self.last, now)).as_secs_f64() * 1e3;
        match self.parts.iter_mut().find(|(name, _)| *name == part) {
            Some((_, ms)) => *ms += took,
            None => self.parts.push((part, took)),
        }
        Ok(())
    }
}

/// The median of each part.
fn medians(runs: &[Vec<(&'static str, f64)>]) -> Vec<(&'static str, f64)> {
    let names = runs.first().into_iter().flatten().map(|(name, _)| *name);
    let of = |name| runs.iter().flatten().filter(|(n, _)| *n == name).map(|(_, ms)| *ms).collect();
    names.map(|name| (name, median(of(name)))).collect()
}
