//! The parts of a model that some stages need: no more is loaded, since the rest may not fit.

use super::Stage;
use crate::error::{Error, Result};
use crate::model::Voice;
use crate::model::audio_encoder::AudioEncoder;
use crate::model::code2wav::Code2Wav;
use crate::model::config::{Config, SpeechConfig};
use crate::model::thinker::Thinker;
use crate::model::vision_encoder::VisionEncoder;
use crate::recording::Buffer;
use crate::weights::Loader;

/// Which parts to load.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Needs {
    thinker: bool,
    audio_encoder: bool,
    vision_encoder: bool,
    voice: bool,
    code2wav: bool,
}

impl Needs {
    /// The parts that `stages` run.
    pub(super) fn of(stages: &[Stage]) -> Needs {
        let mut needs = Needs::default();
        for stage in stages {
            match stage {
                Stage::Prefill | Stage::Decode | Stage::Window => needs.thinker = true,
                Stage::AudioEncoder => needs.audio_encoder = true,
                Stage::VisionEncoder => needs.vision_encoder = true,
                Stage::TalkerFrame | Stage::Speech => needs.voice = true,
                Stage::Code2wav => needs.code2wav = true,
                Stage::FirstAudio => {
                    (needs.audio_encoder, needs.thinker, needs.voice) = (true, true, true);
                }
            }
        }
        needs
    }
}

/// What was loaded.
pub(super) struct Parts {
    pub(super) thinker: Option<Thinker>,
    pub(super) audio_encoder: Option<AudioEncoder>,
    pub(super) vision_encoder: Option<VisionEncoder>,
    pub(super) voice: Option<Voice>,
    /// By itself where there is no voice.
    code2wav: Option<Code2Wav>,
    /// The thinker's table, which the talker reads too.
    pub(super) embed_tokens: Option<Buffer>,
}

impl Parts {
    /// Loads what `needs` says, by the names of `Model::load`.
    pub(super) fn load(loader: &mut Loader<'_>, config: &Config, needs: Needs) -> Result<Parts> {
        let omni = match config {
            Config::Omni(omni) => Some(omni),
            Config::Dense(_) => None,
        };
        let mut scope = loader.at(if omni.is_some() { "thinker" } else { "" });
        let accept_layer = config.speech().map(|s| s.talker.accept_hidden_layer);
        let thinker =
            needs.thinker.then(|| Thinker::load(&mut scope, config.text(), accept_layer)).transpose()?;
        let embed_tokens = match &thinker {
            Some(thinker) => Some(thinker.embed_tokens),
            None if needs.voice => {
                let shape = [config.text().vocab_size, config.text().hidden_size];
                Some(scope.at("model.embed_tokens").kept().matrix("weight", shape)?)
            }
            None => None,
        };
        let audio_encoder = match omni.filter(|_| needs.audio_encoder) {
            Some(omni) => Some(AudioEncoder::load(&mut scope.at("audio_tower"), &omni.thinker.audio)?),
            None => None,
        };
        let vision_encoder = match omni.filter(|_| needs.vision_encoder) {
            Some(omni) => Some(VisionEncoder::load(&mut scope.at("visual"), &omni.thinker.vision)?),
            None => None,
        };
        let voice = match config.speech().filter(|_| needs.voice) {
            Some(speech) => Some(Voice::load(loader, speech)?),
            None => None,
        };
        let code2wav = match config.speech().filter(|_| needs.code2wav && !needs.voice) {
            Some(speech) => Some(Code2Wav::load(&mut loader.at("code2wav"), &speech.code2wav)?),
            None => None,
        };
        Ok(Parts { thinker, audio_encoder, vision_encoder, voice, code2wav, embed_tokens })
    }

    /// Code2wav, wherever it lies.
    pub(super) fn code2wav(&self) -> Option<&Code2Wav> {
        self.code2wav.as_ref().or(self.voice.as_ref().map(|voice| &voice.code2wav))
    }
}

/// The part, which a stage that was checked has.
pub(super) fn loaded<T>(part: Option<T>, name: &str) -> Result<T> {
    part.ok_or_else(|| Error::Input(format!("the weights of the {name} were not loaded")))
}

/// The config of what speaks.
pub(super) fn speech(config: &Config) -> Result<&SpeechConfig> {
    loaded(config.speech(), "talker")
}
