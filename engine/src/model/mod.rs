//! The model's parts, as the checkpoint names them. Each records kernels; none knows what runs them.

pub(crate) mod audio_encoder;
pub(crate) mod code2wav;
pub(crate) mod code_predictor;
pub(crate) mod config;
pub(crate) mod positions;
pub(crate) mod talker;
pub(crate) mod thinker;
pub(crate) mod vision_encoder;

use audio_encoder::AudioEncoder;
use code_predictor::CodePredictor;
use code2wav::Code2Wav;
use config::{Config, SpeechConfig};
use talker::Talker;
use thinker::Thinker;
use vision_encoder::VisionEncoder;

use crate::error::Result;
use crate::weights::Loader;

/// What speaks: absent from checkpoints that only write.
#[derive(Debug)]
pub(crate) struct Voice {
    pub(crate) talker: Talker,
    pub(crate) code_predictor: CodePredictor,
    pub(crate) code2wav: Code2Wav,
}

impl Voice {
    /// Loads `talker.…` and `code2wav.…` under the loader's scope.
    pub(crate) fn load(loader: &mut Loader<'_>, config: &SpeechConfig) -> Result<Voice> {
        let mut scope = loader.at("talker");
        Ok(Voice {
            code_predictor: CodePredictor::load(
                &mut scope.at("code_predictor"),
                &config.talker.code_predictor,
            )?,
            talker: Talker::load(&mut scope, &config.talker)?,
            code2wav: Code2Wav::load(&mut loader.at("code2wav"), &config.code2wav)?,
        })
    }
}

/// All parts of a checkpoint.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) thinker: Thinker,
    pub(crate) audio_encoder: Option<AudioEncoder>,
    pub(crate) vision_encoder: Option<VisionEncoder>,
    pub(crate) voice: Option<Voice>,
}

impl Model {
    /// Places all weights that `config` names.
    ///
    /// # Errors
    /// `Error::Tensor` for a weight that is missing or does not fit.
    pub(crate) fn load(loader: &mut Loader<'_>, config: &Config) -> Result<Model> {
        let omni = match config {
            Config::Dense(dense) => {
                let thinker = Thinker::load(loader, &dense.text, None)?;
                return Ok(Model { thinker, audio_encoder: None, vision_encoder: None, voice: None });
            }
            Config::Omni(omni) => omni,
        };
        let accept_layer = omni.speech.as_ref().map(|s| s.talker.accept_hidden_layer);
        let mut scope = loader.at("thinker");
        let audio_encoder = Some(AudioEncoder::load(&mut scope.at("audio_tower"), &omni.thinker.audio)?);
        let vision_encoder = Some(VisionEncoder::load(&mut scope.at("visual"), &omni.thinker.vision)?);
        let thinker = Thinker::load(&mut scope, &omni.thinker.text, accept_layer)?;
        let voice = match &omni.speech {
            Some(speech) => Some(Voice::load(loader, speech)?),
            None => None,
        };
        Ok(Model { thinker, audio_encoder, vision_encoder, voice })
    }
}
