//! What a checkpoint's JSON files say: sizes and ids ([`Config`]), sampling ([`GenerationConfig`]) and the front ends
//! ([`PreprocessorConfig`]).
//!
//! Everything is read and checked once, so that the model's code can rely on it: heads divide, widths match between
//! parts, ids lie inside their tables, products fit. Keys are those of the published files and of re-saves by newer
//! versions of transformers. Unknown keys are ignored. Nothing here reads weights.

mod encoders;
mod fields;
mod generation;
mod preprocessor;
mod talker;
#[cfg(test)]
mod tests;
mod text;

use std::path::Path;

pub(crate) use encoders::{AudioConfig, VisionConfig};
pub(crate) use generation::{GenerationConfig, Sampling};
pub(crate) use preprocessor::PreprocessorConfig;
use serde_json::Value;
pub(crate) use talker::{Code2WavConfig, CodePredictorConfig, TALKER_CONTROL_IDS, TalkerConfig};
pub(crate) use text::TextConfig;

use crate::{
    error::Result,
    files::read_json,
    model::config::fields::{Fields, shown},
};

/// A checkpoint's `config.json`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Config {
    /// Qwen3-Omni: hears, sees, reads, writes and, with its speech parts, speaks.
    Omni(Box<OmniConfig>),
    /// A dense Qwen3: reads and writes.
    Dense(DenseConfig),
}

/// `Qwen3OmniMoeForConditionalGeneration`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OmniConfig {
    /// The part that hears, sees, reads and writes.
    pub(crate) thinker: ThinkerConfig,
    /// The parts that speak; `None` where the checkpoint has `enable_audio_output: false` (Thinking, Captioner).
    pub(crate) speech: Option<SpeechConfig>,
    /// Ids of the thinker's vocabulary.
    pub(crate) tokens: TokenIds,
}

/// `Qwen3ForCausalLM`. Ids of its chat tokens come from the tokenizer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DenseConfig {
    /// The decoder.
    pub(crate) text: TextConfig,
    /// Tokens that end an answer, as far as `config.json` names them.
    pub(crate) eos_token_ids: Vec<u32>,
}

/// The thinker and its encoders.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ThinkerConfig {
    /// The decoder.
    pub(crate) text: TextConfig,
    /// The audio encoder.
    pub(crate) audio: AudioConfig,
    /// The vision encoder.
    pub(crate) vision: VisionConfig,
    /// Positions on the time axis for one second of video.
    pub(crate) position_id_per_seconds: f32,
}

/// The parts that speak, and the thinker's tokens that steer them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SpeechConfig {
    /// From the thinker's tokens to codes.
    pub(crate) talker: TalkerConfig,
    /// From codes to sound.
    pub(crate) code2wav: Code2WavConfig,
    /// Stands for text where the text has ended or not begun.
    pub(crate) tts_pad: u32,
    /// Begins the text to be spoken.
    pub(crate) tts_bos: u32,
    /// Ends the text to be spoken.
    pub(crate) tts_eos: u32,
}

/// Ids of the thinker's vocabulary that the prompt is made of.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TokenIds {
    /// Begins a turn.
    pub(crate) im_start: u32,
    /// Ends a turn, and so an answer.
    pub(crate) im_end: u32,
    /// The word that names the user's role.
    pub(crate) user: u32,
    /// The word that names the assistant's role.
    pub(crate) assistant: u32,
    /// The word that names the system's role.
    pub(crate) system: u32,
    /// Stands for one row of the audio encoder.
    pub(crate) audio: u32,
    /// Stands for one merged row of a picture.
    pub(crate) image: u32,
    /// Stands for one merged row of a video.
    pub(crate) video: u32,
    /// Before audio rows.
    pub(crate) audio_start: u32,
    /// After audio rows.
    pub(crate) audio_end: u32,
    /// Before picture or video rows.
    pub(crate) vision_start: u32,
    /// After picture or video rows.
    pub(crate) vision_end: u32,
}

impl Config {
    /// Reads `config.json` in the checkpoint's folder.
    ///
    /// # Errors
    /// `Error::Io` where it cannot be read, `Error::Checkpoint` where it is not JSON, `Error::Config` where a value is
    /// missing, of the wrong type, out of range, at odds with another or not supported.
    pub(crate) fn load(dir: &Path) -> Result<Self> {
        let path = dir.join("config.json");
        Self::read(&path, &read_json(&path)?)
    }

    /// What the file `path` says. Errors as [`Config::load`].
    pub(crate) fn read(path: &Path, json: &Value) -> Result<Self> {
        let root = Fields::root(path, json)?;
        match architecture(&root)? {
            Architecture::Omni => Ok(Self::Omni(Box::new(OmniConfig::read(&root)?))),
            Architecture::Dense => Ok(Self::Dense(DenseConfig::read(&root)?)),
        }
    }

    /// The decoder that writes the text.
    pub(crate) fn text(&self) -> &TextConfig {
        match self {
            Self::Omni(omni) => &omni.thinker.text,
            Self::Dense(dense) => &dense.text,
        }
    }
}

enum Architecture {
    Omni,
    Dense,
}

/// By `architectures`, or by `model_type` where the file has none.
fn architecture(root: &Fields<'_>) -> Result<Architecture> {
    let by_name = root.has("architectures");
    let key = if by_name { "architectures" } else { "model_type" };
    let stated = root.entries().find(|(name, _)| *name == key).map(|(_, value)| value);
    let name = stated.map(|value| if by_name { &value[0] } else { value });
    match name.and_then(Value::as_str) {
        Some("Qwen3OmniMoeForConditionalGeneration" | "qwen3_omni_moe") => Ok(Architecture::Omni),
        Some("Qwen3ForCausalLM" | "qwen3") => Ok(Architecture::Dense),
        _ => {
            let expected = "Qwen3OmniMoeForConditionalGeneration or Qwen3ForCausalLM";
            Err(root.error(key, expected, &stated.map_or("nothing".into(), shown)))
        }
    }
}

impl OmniConfig {
    fn read(root: &Fields<'_>) -> Result<Self> {
        let thinker_fields = root.object("thinker_config")?;
        let thinker = ThinkerConfig::read(&thinker_fields)?;
        let tokens = TokenIds::read(root, &thinker_fields, thinker.text.vocab_size)?;
        let speaks = root.or("enable_audio_output", true, Fields::flag)?;
        let speech = speaks.then(|| SpeechConfig::read(root, &thinker.text)).transpose()?;
        Ok(Self { thinker, speech, tokens })
    }
}

impl DenseConfig {
    fn read(root: &Fields<'_>) -> Result<Self> {
        let text = TextConfig::dense(root)?;
        let eos_token_ids = root.or("eos_token_id", Vec::new(), |f, key| f.ids(key, text.vocab_size))?;
        Ok(Self { text, eos_token_ids })
    }
}

impl ThinkerConfig {
    fn read(fields: &Fields<'_>) -> Result<Self> {
        let text = TextConfig::moe(&fields.object("text_config")?)?;
        Ok(Self {
            audio: AudioConfig::read(&fields.object("audio_config")?, text.hidden_size)?,
            vision: VisionConfig::read(&fields.object("vision_config")?, text.hidden_size, text.num_layers)?,
            position_id_per_seconds: fields.number("position_id_per_seconds", 1e-3..=1e6)? as f32,
            text,
        })
    }
}

impl SpeechConfig {
    fn read(root: &Fields<'_>, thinker: &TextConfig) -> Result<Self> {
        let talker = TalkerConfig::read(&root.object("talker_config")?, thinker)?;
        Ok(Self {
            code2wav: Code2WavConfig::read(&root.object("code2wav_config")?, &talker)?,
            talker,
            tts_pad: root.id("tts_pad_token_id", thinker.vocab_size)?,
            tts_bos: root.id("tts_bos_token_id", thinker.vocab_size)?,
            tts_eos: root.id("tts_eos_token_id", thinker.vocab_size)?,
        })
    }
}

impl TokenIds {
    fn read(root: &Fields<'_>, thinker: &Fields<'_>, vocab_size: usize) -> Result<Self> {
        let ids = Self {
            im_start: root.id("im_start_token_id", vocab_size)?,
            im_end: root.id("im_end_token_id", vocab_size)?,
            user: root.id("user_token_id", vocab_size)?,
            assistant: root.id("assistant_token_id", vocab_size)?,
            system: root.id("system_token_id", vocab_size)?,
            audio: thinker.id("audio_token_id", vocab_size)?,
            image: thinker.id("image_token_id", vocab_size)?,
            video: thinker.id("video_token_id", vocab_size)?,
            audio_start: thinker.id("audio_start_token_id", vocab_size)?,
            audio_end: thinker.id("audio_end_token_id", vocab_size)?,
            vision_start: thinker.id("vision_start_token_id", vocab_size)?,
            vision_end: thinker.id("vision_end_token_id", vocab_size)?,
        };
        for (key, id, others) in [
            ("image_token_id", ids.image, [ids.audio, ids.video]),
            ("video_token_id", ids.video, [ids.image, ids.audio]),
        ] {
            if others.contains(&id) {
                return Err(thinker.error(key, "an id that no other medium has", &id.to_string()));
            }
        }
        Ok(ids)
    }
}
