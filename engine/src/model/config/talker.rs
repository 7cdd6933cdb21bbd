//! Sizes and ids of the parts that speak: talker, code predictor and code2wav.

use std::collections::BTreeMap;

use serde_json::json;

use super::{
    encoders::exactly,
    fields::{COUNT, Fields, LAYERS, POSITIONS, VOCAB, WIDTH, shown},
    text::{Rope, TextConfig, kv_heads, norm_eps},
};
use crate::error::Result;
use crate::layers::mlp::MlpConfig;

/// Ids at the end of the talker's vocabulary that are no codes; all but the end of speech are never sampled.
pub(crate) const TALKER_CONTROL_IDS: usize = 1024;

/// The talker, which gives the first code of each frame, and its code predictor.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TalkerConfig {
    /// The talker's decoder, with a shared expert in every layer.
    pub(crate) text: TextConfig,
    /// The thinker's layer whose input is the talker's view of sound and pictures, below the thinker's layer count.
    pub(crate) accept_hidden_layer: usize,
    /// Codes of a frame.
    pub(crate) num_code_groups: usize,
    /// Width of the thinker's rows.
    pub(crate) thinker_hidden_size: usize,
    /// Inner width of the two projections from the thinker's width to the talker's.
    pub(crate) projection_size: usize,
    /// The row that stands where a text has no code yet.
    pub(crate) codec_pad_id: u32,
    /// Begins the codes.
    pub(crate) codec_bos_id: u32,
    /// Ends the codes.
    pub(crate) codec_eos_id: u32,
    /// Says that no thinking precedes the speech.
    pub(crate) codec_nothink_id: u32,
    /// Begins the part that names the speaker.
    pub(crate) codec_think_bos_id: u32,
    /// Ends the part that names the speaker.
    pub(crate) codec_think_eos_id: u32,
    /// Ids of the voices by lower-case name; at least one.
    pub(crate) speakers: BTreeMap<String, u32>,
    /// Gives the other codes of each frame.
    pub(crate) code_predictor: CodePredictorConfig,
}

impl TalkerConfig {
    pub(super) fn read(fields: &Fields<'_>, thinker: &TextConfig) -> Result<Self> {
        let text_fields = fields.object("text_config")?;
        let text = TextConfig::moe(&text_fields)?;
        if let MlpConfig::Moe { shared_intermediate_size: None, .. } = text.mlp {
            return Err(text_fields.error("shared_expert_intermediate_size", "a positive number", "none"));
        }
        text_fields.size("vocab_size", TALKER_CONTROL_IDS + 1..=*VOCAB.end())?;
        let num_code_groups = fields.size("num_code_groups", 2..=*COUNT.end())?;
        let code_predictor = CodePredictorConfig::read(
            &fields.object("code_predictor_config")?,
            num_code_groups,
            text.hidden_size,
        )?;
        let vocab = text.vocab_size;
        Ok(Self {
            accept_hidden_layer: fields.size("accept_hidden_layer", 0..=thinker.num_layers - 1)?,
            num_code_groups,
            thinker_hidden_size: exactly(fields, "thinker_hidden_size", thinker.hidden_size)?,
            projection_size: text_fields.size("intermediate_size", WIDTH)?,
            codec_pad_id: fields.id("codec_pad_id", vocab)?,
            codec_bos_id: fields.id("codec_bos_id", vocab)?,
            codec_eos_id: fields.id("codec_eos_token_id", vocab)?,
            codec_nothink_id: fields.id("codec_nothink_id", vocab)?,
            codec_think_bos_id: fields.id("codec_think_bos_id", vocab)?,
            codec_think_eos_id: fields.id("codec_think_eos_id", vocab)?,
            speakers: speakers(fields, vocab)?,
            code_predictor,
            text,
        })
    }

    /// Values of a frame's first code.
    pub(crate) fn num_codes(&self) -> usize {
        self.text.vocab_size - TALKER_CONTROL_IDS
    }
}

fn speakers(fields: &Fields<'_>, vocab_size: usize) -> Result<BTreeMap<String, u32>> {
    let table = fields.object("speaker_id")?;
    let mut speakers = BTreeMap::new();
    for (name, value) in table.entries() {
        let id = table.id(name, vocab_size)?;
        if speakers.insert(name.to_lowercase(), id).is_some() {
            return Err(table.error(name, "a name that no other spelling repeats", &shown(value)));
        }
    }
    if speakers.is_empty() {
        return Err(fields.error("speaker_id", "at least one speaker", "none"));
    }
    Ok(speakers)
}

/// The decoder that gives all codes of a frame but the first.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CodePredictorConfig {
    /// Its decoder, as wide as the talker, with one embedding table and one head for each code but the first.
    pub(crate) text: TextConfig,
    /// Codes of a frame.
    pub(crate) num_code_groups: usize,
}

impl CodePredictorConfig {
    fn read(fields: &Fields<'_>, num_code_groups: usize, talker_size: usize) -> Result<Self> {
        exactly(fields, "hidden_size", talker_size)?;
        let num_code_groups = exactly(fields, "num_code_groups", num_code_groups)?;
        Ok(Self { text: TextConfig::dense(fields)?, num_code_groups })
    }
}

/// The decoder from codes to sound.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Code2WavConfig {
    /// Codes of a frame.
    pub(crate) num_quantizers: usize,
    /// Values of a code.
    pub(crate) codebook_size: usize,
    /// Width of the transformer.
    pub(crate) hidden_size: usize,
    /// Transformer layers.
    pub(crate) num_layers: usize,
    /// Query heads; a multiple of `num_kv_heads`.
    pub(crate) num_heads: usize,
    /// Key and value heads.
    pub(crate) num_kv_heads: usize,
    /// Width of a head, even.
    pub(crate) head_dim: usize,
    /// Width of a layer's SwiGLU.
    pub(crate) ffn_size: usize,
    /// Added to the mean square in RMS norms.
    pub(crate) rms_norm_eps: f32,
    /// Base of the rotary frequencies.
    pub(crate) rope_theta: f64,
    /// Frames that a frame sees, itself included.
    pub(crate) sliding_window: usize,
    /// Channels of the first convolution of the decoder; halved by each of its blocks.
    pub(crate) decoder_dim: usize,
    /// Factors of the stages between transformer and decoder.
    pub(crate) upsampling_ratios: Vec<usize>,
    /// Factors of the decoder's blocks.
    pub(crate) upsample_rates: Vec<usize>,
}

impl Code2WavConfig {
    pub(super) fn read(fields: &Fields<'_>, talker: &TalkerConfig) -> Result<Self> {
        fields.only("hidden_act", &json!("silu"))?;
        fields.only("attention_bias", &json!(false))?;
        let hidden_size = fields.size("hidden_size", WIDTH)?;
        let num_heads = fields.size("num_attention_heads", COUNT)?;
        let head_dim =
            fields.or("head_dim", hidden_size / num_heads, |f, key| f.size(key, 2..=*COUNT.end()))?;
        if head_dim == 0 || !head_dim.is_multiple_of(2) {
            let expected = format!("a number that makes even heads of the width {hidden_size}");
            return Err(fields.error("num_attention_heads", &expected, &num_heads.to_string()));
        }
        let codes = talker.num_codes().max(talker.code_predictor.text.vocab_size);
        let upsampling_ratios = factors(fields, "upsampling_ratios")?;
        let upsample_rates = factors(fields, "upsample_rates")?;
        let decoder_dim = fields.size("decoder_dim", WIDTH)?;
        if !decoder_dim.is_multiple_of(1 << upsample_rates.len()) {
            let expected = format!("a number that can be halved {} times", upsample_rates.len());
            return Err(fields.error("decoder_dim", &expected, &decoder_dim.to_string()));
        }
        Ok(Self {
            num_quantizers: exactly(fields, "num_quantizers", talker.num_code_groups)?,
            codebook_size: fields.size("codebook_size", codes..=1 << 20)?,
            hidden_size,
            num_layers: fields.size("num_hidden_layers", LAYERS)?,
            num_heads,
            num_kv_heads: kv_heads(fields, num_heads)?,
            head_dim,
            ffn_size: fields.size("intermediate_size", WIDTH)?,
            rms_norm_eps: norm_eps(fields)?,
            rope_theta: Rope::read(fields, head_dim)?.theta,
            sliding_window: fields.size("sliding_window", POSITIONS)?,
            decoder_dim,
            upsampling_ratios,
            upsample_rates,
        })
    }

    /// Samples of a frame.
    pub(crate) fn samples_per_frame(&self) -> usize {
        self.upsampling_ratios.iter().chain(&self.upsample_rates).product()
    }
}

/// One to five factors of at most 64, so that the product of both lists fits 64 bits.
fn factors(fields: &Fields<'_>, key: &str) -> Result<Vec<usize>> {
    let factors = fields.sizes(key, 1..=64)?;
    if factors.is_empty() || factors.len() > 5 {
        return Err(fields.error(key, "one to five factors", &format!("{} of them", factors.len())));
    }
    Ok(factors)
}
