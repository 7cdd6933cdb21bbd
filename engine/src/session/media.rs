//! Clips, pictures and videos: whether they can be taken, how many tokens they make, and their rows from the encoders.
//!
//! A clip is encoded an attention window at a time, live or whole, so that memory stays small, a cancel is seen soon and both
//! ways give the same rows.

use std::ops::Range;
use std::time::Instant;

use super::Session;
use super::device::Device;
use super::hearing::ms;
use super::prompt::Encoded;
use crate::audio::Audio;
use crate::audio::mel::Stream;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::image::{self, Patches, Video, VideoLimits, smart_resize};
use crate::kernels::copy;
use crate::message::Content;
use crate::model::audio_encoder::{AudioEncoder, Clip};
use crate::model::positions::Grid;
use crate::model::vision_encoder::VisionEncoder;
use crate::recording::{Buffer, Recording};
use crate::shape::Element;

/// Samples whose features are made at once: a second.
const SAMPLES_AT_ONCE: usize = Audio::SAMPLE_RATE_HZ as usize;

impl Engine {
    /// Tokens that a clip, picture or video takes in a prompt, found without encoding it; 0 for text.
    ///
    /// # Errors
    /// `Error::Input` where the checkpoint cannot take it, or it cannot be encoded.
    pub(crate) fn media_tokens(&self, content: &Content) -> Result<usize> {
        match content {
            Content::Text(text) => self.check_text(text).map(|()| 0),
            Content::Audio(audio) => self.audio_tokens(audio),
            Content::Image(image) => {
                self.vision_encoder()?;
                image.check()?;
                let config = self.image_config();
                let (height, width) = smart_resize(image.height, image.width, &config)?;
                Ok(height / config.factor() * (width / config.factor()))
            }
            Content::Video(video) => {
                self.vision_encoder()?;
                let config = self.image_config();
                let (height, width) = video.frame_size(&config, &VideoLimits::default())?;
                let times = video.frames.len().div_ceil(config.temporal_patch_size);
                let seen = times * (height / config.factor()) * (width / config.factor());
                // The sound comes with a token before and one after it.
                let heard = video.audio.as_ref().map(|audio| self.audio_tokens(audio)).transpose()?;
                Ok(seen + heard.map_or(0, |tokens| tokens + 2))
            }
        }
    }

    fn audio_tokens(&self, audio: &Audio) -> Result<usize> {
        let (encoder, mel) = (self.audio_encoder()?, self.mel_config());
        audio.check()?;
        Ok(encoder.tokens(audio.samples.len() / mel.hop_length))
    }

    /// `Err` where `text` names a token that stands for sound or pictures.
    pub(crate) fn check_text(&self, text: &str) -> Result<()> {
        let Ok(tokens) = self.tokens() else { return Ok(()) };
        let placeholders = [tokens.audio, tokens.image, tokens.video].map(|id| self.token_text(id));
        match placeholders.iter().find(|name| !name.is_empty() && text.contains(name.as_str())) {
            None => Ok(()),
            Some(name) => Err(Error::Input(format!(
                "the text holds the placeholder {name}, which only stands for sound or pictures; remove it"
            ))),
        }
    }
}

impl Session {
    /// `Err` unless the checkpoint can take `content` and it fits the context.
    pub(super) fn require_fit(&self, content: &Content) -> Result<()> {
        let (needed, limit) = (self.engine.media_tokens(content)?, self.engine.info().context_tokens);
        if needed > limit { Err(Error::Context { needed, limit }) } else { Ok(()) }
    }

    /// Rows of the encoders for one clip, picture or video.
    pub(super) fn encode(&mut self, content: &Content) -> Result<Encoded> {
        match content {
            Content::Text(_) => Err(Error::Input("text is not encoded".into())),
            Content::Audio(audio) => Ok(Encoded::Audio(self.encode_audio(audio)?)),
            Content::Image(image) => {
                let patches = image::prepare(image, &self.engine.image_config())?;
                let (rows, deepstack) = self.encode_patches(&patches)?;
                let grid = self.grid(&patches, 0.0, false);
                Ok(Encoded::Image { rows, deepstack, grid })
            }
            Content::Video(video) => self.encode_video(video),
        }
    }

    fn encode_video(&mut self, video: &Video) -> Result<Encoded> {
        let config = self.engine.image_config();
        let patches = video.prepare(&config, &VideoLimits::default())?;
        let audio = video.audio.as_ref().map(|audio| self.encode_audio(audio)).transpose()?;
        match self.encode_patches(&patches) {
            Ok((rows, deepstack)) => {
                let step = video.second_per_grid(&config) * self.engine.positions_per_second();
                let grid = self.grid(&patches, step, audio.is_some());
                Ok(Encoded::Video { rows, deepstack, grid, audio })
            }
            Err(error) => {
                self.free(audio.into_iter().collect());
                Err(error)
            }
        }
    }

    fn grid(&self, patches: &Patches, step: f32, with_audio: bool) -> Grid {
        let merge = self.engine.image_config().merge_size;
        let [t, h, w] = patches.grid;
        Grid { merged: [t, h / merge, w / merge], step, with_audio }
    }

    fn encode_audio(&mut self, audio: &Audio) -> Result<Buffer> {
        let begun = Instant::now();
        let mut stream = Stream::new(&self.engine.mel_config())?;
        for block in audio.samples.chunks(SAMPLES_AT_ONCE) {
            self.work.check()?;
            stream.push(block)?;
        }
        stream.finish()?;
        self.timing.mel_ms += ms(begun);
        self.encode_clip(&stream, 0..stream.frames())
    }

    /// As [`encode_clip`], on this session's device.
    pub(super) fn encode_clip(&mut self, stream: &Stream, frames: Range<usize>) -> Result<Buffer> {
        let begun = Instant::now();
        let (encoder, executor) = self.engine.hearing()?;
        let rows = encode_clip(&mut Device { executor, cancel: &self.work }, encoder, stream, frames)?;
        self.timing.audio_encoder_ms += ms(begun);
        Ok(rows)
    }

    /// As [`encode_patches`], on this session's device.
    fn encode_patches(&mut self, patches: &Patches) -> Result<(Buffer, Vec<Buffer>)> {
        let begun = Instant::now();
        let (encoder, executor) = self.engine.seeing()?;
        let encoded = encode_patches(&mut Device { executor, cancel: &self.work }, encoder, patches)?;
        self.timing.vision_encoder_ms += ms(begun);
        Ok(encoded)
    }
}

/// Encodes a picture or a video → its rows and those of the deepstack, resident.
pub(crate) fn encode_patches(
    device: &mut Device<'_>,
    encoder: &VisionEncoder,
    patches: &Patches,
) -> Result<(Buffer, Vec<Buffer>)> {
    let mut rec = Recording::new();
    let seen = encoder.record(&mut rec, patches)?;
    let results: Vec<_> = std::iter::once(seen.merged).chain(seen.deepstack).collect();
    let mut kept = device.run_keeping(rec, &results)?;
    let rows = kept.remove(0);
    Ok((rows, kept))
}

/// Encodes `frames` of a clip, which begin with an attention window → `[tokens, hidden]`, resident.
pub(crate) fn encode_clip(
    device: &mut Device<'_>,
    encoder: &AudioEncoder,
    stream: &Stream,
    frames: Range<usize>,
) -> Result<Buffer> {
    let (window, tokens) = (encoder.window_frames(), encoder.tokens(frames.len()));
    let rows = device.memory().allocate([tokens, encoder.output_size()].into(), Element::F32)?;
    let mut done = 0;
    for start in frames.clone().step_by(window) {
        let now = start..frames.end.min(start + window);
        match encode_window(device, encoder, stream, now, rows, done) {
            Ok(tokens) => done += tokens,
            Err(error) => {
                device.memory().free(rows);
                return Err(error);
            }
        }
    }
    Ok(rows)
}

/// Encodes one attention window into `rows` from row `at` on. Returns how many rows it made.
fn encode_window(
    device: &mut Device<'_>,
    encoder: &AudioEncoder,
    stream: &Stream,
    frames: Range<usize>,
    rows: Buffer,
    at: usize,
) -> Result<usize> {
    let features = stream.features(frames, stream.max());
    let clip = Clip { features: &features.data, frames: features.frames };
    let mut rec = Recording::new();
    // A short end is padded to a whole chunk where the clip has one elsewhere.
    let encoded = encoder.record(&mut rec, &[clip], stream.frames() >= encoder.chunk_frames())?;
    copy::record(&mut rec, encoded, rows.slice_rows(at, encoded.rows()))?;
    device.run_once(rec)?;
    Ok(encoded.rows())
}
