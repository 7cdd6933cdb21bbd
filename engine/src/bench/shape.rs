//! Sizes of published models by name, for random weights. Ids that only a prompt with media needs are any that lie in their
//! tables.

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::layers::mlp::MlpConfig;
use crate::model::config::{
    AudioConfig, Code2WavConfig, CodePredictorConfig, Config, DenseConfig, OmniConfig, SpeechConfig,
    TALKER_CONTROL_IDS, TalkerConfig, TextConfig, ThinkerConfig, TokenIds, VisionConfig,
};

/// The config of a named shape.
///
/// # Errors
/// `Error::Input` with the names that there are.
pub(super) fn config(name: &str) -> Result<Config> {
    let (base, layers) = match name.split_once(':') {
        Some((base, rest)) => (base, Some(layers(rest).ok_or_else(|| unknown(name))?)),
        None => (name, None),
    };
    match base {
        "qwen3-0.6b" => {
            let text = TextConfig { num_layers: layers.unwrap_or(28), ..QWEN3_0_6B };
            Ok(Config::Dense(DenseConfig { text, eos_token_ids: Vec::new() }))
        }
        "omni-30b-a3b" => Ok(Config::Omni(Box::new(omni(layers.unwrap_or(48))))),
        _ => Err(unknown(name)),
    }
}

fn unknown(name: &str) -> Error {
    Error::Input(format!(
        "there is no shape {name}; there are qwen3-0.6b and omni-30b-a3b, and both can end in :N-layers with N from 1 to 1024"
    ))
}

/// `4-layers`.
fn layers(text: &str) -> Option<usize> {
    let digits = text.strip_suffix("-layers").or_else(|| text.strip_suffix("-layer"))?;
    digits.parse().ok().filter(|n| (1..=1024).contains(n))
}

const QWEN3_0_6B: TextConfig = TextConfig {
    vocab_size: 151_936,
    hidden_size: 1024,
    num_layers: 28,
    num_heads: 16,
    num_kv_heads: 8,
    head_dim: 128,
    rms_norm_eps: 1e-6,
    rope_theta: 1e6,
    mrope_section: None,
    max_positions: 40_960,
    tie_word_embeddings: true,
    mlp: MlpConfig::Dense { intermediate_size: 3072 },
    attention_bias: false,
};

/// Qwen3-Omni-30B-A3B with so many layers in the thinker, and at most so many in every other stack.
fn omni(layers: usize) -> OmniConfig {
    let text = TextConfig {
        vocab_size: 152_064,
        hidden_size: 2048,
        num_layers: layers,
        num_heads: 32,
        num_kv_heads: 4,
        mrope_section: Some([24, 20, 20]),
        max_positions: 65_536,
        tie_word_embeddings: false,
        mlp: MlpConfig::Moe {
            num_experts: 128,
            top_k: 8,
            intermediate_size: 768,
            norm_topk_prob: true,
            shared_intermediate_size: None,
        },
        ..QWEN3_0_6B
    };
    let audio = AudioConfig {
        num_mel_bins: 128,
        hidden_size: 1280,
        num_layers: layers.min(32),
        num_heads: 20,
        ffn_size: 5120,
        conv_channels: 480,
        n_window: 50,
        n_window_infer: 800,
        output_size: 2048,
        max_positions: 1500,
    };
    let depth = layers.min(27);
    let vision = VisionConfig {
        num_layers: depth,
        hidden_size: 1152,
        num_heads: 16,
        ffn_size: 4304,
        in_channels: 3,
        patch_size: 16,
        temporal_patch_size: 2,
        spatial_merge_size: 2,
        num_positions: 48 * 48,
        output_size: 2048,
        deepstack_layers: [8, 16, 24].into_iter().filter(|&layer| layer < depth).collect(),
    };
    OmniConfig {
        speech: Some(speech(&text)),
        thinker: ThinkerConfig { text, audio, vision, position_id_per_seconds: 13.0 },
        tokens: TokenIds {
            im_start: 151_644,
            im_end: 151_645,
            user: 872,
            assistant: 77_091,
            system: 8948,
            audio: 151_675,
            image: 151_655,
            video: 151_656,
            audio_start: 151_669,
            audio_end: 151_670,
            vision_start: 151_652,
            vision_end: 151_653,
        },
    }
}

fn speech(thinker: &TextConfig) -> SpeechConfig {
    let layers = thinker.num_layers;
    let text = TextConfig {
        vocab_size: 2048 + TALKER_CONTROL_IDS,
        hidden_size: 1024,
        num_layers: layers.min(20),
        num_heads: 16,
        num_kv_heads: 2,
        mlp: MlpConfig::Moe {
            num_experts: 128,
            top_k: 6,
            intermediate_size: 384,
            norm_topk_prob: true,
            shared_intermediate_size: Some(768),
        },
        ..thinker.clone()
    };
    let code_predictor = CodePredictorConfig {
        text: TextConfig {
            vocab_size: 2048,
            num_layers: layers.min(5),
            tie_word_embeddings: false,
            ..QWEN3_0_6B
        },
        num_code_groups: 16,
    };
    SpeechConfig {
        talker: TalkerConfig {
            accept_hidden_layer: 24.min(layers - 1),
            num_code_groups: 16,
            thinker_hidden_size: thinker.hidden_size,
            projection_size: 2048,
            codec_pad_id: 2148,
            codec_bos_id: 2149,
            codec_eos_id: 2150,
            codec_nothink_id: 2155,
            codec_think_bos_id: 2156,
            codec_think_eos_id: 2157,
            speakers: BTreeMap::from([("ethan".into(), 2302)]),
            code_predictor,
            text,
        },
        code2wav: Code2WavConfig {
            num_quantizers: 16,
            codebook_size: 2048,
            hidden_size: 1024,
            num_layers: layers.min(8),
            num_heads: 16,
            num_kv_heads: 16,
            head_dim: 64,
            ffn_size: 3072,
            rms_norm_eps: 1e-5,
            rope_theta: 1e4,
            sliding_window: 72,
            decoder_dim: 1536,
            upsampling_ratios: vec![2, 2],
            upsample_rates: vec![8, 5, 4, 3],
        },
        tts_pad: 151_671,
        tts_bos: 151_672,
        tts_eos: 151_673,
    }
}
