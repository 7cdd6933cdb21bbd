//! How large a checkpoint is: the published sizes, or a part of them.

use serde_json::{Value, json};

use super::tensors;

/// Ids that sounds have beside the codes, counted from the last code on, as in the published config.
const PAD: usize = 100;
const SPEAKERS: [(&str, usize); 3] = [("chelsie", 253), ("ethan", 254), ("aiden", 255)];

/// Sizes of a checkpoint. Whatever is not here is as published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// By what all widths and the vocabulary are divided: 1, 2, 4, 8, 16 or 32. Heads keep their width and are fewer.
    pub divisor: usize,
    /// Layers of the thinker.
    pub layers: usize,
    /// Experts of a layer, in the thinker and the talker.
    pub experts: usize,
}

impl Sizes {
    /// Those of the published 30B.
    pub const PUBLISHED: Sizes = Sizes { divisor: 1, layers: 48, experts: 128 };

    /// The published names, with the smallest widths that there are.
    pub const SMALLEST: Sizes = Sizes { divisor: 32, ..Sizes::PUBLISHED };

    /// All layers and about so many bytes: as wide as that allows with 16 experts, and as many experts as fit then.
    pub fn of_bytes(bytes: u64) -> Sizes {
        let with = |divisor, experts| Sizes { divisor, experts, ..Sizes::PUBLISHED };
        let divisor = [1, 2, 4, 8, 16].into_iter().find(|&d| with(d, 16).bytes() <= bytes).unwrap_or(32);
        let (few, many) = (with(divisor, 16).bytes(), with(divisor, 17).bytes());
        let experts = 16 + bytes.saturating_sub(few) / (many - few);
        with(divisor, (experts as usize).min(Sizes::PUBLISHED.experts))
    }

    /// Bytes of all weights.
    pub fn bytes(&self) -> u64 {
        tensors(self).iter().map(|(_, shape)| 2 * shape.iter().product::<usize>() as u64).sum()
    }

    /// A published width, divided.
    pub(super) fn width(&self, published: usize) -> usize {
        published / self.divisor
    }

    /// A published number of heads, divided, one at least.
    pub(super) fn heads(&self, published: usize) -> usize {
        (published / self.divisor).max(1)
    }

    /// Width of the audio encoder.
    pub(super) fn audio(&self) -> usize {
        self.heads(20) * 64
    }

    /// Width of the vision encoder.
    pub(super) fn vision(&self) -> usize {
        self.heads(16) * 72
    }

    /// Codes of a codebook.
    pub(super) fn codes(&self) -> usize {
        self.width(2048)
    }

    /// The talker's vocabulary: a codebook, and 1024 more.
    pub(super) fn sounds(&self) -> usize {
        self.codes() + 1024
    }

    /// Gives the config of another Qwen3-Omni these sizes. What it says of tokens stays.
    pub(super) fn put_in(&self, config: &mut Value) {
        let vision = self.vision();
        let thinker = &mut config["thinker_config"];
        put(
            &mut thinker["audio_config"],
            json!({
                "d_model": self.audio(), "encoder_layers": 32, "num_hidden_layers": 32,
                "encoder_attention_heads": self.heads(20), "encoder_ffn_dim": self.width(5120),
                "downsample_hidden_size": self.width(480), "n_window_infer": 800, "output_dim": self.width(2048),
            }),
        );
        put(
            &mut thinker["vision_config"],
            json!({
                "depth": 27, "hidden_size": vision, "num_heads": self.heads(16), "intermediate_size": self.width(4304),
                "num_position_embeddings": 2304, "out_hidden_size": self.width(2048), "deepstack_visual_indexes": [8, 16, 24],
            }),
        );
        put(
            &mut thinker["text_config"],
            json!({
                "vocab_size": self.width(152_064), "hidden_size": self.width(2048), "num_hidden_layers": self.layers,
                "num_attention_heads": self.heads(32), "num_key_value_heads": self.heads(4), "head_dim": 128,
                "num_experts": self.experts, "num_experts_per_tok": self.experts.min(8),
                "moe_intermediate_size": self.width(768), "intermediate_size": self.width(768),
            }),
        );
        thinker["text_config"]["rope_scaling"]["mrope_section"] = json!([24, 20, 20]);

        let talker = &mut config["talker_config"];
        let after = |id: usize| self.codes() + PAD + id;
        let speakers = SPEAKERS.map(|(name, id)| (name.to_owned(), json!(self.codes() + id)));
        put(
            talker,
            json!({
                "accept_hidden_layer": self.layers / 2, "thinker_hidden_size": self.width(2048),
                "codec_pad_id": after(0), "codec_bos_id": after(1), "codec_eos_token_id": after(2),
                "codec_nothink_id": after(7), "codec_think_bos_id": after(8), "codec_think_eos_id": after(9),
                "speaker_id": serde_json::Map::from_iter(speakers),
            }),
        );
        put(
            &mut talker["text_config"],
            json!({
                "vocab_size": self.sounds(), "hidden_size": self.width(1024), "num_hidden_layers": 20,
                "num_attention_heads": self.heads(16), "num_key_value_heads": self.heads(2), "head_dim": 128,
                "num_experts": self.experts, "num_experts_per_tok": self.experts.min(6),
                "moe_intermediate_size": self.width(384), "shared_expert_intermediate_size": self.width(768),
                "intermediate_size": self.width(2048),
            }),
        );
        talker["text_config"]["rope_scaling"]["mrope_section"] = json!([24, 20, 20]);
        put(
            &mut talker["code_predictor_config"],
            json!({
                "vocab_size": self.codes(), "hidden_size": self.width(1024), "num_hidden_layers": 5,
                "num_attention_heads": self.heads(16), "num_key_value_heads": self.heads(8), "head_dim": 128,
                "intermediate_size": self.width(3072), "layer_types": vec!["full_attention"; 5],
            }),
        );
        put(
            &mut config["code2wav_config"],
            json!({
                "codebook_size": self.codes(), "hidden_size": self.width(1024), "num_hidden_layers": 8,
                "num_attention_heads": self.heads(16), "num_key_value_heads": self.heads(16),
                "intermediate_size": self.width(3072), "sliding_window": 72, "decoder_dim": self.width(1536),
            }),
        );
    }
}

/// Replaces values of an object.
fn put(object: &mut Value, values: Value) {
    if let Value::Object(values) = values {
        for (key, value) in values {
            object[key] = value;
        }
    }
}
