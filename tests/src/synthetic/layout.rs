//! Names and shapes of the published tensors, in the order of the model.

use super::Sizes;

/// Names and shapes of all tensors of a Qwen3-Omni that speaks, in the order in which the parts of the model use them.
pub fn tensors(sizes: &Sizes) -> Vec<(String, Vec<usize>)> {
    let mut list = List(Vec::new());
    list.audio_encoder(sizes);
    list.vision_encoder(sizes);
    list.thinker(sizes);
    list.talker(sizes);
    list.code_predictor(sizes);
    list.code2wav(sizes);
    list.0
}

/// Heads of an attention, all of the same width.
struct Heads {
    queries: usize,
    keys: usize,
    width: usize,
}

struct List(Vec<(String, Vec<usize>)>);

impl List {
    fn add(&mut self, name: String, shape: &[usize]) {
        self.0.push((name, shape.to_vec()));
    }

    /// A matrix without a bias.
    fn matrix(&mut self, name: String, out: usize, input: usize) {
        self.add(format!("{name}.weight"), &[out, input]);
    }

    /// A weight whose first axis has a bias.
    fn biased(&mut self, name: String, shape: &[usize]) {
        self.add(format!("{name}.weight"), shape);
        self.add(format!("{name}.bias"), &shape[..1]);
    }

    /// An RMS norm.
    fn norm(&mut self, name: String, width: usize) {
        self.add(format!("{name}.weight"), &[width]);
    }

    fn audio_encoder(&mut self, sizes: &Sizes) {
        let at = "thinker.audio_tower";
        let (d, ffn, channels) = (sizes.audio(), sizes.width(5120), sizes.width(480));
        for (i, input) in [1, channels, channels].into_iter().enumerate() {
            self.biased(format!("{at}.conv2d{}", i + 1), &[channels, input, 3, 3]);
        }
        self.matrix(format!("{at}.conv_out"), d, channels * 16);
        for layer in 0..32 {
            let at = format!("{at}.layers.{layer}");
            for part in ["q_proj", "k_proj", "v_proj", "out_proj"] {
                self.biased(format!("{at}.self_attn.{part}"), &[d, d]);
            }
            self.biased(format!("{at}.self_attn_layer_norm"), &[d]);
            self.biased(format!("{at}.fc1"), &[ffn, d]);
            self.biased(format!("{at}.fc2"), &[d, ffn]);
            self.biased(format!("{at}.final_layer_norm"), &[d]);
        }
        self.biased(format!("{at}.ln_post"), &[d]);
        self.biased(format!("{at}.proj1"), &[d, d]);
        self.biased(format!("{at}.proj2"), &[sizes.width(2048), d]);
    }

    fn vision_encoder(&mut self, sizes: &Sizes) {
        let at = "thinker.visual";
        let (d, ffn) = (sizes.vision(), sizes.width(4304));
        self.biased(format!("{at}.patch_embed.proj"), &[d, 3, 2, 16, 16]);
        self.matrix(format!("{at}.pos_embed"), 2304, d);
        for block in 0..27 {
            let at = format!("{at}.blocks.{block}");
            self.biased(format!("{at}.norm1"), &[d]);
            self.biased(format!("{at}.attn.qkv"), &[3 * d, d]);
            self.biased(format!("{at}.attn.proj"), &[d, d]);
            self.biased(format!("{at}.norm2"), &[d]);
            self.biased(format!("{at}.mlp.linear_fc1"), &[ffn, d]);
            self.biased(format!("{at}.mlp.linear_fc2"), &[d, ffn]);
        }
        let mergers = (0..3).map(|i| (format!("{at}.merger_list.{i}"), 4 * d));
        for (at, norm) in mergers.chain([(format!("{at}.merger"), d)]) {
            self.biased(format!("{at}.ln_q"), &[norm]);
            self.biased(format!("{at}.mlp.0"), &[4 * d, 4 * d]);
            self.biased(format!("{at}.mlp.2"), &[sizes.width(2048), 4 * d]);
        }
    }

    fn thinker(&mut self, sizes: &Sizes) {
        let (at, hidden, vocabulary) = ("thinker.model", sizes.width(2048), sizes.width(152_064));
        let heads = Heads { queries: sizes.heads(32), keys: sizes.heads(4), width: 128 };
        self.matrix(format!("{at}.embed_tokens"), vocabulary, hidden);
        for layer in 0..sizes.layers {
            let at = format!("{at}.layers.{layer}");
            self.attention(&at, hidden, &heads);
            self.experts(&at, hidden, sizes.experts, sizes.width(768));
        }
        self.norm(format!("{at}.norm"), hidden);
        self.matrix("thinker.lm_head".into(), vocabulary, hidden);
    }

    fn talker(&mut self, sizes: &Sizes) {
        let (at, hidden, thinker) = ("talker.model", sizes.width(1024), sizes.width(2048));
        let heads = Heads { queries: sizes.heads(16), keys: sizes.heads(2), width: 128 };
        for projection in ["text_projection", "hidden_projection"] {
            self.biased(format!("talker.{projection}.linear_fc1"), &[sizes.width(2048), thinker]);
            self.biased(format!("talker.{projection}.linear_fc2"), &[hidden, sizes.width(2048)]);
        }
        self.matrix(format!("{at}.codec_embedding"), sizes.sounds(), hidden);
        for layer in 0..20 {
            let at = format!("{at}.layers.{layer}");
            self.attention(&at, hidden, &heads);
            self.experts(&at, hidden, sizes.experts, sizes.width(384));
            self.mlp(&format!("{at}.mlp.shared_expert"), hidden, sizes.width(768));
            self.matrix(format!("{at}.mlp.shared_expert_gate"), 1, hidden);
        }
        self.norm(format!("{at}.norm"), hidden);
        self.matrix("talker.codec_head".into(), sizes.sounds(), hidden);
    }

    fn code_predictor(&mut self, sizes: &Sizes) {
        let (at, hidden) = ("talker.code_predictor", sizes.width(1024));
        let heads = Heads { queries: sizes.heads(16), keys: sizes.heads(8), width: 128 };
        for code in 0..15 {
            self.matrix(format!("{at}.model.codec_embedding.{code}"), sizes.codes(), hidden);
        }
        for layer in 0..5 {
            let at = format!("{at}.model.layers.{layer}");
            self.attention(&at, hidden, &heads);
            self.mlp(&format!("{at}.mlp"), hidden, sizes.width(3072));
        }
        self.norm(format!("{at}.model.norm"), hidden);
        for code in 0..15 {
            self.matrix(format!("{at}.lm_head.{code}"), sizes.codes(), hidden);
        }
    }

    /// A decoder layer's attention with normed heads, and both of the layer's norms.
    fn attention(&mut self, at: &str, hidden: usize, heads: &Heads) {
        let (queries, keys) = (heads.queries * heads.width, heads.keys * heads.width);
        self.norm(format!("{at}.input_layernorm"), hidden);
        self.matrix(format!("{at}.self_attn.q_proj"), queries, hidden);
        self.matrix(format!("{at}.self_attn.k_proj"), keys, hidden);
        self.matrix(format!("{at}.self_attn.v_proj"), keys, hidden);
        self.norm(format!("{at}.self_attn.q_norm"), heads.width);
        self.norm(format!("{at}.self_attn.k_norm"), heads.width);
        self.matrix(format!("{at}.self_attn.o_proj"), hidden, queries);
        self.norm(format!("{at}.post_attention_layernorm"), hidden);
    }

    /// A router and its experts.
    fn experts(&mut self, at: &str, hidden: usize, count: usize, width: usize) {
        self.matrix(format!("{at}.mlp.gate"), count, hidden);
        for expert in 0..count {
            self.mlp(&format!("{at}.mlp.experts.{expert}"), hidden, width);
        }
    }

    fn mlp(&mut self, at: &str, hidden: usize, width: usize) {
        self.matrix(format!("{at}.gate_proj"), width, hidden);
        self.matrix(format!("{at}.up_proj"), width, hidden);
        self.matrix(format!("{at}.down_proj"), hidden, width);
    }

    fn code2wav(&mut self, sizes: &Sizes) {
        let (at, hidden) = ("code2wav", sizes.width(1024));
        self.matrix(format!("{at}.code_embedding"), 16 * sizes.codes(), hidden);
        for layer in 0..8 {
            let at = format!("{at}.pre_transformer.layers.{layer}");
            self.norm(format!("{at}.input_layernorm"), hidden);
            for part in ["q_proj", "k_proj", "v_proj", "o_proj"] {
                self.matrix(format!("{at}.self_attn.{part}"), hidden, hidden);
            }
            self.add(format!("{at}.self_attn_layer_scale.scale"), &[hidden]);
            self.norm(format!("{at}.post_attention_layernorm"), hidden);
            self.mlp(&format!("{at}.mlp"), hidden, sizes.width(3072));
            self.add(format!("{at}.mlp_layer_scale.scale"), &[hidden]);
        }
        self.norm(format!("{at}.pre_transformer.norm"), hidden);
        for stage in 0..2 {
            let at = format!("{at}.upsample.{stage}");
            self.add(format!("{at}.0.conv.weight"), &[hidden, hidden, 2]);
            self.add(format!("{at}.0.conv.bias"), &[hidden]);
            self.biased(format!("{at}.1.dwconv.conv"), &[hidden, 1, 7]);
            self.biased(format!("{at}.1.norm"), &[hidden]);
            self.biased(format!("{at}.1.pwconv1"), &[4 * hidden, hidden]);
            self.biased(format!("{at}.1.pwconv2"), &[hidden, 4 * hidden]);
            self.add(format!("{at}.1.gamma"), &[hidden]);
        }
        self.waveform(&format!("{at}.decoder"), hidden, sizes.width(1536));
    }

    /// The convolutions that end in a waveform.
    fn waveform(&mut self, at: &str, hidden: usize, first: usize) {
        self.biased(format!("{at}.0.conv"), &[first, hidden, 7]);
        let mut width = first;
        for (stage, rate) in [8, 5, 4, 3].into_iter().enumerate() {
            let (at, half) = (format!("{at}.{}.block", stage + 1), width / 2);
            self.snake(format!("{at}.0"), width);
            self.add(format!("{at}.1.conv.weight"), &[width, half, 2 * rate]);
            self.add(format!("{at}.1.conv.bias"), &[half]);
            for unit in 2..5 {
                self.snake(format!("{at}.{unit}.act1"), half);
                self.biased(format!("{at}.{unit}.conv1.conv"), &[half, half, 7]);
                self.snake(format!("{at}.{unit}.act2"), half);
                self.biased(format!("{at}.{unit}.conv2.conv"), &[half, half, 1]);
            }
            width = half;
        }
        self.snake(format!("{at}.5"), width);
        self.biased(format!("{at}.6.conv"), &[1, width, 7]);
    }

    fn snake(&mut self, at: String, width: usize) {
        self.add(format!("{at}.alpha"), &[width]);
        self.add(format!("{at}.beta"), &[width]);
    }
}
