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
use config::{Config, Family};
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
        match &config.family {
            Family::Dense(text) => Ok(Model {
                thinker: Thinker::load(loader, text, None)?,
                audio_encoder: None,
                vision_encoder: None,
                voice: None,
            }),
            Family::Omni(omni) => {
                let accept = omni.talker.as_ref().map(|t| t.accept_hidden_layer);
                let mut thinker = loader.at("thinker");
                Ok(Model {
                    audio_encoder: Some(AudioEncoder::load(&mut thinker.at("audio_tower"), &omni.audio)?),
                    vision_encoder: Some(VisionEncoder::load(&mut thinker.at("visual"), &omni.vision)?),
                    thinker: Thinker::load(&mut thinker, &omni.text, accept)?,
                    voice: match (&omni.talker, &omni.code2wav) {
                        (Some(talker), Some(code2wav)) => {
                            let mut scope = loader.at("talker");
                            Some(Voice {
                                code_predictor: CodePredictor::load(
                                    &mut scope.at("code_predictor"),
                                    &talker.code_predictor,
                                )?,
                                talker: Talker::load(&mut scope, talker)?,
                                code2wav: Code2Wav::load(&mut loader.at("code2wav"), code2wav)?,
                            })
                        }
                        _ => None,
                    },
                })
            }
        }
    }
}
