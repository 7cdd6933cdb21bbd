//! The tensors that a config calls for are those of its checkpoint.

use std::collections::BTreeMap;

use super::*;
use crate::weights::Checkpoint;

/// Names and shapes, collected under a dotted prefix.
#[derive(Default)]
struct Table(BTreeMap<String, Vec<usize>>);

impl Table {
    fn weight(&mut self, name: String, shape: &[usize]) {
        assert!(self.0.insert(format!("{name}.weight"), shape.to_vec()).is_none(), "{name} twice");
    }

    /// A weight whose rows have a bias each.
    fn biased(&mut self, name: String, shape: &[usize]) {
        self.0.insert(format!("{name}.bias"), shape[..1].to_vec());
        self.weight(name, shape);
    }

    fn swiglu(&mut self, at: &str, width: usize, inner: usize) {
        self.weight(format!("{at}.gate_proj"), &[inner, width]);
        self.weight(format!("{at}.up_proj"), &[inner, width]);
        self.weight(format!("{at}.down_proj"), &[width, inner]);
    }

    fn decoder(&mut self, at: &str, text: &TextConfig) {
        let width = text.hidden_size;
        self.weight(format!("{at}.norm"), &[width]);
        for layer in 0..text.num_layers {
            let at = format!("{at}.layers.{layer}");
            self.weight(format!("{at}.input_layernorm"), &[width]);
            self.weight(format!("{at}.post_attention_layernorm"), &[width]);
            self.weight(format!("{at}.self_attn.q_proj"), &[text.num_heads * text.head_dim, width]);
            self.weight(format!("{at}.self_attn.k_proj"), &[text.num_kv_heads * text.head_dim, width]);
            self.weight(format!("{at}.self_attn.v_proj"), &[text.num_kv_heads * text.head_dim, width]);
            self.weight(format!("{at}.self_attn.o_proj"), &[width, text.num_heads * text.head_dim]);
            self.weight(format!("{at}.self_attn.q_norm"), &[text.head_dim]);
            self.weight(format!("{at}.self_attn.k_norm"), &[text.head_dim]);
            match text.mlp {
                MlpConfig::Dense { intermediate_size } => {
                    self.swiglu(&format!("{at}.mlp"), width, intermediate_size)
                }
                MlpConfig::Moe { num_experts, intermediate_size, shared_intermediate_size, .. } => {
                    self.weight(format!("{at}.mlp.gate"), &[num_experts, width]);
                    for expert in 0..num_experts {
                        self.swiglu(&format!("{at}.mlp.experts.{expert}"), width, intermediate_size);
                    }
                    if let Some(inner) = shared_intermediate_size {
                        self.swiglu(&format!("{at}.mlp.shared_expert"), width, inner);
                        self.weight(format!("{at}.mlp.shared_expert_gate"), &[1, width]);
                    }
                }
            }
        }
    }

    fn audio(&mut self, audio: &AudioConfig) {
        let (at, width, channels) = ("thinker.audio_tower", audio.hidden_size, audio.conv_channels);
        for (conv, inputs) in [("conv2d1", 1), ("conv2d2", channels), ("conv2d3", channels)] {
            self.biased(format!("{at}.{conv}"), &[channels, inputs, 3, 3]);
        }
        self.weight(format!("{at}.conv_out"), &[width, channels * audio.num_mel_bins.div_ceil(8)]);
        for layer in 0..audio.num_layers {
            let at = format!("{at}.layers.{layer}");
            for projection in ["q", "k", "v", "out"] {
                self.biased(format!("{at}.self_attn.{projection}_proj"), &[width, width]);
            }
            self.biased(format!("{at}.self_attn_layer_norm"), &[width]);
            self.biased(format!("{at}.final_layer_norm"), &[width]);
            self.biased(format!("{at}.fc1"), &[audio.ffn_size, width]);
            self.biased(format!("{at}.fc2"), &[width, audio.ffn_size]);
        }
        self.biased(format!("{at}.ln_post"), &[width]);
        self.biased(format!("{at}.proj1"), &[width, width]);
        self.biased(format!("{at}.proj2"), &[audio.output_size, width]);
    }

    fn vision(&mut self, vision: &VisionConfig) {
        let (at, width) = ("thinker.visual", vision.hidden_size);
        let (frames, side) = (vision.temporal_patch_size, vision.patch_size);
        self.biased(format!("{at}.patch_embed.proj"), &[width, vision.in_channels, frames, side, side]);
        self.weight(format!("{at}.pos_embed"), &[vision.num_positions, width]);
        for layer in 0..vision.num_layers {
            let at = format!("{at}.blocks.{layer}");
            self.biased(format!("{at}.norm1"), &[width]);
            self.biased(format!("{at}.norm2"), &[width]);
            self.biased(format!("{at}.attn.qkv"), &[3 * width, width]);
            self.biased(format!("{at}.attn.proj"), &[width, width]);
            self.biased(format!("{at}.mlp.linear_fc1"), &[vision.ffn_size, width]);
            self.biased(format!("{at}.mlp.linear_fc2"), &[width, vision.ffn_size]);
        }
        let merged = width * vision.merged_patches();
        let lists = (0..vision.deepstack_layers.len()).map(|i| (format!("{at}.merger_list.{i}"), merged));
        for (at, norm) in lists.chain([(format!("{at}.merger"), width)]) {
            self.biased(format!("{at}.ln_q"), &[norm]);
            self.biased(format!("{at}.mlp.0"), &[merged, merged]);
            self.biased(format!("{at}.mlp.2"), &[vision.output_size, merged]);
        }
    }

    fn talker(&mut self, talker: &TalkerConfig) {
        let (text, predictor) = (&talker.text, &talker.code_predictor);
        self.decoder("talker.model", text);
        self.weight("talker.model.codec_embedding".into(), &[text.vocab_size, text.hidden_size]);
        self.weight("talker.codec_head".into(), &[text.vocab_size, text.hidden_size]);
        for projection in ["text_projection", "hidden_projection"] {
            let at = format!("talker.{projection}");
            self.biased(format!("{at}.linear_fc1"), &[talker.projection_size, talker.thinker_hidden_size]);
            self.biased(format!("{at}.linear_fc2"), &[text.hidden_size, talker.projection_size]);
        }
        let at = "talker.code_predictor";
        self.decoder(&format!("{at}.model"), &predictor.text);
        for i in 0..predictor.num_code_groups - 1 {
            let table = [predictor.text.vocab_size, predictor.text.hidden_size];
            self.weight(format!("{at}.model.codec_embedding.{i}"), &table);
            self.weight(format!("{at}.lm_head.{i}"), &table);
        }
    }
}

/// The small checkpoint has these tensors, and beside them only those of `prefix`.
fn assert_tensors(set: &str, table: Table, prefix: &str) {
    let checkpoint = Checkpoint::open(&reference(set)).unwrap();
    for (name, shape) in &table.0 {
        checkpoint.scope("").get(name, shape).unwrap();
    }
    let others: Vec<String> =
        checkpoint.unused().into_iter().filter(|name| !name.starts_with(prefix)).collect();
    assert!(others.is_empty(), "{others:?}");
}

#[test]
fn the_omni_config_calls_for_the_checkpoints_tensors() {
    let config = omni();
    let mut table = Table::default();
    let text = &config.thinker.text;
    table.decoder("thinker.model", text);
    table.weight("thinker.model.embed_tokens".into(), &[text.vocab_size, text.hidden_size]);
    table.weight("thinker.lm_head".into(), &[text.vocab_size, text.hidden_size]);
    table.audio(&config.thinker.audio);
    table.vision(&config.thinker.vision);
    table.talker(&config.speech.unwrap().talker);
    // The decoder of sound names each of its convolutions one by one; its own loader tests them.
    assert_tensors("omni-bf16", table, "code2wav.");
}

#[test]
fn the_dense_config_calls_for_the_checkpoints_tensors() {
    let config = Config::load(&reference("qwen3-dense-bf16")).unwrap();
    let mut table = Table::default();
    table.decoder("model", config.text());
    table.weight("model.embed_tokens".into(), &[config.text().vocab_size, config.text().hidden_size]);
    assert_tensors("qwen3-dense-bf16", table, "-");
}
