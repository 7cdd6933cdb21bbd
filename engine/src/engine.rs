//! A loaded checkpoint.

mod loading;
mod room;

pub(crate) use room::{Needs, ROWS_AT_ONCE};

use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::Value;

use crate::audio::mel::MelConfig;
use crate::error::{Error, Result};
use crate::executor::Executor;
use crate::image::ImageConfig;
use crate::model::Model;
use crate::model::audio_encoder::AudioEncoder;
use crate::model::config::{Config, GenerationConfig, PreprocessorConfig, SpeechConfig, TokenIds};
use crate::model::positions::MediaIds;
use crate::model::vision_encoder::VisionEncoder;
use crate::settings::{Device, Format, Options, Settings};
use crate::text::{ChatTemplate, Tokenizer};
use crate::weights::{Checkpoint, Reach, ReadAhead, refuse_gguf};
use loading::Placed;
pub(crate) use loading::plan;
pub use loading::{Host, LoadTimes, Progress};

/// Rate of code2wav's sound; no config names it.
pub(crate) const SPEECH_RATE_HZ: u32 = 24_000;

/// The voice that the published checkpoints take where none is named.
const DEFAULT_VOICE: &str = "ethan";

/// What a loaded checkpoint is and can do.
#[derive(Clone, Debug)]
pub struct Info {
    /// Folder's name.
    pub name: String,
    /// `cpu (2 threads, avx512)` or the adapter's name.
    pub device: String,
    /// Why it runs on the processor, where a graphics processor was welcome.
    pub fallback: Option<String>,
    /// Names of the voices, the default first; empty when it cannot speak.
    pub voices: Vec<String>,
    /// Whether it takes sound.
    pub hears: bool,
    /// Whether it takes pictures and video.
    pub sees: bool,
    /// Rate of its speech.
    pub sample_rate_hz: u32,
    /// Bytes of weights as the checkpoint stores them.
    pub weight_bytes: u64,
    /// Most tokens of a conversation.
    pub context_tokens: usize,
    /// Time that loading took.
    pub load_ms: f64,
    /// What most of it went to.
    pub load_times: LoadTimes,
}

/// A loaded checkpoint: weights in place on a device, tokenizer and chat template.
pub struct Engine {
    info: Info,
    folder: PathBuf,
    options: Options,
    host: Host,
    /// The format that the checkpoint was imported in, where it was.
    imported: Option<Format>,
    /// Reads on what is used where it is stored.
    ahead: Option<ReadAhead>,
    /// What is wrong with the model in place, if its work shows that something is.
    broken: Option<String>,
    pub(crate) executor: Executor,
    pub(crate) model: Model,
    pub(crate) config: Config,
    pub(crate) generation: GenerationConfig,
    preprocessor: Option<PreprocessorConfig>,
    pub(crate) tokenizer: Tokenizer,
    pub(crate) template: ChatTemplate,
}

impl Engine {
    /// Opens a checkpoint folder in the published layout.
    ///
    /// # Errors
    /// `Error::Io`, `Error::Checkpoint`, `Error::Tensor` and `Error::Config` name the file and what is wrong with it;
    /// `Error::Device` says why the device cannot be used.
    pub fn load(folder: &Path, options: &Options) -> Result<Engine> {
        Engine::load_with(folder, options, &Host::default())
    }

    /// As [`Engine::load`], with what the program around the engine lends it.
    ///
    /// # Errors
    /// As [`Engine::load`].
    pub fn load_with(folder: &Path, options: &Options, host: &Host) -> Result<Engine> {
        let begun = Instant::now();
        refuse_gguf(folder, Reach::Values)?;
        if !folder.is_dir() {
            let source = std::io::Error::new(std::io::ErrorKind::NotFound, "no such folder");
            return Err(Error::Io { path: folder.to_owned(), source });
        }
        if !folder.join("config.json").exists() {
            let reason = "no checkpoint: there is no config.json in this folder; give the one with config.json, the tokenizer's \
                          files and the .safetensors shards";
            return Err(Error::Checkpoint { path: folder.to_owned(), reason: reason.into() });
        }
        let config = Config::load(folder)?;
        let generation = GenerationConfig::load(folder, &config)?;
        let preprocessor = match &config {
            Config::Omni(omni) => Some(PreprocessorConfig::load(folder, &omni.thinker)?),
            Config::Dense(_) => None,
        };
        let tokenizer = Tokenizer::load(folder)?;
        let template = ChatTemplate::load(folder)?;
        let checkpoint = Checkpoint::open(folder)?;
        let name = loading::name(folder);
        let (weight_bytes, imported) = (checkpoint.total_bytes() as u64, checkpoint.imported());
        let Placed { executor, fallback, model, times, ahead } =
            loading::place(&name, checkpoint, &config, options, host)?;

        let most = config.text().max_positions;
        let info = Info {
            name,
            device: executor.description(),
            fallback,
            voices: voices(&config),
            hears: model.audio_encoder.is_some(),
            sees: model.vision_encoder.is_some(),
            sample_rate_hz: SPEECH_RATE_HZ,
            weight_bytes,
            context_tokens: options.context_tokens.map_or(most, |tokens| tokens.clamp(1, most)),
            load_ms: begun.elapsed().as_secs_f64() * 1e3,
            load_times: times,
        };
        Ok(Engine {
            info,
            folder: folder.to_owned(),
            options: options.clone(),
            host: host.clone(),
            imported,
            ahead,
            broken: None,
            executor,
            model,
            config,
            generation,
            preprocessor,
            tokenizer,
            template,
        })
    }

    /// The same checkpoint as it is stored, in memory of its own and kept to f32, to compare with.
    ///
    /// # Errors
    /// As [`Engine::load`].
    pub(crate) fn as_stored(&self) -> Result<Engine> {
        Engine::load(&self.folder, &Options { exact: true, format: None, ..self.options.clone() })
    }

    /// The format of blocks that its weights are held in, where it is one.
    pub(crate) fn quantised(&self) -> Option<Format> {
        self.options.format.or(self.imported).filter(|format| format.is_quantised())
    }

    /// Whether nothing more exact than its weights is in its files.
    pub(crate) fn is_imported(&self) -> bool {
        self.imported.is_some_and(Format::is_quantised)
    }

    /// Waits until all weights are in memory, where they are used where they are stored and read in the background.
    pub fn finish_reading(&self) {
        if let Some(ahead) = &self.ahead {
            ahead.finish();
        }
    }

    /// Why nothing can be run any more until the model is placed anew, if that is so.
    pub fn fault(&self) -> Option<String> {
        self.broken.clone().or_else(|| self.executor.loss())
    }

    /// Takes note that the model in place does not work, as `error` says.
    pub(crate) fn give_up(&mut self, error: &Error) {
        self.broken = Some(error.to_string());
    }

    /// Opens a device and places the weights there, as [`Engine::load`] did. Nothing of the old device's memory is left: whoever
    /// holds programs made on it must drop them before.
    ///
    /// # Errors
    /// As [`Engine::load`]; there is still a fault then.
    pub(crate) fn rebuild(&mut self) -> Result<()> {
        let begun = Instant::now();
        self.release()?;
        let checkpoint = Checkpoint::open(&self.folder)?;
        let placed = loading::place(&self.info.name, checkpoint, &self.config, &self.options, &self.host)?;
        Placed {
            executor: self.executor,
            fallback: self.info.fallback,
            model: self.model,
            times: self.info.load_times,
            ahead: self.ahead,
        } = placed;
        self.info.device = self.executor.description();
        self.info.load_ms = begun.elapsed().as_secs_f64() * 1e3;
        self.broken = None;
        Ok(())
    }

    /// Gives back the memory of everything on the device, which is a fault until the model is placed anew. Whoever holds programs
    /// made on it must drop them before.
    ///
    /// # Errors
    /// `Error::Device` where the system gives no thread.
    pub(crate) fn release(&mut self) -> Result<()> {
        self.broken = Some("the model is not in place".into());
        let nowhere = Options { device: Device::Cpu, threads: 1, ..Options::default() };
        (self.executor, _) = Executor::open(&nowhere, None)?;
        self.ahead = None;
        Ok(())
    }

    /// For tests: loses the device with the `submissions`th piece of work that it is given from now on, as a driver does that is
    /// reset. Nothing on the processor.
    pub fn lose_device_after(&self, submissions: u64) {
        self.executor.lose_after(submissions);
    }

    /// What it is and can do.
    pub fn info(&self) -> &Info {
        &self.info
    }

    pub(crate) fn audio_encoder(&self) -> Result<&AudioEncoder> {
        self.model.audio_encoder.as_ref().ok_or_else(|| self.cannot("hear: give it text"))
    }

    /// The audio encoder, and what it runs on.
    pub(crate) fn hearing(&mut self) -> Result<(&AudioEncoder, &mut Executor)> {
        match &self.model.audio_encoder {
            Some(encoder) => Ok((encoder, &mut self.executor)),
            None => Err(self.cannot("hear: give it text")),
        }
    }

    /// The vision encoder, and what it runs on.
    pub(crate) fn seeing(&mut self) -> Result<(&VisionEncoder, &mut Executor)> {
        match &self.model.vision_encoder {
            Some(encoder) => Ok((encoder, &mut self.executor)),
            None => Err(self.cannot("see: give it text")),
        }
    }

    pub(crate) fn vision_encoder(&self) -> Result<&VisionEncoder> {
        self.model.vision_encoder.as_ref().ok_or_else(|| self.cannot("see: give it text"))
    }

    fn cannot(&self, what: &str) -> Error {
        Error::Input(format!("the checkpoint {} cannot {what}", self.info.name))
    }

    /// The ids that prompts with media are made of.
    ///
    /// # Errors
    /// `Error::Input` for a checkpoint that only reads text.
    pub(crate) fn tokens(&self) -> Result<&TokenIds> {
        match &self.config {
            Config::Omni(omni) => Ok(&omni.tokens),
            Config::Dense(_) => Err(self.cannot("take sound or pictures: give it text")),
        }
    }

    pub(crate) fn media_ids(&self) -> MediaIds {
        match &self.config {
            Config::Omni(omni) => {
                MediaIds { audio: omni.tokens.audio, image: omni.tokens.image, video: omni.tokens.video }
            }
            Config::Dense(_) => MediaIds { audio: u32::MAX, image: u32::MAX, video: u32::MAX },
        }
    }

    pub(crate) fn positions_per_second(&self) -> f32 {
        match &self.config {
            Config::Omni(omni) => omni.thinker.position_id_per_seconds,
            Config::Dense(_) => 0.0,
        }
    }

    /// Text of a single token.
    pub(crate) fn token_text(&self, id: u32) -> String {
        self.tokenizer.decode(&[id])
    }

    /// Tokens that end an answer.
    pub(crate) fn stop_ids(&self) -> &[u32] {
        &self.generation.eos_token_ids
    }

    /// Most frames of an answer's speech.
    pub(crate) fn max_frames(&self) -> usize {
        // The last code sampled at the limit makes no frame.
        self.generation.talker_max_new_tokens - 1
    }

    /// The tokens with which an answer begins: `<|im_start|>`, `assistant` and a line break.
    pub(crate) fn assistant_role(&self) -> Result<[u32; 3]> {
        let tokens = self.tokens()?;
        let line_break = self.tokenizer.encode("\n")?;
        Ok([tokens.im_start, tokens.assistant, line_break.first().copied().unwrap_or_default()])
    }

    /// The voice's id; the default voice's where none is named; `None` where the checkpoint cannot speak and none is named.
    ///
    /// # Errors
    /// `Error::Input` with the names that there are.
    pub(crate) fn speaker_id(&self, name: Option<&str>) -> Result<Option<u32>> {
        let Some(speech) = self.config.speech() else {
            return match name {
                None => Ok(None),
                Some(_) => Err(self.cannot("speak: leave the voice out")),
            };
        };
        let speakers = &speech.talker.speakers;
        let wanted = name.or(self.info.voices.first().map(String::as_str)).unwrap_or_default();
        match speakers.get(&wanted.to_lowercase()) {
            Some(&id) => Ok(Some(id)),
            None => Err(Error::Input(format!(
                "there is no voice {wanted}; the checkpoint has {}",
                self.info.voices.join(", ")
            ))),
        }
    }

    /// Lays out `messages` by the checkpoint's chat template.
    pub(crate) fn render(
        &self,
        messages: &[Value],
        settings: &Settings,
        generation_prompt: bool,
    ) -> Result<String> {
        let messages = Value::Array(messages.to_vec());
        self.template.render(&messages, settings.tools.as_ref(), generation_prompt, settings.thinking)
    }

    pub(crate) fn mel_config(&self) -> MelConfig {
        match &self.preprocessor {
            Some(p) => MelConfig {
                n_mels: p.num_mel_bins,
                n_fft: p.n_fft,
                hop_length: p.hop_length,
                sample_rate_hz: p.sample_rate_hz as u32,
            },
            None => MelConfig::default(),
        }
    }

    pub(crate) fn image_config(&self) -> ImageConfig {
        match &self.preprocessor {
            Some(p) => ImageConfig {
                patch_size: p.patch_size,
                temporal_patch_size: p.temporal_patch_size,
                merge_size: p.merge_size,
                min_pixels: p.min_pixels,
                max_pixels: p.max_pixels,
                mean: p.image_mean,
                std: p.image_std,
            },
            None => ImageConfig::default(),
        }
    }
}

impl Config {
    /// The parts that speak.
    pub(crate) fn speech(&self) -> Option<&SpeechConfig> {
        match self {
            Config::Omni(omni) => omni.speech.as_ref(),
            Config::Dense(_) => None,
        }
    }
}

/// Names of the voices, the default first.
fn voices(config: &Config) -> Vec<String> {
    let mut voices: Vec<String> =
        config.speech().map_or(Vec::new(), |s| s.talker.speakers.keys().cloned().collect());
    if let Some(at) = voices.iter().position(|voice| voice == DEFAULT_VOICE) {
        voices[..=at].rotate_right(1);
    }
    voices
}
