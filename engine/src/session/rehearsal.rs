//! A turn that says nothing: what a session runs, over ids without a pattern and plain waves. To learn beforehand which pipelines a
//! turn takes, and to measure its parts.

use super::device::Device;
use super::media::encode_patches;
use super::prompt::{Encoded, Prompt};
use super::reader::Reader;
use super::speaker::{Opening, Speaker, SpeakerMark, SpeechSampling, Stretch};
use super::vocoder::Vocoder;
use super::{Session, sampling};
use crate::cancel::Cancel;
use crate::engine::{Engine, ROWS_AT_ONCE};
use crate::error::Result;
use crate::image::Patches;
use crate::kernels::sample;
use crate::model::audio_encoder::{AudioEncoder, Clip};
use crate::model::config::{Config, OmniConfig, SpeechConfig, VisionConfig};
use crate::model::positions::{Grid, MediaIds, Walk};
use crate::model::thinker::Thinker;
use crate::model::{Model, Voice};
use crate::recording::{Buffer, Recording};

/// Rows that are read at once, from one to as many as a session reads: kernels choose by that.
const ROWS: [usize; 18] = [1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 24, 32, 40, 64, 96, 130, 192, ROWS_AT_ONCE];

/// Side of a usual picture, in merged patches: 448 pixels for the published model.
pub(crate) const PICTURE_SIDE: usize = 14;

/// Text only.
const NO_MEDIA: MediaIds = MediaIds { audio: u32::MAX, image: u32::MAX, video: u32::MAX };

impl Session {
    /// Makes the pipelines that a usual turn takes, on all threads of the processor, so that none is made while somebody waits for an
    /// answer. Worth it after loading and after [`Session::rebuild`], where more than one turn is to come. Blocks; nothing to do
    /// without a graphics processor.
    ///
    /// # Errors
    /// `Error::Device` for what the driver refuses, as the turn would tell it, and `Error::DeviceLost`.
    pub fn warm_up(&mut self) -> Result<()> {
        let Engine { executor, model, config, generation, .. } = &mut self.engine;
        let (text, speech) = sampling(&self.settings, generation, config)?;
        executor.warm_up(|outline| {
            let mut device = Device { executor: outline, cancel: &Cancel::new() };
            turn(&mut device, model, config, text, speech)
        })
    }
}

/// Goes through all that a turn may take: prompts of every length, sound and pictures among them, and an answer aloud.
///
/// # Errors
/// Sizes that the device's shaders do not take.
pub(crate) fn turn(
    device: &mut Device<'_>,
    model: &Model,
    config: &Config,
    text: sample::Params,
    speech: SpeechSampling,
) -> Result<()> {
    let thinker = &model.thinker;
    let mut reader = Reader::new(device, thinker, text)?;
    for rows in ROWS {
        read(device, thinker, &mut reader, rows)?;
    }
    reader.step(device, thinker)?;

    let Config::Omni(omni) = config else { return Ok(()) };
    let mut speaker = match &model.voice {
        Some(voice) => Some(Speaker::new(device, voice, speech)?),
        None => None,
    };
    for encoded in media(device, model, omni)? {
        let id = if let Encoded::Audio(_) = encoded { omni.tokens.audio } else { omni.tokens.image };
        let mut prompt = Prompt::expand(&[id], &omni.tokens, &[encoded])?;
        let ids = MediaIds { audio: omni.tokens.audio, image: omni.tokens.image, video: omni.tokens.video };
        prompt.place(reader.mark().walk, ids);
        let rows = prompt.ids.len().min(ROWS_AT_ONCE);
        let media = reader.read(device, thinker, &prompt, 0..rows, speaker.is_some(), false)?;
        if let Some(speaker) = &mut speaker {
            let (ids, positions) = (prompt.ids[..rows].to_vec(), prompt.positions[..rows].to_vec());
            speaker.push(Stretch { ids, positions, media }, prompt.end);
        }
    }
    let (Some(speaker), Some(voice), Some(config)) = (&mut speaker, &model.voice, config.speech()) else {
        return Ok(());
    };
    let embed_tokens = thinker.embed_tokens;
    speaker.read(device, &voice.talker, embed_tokens)?;
    for rows in ROWS {
        listen(device, embed_tokens.rows() as u32, speaker, rows);
        open(device, voice, config, embed_tokens, speaker)?;
    }
    // Text that comes after the frame that waits for it, and text that comes before.
    speaker.step(device, voice, config, embed_tokens)?;
    speaker.push_text(Some(0), config);
    speaker.step(device, voice, config, embed_tokens)?;
    speaker.push_text(None, config);
    speaker.step(device, voice, config, embed_tokens)?;
    let mut vocoder = Vocoder::new(device.memory(), &voice.code2wav)?;
    vocoder.reset(device.memory(), &voice.code2wav)?;
    let frames = vec![vec![0; config.code2wav.num_quantizers]; Speaker::FRAMES_AT_ONCE];
    // The first step gives less sound than the others.
    for count in (1..=frames.len()).chain(1..=frames.len()) {
        vocoder.decode(device, &voice.code2wav, &frames[..count])?;
    }
    Ok(())
}

/// A whole attention window of sound, a chunk of it, ever shorter ends, and pictures.
fn media(device: &mut Device<'_>, model: &Model, config: &OmniConfig) -> Result<Vec<Encoded>> {
    let mut media = Vec::new();
    if let Some(encoder) = &model.audio_encoder {
        let shorter = |frames: &usize| Some(frames / 2).filter(|&frames| frames > 0);
        let ends = std::iter::successors(Some(encoder.chunk_frames()), shorter);
        for frames in std::iter::once(encoder.window_frames()).chain(ends) {
            let features = wave(frames * config.thinker.audio.num_mel_bins);
            media.push(Encoded::Audio(hear(device, encoder, &Clip { features: &features, frames })?));
        }
    }
    if let Some(encoder) = &model.vision_encoder {
        for side in [PICTURE_SIDE, 4, 2] {
            let patches = picture(&config.thinker.vision, side);
            let (rows, deepstack) = encode_patches(device, encoder, &patches)?;
            let grid = Grid { merged: [1, side, side], step: 0.0, with_audio: false };
            media.push(Encoded::Image { rows, deepstack, grid });
        }
    }
    Ok(media)
}

/// Reads so many tokens of text, in stretches as a session does, and samples the next.
pub(crate) fn read(
    device: &mut Device<'_>,
    thinker: &Thinker,
    reader: &mut Reader,
    tokens: usize,
) -> Result<()> {
    let mut prompt = Prompt::text(ids(tokens, thinker.embed_tokens.rows() as u32));
    prompt.place(reader.mark().walk, NO_MEDIA);
    for start in (0..tokens).step_by(ROWS_AT_ONCE) {
        let end = tokens.min(start + ROWS_AT_ONCE);
        reader.read(device, thinker, &prompt, start..end, false, end == tokens)?;
    }
    Ok(())
}

/// Encodes a clip of at most one attention window → its rows, resident.
pub(crate) fn hear(device: &mut Device<'_>, encoder: &AudioEncoder, clip: &Clip<'_>) -> Result<Buffer> {
    let mut rec = Recording::new();
    let rows = encoder.record(&mut rec, &[*clip], true)?;
    Ok(device.run_keeping(rec, &[rows])?.remove(0))
}

/// Begins a conversation anew with a user turn of so many tokens below `limit`, which the talker has not read yet.
pub(crate) fn listen(device: &mut Device<'_>, limit: u32, speaker: &mut Speaker, tokens: usize) {
    speaker.rewind(device, SpeakerMark::default());
    if tokens > 0 {
        let mut prompt = Prompt::text(ids(tokens, limit));
        prompt.place(Walk::default(), NO_MEDIA);
        let Prompt { ids, positions, end, .. } = prompt;
        speaker.push(Stretch { ids, positions, media: Vec::new() }, end);
    }
}

/// Has the talker read what it has not, and opens an answer; there is no text to speak.
pub(crate) fn open(
    device: &mut Device<'_>,
    voice: &Voice,
    config: &SpeechConfig,
    embed_tokens: Buffer,
    speaker: &mut Speaker,
) -> Result<()> {
    let rows = embed_tokens.rows() as u32;
    let opening = Opening {
        role: [1, 2, 3].map(|id| id % rows),
        first: 4 % rows,
        speaker: config.talker.speakers.values().next().copied().unwrap_or_default(),
        max_frames: usize::MAX,
    };
    speaker.begin(device, voice, config, embed_tokens, opening)
}

/// A picture of so many merged patches to each side.
pub(crate) fn picture(config: &VisionConfig, side: usize) -> Patches {
    let side = side * config.spatial_merge_size;
    Patches { pixel_values: wave(side * side * config.patch_values()), grid: [1, side, side] }
}

/// `count` ids below `limit` without a pattern.
pub(crate) fn ids(count: usize, limit: u32) -> Vec<u32> {
    (0..count as u32).map(|i| i.wrapping_mul(2_654_435_761) % limit).collect()
}

/// `count` values between -1 and 1.
pub(crate) fn wave(count: usize) -> Vec<f32> {
    (0..count).map(|i| (i as f32 * 0.37).sin()).collect()
}

#[cfg(test)]
mod tests;
