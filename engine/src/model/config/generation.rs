//! `generation_config.json`: how each stage samples and when it stops.

use std::path::Path;

use serde_json::{Value, json};

use super::{
    Config,
    fields::{COUNT, Fields},
};
use crate::{error::Result, files::read_json_optional};

/// How a stage picks a token from its logits.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sampling {
    /// Whether to draw; otherwise the likeliest token is taken and the rest below plays no part but the penalty.
    pub(crate) do_sample: bool,
    /// Divides the logits; above 0.
    pub(crate) temperature: f32,
    /// How many of the likeliest tokens stay; 0 keeps all.
    pub(crate) top_k: usize,
    /// The likeliest tokens that together reach this probability stay; 1 keeps all.
    pub(crate) top_p: f32,
    /// Divides positive and multiplies negative logits of tokens already given; 1 changes nothing.
    pub(crate) repetition_penalty: f32,
}

/// How the stages sample and stop. Each value is the file's, or the published default.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct GenerationConfig {
    /// Of text.
    pub(crate) thinker: Sampling,
    /// Of each frame's first code.
    pub(crate) talker: Sampling,
    /// Of each frame's other codes.
    pub(crate) code_predictor: Sampling,
    /// Limit of text tokens in one answer.
    pub(crate) max_new_tokens: usize,
    /// Limit of sampled first codes in one answer.
    pub(crate) talker_max_new_tokens: usize,
    /// Tokens that end an answer; may be empty for a dense model whose files name none.
    pub(crate) eos_token_ids: Vec<u32>,
}

impl GenerationConfig {
    /// Reads the file in the checkpoint's folder; defaults for what it leaves out, or where there is none.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub(crate) fn load(dir: &Path, config: &Config) -> Result<Self> {
        let path = dir.join("generation_config.json");
        Self::read(&path, &read_json_optional(&path)?.unwrap_or_else(|| json!({})), config)
    }

    /// What the file `path` says. Errors as [`Config::load`].
    pub(crate) fn read(path: &Path, json: &Value, config: &Config) -> Result<Self> {
        let fields = Fields::root(path, json)?;
        let defaults =
            Sampling { do_sample: true, temperature: 1.0, top_k: 50, top_p: 1.0, repetition_penalty: 1.0 };
        let thinker = Sampling { temperature: 0.6, top_k: 20, top_p: 0.95, ..defaults };
        let talker = Sampling { temperature: 0.9, repetition_penalty: 1.05, ..defaults };
        let talker = Sampling::read(&fields, "talker_", talker)?;
        // The predictor follows the talker when that is made greedy.
        let code_predictor = Sampling { top_p: 0.8, do_sample: talker.do_sample, ..defaults };
        let limit = |key, default| fields.or(key, default, |f, key| f.size(key, 1..=1 << 24));
        let eos = match config {
            Config::Omni(omni) => vec![omni.tokens.im_end],
            Config::Dense(dense) => dense.eos_token_ids.clone(),
        };
        Ok(Self {
            thinker: Sampling::read(&fields, "", thinker)?,
            talker,
            code_predictor,
            max_new_tokens: limit("max_new_tokens", 1024)?,
            talker_max_new_tokens: limit("talker_max_new_tokens", 4096)?,
            eos_token_ids: fields.or("eos_token_id", eos, |f, key| f.ids(key, config.text().vocab_size))?,
        })
    }
}

impl Sampling {
    fn read(fields: &Fields<'_>, prefix: &str, default: Self) -> Result<Self> {
        let number = |key: &str, default: f32, range| {
            let key = format!("{prefix}{key}");
            fields.or(&key, default, |f, key| Ok(f.number(key, range)? as f32))
        };
        let top_k = format!("{prefix}top_k");
        Ok(Self {
            do_sample: fields.or(&format!("{prefix}do_sample"), default.do_sample, Fields::flag)?,
            temperature: number("temperature", default.temperature, 1e-3..=100.0)?,
            top_k: fields.or(&top_k, default.top_k, |f, key| f.size(key, 0..=COUNT.end() << 10))?,
            top_p: number("top_p", default.top_p, 1e-6..=1.0)?,
            repetition_penalty: number("repetition_penalty", default.repetition_penalty, 0.01..=100.0)?,
        })
    }
}
