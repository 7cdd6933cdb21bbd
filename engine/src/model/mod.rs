//! The model's parts, as the checkpoint names them. Each records kernels; none knows what runs them.

pub(crate) mod audio_encoder;
pub(crate) mod code2wav;
pub(crate) mod code_predictor;
pub(crate) mod config;
pub(crate) mod positions;
pub(crate) mod talker;
pub(crate) mod thinker;
pub(crate) mod vision_encoder;
