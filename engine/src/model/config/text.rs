//! Sizes of a text decoder: the thinker, the talker, the code predictor or a dense Qwen3.

use serde_json::json;

use super::fields::{COUNT, Fields, LAYERS, POSITIONS, VOCAB, WIDTH};
use crate::error::Result;
use crate::layers::attention::AttentionConfig;
use crate::layers::decoder::DecoderConfig;
use crate::layers::mlp::MlpConfig;

/// A stack of decoder layers with grouped-query attention, rotary positions and RMS norms.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TextConfig {
    /// Rows of the embedding table.
    pub(crate) vocab_size: usize,
    /// Width of the residual stream.
    pub(crate) hidden_size: usize,
    /// Decoder layers.
    pub(crate) num_layers: usize,
    /// Query heads; a multiple of `num_kv_heads`.
    pub(crate) num_heads: usize,
    /// Key and value heads.
    pub(crate) num_kv_heads: usize,
    /// Width of a head, even. The heads together need not be as wide as the residual stream.
    pub(crate) head_dim: usize,
    /// Added to the mean square in RMS norms.
    pub(crate) rms_norm_eps: f32,
    /// Base of the rotary frequencies.
    pub(crate) rope_theta: f64,
    /// Frequencies of the time, height and width axes, together `head_dim / 2`; `None` where positions have one axis.
    pub(crate) mrope_section: Option<[usize; 3]>,
    /// Positions that the model was made for.
    pub(crate) max_positions: usize,
    /// Whether the output head is the embedding table.
    pub(crate) tie_word_embeddings: bool,
    /// The block after attention, the same in every layer.
    pub(crate) mlp: MlpConfig,
    /// Whether the attention projections have biases.
    pub(crate) attention_bias: bool,
}

impl TextConfig {
    /// A decoder with dense blocks and positions of one axis.
    pub(super) fn dense(fields: &Fields<'_>) -> Result<Self> {
        let mlp = MlpConfig::Dense { intermediate_size: fields.size("intermediate_size", WIDTH)? };
        let config = Self::read(fields, mlp)?;
        Ok(Self { mrope_section: None, ..config })
    }

    /// A decoder with experts and positions of three axes.
    pub(super) fn moe(fields: &Fields<'_>) -> Result<Self> {
        fields.only("decoder_sparse_step", &json!(1))?;
        fields.only("mlp_only_layers", &json!([]))?;
        let num_experts = fields.size(fields.either("num_local_experts", "num_experts"), COUNT)?;
        let shared = "shared_expert_intermediate_size";
        let shared = fields.or(shared, 0, |f, key| f.size(key, 0..=*WIDTH.end()))?;
        let mlp = MlpConfig::Moe {
            num_experts,
            top_k: fields.size("num_experts_per_tok", 1..=num_experts)?,
            intermediate_size: fields.size("moe_intermediate_size", WIDTH)?,
            norm_topk_prob: fields.flag("norm_topk_prob")?,
            shared_intermediate_size: (shared > 0).then_some(shared),
        };
        let config = Self::read(fields, mlp)?;
        if config.mrope_section.is_none() {
            let expected = "mrope_section with frequencies of time, height and width";
            return Err(fields.error(fields.either("rope_parameters", "rope_scaling"), expected, "none"));
        }
        Ok(config)
    }

    fn read(fields: &Fields<'_>, mlp: MlpConfig) -> Result<Self> {
        fields.only("hidden_act", &json!("silu"))?;
        fields.only("use_sliding_window", &json!(false))?;
        let num_layers = fields.size("num_hidden_layers", LAYERS)?;
        fields.only("layer_types", &json!(vec!["full_attention"; num_layers]))?;
        let num_heads = fields.size("num_attention_heads", COUNT)?;
        let head_dim = even_head_dim(fields)?;
        let rope = Rope::read(fields, head_dim)?;
        Ok(Self {
            vocab_size: fields.size("vocab_size", VOCAB)?,
            hidden_size: fields.size("hidden_size", WIDTH)?,
            num_layers,
            num_heads,
            num_kv_heads: kv_heads(fields, num_heads)?,
            head_dim,
            rms_norm_eps: norm_eps(fields)?,
            rope_theta: rope.theta,
            mrope_section: rope.mrope_section,
            max_positions: fields.size("max_position_embeddings", POSITIONS)?,
            tie_word_embeddings: fields.or("tie_word_embeddings", false, Fields::flag)?,
            mlp,
            attention_bias: fields.or("attention_bias", false, Fields::flag)?,
        })
    }
}

/// Key and value heads, which divide the query heads.
pub(super) fn kv_heads(fields: &Fields<'_>, num_heads: usize) -> Result<usize> {
    let key = "num_key_value_heads";
    let kv_heads = fields.or(key, num_heads, |f, key| f.size(key, COUNT))?;
    if !num_heads.is_multiple_of(kv_heads) {
        let expected = format!("a divisor of the {num_heads} attention heads");
        return Err(fields.error(key, &expected, &kv_heads.to_string()));
    }
    Ok(kv_heads)
}

/// `rms_norm_eps`, positive.
pub(super) fn norm_eps(fields: &Fields<'_>) -> Result<f32> {
    Ok(fields.number("rms_norm_eps", 1e-12..=0.1)? as f32)
}

fn even_head_dim(fields: &Fields<'_>) -> Result<usize> {
    let head_dim = fields.size("head_dim", 2..=*COUNT.end())?;
    if !head_dim.is_multiple_of(2) {
        return Err(fields.error("head_dim", "an even number", &head_dim.to_string()));
    }
    Ok(head_dim)
}

/// Rotary positions in either spelling: `rope_parameters`, or `rope_theta` beside `rope_scaling`.
pub(super) struct Rope {
    pub(super) theta: f64,
    mrope_section: Option<[usize; 3]>,
}

impl Rope {
    pub(super) fn read(fields: &Fields<'_>, head_dim: usize) -> Result<Self> {
        let parameters = fields.optional_object(fields.either("rope_parameters", "rope_scaling"))?;
        let mut mrope_section = None;
        if let Some(parameters) = &parameters {
            parameters.only(parameters.either("rope_type", "type"), &json!("default"))?;
            if parameters.has("mrope_section") {
                mrope_section = Some(section(parameters, head_dim)?);
            }
        }
        let holder = parameters.as_ref().filter(|parameters| parameters.has("rope_theta")).unwrap_or(fields);
        Ok(Self { theta: holder.number("rope_theta", 1.0..=1e12)?, mrope_section })
    }
}

fn section(fields: &Fields<'_>, head_dim: usize) -> Result<[usize; 3]> {
    let key = "mrope_section";
    let sizes = fields.sizes(key, 0..=head_dim)?;
    let section: Option<[usize; 3]> = sizes.as_slice().try_into().ok();
    section.filter(|s| s.iter().sum::<usize>() == head_dim / 2).ok_or_else(|| {
        let expected = format!("three sizes that sum to half of head_dim, {}", head_dim / 2);
        fields.error(key, &expected, &format!("{sizes:?}"))
    })
}

impl From<&TextConfig> for DecoderConfig {
    fn from(config: &TextConfig) -> DecoderConfig {
        DecoderConfig {
            num_layers: config.num_layers,
            attention: AttentionConfig {
                hidden_size: config.hidden_size,
                heads: config.num_heads,
                kv_heads: config.num_kv_heads,
                head_dim: config.head_dim,
                qk_norm_eps: Some(config.rms_norm_eps),
                bias: config.attention_bias,
                window: None,
            },
            mlp: config.mlp.clone(),
            rms_norm_eps: config.rms_norm_eps,
            layer_scale: false,
        }
    }
}
